"""The permission matrix: who may do what, where, and how they may say it. Opens nothing.

Two steps, because a person meets them one after the other. The gate looks at the place and at the form of what was
said, and knows no acts: DOORSTEP. A door looks at the person's rights (`model.RIGHTS`, role × act) and at its own
place. Together they are role × act × place × form, and whatever is not allowed there is refused here.
"""

from collections.abc import Mapping
from enum import StrEnum

from bot.access.model import Person, Right


class Place(StrEnum):
    """Where something was said."""

    PRIVATE = "their private chat with the bot"
    GROUP = "a group of the desk"
    ELSEWHERE = "wrong chat"
    """Any other group, somebody else's private chat, a channel."""


class Form(StrEnum):
    """How it was said. The value is what a refusal is counted under."""

    MESSAGE = "message"
    TAP = "tap"
    EDIT = "edited"
    FORWARD = "forwarded"
    VIA_BOT = "via a bot"
    IN_A_NAME = "in a chat's name"
    """By an anonymous admin, or as a channel: no person stands behind it."""


class Answer(StrEnum):
    """What becomes of it."""

    ALLOWED = "allowed"
    SILENCE = "silence"
    HINT = "hint"
    """One line that says how to say it instead."""
    NOT_HERE = "not here"
    """A sentence: in the private chat only."""
    NO_RIGHT = "no right"
    """A sentence that names the right."""


_P, _F, _A = Place, Form, Answer
DOORSTEP: Mapping[Place, Mapping[Form, Answer]] = {
    _P.PRIVATE: {
        _F.MESSAGE: _A.ALLOWED,
        _F.TAP: _A.ALLOWED,
        _F.EDIT: _A.HINT,
        _F.FORWARD: _A.HINT,
        _F.VIA_BOT: _A.HINT,
        _F.IN_A_NAME: _A.SILENCE,
    },
    _P.GROUP: {
        _F.MESSAGE: _A.ALLOWED,
        _F.TAP: _A.ALLOWED,
        _F.EDIT: _A.SILENCE,
        _F.FORWARD: _A.SILENCE,
        _F.VIA_BOT: _A.SILENCE,
        _F.IN_A_NAME: _A.SILENCE,
    },
    _P.ELSEWHERE: dict.fromkeys(Form, Answer.SILENCE),
}
"""What the gate answers a person of the desk. A stranger, and somebody suspended, gets silence everywhere."""


def at_the_gate(*, known: bool, place: Place, form: Form) -> Answer:
    """Whether it comes as far as a door. `known`: an active person, or one who holds an invitation."""
    return DOORSTEP[place][form] if known else Answer.SILENCE


def at_a_door(person: Person, right: Right, place: Place, *, only_in_private: bool = False) -> Answer:
    """Whether the act behind a door is this person's, here."""
    if place is Place.ELSEWHERE:
        return Answer.SILENCE
    if only_in_private and place is not Place.PRIVATE:
        return Answer.NOT_HERE
    return Answer.ALLOWED if person.may(right) else Answer.NO_RIGHT
