"""One Deriv login, talking: one socket, many questions on it.

The socket opens at the first question and is greeted with `authorize`; a ping every 30 seconds keeps it (the server
hangs up after two minutes of silence, and there is nothing to resume afterwards). When it broke, the next question
opens a new one; attempts keep a second's distance. A question lost with its connection, or met by a passing fault, is
asked once more: all questions here are reads.
"""

import functools
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Literal

import stamina

from bot.errors import (
    BusyError,
    CredentialRefusedError,
    FaultError,
    ProviderError,
    RefusedError,
    ReplyError,
    SilentError,
    UnreachableError,
)
from bot.network.pacing import Breaker, Bucket
from bot.network.websocket import Line, Settled
from bot.providers.base import Lend, MoneySeam, Spec, Surroundings
from bot.providers.deriv import auth, wire
from bot.providers.deriv.settings import Settings
from bot.providers.deriv.wire import NAME, Body, Call, Session
from bot.providers.records import Account, Balance, Findings, Position, Power, Reading

PING_SECONDS = 30.0
PONG_WITHIN_SECONDS = 10.0
CONNECT_DISTANCE_SECONDS = 1.0
AGAIN_WITHIN_SECONDS = 3.0
"""A question that failed later than this is not asked again: somebody is waiting."""
LONGEST_PACING_SECONDS = 10.0

Build = Callable[[int], str]


class Deriv:
    """One linked login."""

    def __init__(self, spec: Spec, lend: Lend, around: Surroundings) -> None:
        self.spec = spec
        self._lend = lend
        self._settings: Settings = around.settings
        self._environment = around.environment
        self._clock = around.clock
        self._numbers = itertools.count(1)
        # The vendor's figures of 2020, as buckets that never exceed them in any minute.
        self._general = Bucket(rate=150 / 60, burst=30)  # 180 a minute
        self._outcome = Bucket(rate=20 / 60, burst=5)  # 25 a minute: portfolio, statement, proposal
        self._breaker = Breaker()
        self._line: Line | None = None
        self._session: Session | None = None
        self._sees_all = False
        self._closed = False

    @property
    def money(self) -> MoneySeam | None:
        return None

    async def check(self) -> Findings:
        """Log in and read the balance; a right login without the right to read fails here, not later.

        What the token can do is what its `scopes` say.
        """
        reading = await self.balances()
        session = await self._logged_in()
        count = len(reading.items)
        currencies = sorted({item.amount.currency.code for item in reading.items})
        told = session.powers is not None
        return Findings(
            f"{count} {'account' if count == 1 else 'accounts'}, {_listed(currencies) or 'no currency chosen yet'}",
            accounts=tuple(item.account for item in reading.items),
            environment=session.environment,
            powers=frozenset({Power.READ}) | (session.powers or frozenset()),
            untold=frozenset() if told else frozenset({Power.TRADE, Power.PAY_OUT, Power.MANAGE}),
            facts=reading.notes,
        )

    async def accounts(self) -> Reading[Account]:
        """As told at login: all of the person's accounts for an OAuth token, else the token's own."""
        session = await self._logged_in()
        if self._sees_all:
            return Reading(session.accounts, session.as_of)
        return Reading((session.own,), session.as_of, self._limits(session))

    async def balances(self) -> Reading[Balance]:
        """All accounts where the token may see them, else its own.

        Which code refuses `all` is not documented, so any refusal of it leads to asking for the own account.
        """
        await self._logged_in()
        if self._sees_all:
            try:
                return await self._balances("all")
            except (BusyError, CredentialRefusedError):
                raise
            except RefusedError:
                self._sees_all = False  # until the next login
        return await self._balances("current")

    async def positions(self) -> Reading[Position]:
        """The open contracts of the token's own account; others would need tokens of their own."""
        session, body = await self._read(Call.PORTFOLIO, wire.build_portfolio, self._outcome)
        as_of = self._clock.now()
        notes = (f"Only the contracts of {session.own.id}.",) if session.others else ()
        return Reading(wire.parse_portfolio(body, session.own.id, as_of), as_of, notes)

    async def close(self) -> None:
        """Let go of the socket. No `logout`: it would end an OAuth token for good."""
        self._closed = True
        if self._line is not None:
            await self._line.close()

    async def _balances(self, account: Literal["current", "all"]) -> Reading[Balance]:
        build = functools.partial(wire.build_balance, account=account)
        session, body = await self._read(Call.BALANCE, build, self._general)
        as_of = self._clock.now()
        found = wire.parse_balance(body, session, as_of)
        limits = () if account == "all" else self._limits(session)
        return Reading(found.items, as_of, found.notes + limits)

    def _limits(self, session: Session) -> tuple[str, ...]:
        """What a reader must know when the token sees less than its person has."""
        if session.others == 0:
            return ()
        others = "1 other account is" if session.others == 1 else f"{session.others} other accounts are"
        return (f"This token sees only {session.own.id}; {others} not read.",)

    async def _logged_in(self) -> Session:
        if self._session is not None and self._line is not None and self._line.connected:
            return self._session  # without the guard: this asks nobody, so it proves nothing about the provider
        async with self._guarded():
            _, session = await self._open()
        return session

    async def _read(self, call: Call, build: Build, bucket: Bucket) -> tuple[Session, Body]:
        """Ask, once more where that is harmless and quick. Answers with the session that was asked, and the reply."""
        async with self._guarded():
            again = stamina.retry_context(
                on=(SilentError, FaultError),
                attempts=2,
                timeout=AGAIN_WITHIN_SECONDS,
                wait_initial=0.1,
                wait_jitter=0.2,
            )
            async for attempt in again:
                with attempt:
                    await self._pace(bucket)
                    return await self._read_logged_in(call, build)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _read_logged_in(self, call: Call, build: Build) -> tuple[Session, Body]:
        """Ask; when the server has forgotten our login, log in once more on a new connection."""
        line, session = await self._open()
        try:
            return session, await self._ask(line, call, build)
        except CredentialRefusedError as refused:
            if refused.code != "AuthorizationRequired":
                raise
        if self._session is session:  # else another caller has done it already
            await line.hang_up()
        line, session = await self._open()
        return session, await self._ask(line, call, build)

    async def _ask(self, line: Line, call: Call, build: Build) -> Body:
        number = next(self._numbers)
        body: Body = (await line.ask(build(number), [number]))[0]
        refused = wire.refusal(call, body)
        if refused is not None:
            raise refused
        return body

    async def _open(self) -> tuple[Line, Session]:
        """The line, open and greeted, and whom it speaks for. Nothing may be awaited between this and asking."""
        line = self._line or self._adopt(await self._address())
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
            clock=self._clock,
            hear=_hear,
            greet=self._greet,
            keep_alive=self._ping,
            keep_alive_seconds=PING_SECONDS,
            answer_seconds=self._settings.answer_seconds,
            rest_seconds=CONNECT_DISTANCE_SECONDS,
            turned_away=auth.turned_away,
            ca_file=self._settings.ca_file,
        )

    async def _greet(self, line: Line) -> None:
        async with self._lend() as login:
            token = login["token"]
            self._sees_all = auth.is_oauth(token.reveal())
            body = await self._authorized(line, lambda number: wire.build_authorize(number, token.reveal()))
        session = wire.parse_authorize(body, self._clock.now())
        auth.admit(session, self._environment)
        self._session = session

    async def _authorized(self, line: Line, build: Build) -> Body:
        try:
            return await self._ask(line, Call.AUTHORIZE, build)
        except FaultError:  # `WrongResponse` happens here now and then, and passes
            return await self._ask(line, Call.AUTHORIZE, build)

    async def _ping(self, line: Line) -> None:
        number = next(self._numbers)
        await line.ask(wire.build_ping(number), [number], timeout_seconds=PONG_WITHIN_SECONDS)

    async def _pace(self, bucket: Bucket) -> None:
        wait = bucket.wait(self._clock.monotonic())
        if wait > LONGEST_PACING_SECONDS:
            raise BusyError(NAME, "Pacing", wait)
        bucket.take(self._clock.monotonic())
        if wait > 0:
            await self._clock.sleep(wait)

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """After repeated failures to get any answer, fail at once for a while; an answer of any kind ends that."""
        if self._breaker.refuses(self._clock.monotonic()):
            raise UnreachableError(NAME, "resting after repeated failures")
        try:
            yield
        except (UnreachableError, SilentError, FaultError):
            self._breaker.failed(self._clock.monotonic())
            raise
        except ProviderError:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()


def _hear(frame: str | bytes) -> Iterable[Settled]:
    reply = wire.parse_frame(frame)
    if isinstance(reply.said, ReplyError):
        return (Settled(reply.req_id, error=reply.said),)
    return (Settled(reply.req_id, reply.said),)


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
