"""The request limits of the reference, section General. Off at first, see `options.LIMITS_ON_AT_START`."""

from bot.providers.capital.simulator.calls import Refused
from bot.providers.capital.simulator.world import World

_SECOND = 1000
_HOUR = 3600 * _SECOND


class Limits:
    """Counts in sliding windows of the injected clock; what was refused does not count."""

    def __init__(self, world: World) -> None:
        self.world = world

    def any_call(self, identifier: str) -> None:
        self._spend(f"calls of {identifier}", 10, _SECOND)

    def login(self, api_key: str) -> None:
        self._spend(f"logins with {api_key}", 1, _SECOND)

    def order(self, identifier: str) -> None:
        """One per tenth of a second, and a thousand an hour on demo."""
        self._spend(f"pace of orders of {identifier}", 1, _SECOND // 10)
        self._spend(f"orders of {identifier}", 1000, _HOUR)

    def top_up(self, account_id: str) -> None:
        """A hundred a day; the ten a second are those of any call."""
        self._spend(f"top-ups of {account_id}", 100, 24 * _HOUR)

    def _spend(self, what: str, most: int, window_ms: int) -> None:
        if not self.world.state.options.rates or self.world.switches.limits_lifted:
            return
        now = self.world.now_ms()
        recent = [at for at in self.world.state.recent_ms.get(what, []) if at > now - window_ms]
        if len(recent) >= most:
            raise Refused(429, "error.too-many.requests")
        self.world.state.recent_ms[what] = [*recent, now]
