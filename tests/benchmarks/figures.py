"""A measured figure, and how it is shown."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True, slots=True)
class Limit:
    """What the ratio ours ÷ theirs must keep."""

    direction: Literal["at least", "at most"]
    ratio: float

    def holds(self, ratio: float) -> bool:
        return ratio >= self.ratio if self.direction == "at least" else ratio <= self.ratio

    def __str__(self) -> str:
        return f"{'≥' if self.direction == 'at least' else '≤'} {self.ratio:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report. Single values are medians; `ratio` is the median of the rounds' own ratios."""

    name: str
    unit: str
    limit: str
    against: str
    ratio: float | None = None
    ok: bool | None = None
    ours: float | None = None
    peer: float | None = None
    ratios: tuple[float, ...] = ()
    rounds: int = 0
    skipped: str = ""
    """Why nothing was measured; empty when it was."""

    def as_json(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if value not in (None, "", ())}


def paired(
    name: str, unit: str, limit: Limit, against: str, rounds: Sequence[tuple[float, float]], digits: int = 1
) -> Figure:
    """The figure of some rounds, each (ours, theirs)."""
    ratios = [ours / theirs for ours, theirs in rounds]
    ratio = median(ratios)
    return Figure(
        name,
        unit,
        str(limit),
        against,
        ratio=round(ratio, 3),
        ok=limit.holds(ratio),
        ours=round(median(ours for ours, _ in rounds), digits),
        peer=round(median(theirs for _, theirs in rounds), digits),
        ratios=tuple(round(each, 3) for each in ratios),
        rounds=len(rounds),
    )


def table(figures: Sequence[Figure]) -> str:
    """The report for people."""
    head = ("figure", "ours", "against", "theirs", "ratio", "limit", "")
    rows = [head, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _row(figure: Figure) -> tuple[str, ...]:
    if figure.skipped:
        return (figure.name, "–", figure.against, "–", "–", figure.limit, f"skipped: {figure.skipped}")
    if figure.ratio is None:
        return (figure.name, f"{figure.ours:g} {figure.unit}", figure.against, "–", "–", figure.limit, "told only")
    spread = f"{figure.ratio:.2f} [{min(figure.ratios):.2f}–{max(figure.ratios):.2f}]"
    ours, peer = (f"{value:g} {figure.unit}" for value in (figure.ours, figure.peer))
    return (figure.name, ours, figure.against, peer, spread, figure.limit, "holds" if figure.ok else "MISSED")
