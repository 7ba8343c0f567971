"""What happens on the bank's side when a test or the demo says so; the list is in the package's docstring.

A wrong request is answered 400 with a reason, a refused act 409; neither changes anything.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bot.network.strictjson import Json, loads
from bot.providers.cryptocapital.simulator.bank import REGISTRATION_ACCOUNTS, Account, Notice, Refused
from bot.providers.cryptocapital.simulator.desk import Desk
from bot.providers.cryptocapital.simulator.operations import check_encodable
from bot.providers.cryptocapital.simulator.results import Misbehaviour, Mode, transfer_params
from bot.providers.cryptocapital.simulator.seed import USUAL_SENDER
from bot.providers.cryptocapital.simulator.signatures import read_public_key

Fields = Mapping[str, Json]
_MAX_SECONDS = 86_400
_MAX_TIMES = 1_000_000


class Controls:
    """The routes below `/_sim` that only this bank has."""

    def __init__(self, desk: Callable[[], Desk]) -> None:
        self._desk = desk

    def routes(self) -> Sequence[BaseRoute]:
        posts = {
            "/deposit": self._deposit,
            "/misbehave": self._misbehave,
            "/delay": self._delay,
            "/register": self._register,
            "/hold": self._hold,
            "/rate": self._rate,
        }
        gets = {"/misbehave": self._waiting, "/nonces": self._nonces, "/keys": self._keys}
        return [
            *(Route(path, _posted(act), methods=["POST"]) for path, act in posts.items()),
            *(Route(path, _asked(tell), methods=["GET"]) for path, tell in gets.items()),
            Route("/misbehave", _asked(self._forget), methods=["DELETE"]),
        ]

    def _deposit(self, fields: Fields) -> Response:
        sender = _text(fields, "sender", default=USUAL_SENDER)
        account, amount = self._account(fields), _decimal(fields, "amount")
        narrative = _text(fields, "narrative", default="")
        desk = self._desk()
        return self._booked(desk.bank.deposit(account, sender, amount, narrative, desk.now_ms()))

    def _register(self, fields: Fields) -> Response:
        account, key, desk = self._account(fields), _text(fields, "key"), self._desk()
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

    def _misbehave(self, fields: Fields) -> Response:
        mode = Mode(_text(fields, "mode"))
        times = _decimal(fields, "times", default=Decimal(1), highest=_MAX_TIMES)
        if times != int(times):
            raise ValueError("times is not a whole number")
        seconds = _decimal(fields, "seconds", default=Decimal(2), highest=_MAX_SECONDS)
        self._desk().results.waiting.append(Misbehaviour(mode, int(times), float(seconds)))
        return self._waiting()

    def _waiting(self) -> Response:
        return JSONResponse({"waiting": [one.as_json() for one in self._desk().results.waiting]})

    def _forget(self) -> Response:
        self._desk().results.waiting.clear()
        return self._waiting()

    def _delay(self, fields: Fields) -> Response:
        never = fields["seconds"] is None
        seconds = None if never else float(_decimal(fields, "seconds", highest=_MAX_SECONDS))
        self._desk().delay_seconds = seconds
        return JSONResponse({"seconds": seconds})

    def _hold(self, fields: Fields) -> Response:
        account, amount = self._account(fields), _decimal(fields, "amount")
        account.hold = amount.quantize(Decimal("0.01"))
        return JSONResponse({"balance": f"{account.balance:.2f}", "available": f"{account.available:.2f}"})

    def _rate(self, fields: Fields) -> Response:
        currency, rates = _text(fields, "currency"), self._desk().bank.rates
        if fields["usd"] is None:
            rates.pop(currency, None)
        else:
            rates[currency] = _decimal(fields, "usd", lowest=Decimal("0.000001"))
        return JSONResponse({"rates": {code: str(worth) for code, worth in rates.items()}})

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
                "server_public_key": desk.results.server.public_text,
                "registration_accounts": dict(REGISTRATION_ACCOUNTS),
                "keys": [
                    {"key": key, "accounts": numbers, "connections": _listening(desk, key)}
                    for key, numbers in keys.items()
                ],
            }
        )

    def _account(self, fields: Fields) -> Account:
        number = _text(fields, "account")
        if number not in self._desk().bank.accounts:
            raise ValueError("no such account")
        return self._desk().bank.accounts[number]


def _listening(desk: Desk, key: str) -> int:
    return sum(key in keys for keys in desk.listeners.values())


def _posted(act: Callable[[Fields], Response]) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        try:
            fields = loads(await request.body())
            if not isinstance(fields, Mapping):
                raise ValueError("not an object")
            return act(fields)
        except KeyError as missing:
            return JSONResponse({"error": f"{missing.args[0]} is missing"}, 400)
        except (ValueError, RecursionError) as problem:
            return JSONResponse({"error": str(problem)}, 400)

    return endpoint


def _asked(tell: Callable[[], Response]) -> Callable[[Request], object]:
    async def endpoint(_: Request) -> Response:
        return tell()

    return endpoint


def _text(fields: Fields, name: str, default: str | None = None) -> str:
    value = fields[name] if default is None else fields.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")
    return check_encodable(value, name)


def _decimal(
    fields: Fields,
    name: str,
    default: Decimal | None = None,
    lowest: Decimal | int = 0,
    highest: int = 10**12,
) -> Decimal:
    """A number, or text that holds one, between the bounds."""
    value = fields[name] if default is None else fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{name} is not a number")
    try:
        number = Decimal(value)
    except ArithmeticError:
        raise ValueError(f"{name} is not a number") from None
    if not number.is_finite() or not lowest <= number <= highest:
        raise ValueError(f"{name} is out of bounds")
    return number
