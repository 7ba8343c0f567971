"""How a price went, as a picture for a phone. Like `charts`: heavy, and an extra."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from io import BytesIO
from itertools import groupby
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot.providers.records import Candle, Direction, Position
from handlers.render.charts import one_at_a_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _FAINT, _PAPER, _GREY = "#1c2430", "#c9d0d9", "#ffffff", "#56606e"
_UP, _DOWN, _LINE = "#1f7a4d", "#b3392f", "#2b5c9e"
_WIDTH_INCHES, _HEIGHT_INCHES, _DOTS = 7.2, 5.6, 150
_FEW = 60
"""More candles than these would be hairs on a phone: then it is a line."""
_MARKS = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Style(StrEnum):
    """How a price is drawn."""

    LINE = "line"
    CANDLES = "candles"


def usual(candles: Sequence[Candle]) -> Style:
    """What shows most on a phone."""
    return Style.LINE if len(candles) > _FEW else Style.CANDLES


def path(
    title: str,
    under: str,
    candles: Sequence[Candle],
    positions: Sequence[Position],
    zone: ZoneInfo,
    style: Style | None = None,
) -> bytes:
    """A PNG. Takes a moment: not for the loop.

    Args:
        title: The market, e.g. "Gold (GOLD)".
        under: Span, connection and time, in one line.
        candles: Oldest first, at least one.
        positions: What is open there; each is drawn at its entry.
        style: As it was wished for; None: as it shows most.
    """
    style = style or usual(candles)
    candles = candles if style is Style.LINE else few(candles)
    with one_at_a_time:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(_WIDTH_INCHES, _HEIGHT_INCHES), dpi=_DOTS, facecolor=_PAPER)
        figure.text(0.045, 0.94, title, fontsize=19, fontweight="bold", color=_INK, va="center", parse_math=False)
        figure.text(0.045, 0.875, under, fontsize=13, color=_GREY, va="center", parse_math=False)
        axes = figure.add_axes((0.045, 0.11, 0.78, 0.71))
        if style is Style.LINE:
            _line(axes, candles)
        else:
            _candles(axes, candles)
        _entries(axes, candles, positions)
        _last(axes, candles)
        _frame(axes, candles, zone)
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=_DOTS, facecolor=_PAPER)
        return picture.getvalue()


def few(candles: Sequence[Candle]) -> list[Candle]:
    """Neighbours made one, so that each can be seen."""
    step = candles[0].step * -(-len(candles) // _FEW)
    return [_joined(list(part)) for _, part in groupby(candles, lambda one: (one.at - _EPOCH) // step)]


def _joined(part: Sequence[Candle]) -> Candle:
    low, high = min(one.low for one in part), max(one.high for one in part)
    return replace(part[0], step=part[0].step * len(part), low=low, high=high, close=part[-1].close)


def _line(axes: "Axes", candles: Sequence[Candle]) -> None:
    places = range(len(candles))
    lows, highs = [float(one.low) for one in candles], [float(one.high) for one in candles]
    axes.fill_between(places, lows, highs, color="#dfe8f3")
    axes.plot(places, [float(one.close) for one in candles], color=_LINE, linewidth=2.2, zorder=3)


def _candles(axes: "Axes", candles: Sequence[Candle]) -> None:
    for place, one in enumerate(candles):
        colour = _UP if one.close >= one.open else _DOWN
        axes.vlines(place, float(one.low), float(one.high), color=colour, linewidth=1.4, zorder=2)
        low, high = sorted((float(one.open), float(one.close)))
        axes.bar(place, max(high - low, 1e-12), 0.64, bottom=low, color=colour, zorder=3)


def _entries(axes: "Axes", candles: Sequence[Candle], positions: Sequence[Position]) -> None:
    for one in positions:
        if one.entry is None:
            continue
        colour = _DOWN if one.direction is Direction.SHORT else _UP
        axes.axhline(float(one.entry), color=colour, linewidth=1.3, linestyle=(0, (5, 3)), zorder=4)
        place = _place(candles, one.opened_at)
        if place is not None:
            mark = "v" if one.direction is Direction.SHORT else "^"
            axes.plot([place], [float(one.entry)], mark, color=colour, markersize=11, zorder=5, markeredgecolor=_PAPER)
        words = f"{'sold' if one.direction is Direction.SHORT else 'bought'} {one.size or ''}".strip()
        axes.annotate(
            f"{words} at {one.entry:,f}",
            (0.01, float(one.entry)),
            xycoords=("axes fraction", "data"),
            xytext=(0, 4),
            textcoords="offset points",
            fontsize=12,
            color=colour,
            parse_math=False,
            zorder=6,
        )


def _place(candles: Sequence[Candle], moment: datetime | None) -> int | None:
    """In which candle a moment lies; None before the first."""
    if moment is None or moment < candles[0].at:
        return None
    return max(place for place, one in enumerate(candles) if one.at <= moment)


def _last(axes: "Axes", candles: Sequence[Candle]) -> None:
    last = candles[-1].close
    axes.axhline(float(last), color=_GREY, linewidth=0.8, zorder=1)
    axes.annotate(
        f"{last:,f}",
        (1.0, float(last)),
        xycoords=("axes fraction", "data"),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=13,
        fontweight="bold",
        color=_PAPER,
        bbox={"boxstyle": "round,pad=0.45", "facecolor": _INK, "edgecolor": "none"},
        zorder=7,
        annotation_clip=False,
    )


def _frame(axes: "Axes", candles: Sequence[Candle], zone: ZoneInfo) -> None:
    marks = range(0, len(candles), max(1, -(-len(candles) // _MARKS)))
    span = candles[-1].at - candles[0].at
    form = "%H:%M" if span.days < 2 else "%d %b" if span.days < 300 else "%b %Y"
    axes.set_xticks(list(marks), _times([candles[mark].at.astimezone(zone) for mark in marks], form, span.days < 2))
    axes.set_xlim(-1, len(candles))
    axes.yaxis.tick_right()
    digits = max(0, -min(_exponent(one.close) for one in candles))
    axes.yaxis.set_major_formatter(lambda price, _: f"{price:,.{digits}f}")
    axes.tick_params(labelsize=12, colors=_INK, length=0, pad=6)
    axes.grid(axis="y", color=_FAINT, linewidth=0.8, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_INK)


def _times(moments: Sequence[datetime], form: str, with_days: bool) -> list[str]:
    """As people read them; the first of each day says which one it is, for a market may have been closed since."""
    texts = [moment.strftime(form) for moment in moments]
    if not with_days:
        return texts
    days = [None, *(moment.date() for moment in moments)]
    return [
        f"{moment:%a} {text}" if moment.date() != before else text
        for moment, text, before in zip(moments, texts, days, strict=False)
    ]


def _exponent(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
