"""Invitation codes as they appear in a chat, and what somebody may say who has come with one."""

import re

_CODE = re.compile(r"/(?:start|join)(?:@\w+)? ([a-z2-9]{26})", re.ASCII)


def code_in(text: str) -> str | None:
    """The code in `/start CODE` or `/join CODE`, when that is all there is."""
    found = _CODE.fullmatch(text.strip())
    return found[1] if found else None


def is_a_word(text: str) -> bool:
    """Whether it may be the answer to what a newcomer is called: text, and no command."""
    return bool(text.strip()) and not text.lstrip().startswith("/")
