"""The records of the common calls, and what they become in this house. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from bot.errors import ReplyError
from bot.money import Currency
from bot.providers.crm.wire.grammar import (
    NAME,
    Code,
    Id,
    Number,
    Page,
    Phone,
    Reference,
    Request,
    Text,
    Window,
    fit,
    get,
    moment,
    money,
    price,
    send,
)
from bot.providers.records import Account, Balance, Direction, Environment, Position

NO_WALLET = "account_not_found"


class TradingAccount(msgspec.Struct, frozen=True):
    """Where a client trades, as the list of clients names it."""

    platform: str
    connection_id: str | None = None
    trading_id: Text | None = None

    @property
    def place(self) -> str:
        """As this house names a trading account."""
        return f"{self.connection_id}/{self.trading_id}"


class Client(msgspec.Struct, frozen=True):
    """A client of the tenant."""

    id: Id
    name: str | None = None
    trading_accounts: tuple[TradingAccount, ...] | None = None
    email: Text | None = None
    phone: Phone | None = None
    type: Text | None = None
    group_id: Text | None = None
    group_name: Text | None = None
    referral_code: Text | None = None
    kyc_status: Text | None = None
    kyc_processing: bool | None = None
    referrer_id: Text | None = None
    referrer_name: Text | None = None
    downline_count: Text | None = None
    created_at: Text | None = None


class Server(msgspec.Struct, frozen=True):
    """A trading server of the tenant: the pages say "connection"."""

    id: Id
    name: str | None = None
    platform: Text | None = None
    groups: tuple[Text, ...] | None = None


class Person(msgspec.Struct, frozen=True):
    """Whose a trading account is, in the CRM."""

    name: str | None = None
    id: Text | None = None
    email: Text | None = None


class Mt4Account(msgspec.Struct, frozen=True):
    """`balance` is what is booked; `available_withdrawal` is free margin less credit."""

    login: Reference
    currency: Code
    balance: Number
    available_withdrawal: Number | None = None
    name: str | None = None
    crm_user: Person | None = None
    group: Text | None = None
    credit: Number | None = None
    equity: Number | None = None
    margin: Number | None = None
    margin_free: Number | None = None
    leverage: Number | None = None
    last_active: Text | None = None

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
    close_price: Number | None = None
    close_time: str | int | None = None
    commission: Number | None = None
    swaps: Number | None = None
    comment: Text | None = None

    @property
    def is_position(self) -> bool:
        return self.cmd in _DIRECTIONS


class Transaction(msgspec.Struct, frozen=True):
    """A row of the transaction report. Whether `id` is a request's id is not said."""

    id: Id
    user_id: Text | None = None
    type: Text | None = None
    currency: Text | None = None
    amount: Number | None = None
    payment_method: Text | None = None
    payment_currency: Text | None = None
    payment_total: Text | None = None
    timestamp: Text | None = None
    comment: Text | None = None
    trading_platform: Text | None = None
    trading_connection_id: Text | None = None
    trading_id: Text | None = None
    ref_id: Text | None = None
    previous_balance: Text | None = None
    new_balance: Text | None = None
    wallet_id: Text | None = None
    status: Text | None = None
    withdrawal_method: Text | None = None
    withdrawal_currency: Text | None = None
    withdrawal_amount: Text | None = None
    withdrawal_fee: Text | None = None


_DIRECTIONS = {0: Direction.LONG, 1: Direction.SHORT}


def build_clients(skip: int, limit: int) -> Request:
    """Ask for a part of the list of clients."""
    return get("/users", skip=skip, limit=limit)


def build_wallets(user_id: str) -> Request:
    """Ask what one client's wallets hold."""
    return get("/wallets", user_id=user_id)


def build_mt4_connections() -> Request:
    """Ask for the MT4 servers. [N]: its page was not to be had; path and reply are inferred from its siblings."""
    return get("/mt4/connections")


def build_mt4_accounts(connection_id: str, skip: int, limit: int) -> Request:
    """Ask for a part of the accounts on one server."""
    return get("/mt4/accounts", connection_id=connection_id, skip=skip, limit=limit)


def build_open_mt4_trades(connection_id: str, window: Window, skip: int, limit: int) -> Request:
    """Ask for a part of the open trades on one server. The value `open` is inferred: the page lists none."""
    start, end = window.start.isoformat(), window.end.isoformat()
    return get("/mt4/trades", connection_id=connection_id, type="open", start=start, end=end, skip=skip, limit=limit)


def build_transactions(window: Window, skip: int, limit: int, **chosen: str | list[str] | None) -> Request:
    """Ask for a part of the transaction report. A read, although it is a POST; so it is signed.

    Args:
        chosen: `user_id`, `transaction_id`, `type` (a list; its values are not documented).
    """
    start, end = window.start.isoformat(), window.end.isoformat()
    return send("POST", "/report/transactions", {"skip": skip, "limit": limit, "start": start, "end": end, **chosen})


def parse_clients(reply: bytes) -> Page[Client]:
    """Ids, names, and where they trade."""
    return fit("clients", reply, Page[Client])


def parse_wallets(reply: bytes) -> Mapping[str, Number]:
    """Currency → balance."""
    return fit("wallets", reply, dict[Code, Number])


def parse_mt4_connections(reply: bytes) -> tuple[Server, ...]:
    """[N]: a bare array by inference."""
    return fit("MT4 connections", reply, tuple[Server, ...])


def parse_mt4_accounts(reply: bytes) -> Page[Mt4Account]:
    """Accounts with what they hold."""
    return fit("MT4 accounts", reply, Page[Mt4Account])


def parse_mt4_trades(reply: bytes) -> Page[Trade]:
    """All rows, pending orders and bookings too: the page is counted with them."""
    return fit("MT4 trades", reply, Page[Trade])


def parse_transactions(reply: bytes) -> Page[Transaction]:
    """Rows of the report."""
    return fit("transactions", reply, Page[Transaction])


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
        Balance(client.id, "wallet", money(amount, code), as_of, environment, kind="wallet", owner=client.name or "")
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
        amount=money(row.balance, row.currency),
        as_of=as_of,
        environment=environment,
        available=None if free is None else money(free, row.currency),
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
        profit=None if account is None else money(row.profit, account.currency),
        stop=price(row.stop_loss),
        limit=price(row.take_profit),
        opened_at=moment(row.open_time),
        owner=owner,
    )


def _place(server: Server, login: str) -> str:
    """Two servers may each have an account of the same number."""
    return f"{server.id}/{login}"


def _title(server: Server, login: str) -> str:
    return f"{login} {server.name or 'MT4'}"
