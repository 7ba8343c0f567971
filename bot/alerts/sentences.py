"""What people write after /alert, read forgivingly: `GOLD > 2400`, `balance main < 10,000 USD each time`,
`gold moves 3% in 1h`, `transfer in main > 5k USD critical`, `request waits 30 min`.

Which connection and which market are meant is left to whoever knows them: those words come out as they were written.
Forgivingly is not carelessly: a word behind the number that says nothing known is refused by name, never left out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from bot.alerts.figures import EXAMPLE, POLITE, amount, apart, check_understood, goes_on, is_sign, number
from bot.alerts.model import Measure, Occasion, Repeat, Severity, Test, stays
from bot.errors import InputError
from bot.money import Currency

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
    (("withdrawal", "wait"), Occasion.WITHDRAWAL_WAITING),
    (("withdrawal", "new"), Occasion.WITHDRAWAL_NEW),
    (("new", "withdrawal"), Occasion.WITHDRAWAL_NEW),
    (("request", "waiting"), Occasion.REQUEST_WAITING),
    (("request", "wait"), Occasion.REQUEST_WAITING),
    (("request", "expiring"), Occasion.REQUEST_EXPIRING),
    (("request", "expire"), Occasion.REQUEST_EXPIRING),
    (("request", "about", "to", "expire"), Occasion.REQUEST_EXPIRING),
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
    (("profit", "or", "loss"), Measure.PROFIT),
    (("profit",), Measure.PROFIT),
    (("price",), Measure.PRICE),
)
_BACK = ("back", "hysteresis")
_SIGNS = re.compile(r"(>=|<=|>|<|=)")
_SPAN = re.compile(r"(\d{1,4})(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)", re.ASCII | re.IGNORECASE)
_TIMED = "/alert request waiting 30 min"
_OF_MOVES = ("by", "in", "within", "over", "percent", "more", "than", "about")
_PLAIN = frozenset(["balance", "margin", "available", "profit", "loss", "price", "disk", "clock", "key", "order"])
"""Words that alone say what is watched: whatever is down there is no provider."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_OF_LINES = (Occasion.MONEY_IN, Occasion.MONEY_OUT)
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
    """Read it. `InputError` with what is missing, or what is not understood, and a right example."""
    tokens = _tokens(words)
    while len(tokens) > 1 and tokens[-1].lower() in POLITE:
        tokens.pop()
    if not tokens:
        raise InputError("say what is to be watched, and from where on", EXAMPLE)
    left, said = _options(tokens)
    return _as_often(_read(left, said), says_once="once" in map(str.lower, tokens))


def _read(tokens: list[str], said: Sentence) -> Sentence:
    at = next((place for place, word in enumerate(tokens) if place and word.lower() in _TESTS), None)
    occasion = _occasion(tokens if at is None else tokens[:at]) or _down(tokens, at)
    if occasion is not None:
        return _happening(*occasion, [] if at is None else tokens[at + 1 :], said, has_sign=at is not None)
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


def _tokens(words: Sequence[str]) -> list[str]:
    """Signs stand alone, `3 %` is one word, and so are `30 min` and, where a number is due, `4 000`."""
    split = [part for word in words for piece in _SIGNS.split(word) if piece for part in apart(piece)]
    found: list[str] = []
    is_number_due = False
    for word in split:
        last = found[-1] if found else ""
        if last and word.lower() in ("%", "percent") and number(last) is not None and last[-1] != "%":
            found[-1] = f"{last}%"
        elif last and word[0].isalpha() and _is_span(last + word):
            found[-1] = last + word
        elif is_number_due and goes_on(last, word):
            found[-1] = f"{last}'{word}"
        else:
            is_number_due = is_number_due or (bool(found) and word.lower() in (*_TESTS, *_BACK))
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
        elif word in _BACK and (slack := number(after)) is not None:
            said, used = replace(said, hysteresis=abs(slack)), 2
        elif word == "to" and place and tokens[place - 1].lower() not in ("distance", "about"):
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


def _down(tokens: Sequence[str], at: int | None) -> tuple[Occasion, tuple[str, ...]] | None:
    """`capital down`, `crm down 10 min`: a provider, as long as nothing else is said that it could mean."""
    low = [word.lower() for word in tokens if word.lower() not in _NO_NAMES]
    named = [word for word in tokens[:at] if word.lower() != "down" and word.lower() not in _NO_NAMES]
    others = [word for word in low if word != "down" and word not in _TESTS and not _is_span(word)]
    is_alone = len(others) == 1 and number(others[0]) is None and others[0] not in ("stream", *_PLAIN)
    if low.count("down") != 1 or not is_alone or (at is not None and not _is_span(tokens[-1])):
        return None
    return Occasion.PROVIDER_DOWN, tuple(named)


def _happening(
    occasion: Occasion, around: tuple[str, ...], rest: Sequence[str], said: Sentence, *, has_sign: bool
) -> Sentence:
    """`stream down main 5min`, `transfer in main > 1000 USD`, `withdrawals waiting longer than 2h`.

    Words that are no time come out as names: whoever knows the connections and markets refuses what is none."""
    found = replace(said, what=occasion, test=Test.HAPPENS)
    if occasion.takes_time:
        words = [word for word in (*around, *rest) if word.lower() not in _NO_NAMES]
        times = [word for word in words if _is_span(word)]
        check_understood(times[1:], _TIMED)
        if has_sign and not times:
            raise InputError("say for how long", _TIMED)
        window = _span(times[0]) if times else None
        names = tuple(word for word in words if not _is_span(word))
        return replace(found, names=names, window=window or _DEFAULT_WINDOW.get(occasion, timedelta()))
    found = replace(found, names=tuple(word for word in around if word.lower() not in _NO_NAMES))
    if not has_sign:
        return found
    value, currency, is_percent = amount(rest)
    if is_percent or occasion not in _OF_LINES:
        check_understood(rest)
    return replace(found, threshold=value, currency=currency)


def _bare(tokens: Sequence[str], said: Sentence) -> Sentence:
    """`GOLD 2400`: told when the price gets there, from whichever side."""
    is_market = len(tokens) > 1 and tokens[0].lower() not in _TESTS and _measure(tokens)[1] is None
    place = max((place for place, word in enumerate(tokens) if place and number(word) is not None), default=0)
    if not is_market or not place:
        raise InputError("say from where on: above, below, crosses, moves or changes", EXAMPLE)
    if place > 1 and goes_on(tokens[place - 1], tokens[place]):  # `US 500 600`, or `GOLD 4 000`
        both = f"{tokens[place - 1]} {tokens[place]}"
        raise InputError(f"I cannot tell whether “{both}” is one number or two", EXAMPLE)
    begin = place - 1 if place > 1 and is_sign(tokens[place - 1]) else place
    return _numeric(tokens[:begin], Test.CROSSES, tokens[begin:], said)


def _numeric(left: Sequence[str], test: Test, right: Sequence[str], said: Sentence) -> Sentence:
    names, measure = _measure(left)
    if test is Test.MOVES:
        return _move(names, measure, right, said)
    if test is Test.CHANGES and not [word for word in right if word.lower() not in POLITE]:
        return replace(said, what=measure or Measure.PRICE, test=test, names=names)
    right = _behind(right, test)
    if test is Test.CHANGES and not any(number(word) is not None for word in right):
        check_understood(right)
    value, currency, is_percent = amount(right)
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
    if measure is Measure.PRICE and currency and not Currency(currency).known:
        check_understood([currency])  # nothing compares it with anything
    return replace(said, what=measure, test=test, names=names, threshold=value, currency=currency)


def _behind(right: Sequence[str], test: Test) -> Sequence[str]:
    """What follows `than`, `about`, a second word for the same (`rises above`), and for a change `by more than`."""
    extra = ("by", "more", "than", "about") if test is Test.CHANGES else ("than", "about")
    while right and (right[0].lower() in extra or _TESTS.get(right[0].lower()) is test):
        right = right[1:]
    return right


def _move(names: tuple[str, ...], measure: Measure | None, right: Sequence[str], said: Sentence) -> Sentence:
    example = "/alert GOLD moves 3% in 1h"
    words = [word for word in right if word.lower() not in _OF_MOVES]
    time = next((place for place in reversed(range(len(words))) if _is_span(words[place])), -1)
    size = next((place for place, word in enumerate(words) if place != time and number(word) is not None), -1)
    if size >= 0:
        check_understood([word for place, word in enumerate(words) if place not in (time, size)], example)
    value, span = (number(words[size]) if size >= 0 else None), (_span(words[time]) if time >= 0 else None)
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
