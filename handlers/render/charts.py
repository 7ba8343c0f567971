"""Numbers as pictures, for a phone: light, large letters, one panel for each currency.

What draws is heavy and an extra: it is imported by the first picture, and a desk without it does without.
"""

from collections.abc import Sequence
from decimal import Decimal
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING

from bot.operations.tallies import COMMISSIONS, DEPOSITS, WITHDRAWALS, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PANELS = 3
_COLOURS = {DEPOSITS: "#1f7a4d", WITHDRAWALS: "#b3392f", COMMISSIONS: "#2b5c9e"}
_INK, _FAINT, _PAPER = "#1c2430", "#c9d0d9", "#ffffff"
_WIDTH_INCHES, _HEAD_INCHES, _PANEL_INCHES, _DOTS = 7.2, 1.05, 3.9, 150
"""1,080 dots wide: what a phone shows."""
_RANK_HEAD_INCHES, _RANK_INCHES = 0.75, 0.4
one_at_a_time = Lock()
"""Its figures are separate; the fonts and settings under them are not."""


def can_draw() -> bool:
    """Whether the extra `charts` is installed."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def bars(title: str, as_of: str, panels: Sequence[Panel]) -> bytes:
    """A PNG of what was booked by day, week or month. Takes a moment: not for the loop.

    Args:
        title: What it is about, e.g. "Transactions, last 30 days".
        as_of: When it was asked for, as the desk writes times.
    """
    with one_at_a_time:
        from matplotlib.figure import Figure

        shown = panels[:MOST_PANELS]
        height = _HEAD_INCHES + _PANEL_INCHES * len(shown)
        figure = Figure(figsize=(_WIDTH_INCHES, height), dpi=_DOTS, facecolor=_PAPER)
        figure.text(0.045, 1 - 0.42 / height, title, fontsize=19, fontweight="bold", color=_INK, va="center")
        left = f" · {len(panels) - len(shown)} more currencies in the file" if len(panels) > len(shown) else ""
        figure.text(0.045, 1 - 0.82 / height, f"as of {as_of}{left}", fontsize=13, color="#56606e", va="center")
        top = 1 - _HEAD_INCHES / height
        step = top / len(shown)
        for number, panel in enumerate(shown):
            bottom = top - step * (number + 1)
            axes = figure.add_axes((0.17, bottom + 0.78 / height, 0.79, step - 1.34 / height))
            _draw(axes, panel)
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=_DOTS, facecolor=_PAPER)
        return picture.getvalue()


def ranks(title: str, as_of: str, panels: Sequence[tuple[str, Sequence[tuple[str, Decimal]]]]) -> bytes:
    """A PNG of named bars, one panel for each currency, the longest on top. Takes a moment: not for the loop."""
    with one_at_a_time:
        from matplotlib.figure import Figure

        shown = panels[:MOST_PANELS]
        inches = [_RANK_HEAD_INCHES + _RANK_INCHES * len(bars) for _, bars in shown]
        height = _HEAD_INCHES + sum(inches)
        figure = Figure(figsize=(_WIDTH_INCHES, height), dpi=_DOTS, facecolor=_PAPER)
        figure.text(0.045, 1 - 0.42 / height, title, fontsize=19, fontweight="bold", color=_INK, va="center")
        left = f" · {len(panels) - len(shown)} more currencies in the text" if len(panels) > len(shown) else ""
        figure.text(0.045, 1 - 0.82 / height, f"as of {as_of}{left}", fontsize=13, color="#56606e", va="center")
        top = height - _HEAD_INCHES
        for (name, bars), tall in zip(shown, inches, strict=True):
            top -= tall
            box = (0.36, (top + 0.1) / height, 0.44, (tall - _RANK_HEAD_INCHES) / height)
            _rank(figure.add_axes(box), name, bars)
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=_DOTS, facecolor=_PAPER)
        return picture.getvalue()


def _rank(axes: "Axes", name: str, bars: Sequence[tuple[str, Decimal]]) -> None:
    lengths = [float(length) for _, length in bars]
    colours = [_COLOURS[DEPOSITS] if length >= 0 else _COLOURS[WITHDRAWALS] for length in lengths]
    axes.barh(range(len(bars)), lengths, 0.62, color=colours)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_yticks(range(len(bars)), [label for label, _ in bars], parse_math=False)
    axes.set_xticks([])
    axes.axvline(0, color=_INK, linewidth=0.8)
    axes.set_title(name, fontsize=15, color=_INK, loc="left", x=-0.72, parse_math=False)
    axes.tick_params(labelsize=12, colors=_INK, length=0, pad=7)
    for place, (_, length) in enumerate(bars):
        axes.annotate(
            f"{length:,.2f}",
            (1.02, place),
            xycoords=("axes fraction", "data"),
            fontsize=12,
            color=_INK,
            va="center",
            annotation_clip=False,
        )
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def _draw(axes: "Axes", panel: Panel) -> None:
    width = 0.8 / len(panel.kinds)
    for number, kind in enumerate(panel.kinds):
        heights = [float(bar.sums.get(kind, Decimal(0))) for bar in panel.bars]
        places = [place + (number - (len(panel.kinds) - 1) / 2) * width for place in range(len(panel.bars))]
        label = f"{kind} {panel.total(kind):,.2f}"
        axes.bar(places, heights, width * 0.94, color=_COLOURS[kind], label=label, zorder=2)
    axes.set_ylabel(panel.currency[:12], fontsize=15, color=_INK, parse_math=False)
    axes.set_xlabel(f"each {panel.each}, UTC", fontsize=13, color=_INK)
    marks = range(0, len(panel.bars), max(1, -(-len(panel.bars) // 6)))
    form = "%b %Y" if panel.each == "month" else "%d %b"
    axes.set_xticks(list(marks), [panel.bars[mark].start.strftime(form) for mark in marks])
    axes.set_xlim(-0.7, len(panel.bars) - 0.3)
    axes.yaxis.set_major_formatter(lambda height, _: _short(height))
    axes.tick_params(labelsize=13, colors=_INK, length=0, pad=7)
    axes.grid(axis="y", color=_FAINT, linewidth=0.8, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_INK)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=2,
        fontsize=13,
        frameon=False,
        labelcolor=_INK,
        handlelength=1,
        columnspacing=1.4,
        borderaxespad=0.2,
    )


def _short(height: float) -> str:
    """`0`, `0.25`, `12,500`, `1.5 M`."""
    if abs(height) >= 1_000_000:
        return f"{height / 1_000_000:,.10g} M"
    return f"{height:,.0f}" if abs(height) >= 10 or not height else f"{height:,.4g}"
