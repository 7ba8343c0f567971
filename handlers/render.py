"""Records become Telegram HTML here, escaped once, at the last step.

Text from outside (names, narratives, labels) is shown literally: tags are escaped, and characters that would reorder
or hide text are made visible as `⟨U+202E⟩`. Amounts are grouped with their currency's own decimals; only this file
knows the desk's time zone and locale.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from html import escape
from itertools import groupby
from typing import TypeVar
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal

from bot.money import Money
from bot.operations.balances import Answer, Holding, Sheet, totals
from bot.operations.connections import Connection, Health
from bot.operations.status import Status
from bot.providers.records import Balance, Direction, Environment, Position
from handlers.failures import sentence

_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_LINKED = re.compile(r"((?<!\w)[/@#])(?=\w)")
"""What Telegram would make tappable; a word joiner behind it prevents that and shows nothing."""
_MAX_NAME = 60
_SUMMED_FROM = 12
"""A connection with more lines than this is summed up when all connections were asked for."""
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Taste:
    """How this desk writes numbers and times."""

    zone: ZoneInfo
    locale: str = "en"

    def time(self, moment: datetime) -> str:
        """`14:02:07`, in the desk's zone."""
        return moment.astimezone(self.zone).strftime("%H:%M:%S")

    def date_time(self, moment: datetime) -> str:
        """`2026-11-21 14:02 CET`."""
        return moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M %Z")

    def number(self, number: Decimal, digits: int = 0) -> str:
        """Grouped, with at least `digits` decimals and every further one it has; never rounded."""
        exponent = number.normalize().as_tuple().exponent
        have = max(digits, -exponent if isinstance(exponent, int) else 0)
        pattern = "#,##0" + ("." + "0" * have if have > 0 else "")
        return str(format_decimal(number, pattern, locale=self.locale, decimal_quantization=False))

    def amount(self, money: Money) -> str:
        """`12,345.60`: without the currency."""
        return self.number(money.amount, money.currency.digits)

    def money(self, money: Money) -> str:
        """`12,345.60 USD`."""
        return f"{self.amount(money)} {money.currency}"

    def signed(self, money: Money) -> str:
        """`+12.50 USD`."""
        return ("+" if money.amount > 0 else "") + self.money(money)


def visible(text: str, limit: int = _MAX_NAME) -> str:
    """Outside text on one line, nothing hidden in it, cut before it is escaped.

    Text with right-to-left letters is isolated, so that it turns around itself and not the amounts beside it.
    """
    shown = _INVISIBLE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", " ".join(text.split()))
    shown = shown if len(shown) <= limit else shown[: limit - 1] + "…"
    return f"\u2068{shown}\u2069" if any(unicodedata.bidirectional(one) in ("R", "AL") for one in shown) else shown


def literal(text: str, limit: int = _MAX_NAME) -> str:
    """Outside text, safe inside HTML; a slash or @ in front of a word cannot become a link."""
    shown = visible(text, limit)
    return escape(_LINKED.sub("\\1\u2060", shown), quote=False)


def bold(text: str) -> str:
    return f"<b>{escape(text, quote=False)}</b>"


def table(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> str:
    """Columns in a fixed-width block; `right` names those aligned to the right. Cells are plain text."""
    align = set(right)
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            _pad(cell, width, to_right=column in align)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "<pre>" + escape("\n".join(lines), quote=False) + "</pre>"


def _width(text: str) -> int:
    """Columns a text takes in a fixed-width font: wide characters two, marks and isolates none."""
    return sum(_columns(one) for one in text)


def _columns(one: str) -> int:
    if unicodedata.category(one) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(one) in "WF" else 1


def _pad(text: str, width: int, *, to_right: bool) -> str:
    gap = " " * (width - _width(text))
    return gap + text if to_right else text + gap


def balances(sheet: Sheet[Balance], taste: Taste, *, summed: bool) -> list[str]:
    """One block for each connection, and the totals. `summed`: a connection with many lines shows its sums only."""
    if not sheet.answers:
        return [_no_connections()]
    blocks = [f"{bold('Balances')} · {taste.time(sheet.asked_at)} {sheet.asked_at.astimezone(taste.zone):%Z}"]
    blocks += [block for answer in sheet.answers for block in _balances_of(answer, taste, summed=summed)]
    missing = sum(answer.reading is None for answer in sheet.answers)
    sums = totals(sheet.answers)
    if sums and len(sheet.answers) > missing:
        blocks.append(_totals(sums, missing, taste))
    return blocks


def _balances_of(answer: Answer[Balance], taste: Taste, *, summed: bool) -> list[str]:
    head = _head(answer, taste)
    if answer.reading is None:
        return [f"{head}\n{_trouble(answer)}"]
    items = answer.reading.items
    notes = "".join(f"\n<i>{literal(note, 300)}</i>" for note in answer.reading.notes)
    if not items:
        return [f"{head}\nNo accounts.{notes}"]
    if summed and len(items) > _SUMMED_FROM:
        return [f"{head}\n{_summed(answer, items, taste)}{notes}"]
    owners = list(dict.fromkeys(item.owner for item in items))
    blocks = [
        block
        for owner, group in groupby(
            sorted(items, key=lambda item: owners.index(item.owner)), key=lambda item: item.owner
        )
        for block in _of_owner(owner, list(group), taste)
    ]
    blocks[0] = f"{head}\n{blocks[0]}"
    blocks[-1] += notes
    return blocks


def _of_owner(owner: str, items: Sequence[Balance], taste: Taste) -> list[str]:
    """Tables of at most twelve lines, the owner's name above the first."""
    blocks = [_balance_table(part, taste) for part in _parts(items, _SUMMED_FROM)]
    if owner:
        blocks[0] = f"{literal(owner)}\n{blocks[0]}"
    return blocks


def _summed(answer: Answer[Balance], items: Sequence[Balance], taste: Taste) -> str:
    owners = len({item.owner for item in items if item.owner})
    whose = f" of {owners} clients" if owners else ""
    rows = [[money.currency.code, taste.amount(money)] for moneys in totals([answer]).values() for money in moneys]
    name = escape(answer.connection.name)
    return f"{len(items)} accounts{whose}:\n{table(rows, right=(1,))}\nEach of them: <code>/balance {name}</code>"


def _balance_table(items: Sequence[Balance], taste: Taste) -> str:
    rows = []
    for item in items:
        free = ""
        if item.available is not None and item.available != item.amount:
            free = f"free {taste.amount(item.available)}"
        rows.append(
            [visible(item.name or item.account, 24), taste.amount(item.amount), item.amount.currency.code, free]
        )
    if not any(row[3] for row in rows):
        rows = [row[:3] for row in rows]
    return table(rows, right=(1,))


_HOLDINGS = {
    Holding.OWN_LIVE: "Real money",
    Holding.OWN_DEMO: "Demo money",
    Holding.CLIENTS_LIVE: "Clients' money",
    Holding.CLIENTS_DEMO: "Clients' money, demo",
}


def _totals(sums: Mapping[Holding, Sequence[Money]], missing: int, taste: Taste) -> str:
    lines = [bold("Total") + (f" of what answered ({missing} did not)" if missing else "")]
    for holding, moneys in sums.items():
        lines.append(_HOLDINGS[holding])
        lines.append(table([[money.currency.code, taste.amount(money)] for money in moneys], right=(1,)))
    return "\n".join(lines)


def positions(sheet: Sheet[Position], taste: Taste) -> list[str]:
    """One block for each connection; positions as short cards of two lines."""
    if not sheet.answers:
        return [_no_connections()]
    blocks = [f"{bold('Open positions')} · {taste.time(sheet.asked_at)} {sheet.asked_at.astimezone(taste.zone):%Z}"]
    for answer in sheet.answers:
        blocks += _positions_of(answer, taste)
    return blocks


def _positions_of(answer: Answer[Position], taste: Taste) -> list[str]:
    head = _head(answer, taste)
    if answer.reading is None:
        return [f"{head}\n{_trouble(answer)}"]
    notes = "".join(f"\n<i>{literal(note, 300)}</i>" for note in answer.reading.notes)
    if not answer.reading.items:
        return [f"{head}\nNothing open.{notes}"]
    parts = ["\n".join(_position(item, taste) for item in part) for part in _parts(answer.reading.items, 6)]
    parts[0] = f"{head}\n{parts[0]}"
    parts[-1] += notes
    return parts


def _position(item: Position, taste: Taste) -> str:
    way = {Direction.LONG: "▲ long", Direction.SHORT: "▼ short", None: "•"}[item.direction]
    size = f" {taste.number(item.size)}" if item.size is not None else ""
    unit = f" {literal(item.size_unit, 12)}" if item.size_unit else ""
    profit = f" · <b>{taste.signed(item.profit)}</b>" if item.profit is not None else ""
    first = f"{way}{size}{unit} <b>{literal(item.name or item.symbol, 40)}</b>{profit}"
    facts = []
    if item.owner:
        facts.append(literal(item.owner, 40))
    if item.entry is not None:
        now = f" → {taste.number(item.now)}" if item.now is not None else ""
        facts.append(f"{taste.number(item.entry)}{now}")
    if item.price_paid is not None:
        facts.append(f"paid {taste.money(item.price_paid)}")
    if item.payout is not None:
        facts.append(f"pays {taste.money(item.payout)}")
    if item.margin is not None:
        facts.append(f"margin {taste.money(item.margin)}")
    if item.stop is not None:
        facts.append(f"stop {taste.number(item.stop)}")
    if item.limit is not None:
        facts.append(f"limit {taste.number(item.limit)}")
    if item.expires_at is not None:
        facts.append(f"until {taste.date_time(item.expires_at)}")
    return first + (f"\n    {' · '.join(facts)}" if facts else "")


def status(state: Status, taste: Taste) -> list[str]:
    """The health of every part."""
    pulse = state.pulse
    seen = f"{_ago(state.now, pulse.update_at)}" if pulse.update_at else "none yet"
    asked = _ago(state.now, pulse.asked_at) if pulse.asked_at else "not yet"
    refused = sum(pulse.refused.values())
    lines = [
        f"{bold('Status')} · Countersign {escape(state.version)} · up {_span_between(pulse.started_at, state.now)}",
        "",
        f"Telegram: {pulse.mode}, last answer {asked}, last update {seen}",
        f"Updates: {pulse.taken} taken, {pulse.strangers} from strangers dropped, {refused} refused",
        f"Queues: {state.inbox_waiting} in, {state.outbox['waiting']} out, {state.outbox['dead']} undeliverable",
        f"Database: {escape(state.database)}, {state.database_bytes / 1e6:.1f} MB",
        f"Incidents since start: {pulse.incidents}"
        + (", and the run before did not end cleanly" if pulse.after_crash else ""),
    ]
    providers = [_connection_status(one.connection, one.health, state.now) for one in state.connections]
    return ["\n".join(lines), "\n".join([bold("Providers"), *(providers or ["No connections you can see."])])]


def _connection_status(connection: Connection, health: Health, now: datetime) -> str:
    name = f"{connection.spec.title} <code>{escape(connection.name)}</code>"
    if health.trouble is not None:
        last = f" Last good answer {_ago(now, health.good_at)}." if health.good_at else ""
        return f"✕ {name}: {escape(sentence(health.trouble), quote=False)}{last}"
    if health.good_at is None:
        return f"○ {name}: not asked since the start"
    return f"● {name}: answered {_ago(now, health.good_at)}"


def _head(answer: Answer[Balance] | Answer[Position], taste: Taste) -> str:
    connection = answer.connection
    demo = " · DEMO" if connection.environment is Environment.DEMO else ""
    as_of = f" · {taste.time(answer.reading.as_of)}" if answer.reading is not None else ""
    return f"{bold(connection.spec.title)} <code>{escape(connection.name)}</code>{demo}{as_of}"


def _trouble(answer: Answer[Balance] | Answer[Position]) -> str:
    if answer.trouble is None:
        return "No answer."
    return escape(sentence(answer.trouble, answer.connection.name), quote=False)


def _no_connections() -> str:
    return "You can see no provider login yet. /connect links one; an owner can share theirs when linking it."


def _parts(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _ago(now: datetime, then: datetime | None) -> str:
    return "never" if then is None else f"{_span((now - then).total_seconds())} ago"


def _span_between(start: datetime, end: datetime) -> str:
    return _span((end - start).total_seconds())


def _span(seconds: float) -> str:
    """`42 s`, `7 min`, `3 h 05 min`, `2 d 4 h`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
