"""How often one account may ask (section 1.4 of the notes, with the figures of the vendor's fixture of 2020).

Counted per account once the connection has one, else per connection; that the real counters work so is an inference.
`ping` and `time` are exempt. Calls that are refused for another reason are not counted.
"""

from collections import defaultdict, deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """One published ceiling."""

    key: str
    """Its name in `website_status.api_call_limits`, their spelling."""
    applies_to: str
    minutely: int
    hourly: int


GENERAL = Bucket("max_requestes_general", "rest of calls", 180, 14400)
OUTCOME = Bucket("max_requests_outcome", "portfolio, statement and proposal", 25, 1500)
PRICING = Bucket("max_requests_pricing", "proposal and proposal_open_contract", 80, 3600)
BUCKETS = (GENERAL, OUTCOME, PRICING)

ON_BY_DEFAULT = frozenset(BUCKETS)
"""All are in force until `/_sim/limits` lifts them."""

PROPOSAL_STREAMS = 5
"""At once on one connection."""
_BEYOND_REACH = 10**9

_MINUTE, _HOUR = 60.0, 3600.0


class Counters:
    """Who asked when, for an hour back."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], deque[float]] = defaultdict(deque)

    def take(self, who: str, bucket: Bucket, now: float) -> bool:
        """Count one call at monotonic `now`; False, and not counted, when the bucket is full."""
        if bucket not in ON_BY_DEFAULT:
            return True
        asked = self._asked[who, bucket.key]
        while asked and asked[0] <= now - _HOUR:
            asked.popleft()
        if len(asked) >= bucket.hourly:
            return False
        if len(asked) >= bucket.minutely and asked[-bucket.minutely] > now - _MINUTE:
            return False
        asked.append(now)
        return True

    def drop(self, who: str) -> None:
        """Forget a caller that is gone."""
        for key in [key for key in self._asked if key[0] == who]:
            del self._asked[key]


def published(*, lifted: bool) -> dict[str, dict[str, object]]:
    """`website_status.api_call_limits`; while they are lifted, figures nobody reaches."""
    limits: dict[str, dict[str, object]] = {
        bucket.key: {
            "applies_to": bucket.applies_to,
            "minutely": _BEYOND_REACH if lifted else bucket.minutely,
            "hourly": _BEYOND_REACH if lifted else bucket.hourly,
        }
        for bucket in BUCKETS
    }
    limits["max_proposal_subscription"] = {
        "applies_to": "subscribing to proposal concurrently",
        "max": PROPOSAL_STREAMS,
    }
    return limits
