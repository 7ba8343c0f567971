"""A deal, composed: the request that does it, and how things stood before. Reads, and changes nothing.

Capital.com takes no reference of ours and knows no key under which a thing is done once. So what tells our deal from
others is what was there before it: positions and orders of the market, and the provider's own clock.

A close is of the whole position: `DELETE /positions` takes no size, and an opposite order consumes whatever is oldest.
A bracket is sent whole, with the leg that stays: one that is left out is taken away.
"""

from datetime import datetime
from decimal import Decimal

from bot.clock import to_millis
from bot.errors import ConflictError, InputError, NotFoundError
from bot.providers.acts import ActKind
from bot.providers.capital.client.deals import Deals
from bot.providers.capital.seam.terms import NONE, Leg, Terms, order_type
from bot.providers.capital.seam.wired import Before
from bot.providers.capital.wire import dealing
from bot.providers.capital.wire.grammar import Request
from bot.providers.capital.wire.orders import OrderRow
from bot.providers.capital.wire.positions import PositionRow


async def composed(terms: Terms, account: str, deals: Deals, at: datetime) -> tuple[Request, Before]:
    """Raises what stands against it.

    Args:
        deals: Read while the turn is held.
        at: By the provider's clock.

    Raises:
        ConflictError: What it is about is gone, or is not what was approved.
        InputError: The provider would not do it as it is meant.
    """
    match terms.kind, terms.what:
        case ActKind.ORDER, _:
            return await _order(terms, account, deals, at)
        case ActKind.CLOSE, _:
            row = await _position(terms, account, deals)
            if terms.size is not None and terms.size != row.position.size:
                said = f"the position has {row.position.size:f} units, and Capital.com closes positions whole"
                raise InputError(said, f"all {row.position.size:f} units")
            return dealing.build_close(terms.target), _before_of_position(row, at)
        case _, "position":
            row = await _position(terms, account, deals)
            return _bracket(terms, row), _before_of_position(row, at)
        case _, "order":
            waiting = await _waiting(terms, account, deals)
            return _order_change(terms, waiting), _before_of_order(waiting, at)
        case _:
            waiting = await _waiting(terms, account, deals)
            return dealing.build_withdrawal(terms.target), _before_of_order(waiting, at)


async def _order(terms: Terms, account: str, deals: Deals, at: datetime) -> tuple[Request, Before]:
    if terms.side is None or terms.size is None:
        raise InputError("an order says buy or sell, and how much", "buy 2 GOLD")
    if terms.bound is not None:
        _check_price(terms, terms.bound, await deals.price(terms.epic, terms.side, account))
    open_now = [row.position for row in await deals.positions(account) if row.market.epic == terms.epic]
    waiting = [row.working_order_data for row in await deals.orders(account)]
    there = [*(one.deal_id for one in open_now), *(one.deal_id for one in waiting if one.epic == terms.epic)]
    against = [one.deal_id for one in open_now if one.direction != terms.side]
    deal = dealing.Deal(terms.epic, terms.side, terms.size, _price(terms.stop), _price(terms.limit))
    before = Before(to_millis(at), tuple(there), tuple(against))
    kind = order_type(terms)
    if kind is None or terms.level is None:
        return dealing.build_position(deal), before
    return dealing.build_order(deal, kind, terms.level, terms.till), before


def _check_price(terms: Terms, bound: Decimal, price: Decimal | None) -> None:
    """An order at market takes whatever price is there, and Capital.com cannot be told of a worst one. So the quote is
    read as near to the sending as can be."""
    if price is None:
        raise ConflictError(f"{terms.epic} has no price now")
    if terms.side == "BUY" and price > bound:
        raise ConflictError(f"{terms.epic} costs {price:f} now, and at most {bound:f} was signed for")
    if terms.side == "SELL" and price < bound:
        raise ConflictError(f"{terms.epic} brings {price:f} now, and at least {bound:f} was signed for")


async def _position(terms: Terms, account: str, deals: Deals) -> PositionRow:
    """The one that is meant. `ConflictError` when it is gone, or another than was approved."""
    try:
        row = await deals.position(terms.target, account)
    except NotFoundError:
        raise ConflictError(f"position {terms.target} is not open any more") from None
    _check_same(terms, row.market.epic, row.position.direction)
    return row


async def _waiting(terms: Terms, account: str, deals: Deals) -> OrderRow:
    try:
        row = await deals.order(terms.target, account)
    except NotFoundError:
        raise ConflictError(f"order {terms.target} does not wait any more") from None
    order = row.working_order_data
    _check_same(terms, order.epic, order.direction)
    if terms.size is not None and terms.size != order.order_size:
        raise ConflictError(f"the order is for {order.order_size:f} units now, not {terms.size:f}")
    return row


def _check_same(terms: Terms, epic: str, side: str) -> None:
    if terms.epic and terms.epic != epic:
        raise ConflictError(f"{terms.target} is of {epic}, not of {terms.epic}")
    if terms.side is not None and terms.side != side:
        raise ConflictError(f"{terms.target} is a {side.lower()}, not a {terms.side.lower()}")


def _bracket(terms: Terms, row: PositionRow) -> Request:
    deal = row.position
    trails = bool(deal.trailing_stop) and terms.stop is None
    if trails and not deal.stop_distance:
        raise InputError("how far its trailing stop is away was not told, so name a stop as well", "stop 2310.00")
    guaranteed = bool(deal.guaranteed_stop) and terms.stop != NONE
    bracket = dealing.Bracket(
        stop=None if trails else after(terms.stop, _exact(deal.stop_level)),
        limit=after(terms.limit, _exact(deal.profit_level)),
        guaranteed=guaranteed,
        trailing_distance=abs(Decimal(deal.stop_distance)) if trails and deal.stop_distance else None,
    )
    if bracket.stop == _exact(deal.stop_level) and bracket.limit == _exact(deal.profit_level) and not trails:
        raise ConflictError(f"position {terms.target} has that stop and that limit already")
    if trails and bracket.limit == _exact(deal.profit_level):
        raise ConflictError(f"position {terms.target} has that limit already")
    return dealing.build_bracket(terms.target, bracket)


def _order_change(terms: Terms, row: OrderRow) -> Request:
    order = row.working_order_data
    if NONE in (terms.stop, terms.limit):
        raise InputError("an order keeps its stop and limit: take it back, and place it anew", "stop 2310.00")
    trails, guaranteed = bool(order.trailing_stop) and terms.stop is None, bool(order.guaranteed_stop)
    stays = (trails or guaranteed) and terms.stop is None and order.stop_distance
    change = dealing.OrderChange(
        level=terms.level,
        stop=_price(terms.stop),
        limit=_price(terms.limit),
        till="" if terms.till == NONE else terms.till,
        is_till_cancelled=terms.till == NONE,
        guaranteed=guaranteed,
        trailing=trails,
        kept_distance=abs(Decimal(order.stop_distance)) if stays and order.stop_distance else None,
    )
    if change.says_nothing:
        raise InputError("a change says what is to become of it", "level 2310.00")
    return dealing.build_order_change(terms.target, change)


def _before_of_position(row: PositionRow, at: datetime) -> Before:
    deal = row.position
    return Before(to_millis(at), stop=_exact(deal.stop_level), limit=_exact(deal.profit_level))


def _before_of_order(row: OrderRow, at: datetime) -> Before:
    order = row.working_order_data
    return Before(
        to_millis(at), level=Decimal(order.order_level), stop=order.stop, limit=order.limit, till=till_of(row)
    )


def till_of(row: OrderRow) -> str:
    """As inputs have it; empty for one that waits until it is taken back."""
    till = row.working_order_data.good_till_date_utc
    return "" if till is None else f"{till:%Y-%m-%dT%H:%M:%S}"


def after(leg: Leg, was: Decimal | None) -> Decimal | None:
    """What a leg is to be, given what it was."""
    if leg is None:
        return was
    return _price(leg)


def _price(leg: Leg) -> Decimal | None:
    return leg if isinstance(leg, Decimal) else None


def _exact(number: Decimal | None) -> Decimal | None:
    return None if number is None else Decimal(number)
