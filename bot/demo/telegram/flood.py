"""Telegram's limits on sending, when they are switched on.

Per chat 1 message a second, over all chats 30 calls a second, per group 20 a minute; sends count everywhere, edits
everywhere but in the chat's own second. Real limits are not published and tolerate short bursts; these are the figures
of the FAQ, kept strictly, so that a program which never trips them is safe.
Source: Telegram Bots FAQ, section "Broadcasting to users"; Bot API, "ResponseParameters".
"""

import math
from collections import defaultdict, deque

from bot.clock import Clock
from bot.demo.telegram.model import ApiError
from bot.demo.telegram.world import Chat
from bot.loopback.simulator import Switches

PER_CHAT = (1, 1.0)
"""Calls, and in how many seconds."""
OVERALL = (30, 1.0)
PER_GROUP = (20, 60.0)


class Flood:
    """Sliding windows, one a limit and chat; `/_sim/limits` lifts them without switching them off."""

    def __init__(self, clock: Clock, switches: Switches) -> None:
        self.clock = clock
        self.switches = switches
        self.enabled = False
        self.refused = 0
        self._windows: defaultdict[tuple[str, int], deque[float]] = defaultdict(deque)

    def enable(self, enabled: bool) -> None:
        self.enabled = enabled
        self._windows.clear()

    def check(self, chat: Chat, *, edit: bool) -> None:
        """Count one call.

        Raises:
            ApiError: 429 with `retry_after`; the refused call is not counted.
        """
        if not self.enabled or self.switches.limits_lifted:
            return
        limits = [(("all", 0), OVERALL)]
        if not edit:
            limits.append((("chat", chat.id), PER_CHAT))
        if not chat.private:
            limits.append((("group", chat.id), PER_GROUP))
        now = self.clock.monotonic()
        wait = max(self._wait(self._windows[key], now, *limit) for key, limit in limits)
        if wait > 0:
            self.refused += 1
            seconds = max(math.ceil(wait), 1)
            raise ApiError(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})
        for key, _ in limits:
            self._windows[key].append(now)

    @staticmethod
    def _wait(window: deque[float], now: float, calls: int, seconds: float) -> float:
        while window and window[0] <= now - seconds:
            window.popleft()
        return window[0] + seconds - now if len(window) >= calls else 0.0
