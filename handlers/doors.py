"""What a door is: one command, who may use it, and the function behind it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from telegram import Message

from bot.access import matrix
from bot.access.model import Right
from bot.errors import InputError, NotAllowedError
from bot.messages.cards import Card, Draft
from handlers.context import DeskContext
from handlers.pages import Audience, Reply
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
    audience: Audience = Audience.PUBLIC
    """Whose business the answer is."""
    only_in_private: bool = False
    """Not to be used in a group at all."""
    hidden: bool = False
    """Not in the menu."""
    may_hold_secret: bool = False
    """What follows the command may be a secret in the wrong place: said in a group it is deleted there."""


@dataclass(frozen=True, slots=True)
class TapDoor:
    """The buttons of one kind of card. `act` gets the card, the choice and the message; it answers a toast or None.

    `right` is asked for at the tap, whatever its owner was allowed when the card was made.
    """

    kind: str
    right: Right
    act: Callable[[DeskContext, Card, int, int], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class AnswerDoor:
    """What a person types while a draft of one kind stands; `answer` gets the draft, the text and the message's id."""

    kind: str
    right: Right
    answer: Callable[[DeskContext, Draft, str, int], Awaitable[None]]
    secret: bool = False
    """The text has been deleted from the chat before `answer` sees it, and so is whatever else is sent meanwhile."""
    takes: Callable[[DeskContext, Draft, Message], Awaitable[None]] | None = None
    """What it does with a message that is no text, such as a file; None: that is an answer to nothing."""
    stop: Callable[[DeskContext, Draft], Awaitable[None]] | None = None
    """What /cancel does besides throwing the draft away."""


def permit(context: DeskContext, right: Right) -> None:
    """`NotAllowedError` unless what a door asks for is this person's, here: the permission matrix says."""
    if matrix.at_a_door(context.person, right, context.where.place) is not matrix.Answer.ALLOWED:
        raise NotAllowedError(right)


def taste_of(context: DeskContext) -> Taste:
    """How this desk writes numbers and times."""
    desk = context.services.config.desk
    return Taste(ZoneInfo(desk.time_zone), desk.locale)


def at_most_one(words: Words, example: str) -> str | None:
    """The one word after a command, or None; `InputError` for more."""
    if len(words) > 1:
        raise InputError("one name at most", example)
    return words[0] if words else None
