"""Capital.com, talking: build, send, parse.

Nobody pings. A desk asks now and then, so a session is made when a question needs one, used while it lives, and made
anew when it lay still for nine minutes or the other side says that it is over; a session kept alive for nobody would
cost requests of the same ten a second, and hide that the key was revoked.
"""

import asyncio
import contextlib
from collections.abc import Mapping

import stamina

from bot.errors import (
    CredentialRefusedError,
    EnvironmentMismatchError,
    FaultError,
    ProviderError,
    SilentError,
    UnreachableError,
)
from bot.network.pacing import Breaker, Bucket, retry_after
from bot.network.rest import Answer, Rest
from bot.providers.base import Lend, Spec, Surroundings
from bot.providers.capital import auth, wire
from bot.providers.capital.settings import Settings
from bot.providers.records import Account, Balance, Environment, Findings, Position, Power, Reading

_LOGOUT_SECONDS = 3.0


class Capital:
    """One login at Capital.com."""

    money = None

    def __init__(self, spec: Spec, lend: Lend, surroundings: Surroundings) -> None:
        settings: Settings = surroundings.settings
        self.spec = spec
        self._lend = lend
        self._clock = surroundings.clock
        self._environment = surroundings.environment
        self._encrypted = settings.encrypted_password
        url = settings.live_url if self._environment is Environment.LIVE else settings.demo_url
        self._rest = Rest(wire.NAME, url, ca_file=settings.ca_file)
        self._requests = _bucket(settings.requests_per_second)
        self._logins = Bucket(settings.logins_per_second, 1)
        self._breaker = Breaker()
        self._session: auth.Session | None = None
        self._login: asyncio.Task[auth.Session] | None = None
        self._closed = False

    async def check(self) -> Findings:
        """Log in and read the accounts. There is one kind of key, and every key may deal; none moves money out."""
        answer, session = await self._read(wire.build_accounts())
        rows = wire.parse_accounts(answer.body)
        return Findings(
            _summary([row.currency for row in rows]),
            accounts=tuple(row.account_id for row in rows),
            environment=session.environment,
            powers=frozenset({Power.READ, Power.TRADE}),
            facts=wire.restrictions_of(rows),
        )

    async def accounts(self) -> Reading[Account]:
        """All accounts of the login, active or not."""
        answer, _ = await self._read(wire.build_accounts())
        rows = wire.parse_accounts(answer.body)
        return Reading(wire.accounts_of(rows, self._environment), self._clock.now(), wire.restrictions_of(rows))

    async def balances(self) -> Reading[Balance]:
        """What each account holds."""
        answer, _ = await self._read(wire.build_accounts())
        rows, now = wire.parse_accounts(answer.body), self._clock.now()
        return Reading(wire.balances_of(rows, self._environment, now), now, wire.restrictions_of(rows))

    async def positions(self) -> Reading[Position]:
        """What is open on the session's active account; Capital.com lists one account at a time."""
        answer, session = await self._read(wire.build_positions())
        now = self._clock.now()
        items = wire.parse_positions(answer.body, session.account.account_id, now)
        return Reading(items, now, _one_account_only(session))

    async def close(self) -> None:
        """Log out if there is a session to end. Never raises; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._login is not None:
            self._login.cancel()
            await asyncio.wait([self._login])
        session, self._session = self._session, None
        with contextlib.suppress(ProviderError, TimeoutError):
            if session is not None and self._worth_ending(session):
                request = wire.build_logout()
                async with asyncio.timeout(_LOGOUT_SECONDS):
                    await self._rest.ask(request.method, request.path, headers=session.tokens.headers())
        await self._rest.close()

    def _worth_ending(self, session: auth.Session) -> bool:
        return self._breaker.opened_at is None and not session.idle(self._clock.monotonic())

    async def _read(self, request: wire.Request) -> tuple[Answer, auth.Session]:
        """One harmless question, and the session it was answered in.

        When the session is refused, one new login and one re-send.
        """
        session = await self._live_session()
        try:
            return await self._ask(request, session), session
        except CredentialRefusedError:
            session = await self._live_session(refused=session)
            return await self._ask(request, session), session

    async def _live_session(self, refused: auth.Session | None = None) -> auth.Session:
        """The session in use, or a new one. Everybody who needs a new one waits for the same login."""
        session = self._session
        if session is not None and session is not refused and not session.idle(self._clock.monotonic()):
            return session
        if self._closed:
            raise UnreachableError(wire.NAME, "closed")
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
        try:
            await self._clock.sleep(self._logins.wait(self._clock.monotonic()))
            async with self._lend() as login:
                steps = auth.log_in(login, encrypted=self._encrypted, now=self._clock.monotonic())
                session = await self._walk(steps, auth.key_header(login))
        finally:
            self._logins.take(self._clock.monotonic())  # counted from the end: the first one's connecting is slow
        self._session = session
        return session

    async def _walk(self, steps: auth.LoginSteps, headers: Mapping[str, str]) -> auth.Session:
        """Carry out a login's requests. Nothing here is repeated."""
        try:
            request = next(steps)
            while True:
                answer = await self._exchange(request, headers)
                self._refuse_login(answer)
                request = steps.send(answer)
        except StopIteration as end:
            session: auth.Session = end.value
            return session

    async def _ask(self, request: wire.Request, session: auth.Session) -> Answer:
        """Ask within a session; once more when nothing, or no sound answer, came back."""
        async for attempt in stamina.retry_context(
            on=self._may_repeat, attempts=2, timeout=5.0, wait_initial=0.2, wait_max=0.5, wait_jitter=0.2
        ):
            with attempt:
                return await self._ask_once(request, session)
        raise AssertionError("a retry ends with an answer or an error")

    def _may_repeat(self, error: Exception) -> bool:
        return (
            isinstance(error, UnreachableError | SilentError | FaultError)
            and self._breaker.opened_at is None
            and not self._closed
        )

    async def _ask_once(self, request: wire.Request, session: auth.Session) -> Answer:
        tokens, now = session.tokens, self._clock.monotonic()
        answer = await self._exchange(request, tokens.headers())
        session.adopt(tokens, answer.headers)
        self._refuse(answer)
        session.used_at = max(session.used_at, now)
        return answer

    async def _exchange(self, request: wire.Request, headers: Mapping[str, str]) -> Answer:
        """One request, one whole answer; whatever its status, the breaker hears of it."""
        if self._closed:
            raise UnreachableError(wire.NAME, "closed")
        if self._breaker.refuses(self._clock.monotonic()):
            raise UnreachableError(wire.NAME, "not asked: too many failures just now")
        await self._my_turn()
        try:
            answer = await self._rest.ask(
                request.method, request.path, headers={**headers, **request.headers}, content=request.body
            )
        except (UnreachableError, SilentError):
            self._breaker.failed(self._clock.monotonic())
            raise
        if answer.status >= 500:
            self._breaker.failed(self._clock.monotonic())
        else:
            self._breaker.succeeded()
        return answer

    def _refuse(self, answer: Answer) -> None:
        wish = retry_after(answer.headers.get("Retry-After"), self._clock.now())
        error = wire.error_of(answer.status, answer.body, wish)
        if error is not None:
            raise error

    def _refuse_login(self, answer: Answer) -> None:
        try:
            self._refuse(answer)
        except CredentialRefusedError as refused:
            if refused.code != wire.NOT_HERE:
                raise
            here = self._environment
            raise EnvironmentMismatchError(wire.NAME, refused.code, wanted=here, found=here.other) from None

    async def _my_turn(self) -> None:
        """Take a place in the queue, then wait for it."""
        now = self._clock.monotonic()
        seconds = self._requests.wait(now)
        self._requests.take(now)
        if seconds > 0:
            await self._clock.sleep(seconds)


def _bucket(per_second: float) -> Bucket:
    """A bucket that never lets more than `per_second` through in any one second: what bursts is taken off the rate."""
    burst = max(1.0, per_second / 5)
    return Bucket(per_second - burst if per_second > 2 else per_second / 2, burst)


def _summary(currencies: list[str]) -> str:
    """ "3 accounts, USD, EUR and GBP"; each currency once, in the provider's order."""
    if not currencies:
        return "no accounts"
    count = f"{len(currencies)} account{'s' if len(currencies) > 1 else ''}"
    *most, last = dict.fromkeys(currencies)
    return f"{count}, {', '.join(most)} and {last}" if most else f"{count}, {last}"


def _one_account_only(session: auth.Session) -> tuple[str, ...]:
    if session.accounts < 2:
        return ()
    active = session.account
    sentence = (
        f"Only account {active.account_id} ({active.account_name}) is listed: Capital.com shows the positions of the "
        f"active account, and this login has {session.accounts} accounts."
    )
    return (sentence,)
