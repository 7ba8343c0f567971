"""One Deriv login's socket: greeted with `authorize`, kept alive, many questions on it.

It opens at the first question; a ping every 30 seconds keeps it (the server hangs up after two minutes of silence, and
there is nothing to resume afterwards). When it broke, the next question opens a new one; attempts keep a second's
distance. A read lost with its connection, or met by a passing fault, is asked once more; whatever changes something is
sent once (`act`, `send`).
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from bot.clock import Clock
from bot.errors import (
    BusyError,
    CredentialRefusedError,
    FaultError,
    ProviderError,
    ReplyError,
    SilentError,
    UnreachableError,
)
from bot.network.leaving import check_leaving
from bot.network.pacing import Breaker, Bucket, backoff
from bot.network.talk import Settled
from bot.network.websocket import Line
from bot.providers.base import Lend, Surroundings
from bot.providers.deriv import auth
from bot.providers.deriv.client.feeds import Feeds
from bot.providers.deriv.settings import Settings
from bot.providers.deriv.wire import grammar, logins, markets, service
from bot.providers.deriv.wire.grammar import NAME, Body, Call, Request
from bot.providers.deriv.wire.logins import Session
from bot.providers.deriv.wire.service import CallLimit
from bot.secret import Secret

PING_SECONDS = 30.0
PONG_WITHIN_SECONDS = 10.0
CONNECT_DISTANCE_SECONDS = 1.0
AGAIN_WITHIN_SECONDS = 3.0
"""A question that failed later than this is not asked again: somebody is waiting."""
LONGEST_PACING_SECONDS = 10.0

_OUTCOME = (Call.PORTFOLIO, Call.STATEMENT, Call.PROFIT_TABLE)
_FREE = (Call.PING, Call.TIME)
"""Asked as often as one likes."""
_SLOW = (Call.NEW_ACCOUNT_VIRTUAL, Call.NEW_ACCOUNT_REAL, Call.CASHIER, Call.SELL_EXPIRED)
"""Here several back ends take part: their answer is waited for twice as long."""
_PAUSE_SECONDS = 0.1


class DerivLine:
    """What every part of the adapter asks through."""

    def __init__(self, lend: Lend, around: Surroundings) -> None:
        self.clock: Clock = around.clock
        self.sees_all = False
        """Whether the login may ask about all accounts of its person; until a refusal says otherwise."""
        self.feeds = Feeds()
        """What the connection that is open now tells by itself."""
        self.further_tokens = 0
        """Of the same person, beside the one whose account the login is."""
        self._lend = lend
        self._settings: Settings = around.settings
        self._environment = around.environment
        self._numbers = itertools.count(1)
        # The vendor's figures of 2020, as buckets that never exceed them in any minute.
        self._general = Bucket(rate=150 / 60, burst=30)  # 180 a minute
        self._outcome = Bucket(rate=20 / 60, burst=5)  # 25 a minute
        self._pricing = Bucket(rate=65 / 60, burst=15)  # 80 a minute
        self._for_the_rest = (self._general,)
        self._buckets = dict.fromkeys(_OUTCOME, (self._outcome,)) | {
            Call.PROPOSAL: (self._outcome, self._pricing),
            Call.PROPOSAL_OPEN_CONTRACT: (self._pricing,),
        }
        self._breaker = Breaker()
        self._line: Line | None = None
        self._session: Session | None = None
        self._closed = False

    # -- asking --------------------------------------------------------------------------------------------------

    async def logged_in(self) -> Session:
        """Whom it speaks for; logs in when it must.

        Raises:
            ProviderError: It cannot be reached, or does not let us in: nothing was sent.
        """
        if self._session is not None and self.connected:
            return self._session  # without the guard: this asks nobody, so it proves nothing about the provider
        async with self._guarded():
            _, session = await self._open()
        return session

    async def dial(self) -> Session:
        """The same for who keeps a distance between attempts himself: no rest after repeated failures is kept here."""
        _, session = await self._open()
        self._breaker.succeeded()
        return session

    async def read(self, request: Request) -> tuple[Session, Body]:
        """Ask, once more where that is quick: nothing changes by it. Answers with the session that was asked, too.

        Raises:
            ScopeMissingError: The token lacks the scope; nobody was asked.
            ProviderError: No answer, or a refusal.
        """
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        self._check_rest()
        try:
            try:
                answer = await self._read_logged_in(request)
            except (SilentError, FaultError):
                if loop.time() - asked_at > AGAIN_WITHIN_SECONDS:
                    raise
                await self.clock.sleep(_PAUSE_SECONDS + backoff(0, base_seconds=0.2))
                answer = await self._read_logged_in(request)
        except ProviderError as error:
            self._weigh(error)
            raise
        self._breaker.succeeded()
        return answer

    async def act(self, request: Request) -> tuple[Session, Body]:
        """Ask for something that changes something: once, whatever comes of it.

        Raises:
            UnreachableError: Not a byte of it left.
            SilentError: It left, or may have, and nothing came back.
            ProviderError: What came back is a refusal, or cannot be read.
        """
        async with self._guarded():
            await self.pace(request.call)
            line, session = await self._open()
            session.check(request.call)
            check_leaving(NAME)
            return session, await self._ask(line, request)

    @property
    def connected(self) -> bool:
        """Whether there is a connection that is logged in."""
        return self._line is not None and self._line.connected

    def number(self) -> int:
        """A `req_id` that nothing on this login has used or will use."""
        return next(self._numbers)

    async def send(self, frame: bytes, number: int) -> Body:
        """Exactly these bytes, once, on the connection that is open now; `number` is the `req_id` in them.

        The reply as it came: a refusal in it is the caller's to read (`grammar.refusal`).

        Raises:
            UnreachableError: Not a byte left: there is no connection that is logged in.
            SilentError: It left, or may have, and nothing came back.
            ReplyError: Something came back that cannot be read.
        """
        if self._line is None or self._session is None:
            raise UnreachableError(NAME, "not connected")
        body: Body = (await self._line.ask(frame.decode(), [number]))[0]
        return body

    async def on(self, feeds: Feeds, request: Request, number: int | None = None) -> Body:
        """Ask on the connection these feeds belong to, or nobody: what it is about ends with that connection.

        Raises:
            UnreachableError: That connection is over.
            ProviderError: No answer, or a refusal.
        """
        await self.pace(request.call)
        if self.feeds is not feeds or self._line is None or self._session is None:
            raise UnreachableError(NAME, "another connection")
        self._session.check(request.call)
        return await self._ask(self._line, request, number)

    def keep_to(self, limits: Iterable[CallLimit]) -> None:
        """What the service says of how often it lets itself be asked; ours stay a sixth below it."""
        for limit in limits:
            for word, bucket in (
                ("rest of calls", self._general),
                ("portfolio", self._outcome),
                ("proposal_open_contract", self._pricing),
            ):
                if word in limit.applies_to and limit.minutely:
                    bucket.burst = max(1.0, limit.minutely // 6)
                    bucket.rate = max(1.0, limit.minutely - bucket.burst) / 60

    async def until_broken(self) -> None:
        """Wait as long as the connection that is open now lasts."""
        if self._line is not None:
            await self._line.until_broken()

    async def forget_login(self) -> None:
        """The session is over at the provider: the next question logs in anew, on a new connection."""
        self._session = None
        if self._line is not None:
            await self._line.hang_up()

    async def close(self) -> None:
        """Let go of the socket. No `logout`: it would end an OAuth token for good."""
        self._closed = True
        if self._line is not None:
            await self._line.close()

    async def _read_logged_in(self, request: Request) -> tuple[Session, Body]:
        """Ask; when the server has forgotten our login, log in once more on a new connection."""
        await self.pace(request.call)
        line, session = await self._open()
        session.check(request.call)
        try:
            return session, await self._ask(line, request)
        except CredentialRefusedError as refused:
            if refused.code != "AuthorizationRequired":
                raise
        if self._session is session:  # else another caller has done it already
            await line.hang_up()
        line, session = await self._open()
        return session, await self._ask(line, request)

    async def _ask(self, line: Line, request: Request, number: int | None = None) -> Body:
        number = self.number() if number is None else number
        seconds = self._settings.answer_seconds * (2 if request.call in _SLOW else 1)
        body: Body = (await line.ask(request.frame(number), [number], timeout_seconds=seconds))[0]
        refused = grammar.refusal(request.call, body)
        if refused is not None:
            raise refused if self._session is None else self._session.weighed(request.call, refused)
        return body

    # -- the connection ------------------------------------------------------------------------------------------

    async def _open(self) -> tuple[Line, Session]:
        """The line, open and greeted, and whom it speaks for. Nothing may be awaited between this and asking."""
        line = self._line or self._adopt(await self._address())
        if not line.connected:
            await line.open()
        if self._session is None:
            raise UnreachableError(NAME, "not connected")
        return line, self._session

    def _adopt(self, address: str) -> Line:
        """The one line of this login: of several first callers the quickest one's, and none after `close`."""
        if self._closed:
            raise UnreachableError(NAME, "closed")
        if self._line is None:
            self._line = self._new_line(address)
        return self._line

    async def _address(self) -> str:
        async with self._lend() as login:
            return auth.address(self._settings.url, self._settings.language, login["app_id"].reveal())

    def _new_line(self, address: str) -> Line:
        return Line(
            NAME,
            address,
            clock=self.clock,
            hear=self._hear,
            greet=self._greet,
            keep_alive=self._ping,
            keep_alive_seconds=PING_SECONDS,
            answer_seconds=self._settings.answer_seconds,
            rest_seconds=CONNECT_DISTANCE_SECONDS,
            turned_away=auth.turned_away,
            ca_file=self._settings.ca_file,
        )

    async def _greet(self, line: Line) -> None:
        self.feeds.end()
        async with self._lend() as login:
            tokens = [Secret(token) for token in auth.tokens_in(login["token"].reveal())]  # each of them is one
            token, *others = (one.reveal() for one in tokens)
            self.sees_all, self.further_tokens = auth.is_oauth(token), len(others)
            body = await self._authorized(line, logins.build_authorize(token, others))
        session = logins.parse_authorize(body, self.clock.now())
        auth.admit(session, self._environment)
        self._session = session
        self.feeds = Feeds()

    async def _authorized(self, line: Line, request: Request) -> Body:
        self._count()
        try:
            return await self._ask(line, request)
        except FaultError:  # `WrongResponse` happens here now and then, and passes
            self._count()
            return await self._ask(line, request)

    async def _ping(self, line: Line) -> None:
        number = self.number()
        ping = service.build_ping().frame(number)
        await line.ask(ping, [number], timeout_seconds=PONG_WITHIN_SECONDS)
        self.feeds.alive()

    def _hear(self, frame: str | bytes) -> Iterable[Settled]:
        if self.feeds.has_prices:
            price = markets.read_price(frame)
            if price is not None and self.feeds.hear_price(price):
                return ()
        reply = grammar.parse_frame(frame)
        if self.feeds.hear(reply):
            return ()
        if isinstance(reply.said, ReplyError):
            return (Settled(reply.req_id, error=reply.said),)
        return (Settled(reply.req_id, reply.said),)

    # -- manners -------------------------------------------------------------------------------------------------

    async def pace(self, call: Call) -> None:
        """Wait for the call's turn; who would wait too long is told so."""
        if call in _FREE:
            return
        buckets = self._buckets.get(call, self._for_the_rest)
        now = self.clock.monotonic()
        wait = max(bucket.wait(now) for bucket in buckets)
        if wait > LONGEST_PACING_SECONDS:
            raise BusyError(NAME, "Pacing", wait)
        for bucket in buckets:
            bucket.take(now)
        if wait > 0:
            await self.clock.sleep(wait)

    def _count(self) -> None:
        """A login does not wait for its turn, it has a distance of its own to the next; others wait the longer."""
        self._general.take(self.clock.monotonic())

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """After repeated failures to get any answer, fail at once for a while; an answer of any kind ends that."""
        self._check_rest()
        try:
            yield
        except ProviderError as error:
            self._weigh(error)
            raise
        self._breaker.succeeded()

    def _check_rest(self) -> None:
        if self._breaker.refuses(self.clock.monotonic()):
            raise UnreachableError(NAME, "resting after repeated failures")

    def _weigh(self, error: ProviderError) -> None:
        is_broken = isinstance(error, ReplyError) and not self.connected  # nothing more was heard
        if is_broken or isinstance(error, UnreachableError | SilentError | FaultError):
            self._breaker.failed(self.clock.monotonic())
        else:
            self._breaker.succeeded()
