"""One Crypto Capital login, talking over one native WebSocket.

Connect, `auth`, then ask. An operation is answered twice: at once by an unsigned `ack` or `err` that repeats its nonce,
and later, perhaps never, by a signed message that does not. So a question about an account waits for two things: its
nonce, and the next signed message about that account number.

A message that `auth.Trust` doubts changes nothing: it is counted in `doubts`, logged without its content, and the
question it seems to answer fails.

All operations of a key must arrive in the order of their nonces (SAFETY M20): one socket, and one lock around giving
out nonces, signing, and putting the frames in line.
"""

import asyncio
import contextlib
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.clock import to_millis
from bot.errors import (
    CredentialRefusedError,
    FaultError,
    ProviderError,
    RefusedError,
    ReplyError,
    SilentError,
    UnreachableError,
)
from bot.network.pacing import Breaker
from bot.network.websocket import Line, Settled
from bot.providers.base import Ability, Lend, Login, Spec, Surroundings, unsupported
from bot.providers.cryptocapital import wire
from bot.providers.cryptocapital.auth import Doubt, Form, Nonces, PinnedKey, Signer, Trust, fingerprint
from bot.providers.cryptocapital.settings import Settings
from bot.providers.cryptocapital.wire import Holding, Op
from bot.providers.records import Account, Balance, Position, Reading

NAME = "cryptocapital"
KEEP_ALIVE_SECONDS = 30.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Heard:
    """A believed account message, and when it came."""

    holding: Holding
    at: datetime


@dataclass(frozen=True, slots=True)
class _Question:
    """A signed operation, and the keys it waits for."""

    nonce: str
    frame: str
    expect: tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """What came of asking about every account of the login."""

    heard: tuple[_Heard, ...]
    notes: tuple[str, ...]
    """One sentence for each account that was refused or stayed silent while others answered."""

    @property
    def as_of(self) -> datetime:
        return min(heard.at for heard in self.heard)


class CryptoCapital:
    """Fits `bot.providers.base.Provider`."""

    def __init__(self, spec: Spec, lend: Lend, surroundings: Surroundings, nonces: Nonces) -> None:
        settings: Settings = surroundings.settings
        self.spec = spec
        self.doubts: Counter[Doubt] = Counter()
        """How many messages were not acted upon, and why."""
        self._lend = lend
        self._clock = surroundings.clock
        self._environment = surroundings.environment
        self._nonces = nonces
        self._trust = Trust(PinnedKey(settings.server_public_key), tolerant=settings.tolerant)
        self._order = asyncio.Lock()
        self._breaker = Breaker()
        self._own_key = ""
        self._numbers: tuple[str, ...] = ()
        self._asked: dict[str, Hashable] = {}
        self._line = Line(
            NAME,
            settings.url.rstrip("/") + "/ws",
            clock=self._clock,
            hear=self._hear,
            greet=self._greet,
            keep_alive=self._ping,
            keep_alive_seconds=KEEP_ALIVE_SECONDS,
            answer_seconds=settings.answer_seconds,
            ca_file=settings.ca_file,
        )

    @property
    def money(self) -> None:
        """This storey only reads."""
        return None

    async def check(self) -> str:
        found = await self._ask_about_all()
        listed = ", ".join(f"{heard.holding.number} {heard.holding.balance.currency}" for heard in found.heard)
        accounts = "1 account" if len(found.heard) == 1 else f"{len(found.heard)} accounts"
        said = f"{accounts} ({listed}), public key fingerprint {fingerprint(self._own_key)}"
        older = [f"The server signs in an older form: {form}" for form in self._trust.forms if form is not Form.DER]
        return ". ".join((said, *older, *(note.removesuffix(".") for note in found.notes)))

    async def accounts(self) -> Reading[Account]:
        found = await self._ask_about_all()
        items = tuple(
            Account(heard.holding.number, heard.holding.name, heard.holding.balance.currency, self._environment)
            for heard in found.heard
        )
        return Reading(items, found.as_of, found.notes)

    async def balances(self) -> Reading[Balance]:
        found = await self._ask_about_all()
        return Reading(tuple(self._balance(heard) for heard in found.heard), found.as_of, found.notes)

    def _balance(self, heard: _Heard) -> Balance:
        holding = heard.holding
        return Balance(
            account=holding.number,
            name=holding.name,
            amount=holding.balance,
            as_of=heard.at,
            environment=self._environment,
            available=holding.available,
        )

    async def positions(self) -> Reading[Position]:
        raise unsupported(self.spec, Ability.POSITIONS)

    async def close(self) -> None:
        with contextlib.suppress(Exception):  # closing follows every kind of failure and must not add one
            await self._line.close()

    # ------------------------------------------------------------------------------------------------------- asking

    async def _ask_about_all(self) -> _Found:
        """Ask about every account at once.

        Raises:
            CredentialRefusedError: Nothing but refusals: the key is not linked to these accounts.
            ProviderError: No account answered, or one answer cannot be believed.
        """
        async with self._watched():
            await self._line.open()
            numbers = self._numbers
            asking = await self._put(self._line, Op.ACCOUNT, [wire.account_params(number) for number in numbers])
            answers = await asyncio.gather(*asking, return_exceptions=True)
            return _sorted_out(numbers, answers)

    @contextlib.asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
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
        self._breaker.succeeded()

    async def _greet(self, line: Line) -> None:
        try:
            for asking in await self._put(line, Op.AUTH, [{}]):
                await asking
        except RefusedError as error:
            raise _login_refused(error) from None

    async def _ping(self, line: Line) -> None:
        for asking in await self._put(line, Op.PING, [{}]):
            await asking

    async def _put(self, line: Line, op: Op, each: Sequence[Mapping[str, str]]) -> list[asyncio.Task[_Heard | None]]:
        """Sign one operation for each set of parameters and put them in line; the tasks bring the answers.

        Tasks begin in the order in which they are made, and a line writes at once, so nonces leave in their order.
        """
        async with self._order:
            async with self._lend() as login:
                signer = self._signer(login)
                questions = [await self._compose(signer, op, params) for params in each]
            return [asyncio.create_task(self._ask(line, question)) for question in questions]

    def _signer(self, login: Login) -> Signer:
        """The lent key, for this block; its public half and the account numbers are no secret and are kept."""
        try:
            signer = Signer(login["private_key"].reveal())
        except ValueError:
            raise CredentialRefusedError(NAME, "private_key", "is not a private key of this provider") from None
        numbers = [number.strip() for number in login["accounts"].reveal().split(",")]
        if not all(re.fullmatch(wire.ACCOUNT_NUMBER, number, re.ASCII) for number in numbers):
            raise CredentialRefusedError(NAME, "accounts", "must be numbers of ten digits")
        self._own_key, self._numbers = signer.public_key, tuple(dict.fromkeys(numbers))
        return signer

    async def _compose(self, signer: Signer, op: Op, params: Mapping[str, str]) -> _Question:
        key = signer.public_key
        nonce = await self._nonces.allocate(key, to_millis(self._clock.now()))
        signed = signer.sign(wire.operation_text(op, key, nonce, params))
        expect: list[Hashable] = [_by_nonce(str(nonce))]
        if op is Op.ACCOUNT:
            expect.append(_by_account(params["accountNumber"]))
        return _Question(str(nonce), wire.build_operation(op, key, nonce, params, signed), tuple(expect))

    async def _ask(self, line: Line, question: _Question) -> _Heard | None:
        self._asked[question.nonce] = question.expect[-1]
        try:
            answers: list[Any] = await line.ask(question.frame, question.expect)
        finally:
            del self._asked[question.nonce]
        heard: _Heard | None = answers[-1]
        return heard

    # ------------------------------------------------------------------------------------------------------ hearing

    def _hear(self, frame: str | bytes) -> Iterable[Settled]:
        try:
            message = wire.parse_frame(frame)
        except ValueError:
            self._report(Doubt.UNREADABLE)
            raise ReplyError(NAME, Doubt.UNREADABLE) from None
        match message:
            case wire.Acknowledged(nonce):
                return (Settled(_by_nonce(nonce)),)
            case wire.Declined(nonce, reason):
                return self._hear_refusal(nonce, reason)
            case wire.Unfamiliar():
                self._report(Doubt.UNFAMILIAR)
                return ()
            case _:
                return self._hear_signed(message)

    def _hear_refusal(self, nonce: str | None, reason: str) -> Iterable[Settled]:
        if nonce is None:
            self._report(Doubt.NAMELESS)
            return ()
        return (Settled(_by_nonce(nonce), error=RefusedError(NAME, "err", reason)),)

    def _hear_signed(self, message: wire.Signed) -> Iterable[Settled]:
        doubt = self._trust.doubt(message, self._own_key)
        if doubt is not None:
            self._report(doubt)
        if doubt is Doubt.REPEATED or isinstance(message, wire.TransferMessage):
            return ()  # repeats are normal, and nobody waits for a transfer yet
        if doubt is not None:
            return (Settled(self._answered(message), error=ReplyError(NAME, doubt)),)
        if isinstance(message, wire.ErrorMessage):
            refused = RefusedError(NAME, "error", wire.readable(message.params.msg))
            return (Settled(self._answered(message), error=refused),)
        heard = _Heard(wire.parse_holding(message.params), self._clock.now())
        return (Settled(self._answered(message), heard),)

    def _answered(self, message: wire.AccountMessage | wire.ErrorMessage) -> Hashable:
        """What the question waits for that this message seems to answer; a key nobody waits for settles nothing."""
        if isinstance(message, wire.AccountMessage):
            return _by_account(message.params.account_number)
        return self._asked.get(message.params.nonce)

    def _report(self, doubt: Doubt) -> None:
        self.doubts[doubt] += 1
        _log.warning("message not acted upon", extra={"provider": NAME, "doubt": doubt.value})


def _by_nonce(nonce: str) -> Hashable:
    return "nonce", nonce


def _by_account(number: str) -> Hashable:
    return "account", number


def _sorted_out(numbers: Sequence[str], answers: Sequence[_Heard | BaseException | None]) -> _Found:
    """Believed answers, and a note for each account without one; an error when there is nothing to show."""
    heard = tuple(answer for answer in answers if isinstance(answer, _Heard))
    failed = {n: a for n, a in zip(numbers, answers, strict=True) if isinstance(a, BaseException)}
    for error in failed.values():
        if not isinstance(error, RefusedError | SilentError):
            raise error
    if not heard:
        raise _the_worst(list(failed.values()))
    return _Found(heard, tuple(_note(number, error) for number, error in failed.items()))


def _the_worst(errors: Sequence[BaseException]) -> BaseException:
    """What to tell when no account answered: a refusal rather than a silence, since the owner can act on it."""
    for error in errors:
        if isinstance(error, RefusedError):
            return _login_refused(error)
    return errors[0]


def _note(number: str, error: BaseException) -> str:
    if isinstance(error, RefusedError):
        reason = _reason(error)
        return f"Account {number} was refused: {reason}." if reason else f"Account {number} was refused."
    return f"Account {number} did not answer."


def _login_refused(error: RefusedError) -> ProviderError:
    """Refusals carry no codes. `auth` and `account` are well-formed, so what remains is the key and its accounts."""
    if isinstance(error, CredentialRefusedError):
        return error
    return CredentialRefusedError(NAME, error.code, _reason(error))


def _reason(error: RefusedError) -> str:
    """The server's words, without our code in front and a full stop behind."""
    return error.detail.removeprefix(error.code).strip(" .")
