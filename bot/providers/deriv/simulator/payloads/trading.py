"""What proposals, purchases and open contracts answer, and their streams."""

from decimal import Decimal

from bot.providers.deriv.simulator import contracts
from bot.providers.deriv.simulator.payloads import Payload, streamed
from bot.providers.deriv.simulator.state import Contract, Movement
from bot.providers.deriv.simulator.symbols import SYMBOLS
from bot.providers.deriv.simulator.world import World


def proposal(world: World, proposal_id: str, terms: contracts.Terms, digits: int, *, subscribed: bool) -> Payload:
    """A price and the id to buy it under."""
    feed = world.feed(terms.symbol)
    latest = feed.latest(world.now())
    body: Payload = {
        "proposal": {
            "ask_price": terms.ask,
            "date_expiry": terms.expiry,
            "date_start": terms.start,
            "display_value": f"{terms.ask:.{digits}f}",
            "id": proposal_id,
            "longcode": terms.longcode,
            "payout": terms.payout,
            "spot": feed.quote(latest),
            "spot_time": latest,
        }
    }
    return streamed(body, proposal_id if subscribed else None)


def bought(contract: Contract, movement: Movement) -> Payload:
    """What a purchase answers."""
    return {
        "balance_after": movement.balance_after,
        "buy_price": contract.buy_price,
        "contract_id": contract.contract_id,
        "longcode": contract.longcode,
        "payout": contract.payout,
        "purchase_time": movement.at,
        "shortcode": contract.shortcode,
        "start_time": contract.start,
        "transaction_id": movement.transaction_id,
    }


def no_contract(stream_id: str | None) -> Payload:
    """The answer of an account with nothing open."""
    return streamed({"proposal_open_contract": {}}, stream_id)


def open_contract(world: World, contract: Contract, stream_id: str | None = None) -> Payload:
    """One contract's state: what it is worth now, or how it ended."""
    symbol, sold = SYMBOLS[contract.symbol], contract.sold_at is not None
    feed = world.feed(symbol)
    expired = contract.expiry <= world.now()
    at = min(feed.latest(world.now()), contract.exit_at or contract.sold_at or feed.latest(world.now()))
    spot = feed.quote(feed.last(at))
    bid = contract.sold_for if contract.sold_for is not None else world.bid(contract)
    profit_now = bid - contract.buy_price
    closing = contract.expiry - world.now() < contracts.NO_RESALE_SECONDS
    sellable = not sold and not closing and world.is_open(symbol)
    inner: Payload = {
        "account_id": int(contract.loginid.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
        "barrier": f"{contract.target:f}",
        "barrier_count": 1,
        "bid_price": bid,
        "buy_price": contract.buy_price,
        "contract_id": contract.contract_id,
        "contract_type": contract.contract_type,
        "currency": contract.currency,
        "current_spot": spot,
        "current_spot_display_value": f"{spot:f}",
        "current_spot_time": feed.last(at),
        "date_expiry": contract.expiry,
        "date_settlement": contract.expiry,
        "date_start": contract.start,
        "display_name": symbol.title,
        "entry_spot": contract.entry_spot,
        "entry_spot_display_value": f"{contract.entry_spot:f}",
        "entry_tick": contract.entry_spot,
        "entry_tick_display_value": f"{contract.entry_spot:f}",
        "entry_tick_time": contract.start,
        "expiry_time": contract.expiry,
        "is_expired": int(expired),
        "is_forward_starting": 0,
        "is_intraday": int(contract.expiry - contract.start <= 86400),
        "is_path_dependent": 0,
        "is_settleable": int(expired and not sold),
        "is_sold": int(sold),
        "is_valid_to_cancel": 0,
        "is_valid_to_sell": int(sellable),
        "longcode": contract.longcode,
        "payout": contract.payout,
        "profit": profit_now,
        "profit_percentage": (profit_now / contract.buy_price * 100).quantize(Decimal("0.01")),
        "purchase_time": contract.start,
        "shortcode": contract.shortcode,
        "status": contract.status,
        "transaction_ids": {"buy": contract.transaction_id},
        "underlying": contract.symbol,
    }
    if contract.ticks:
        inner["tick_count"] = contract.ticks
    if sold:
        inner["sell_price"], inner["sell_time"] = bid, contract.sold_at
        inner["sell_spot"], inner["sell_spot_time"] = spot, feed.last(at)
        inner["transaction_ids"]["sell"] = contract.sale_id
        if contract.exit_at is not None:
            inner["exit_tick"], inner["exit_tick_time"] = contract.exit_spot, contract.exit_at
            inner["exit_tick_display_value"] = f"{contract.exit_spot:f}"
    elif not sellable:
        inner["validation_error"] = "Resale of this contract is not offered."
        inner["validation_error_code"] = "General"
    if stream_id is not None:
        inner["id"] = stream_id
    return streamed({"proposal_open_contract": inner}, stream_id)


def worth(body: Payload) -> tuple[object, ...]:
    """What has to change before a stream hears of a contract again."""
    inner = body["proposal_open_contract"]
    names = ("bid_price", "current_spot", "current_spot_time", "is_sold", "is_expired", "is_valid_to_sell")
    return tuple(inner[name] for name in names)
