"""The session of one login: made when a question needs one, used while it lives, bound to an account.

Whoever asks holds a `Ticket`: the session as it stood, its tokens, and the account those tokens name. A reply may bring
new tokens, a switch brings new ones, a new login does; whoever lives on tokens outside of a request (a stream) waits
for `other_than(ticket)`.

Positions, orders and history belong to the account that is active. `home` is the one they are read on: that of the
first login, until somebody switches. An act of money names its own and holds `turn` meanwhile; nobody switches then.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import stamina

from bot.errors import (
    BusyError,
    CredentialRefusedError,
    EnvironmentMismatchError,
    FaultError,
    ProviderError,
    RefusedError,
    SilentError,
    UnreachableError,
)
from bot.network.leaving import check_leaving
from bot.network.rest import Answer
from bot.providers.base import Lend
from bot.providers.capital import auth, wire
from bot.providers.capital.client.line import Line
from bot.providers.capital.wire.failures import SAME_ACCOUNT
from bot.providers.capital.wire.session import build_logout, build_session, build_switch, parse_session, parse_switched

_LOGOUT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """A live session as it stood at one moment."""

    session: auth.Session = field(repr=False)
    tokens: auth.Tokens
    account: str
    """The active one, which the tokens name."""

    @property
    def streaming_host(self) -> str | None:
        """As the login told it, with whatever slash it has at its end."""
        return self.session.streaming_host


class Turn:
    """Held by whoever moves money. It may end before its holder is done; ending it twice does nothing."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock: asyncio.Lock | None = lock

    def end(self) -> None:
        if self._lock is not None:
            self._lock.release()
        self._lock = None


class Sessions:
    """One login at Capital.com, and everybody who asks through it."""

    def __init__(self, line: Line, lend: Lend, *, encrypted: bool) -> None:
        self._line = line
        self._lend = lend
        self._encrypted = encrypted
        self._session: auth.Session | None = None
        self._login: asyncio.Task[auth.Session] | None = None
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self.home: str | None = None

    # who may ask

    async def ticket(self, account: str | None = None, *, instead_of: Ticket | None = None) -> Ticket:
        """What a request is asked with, logged in if need be.

        Args:
            account: Must be the active one; it is made that, when nobody moves money just then.
            instead_of: It was refused. Unless the tokens have changed since, there is a new login.
        """
        session = await self._live_session(instead_of)
        if account is not None and session.account.account_id != account:
            async with self._turn:
                return await self.bound(account)
        return self._ticket_of(session)

    async def hold(self) -> "Turn":
        """Wait for the turn. While it is held, nobody else makes another account the active one."""
        await self._turn.acquire()
        return Turn(self._turn)

    async def verified(self, account: str, *, instead_of: Ticket | None = None) -> Ticket:
        """As `bound`; and the provider itself has just said that this account is the active one (M41).

        Raises:
            UnreachableError: It says another. The session is given up.
        """
        ticket = await self.bound(account, instead_of=instead_of)
        answer, ticket = await self._read(build_session(), ticket, account, held=True)
        if parse_session(answer.body).account_id != account or not self._is_live(ticket.session):
            self._give_up(ticket.session)
            raise UnreachableError(wire.NAME, "another account is the active one")
        return self._ticket_of(ticket.session)

    def _is_live(self, session: auth.Session) -> bool:
        return self._session is session

    async def bound(self, account: str, *, instead_of: Ticket | None = None) -> Ticket:
        """As `ticket`, for whoever holds the turn."""
        session = await self._live_session(instead_of)
        if session.account.account_id != account:
            await self._switch(session, account)
        return self._ticket_of(session)

    async def at_home(self) -> str:
        """The account that positions, orders and history are read on."""
        if self.home is None:
            await self.ticket()
        return self.home or ""

    async def switch(self, account: str) -> None:
        """Make an account the one that is read on. Streams of this login end.

        Raises:
            RefusedError: It is none of this login's.
        """
        await self.ticket(account)
        self.home = account

    async def other_than(self, ticket: Ticket) -> None:
        """As soon as the tokens, the account or the session are not the ticket's any more. Nobody logs in for it."""
        while self._is_current(ticket):
            await self._changed.wait()

    def _is_current(self, ticket: Ticket) -> bool:
        session = self._session
        return session is ticket.session and session.tokens is ticket.tokens and ticket.account == _standing(session)

    def _stir(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    @staticmethod
    def _ticket_of(session: auth.Session) -> Ticket:
        return Ticket(session, session.tokens, _standing(session))

    # asking

    async def read(self, request: wire.Request, account: str | None = None) -> tuple[Answer, Ticket]:
        """One question that may be asked twice, on an account if it matters; and what it was asked with.

        When its tokens are refused, one re-send with new ones.
        """
        return await self._read(request, await self.ticket(account), account, held=False)

    async def read_bound(self, request: wire.Request, account: str) -> Answer:
        """The same for whoever holds the turn."""
        answer, _ = await self._read(request, await self.bound(account), account, held=True)
        return answer

    async def _read(
        self, request: wire.Request, ticket: Ticket, account: str | None, *, held: bool
    ) -> tuple[Answer, Ticket]:
        try:
            return await self._patiently(request, ticket), ticket
        except CredentialRefusedError:
            if held and account is not None:
                ticket = await self.bound(account, instead_of=ticket)
            else:
                ticket = await self._again(account, ticket)
            return await self._patiently(request, ticket), ticket

    async def _again(self, account: str | None, refused: Ticket) -> Ticket:
        await self._live_session(refused)
        return await self.ticket(account)

    async def change(self, request: wire.Request, account: str | None = None) -> Answer:
        """Ask once for something that changes what is there, but moves no money.

        It is sent again only when its tokens were refused by a documented code: then nothing was done.

        Raises:
            SilentError: It may have happened; nobody knows.
        """
        ticket = await self.ticket(account)
        try:
            check_leaving(wire.NAME)
            return await self.once(request, ticket)
        except CredentialRefusedError as refused:
            if not wire.is_session_over(refused):
                raise
        ticket = await self._again(account, ticket)
        check_leaving(wire.NAME)
        return await self.once(request, ticket)

    async def _patiently(self, request: wire.Request, ticket: Ticket) -> Answer:
        """Once more when nothing, no sound answer, or "too often" came back. A good answer never meets the retrying."""
        try:
            return await self.once(request, ticket)
        except ProviderError as error:
            first = error
        async for attempt in stamina.retry_context(
            on=self._may_repeat, attempts=2, timeout=5.0, wait_initial=0.2, wait_max=0.5, wait_jitter=0.2
        ):
            with attempt:
                if attempt.num == 1:
                    raise first
                return await self.once(request, ticket)
        raise AssertionError("a retry ends with an answer or an error")

    def _may_repeat(self, error: Exception) -> bool:
        return (
            isinstance(error, UnreachableError | SilentError | FaultError | BusyError)
            and not self._line.is_tired
            and not self._line.closed
        )

    async def once(self, request: wire.Request, ticket: Ticket) -> Answer:
        """One request, one answer that is a success."""
        answer = await self.exchange(request, ticket)
        self._line.judge(answer)
        return answer

    async def exchange(self, request: wire.Request, ticket: Ticket) -> Answer:
        """One request, one answer, whatever it says. Its tokens are taken up."""
        now, session = self._line.clock.monotonic(), ticket.session
        answer = await self._line.exchange(request, ticket.tokens.headers())
        if session.adopt(ticket.tokens, answer.headers):
            self._stir()
        if answer.status == 200:
            session.used_at = max(session.used_at, now)
        return answer

    # logging in and out

    async def _live_session(self, refused: Ticket | None = None) -> auth.Session:
        """The session in use, or a new one. Everybody who needs a new one waits for the same login."""
        session = self._session
        if session is not None and not session.idle(self._line.clock.monotonic()):
            is_refused = refused is not None and refused.session is session and refused.tokens is session.tokens
            if not is_refused:
                return session
        self._line.check_open()
        if self._login is None:
            self._login = asyncio.create_task(self._log_in())
            self._login.add_done_callback(self._login_ended)
        login = self._login
        await asyncio.wait([login])  # one asker giving up does not end it for the others
        if login.cancelled():
            raise UnreachableError(wire.NAME, "closed")
        return login.result()

    def _login_ended(self, login: asyncio.Task[auth.Session]) -> None:
        self._login = None
        if not login.cancelled():
            login.exception()  # seen here, in case every asker gave up

    async def _log_in(self) -> auth.Session:
        clock = self._line.clock
        async with self._lend() as login:
            limits = self._line.limits(login)
            async with limits.login:
                await limits.before_login(clock)
                try:
                    steps = auth.log_in(login, encrypted=self._encrypted, now=clock.monotonic())
                    session = await self._walk(steps, auth.key_header(login))
                finally:
                    limits.logged_in(clock)
        self._session = session
        if self.home not in {one.account_id for one in session.listed}:
            self.home = session.account.account_id
        self._stir()
        return session

    async def _walk(self, steps: auth.LoginSteps, headers: Mapping[str, str]) -> auth.Session:
        """Carry out a login's requests. Nothing here is repeated."""
        try:
            request = next(steps)
            while True:
                answer = await self._line.exchange(request, headers)
                self._judge_login(answer)
                request = steps.send(answer)
        except StopIteration as end:
            session: auth.Session = end.value
            return session

    def _judge_login(self, answer: Answer) -> None:
        try:
            self._line.judge(answer)
        except CredentialRefusedError as refused:
            if refused.code != wire.NOT_HERE:
                raise
            here = self._line.environment
            raise EnvironmentMismatchError(wire.NAME, refused.code, wanted=here, found=here.other) from None

    async def _switch(self, session: auth.Session, account: str) -> None:
        """Known to have succeeded, or the session is given up: on which account it stands must never be a guess."""
        sent, known = self._ticket_of(session), False
        try:
            answer = await self.exchange(build_switch(account), sent)
            known = 400 <= answer.status < 500 and answer.status not in (401, 403, 429)
            self._line.judge(answer)
            parse_switched(answer.body)
            session.tokens = sent.tokens.renewed(answer.headers)  # whatever another reply brought meanwhile
            known = True
        except RefusedError as refused:
            if refused.code != SAME_ACCOUNT:
                raise
        finally:
            if not known:
                self._give_up(session)
        session.stand_on(account)
        self._stir()

    def _give_up(self, session: auth.Session) -> None:
        if self._session is session:
            self._session = None
            self._stir()

    async def close(self) -> None:
        """Log out if there is a session to end. Never raises."""
        if self._login is not None:
            self._login.cancel()
            await asyncio.wait([self._login])
        session, self._session = self._session, None
        self._stir()
        with contextlib.suppress(ProviderError, TimeoutError):
            if session is not None and not self._line.is_tired and not session.idle(self._line.clock.monotonic()):
                async with asyncio.timeout(_LOGOUT_SECONDS):
                    await self._line.directly(build_logout(), session.tokens.headers())


def _standing(session: auth.Session) -> str:
    return session.account.account_id
