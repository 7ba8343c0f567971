"""What can be switched about the broker."""

from dataclasses import dataclass
from typing import Literal

LIMITS_ON_AT_START = False
"""The documented request limits are implemented, and off until the control side turns them on."""


@dataclass(slots=True)
class Options:
    """Behaviour that is disputed or rare; the control side sets it."""

    rates: bool = LIMITS_ON_AT_START
    raw_password: bool = True
    """Also accept ciphertext made without the inner base64."""
    rotate_tokens: bool = False
    """Each authenticated reply brings a new pair, and the old one is dead."""
    one_session: bool = False
    """A login ends the user's other sessions."""
    environments: Literal["both", "live", "demo"] = "both"
    """Where its users have active accounts, as a login tells it."""
    session_cap_seconds: int = 0
    """A session dies this long after login however much it is used; 0 = never."""
    confirm_delay_ms: int = 0
    """A new reference is not found for so long."""
    confirm_misses: int = 0
    """A new reference is not found by its first so many readers."""
    position_delay_ms: int = 0
    """A new position is listed, and not found by its id for so long."""
    listing_delay_ms: int = 0
    """New positions and orders are not listed for so long."""
    activity_delay_ms: int = 0
    """What was dealt shows in the history so much later."""
    zero_levels: bool = False
    """The confirmation of an opening names the level 0, as it now and then does."""
    partial_brackets: bool = False
    """Changing a position leaves alone what the body does not name."""
    one_stream: bool = False
    """A second socket's subscriptions are refused while another one of the account has some."""
    switch_cuts: bool = True
    """Changing the account cuts the sockets of the session; else they fall silent."""
    stream_idle_seconds: int = 600
    """A socket that sends nothing for so long is cut."""
    stale_closes: int = 0
    """After a close the first so many readers of `p_…` still get the opening's confirmation."""
