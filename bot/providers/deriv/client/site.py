"""The service itself: its clock, how it is, and the end of the session."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.providers.deriv.client.line import DerivLine
from bot.providers.deriv.wire import logins
from bot.providers.deriv.wire import service as wire
from bot.providers.deriv.wire.service import SiteStatus, Stream


@dataclass(frozen=True, slots=True)
class Reckoned:
    """What their clock shows, against ours halfway through the question."""

    theirs: datetime
    ahead: timedelta
    """How far theirs is before ours; it counts whole seconds."""


class Site:
    """Questions that are about nobody's account."""

    def __init__(self, line: DerivLine, clock: Clock) -> None:
        self._line = line
        self._clock = clock

    async def status(self) -> SiteStatus:
        """How it is; the line keeps to the limits it tells from then on."""
        _, body = await self._line.read(wire.build_website_status())
        status = wire.parse_website_status(body)
        self._line.keep_to(status.limits)
        return status

    async def time(self) -> Reckoned:
        before = self._clock.now()
        _, body = await self._line.read(wire.build_time())
        ours = before + (self._clock.now() - before) / 2
        theirs = wire.parse_time(body)
        return Reckoned(theirs, theirs - ours.replace(microsecond=0))

    async def ping(self) -> None:
        """Whether it answers."""
        await self._line.read(wire.build_ping())

    async def forget(self, subscription: str) -> bool:
        """Whether there was such a stream on this connection."""
        _, body = await self._line.read(wire.build_forget(subscription))
        return wire.parse_forget(body)

    async def forget_all(self, *streams: Stream) -> tuple[str, ...]:
        """The ids of the streams that were ended."""
        _, body = await self._line.read(wire.build_forget_all(*streams))
        return wire.parse_forget_all(body)

    async def log_out(self) -> None:
        """Give the session up; a session token (`a1-…`) ends with it for good, an API token does not."""
        _, body = await self._line.act(logins.build_logout())
        logins.parse_logout(body)
        await self._line.forget_login()
