"""Buying, selling, closing, changing: from words to plans. What a broker would refuse is said before anybody signs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.access.model import Person
from bot.approvals.model import Kind
from bot.approvals.service import Wish
from bot.clock import Clock
from bot.errors import CountersignError, InputError, NotFoundError
from bot.operations.adapters import orders_of, prices_of
from bot.operations.connections import Connections
from bot.operations.deal_line import Line
from bot.operations.deal_terms import (
    BUY,
    SELL,
    bound_of,
    check_bracket,
    check_size,
    number_of,
    terms_of,
    type_of,
    worth_at,
    worth_of,
)
from bot.operations.linked import Connection
from bot.operations.markets import MOST_FOUND, the_one
from bot.operations.moving.matters import common
from bot.operations.moving.plans import Plan, Planning
from bot.providers.acts import ActKind
from bot.providers.base import Ability
from bot.providers.markets import KeepsOrders, TellsPrices
from bot.providers.records import Direction, Market, Order, Position

ALL = "all"
_SIDES = {Direction.LONG: "buy", Direction.SHORT: "sell"}
CHANGE, CLOSE = "/change <id> stop 4000 limit none", "/close GOLD"


@dataclass(frozen=True, slots=True)
class Where:
    """In which chat it is asked for."""

    asked_in: str | None = None
    chat_id: int | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """Something open or waiting, and through which connection."""

    connection: Connection
    item: Position | Order


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was named and cannot be closed, or a connection that did not say what is open, and why."""

    what: str
    why: CountersignError


class DealDesk:
    """Looks at the market and at what is open, then makes the plan."""

    def __init__(self, connections: Connections, planning: Planning, clock: Clock, zone: ZoneInfo) -> None:
        self._connections = connections
        self._planning = planning
        self._clock = clock
        self._zone = zone

    async def order(self, by: Person, side: str, line: Line, where: Where) -> Plan:
        """Buy or sell, at once or at a price.

        Args:
            side: buy, sell.
        Raises:
            InputError: Not like that; the sentence says why.
            NotFoundError: No such market, or connection.
            CountersignError: What else stands against it.
        """
        example = BUY if side == "buy" else SELL
        if not line.what or not line.size:
            raise InputError("say how much of which market", example)
        size = number_of(line.size, "a size", example)
        connection = await self._through(by, line.on)
        async with self._connections.session(connection) as provider:
            prices, deals = prices_of(provider), orders_of(provider)
            market = await _with_price(prices, (await the_one(prices, line.what)).symbol)
            account = await deals.dealing_account()
            tolerance = deals.price_tolerance
        kind, price, terms = self._checked(side, line, market)
        bound = bound_of(side, price, tolerance) if kind == "market" else {}
        parameters = {
            **common(connection),
            "account": account,
            "target": market.symbol,
            "symbol": market.symbol,
            "name": market.name,
            "direction": side,
            "size": f"{size:f}",
            "type": kind,
            **terms,
            **bound,
            **worth_at(size, Decimal(bound.get("price", price)), market.currency),
        }
        return await self._plan(by, connection, Kind.ORDER, parameters, where)

    def check(self, side: str, line: Line, market: Market, *, may_wait: bool) -> None:
        """Whether a deal that is not whole yet could become one.

        Args:
            market: With its price.
            may_wait: Nobody has said yet whether it is to be done at once.
        Raises:
            InputError: What is there of it would be refused.
        """
        self._checked(side, line, market, may_wait=may_wait)

    async def markets_called(self, connection: Connection, text: str) -> tuple[Market, ...]:
        """The one that is meant, with its price; or the several that could be.

        Raises:
            NotFoundError: None could be.
        """
        async with self._connections.session(connection) as provider:
            prices = prices_of(provider)
            found = (await prices.find_markets(text, most=MOST_FOUND)).items
            exact = [one for one in found if text.casefold() in (one.symbol.casefold(), one.name.casefold())]
            if not found:
                raise NotFoundError("market", text)
            if len(exact) != 1 and len(found) > 1:
                return found
            return (await _with_price(prices, (exact or found)[0].symbol),)

    async def markets_dealt_in(self, connection: Connection) -> tuple[Market, ...]:
        """Those in which something is open or waits."""
        async with self._connections.session(connection) as provider:
            held = {one.symbol: one.name for one in (await provider.positions()).items}
            waiting = {one.symbol: one.name for one in (await orders_of(provider).orders()).items}
        return tuple(Market(symbol, name) for symbol, name in {**held, **waiting}.items())

    async def closing(self, by: Person, line: Line, where: Where) -> tuple[tuple[Plan, ...], tuple[LeftOut, ...]]:
        """Close what the words name: an id, a market, or `all`; one plan for each. What stands against one of several
        keeps no other open.

        What is taken back at a price is bound to the price of now, or to the one that is said.

        Raises:
            NotFoundError: Nothing of that name is open.
            CountersignError: What stands against closing it, where nothing is left that can be closed.
        """
        if not line.what:
            raise InputError("say what to close: its number, its market, or all", CLOSE)
        if line.stop or line.limit or line.till:
            raise InputError("a close has no stop, limit or day; /change sets them", CLOSE)
        found, left = await self._looked(by, line.on)
        found = [one for one in found if isinstance(one.item, Position)]
        wanted = [one for one in found if line.what == ALL or _is_called(one.item, line.what)]
        plans = []
        for one in wanted:
            try:
                plans.append(await self._to_close(by, one, line, where))
            except CountersignError as error:
                left.append(LeftOut(f"{one.item.name} {one.item.id}", error))
        if not plans and left:
            raise left[-1].why
        if not plans:
            known = list(dict.fromkeys(one.item.symbol for one in found))
            raise NotFoundError("open position", line.what, known)
        return tuple(plans), tuple(left)

    async def _to_close(self, by: Person, one: Open, line: Line, where: Where) -> Plan:
        if line.size and number_of(line.size, "a size", CLOSE) != one.item.size:
            held = f"{one.item.size:f}" if one.item.size is not None else "it"
            said = f"{one.connection.spec.title} closes a position whole, and this one has {held} units"
            raise InputError(f"{said}; leave the size out", CLOSE)
        parameters = {**_about(one, worth_of(one.item)), **_least(one, line)}
        return await self._plan(by, one.connection, Kind.CLOSE, parameters, where)

    async def change(self, by: Person, line: Line, where: Where) -> Plan:
        """Another stop, limit, price or time of what is open or waits; `none` takes a stop or limit away."""
        if not line.what or not line.has_terms:
            raise InputError("say what to change, and to which stop, limit or price", CHANGE)
        one = _only(await self.open_to(by, line.on), line.what)
        is_order = isinstance(one.item, Order)
        if not is_order and (line.level or line.till):
            raise InputError("a position has a stop and a limit; a price and a time belong to an order", CHANGE)
        terms = terms_of(line, self._zone, self._clock.now(), may_be_none=True)
        _check_legs(one.item, terms)
        worth = worth_of(one.item, terms.get("level"))
        if "level" in terms and not worth:
            raise InputError("nobody can weigh what it is worth there: its currency is not told", CHANGE)
        parameters = {
            **_about(one, worth),
            "what": "order" if is_order else "position",
            **terms,
        }
        return await self._plan(by, one.connection, Kind.CHANGE, parameters, where)

    async def withdrawn(self, by: Person, line: Line, where: Where) -> Plan:
        """Take back an order that waits."""
        waiting = [one for one in await self.open_to(by, line.on) if isinstance(one.item, Order)]
        one = _only(waiting, line.what, "waiting order")
        parameters = {**_about(one, worth_of(one.item)), "what": "withdrawn order"}
        return await self._plan(by, one.connection, Kind.CHANGE, parameters, where)

    async def open_to(self, by: Person, word: str = "") -> tuple[Open, ...]:
        """Everything open or waiting that this person could close or change."""
        found, left = await self._looked(by, word)
        if left:
            raise left[0].why
        return tuple(found)

    async def _looked(self, by: Person, word: str) -> tuple[list[Open], list[LeftOut]]:
        """The same as far as it could be read."""
        found: list[Open] = []
        left: list[LeftOut] = []
        for connection in await self._dealing(by, word, None):
            try:
                async with self._connections.session(connection) as provider:
                    items: list[Position | Order] = [*(await provider.positions()).items]
                    if isinstance(provider, KeepsOrders):
                        items += (await provider.orders()).items
            except CountersignError as error:
                left.append(LeftOut(connection.name, error))
            else:
                found += [Open(connection, one) for one in items]
        return found, left

    async def _plan(
        self, by: Person, connection: Connection, kind: Kind, parameters: Mapping[str, str], where: Where
    ) -> Plan:
        wish = Wish(kind, dict(parameters), where.asked_in, where.chat_id)
        return await self._planning.plan(by, connection, wish)

    async def ordering(self, by: Person, word: str = "") -> list[Connection]:
        """Those to order through; never none.

        Raises:
            NotFoundError: There is no such thing.
        """
        return await self._dealing(by, word, Ability.ORDERS)

    async def _dealing(self, by: Person, word: str, ability: Ability | None) -> list[Connection]:
        """Those to deal through; with an ability, where they need one."""
        seen = await (self._connections.named(by, word) if word else self._connections.visible_to(by))
        dealing = [one for one in seen if ActKind.CLOSE in one.spec.acts]
        able = [one for one in dealing if ability is None or ability in one.spec.abilities]
        if not able:
            raise NotFoundError("broker's connection", word or "any", [one.name for one in seen])
        return [one for one in able if one.may_act(by)] or able

    async def _through(self, by: Person, word: str) -> Connection:
        able = await self.ordering(by, word)
        if len(able) > 1:
            names = " or ".join(one.name for one in able)
            raise InputError(f"name the connection: {names}", f"{BUY} on {able[0].name}")
        return able[0]

    def _checked(
        self, side: str, line: Line, market: Market, *, may_wait: bool = False
    ) -> tuple[str, Decimal, dict[str, str]]:
        """Which kind of order it is, the price it would be done at, and its terms."""
        if market.quote is None:
            raise InputError(f"{market.name} has no price now", "")
        if market.currency is None or not market.currency.known:
            said = f"it is not told in which currency {market.name} is dealt in"
            raise InputError(f"{said}, and what nobody can weigh is not asked for", "")
        terms = terms_of(line, self._zone, self._clock.now())
        price = market.quote.ask if side == "buy" else market.quote.bid
        kind = "" if may_wait and not line.level else type_of(side, line, price, market)
        if line.size:
            check_size(number_of(line.size, "a size", BUY if side == "buy" else SELL), market)
        price = Decimal(terms.get("level", price))
        check_bracket(side, price, terms)
        return kind, price, terms


def _least(one: Open, line: Line) -> dict[str, str]:
    """What it must give at least, where it is sold back for a price. Never for whatever it brings."""
    if not isinstance(one.item, Position):
        return {}
    if Ability.ORDERS in one.connection.spec.abilities:
        if line.level:
            said = f"{one.connection.spec.title} closes at the price of the moment; a limit waits for another one"
            raise InputError(said, f"/change {one.item.id} limit {line.level}")
        return {}
    if one.item.can_be_closed is False:
        raise InputError(f"{one.connection.spec.title} does not take {one.item.id} back now; it runs to its end", "")
    if line.level:
        number_of(line.level, "a price", f"/close {one.item.id} at 10.00")
        return {"least": line.level}
    if one.item.worth is None:
        said = f"what {one.item.id} is worth now was not read, so say what it must give at least"
        raise InputError(said, f"/close {one.item.id} at 10.00")
    return {"least": one.item.worth.text()}


def _check_legs(item: Position | Order, terms: Mapping[str, str]) -> None:
    """Against the price of now, or the one that an order waits for: the broker looks at that one, too."""
    price = Decimal(terms.get("level", item.level)) if isinstance(item, Order) else item.now
    if price is not None and item.direction is not None:
        check_bracket(_SIDES[item.direction], price, terms, f"of a {item.direction}")


def _about(one: Open, worth: Mapping[str, str]) -> dict[str, str]:
    item = one.item
    return {
        **common(one.connection),
        "account": item.account,
        "target": item.id,
        "symbol": item.symbol,
        "name": item.name,
        **({"direction": _SIDES[item.direction]} if item.direction is not None else {}),
        **({"size": f"{item.size:f}"} if item.size is not None else {}),
        **worth,
    }


def _is_called(item: Position | Order, word: str) -> bool:
    return word.casefold() in (item.id.casefold(), item.symbol.casefold(), item.name.casefold())


def _only(found: tuple[Open, ...] | list[Open], word: str, what: str = "open position or order") -> Open:
    called = [one for one in found if _is_called(one.item, word)]
    if not called:
        raise NotFoundError(what, word, [one.item.id for one in found][:8])
    if len(called) > 1:
        raise InputError(f"{len(called)} are called so; name one by its number", called[0].item.id)
    return called[0]


async def _with_price(prices: TellsPrices, symbol: str) -> Market:
    market = await prices.market(symbol)
    return market if market.quote is not None else replace(market, quote=await prices.quote(symbol))
