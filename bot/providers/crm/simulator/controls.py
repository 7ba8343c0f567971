"""What happens on the other side: clients ask, the back office decides, settings change (below `/_sim`).

    POST withdrawal  {"user_id"?, "amount"?, "currency"?, "method"?, "connection_id"?, "trading_id"?}
                     a client asks, from a wallet or, with the last two, from a trading account; answers the request
    GET  requests    every withdrawal request; GET petitions: every other request
    POST approve     {"id", "admin"?}      the back office says yes at the current node, to a request of any kind
    POST reject      {"id", "comment"?, "admin"?, "even_approved"?: true}   and no; to a withdrawal also after approval
    POST edit        {"id", "amount", "admin"?}      changes the trading amount of a pending withdrawal
    POST reset       {"id", "admin"?}      back to the first node
    POST race        {"decision": approve|reject, "when": after_read|before_decision, "id"?, "admin"?, "comment"?}
                     the back office decides once, right behind the next read of the request through the API, or
                     right before the next decision on it; without `id` any withdrawal
    POST webhook     {"url", "secret"?, "prefix"?, "name"?, "events"?}   subscribes; the same address anew replaces
    POST tell        {"id"?, "event"?, "data"?, "flaw"?}   an event out of turn: the request as it is now with `data`
                     laid over it, or `data` alone; spoilt as `flaws.py` says; answers its deliveries
    GET  deliveries  every delivery with its bytes and what became of it
    POST replay      {"delivery"}          the same bytes and signature once more
    POST settings    any settings; answers them all, without keys and secrets
    GET  settings    the same without a change

`admin` is whom the history names. Amounts are JSON numbers or texts. Failures have the vendor's error shape, always
with status 400. More controls: `backoffice.py` (people, money, prop trading, archive), `psp.py` (payments, rates).
"""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

import msgspec
from starlette.routing import BaseRoute

from bot.providers.crm.simulator import doors
from bot.providers.crm.simulator.books import Books
from bot.providers.crm.simulator.desk import account_place, known_client
from bot.providers.crm.simulator.events import SLUG, Announcement, decided, of_petition
from bot.providers.crm.simulator.fields import Fields, RefusedError, invalid
from bot.providers.crm.simulator.flaws import Flaw
from bot.providers.crm.simulator.notation import Place
from bot.providers.crm.simulator.petitions import Petitions
from bot.providers.crm.simulator.requests import petition_view, view
from bot.providers.crm.simulator.reviews import Petition, Withdrawal
from bot.providers.crm.simulator.settings import Settings, Webhook
from bot.providers.crm.simulator.standing import CENT
from bot.providers.crm.simulator.webhooks import Webhooks, shown
from bot.providers.crm.simulator.withdrawals import METHODS, Withdrawals, event_data
from bot.providers.crm.simulator.world import Race, Tenant

BACK_OFFICE = "back-office"
_GROUP = "crm.webhooks.groups.requests.withdrawal"
_USUAL_AMOUNTS = ("250", "1200", "75.50", "480", "900")


class Controls:
    """The routes about requests, webhooks and settings."""

    def __init__(
        self, tenant: Tenant, books: Books, withdrawals: Withdrawals, petitions: Petitions, webhooks: Webhooks
    ) -> None:
        self._tenant = tenant
        self._books = books
        self._withdrawals = withdrawals
        self._petitions = petitions
        self._webhooks = webhooks

    def routes(self) -> Sequence[BaseRoute]:
        writes: dict[str, doors.Act] = {
            "withdrawal": self.ask,
            "approve": self.approve,
            "reject": self.reject,
            "edit": self.edit,
            "reset": self.reset,
            "race": self.race,
            "webhook": self.subscribe,
            "tell": self.tell,
            "replay": self.replay,
            "settings": self.change,
        }
        reads: dict[str, doors.Act] = {
            "requests": self.requests,
            "petitions": self.petitions,
            "deliveries": self.deliveries,
            "settings": lambda _: self._tenant.world.settings.shown(),
        }
        return [*doors.posts(writes), *doors.gets(reads)]

    def ask(self, fields: Fields) -> object:
        place = self._place(fields)
        method = fields.optional_text("method") or next(
            (name for name, item in METHODS.items() if item.currency == place.currency), "Bank wire"
        )
        amount = doors.amount(fields) if fields.has("amount") else self._usual_amount(place)
        return self._view(self._withdrawals.ask(place, amount, method))

    def approve(self, fields: Fields) -> object:
        request_id = fields.text("id")
        if request_id in self._tenant.world.petitions:
            return self._view(self._petitions.approve(request_id, _admin(fields)))
        return self._view(self._withdrawals.approve(request_id, _admin(fields)))

    def reject(self, fields: Fields) -> object:
        request_id, comment = fields.text("id"), fields.optional_text("comment") or ""
        if request_id in self._tenant.world.petitions:
            return self._view(self._petitions.reject(request_id, _admin(fields), comment))
        late = not fields.has("even_approved") or fields.flag("even_approved")
        return self._view(self._withdrawals.reject(request_id, _admin(fields), comment, even_approved=late))

    def edit(self, fields: Fields) -> object:
        return self._view(self._withdrawals.edit(fields.text("id"), _admin(fields), doors.amount(fields)))

    def reset(self, fields: Fields) -> object:
        request_id = fields.text("id")
        if request_id in self._tenant.world.petitions:
            return self._view(self._petitions.reset(request_id, _admin(fields)))
        return self._view(self._withdrawals.reset(request_id, _admin(fields)))

    def race(self, fields: Fields) -> object:
        race = Race(
            decision=_one_of(fields.text("decision"), "approve", "reject"),
            when=_one_of(fields.text("when"), "after_read", "before_decision"),
            request_id=fields.optional_text("id") or "",
            admin=_admin(fields),
            comment=fields.optional_text("comment") or "",
        )
        self._tenant.world.races.append(race)
        return {"waiting": len(self._tenant.world.races)}

    def subscribe(self, fields: Fields) -> object:
        hook = msgspec.convert(dict(fields.values), Webhook)
        hooks = self._tenant.world.settings.webhooks
        hooks[:] = [*(other for other in hooks if other.url != hook.url), hook]
        return self._tenant.world.settings.shown()

    def tell(self, fields: Fields) -> object:
        flaw, over = Flaw(fields.optional_text("flaw") or ""), fields.part("data").values
        usual = self._usual_event(fields.optional_text("id"))
        event = fields.optional_text("event") or usual.event
        subject = str(over.get("id", usual.subject))
        announcement = Announcement(event, usual.group, subject, {**usual.data, **over}, usual.service)
        return {"deliveries": [shown(delivery) for delivery in self._webhooks.tell(announcement, flaw)]}

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

    def petitions(self, _: Fields) -> object:
        return {"petitions": [self._view(petition) for petition in self._tenant.world.petitions.values()]}

    def deliveries(self, _: Fields) -> object:
        return {"deliveries": [shown(delivery) for delivery in self._tenant.world.deliveries]}

    def _view(self, request: Withdrawal | Petition) -> dict[str, object]:
        if isinstance(request, Petition):
            return petition_view(self._tenant.world, request)
        return view(self._tenant.world, request)

    def _usual_event(self, request_id: str | None) -> Announcement:
        """What would be told of a request as it stands; of none, an empty event of withdrawals."""
        world = self._tenant.world
        if request_id is None:
            return Announcement(f"{SLUG}requests.withdrawal.approve.node.1", _GROUP, "", {})
        petition = world.petitions.get(request_id)
        if petition is not None:
            announcement = of_petition(world, petition)
            if announcement is None:  # deposits have no event, nor has much on an older tenant
                raise invalid()
            return announcement
        request = self._withdrawals.find(request_id)
        return decided("withdrawal", request, event_data(world, request))

    def _place(self, fields: Fields) -> Place:
        """The account named, else the wallet named, else the next client's first wallet with money in it."""
        if fields.has("connection_id"):
            return account_place(self._tenant, fields)
        user_id, currency = fields.optional_text("user_id"), fields.optional_text("currency")
        users = [known_client(self._tenant, user_id)] if user_id else self._in_turn()
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


def _admin(fields: Fields) -> str:
    return fields.optional_text("admin") or BACK_OFFICE


def _one_of(given: str, *words: str) -> str:
    if given not in words:
        raise invalid()
    return given
