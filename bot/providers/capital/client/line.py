"""One line to Capital.com: a request, an answer; how often, and whether at all."""

from collections.abc import Mapping

from bot.clock import Clock
from bot.errors import ReplyError, SilentError, UnreachableError
from bot.network.pacing import Breaker, retry_after
from bot.network.rest import Answer, Rest
from bot.providers.base import Login, Surroundings
from bot.providers.capital import wire
from bot.providers.capital.client.limits import Limits, limits_of
from bot.providers.capital.settings import Settings
from bot.providers.records import Environment


class Line:
    """Nothing here is ever repeated."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._settings: Settings = surroundings.settings
        self.clock: Clock = surroundings.clock
        self.environment = surroundings.environment
        live = self.environment is Environment.LIVE
        self._origin = self._settings.live_url if live else self._settings.demo_url
        self._rest = Rest(wire.NAME, self._origin, ca_file=self._settings.ca_file)
        self._breaker = Breaker()
        self._limits: Limits | None = None
        self.closed = False

    def limits(self, login: Login) -> Limits:
        """Those of this login, which every request keeps from now on."""
        self._limits = limits_of(self._origin, login, self._settings, self.environment)
        return self._limits

    @property
    def kept(self) -> Limits:
        """Those of the login in use. There is one before anything is asked."""
        if self._limits is None:
            raise RuntimeError("nobody has logged in")
        return self._limits

    @property
    def is_tired(self) -> bool:
        """Whether too much went wrong lately for anything to be asked again."""
        return self._breaker.opened_at is not None

    def check_open(self) -> None:
        if self.closed:
            raise UnreachableError(wire.NAME, "closed")

    async def exchange(self, request: wire.Request, headers: Mapping[str, str]) -> Answer:
        """One request, one whole answer; whatever its status, the breaker hears of it."""
        self.check_open()
        if self._breaker.refuses(self.clock.monotonic()):
            raise UnreachableError(wire.NAME, "not asked: too many failures just now")
        await self.kept.request(self.clock)
        try:
            answer = await self.directly(request, headers)
        except (UnreachableError, SilentError, ReplyError):
            self._breaker.failed(self.clock.monotonic())
            raise
        if answer.status == 429:
            self.kept.refused(self.clock, retry_after(answer.headers.get("Retry-After"), self.clock.now()))
        else:
            self.kept.taken()
        if answer.status >= 500:
            self._breaker.failed(self.clock.monotonic())
        else:
            self._breaker.succeeded()
        return answer

    async def directly(self, request: wire.Request, headers: Mapping[str, str]) -> Answer:
        """The same without a place in the queue, for the last words of a session."""
        return await self._rest.ask(
            request.method, request.path, headers={**headers, **request.headers}, content=request.body
        )

    def judge(self, answer: Answer) -> None:
        """Raise what the answer's status and code mean, unless it is a success."""
        wish = retry_after(answer.headers.get("Retry-After"), self.clock.now())
        error = wire.error_of(answer.status, answer.body, wish)
        if error is not None:
            raise error

    async def close(self) -> None:
        """Let go of the connections."""
        await self._rest.close()
