"""What people write after /alert, read forgivingly: `GOLD > 2400`, `balance main < 10,000 USD each time`,
`gold moves 3% in 1h`, `transfer in main > 5k USD critical`, `request waiting 30 min`.

Which connection and which market are meant is left to whoever knows them: those words come out as they were written.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from bot.alerts.model import Measure, Occasion, Repeat, Severity, Test, stays
from bot.errors import InputError
from bot.money import Currency

EXAMPLE = "/alert GOLD > 2400"
_TESTS = {
    **dict.fromkeys((">", ">=", "above", "over", "exceeds", "rises"), Test.ABOVE),
    **dict.fromkeys(("<", "<=", "below", "under", "falls"), Test.BELOW),
    **dict.fromkeys(("crosses", "crossing", "cross", "at", "="), Test.CROSSES),
    **dict.fromkeys(("moves", "move"), Test.MOVES),
    **dict.fromkeys(("changes", "change", "changed"), Test.CHANGES),
}
_OCCASIONS: tuple[tuple[tuple[str, ...], Occasion], ...] = (
    (("position", "opened"), Occasion.OPENED),
    (("position", "closed"), Occasion.CLOSED),
    (("position", "stopped"), Occasion.STOPPED),
    (("stopped", "out"), Occasion.STOPPED),
    (("order", "filled"), Occasion.FILLED),
    (("transfer", "in"), Occasion.MONEY_IN),
    (("money", "in"), Occasion.MONEY_IN),
    (("transfer", "out"), Occasion.MONEY_OUT),
    (("money", "out"), Occasion.MONEY_OUT),
    (("transfer", "failed"), Occasion.TRANSFER_FAILED),
    (("withdrawal", "waiting"), Occasion.WITHDRAWAL_WAITING),
    (("withdrawal", "new"), Occasion.WITHDRAWAL_NEW),
    (("new", "withdrawal"), Occasion.WITHDRAWAL_NEW),
    (("request", "waiting"), Occasion.REQUEST_WAITING),
    (("request", "expiring"), Occasion.REQUEST_EXPIRING),
    (("stream", "down"), Occasion.STREAM_DOWN),
    (("provider", "down"), Occasion.PROVIDER_DOWN),
    (("clock", "off"), Occasion.CLOCK_OFF),
    (("disk", "low"), Occasion.DISK_LOW),
    (("key", "old"), Occasion.KEY_OLD),
)
_MEASURES: tuple[tuple[tuple[str, ...], Measure], ...] = (
    (("distance", "to", "stop"), Measure.STOP_DISTANCE),
    (("stop", "distance"), Measure.STOP_DISTANCE),
    (("distance", "to", "liquidation"), Measure.LIQUIDATION_DISTANCE),
    (("liquidation", "distance"), Measure.LIQUIDATION_DISTANCE),
    (("distance", "to", "full", "margin"), Measure.MARGIN_DISTANCE),
    (("margin", "distance"), Measure.MARGIN_DISTANCE),
    (("margin", "level"), Measure.MARGIN_LEVEL),
    (("free", "margin"), Measure.FREE_MARGIN),
    (("available",), Measure.FREE_MARGIN),
    (("balance",), Measure.BALANCE),
    (("profit",), Measure.PROFIT),
    (("price",), Measure.PRICE),
)
_SIGNS = re.compile(r"(>=|<=|>|<|=)")
_NUMBER = re.compile(r"([+-]?)(\d+|\d{1,3}(?:[,'_]\d{3})+)(\.\d+)?([km]?)(%?)", re.ASCII | re.IGNORECASE)
_SPAN = re.compile(r"(\d{1,4})(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)", re.ASCII | re.IGNORECASE)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NO_NAMES = frozenset(["longer", "than", "left", "client", "about", "is", "my", "of", "on", "at", "in", "any", "the"])
_DEFAULT_WINDOW = {
    Occasion.WITHDRAWAL_WAITING: timedelta(hours=1),
    Occasion.REQUEST_WAITING: timedelta(minutes=30),
    Occasion.REQUEST_EXPIRING: timedelta(minutes=15),
    Occasion.STREAM_DOWN: timedelta(minutes=5),
    Occasion.PROVIDER_DOWN: timedelta(minutes=5),
    Occasion.KEY_OLD: timedelta(days=90),
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """What was understood."""

    what: Measure | Occasion
    test: Test
    names: tuple[str, ...] = ()
    """The words that name a connection, a market, an account or a position."""
    threshold: Decimal = Decimal(0)
    currency: str = ""
    window: timedelta = timedelta()
    repeat: Repeat = Repeat.ONCE
    every: timedelta = timedelta()
    rest: timedelta = timedelta()
    hysteresis: Decimal = Decimal(0)
    life: timedelta | None = None
    until: date | None = None
    severity: Severity = Severity.NORMAL
    hearer: tuple[str, ...] = ()
    """The words after "to"."""


def parse(words: Sequence[str]) -> Sentence:
    """Read it. `InputError` with what is missing, and a right example."""
    tokens = _tokens(words)
    if not tokens:
        raise InputError("say what is to be watched, and from where on", EXAMPLE)
    left, said = _options(tokens)
    return _as_often(_read(left, said), says_once="once" in map(str.lower, tokens))


def _read(tokens: list[str], said: Sentence) -> Sentence:
    at = next((place for place, word in enumerate(tokens) if place and word.lower() in _TESTS), None)
    occasion = _occasion(tokens if at is None else tokens[:at])
    if occasion is not None:
        return _happening(occasion[0], occasion[1], tokens if at is None else tokens[at + 1 :], said, at is not None)
    if at is None:
        return _bare(tokens, said)
    return _numeric(tokens[:at], _TESTS[tokens[at].lower()], tokens[at + 1 :], said)


def _as_often(found: Sentence, *, says_once: bool) -> Sentence:
    """What happens comes each time where nothing else was said. What does not stay so cannot be said again meanwhile:
    "every hour" is then how often it comes at most."""
    if isinstance(found.what, Occasion) and found.repeat is Repeat.ONCE and not says_once:
        return replace(found, repeat=Repeat.EACH)
    if found.repeat is Repeat.EVERY and not stays(found.what, found.test):
        return replace(found, repeat=Repeat.EACH, every=timedelta(), rest=found.every)
    return found


def begun(words: Sequence[str]) -> tuple[Measure | Occasion | None, tuple[str, ...]]:
    """What the beginning of a sentence is about, and the words that name something. None: it does not say yet."""
    occasion = _occasion(words)
    if occasion is not None:
        return occasion
    names, measure = _measure(words)
    return measure, names


def says_test(word: str) -> bool:
    """Whether a number is all that is wanted after this word."""
    return word.lower() in _TESTS


def number(text: str) -> Decimal | None:
    """`2400`, `10,000.50`, `2.5k`, `-200`; None for what is none."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    sign, whole, rest, large, _ = found.groups()
    try:
        value = Decimal(sign + re.sub("[,'_]", "", whole) + (rest or ""))
    except InvalidOperation:
        return None
    value = value * {"k": 1000, "m": 1_000_000}.get(large.lower(), 1)
    return value if abs(value) < Decimal(10) ** 15 else None


def _tokens(words: Sequence[str]) -> list[str]:
    """Signs stand alone, `3 %` is one word, and so is `30 min`."""
    split = [part for word in words for part in _SIGNS.split(word) if part]
    found: list[str] = []
    for word in split:
        joined = found[-1] + word if found else ""
        if joined and ((word == "%" and _NUMBER.fullmatch(found[-1])) or (word[0].isalpha() and _is_span(joined))):
            found[-1] = joined
        else:
            found.append(word)
    return found


def _is_span(text: str) -> bool:
    return _SPAN.fullmatch(text) is not None


def _span(text: str) -> timedelta | None:
    found = _SPAN.fullmatch(text)
    return None if found is None else timedelta(seconds=int(found[1]) * _UNITS[found[2][0].lower()])


def _options(tokens: list[str]) -> tuple[list[str], Sentence]:
    """What may stand anywhere: how often, how long, how urgent, to whom."""
    said, left, place = Sentence(Measure.PRICE, Test.ABOVE), list[str](), 0
    while place < len(tokens):
        word = tokens[place].lower()
        after = tokens[place + 1] if place + 1 < len(tokens) else ""
        used = 1
        if word == "once":
            said = replace(said, repeat=Repeat.ONCE)
        elif word == "each" or word == "always":
            said, used = replace(said, repeat=Repeat.EACH), 2 if after.lower() in ("time", "crossing") else 1
        elif word == "every" and after.lower() in ("time", "crossing"):
            said, used = replace(said, repeat=Repeat.EACH), 2
        elif word == "every" and (span := _span(after)) is not None:
            said, used = replace(said, repeat=Repeat.EVERY, every=max(span, timedelta(minutes=1))), 2
        elif word == "for" and (span := _span(after)) is not None:
            said, used = replace(said, life=span), 2
        elif word == "until" and _DATE.fullmatch(after):
            said, used = replace(said, until=_date(after)), 2
        elif word in ("critical", "urgent"):
            said = replace(said, severity=Severity.CRITICAL)
        elif word in ("back", "hysteresis") and (slack := number(after)) is not None:
            said, used = replace(said, hysteresis=abs(slack)), 2
        elif word == "to" and place and tokens[place - 1].lower() != "distance":
            said, used = replace(said, hearer=tuple(tokens[place + 1 :])), len(tokens)
        else:
            left.append(tokens[place])
        place += used
    return left, said


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text} is no day", f"{EXAMPLE} until 2027-01-31") from None


def _occasion(tokens: Sequence[str]) -> tuple[Occasion, tuple[str, ...]] | None:
    """The occasion, and the words around it."""
    low = [word.lower().rstrip("s") if word.lower() != "in" else "in" for word in tokens]
    for phrase, occasion in _OCCASIONS:
        for place in range(len(low) - len(phrase) + 1):
            if tuple(low[place : place + len(phrase)]) == phrase:
                return occasion, (*tokens[:place], *tokens[place + len(phrase) :])
    return None


def _happening(
    occasion: Occasion, around: tuple[str, ...], rest: Sequence[str], said: Sentence, has_sign: bool
) -> Sentence:
    """`stream down main 5min`, `transfer in main > 1000 USD`, `withdrawals waiting longer than 2h`."""
    names = [word for word in around if word.lower() not in _NO_NAMES]
    words = [*names, *rest] if has_sign else names
    spans = [span for word in words if (span := _span(word)) is not None]
    names = [word for word in names if not _is_span(word)]
    found = replace(said, what=occasion, test=Test.HAPPENS, names=tuple(names))
    if occasion.takes_time:
        return replace(found, window=spans[0] if spans else _DEFAULT_WINDOW.get(occasion, timedelta()))
    if has_sign:
        value, currency, _ = _value(rest)
        return replace(found, threshold=value, currency=currency)
    return found


def _bare(tokens: Sequence[str], said: Sentence) -> Sentence:
    """`GOLD 2400`: told when the price gets there, from whichever side."""
    is_market = len(tokens) > 1 and tokens[0].lower() not in _TESTS and _measure(tokens)[1] is None
    if is_market and number(tokens[-1]) is not None:
        return _numeric(tokens[:-1], Test.CROSSES, tokens[-1:], said)
    raise InputError("say from where on: above, below, crosses, moves or changes", EXAMPLE)


def _numeric(left: Sequence[str], test: Test, right: Sequence[str], said: Sentence) -> Sentence:
    names, measure = _measure(left)
    if test is Test.MOVES:
        return _move(names, measure, right, said)
    if test is Test.CHANGES and not right:
        return replace(said, what=measure or Measure.PRICE, test=test, names=names)
    value, currency, is_percent = _value(right[1:] if right and right[0].lower() in ("by", "than") else right)
    if measure is None and left[0].lower() == "margin":
        names, measure = tuple(left[1:]), Measure.MARGIN_LEVEL if is_percent else Measure.FREE_MARGIN
    if left[0].lower() == "loss":
        turned = {Test.ABOVE: Test.BELOW, Test.BELOW: Test.ABOVE}
        names, measure, test, value = tuple(left[1:]), Measure.PROFIT, turned.get(test, test), -abs(value)
    measure = measure or Measure.PRICE
    if is_percent and not measure.is_percent:
        raise InputError("percent go with margin level, distances, and moves", "/alert GOLD moves 3% in 1h")
    if measure is Measure.PRICE and not names:
        raise InputError("say which market", EXAMPLE)
    if measure is Measure.PRICE and value <= 0:
        raise InputError("a price is above nought", EXAMPLE)
    return replace(said, what=measure, test=test, names=names, threshold=value, currency=currency)


def _move(names: tuple[str, ...], measure: Measure | None, right: Sequence[str], said: Sentence) -> Sentence:
    example = "/alert GOLD moves 3% in 1h"
    words = [word for word in right if word.lower() not in ("by", "in", "within", "over", "percent")]
    value = number(words[0]) if words else None
    span = _span(words[1]) if len(words) == 2 else None
    if measure not in (None, Measure.PRICE) or not names or value is None or value <= 0 or span is None:
        raise InputError("a move is a market, a percentage and a time", example)
    if span > timedelta(days=1):
        raise InputError("a move is watched for at most a day", example)
    return replace(said, what=Measure.PRICE, test=Test.MOVES, names=names, threshold=value, window=span)


def _measure(left: Sequence[str]) -> tuple[tuple[str, ...], Measure | None]:
    low = [word.lower() for word in left]
    for phrase, measure in _MEASURES:
        for place in range(len(low) - len(phrase) + 1):
            if tuple(low[place : place + len(phrase)]) == phrase:
                rest = (*left[:place], *left[place + len(phrase) :])
                return tuple(word for word in rest if word.lower() not in ("of", "on", "my")), measure
    return tuple(word for word in left if word.lower() not in ("of", "on", "my")), None


def _value(words: Sequence[str]) -> tuple[Decimal, str, bool]:
    """A number, perhaps with its currency, before or behind it, perhaps in percent."""
    if not 1 <= len(words) <= 2:
        raise InputError("say from which number on", EXAMPLE)
    first, second = words[0], words[1] if len(words) == 2 else ""
    if second and number(first) is None:
        first, second = second, first
    value = number(first)
    if value is None:
        raise InputError(f"{words[0]} is no number", EXAMPLE)
    if not second:
        return value, "", first.endswith("%")
    try:
        return value, Currency.of(second).code, False
    except ValueError:
        raise InputError(f"{second} is no currency", "/alert balance main < 10000 USD") from None
