"""Invitation codes as they appear in a chat."""

import re

_CODE = re.compile(r"/(?:start|join)(?:@\w+)? ([a-z2-9]{26})", re.ASCII)


def code_in(text: str) -> str | None:
    """The code in `/start CODE` or `/join CODE`, when that is all there is."""
    found = _CODE.fullmatch(text.strip())
    return found[1] if found else None
