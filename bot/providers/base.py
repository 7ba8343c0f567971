"""What a provider is to the rest of the house.

An adapter is one folder. It brings a `SPEC` (its names, what it can do, what a login consists of, how to build it) and
a class that fits `Provider`. It is handed a *lender* of its credential, never the credential itself: `async with
lend() as login` opens it for one block.

Reads raise `bot.errors` only. What a provider cannot do is absent from its `SPEC.abilities`.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from bot.clock import Clock
from bot.errors import UnsupportedError
from bot.providers.acts import ActKind, MoneySeam, PayWay
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
    def money(self) -> MoneySeam | None:
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


def unsupported(spec: Spec, ability: Ability) -> UnsupportedError:
    """The error for an ability that is not in the SPEC."""
    return UnsupportedError(spec.name, ability.value)
