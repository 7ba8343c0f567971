"""What happens on the other side: clients ask and deposit, the back office decides, settings change (below `/_sim`).

    POST withdrawal  {"user_id"?, "amount"?, "currency"?, "method"?, "connection_id"?, "trading_id"?}
                     a client asks, from a wallet or, with the last two, from a trading account; answers the request
    GET  requests    every request
    POST approve     {"id"}                the back office says yes at the current node
    POST reject      {"id", "comment"?}    and no; also after approval, as the back office may
    POST edit        {"id", "amount"}      changes the trading amount of a pending request
    POST reset       {"id"}                back to the first node
    POST wallet      {"user_id", "currency", "amount"}   a client's deposit arrives in a wallet
    POST webhook     {"url", "secret"?, "prefix"?, "name"?, "events"?}   subscribes; the same address anew replaces
    GET  deliveries  every delivery with its bytes and what became of it
    POST replay      {"delivery"}          the same bytes and signature once more
    POST settings    any settings; answers them all, without keys and secrets
    GET  settings    the same without a change

Amounts are JSON numbers or texts. Failures have the vendor's error shape, always with status 400.
"""

from collections.abc import Awaitable, Callable, Sequence
from decimal import ROUND_DOWN, Decimal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.network import strictjson
from bot.providers.crm.simulator.books import Books
from bot.providers.crm.simulator.fields import Fields, RefusedError, invalid, writable
from bot.providers.crm.simulator.gate import Answer, reply
from bot.providers.crm.simulator.requests import view
from bot.providers.crm.simulator.settings import Settings, Webhook
from bot.providers.crm.simulator.standing import CENT
from bot.providers.crm.simulator.webhooks import Webhooks, shown
from bot.providers.crm.simulator.withdrawals import METHODS, Withdrawals
from bot.providers.crm.simulator.world import ZERO, Place, Tenant, Withdrawal

BACK_OFFICE = "back-office"
_USUAL_AMOUNTS = ("250", "1200", "75.50", "480", "900")

Act = Callable[[Fields], object]


class Controls:
    """The routes of the control side."""

    def __init__(self, tenant: Tenant, books: Books, withdrawals: Withdrawals, webhooks: Webhooks) -> None:
        self._tenant = tenant
        self._books = books
        self._withdrawals = withdrawals
        self._webhooks = webhooks

    def routes(self) -> Sequence[BaseRoute]:
        writes: dict[str, Act] = {
            "withdrawal": self.ask,
            "approve": self.approve,
            "reject": self.reject,
            "edit": self.edit,
            "reset": self.reset,
            "wallet": self.deposit,
            "webhook": self.subscribe,
            "replay": self.replay,
            "settings": self.change,
        }
        reads: dict[str, Act] = {
            "requests": self.requests,
            "deliveries": self.deliveries,
            "settings": lambda _: self._tenant.world.settings.shown(),
        }
        return [
            *(Route(f"/{name}", _door(act), methods=["POST"]) for name, act in writes.items()),
            *(Route(f"/{name}", _door(act), methods=["GET"]) for name, act in reads.items()),
        ]

    def ask(self, fields: Fields) -> object:
        place = self._place(fields)
        method = fields.optional_text("method") or next(
            (name for name, item in METHODS.items() if item.currency == place.currency), "Bank wire"
        )
        amount = _amount(fields) if fields.has("amount") else self._usual_amount(place)
        return self._view(self._withdrawals.ask(place, amount, method))

    def approve(self, fields: Fields) -> object:
        return self._view(self._withdrawals.approve(fields.text("id"), BACK_OFFICE))

    def reject(self, fields: Fields) -> object:
        comment = fields.optional_text("comment") or ""
        return self._view(self._withdrawals.reject(fields.text("id"), BACK_OFFICE, comment, even_approved=True))

    def edit(self, fields: Fields) -> object:
        return self._view(self._withdrawals.edit(fields.text("id"), BACK_OFFICE, _amount(fields)))

    def reset(self, fields: Fields) -> object:
        return self._view(self._withdrawals.reset(fields.text("id"), BACK_OFFICE))

    def deposit(self, fields: Fields) -> object:
        place = Place(self._client(fields.text("user_id")), fields.text("currency"))
        if place.currency not in self._tenant.world.usd_rates:
            raise invalid()
        amount = _amount(fields)
        row = self._books.book(place, amount, "Wallet deposit", method="Card")
        self._books.record("client_deposit", "client", place.label, amount, place.currency, row.id)
        return {"transaction": row.id, "balance": f"{row.new_balance:f}"}

    def subscribe(self, fields: Fields) -> object:
        hook = msgspec.convert(dict(fields.values), Webhook)
        hooks = self._tenant.world.settings.webhooks
        hooks[:] = [*(other for other in hooks if other.url != hook.url), hook]
        return self._tenant.world.settings.shown()

    def replay(self, fields: Fields) -> object:
        return shown(self._webhooks.replay(fields.text("delivery")))

    def change(self, fields: Fields) -> object:
        given = {name: float(value) if isinstance(value, Decimal) else value for name, value in fields.values.items()}
        settings: Settings = self._tenant.world.settings.changed(given)
        self._tenant.world.settings = settings
        if not settings.webhook_reorder:
            self._webhooks.release()
        return settings.shown()

    def requests(self, _: Fields) -> object:
        return {"requests": [self._view(request) for request in self._tenant.world.withdrawals.values()]}

    def deliveries(self, _: Fields) -> object:
        return {"deliveries": [shown(delivery) for delivery in self._tenant.world.deliveries]}

    def _view(self, request: Withdrawal) -> dict[str, object]:
        return view(self._tenant.world, request)

    def _client(self, user_id: str) -> str:
        if user_id not in self._tenant.world.clients:
            raise RefusedError("user_not_found")
        return user_id

    def _place(self, fields: Fields) -> Place:
        """The account named, else the wallet named, else the next client's first wallet with money in it."""
        if fields.has("connection_id"):
            trading_id = str(fields.values.get("trading_id"))
            accounts = {(item.connection_id, str(item.login)): item for item in self._tenant.world.accounts}
            account = accounts.get((fields.text("connection_id"), trading_id))
            if account is None:
                raise RefusedError("account_not_found")
            return Place(account.user_id, account.currency, account.platform, account.connection_id, account.login)
        user_id, currency = fields.optional_text("user_id"), fields.optional_text("currency")
        users = [self._client(user_id)] if user_id else self._in_turn()
        for user in users:
            for held, wallet in self._tenant.world.wallets.get(user, {}).items():
                if currency in (None, held) and wallet.balance > 0:
                    return Place(user, held)
        raise RefusedError("insufficient_funds")

    def _in_turn(self) -> list[str]:
        users = [client.id for client in self._tenant.world.clients.values() if not client.suspended]
        first = self._tenant.world.count("asking") % len(users)
        return users[first:] + users[:first]

    def _usual_amount(self, place: Place) -> Decimal:
        """An everyday sum, at most half of what is there but at least a cent."""
        usual = Decimal(_USUAL_AMOUNTS[len(self._tenant.world.withdrawals) % len(_USUAL_AMOUNTS)])
        half = (self._books.available(place) / 2).quantize(CENT, ROUND_DOWN)
        return max(CENT, min(usual, half))


def _door(act: Act) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        try:
            parsed = strictjson.loads(raw) if raw else {}
            if not isinstance(parsed, dict) or not writable(parsed):
                raise invalid()
            return reply(Answer(act(Fields(parsed))))
        except RefusedError as error:
            return reply(Answer(error.as_json(), 400))
        except (ValueError, msgspec.ValidationError):
            return reply(Answer(invalid().as_json(), 400))

    return endpoint


def _amount(fields: Fields) -> Decimal:
    if isinstance(fields.values.get("amount"), str):
        return fields.amount("amount")
    amount = fields.number("amount")
    if amount <= ZERO:
        raise invalid()
    return amount
