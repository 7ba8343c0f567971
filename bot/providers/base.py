"""What a provider is to the rest of the house.

An adapter is one folder. It brings a `SPEC` (its names, what it can do, what a login consists of, how to build it) and
a class that fits `Provider`. It is handed a *lender* of its credential, never the credential itself: `async with
lend() as login` opens it for one block.

Reads raise `bot.errors` only. What a provider cannot do is absent from its `SPEC.abilities`.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from bot.clock import Clock
from bot.errors import UnsupportedError
from bot.money import Money
from bot.providers.nonces import PROCESS_NONCES, Nonces
from bot.providers.records import Account, Balance, Entry, Environment, Findings, Happening, Position, Power, Reading
from bot.providers.redirecting import Redirect
from bot.secret import Secret


class Ability(StrEnum):
    """Something a provider can be asked for."""

    ACCOUNTS = "accounts"
    BALANCES = "balances"
    POSITIONS = "positions"
    STATEMENT = "statement"
    ARRIVALS = "arrivals"
    """Its streams tell when money comes in, and that is news without any rule for it."""
    MARKETS = "markets"
    ORDERS = "orders"
    STREAMS = "streams"
    TOP_UP = "top-up"
    REQUESTS = "requests"
    """What clients ask for waits there to be decided."""


class ActKind(StrEnum):
    """Something that moves money."""

    TRANSFER = "transfer"
    WITHDRAWAL_DECISION = "withdrawal decision"
    ORDER = "order"
    CLOSE = "close"
    CHANGE = "change"
    """The stop, limit or price of something open or waiting; or taking back what waits."""


class PayWay(StrEnum):
    """By which of a provider's ways a transfer goes: an act's parameter `way`."""

    BOOK = "transfer"
    """To somebody in the book of beneficiaries."""
    OWN = "own"
    """To another account of the same login's person."""
    AGENT = "agent"
    """From a payment agent to a client of theirs, who is in the book."""
    PAYOUT = "payout"
    """To a payment agent in the book, who hands the money out; with a code that is mailed to the account's owner."""


@dataclass(frozen=True, slots=True)
class LoginField:
    """One thing a person hands over to link a login."""

    key: str
    title: str
    hint: str
    secret: bool = True
    pattern: str = r".{1,512}"
    """What the whole text must match; anything else is refused before the provider is asked."""
    default: str | None = None


class Oddity(StrEnum):
    """Something an adapter met that nobody asked about. The value finishes "… on this connection: …"."""

    FORGED = "messages that the provider did not send, or that were changed on their way; none was acted upon"
    OVERTAKEN = "another program uses the same key"


def _nobody(oddity: Oddity) -> None:
    """Where nobody listens."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an adapter is built with, besides its credential."""

    environment: Environment
    settings: Any
    """This provider's table of the configuration, as the Struct its SPEC names."""
    clock: Clock
    nonces: Nonces = PROCESS_NONCES
    """Where the numbers come from that its operations carry. Whoever moves money hands over durable ones."""
    report: Callable[[Oddity], None] = _nobody
    """Told of each oddity as it is met."""


Login = Mapping[str, Secret]
"""A credential opened for one block: the SPEC's fields by key."""

Lend = Callable[[], AbstractAsyncContextManager[Login]]


@dataclass(frozen=True, slots=True)
class Numbering:
    """How a provider's account numbers look."""

    pattern: str
    """What the whole number must match."""
    said: str
    """The same in words: "ten digits"."""
    example: str


@dataclass(frozen=True, slots=True)
class Spec:
    """One provider, described."""

    name: str
    title: str
    fields: tuple[LoginField, ...]
    environments: tuple[Environment, ...]
    abilities: frozenset[Ability]
    settings: type[Any]
    """msgspec Struct (frozen, unknown fields refused) of the table `[providers.<name>]`; all fields have defaults."""
    build: Callable[[Lend, Surroundings], "Provider"]
    acts: frozenset[ActKind] = frozenset()
    ways: frozenset[PayWay] = frozenset({PayWay.BOOK})
    """Of its transfers."""
    enough: str = ""
    """The weakest login that still reads, as the beginning of "… is enough for balances". Empty: there is one kind."""
    redirect: Redirect | None = None
    """How its own login page hands over credentials, where it has such a thing."""
    make_key: "Callable[[], MadeKey] | None" = None
    """Make the secret half of a login here, where the provider knows its clients by public keys."""
    payees: Numbering | None = None
    """The accounts that money may be sent to, where anybody's can be named."""
    revoke: str = ""
    """What a person must revoke at the provider after unlinking, in one sentence."""


class Provider(Protocol):
    """One linked login, talking."""

    spec: Spec

    @property
    def money(self) -> "MoneySeam | None":
        """The money seam, or None where this adapter moves nothing."""

    async def check(self) -> Findings:
        """Log in and find out, by calls that change nothing, what this login is and what it can do.

        Raises:
            CredentialRefusedError: The login is not accepted.
            EnvironmentMismatchError: It belongs to the other environment, and the provider refuses it for that.
            ProviderError: Anything else that went wrong.
        """

    async def accounts(self) -> Reading[Account]:
        """The accounts this login sees."""

    async def balances(self) -> Reading[Balance]:
        """What each of them holds."""

    async def positions(self) -> Reading[Position]:
        """What is open. `UnsupportedError` where the provider has none."""

    async def close(self) -> None:
        """Log out where that is usual, and let go of sockets. Never raises; a second call does nothing."""


@runtime_checkable
class KeepsStatements(Protocol):
    """A provider with `Ability.STATEMENT`."""

    async def statement(self, *, limit: int | None = None, since: datetime | None = None) -> Reading[Entry]:
        """The newest `limit` entries of every account, or all entries `since` a moment; oldest first."""


@runtime_checkable
class FindsEntries(Protocol):
    """A provider whose statement can be asked for one entry."""

    async def entry(self, number: str) -> Reading[Entry]:
        """The entry with the provider's own number, as each of the accounts sees it; none when there is none.

        Raises:
            InputError: No entry here has such a number.
        """


@runtime_checkable
class KeepsActivity(Protocol):
    """A provider that keeps what happened on an account, beside what was booked."""

    async def activity(self, since: datetime) -> Reading[Happening]:
        """All of it up to now, oldest first. It may be written a minute late."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half of a key that everybody may see."""

    text: str
    fingerprint: str
    """Something short to compare by eye."""


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key made in this process. No provider has heard of it yet."""

    fields: Login
    """The SPEC's secret fields: all of them, and no others."""
    public: PublicKey
    powers: frozenset[Power]


@dataclass(frozen=True, slots=True)
class Registration:
    """How a key is made known to its provider: by a transfer from each account, which its owner makes by hand."""

    key: PublicKey
    known: tuple[str, ...]
    """Accounts that answer to the key."""
    missing: tuple[str, ...]
    amount: str
    payee: str
    payees: Mapping[str, str]
    """Where it goes, by currency."""
    caution: str


@runtime_checkable
class RegistersKeys(Protocol):
    """A provider that knows its clients by their public keys."""

    async def public_key(self) -> PublicKey:
        """Nobody is asked for it."""

    async def registration(self) -> Registration:
        """What is done, and what is to do."""


class Outcome(StrEnum):
    """How a money call ended, as far as can be proven (SAFETY 3.3)."""

    NOT_SENT = "not sent"
    UNKNOWN = "unknown"
    ACKNOWLEDGED = "acknowledged"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ALREADY_DECIDED = "already decided"


@dataclass(frozen=True, slots=True)
class Act:
    """A guarded act, ready to be prepared: what was approved, word for word."""

    request_id: str
    kind: ActKind
    account: str
    amount: Money | None
    target: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that must be stored before the first byte leaves, so that the effect can be recognised (M02)."""

    act: Act
    reference: str
    nonce: int | None
    wire: bytes
    prepared_at: datetime
    answered: str = ""
    """The receipt's reference, once `send` has come to an end: for `find`, perhaps after a restart."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of one `send`: the class, and the provider's own proof where there is one."""

    outcome: Outcome
    reference: str = ""
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Absence:
    """What speaks for "it was not executed", once. It proves nothing: the money room weighs two of them (M25)."""

    looked_at: datetime
    since_prepared: timedelta
    answered_later: bool
    """The provider has believably answered something that was asked after the act."""
    balance: Money | None = None
    """What the source holds now, believably."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What `find` learnt about a prepared act: settled to an outcome, or still unknown and why."""

    outcome: Outcome
    reference: str = ""
    detail: str = ""
    seen_at: datetime | None = None
    differing: tuple[str, ...] = ()
    """Our act by its reference, but these fields are not what was approved: an incident (M07)."""
    alike: tuple[str, ...] = ()
    """References of acts like ours that do not carry our mark: for a person to look at."""
    absence: Absence | None = None
    """It was looked for where it would be, and is not there."""
    by_nature: bool = False
    """Recognised by all that it is, and by no mark: it settles only what no other request could have done."""


class MoneySeam(Protocol):
    """How money leaves through an adapter. It stores nothing and retries nothing; the money room does.

    async with seam.turn():
        prepared = await seam.prepare(act)
        ...                                     # commit it, before a byte leaves (M02)
        receipt = await seam.send(prepared)
    ...
    evidence = await seam.find(prepared)        # as often as wanted
    """

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Held while an act is prepared and sent, so that nothing else leaves this login in between.

        Entering raises a `ProviderError` when the provider cannot be reached or does not let us in: nothing was sent.
        """

    async def prepare(self, act: Act) -> Prepared:
        """Everything needed to recognise the effect later. Nothing that moves money has left.

        Raises:
            InputError: This provider would not do it as it was meant; the sentence says why.
            ProviderError: It could not be prepared.
        """

    async def send(self, prepared: Prepared) -> Receipt:
        """Exactly the prepared bytes, once."""

    async def find(self, prepared: Prepared) -> Evidence:
        """Ask what became of it; changes nothing, may be asked any number of times."""


@runtime_checkable
class NamesPayees(Protocol):
    """A money seam whose provider says, before anything is asked for, whom it would pay."""

    async def payee(self, act: Act) -> str:
        """The name that the provider has for whom a transfer would go to; empty where it tells none for that way.

        Nothing moves. What it says is to be the act's parameter `payee`: another name at the time of sending stops it.

        Raises:
            InputError: The provider would refuse the transfer; the sentence says why.
            ScopeMissingError: This login may not do that.
            ProviderError: It could not be asked.
        """


@runtime_checkable
class KnowsOwn(Protocol):
    """A money seam that moves money between the accounts of one person."""

    async def own(self, account: str) -> tuple[Account, ...]:
        """Where money of this account can go without leaving its person.

        Raises:
            InputError: This login moves no money of that account.
            ProviderError: It could not be asked.
        """


@runtime_checkable
class PaysFromSome(Protocol):
    """A money seam whose login may show accounts that it moves no money of."""

    async def payers(self) -> frozenset[str]:
        """Those that it could. `ProviderError`."""


@runtime_checkable
class WantsCodes(Protocol):
    """A money seam whose provider mails a code for some transfers, after they are approved."""

    def take_code(self, request_id: str, code: Secret) -> None:
        """The code that came by mail: good for one sending of that request, in this process, and nowhere stored."""


def unsupported(spec: Spec, ability: Ability) -> UnsupportedError:
    """The error for an ability that is not in the SPEC."""
    return UnsupportedError(spec.name, ability.value)
