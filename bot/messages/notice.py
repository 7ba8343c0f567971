"""One thing to be told to one chat, and the text that a row keeps of it."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from bot.store.columns import packed

_log = logging.getLogger(__name__)


class Lane(IntEnum):
    """Who goes first (SAFETY R11). Every lane is true: python-telegram-bot drops rate-limit arguments that are not."""

    DECISIONS = 0
    SECURITY = 1
    EVENTS = 2
    PRICES = 3

    def __bool__(self) -> bool:
        return True


_LANES = frozenset(Lane)
Choices = tuple[tuple[tuple[str, int], ...], ...]
"""Rows of buttons, each a label and the choice it stands for."""


@dataclass(frozen=True, slots=True)
class File:
    """A file or a picture that goes with a notice, whose words stand under it."""

    name: str
    media_type: str
    body: bytes

    @property
    def is_picture(self) -> bool:
        return self.media_type == "image/png"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to be told to one chat. `lines` are plain text; only the notifier knows markup."""

    lane: Lane
    chat_id: int
    title: str
    lines: tuple[str, ...] = ()
    dedupe: str | None = None
    card: int | None = None
    """The card its buttons belong to."""
    choices: Choices = ()
    replaces: str | None = None
    """The dedupe key of an earlier notice: its message is edited, and nothing new is sent unless its chat has moved."""
    under: str | None = None
    """The dedupe key of an earlier notice: this one is a reply to its message, where that is still there."""
    deletes: int | None = None
    """A message of that chat: it is deleted, and nothing is said."""
    not_before: datetime | None = None
    next_step: str = ""
    """Lines of our own words, after the others: commands in them can be tapped, so nobody else's words belong here."""
    markup: str = ""
    """More, below all that, as HTML: only what handlers/render wrote belongs here."""
    thread: int | None = None
    """The topic of a group that it belongs in."""
    file: File | None = None
    protected: bool = False
    """Telegram lets nobody pass it on."""

    @property
    def is_grouped(self) -> bool:
        """Whether many of these in one chat become one card (R11): prices that stand for themselves."""
        tied = self.replaces or self.under or self.markup or self.file is not None or self.deletes is not None
        return self.lane is Lane.PRICES and not tied and not self.protected


def written(notice: Notice) -> str:
    """What a row keeps of it, beside its lane and chat, and its file."""
    body: dict[str, object] = {"title": notice.title, "lines": list(notice.lines)}
    if notice.card is not None:
        body |= {"card": notice.card, "choices": notice.choices}
    if notice.replaces is not None:
        body["replaces"] = notice.replaces
    if notice.under is not None:
        body["under"] = notice.under
    if notice.deletes is not None:
        body["deletes"] = notice.deletes
    if notice.next_step:
        body["next_step"] = notice.next_step
    if notice.thread is not None:
        body["thread"] = notice.thread
    if notice.markup:
        body["markup"] = notice.markup
    if notice.protected:
        body["protected"] = True
    return packed(body)


def noted(number: int, chat_id: int, body: bytes, file: File | None = None) -> Notice:
    """The notice that such a text was written for, by the number of its lane. One that is damaged is said as that:
    nobody waits behind it.

    Args:
        body: As bytes: what is no UTF-8 is one that is damaged, too.
    """
    lane = lane_of(number)
    try:
        return _noted(lane, chat_id, json.loads(body), file)
    except (ValueError, KeyError, TypeError):
        _log.critical("a message that waits cannot be read", extra={"chat_id": chat_id, "bytes": len(body)})
        return Notice(lane, chat_id, "A message that cannot be read", ("What was kept of it is damaged.",))


def lane_of(number: int) -> Lane:
    """As it was written down; a number that is none goes with what happens."""
    return Lane(number) if number in _LANES else Lane.EVENTS


def _noted(lane: Lane, chat_id: int, said: Mapping[str, Any], file: File | None) -> Notice:
    return Notice(
        lane,
        chat_id,
        said["title"],
        tuple(said["lines"]),
        card=said.get("card"),
        choices=tuple(tuple((label, choice) for label, choice in line) for line in said.get("choices", ())),
        replaces=said.get("replaces"),
        under=said.get("under"),
        deletes=said.get("deletes"),
        next_step=said.get("next_step", ""),
        markup=said.get("markup", ""),
        thread=said.get("thread"),
        file=file,
        protected=said.get("protected", False),
    )
