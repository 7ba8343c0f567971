"""Many alerts on one card: how many, which came last, and how many are not shown."""

from bot.messages.bursts import LIFE, Burst
from bot.messages.notice import Lane, Notice

_WITHOUT_BUTTONS = "/alerts shows the rules they come from, and stops one."
_MINUTES = int(LIFE.total_seconds()) // 60


def card(burst: Burst) -> Notice:
    """The card as a notice; only whoever sends it knows its message."""
    fresh = burst.count - burst.dropped
    lines = [_line(one) for one in burst.latest] if fresh > 1 else list(burst.latest[0].lines) if fresh else []
    if fresh > len(burst.latest):
        lines.append(f"… and {fresh - len(burst.latest)} before these")
    if burst.dropped:
        lines.append(_not_shown(burst.dropped))
    step = burst.latest[0].next_step if burst.latest else ""
    if not step and any(one.card is not None for one in burst.latest):
        step = _WITHOUT_BUTTONS
    thread = burst.latest[0].thread if burst.latest else None
    return Notice(Lane.PRICES, burst.chat_id, _title(burst, fresh), tuple(lines), next_step=step, thread=thread)


def _title(burst: Burst, fresh: int) -> str:
    if not fresh:
        return "Alerts that came too late" if burst.count > 1 else "An alert that came too late"
    return burst.latest[0].title if burst.count == 1 else f"{burst.count} alerts, latest: {burst.latest[0].title}"


def _line(one: Notice) -> str:
    return f"· {one.title}: {' '.join(one.lines)}" if one.lines else f"· {one.title}"


def _not_shown(count: int) -> str:
    which = "1 alert" if count == 1 else f"{count} alerts"
    return f"{which} could not be sent for more than {_MINUTES} min: dropped, and counted here"
