"""One Crypto Capital login: its accounts, their statements, what comes in, and the seam through which money leaves.

The connection belongs to the key and is in `keyline.py`: two logins with one key share it. What is here is what a login
adds: the private key as it is lent, and the account numbers.
"""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.errors import CredentialRefusedError, InputError, OvertakenError, RefusedError, SilentError, UnreachableError
from bot.money import Currency
from bot.providers.acts import MoneySeam
from bot.providers.base import Ability, Lend, Login, PublicKey, Registration, Spec, Surroundings, unsupported
from bot.providers.cryptocapital import keyline, wire
from bot.providers.cryptocapital.auth import POWERS, Doubt, Form, fingerprint
from bot.providers.cryptocapital.hearing import NAME, Heard
from bot.providers.cryptocapital.keyline import KeyLine, login_refused, reason_of, signer_of
from bot.providers.cryptocapital.registration import CAUTION, PAYEE, REGISTRATION_ACCOUNTS
from bot.providers.cryptocapital.seam import Seam
from bot.providers.cryptocapital.settings import Settings
from bot.providers.cryptocapital.statements import Statement, gather
from bot.providers.cryptocapital.streaming import Streaming, entry_of
from bot.providers.cryptocapital.wire import Op
from bot.providers.records import Account, Balance, Entry, Findings, Position, Reading
from bot.providers.streams import Ear, Subject, Told, Topic, Wish


@dataclass(frozen=True, slots=True)
class _Found:
    """What came of asking about every account of the login."""

    heard: tuple[Heard, ...]
    notes: tuple[str, ...]
    """One sentence for each account that was refused or stayed silent while others answered."""

    @property
    def as_of(self) -> datetime:
        return min(heard.at for heard in self.heard)


class CryptoCapital:
    """Fits `bot.providers.base.Provider`."""

    def __init__(self, spec: Spec, lend: Lend, surroundings: Surroundings) -> None:
        settings: Settings = surroundings.settings
        self.spec = spec
        self.currencies: dict[str, Currency] = {}
        """Of the login's accounts, as the bank has told them."""
        self._settings = settings
        self._surroundings = surroundings
        self._lend = lend
        self._clock = surroundings.clock
        self._environment = surroundings.environment
        self._seam = Seam(self, lend, self._clock)
        self._streaming = Streaming(self)
        self._key: KeyLine | None = None
        self.numbers: tuple[str, ...] = ()
        """The accounts the owner has named, once the login was opened."""
        self._closed = False

    @property
    def money(self) -> MoneySeam:
        return self._seam

    @property
    def doubts(self) -> Counter[Doubt]:
        """How many messages to this key were not acted upon, and why."""
        return Counter() if self._key is None else self._key.doubts

    @property
    def overtaken(self) -> int:
        """How often another client has used this key's nonces."""
        return 0 if self._key is None else self._key.overtaken

    async def check(self) -> Findings:
        """`auth` and a look at every account."""
        key, found = await self.key_line(), await self._ask_about_all()
        listed = ", ".join(f"{heard.holding.number} {heard.holding.balance.currency}" for heard in found.heard)
        accounts = "1 account" if len(found.heard) == 1 else f"{len(found.heard)} accounts"
        said = f"{accounts} ({listed}), public key fingerprint {fingerprint(key.key)}"
        older = [f"The server signs in an older form: {form}" for form in key.trust.forms if form is not Form.DER]
        return Findings(
            ". ".join((said, *older, *(note.removesuffix(".") for note in found.notes))),
            accounts=tuple(heard.holding.number for heard in found.heard),
            powers=POWERS,
            facts=(f"Its public key is {key.key}: the one registered for these accounts.",),
        )

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

    def _balance(self, heard: Heard) -> Balance:
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

    async def statement(self, *, limit: int | None = None, since: datetime | None = None) -> Reading[Entry]:
        return await self._statements(limit=limit, since=since)

    async def entry(self, number: str) -> Reading[Entry]:
        if not re.fullmatch(wire.TRANSACTION_ID, number, re.ASCII):
            raise InputError(f"an entry of {self.spec.title} has a number of at most 20 digits", "/statement no 4795")
        return await self._statements(transaction=number)

    async def _statements(
        self, *, limit: int | None = None, since: datetime | None = None, transaction: str | None = None
    ) -> Reading[Entry]:
        """All accounts at once: the series mix, and each takes what is its own."""
        await self.key_line()
        asking = (
            self.statement_of(number, limit=limit, since=since, transaction=transaction) for number in self.numbers
        )
        answers = dict(zip(self.numbers, await asyncio.gather(*asking, return_exceptions=True), strict=True))
        read = {number: answer for number, answer in answers.items() if isinstance(answer, Statement)}
        notes = []
        for number, answer in answers.items():
            if isinstance(answer, BaseException):
                if not isinstance(answer, RefusedError) or isinstance(answer, OvertakenError):
                    raise answer
                notes.append(_note(number, answer))
            elif answer.account is None:
                notes.append(f"Account {number} may have more: the end of its statement was not seen.")
        if not read:
            raise CredentialRefusedError(NAME, "statement", " ".join(notes))
        entries = tuple(entry_of(number, one) for number, answer in read.items() for one in answer.transfers)
        is_whole = all(answer.account is not None for answer in read.values())
        return Reading(entries, min(answer.read_at for answer in read.values()), tuple(notes), is_whole)

    async def statement_of(
        self, number: str, *, limit: int | None = None, since: datetime | None = None, transaction: str | None = None
    ) -> Statement:
        """One account's statement, as `statements.gather`."""
        key = await self.key_line()
        async with key.watched():
            await key.line.open()
            return await gather(
                key,
                number,
                self._clock,
                quiet_seconds=self._settings.quiet_seconds,
                limit=limit,
                since=since,
                transaction=transaction,
                patience_seconds=self._settings.answer_seconds,
            )

    async def public_key(self) -> PublicKey:
        key = (await self.key_line()).key
        return PublicKey(key, fingerprint(key))

    async def registration(self) -> Registration:
        public_key = await self.public_key()
        try:
            known = tuple(heard.holding.number for heard in (await self._ask_about_all()).heard)
        except CredentialRefusedError:
            known = ()
        missing = tuple(number for number in self.numbers if number not in known)
        return Registration(public_key, known, missing, "1.00", PAYEE, REGISTRATION_ACCOUNTS, CAUTION)

    @property
    def topics(self) -> frozenset[Topic]:
        return self._streaming.topics

    @property
    def most_subjects(self) -> int | None:
        """Nothing is subscribed to."""
        return None

    @property
    def begins_at_once(self) -> frozenset[Topic]:
        return frozenset()

    async def stream(self, wish: Wish, ear: Ear) -> None:
        await self._streaming.stream(wish, ear)

    async def missed(self, subject: Subject, since: datetime, until: datetime) -> Reading[Told]:
        return await self._streaming.missed(subject, since, until)

    async def close(self) -> None:
        self._closed = True
        key, self._key = self._key, None
        if key is not None:
            with contextlib.suppress(Exception):  # closing follows every kind of failure and must not add one
                await keyline.give_back(key, self._surroundings, self._lend)

    # ------------------------------------------------------------------------------------------------------- asking

    async def key_line(self) -> KeyLine:
        """The line of this login's key. The key's public half and the account numbers are no secret and are kept."""
        if self._key is None:
            async with self._lend() as login:
                public_key, self.numbers = signer_of(login).public_key, _numbers_of(login)
            return self._taken(public_key)
        return self._key

    def _taken(self, public_key: str) -> KeyLine:
        """Only once, also when two asked at the same time."""
        if self._closed:
            raise UnreachableError(NAME, "line is closed")
        if self._key is None:
            self._key = keyline.take(public_key, self._surroundings, self._lend)
        return self._key

    async def know_currencies(self) -> None:
        """Ask about the accounts, unless all have told their currency already."""
        await self.key_line()
        if not set(self.numbers) <= set(self.currencies):
            await self._ask_about_all()

    async def _ask_about_all(self) -> _Found:
        """Ask about every account at once.

        Raises:
            CredentialRefusedError: Nothing but refusals: the key is not linked to these accounts.
            ProviderError: No account answered, or one answer cannot be believed.
        """
        key = await self.key_line()
        async with key.watched():
            await key.line.open()
            numbers = self.numbers
            asking = await key.put(Op.ACCOUNT, [wire.account_params(number) for number in numbers])
            answers = await asyncio.gather(*asking, return_exceptions=True)
            found = _sorted_out(numbers, answers)
        self.currencies |= {heard.holding.number: heard.holding.balance.currency for heard in found.heard}
        return found


def _numbers_of(login: Login) -> tuple[str, ...]:
    numbers = [number.strip() for number in login["accounts"].reveal().split(",")]
    if not all(re.fullmatch(wire.ACCOUNT_NUMBER, number, re.ASCII) for number in numbers):
        raise CredentialRefusedError(NAME, "accounts", "must be numbers of ten digits")
    return tuple(dict.fromkeys(numbers))


def _sorted_out(numbers: Sequence[str], answers: Sequence[Heard | BaseException | None]) -> _Found:
    """Believed answers, and a note for each account without one; an error when there is nothing to show."""
    heard = tuple(answer for answer in answers if isinstance(answer, Heard))
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
            return login_refused(error)
    return errors[0]


def _note(number: str, error: BaseException) -> str:
    if isinstance(error, RefusedError):
        reason = reason_of(error)
        return f"Account {number} was refused: {reason}." if reason else f"Account {number} was refused."
    return f"Account {number} did not answer."
