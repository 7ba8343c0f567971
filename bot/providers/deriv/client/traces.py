"""What an account's statement shows of one act. Pure.

A payment to or through an agent carries our reference in its description, which the statement repeats (M31). A transfer
between own accounts, a purchase and a sale carry none. They are known by what else they are: booked after everything
that was there when the act was prepared, and soon, by our app, in every field what was approved, and the only one that
is. Whatever lacks one of these is shown to people, and settles nothing; whether another request of ours could have done
it is for the money room to say (`Evidence.by_nature`).

Source: Deriv WebSocket API v3, call `statement`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from bot.money import Money
from bot.providers.acts import Act, ActKind, Evidence, Outcome, PayWay
from bot.providers.deriv.client import payments
from bot.providers.deriv.wire.books import Row

SOON = timedelta(minutes=15)
"""What carries no mark is ours only when it was booked so soon."""
_LEAVES = {"withdrawal", "transfer"}


@dataclass(frozen=True, slots=True)
class Known:
    """What was known when an act was prepared, and tells its effect from everything else."""

    reference: str
    after: int
    """The newest transaction of the account then; 0 for none."""
    app_id: int
    prepared_at: datetime


def is_booked(rows: Sequence[Row], reference: str) -> bool:
    """Whether something carries the reference."""
    return any(_is_marked(row, reference) for row in rows)


def _is_marked(row: Row, reference: str) -> bool:
    """What comes in with our reference is somebody else's doing: ours leaves."""
    return row.amount.amount < 0 and payments.mark_in(row.text) == reference


def evidence_in(rows: Sequence[Row], act: Act, known: Known, seen_at: datetime) -> Evidence | None:
    """What the rows prove of the act; None where it is not among them. What is only like it comes as `alike`."""
    if act.kind is ActKind.CLOSE:
        return _of_sale(rows, act, known, seen_at)
    if act.kind is ActKind.TRANSFER and payments.way_of(act) is not PayWay.OWN:
        return _by_mark(rows, act, known, seen_at)
    return _by_nature(rows, act, known, seen_at)


def _by_mark(rows: Sequence[Row], act: Act, known: Known, seen_at: datetime) -> Evidence | None:
    ours = [row for row in rows if _is_marked(row, known.reference)]
    if not ours:
        likes = [row for row in _new(rows, known) if _fits(row, act) and not payments.mark_in(row.text)]
        return _alike(likes, seen_at)
    ids = _ids(ours)
    if len(ours) > 1:
        return Evidence(Outcome.UNKNOWN, ids, "booked more than once", seen_at, differing=("id",))
    differing = tuple(
        what
        for what, is_right in (
            ("amount", act.amount is not None and ours[0].amount == -act.amount),
            ("kind", ours[0].action in _LEAVES),
        )
        if not is_right
    )
    if differing:
        return Evidence(Outcome.UNKNOWN, ids, "booked, but not as approved", seen_at, differing=differing)
    return Evidence(Outcome.SUCCEEDED, ids, f"in the statement as transaction {ids}", seen_at)


def _by_nature(rows: Sequence[Row], act: Act, known: Known, seen_at: datetime) -> Evidence | None:
    likes = [row for row in _new(rows, known) if _fits(row, act) and row.app_id in (known.app_id, None)]
    until = known.prepared_at + SOON
    ours = [one for one in likes if one.app_id == known.app_id and one.at <= until and one.amount == -_worth(act)]
    if len(ours) != 1 or len(likes) != 1:
        return _alike(likes, seen_at)
    (row,) = ours
    contract = f", contract {row.contract_id}" if row.contract_id is not None else ""
    said = f"in the statement as transaction {row.id}{contract}, the only one like it since it was prepared"
    return Evidence(Outcome.SUCCEEDED, str(row.id), said, seen_at, by_nature=True)


def _of_sale(rows: Sequence[Row], act: Act, known: Known, seen_at: datetime) -> Evidence | None:
    """A contract ends once: by our sale, by somebody else's, or by itself."""
    sold = [row for row in rows if row.action == "sell" and str(row.contract_id) == act.target]
    if not sold:
        return None
    (row, *others) = sold
    if others:
        return _alike(sold, seen_at)
    number, least = str(row.id), Decimal(act.parameters.get("least", "0"))
    ended = _end_of(row)
    if ended is not None and row.at.timestamp() >= ended:
        return Evidence(Outcome.ALREADY_DECIDED, number, f"ran out, and was settled for {row.amount}", seen_at)
    if row.id <= known.after or row.app_id not in (known.app_id, None):
        return Evidence(Outcome.ALREADY_DECIDED, number, f"was sold otherwise, for {row.amount}", seen_at)
    if row.app_id is None:
        return _alike(sold, seen_at)
    if row.amount.amount < least:
        return Evidence(Outcome.UNKNOWN, number, "sold, but not as approved", seen_at, differing=("price",))
    said = f"contract {act.target}, sold for {row.amount}, transaction {number}"
    return Evidence(Outcome.SUCCEEDED, number, said, seen_at, by_nature=True)


def _end_of(row: Row) -> int | None:
    """When the contract ends by itself, where its short name tells: `CALL_R_100_19.54_START_END_…`."""
    times = [int(part.rstrip("F")) for part in row.shortcode.split("_") if part.rstrip("F").isdecimal()]
    moments = [one for one in times if one > 1_000_000_000]
    return moments[1] if len(moments) > 1 else None


def _new(rows: Sequence[Row], known: Known) -> list[Row]:
    return [row for row in rows if row.id > known.after]


def _fits(row: Row, act: Act) -> bool:
    """Whether a row is, in every field it has, what was approved."""
    if act.amount is None:
        return False
    if act.kind is ActKind.ORDER:
        most = Decimal(act.parameters.get("price", act.amount.text()))
        bought = f"{act.parameters.get('contract_type', '')}_{act.parameters.get('symbol', act.target)}_".upper()
        named = row.shortcode.upper()
        return row.action == "buy" and -most <= row.amount.amount < 0 and named.startswith(bought)
    return (
        row.action in _LEAVES
        and row.amount == -act.amount
        and row.source in ("", act.account)
        and row.target in ("", act.target)
    )


def _worth(act: Act) -> Money:
    """What it is about. An act without an amount fits no row, and never comes here."""
    if act.amount is None:
        raise ValueError("an act without an amount")
    return act.amount


def _alike(rows: Sequence[Row], seen_at: datetime) -> Evidence | None:
    if not rows:
        return None
    alike = tuple(str(row.id) for row in rows)
    return Evidence(Outcome.UNKNOWN, "", "like it in the statement, but not surely it", seen_at, alike=alike)


def _ids(rows: Sequence[Row]) -> str:
    return ", ".join(str(row.id) for row in sorted(rows, key=lambda row: row.id))
