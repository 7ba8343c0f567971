"""Why a deal was refused, and what to do next, in words. Pure.

A refusal comes as an `errorCode` right away, or as a `rejectReason` in the confirmation. Both sets are open.

Source: Capital.com Public API reference, each section; the enumerations of its Java sample; see README.md.
"""

_FUNDS = "the account has not enough free money for it; ask for less, close something, or pay in"
_CLOSED = "the market is closed; ask again when it is open, or for an order at a price"
_AWAY = "the market is not to be had there just now; look at it again later"
_SMALL = "the size is less than this market allows; ask for more"
_BIG = "the size is more than this market allows; ask for less"
_STEP = "the size is not a multiple of this market's step; ask for one that is"
_SIDE = "the price is on the wrong side of the market, or too near it; look at the price and ask for another"
_LEGS = "the stop or the limit is on the wrong side of the price, or too near it; ask with others"
_MOVED = "the price has moved too far meanwhile; look at it and ask anew"
_NEARER = "so near the price it can be moved away only, not nearer"
_GONE = "it is not there any more; look at what is open and what waits"
_OPPOSITE = "something is open the other way; close it first, or turn hedging on"
_LATE = "the day it is good till is over; ask with a later one"
_NO_MARKET = "there is no such market; look for it by a part of its name"
_LOOK = "look at the market and the account, then ask anew or ask the broker"
_UNSAID = f"no reason was told; {_LOOK}"
_THERE = "an order like it is there already; look at those that wait"

_CODES = {
    "error.invalid.leverage.value": "there is no such leverage for these markets; ask for one of those they have",
    "error.size.createwatchlistrequest.name": "a list's name has 1 to 20 characters; take a shorter one",
    "error.invalid.watchlist": "there is no such list any more; look at those there are",
    "error.not-found.watchlist": "there is no such list any more; look at those there are",
    "error.invalid.accountId": "this login has no such account; choose one of its own",
    "error.not-different.accountId": "that account is the active one already; nothing needs to be done",
    "error.invalid.daterange": "it tells nothing of such a span; ask for a shorter one, and for none that is to come",
    "error.invalid.max.daterange": "it tells nothing of so long a span at once; ask for a shorter one",
    "error.prices.not-found": "it has no prices of that time; ask for another",
    "error.invalid.epics": "it does not tell of that market; look for it by a part of its name",
    "error.invalid.stoploss.minvalue": "the stop is too low",
    "error.invalid.stoploss.maxvalue": "the stop is too high",
    "error.invalid.takeprofit.minvalue": "the limit is too low",
    "error.invalid.takeprofit.maxvalue": "the limit is too high",
    "error.invalid.size.minvalue": _SMALL,
    "error.invalid.size.maxvalue": _BIG,
    "error.invalid.size": _STEP,
    "error.validation.stop.price": _SIDE,
    "error.not-in-future.goodTillDate": _LATE,
    "error.not-found.epic": _NO_MARKET,
    "error.not-found.dealId": _GONE,
}
_REASONS = {
    "INSUFFICIENT_FUNDS": _FUNDS,
    "MARGIN_ERROR": _FUNDS,
    "RISK_CHECK": "it did not pass the broker's check of risk; mostly the free margin is too small: ask for less",
    "ACCOUNT_NOT_ENABLED_TO_TRADING": "the account may not deal; deal on another, or ask the broker why",
    "MARKET_CLOSED": _CLOSED,
    "MARKET_CLOSED_WITH_EDITS": _CLOSED,
    "MARKET_CLOSING": _CLOSED,
    "MARKET_OFFLINE": _AWAY,
    "MARKET_ROLLED": _AWAY,
    "EXCHANGE_MANUAL_OVERRIDE": _AWAY,
    "MARKET_PHONE_ONLY": "the market is dealt in by telephone only; call the broker",
    "MARKET_UNAVAILABLE_TO_CLIENT": "the market is not open to this account; ask the broker why",
    "MARKET_NOT_BORROWABLE": "it cannot be sold now, as the broker cannot borrow it; only buying is possible",
    "MARKET_ORDERS_NOT_ALLOWED_ON_INSTRUMENT": "this market takes nothing at once; ask for an order at a price",
    "CLOSING_ONLY_TRADES_ACCEPTED_ON_THIS_MARKET": "in this market only what is open can be closed now",
    "INSTRUMENT_NOT_FOUND": _NO_MARKET,
    "MINIMUM_ORDER_SIZE_ERROR": _SMALL,
    "SIZE_INCREMENT": _STEP,
    "MAX_AUTO_SIZE_EXCEEDED": _BIG,
    "OVER_NORMAL_MARKET_SIZE": _BIG,
    "ATTACHED_ORDER_LEVEL_ERROR": _LEGS,
    "STOP_REQUIRED_ERROR": "this market wants a stop; ask with one",
    "STOP_OR_LIMIT_NOT_ALLOWED": "this market takes no stop and no limit; ask without",
    "CANNOT_REMOVE_STOP": "the stop cannot be taken away; ask for another price of it",
    "LEVEL_TOLERANCE_ERROR": _MOVED,
    "ORDER_DECLINED": _MOVED,
    "LIMIT_ORDER_WRONG_SIDE_OF_MARKET": _SIDE,
    "WRONG_SIDE_OF_MARKET": _SIDE,
    "MOVE_AWAY_ONLY_LIMIT": _NEARER,
    "MOVE_AWAY_ONLY_STOP": _NEARER,
    "MOVE_AWAY_ONLY_TRIGGER_LEVEL": _NEARER,
    "GOOD_TILL_DATE_IN_THE_PAST": _LATE,
    "OPPOSING_DIRECTION_ORDERS_NOT_ALLOWED": _OPPOSITE,
    "OPPOSING_POSITIONS_NOT_ALLOWED": _OPPOSITE,
    "POSITION_ALREADY_EXISTS_IN_OPPOSITE_DIRECTION": _OPPOSITE,
    "POSITION_NOT_FOUND": _GONE,
    "POSITION_NOT_AVAILABLE_TO_CLOSE": _GONE,
    "POSITION_NOT_AVAILABLE_TO_CANCEL": _GONE,
    "ORDER_NOT_FOUND": _GONE,
    "CONFLICTING_ORDER": _THERE,
    "DUPLICATE_ORDER_ERROR": _THERE,
    "GENERAL_ERROR": _UNSAID,
    "UNKNOWN": _UNSAID,
    "no reason told": _UNSAID,
    "ORDER_LOCKED": "the order is being done just now; look at what is open and what waits",
}


def words_of(code: str) -> str:
    """Of an `errorCode`; a price that came along is the furthest that would do."""
    name, _, price = (part.strip() for part in code.partition(":"))
    if name not in _CODES:
        return f"it does not take that as asked ({code}); look at it again, and ask otherwise"
    words = _CODES[name]
    if price:
        return f"{words}: at {'least' if name.endswith('minvalue') else 'most'} {price}; ask with such a one"
    is_leg = name.startswith(("error.invalid.stoploss.", "error.invalid.takeprofit."))
    return f"{words}; ask with another" if is_leg else words


def reason_of(reason: str) -> str:
    """Of a `rejectReason`."""
    return _REASONS.get(reason, f"it says “{reason.lower().replace('_', ' ')}”; {_LOOK}")


def is_known(code: str) -> bool:
    """Whether there are words for an `errorCode`."""
    return code.partition(":")[0].strip() in _CODES
