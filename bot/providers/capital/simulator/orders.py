"""From the bodies of dealing calls to what may be carried out, or the refusal the reference names."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from bot.network.strictjson import Json
from bot.providers.capital.simulator.calls import Refused, flag, moment, number, text
from bot.providers.capital.simulator.market import INSTRUMENTS, Instrument
from bot.providers.capital.simulator.state import Account, Bracket, Direction, Position, WorkingOrder
from bot.providers.capital.simulator.world import World

_MOST_LEVEL = Decimal(10) ** 9
_STOPS = ("stopLevel", "stopDistance", "stopAmount")
_PROFITS = ("profitLevel", "profitDistance", "profitAmount")


@dataclass(frozen=True, slots=True)
class Order:
    """To be dealt at the market now."""

    instrument: Instrument
    direction: Direction
    size: Decimal
    bracket: Bracket


def parse_order(world: World, account: Account, body: Mapping[str, Json]) -> Order:
    """Raises `Refused` for whatever the broker refuses before an order exists."""
    instrument, direction, size = _what(body)
    bracket = _levels(world, account, instrument, direction, size).bracket(body)
    return Order(instrument, direction, size, bracket)


def _what(body: Mapping[str, Json]) -> tuple[Instrument, Direction, Decimal]:
    direction = text(body, "direction")
    if direction not in ("BUY", "SELL"):
        raise Refused(400, "error.invalid.direction")
    instrument = INSTRUMENTS.get(text(body, "epic"))
    if instrument is None:
        raise Refused(404, "error.not-found.epic")
    return instrument, Direction(direction), _size(instrument, body)


def _size(instrument: Instrument, body: Mapping[str, Json]) -> Decimal:
    size = number(body, "size")
    if size is None:
        raise Refused(400, "error.null.size")
    if size < instrument.min_size:
        raise Refused(400, "error.invalid.size.minvalue")
    if size > instrument.max_size:
        raise Refused(400, "error.invalid.size.maxvalue")
    if size % instrument.size_step:
        raise Refused(400, "error.invalid.size")
    return size


def parse_bracket(world: World, account: Account, row: Position, body: Mapping[str, Json]) -> Bracket:
    """What a position's protection becomes: the whole of it, unless the control side has switched that off."""
    if not body:
        return row.bracket
    if world.state.options.partial_brackets:
        body = {**_unnamed(row.bracket, body), **body}
    levels = _levels(world, account, INSTRUMENTS[row.epic], row.direction, row.size)
    return replace(levels, base=row.level, trails=levels.price).bracket(body)


def _unnamed(kept: Bracket, body: Mapping[str, Json]) -> dict[str, Json]:
    """Of the present protection, what the body does not speak of."""
    legs: dict[str, Json] = {"trailingStop": kept.trailing, "guaranteedStop": kept.guaranteed}
    if not body.keys() & set(_STOPS):
        legs |= {"stopLevel": kept.stop_level, "stopDistance": kept.stop_distance}
    if not body.keys() & set(_PROFITS):
        legs["profitLevel"] = kept.profit_level
    return legs


def parse_working_order(world: World, account: Account, deal_id: str, body: Mapping[str, Json]) -> WorkingOrder:
    """A new order that waits; raises `Refused` as above."""
    instrument, direction, size = _what(body)
    kind = text(body, "type")
    if kind not in ("LIMIT", "STOP"):
        raise Refused(400, "error.invalid.type")
    level = _waiting_level(world, instrument, direction, kind, body)
    blank = WorkingOrder(
        deal_id=deal_id,
        account_id=account.id,
        epic=instrument.epic,
        direction=direction,
        size=size,
        level=level,
        kind="LIMIT" if kind == "LIMIT" else "STOP",
        leverage=account.leverages[instrument.kind].current,
        created=world.now(),
        good_till=_good_till(world, body),
    )
    return _protected(world, account, blank, body)


def change_working_order(world: World, account: Account, row: WorkingOrder, body: Mapping[str, Json]) -> WorkingOrder:
    """What is not named stays, but for the two flags, which fall back to false."""
    instrument = INSTRUMENTS[row.epic]
    level = row.level
    if body.get("level") is not None:
        level = _waiting_level(world, instrument, row.direction, row.kind, body)
    kept: dict[str, Json] = {}
    if not body.keys() & set(_STOPS):
        kept["stopDistance"] = row.stop_distance
    if not body.keys() & set(_PROFITS):
        kept["profitDistance"] = row.profit_distance
    changed = replace(row, level=level, good_till=_changed_good_till(world, row, body))
    return _protected(world, account, changed, {**kept, **body})


def _changed_good_till(world: World, row: WorkingOrder, body: Mapping[str, Json]) -> datetime | None:
    named = body.get("timeInForce")
    if named not in (None, "GOOD_TILL_CANCELLED", "GOOD_TILL_DATE"):
        raise Refused(400, "error.invalid.timeInForce")
    if named == "GOOD_TILL_CANCELLED":
        return None
    if named == "GOOD_TILL_DATE" and body.get("goodTillDate") is None:
        raise Refused(400, "error.null.goodTillDate")
    return row.good_till if body.get("goodTillDate") is None else _good_till(world, body)


def _good_till(world: World, body: Mapping[str, Json]) -> datetime | None:
    value = body.get("goodTillDate")
    if value is None:
        return None
    until = moment(value)
    if until is None:
        raise Refused(400, "error.invalid.daterange")
    if until <= world.now():
        raise Refused(400, "error.not-in-future.goodTillDate")
    return until


def _waiting_level(
    world: World, instrument: Instrument, direction: Direction, kind: str, body: Mapping[str, Json]
) -> Decimal:
    """A stop order waits beyond the price; a limit order the price has reached already is simply filled."""
    level = number(body, "level")
    if level is None:
        raise Refused(400, "error.null.level")
    if not 0 < level < _MOST_LEVEL:
        raise Refused(400, "error.invalid.level")
    price = world.fill_price(instrument.epic, direction)
    nearest = price * (1 + direction.sign * instrument.min_distance / 100)
    if kind == "STOP" and (level - nearest) * direction.sign < 0:
        raise Refused(400, "error.validation.stop.price")
    return level.quantize(instrument.tick, ROUND_HALF_EVEN)


def _protected(world: World, account: Account, row: WorkingOrder, body: Mapping[str, Json]) -> WorkingOrder:
    levels = _Levels(world, account, INSTRUMENTS[row.epic], row.direction, row.size, row.level, row.level, row.level)
    bracket = levels.bracket(body)
    stop, profit = bracket.stop_level, bracket.profit_level
    return replace(
        row,
        stop_distance=None if stop is None else abs(row.level - stop),
        profit_distance=None if profit is None else abs(profit - row.level),
        trailing=bracket.trailing,
        guaranteed=bracket.guaranteed,
    )


def _levels(world: World, account: Account, instrument: Instrument, direction: Direction, size: Decimal) -> "_Levels":
    opening, closing = (world.fill_price(instrument.epic, way) for way in (direction, direction.opposite))
    return _Levels(world, account, instrument, direction, size, opening, closing, opening)


@dataclass(frozen=True, slots=True)
class _Levels:
    """Distances count from `base`, those of a trailing stop from `trails`; levels are checked on `price`."""

    world: World
    account: Account
    instrument: Instrument
    direction: Direction
    size: Decimal
    base: Decimal
    price: Decimal
    trails: Decimal

    def bracket(self, body: Mapping[str, Json]) -> Bracket:
        guaranteed, trailing = flag(body, "guaranteedStop"), flag(body, "trailingStop")
        stop = self._level(body, "stop", -self.direction.sign)
        profit = self._level(body, "profit", self.direction.sign)
        distance = number(body, "stopDistance")
        self._flags(guaranteed, trailing, stop, distance)
        nearest = self.instrument.min_guaranteed if guaranteed else self.instrument.min_distance
        if stop is not None:
            stop = self._checked("stoploss", stop, -self.direction.sign, nearest)
        if profit is not None:
            profit = self._checked("takeprofit", profit, self.direction.sign, self.instrument.min_distance)
        return Bracket(stop, profit, distance if trailing else None, trailing, guaranteed)

    def _flags(self, guaranteed: bool, trailing: bool, stop: Decimal | None, distance: Decimal | None) -> None:
        if guaranteed and (trailing or self.account.hedging or not self.instrument.guaranteed_allowed):
            raise Refused(400, "error.validation.guaranteed.stop")
        if guaranteed and stop is None:
            raise Refused(400, "error.null.stopLevel")
        if trailing and distance is None:
            raise Refused(400, "error.null.stopDistance")

    def _level(self, body: Mapping[str, Json], leg: str, way: int) -> Decimal | None:
        """Of the three forms the level wins, then the distance, then the amount; a trailing stop is a distance.

        `way` is +1 for a leg above the price and -1 for one below.
        """
        level, distance = number(body, f"{leg}Level"), number(body, f"{leg}Distance")
        amount = number(body, f"{leg}Amount")
        base = self.base
        if leg == "stop" and flag(body, "trailingStop"):
            base, level = self.trails, None
        if level is not None:
            return level
        if distance is None and amount is not None:
            distance = self.world.convert(amount, self.account.currency, self.instrument.currency) / self.size
        if distance is None:
            return None
        return base + distance * way

    def _checked(self, leg: str, level: Decimal, way: int, nearest: Decimal) -> Decimal:
        """The level on the price grid, if it is neither too near to the current price nor too far."""
        near = self._grid(self.price * (1 + way * nearest / 100))
        far = self._grid(self.price * (1 + way * self.instrument.max_distance / 100))
        lowest, highest = min(near, far), max(near, far)
        if level < lowest:
            raise Refused(400, f"error.invalid.{leg}.minvalue: {lowest}")
        if level > highest:
            raise Refused(400, f"error.invalid.{leg}.maxvalue: {highest}")
        return self._grid(level)

    def _grid(self, price: Decimal) -> Decimal:
        return price.quantize(self.instrument.tick, ROUND_HALF_EVEN)
