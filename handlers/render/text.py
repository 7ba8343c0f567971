"""Text, numbers, times and tables, as this desk writes them.

Text from outside (names, narratives, labels) is shown literally: tags are escaped, and characters that would reorder
or hide text are made visible as `⟨U+202E⟩`. Amounts are grouped with their currency's own decimals; only this file
knows the desk's time zone and locale.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from html import escape
from zoneinfo import ZoneInfo

from bot.money import Money

_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_LINKED = re.compile(r"((?<!\w)[/@#](?=\w)|(?<=\w)\.(?=[^\W\d_]{2})|:(?=//))")
"""What Telegram would make tappable: commands, names, tags, addresses. A word joiner behind it prevents that."""
_MAX_NAME = 60


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
        from babel.numbers import format_decimal  # with the first number that is shown

        have = max(digits, decimals(number))
        pattern = "#,##0" + ("." + "0" * have if have > 0 else "")
        with localcontext() as context:
            context.prec = 60  # the usual 28 would round the longest
            return str(format_decimal(number, pattern, locale=self.locale, decimal_quantization=False))

    def amount(self, money: Money) -> str:
        """`12,345.60`: without the currency. Crypto units show two decimals, and every further one they have."""
        return self.number(money.amount, money.currency.digits if money.currency.digits <= 3 else 2)

    def money(self, money: Money) -> str:
        """`12,345.60 USD`."""
        return f"{self.amount(money)} {money.currency}"

    def signed(self, money: Money) -> str:
        """`+12.50 USD`."""
        return ("+" if money.amount > 0 else "") + self.money(money)


def decimals(number: Decimal) -> int:
    """Decimals a number really has, trailing noughts not counted."""
    with localcontext() as context:
        context.prec = 60
        exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def visible(text: str, limit: int = _MAX_NAME) -> str:
    """Outside text on one line, nothing hidden in it, cut before it is escaped.

    Text with right-to-left letters is isolated, so that it turns around itself and not the amounts beside it.
    """
    shown = _INVISIBLE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", " ".join(text.split()))
    shown = shown if len(shown) <= limit else shown[: limit - 1] + "…"
    if shown.isascii() or all(unicodedata.bidirectional(one) not in ("R", "AL") for one in shown):
        return shown
    return f"\u2068{shown}\u2069"


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


def ago(now: datetime, then: datetime | None) -> str:
    return "never" if then is None else f"{span((now - then).total_seconds())} ago"


def span_between(start: datetime, end: datetime) -> str:
    return span((end - start).total_seconds())


def span(seconds: float) -> str:
    """`42 s`, `7 min`, `3 h 05 min`, `2 d 4 h`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
