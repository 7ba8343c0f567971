"""One subject that is listened to, over all connections of its login: where it stands, and what is kept of it."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from bot.providers.gaps import Outage
from bot.providers.news import News
from bot.providers.streams import Told


class State(StrEnum):
    """Of one subject on the connection there is."""

    WAITING = "waiting"
    ASKED = "asked"
    BEHIND = "behind"
    LIVE = "live"
    REFUSED = "refused"


@dataclass(slots=True)
class Thread:
    """One subject, over all connections."""

    news: News
    live_until: datetime | None
    """Until when it was listened to before; None where the feed has no beginning yet."""
    state: State = State.WAITING
    since: float = 0.0
    """Monotonic: since when it is in this state."""
    heard_at: float = 0.0
    looked_at: float = 0.0
    price: Decimal | None = None
    """What another way than the stream said last."""
    outage: Outage | None = None
    held: list[Told] = field(default_factory=list)
    is_filling: bool = False
    fill_not_before: float = 0.0
    fill_tries: int = 0
    is_stalled: bool = False
    is_touched: bool = False
