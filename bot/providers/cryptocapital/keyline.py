"""One key's only connection: what leaves leaves in the order of its nonces, and only what is believed is passed on.

All operations of a key must arrive in the order of their nonces, over all connections (SAFETY M20). So within this
process a key has one line, however many logins use it, and one lock around giving out nonces, signing, and putting the
frames in line. A turn holds that lock from preparing an act to its last byte.

An operation is answered twice: at once by an unsigned `ack` or `err` that repeats its nonce, and later, perhaps never,
by a signed message that does not. So a question about an account waits for two things: its nonce, and the next signed
message about that account number. A transfer waits for its `ack` or, should that be overtaken, for its end.

What arrives is dealt with in `hearing.py`.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot.clock import Clock, to_millis
from bot.errors import (
    CredentialRefusedError,
    FaultError,
    OvertakenError,
    ProviderError,
    RefusedError,
    ReplyError,
    SilentError,
    UnreachableError,
)
from bot.network.pacing import Breaker
from bot.network.websocket import Dial, Line
from bot.providers.base import Lend, Login, Oddity, Surroundings
from bot.providers.cryptocapital import wire
from bot.providers.cryptocapital.auth import PinnedKey, Signer, Trust
from bot.providers.cryptocapital.hearing import NAME, Heard, Hearing, by_account, by_nonce
from bot.providers.cryptocapital.settings import Settings
from bot.providers.cryptocapital.wire import Op

KEEP_ALIVE_SECONDS = 30.0
FIRST_STEP_MS = 60_000
LONGEST_STEP_MS = 86_400_000
Params = Mapping[str, str | Decimal]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """A signed operation, and the keys it waits for."""

    nonce: int
    frame: str
    expect: tuple[Hashable, ...]


class Turn:
    """The right to be the next one that sends. Ending it twice is nothing."""

    def __init__(self, order: asyncio.Lock) -> None:
        self._order: asyncio.Lock | None = order

    def end(self) -> None:
        order, self._order = self._order, None
        if order is not None:
            order.release()


class KeyLine(Hearing):
    """The line of one key, for every login of this process that has it."""

    def __init__(self, key: str, surroundings: Surroundings, lend: Lend) -> None:
        settings: Settings = surroundings.settings
        super().__init__(key, Trust(PinnedKey(settings.server_public_key), tolerant=settings.tolerant), surroundings)
        self.lends = [lend]
        self.overtaken = 0
        """How often a nonce was refused: somebody else uses this key."""
        self._nonces = surroundings.nonces
        self._order = asyncio.Lock()
        self._breaker = Breaker()
        self._stepped_to = 0
        self._step_ms = FIRST_STEP_MS
        self.line = Line(
            NAME,
            settings.url.rstrip("/") + "/ws",
            clock=self._clock,
            hear=self.hear,
            greet=self._greet,
            keep_alive=self._ping,
            keep_alive_seconds=KEEP_ALIVE_SECONDS,
            answer_seconds=settings.answer_seconds,
            dial=_dial(settings, self._clock),
            ca_file=settings.ca_file,
        )

    async def open(self) -> None:
        """Connect and `auth`, unless that is done."""
        async with self.watched():
            await self.line.open()

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Nothing is asked for a while after repeated failures."""
        if self._breaker.refuses(self._clock.monotonic()):
            raise UnreachableError(NAME, "resting after repeated failures")
        try:
            yield
        except (UnreachableError, SilentError, FaultError):
            self._breaker.failed(self._clock.monotonic())
            raise
        except RefusedError:
            self._breaker.succeeded()  # it answered
            raise
        except ReplyError:
            if not self.line.connected:  # what came was such that nothing more was heard
                self._breaker.failed(self._clock.monotonic())
            raise
        self._breaker.succeeded()

    async def put(self, op: Op, each: Sequence[Params]) -> list[asyncio.Task[Heard | None]]:
        """Sign one operation for each set of parameters and put them in line; the tasks bring the answers.

        Tasks begin in the order in which they are made, and a line writes at once, so nonces leave in their order.
        """
        async with self._order:
            async with self.lends[-1]() as login:
                signer = signer_of(login)
                questions = [await self.compose(signer, op, params) for params in each]
            return [asyncio.create_task(self._ask(question)) for question in questions]

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Be the next one that sends, on a connection that stands: a greeting would overtake what is prepared.

        Raises:
            UnreachableError: None could be had, or it kept breaking before our turn came.
        """
        for _ in range(3):
            await self.open()
            await self._order.acquire()
            turn = Turn(self._order)
            if self.line.connected:
                break
            turn.end()
        else:
            raise UnreachableError(NAME, "the connection keeps breaking")
        try:
            yield turn
        finally:
            turn.end()

    async def compose(self, signer: Signer, op: Op, params: Params) -> Question:
        """One signed operation, with the next nonce. For whoever holds the lock."""
        nonce = await self._nonces.allocate(self.key, to_millis(self._clock.now()))
        signed = signer.sign(wire.operation_text(op, self.key, nonce, params))
        expect: list[Hashable] = [by_nonce(str(nonce))]
        if op is Op.ACCOUNT:
            expect.append(by_account(str(params["accountNumber"])))
        return Question(nonce, wire.build_operation(op, self.key, nonce, params, signed), tuple(expect))

    async def _greet(self, line: Line) -> None:
        try:
            for asking in await self.put(Op.AUTH, [{}]):
                await asking
        except RefusedError as error:
            raise login_refused(error) from None

    async def _ping(self, line: Line) -> None:
        for asking in await self.put(Op.PING, [{}]):
            await asking

    async def _ask(self, question: Question) -> Heard | None:
        nonce = str(question.nonce)
        self._asked[nonce] = question.expect[-1]
        try:
            answers = await self.ask(question)
        finally:
            del self._asked[nonce]
        heard: Heard | None = answers[-1]
        return heard

    async def ask(self, question: Question, written: Callable[[], None] = lambda: None) -> list[Any]:
        """Send one operation and wait for what it expects. As `Line.ask`, and a refused nonce is stepped over."""
        try:
            answers = await self.line.ask(question.frame, question.expect, written=written)
        except RefusedError as error:
            if error.code == "err" and "nonce" in error.detail.lower():
                await self._step_over(question.nonce)
                raise OvertakenError(NAME, error.code, reason_of(error)) from None
            raise
        self._step_ms = FIRST_STEP_MS
        return answers

    async def _step_over(self, refused: int) -> None:
        """Somebody else has used greater nonces, and nobody says which: go ahead of the clock, further each time."""
        if refused <= self._stepped_to:
            return  # given out before the last step
        self._stepped_to = max(refused, to_millis(self._clock.now())) + self._step_ms
        self._step_ms = min(2 * self._step_ms, LONGEST_STEP_MS)
        self.overtaken += 1
        self.tell(Oddity.OVERTAKEN)
        _log.warning("a nonce was refused: another client uses this key", extra={"provider": NAME})
        await self._nonces.pass_over(self.key, self._stepped_to)


_LINES: dict[Hashable, KeyLine] = {}
"""The lines in use. Settings, nonces and clock are the same for all logins of a desk, so there it is one for a key."""


def take(key: str, surroundings: Surroundings, lend: Lend) -> KeyLine:
    """The line of a key, which is now used by one more login. Give it back with `give_back`."""
    name = _name(key, surroundings)
    found = _LINES.get(name)
    if found is None:
        found = _LINES[name] = KeyLine(key, surroundings, lend)
    else:
        found.lends.append(lend)
        found.reports.append(surroundings.report)
    return found


async def give_back(line: KeyLine, surroundings: Surroundings, lend: Lend) -> None:
    """One login less uses it; the last one hangs up."""
    line.lends.remove(lend)
    line.reports.remove(surroundings.report)
    if not line.lends:
        del _LINES[_name(line.key, surroundings)]
        await line.line.close()


def _name(key: str, surroundings: Surroundings) -> Hashable:
    return key, surroundings.settings, surroundings.nonces, surroundings.clock


def _dial(settings: Settings, clock: Clock) -> Dial | None:
    if settings.transport == "websocket":
        return None
    from bot.providers.cryptocapital.session import Sessions  # for those who travel that way

    return Sessions(settings.url, clock, settings.ca_file).dial


def signer_of(login: Login) -> Signer:
    """The lent key, for this block."""
    try:
        return Signer(login["private_key"].reveal())
    except ValueError:
        raise CredentialRefusedError(NAME, "private_key", "is not a private key of this provider") from None


def login_refused(error: RefusedError) -> ProviderError:
    """Refusals carry no codes. `auth` and `account` are well-formed, so what remains is the key and its accounts."""
    if isinstance(error, CredentialRefusedError | OvertakenError):
        return error
    return CredentialRefusedError(NAME, error.code, reason_of(error))


def reason_of(error: RefusedError) -> str:
    """The server's words, without our code in front and a full stop behind."""
    return error.detail.removeprefix(error.code).strip(" .")
