"""What a provider is to the rest of the house.

An adapter is one folder. It brings a `SPEC` (its names, what it can do, what a login consists of, how to build it) and
a class that fits `Provider`. It is handed a *lender* of its credential, never the credential itself: `async with
lend() as login` opens it for one block.

Reads raise `bot.errors` only. What a provider cannot do is absent from its `SPEC.abilities`.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from bot.clock import Clock
from bot.errors import UnsupportedError
from bot.money import Money
from bot.providers.records import Account, Balance, Environment, Position, Reading
from bot.secret import Secret


class Ability(StrEnum):
    """Something a provider can be asked for."""

    ACCOUNTS = "accounts"
    BALANCES = "balances"
    POSITIONS = "positions"


class ActKind(StrEnum):
    """Something that moves money."""

    TRANSFER = "transfer"
    WITHDRAWAL_DECISION = "withdrawal decision"
    ORDER = "order"
    CLOSE = "close"


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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an adapter is built with, besides its credential."""

    environment: Environment
    settings: Any
    """This provider's table of the configuration, as the Struct its SPEC names."""
    clock: Clock


Login = Mapping[str, Secret]
"""A credential opened for one block: the SPEC's fields by key."""

Lend = Callable[[], AbstractAsyncContextManager[Login]]


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
    revoke: str = ""
    """What a person must revoke at the provider after unlinking, in one sentence."""


class Provider(Protocol):
    """One linked login, talking."""

    spec: Spec

    @property
    def money(self) -> "MoneySeam | None":
        """The money seam, or None where this adapter moves nothing."""

    async def check(self) -> str:
        """Log in and make one harmless call; say in a few plain words what was found ("2 accounts, USD and EUR").

        Raises:
            CredentialRefusedError: The login is not accepted.
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


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of one `send`: the class, and the provider's own proof where there is one."""

    outcome: Outcome
    reference: str = ""
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What `find` learnt about a prepared act: settled to an outcome, or still unknown and why."""

    outcome: Outcome
    reference: str = ""
    detail: str = ""
    seen_at: datetime | None = None


class MoneySeam(Protocol):
    """How money leaves through an adapter. It stores nothing and retries nothing; the money room does."""

    async def prepare(self, act: Act) -> Prepared:
        """Everything needed to recognise the effect later. Nothing that moves money has left."""

    async def send(self, prepared: Prepared) -> Receipt:
        """Exactly the prepared bytes, once."""

    async def find(self, prepared: Prepared) -> Evidence:
        """Ask what became of it; changes nothing, may be asked any number of times."""


def unsupported(spec: Spec, ability: Ability) -> UnsupportedError:
    """The error for an ability that is not in the SPEC."""
    return UnsupportedError(spec.name, ability.value)
