"""Everything that deals: what is sent, and nothing else. Pure. Source: reference, Positions and Orders.

Stops and limits go out as prices. One form of each only: what two forms would mean is nowhere written.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from bot.providers.capital.wire.grammar import BASE, Request, path, told
from bot.providers.capital.wire.positions import Side

Fields = dict[str, str | bool | Decimal | None]


@dataclass(frozen=True, slots=True)
class Deal:
    """What is bought or sold, and when it is to be let go."""

    epic: str
    side: Side
    size: Decimal
    stop: Decimal | None = None
    limit: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Bracket:
    """The stop and limit of a position, whole: None is to be none."""

    stop: Decimal | None
    limit: Decimal | None
    guaranteed: bool = False
    trailing_distance: Decimal | None = None
    """It has a stop that follows at this distance, instead of `stop`."""


@dataclass(frozen=True, slots=True)
class OrderChange:
    """What becomes of an order that waits; what is None stays."""

    level: Decimal | None = None
    stop: Decimal | None = None
    limit: Decimal | None = None
    till: str = ""
    is_till_cancelled: bool = False
    guaranteed: bool = False
    trailing: bool = False
    kept_distance: Decimal | None = None
    """Of its stop, which stays as it is: a flag that stays is not taken without it."""

    @property
    def says_nothing(self) -> bool:
        return not (self.level or self.stop or self.limit or self.till or self.is_till_cancelled)


def build_position(deal: Deal) -> Request:
    """At the market's price, now."""
    return told("POST", f"{BASE}/positions", {**_deal(deal), **_legs(deal.stop, deal.limit)})


def build_order(deal: Deal, kind: Literal["LIMIT", "STOP"], level: Decimal, till: str = "") -> Request:
    """When the price comes to `level`. `till`: UTC, as inputs have it; empty is until it is taken back."""
    when: Fields = {"type": kind, "level": level, **({"goodTillDate": till} if till else {})}
    return told("POST", f"{BASE}/workingorders", {**_deal(deal), **when, **_legs(deal.stop, deal.limit)})


def build_close(deal_id: str) -> Request:
    """The whole position."""
    return Request("DELETE", path("positions", deal_id))


def build_bracket(deal_id: str, bracket: Bracket) -> Request:
    """Both legs and both flags: what is left out is taken away, by some reports, and stays by others."""
    flags: Fields = {"guaranteedStop": bracket.guaranteed, "trailingStop": bracket.trailing_distance is not None}
    if bracket.trailing_distance is not None:
        stop: Fields = {"stopDistance": bracket.trailing_distance}
    else:
        stop = {"stopLevel": bracket.stop}
    return told("PUT", path("positions", deal_id), {**flags, **stop, "profitLevel": bracket.limit})


def build_order_change(deal_id: str, change: OrderChange) -> Request:
    """Both flags always: one that is left out is reset."""
    fields: Fields = {"guaranteedStop": change.guaranteed, "trailingStop": change.trailing}
    if change.level is not None:
        fields["level"] = change.level
    if change.till:
        fields["goodTillDate"] = change.till
    if change.is_till_cancelled:
        fields["timeInForce"] = "GOOD_TILL_CANCELLED"
    if change.kept_distance is not None:
        fields["stopDistance"] = change.kept_distance
    return told("PUT", path("workingorders", deal_id), {**fields, **_legs(change.stop, change.limit)})


def build_withdrawal(deal_id: str) -> Request:
    """The order waits no longer."""
    return Request("DELETE", path("workingorders", deal_id))


def _deal(deal: Deal) -> Fields:
    return {"epic": deal.epic, "direction": deal.side, "size": deal.size}


def _legs(stop: Decimal | None, limit: Decimal | None) -> Fields:
    legs: Fields = {"stopLevel": stop, "profitLevel": limit}
    return {key: price for key, price in legs.items() if price is not None}
