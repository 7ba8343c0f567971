"""What a receipt says of a line that broke, for people: an exception's name is for the log. Pure."""

import re

_NAME = re.compile(r"[A-Z][A-Za-z]*(?:Error|Timeout|Exception|ClosedOK|Closed)", re.ASCII)
_WORDS = (
    ("Timeout", "no answer in time"),
    ("Silent", "no answer in time"),
    ("Connect", "no connection"),
    ("Unreachable", "no connection"),
    ("SSL", "no safe connection"),
    ("Reply", "an answer that cannot be read"),
    ("Protocol", "the answer broke off"),
    ("Read", "the line broke"),
    ("Write", "the line broke"),
    ("Closed", "the line broke"),
    ("Credential", "its login was refused"),
    ("Busy", "it was asked too often"),
    ("Fault", "it has trouble of its own"),
)


def plainly(said: str) -> str:
    """The same in plain words, where it is nothing but a name; anything else as it is."""
    if not _NAME.fullmatch(said):
        return said
    return next((words for part, words in _WORDS if part in said), "something went wrong on the way")
