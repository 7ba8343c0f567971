"""What answers of several connections have in common."""

from collections.abc import Callable, Sequence
from html import escape
from itertools import groupby
from typing import TypeVar

from bot.errors import UnsupportedError
from bot.operations.sheets import Answer, Sheet
from bot.providers.records import Balance, Environment, Position
from handlers.failures import told
from handlers.render.text import Taste, bold, literal

Item = TypeVar("Item", Balance, Position)
Shown = TypeVar("Shown")
SUMMED_FROM = 12
"""A connection with more items than this shows its sums only, unless it was asked for by name."""


def title(words: str, sheet: Sheet[Shown], taste: Taste) -> str:
    return f"{bold(words)} · {taste.time(sheet.asked_at)} {sheet.asked_at.astimezone(taste.zone):%Z}"


def head(answer: Answer[Shown], taste: Taste) -> str:
    """The connection, whether it is a demo, and as of when its numbers are."""
    connection = answer.connection
    demo = " · DEMO" if connection.environment is Environment.DEMO else ""
    as_of = f" · {taste.time(answer.reading.as_of)}" if answer.reading is not None else ""
    return f"{bold(connection.spec.title)} <code>{escape(connection.name)}</code>{demo}{as_of}"


def trouble(answer: Answer[Shown]) -> str:
    if answer.trouble is None:
        return "No answer."
    return told(answer.trouble, answer.connection.name)


def notes(answer: Answer[Shown]) -> str:
    """What the provider's reading wants said, one line each."""
    lines = answer.reading.notes if answer.reading is not None else ()
    return "".join(f"\n<i>{literal(line, 300)}</i>" for line in lines)


def of_connection(
    answer: Answer[Item],
    taste: Taste,
    *,
    nothing: str,
    sums: Callable[[Sequence[Item]], str] | None,
    lines: Callable[[Sequence[Item]], list[str]],
) -> list[str]:
    """One connection's blocks: its head, then what it has, a client's name above what is theirs.

    Args:
        nothing: What to say when it has nothing.
        sums: Says a long answer in one block; None when each item is wanted.
        lines: Items of one owner → blocks.
    """
    above = head(answer, taste)
    if answer.reading is None:
        return [f"{above}\n{trouble(answer)}"]
    items = answer.reading.items
    if not items:
        return [f"{above}\n{nothing}{notes(answer)}"]
    if sums is not None and len(items) > SUMMED_FROM:
        return [f"{above}\n{sums(items)}{notes(answer)}"]
    owners = list(dict.fromkeys(item.owner for item in items))
    ordered = sorted(items, key=lambda item: owners.index(item.owner))
    blocks = []
    for owner, group in groupby(ordered, key=lambda item: item.owner):
        first, *rest = lines(list(group))
        blocks += [f"{literal(owner)}\n{first}" if owner else first, *rest]
    blocks[0] = f"{above}\n{blocks[0]}"
    blocks[-1] += notes(answer)
    return blocks


def silent(sheet: Sheet[Item]) -> str:
    """Who did not answer, in one phrase; empty when all did, or had nothing to answer."""
    missing = [
        answer.connection.name
        for answer in sheet.answers
        if answer.reading is None and not isinstance(answer.trouble, UnsupportedError)
    ]
    if not missing:
        return ""
    *most, last = (f"<code>{escape(name)}</code>" for name in missing)
    return f" without {', '.join(most)} and {last}" if most else f" without {last}"


def no_connections() -> str:
    return "You can see no provider login yet. /connect links one; an owner can share theirs when linking it."


def parts(items: Sequence[Shown], size: int) -> list[Sequence[Shown]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
