"""Which of what is told can be believed: prices of nought, from tomorrow, or from an hour ago give no alert (F46)."""

from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from bot.alerts.model import Measure, Span
from bot.providers.records import Balance, Candle, Position, Quote

AHEAD: Final = timedelta(seconds=60)
"""So much may their clock be before ours."""
STALE: Final = timedelta(minutes=5)
"""What is older, and fills no gap, is somebody's echo."""
MOST: Final = Decimal(10) ** 15
"""No number of money or markets is as large."""
_NOWHERE: Final = Decimal("NaN")
_HUNDRED: Final = Decimal(100)


def is_timely(at: datetime, now: datetime, *, fills_gap: bool) -> bool:
    """Neither from the future nor, unless it fills a gap, from long ago."""
    return at <= now + AHEAD and (fills_gap or at >= now - STALE)


def believed(measure: Measure, span: Span) -> bool:
    """Whether these are numbers that the measure can have."""
    if not all(number.is_finite() and abs(number) < MOST for number in (span.low, span.high, span.last)):
        return False
    return span.low <= span.last <= span.high and (span.low > 0 or not measure.must_be_positive)


def of_quote(quote: Quote) -> Span:
    """Where it stands: nowhere, which is no number, for what cannot be a price."""
    try:
        mid = quote.mid if quote.bid > 0 and quote.ask > 0 else _NOWHERE
    except InvalidOperation:
        mid = _NOWHERE
    return Span.point(mid, quote.at)


def of_candle(candle: Candle, now: datetime, *, fills_gap: bool) -> Span:
    """Where it went; a candle that is still being drawn ends now. One that fills a gap says what nobody had heard."""
    end = min(candle.at + candle.step, max(now, candle.at))
    return Span(candle.low, candle.high, candle.close, candle.at, end, fills_gap)


def of_balance(balance: Balance) -> dict[Measure, Decimal]:
    """What an account's numbers are. Without margin in use there is no margin level."""
    found = {Measure.BALANCE: balance.amount.amount}
    if balance.available is not None:
        found[Measure.FREE_MARGIN] = balance.available.amount
        used = balance.amount.amount - balance.available.amount
        if used > 0:
            found[Measure.MARGIN_LEVEL] = balance.amount.amount * _HUNDRED / used
            if balance.amount.amount > 0:
                found[Measure.MARGIN_DISTANCE] = balance.available.amount * _HUNDRED / balance.amount.amount
    if balance.profit is not None:
        found[Measure.PROFIT] = balance.profit.amount
    return found


def of_position(position: Position) -> dict[Measure, Decimal]:
    """What a position's numbers are."""
    found = {}
    if position.profit is not None:
        found[Measure.PROFIT] = position.profit.amount
    for measure, level in (
        (Measure.STOP_DISTANCE, position.stop),
        (Measure.LIQUIDATION_DISTANCE, position.stop_out),
    ):
        if level is not None and position.now is not None and position.now > 0:
            found[measure] = abs(position.now - level) * _HUNDRED / position.now
    return found
