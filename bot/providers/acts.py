"""How money leaves through an adapter: what was approved, what is sent, and what became of it.

The words are SAFETY's: an act is prepared, stored, sent once, and looked for as often as wanted.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from bot.money import Money
from bot.providers.records import Account
from bot.secret import Secret


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
