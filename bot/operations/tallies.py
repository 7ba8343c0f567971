"""What the rows of a report add up to, by day and currency: enough for a picture, however long the report is."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from bot.errors import ReplyError
from bot.money import check_number
from bot.providers.crm.wire import Transaction
from bot.providers.crm.wire.grammar import moment
from bot.providers.crm.wire.reports import Commission

DEPOSITS, WITHDRAWALS, COMMISSIONS = "Deposits", "Withdrawals", "Commissions"
_DAILY, _WEEKLY = 45, 200
"""Up to so many days are drawn day by day, or week by week; more by months."""


@dataclass(frozen=True, slots=True)
class Booking:
    """What one row adds."""

    on: date
    currency: str
    what: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Bar:
    """What was booked in one stretch of days that begins with `start`."""

    start: date
    sums: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Panel:
    """One currency, gapless from the first stretch to the last."""

    currency: str
    kinds: tuple[str, ...]
    bars: tuple[Bar, ...]
    each: str
    """`day`, `week` or `month`."""

    def total(self, kind: str) -> Decimal:
        return sum((bar.sums.get(kind, Decimal(0)) for bar in self.bars), Decimal(0))


class Tally:
    """Sums, row by row."""

    def __init__(self, read: Callable[[Any], Booking | None]) -> None:
        self._read = read
        self._sums: dict[str, dict[date, dict[str, Decimal]]] = {}
        self._rows: dict[str, int] = defaultdict(int)

    def add(self, row: object) -> None:
        """Count a row, if it is one that counts."""
        found = self._read(row)
        if found is not None:
            day = self._sums.setdefault(found.currency, {}).setdefault(found.on, {})
            day[found.what] = day.get(found.what, Decimal(0)) + found.amount
            self._rows[found.currency] += 1

    def panels(self, since: date, until: date, *, from_first: bool = False) -> tuple[Panel, ...]:
        """One for each currency, the busiest first, over these days, both included; what is outside is left out.

        Args:
            from_first: Begin with the first day on which there is something.
        """
        found = []
        for currency in sorted(self._sums, key=lambda one: (-self._rows[one], one)):
            days = {day: sums for day, sums in self._sums[currency].items() if since <= day <= until}
            if days:
                found.append(_panel(currency, days, min(days) if from_first else since, until))
        return tuple(found)


def transaction(row: Transaction) -> Booking | None:
    """Deposits and withdrawals that were not refused; transfers, credits and bonuses stay within the house."""
    kind = (row.type or "").casefold()
    what = DEPOSITS if kind == "deposit" else WITHDRAWALS if kind == "withdrawal" else None
    refused = (row.status or "").casefold() in ("rejected", "failed", "cancelled", "canceled")
    on = _day(row.timestamp)
    if what is None or refused or on is None or row.amount is None or not row.currency:
        return None
    return Booking(on, str(row.currency), what, abs(Decimal(row.amount)))


def commission(row: Commission) -> Booking | None:
    on, amount = _day(row.rebate_time or row.close_time), _number(row.commission)
    if on is None or amount is None or not row.currency:
        return None
    return Booking(on, str(row.currency), COMMISSIONS, amount)


def _day(written: str | None) -> date | None:
    try:
        found = moment(written)
    except ReplyError:
        return None
    return None if found is None else found.date()


def _number(text: str | None) -> Decimal | None:
    try:
        return check_number(Decimal(text or ""))
    except (InvalidOperation, ValueError):
        return None


def _panel(currency: str, days: dict[date, dict[str, Decimal]], first: date, last: date) -> Panel:
    count = (last - first).days + 1
    each = "day" if count <= _DAILY else "week" if count <= _WEEKLY else "month"
    bars = {start: Bar(start, {}) for start in _starts(first, last, each)}
    for day, sums in days.items():
        bar = bars[_start_of(day, each)]
        for what, amount in sums.items():
            bar.sums[what] = bar.sums.get(what, Decimal(0)) + amount
    kinds = [kind for kind in (DEPOSITS, WITHDRAWALS, COMMISSIONS) if any(kind in one.sums for one in bars.values())]
    return Panel(currency, tuple(kinds), tuple(bars.values()), each)


def _starts(first: date, last: date, each: str) -> Iterator[date]:
    start = _start_of(first, each)
    while start <= last:
        yield start
        start = _start_of(start + timedelta(days={"day": 1, "week": 7, "month": 31}[each]), each)


def _start_of(day: date, each: str) -> date:
    if each == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if each == "month" else day
