"""What happens at the bank when a test or the demo says so: money, keys, rates and how long things take."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bot.providers.cryptocapital.simulator.bank import REGISTRATION_ACCOUNTS, Account, Notice, Refused
from bot.providers.cryptocapital.simulator.desk import Desk
from bot.providers.cryptocapital.simulator.fields import Fields, asked, decimal, posted, text
from bot.providers.cryptocapital.simulator.operations import MAX_NONCE
from bot.providers.cryptocapital.simulator.results import transfer_params
from bot.providers.cryptocapital.simulator.seed import USUAL_SENDER
from bot.providers.cryptocapital.simulator.signatures import read_public_key

_MAX_SECONDS = 86_400


class Controls:
    """The routes below `/_sim` that are about the bank itself."""

    def __init__(self, desk: Callable[[], Desk]) -> None:
        self._desk = desk

    def routes(self) -> Sequence[BaseRoute]:
        posts = {
            "/deposit": self._deposit,
            "/delay": self._delay,
            "/register": self._register,
            "/hold": self._hold,
            "/rate": self._rate,
            "/nonces": self._take_nonce,
        }
        return [
            *(Route(path, posted(act), methods=["POST"]) for path, act in posts.items()),
            Route("/nonces", asked(self._nonces), methods=["GET"]),
            Route("/keys", asked(self._keys), methods=["GET"]),
        ]

    def _deposit(self, fields: Fields) -> Response:
        sender = text(fields, "sender", default=USUAL_SENDER)
        account, amount = self._account(fields), decimal(fields, "amount")
        narrative, currency = text(fields, "narrative", default=""), text(fields, "currency", default="")
        desk = self._desk()
        return self._booked(desk.bank.deposit(account, sender, amount, narrative, desk.now_ms(), currency))

    def _register(self, fields: Fields) -> Response:
        account, key, desk = self._account(fields), text(fields, "key"), self._desk()
        read_public_key(key)
        office = REGISTRATION_ACCOUNTS[account.currency]
        booked = desk.bank.transfer(account, office, account.currency, Decimal("1.00"), key, desk.now_ms())
        return self._booked(booked)

    def _booked(self, booked: Sequence[Notice] | Refused) -> Response:
        desk = self._desk()
        if isinstance(booked, Refused):
            return JSONResponse({"error": booked.reason}, 409)
        desk.deliver(desk.announce(booked))
        movements = {notice.movement.id: transfer_params(notice.movement) for notice in booked}
        return JSONResponse({"transfers": list(movements.values())})

    def _delay(self, fields: Fields) -> Response:
        never = fields["seconds"] is None
        seconds = None if never else float(decimal(fields, "seconds", highest=_MAX_SECONDS))
        self._desk().delay_seconds = seconds
        return JSONResponse({"seconds": seconds})

    def _hold(self, fields: Fields) -> Response:
        account, amount = self._account(fields), decimal(fields, "amount")
        account.hold = amount.quantize(Decimal("0.01"))
        return JSONResponse({"balance": f"{account.balance:.2f}", "available": f"{account.available:.2f}"})

    def _rate(self, fields: Fields) -> Response:
        currency, rates = text(fields, "currency"), self._desk().bank.rates
        if fields["usd"] is None:
            rates.pop(currency, None)
        else:
            rates[currency] = decimal(fields, "usd", lowest=Decimal("0.000001"))
        return JSONResponse({"rates": {code: str(worth) for code, worth in rates.items()}})

    def _take_nonce(self, fields: Fields) -> Response:
        """Somebody else with the same key was here."""
        key, nonce = self._desk().key_of(text(fields, "to")), decimal(fields, "nonce", highest=MAX_NONCE)
        if nonce != int(nonce):
            raise ValueError("nonce is not a whole number")
        if not self._desk().take_nonce(key, int(nonce)):
            return JSONResponse({"error": "nonce is not greater than the last one"}, 409)
        return self._nonces()

    def _nonces(self) -> Response:
        nonces = self._desk().nonces
        return JSONResponse(
            {
                "last": {key: accepted[-1] for key, accepted in nonces.items() if accepted},
                "accepted": nonces,
            }
        )

    def _keys(self) -> Response:
        desk, keys = self._desk(), dict[str, list[str]]()
        for account in desk.bank.accounts.values():
            if account.key:
                keys.setdefault(account.key, []).append(account.number)
        return JSONResponse(
            {
                "server_public_key": desk.notary.server.public_text,
                "registration_accounts": dict(REGISTRATION_ACCOUNTS),
                "keys": [
                    {"key": key, "accounts": numbers, "connections": len(desk.listening(key))}
                    for key, numbers in keys.items()
                ],
            }
        )

    def _account(self, fields: Fields) -> Account:
        number = text(fields, "account")
        if number not in self._desk().bank.accounts:
            raise ValueError("no such account")
        return self._desk().bank.accounts[number]
