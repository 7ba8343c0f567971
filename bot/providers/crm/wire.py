"""The CRM's Open API as values: what is sent, and what a reply says. Pure.

A reply is parsed strictly (no NaN, no duplicate keys, exact numbers) and then fitted to the Structs below. They name
only the fields this house uses; what else arrives is left alone. Whatever does not fit is a `ReplyError` that says
where, and never what. Success has no envelope: the body is the object, the array, or a page `{"count", "records"}`.

Source: CRM Open API, sections Users, Wallets, MT4, Reports. Where they are silent or disagree: README.md.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from bot.errors import BusyError, CredentialRefusedError, FaultError, ProviderError, RefusedError, ReplyError
from bot.money import Currency, Money, check_number
from bot.network.strictjson import loads
from bot.providers.crm import body as bodies
from bot.providers.records import Account, Balance, Direction, Environment, Position

NAME = "crm"
NO_SUCH_PATH = "http 404"
NO_WALLET = "account_not_found"

_BASE = "/public/v1"
_WINDOW_DAYS = 88
"""The shortest three months are 89 days; whether the last day counts is not said."""
_AHEAD_DAYS = 2
"""The last day may not count, and a trading server's calendar may be a day ahead of ours."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPE = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
_PLACE = re.compile(r"`(\$[^`]*)`$")
_PLAIN = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)

Item = TypeVar("Item")
Shape = TypeVar("Shape")
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
"""Eight letters and digits by the pages, sometimes digits only: a text in any case."""
Code = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9]{2,20}\Z")]
"""A currency; whatever fits is one that `Currency.of` takes."""


class Number(Decimal):
    """An exact, finite number within our bounds, from a JSON number or from a text of plain digits: both occur."""


class Reference(str):
    """The number of an account or order, from a JSON number or a text; never calculated with."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without the headers that prove who asks. `body` is what will be signed, byte for byte."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Window:
    """Two days of the calendar, at most three months apart."""

    start: date
    end: date


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """A part of a list; `count` is the length of the whole."""

    count: Annotated[int, msgspec.Meta(ge=0)]
    records: tuple[Item, ...]


class TradingAccount(msgspec.Struct, frozen=True):
    """Where a client trades, as the list of clients names it."""

    platform: str
    connection_id: str | None = None


class Client(msgspec.Struct, frozen=True):
    """A client of the tenant."""

    id: Id
    name: str | None = None
    trading_accounts: tuple[TradingAccount, ...] | None = None


class Server(msgspec.Struct, frozen=True):
    """A trading server of the tenant: the pages say "connection"."""

    id: Id
    name: str | None = None


class Person(msgspec.Struct, frozen=True):
    """Whose a trading account is, in the CRM."""

    name: str | None = None


class Mt4Account(msgspec.Struct, frozen=True):
    """`balance` is what is booked; `available_withdrawal` is free margin less credit."""

    login: Reference
    currency: Code
    balance: Number
    available_withdrawal: Number | None = None
    name: str | None = None
    crm_user: Person | None = None

    @property
    def owner(self) -> str:
        return (self.crm_user and self.crm_user.name) or self.name or ""


class Trade(msgspec.Struct, frozen=True):
    """A row of the trades. `cmd` 0 is a buy and 1 a sell; the others are pending orders and bookings."""

    login: Reference
    order_id: Reference
    cmd: int
    symbol: str | None = None
    volume: Number | None = None
    open_price: Number | None = None
    stop_loss: Number | None = None
    take_profit: Number | None = None
    profit: Number | None = None
    open_time: str | int | None = None
    crm_user: Person | None = None

    @property
    def is_position(self) -> bool:
        return self.cmd in _DIRECTIONS


class Transaction(msgspec.Struct, frozen=True):
    """A row of the report."""

    id: Id


class _Failure(msgspec.Struct, frozen=True):
    type: str


_DIRECTIONS = {0: Direction.LONG, 1: Direction.SHORT}


def windows(today: date, count: int) -> tuple[Window, ...]:
    """`count` windows backwards from just after `today`, each beginning where the next one ends."""
    last = today + timedelta(days=_AHEAD_DAYS)
    ends = [last - timedelta(days=_WINDOW_DAYS * number) for number in range(count)]
    return tuple(Window(end - timedelta(days=_WINDOW_DAYS), end) for end in ends)


def build_clients(skip: int, limit: int) -> Request:
    """Ask for a part of the list of clients."""
    return _get("/users", skip=skip, limit=limit)


def build_wallets(user_id: str) -> Request:
    """Ask what one client's wallets hold."""
    return _get("/wallets", user_id=user_id)


def build_mt4_connections() -> Request:
    """Ask for the MT4 servers. [N]: its page was not to be had; path and reply are inferred from its siblings."""
    return _get("/mt4/connections")


def build_mt4_accounts(connection_id: str, skip: int, limit: int) -> Request:
    """Ask for a part of the accounts on one server."""
    return _get("/mt4/accounts", connection_id=connection_id, skip=skip, limit=limit)


def build_open_mt4_trades(connection_id: str, window: Window, skip: int, limit: int) -> Request:
    """Ask for a part of the open trades on one server. The value `open` is inferred: the page lists none."""
    start, end = window.start.isoformat(), window.end.isoformat()
    return _get("/mt4/trades", connection_id=connection_id, type="open", start=start, end=end, skip=skip, limit=limit)


def build_transactions(window: Window, skip: int, limit: int) -> Request:
    """Ask for a part of the transaction report. A read, although it is a POST; so it is signed."""
    start, end = window.start.isoformat(), window.end.isoformat()
    fields: dict[str, bodies.Value] = {"skip": skip, "limit": limit, "start": start, "end": end}
    return Request("POST", f"{_BASE}/report/transactions", body=bodies.encode(fields))


def parse_clients(reply: bytes) -> Page[Client]:
    """Ids, names, and where they trade."""
    return _fit("clients", reply, Page[Client])


def parse_wallets(reply: bytes) -> Mapping[str, Number]:
    """Currency → balance."""
    return _fit("wallets", reply, dict[Code, Number])


def parse_mt4_connections(reply: bytes) -> tuple[Server, ...]:
    """[N]: a bare array by inference."""
    return _fit("MT4 connections", reply, tuple[Server, ...])


def parse_mt4_accounts(reply: bytes) -> Page[Mt4Account]:
    """Accounts with what they hold."""
    return _fit("MT4 accounts", reply, Page[Mt4Account])


def parse_mt4_trades(reply: bytes) -> Page[Trade]:
    """All rows, pending orders and bookings too: the page is counted with them."""
    return _fit("MT4 trades", reply, Page[Trade])


def parse_transactions(reply: bytes) -> Page[Transaction]:
    """Rows of the report; only that they are there is of interest yet."""
    return _fit("transactions", reply, Page[Transaction])


def servers_of(clients: Iterable[Client]) -> tuple[Server, ...]:
    """The MT4 servers on which these clients trade; their names are not told."""
    places = (place for client in clients for place in client.trading_accounts or ())
    ids = {place.connection_id for place in places if place.platform == "mt4" and place.connection_id}
    return tuple(Server(one) for one in sorted(ids))


def elsewhere(clients: Iterable[Client]) -> dict[str, int]:
    """How many trading accounts these clients have on each platform that is not read here."""
    found: dict[str, int] = {}
    for client in clients:
        for place in client.trading_accounts or ():
            if place.platform != "mt4":
                found[place.platform] = found.get(place.platform, 0) + 1
    return found


def client_account(client: Client, environment: Environment) -> Account:
    """A client's wallets as one account, in whatever currencies."""
    return Account(client.id, client.name or "", None, environment, "wallet")


def wallet_balances(
    client: Client, wallets: Mapping[str, Number], environment: Environment, as_of: datetime
) -> tuple[Balance, ...]:
    """One balance for each currency, digit for digit."""
    return tuple(
        Balance(client.id, "wallet", _money(amount, code), as_of, environment, kind="wallet", owner=client.name or "")
        for code, amount in wallets.items()
    )


def mt4_account(server: Server, row: Mt4Account, environment: Environment) -> Account:
    """A trading account."""
    return Account(_place(server, row.login), _title(server, row.login), Currency.of(row.currency), environment, "mt4")


def mt4_balance(server: Server, row: Mt4Account, environment: Environment, as_of: datetime) -> Balance:
    """What is booked on a trading account. Open profit is no part of it, so none is named here."""
    free = row.available_withdrawal
    return Balance(
        account=_place(server, row.login),
        name=_title(server, row.login),
        amount=_money(row.balance, row.currency),
        as_of=as_of,
        environment=environment,
        available=None if free is None else _money(free, row.currency),
        kind="mt4",
        owner=row.owner,
    )


def mt4_position(server: Server, row: Trade, account: Mt4Account | None, as_of: datetime) -> Position:
    """An open trade. Its currency is its account's; without that, its profit is not shown.

    Raises:
        ReplyError: The row lacks what no trade lacks.
    """
    if not row.symbol or row.volume is None or row.open_price is None or row.profit is None:
        raise ReplyError(NAME, "MT4 trades: a trade without symbol, volume, price or profit")
    owner = (row.crm_user and row.crm_user.name) or (account.owner if account else "")
    return Position(
        account=_place(server, row.login),
        id=row.order_id,
        symbol=row.symbol,
        name=row.symbol,
        as_of=as_of,
        direction=_DIRECTIONS[row.cmd],
        size=Decimal(row.volume),
        size_unit="lots",
        entry=Decimal(row.open_price),
        profit=None if account is None else _money(row.profit, account.currency),
        stop=_price(row.stop_loss),
        limit=_price(row.take_profit),
        opened_at=_moment(row.open_time),
        owner=owner,
    )


def error_of(status: int, reply: bytes, retry_after_seconds: float | None = None) -> ProviderError | None:
    """What an answer's status and `type` mean; None for 200, the only success of a read.

    A 404 keeps the code `NO_SUCH_PATH` whatever its type says, so that a missing call can be told from a missing thing.
    """
    if status == 200:
        return None
    code = _type(reply) or f"http {status}"
    if status == 429:
        return BusyError(NAME, code, retry_after_seconds)
    if status >= 500:
        return FaultError(NAME, code)
    if status == 401 or code in _CREDENTIAL_TYPES:
        return CredentialRefusedError(NAME, code, _CREDENTIAL_TYPES.get(code, ""))
    if status == 404:
        return RefusedError(NAME, NO_SUCH_PATH, code if code != NO_SUCH_PATH else "")
    if status >= 400:
        return RefusedError(NAME, code)
    return ReplyError(NAME, f"unexpected status {status}")


_CREDENTIAL_TYPES = {
    "invalid_api_key": "the API key is absent, unknown or deleted",
    "invalid_signature": "the key is known, its signature is not: the tenant may want another auth_version",
}


def _get(path: str, **params: str | int) -> Request:
    return Request("GET", _BASE + path, {name: str(value) for name, value in params.items()})


def _place(server: Server, login: str) -> str:
    """Two servers may each have an account of the same number."""
    return f"{server.id}/{login}"


def _title(server: Server, login: str) -> str:
    return f"{login} {server.name or 'MT4'}"


def _money(number: Number, currency: str) -> Money:
    return Money.reading(Decimal(number), Currency.of(currency))


def _price(number: Number | None) -> Decimal | None:
    """Zero is how MT4 writes "none"."""
    return Decimal(number) if number else None


def _moment(written: str | int | None) -> datetime | None:
    """`YYYY-MM-DD HH:mm:ss` (UTC), ISO 8601 or milliseconds, as they occur on the pages."""
    if written is None or written == "":
        return None
    try:
        if isinstance(written, int):
            return _EPOCH + timedelta(milliseconds=written)
        found = datetime.fromisoformat(written)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ReplyError(NAME, "MT4 trades: a time that is none") from None


def _type(reply: bytes) -> str | None:
    """The `type` of a failure when it looks like one; other text may be anything, so it is not passed on."""
    try:
        found = _fit("error", reply, _Failure).type
    except ReplyError:
        return None
    return found if _TYPE.fullmatch(found) else None


def _fit(what: str, reply: bytes, shape: type[Shape]) -> Shape:
    try:
        return msgspec.convert(loads(reply), shape, dec_hook=_read)
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        raise ReplyError(NAME, f"{what}: not as documented at {place.group(1) if place else '$'}") from None
    except ValueError:
        raise ReplyError(NAME, f"{what}: not strict JSON") from None


def _read(kind: type, raw: Any) -> Number | Reference:
    written = type(raw) is str
    if kind is Number and (type(raw) in (int, Decimal) or (written and _PLAIN.fullmatch(raw))):
        return Number(check_number(Decimal(raw)))
    if kind is Reference and ((type(raw) is int and raw >= 0) or (written and 0 < len(raw) <= 64)):
        return Reference(raw)
    raise ValueError("wrong type")
