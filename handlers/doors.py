"""What a door is: one command, who may use it, and the function behind it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bot.access.model import Right
from bot.errors import InputError
from handlers.context import DeskContext
from handlers.pages import Reply
from handlers.render import Taste

Words = list[str]


@dataclass(frozen=True, slots=True)
class Door:
    """One command of the bot.

    `open` gets the words after the command and answers, or answers None when it has said what it had to say itself.
    """

    command: str
    summary: str
    """For the command menu and /help, at most 60 characters."""
    example: str
    right: Right
    open: Callable[[DeskContext, Words], Awaitable[Reply | None]]
    private: bool = False
    """The answer is the asker's own business: asked in a group, it goes to their private chat."""
    only_in_private: bool = False
    """Not to be used in a group at all."""
    hidden: bool = False
    """Not in the menu."""


def taste_of(context: DeskContext) -> Taste:
    """How this desk writes numbers and times."""
    desk = context.services.config.desk
    return Taste(ZoneInfo(desk.time_zone), desk.locale)


def at_most_one(words: Words, example: str) -> str | None:
    """The one word after a command, or None; `InputError` for more."""
    if len(words) > 1:
        raise InputError("one name at most", example)
    return words[0] if words else None
