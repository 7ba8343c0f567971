"""What an act of dealing says, read from its texts. Pure.

an order             target: the market · direction: buy, sell · size · type: market, limit, stop
                     level: the price it waits for · stop, limit: prices · good_till: UTC, 2026-05-04T09:30:00
                     at market: price (of a buy), least (of a sell): no worse a quote may be there when it is sent
a close              target: the position · size: all of it
a change             what: position, order, withdrawn order · target · level, stop, limit, good_till; what is not
                     named stays, and what is "none" is taken away
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from bot.errors import InputError
from bot.providers.acts import Act, ActKind
from bot.providers.capital.wire.positions import Side

NONE: Final = "none"
_PRICE = re.compile(r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,10})?", re.ASCII)
_MOMENT = re.compile(r"2[0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]", re.ASCII)
_DEAL = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_SIDES: dict[str, Side] = {"buy": "BUY", "sell": "SELL"}
_TYPES: dict[str, Literal["LIMIT", "STOP"] | None] = {"market": None, "limit": "LIMIT", "stop": "STOP"}
_COMMON = {"symbol", "direction", "size", "type", "what"}
_LEGS = {"stop", "limit"}
_KNOWN = {
    (ActKind.ORDER, "market"): _COMMON | _LEGS | {"price", "least"},
    (ActKind.ORDER, "limit"): _COMMON | _LEGS | {"level", "good_till"},
    (ActKind.ORDER, "stop"): _COMMON | _LEGS | {"level", "good_till"},
    (ActKind.CLOSE, ""): _COMMON,
    (ActKind.CHANGE, "position"): _COMMON | _LEGS,
    (ActKind.CHANGE, "order"): _COMMON | _LEGS | {"level", "good_till"},
    (ActKind.CHANGE, "withdrawn order"): _COMMON | _LEGS | {"level", "good_till"},
}
"""What can be said of each. Anything else would be approved and not be sent."""

Leg = Decimal | Literal["none"] | None
"""A price; that there is to be none; or nothing said."""


@dataclass(frozen=True, slots=True)
class Terms:
    """An act in the provider's words."""

    kind: ActKind
    what: str
    """position, order, withdrawn order; the type of an order."""
    target: str
    epic: str
    side: Side | None
    size: Decimal | None
    level: Decimal | None
    stop: Leg
    limit: Leg
    till: str
    """A moment, "none", or nothing."""
    bound: Decimal | None = None
    """The worst price at which an order at market is sent."""

    @property
    def opposite(self) -> Side:
        """What closes it."""
        return "SELL" if self.side == "BUY" else "BUY"


def terms_of(act: Act) -> Terms:
    """`InputError` when Capital.com would not do it as it is meant."""
    said = act.parameters
    what = {ActKind.ORDER: said.get("type", "market"), ActKind.CHANGE: said.get("what", "")}.get(act.kind, "")
    known = _KNOWN.get((act.kind, what))
    if known is None:
        raise InputError(f"Capital.com has no {act.kind} of that kind", "an order at market, limit or stop")
    unknown = sorted(set(said) - known)
    if unknown:
        raise InputError(f"Capital.com cannot be told {' and '.join(unknown)} here", "stop 2310.00")
    if act.kind is not ActKind.ORDER and not _DEAL.fullmatch(act.target):
        raise InputError("that is no number of a position or order at Capital.com", act.target)
    terms = Terms(
        act.kind,
        what,
        act.target,
        act.target if act.kind is ActKind.ORDER else said.get("symbol", ""),
        _side(said.get("direction")),
        _number(said.get("size"), "size"),
        _number(said.get("level"), "price"),
        _leg(said.get("stop"), "stop"),
        _leg(said.get("limit"), "limit"),
        _till(said.get("good_till", "")),
        _bound(said),
    )
    if act.kind is ActKind.ORDER:
        _check_whole(terms)
    return terms


def order_type(terms: Terms) -> Literal["LIMIT", "STOP"] | None:
    """Of an order that waits; None for one that does not."""
    return _TYPES[terms.what]


def _check_whole(terms: Terms) -> None:
    if terms.side is None or not terms.size:
        raise InputError("an order says buy or sell, and how much", "buy 2 GOLD")
    if NONE in (terms.stop, terms.limit, terms.till):
        raise InputError("an order has a stop, or says nothing of one", "stop 2310.00")
    if order_type(terms) is not None and terms.level is None:
        raise InputError("an order that waits has a price that it waits for", "limit order at 2310.00")


def _side(text: str | None) -> Side | None:
    if text is None:
        return None
    if text not in _SIDES:
        raise InputError("a direction is buy or sell", "buy")
    return _SIDES[text]


def _number(text: str | None, what: str) -> Decimal | None:
    if text is None:
        return None
    if not _PRICE.fullmatch(text) or not Decimal(text):
        raise InputError(f"a {what} is plain digits with at most one point, and above nought", "2310.00")
    return Decimal(text)


def _bound(said: Mapping[str, str]) -> Decimal | None:
    mine, other = ("least", "price") if said.get("direction") == "sell" else ("price", "least")
    if other in said:
        raise InputError("a buy has a price at most, and a sell has one at least", "2310.00")
    return _number(said.get(mine), "price")


def _leg(text: str | None, what: str) -> Leg:
    return NONE if text == NONE else _number(text, what)


def _till(text: str) -> str:
    if text and text != NONE and not _MOMENT.fullmatch(text):
        raise InputError("a time is UTC, to the second", "2026-05-04T09:30:00")
    return text
