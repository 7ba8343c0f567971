"""From the body of `POST /positions` to an order that may be carried out, or the refusal the reference names."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from bot.network.strictjson import Json
from bot.providers.capital.simulator.calls import Refused, flag, number, text
from bot.providers.capital.simulator.market import INSTRUMENTS, Instrument
from bot.providers.capital.simulator.state import Account, Bracket, Direction
from bot.providers.capital.simulator.world import World


@dataclass(frozen=True, slots=True)
class Order:
    instrument: Instrument
    direction: Direction
    size: Decimal
    bracket: Bracket


def parse_order(world: World, account: Account, body: Mapping[str, Json]) -> Order:
    """Raises `Refused` for whatever the broker refuses before an order exists."""
    direction = text(body, "direction")
    if direction not in ("BUY", "SELL"):
        raise Refused(400, "error.invalid.direction")
    instrument = INSTRUMENTS.get(text(body, "epic"))
    if instrument is None:
        raise Refused(404, "error.not-found.epic")
    size = _size(instrument, body)
    bracket = _Levels(world, account, instrument, Direction(direction), size).bracket(body)
    return Order(instrument, Direction(direction), size, bracket)


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


@dataclass(frozen=True, slots=True)
class _Levels:
    """Turns distances and amounts into levels, and checks levels against the current quote."""

    world: World
    account: Account
    instrument: Instrument
    direction: Direction
    size: Decimal

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
        if guaranteed and (trailing or not self.instrument.guaranteed_allowed):
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
        if leg == "stop" and flag(body, "trailingStop"):
            level = None
        if level is not None:
            return level
        if distance is None and amount is not None:
            distance = self.world.convert(amount, self.account.currency, self.instrument.currency) / self.size
        if distance is None:
            return None
        return self.world.fill_price(self.instrument.epic, self.direction) + distance * way

    def _checked(self, leg: str, level: Decimal, way: int, nearest: Decimal) -> Decimal:
        """The level on the price grid, if it is neither too near to the current price nor too far."""
        price = self.world.fill_price(self.instrument.epic, self.direction.opposite)
        near = self._grid(price * (1 + way * nearest / 100))
        far = self._grid(price * (1 + way * self.instrument.max_distance / 100))
        lowest, highest = min(near, far), max(near, far)
        if level < lowest:
            raise Refused(400, f"error.invalid.{leg}.minvalue: {lowest}")
        if level > highest:
            raise Refused(400, f"error.invalid.{leg}.maxvalue: {highest}")
        return self._grid(level)

    def _grid(self, price: Decimal) -> Decimal:
        return price.quantize(self.instrument.tick, ROUND_HALF_EVEN)
