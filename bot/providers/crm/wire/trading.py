"""Trading servers and their accounts: MT4, MT5 and, by inference, cTrader. Pure."""

from decimal import Decimal
from typing import Literal

import msgspec

from bot.providers.crm import body as bodies
from bot.providers.crm.wire.grammar import Id, Page, Reference, Request, Text, Window, fit, get, segment, send
from bot.providers.crm.wire.reading import Mt4Account, Server, Trade

Platform = Literal["mt4", "mt5", "ctrader"]
Meta = Literal["mt4", "mt5"]
Direction = Literal["deposit", "withdrawal"]


class Opened(msgspec.Struct, frozen=True):
    """A new trading account. Its passwords are not for a chat."""

    login: Reference
    master_password: Text | None = None
    investor_password: Text | None = None

    def __repr__(self) -> str:
        return f"Opened({self.login})"


class AccountType(msgspec.Struct, frozen=True):
    """A kind of trading account. [N]"""

    id: Id
    name: Text | None = None
    platform: Text | None = None
    connection_id: Text | None = None


class Booked(msgspec.Struct, frozen=True):
    """What a booking answers when it answers anything: `repeat` means that the same comment was booked just before."""

    repeat: bool = False


def build_connections() -> Request:
    """[N]"""
    return get("/connections")


def build_servers(platform: Platform) -> Request:
    """[N]"""
    return get(f"/{platform}/connections")


def build_accounts(platform: Platform, connection_id: str, skip: int, limit: int, user_id: str | None) -> Request:
    """MT4 is documented; [N] for MT5 and cTrader."""
    chosen: dict[str, str | int] = {"connection_id": connection_id, "skip": skip, "limit": limit}
    return get(f"/{platform}/accounts", **chosen, **({} if user_id is None else {"user_id": user_id}))


def build_new_account(platform: Meta, user_id: str, fields: bodies.Fields) -> Request:
    return send("POST", f"/users/{segment(user_id)}/{platform}/accounts", fields)


def build_booking(
    platform: Meta, direction: Direction, login: str, connection_id: str, currency: str, amount: Decimal, comment: str
) -> Request:
    """Money into or out of a trading account. The amount is a text here; the comment is what makes it unique."""
    return send(
        "POST",
        f"/{platform}/accounts/{segment(login)}/{direction}",
        {"connection_id": connection_id, "currency": currency, "amount": f"{amount:f}", "comment": comment},
    )


def build_trades(
    kind: str, connection_id: str, window: Window, skip: int, limit: int, login: str | None, user_id: str | None
) -> Request:
    """`kind`: `open` or `closed`; the page lists no values."""
    chosen: dict[str, str | int] = {"connection_id": connection_id, "type": kind, "skip": skip, "limit": limit}
    chosen |= {"start": window.start.isoformat(), "end": window.end.isoformat()}
    if login is not None:
        chosen["login"] = login
    if user_id is not None:
        chosen["user_id"] = user_id
    return get("/mt4/trades", **chosen)


def build_account_types() -> Request:
    """[N]"""
    return get("/tradingAccounts/types")


def parse_servers(reply: bytes) -> tuple[Server, ...]:
    return fit("servers", reply, tuple[Server, ...])


def parse_accounts(reply: bytes) -> Page[Mt4Account]:
    return fit("accounts", reply, Page[Mt4Account])


def parse_trades(reply: bytes) -> Page[Trade]:
    return fit("trades", reply, Page[Trade])


def parse_opened(reply: bytes) -> Opened:
    return fit("new account", reply, Opened)


def parse_booked(reply: bytes) -> Booked:
    return fit("booking", reply, Booked)


def parse_account_types(reply: bytes) -> tuple[AccountType, ...]:
    return fit("account types", reply, tuple[AccountType, ...])
