"""What a confirmation says of a deal of ours. Pure.

A position's reference is always the same, `p_` and its number. So what comes under it right after a close or a change
may be old: the confirmation of its opening, or of an earlier change. It counts from when it is of the wanted kind and
not older than our deal.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from bot.providers.acts import ActKind
from bot.providers.capital.seam.terms import Terms, order_type
from bot.providers.capital.seam.wired import Before
from bot.providers.capital.wire.orders import Confirmation
from bot.providers.capital.wire.reasons import reason_of

SLACK = timedelta(seconds=2)
"""How far apart the clocks behind one provider's calls may stand."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The broker's, on our deal."""

    accepted: bool
    reference: str
    """The position or order it is about, as far as it was told."""
    said: str
    differing: tuple[str, ...] = ()
    """Accepted, but in these fields it is not what was approved (M07)."""


def verdict_in(told: Confirmation | None, terms: Terms, before: Before, reference: str) -> Verdict | None:
    """None while there is none, or only an old one."""
    if told is None or told.deal_status is None:
        return None
    is_shared = reference.startswith("p_")
    if is_shared and (told.at is None or told.at < before.moment - SLACK):
        return None
    if told.deal_status == "REJECTED":
        return Verdict(False, reference, reason_of(told.why))
    if not _is_of_the_kind(told, terms):
        return None
    deal = _deal(told, terms) or reference
    return Verdict(True, deal, _said(told, terms, deal), _differing(told, terms))


def _is_of_the_kind(told: Confirmation, terms: Terms) -> bool:
    affected = {one.status for one in told.affected}
    match terms.kind, terms.what:
        case ActKind.CLOSE, _:
            return told.status == "CLOSED" or "FULLY_CLOSED" in affected
        case ActKind.CHANGE, "position":
            return told.status == "AMENDED" or "AMENDED" in affected
        case ActKind.CHANGE, "withdrawn order":
            return told.status == "DELETED" or "DELETED" in affected
        case _:
            return True


def _deal(told: Confirmation, terms: Terms) -> str:
    """A market order's own number is not that of the position it opened."""
    if terms.kind is not ActKind.ORDER:
        return terms.target
    opened = [one.deal_id for one in told.affected if one.status == "OPENED"]
    others = [one.deal_id for one in told.affected]
    return next(iter((*opened, *others)), told.deal_id or "")


def _said(told: Confirmation, terms: Terms, deal: str) -> str:
    price = f" at {told.level:f}" if told.level else ""  # a fill is told as nought now and then
    match terms.kind, terms.what:
        case ActKind.ORDER, "market":
            return f"done as {deal}{price}"
        case ActKind.ORDER, _:
            return f"the order waits as {deal}"
        case ActKind.CLOSE, _:
            gained = f", {told.profit:+f} {told.profit_currency or ''}".rstrip() if told.profit is not None else ""
            return f"closed{price}{gained}"
        case _, "withdrawn order":
            return "the order is taken back"
        case _:
            return "changed"


def _differing(told: Confirmation, terms: Terms) -> tuple[str, ...]:
    """What is told and is not as approved. What is not told is not held against it."""
    pairs: dict[str, tuple[object, object]] = {"epic": (told.epic, terms.epic or None)}
    if terms.kind is ActKind.ORDER:
        pairs |= {"direction": (told.direction, terms.side), "size": (told.size, terms.size)}
        pairs |= {"stop": (told.stop_level, terms.stop), "limit": (told.profit_level, terms.limit)}
        if order_type(terms) is not None:
            pairs["level"] = (told.level or None, terms.level)
    else:
        ids = {told.deal_id, *(one.deal_id for one in told.affected)} - {None}
        pairs["deal"] = (None, None) if not ids or terms.target in ids else (ids, terms.target)
    if terms.what == "position" and terms.kind is ActKind.CHANGE:
        pairs |= {"stop": (told.stop_level, _price(terms.stop)), "limit": (told.profit_level, _price(terms.limit))}
    return tuple(name for name, (one, other) in pairs.items() if one is not None and other is not None and one != other)


def _price(leg: object) -> Decimal | None:
    return leg if isinstance(leg, Decimal) else None
