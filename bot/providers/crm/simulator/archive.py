"""A long past of one client for the transactions report: as many rows as asked for, computed when they are read. Pure.

Rows come in pairs that move the same amount in and out again, so that the wallet's balance and every `previous_balance`
agree with them however many there are; nothing of them is kept but four values.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.providers.crm.simulator.notation import ZERO, Place
from bot.providers.crm.simulator.world import Archive, Transaction

CURRENCY = "USD"
_PAIRS = (
    ("deposit", "withdrawal"),
    ("transfer_in", "transfer_out"),
    ("credit_in", "credit_out"),
    ("add_bonus", "withdraw_bonus"),
    ("commission_payout", "withdrawal"),
)


class Past(Sequence[datetime]):
    """The moments of an archive's rows, oldest first, without a list of them."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def __len__(self) -> int:
        return self._archive.count

    def __getitem__(self, index: int) -> datetime:  # type: ignore[override]  # slices are not asked for
        return self._archive.first_at + timedelta(seconds=self._archive.step_seconds * index)


def between(archive: Archive | None, start: datetime, end: datetime) -> range:
    """The numbers of the rows in that time, both ends inclusive."""
    if archive is None:
        return range(0)
    return range(bisect_left(Past(archive), start), bisect_right(Past(archive), end))


def type_of(number: int) -> str:
    return _PAIRS[number // 2 % len(_PAIRS)][number % 2]


def reference_of(number: int) -> str:
    return f"ref{number:07}"


def row(archive: Archive, number: int) -> Transaction:
    amount = Decimal(1000 + number // 2 * 37 % 90000) / 100
    arriving = number % 2 == 0
    return Transaction(
        id=f"a{number:07}",
        place=Place(archive.user_id, CURRENCY),
        type=type_of(number),
        amount=amount,
        at=Past(archive)[number],
        comment=f"archive {number}",
        previous_balance=ZERO if arriving else amount,
        new_balance=amount if arriving else ZERO,
        payment_method="Card" if type_of(number) == "deposit" else "",
        ref_id=reference_of(number),
    )


def final_balance(archive: Archive) -> Decimal:
    return row(archive, archive.count - 1).new_balance
