"""Commissions and the leader board; the report of transactions stands in `reading`. Pure."""

import msgspec

from bot.providers.crm.wire.grammar import Number, Page, Request, Text, fit, get


class Commission(msgspec.Struct, frozen=True):
    """What an introducer gets of a trade; everything is typed as a text by the page."""

    id: Text | None = None
    order_id: Text | None = None
    trading_account_id: Text | None = None
    trader_id: Text | None = None
    receiver_id: Text | None = None
    currency: Text | None = None
    symbol: Text | None = None
    volume: Text | None = None
    swaps: Text | None = None
    profit: Text | None = None
    open_time: Text | None = None
    close_time: Text | None = None
    rebate_time: Text | None = None
    commission: Text | None = None
    total: Text | None = None
    status: Text | None = None
    rebate_account_id: Text | None = None


class Competitor(msgspec.Struct, frozen=True):
    """One line of a leader board."""

    user_name: Text | None = None
    user_id: Text | None = None
    country: Text | None = None
    profit_percent: Number | None = None
    suspend: bool | None = None


class LeaderBoard(msgspec.Struct, frozen=True):
    """Who leads a competition."""

    competitors: tuple[Competitor, ...]
    last_update_time: int | None = None


def build_commissions(kind: str, skip: int, limit: int) -> Request:
    """`flexible`, or `fixed` [N]."""
    return get(f"/report/commissions/{kind}", skip=skip, limit=limit)


def build_leader_board(competition_id: str, limit: int) -> Request:
    return get("/tradingCompetition/leaderboard", competition_id=competition_id, limit=limit)


def parse_commissions(reply: bytes) -> Page[Commission]:
    return fit("commissions", reply, Page[Commission])


def parse_leader_board(reply: bytes) -> LeaderBoard:
    return fit("leader board", reply, LeaderBoard)
