"""Calls that go up: the lower room names what it needs, `wiring` joins it. Ground types only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bot.store import Tables


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing somebody did, for the audit log. Details never hold a secret."""

    action: str
    """Past tense, e.g. `connection.linked`."""
    object: str
    person_id: int | None = None
    telegram_id: int | None = None
    details: Mapping[str, str | int] = field(default_factory=dict)


class Recorder(Protocol):
    """Writes the audit log."""

    def record(self, tables: "Tables", deed: Deed) -> None:
        """Append `deed` inside the caller's transaction: no row, no change."""


class Signer(Protocol):
    """Makes and checks the code on a button (SAFETY M14)."""

    def sign(self, message: bytes) -> bytes:
        """16 bytes over the install's epoch and `message`."""


class Sealer(Protocol):
    """Closes what waits in a table for a moment and may hold a secret."""

    def seal(self, plain: bytes, row: int) -> bytes:
        """Only this install can open it, and only as what it was sealed as: the content of row number `row`."""

    def unseal(self, sealed: bytes, row: int) -> bytes:
        """What `seal` took; `ValueError` for anything else."""


class Intake(Protocol):
    """Takes raw Telegram updates, whichever way they came."""

    async def take(self, updates: Sequence[bytes]) -> None:
        """Drop strangers, keep the rest durably in one commit, hand them on. Returns only once they are kept.

        Raises:
            StoreError: Nothing of this batch was kept; offer it again.
        """
