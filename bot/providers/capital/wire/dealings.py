"""What became of orders and positions, read from rows of the activity. Pure. Source: reference, History.

A row has no number and does not say whether it opened or closed: both are POSITION, ACCEPTED, and both may name the
order that opened it. So an opening is known by its order's own rows beside it, or by the closing that follows; a
closing by the opening before it, or by its source.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from bot.providers.capital.wire.grammar import plain
from bot.providers.capital.wire.history import Activity
from bot.providers.records import Dealing, Direction, Fate

_STOPS = {"SL": False, "CLOSE_OUT": True}
"""What closes a position against its holder's hopes, and whether that is Capital.com itself."""
_CLOSING = {*_STOPS, "TP"}
_IN_VAIN = {"REJECTED", "CANCELLED", "CANCEL_REJECT", "MODIFIED", "MODIFY_REJECT", "EXPIRED"}
_DIRECTIONS = {"BUY": Direction.LONG, "SELL": Direction.SHORT, None: None}


def dealings_of(rows: Iterable[Activity], account: str) -> tuple[Dealing, ...]:
    """Of rows that stand oldest first."""
    done = [row for row in rows if row.status not in _IN_VAIN and row.deal_id and row.epic]
    orders = {row.deal_id for row in done if row.type == "WORKING_ORDER"}
    found = [_filled(row, account) for row in done if row.type == "WORKING_ORDER" and row.status == "EXECUTED"]
    by_deal: dict[str, list[Activity]] = {}
    for row in done:
        if row.type == "POSITION":
            by_deal.setdefault(row.deal_id or "", []).append(row)
    for deal in by_deal.values():
        found += _of_deal(deal, orders, account)
    return tuple(sorted(_each_once(found), key=lambda one: one.at))


def _of_deal(rows: list[Activity], orders: set[str | None], account: str) -> Iterator[Dealing]:
    first, last = rows[0], rows[-1]
    is_closed = last.source in _CLOSING or (len(rows) > 1 and last.told.direction != first.told.direction)
    if first.source not in _CLOSING and (first.told.working_order_id in orders or (is_closed and len(rows) > 1)):
        if first.told.working_order_id in orders:
            yield replace(_dealing(first, account, Fate.FILLED), order=first.told.working_order_id or "")
        yield _dealing(first, account, Fate.OPENED)
    if is_closed:
        if last.source in _STOPS:
            yield replace(_dealing(last, account, Fate.STOPPED), by_provider=_STOPS[last.source])
        yield _dealing(last, account, Fate.CLOSED)


def _filled(row: Activity, account: str) -> Dealing:
    return replace(_dealing(row, account, Fate.FILLED), id="", order=row.deal_id or "")


def _dealing(row: Activity, account: str, fate: Fate) -> Dealing:
    told = row.told
    return Dealing(
        account,
        row.deal_id or "",
        row.epic or "",
        row.at,
        fate,
        told.market_name or "",
        _DIRECTIONS[told.direction],
        plain(told.size),
        plain(told.level),
    )


def _each_once(found: Iterable[Dealing]) -> Iterable[Dealing]:
    """An order's own row and its position's tell of the same filling: that of the position says at which price."""
    unique: dict[tuple[Fate, str], Dealing] = {}
    for one in found:
        unique[one.fate, one.order or one.id] = one
    return unique.values()
