"""All rules at work, in memory: what is told goes in, what has come goes out. Opens nothing, waits for nothing.

Most of what is told touches no rule and costs a look-up and a few comparisons. What it answers has moved the states
already: whoever asks writes them down.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from bot.alerts.book import Book, Entry, Turn
from bot.alerts.happening import Happening, fits, of_line
from bot.alerts.machine import PASSED, step_again
from bot.alerts.model import (
    Firing,
    Measure,
    Moved,
    Occasion,
    Outage,
    Phase,
    Repeat,
    Rule,
    Side,
    Source,
    Span,
    State,
)
from bot.alerts.screening import AHEAD, STALE, believed, is_timely, of_balance, of_candle, of_position, of_quote
from bot.alerts.subjects import together, told_of
from bot.alerts.wording import PERHAPS
from bot.clock import to_millis
from bot.providers.records import Balance, Candle, Position, Quote
from bot.providers.streams import Subject, Told

_OF_STANDING: Final = (Occasion.STREAM_DOWN, Occasion.PROVIDER_DOWN)
_NOT_AHEAD: Final = -AHEAD
_NOTHING: Final[list[Moved]] = []


class Engine:
    """Rules by what they look at."""

    def __init__(self) -> None:
        self.ignored: Counter[str] = Counter()
        """What was not believed, by why."""
        self.dirty: set[Book] = set()
        """Books whose value has changed since somebody wrote it down."""
        self._books: dict[Source, Book] = {}
        self._prices: dict[tuple[int, str], Book] = {}
        self._waiting: dict[tuple[int, Occasion], dict[str, Entry]] = {}
        self._sources: dict[str, Source] = {}
        self._repeating: set[str] = set()

    def load(self, entries: Iterable[Entry], values: Mapping[Source, tuple[Decimal, datetime]]) -> None:
        """Everything that was written down."""
        by_source: dict[Source, list[Entry]] = {}
        for entry in entries:
            self._know(entry.rule)
            if isinstance(entry.rule.source.what, Occasion):
                self._wait(entry)
            else:
                by_source.setdefault(entry.rule.source, []).append(entry)
        for source, found in by_source.items():
            self._open(Book(source, found))
        for source, (value, at) in values.items():
            book = self._books.get(source)
            if book is not None:
                book.value, book.at = value, at

    def put(self, entry: Entry) -> None:
        """A new rule, or one that was changed."""
        self.remove(entry.rule.id)
        source = self._know(entry.rule)
        if isinstance(source.what, Occasion):
            self._wait(entry)
            return
        if source not in self._books:
            self._open(Book(source))
        self._books[source].put(entry)

    def remove(self, rule_id: str) -> None:
        """That rule is not looked at any more; nor is its source, when it was the last."""
        source = self._sources.pop(rule_id, None)
        self._repeating.discard(rule_id)
        if source is None:
            return
        if isinstance(source.what, Occasion):
            self._waiting[source.connection, source.what].pop(rule_id)
            return
        book = self._books[source]
        book.remove(rule_id)
        if not len(book):
            self.dirty.discard(book)
            del self._books[source]
            if source.what is Measure.PRICE:
                del self._prices[source.connection, source.subject]

    def entry(self, rule_id: str) -> Entry | None:
        """A rule and how it stands now."""
        source = self._sources.get(rule_id)
        if source is None:
            return None
        if isinstance(source.what, Occasion):
            return self._waiting[source.connection, source.what].get(rule_id)
        return self._books[source].entries.get(rule_id)

    @property
    def entries(self) -> list[Entry]:
        """All of them."""
        found = [self.entry(rule_id) for rule_id in self._sources]
        return [entry for entry in found if entry is not None]

    def book(self, source: Source) -> Book | None:
        """What is known of a number, if a rule looks at it."""
        return self._books.get(source)

    @property
    def wanted(self) -> dict[int, frozenset[Subject]]:
        """What has to be told, by connection. Nothing: only whether it answers."""
        found: dict[int, set[Subject]] = {}
        waiting = (entry for entries in self._waiting.values() for entry in entries.values())
        expected = {entry.rule.source for entry in waiting if entry.state.phase is not Phase.DONE}
        live = {source for source, book in self._books.items() if book.is_live}
        for source in live | expected:
            subject = told_of(source)
            if subject is not None:
                found.setdefault(source.connection, set()).add(subject)
            elif source.what in _OF_STANDING:
                found.setdefault(source.connection, set())
        return {connection: frozenset(subjects) for connection, subjects in found.items()}

    def hear(self, connection: int, told: Told, outage: Outage | None, now: datetime) -> list[Moved]:
        """Something was told, by a stream or an answer: late, twice, or out of order perhaps."""
        if isinstance(told, Quote):
            if outage is None:
                return self.tick(connection, told, now)
            book = self._prices.get((connection, told.symbol))
            return _NOTHING if book is None else self._span(book, of_quote(told), outage, now)
        if isinstance(told, Candle):
            book = self._prices.get((connection, told.symbol))
            return (
                _NOTHING
                if book is None
                else self._span(book, of_candle(told, now, fills_gap=outage is not None), outage, now)
            )
        if isinstance(told, Balance):
            return self._balance(connection, told, outage, now)
        if isinstance(told, Position):
            return self._numbers(connection, told.id, of_position(told), told.as_of, outage, now)
        return self.happened(of_line(connection, told, now), now, outage)

    def tick(self, connection: int, quote: Quote, now: datetime) -> list[Moved]:
        """A quote that came by itself. Most touch nothing: they are noted, and that is all."""
        book = self._prices.get((connection, quote.symbol))
        if book is None:
            return _NOTHING
        at = quote.at
        if book.at is not None and at <= book.at:
            self.ignored["old"] += 1
            return _NOTHING
        try:
            mid = (quote.bid + quote.ask) / 2
            if book.floor < mid < book.ceiling and _NOT_AHEAD <= now - at <= STALE and quote.bid > 0:
                book.value, book.at = mid, at
                self.dirty.add(book)
                return _NOTHING
        except InvalidOperation:  # not a number
            self.ignored["no number"] += 1
            return _NOTHING
        return self._span(book, of_quote(quote), None, now)

    def doubted(self, connection: int, outage: Outage, step: timedelta) -> list[Moved]:
        """A line broke, and its provider's history is one of steps. Where a price had passed a threshold to and fro in
        the step in which the line broke, a further passage in the rest of it shows nowhere: said as what it is."""
        begin = outage.since - (outage.since - datetime.min.replace(tzinfo=UTC)) % step
        moved = []
        for (number, _), book in self._prices.items():
            for entry in book.entries.values() if number == connection else ():
                rule, state = entry.rule, entry.state
                is_armed = state.phase is Phase.ARMED and not rule.is_paused and rule.test in PASSED
                if is_armed and state.told_at is not None and begin <= state.told_at <= outage.since:
                    bucket = f"perhaps/{to_millis(outage.since)}"
                    firing = Firing(rule, bucket, Side.NONE, outage.since, detail=PERHAPS, outage=outage)
                    moved.append(Moved(rule, state, firing))
        return moved

    def windows_unknown(self, connection: int, now: datetime) -> dict[str, timedelta]:
        """Of which symbols rules look at a window that is not known yet, and how long that is."""
        found = {
            symbol: book.window_unknown(now) for (number, symbol), book in self._prices.items() if number == connection
        }
        return {symbol: window for symbol, window in found.items() if window is not None}

    def begins_earlier(self, connection: int, symbol: str, candles: Iterable[Candle], since: datetime) -> None:
        """Its prices from `since` on, as the provider's history has them, oldest first. An extreme counts as of the
        beginning of its candle: it leaves the window sooner rather than too late."""
        book = self._prices.get((connection, symbol))
        if book is not None:
            spans = [of_candle(one, one.at + one.step, fills_gap=True) for one in candles]
            book.begins_earlier(since, [span for span in spans if believed(Measure.PRICE, span)])

    def _span(self, book: Book, span: Span, outage: Outage | None, now: datetime) -> list[Moved]:
        what = book.source.what
        if not isinstance(what, Measure) or not believed(what, span):
            self.ignored["no number"] += 1
            return _NOTHING
        if not is_timely(span.end, now, fills_gap=outage is not None):
            self.ignored["old" if span.end < now else "ahead"] += 1
            return _NOTHING
        if book.at is None or span.end > book.at:
            turns = book.take(span)
            self.dirty.add(book)
        elif outage is not None:
            turns = book.take_late(span)
        else:
            self.ignored["old"] += 1
            return _NOTHING
        return [_moved(turn, span, outage) for turn in turns]

    def _balance(self, connection: int, told: Balance, outage: Outage | None, now: datetime) -> list[Moved]:
        subject = f"{told.account} {told.amount.currency}"
        return self._numbers(connection, subject, of_balance(told), told.as_of, outage, now)

    def _numbers(
        self,
        connection: int,
        subject: str,
        numbers: Mapping[Measure, Decimal],
        at: datetime,
        outage: Outage | None,
        now: datetime,
    ) -> list[Moved]:
        moved = []
        for measure, number in numbers.items():
            book = self._books.get(Source(connection, measure, subject))
            if book is not None:
                moved += self._span(book, Span.point(number, at), outage, now)
        return moved

    def survey(self, connection: int, positions: Iterable[Position], at: datetime, now: datetime) -> list[Moved]:
        """All that is open, as it was read at one moment: each position, each symbol together, and all of them."""
        moved = []
        for (subject, measure), number in together(positions).items():
            moved += self._numbers(connection, subject, {measure: number}, at, None, now)
        return moved

    def happened(self, what: Happening, now: datetime, outage: Outage | None = None) -> list[Moved]:
        """The rules that wait for it. Told twice it is the same firing twice: the table takes one."""
        moved = []
        for entry in self._waiting.get((what.connection, what.occasion), {}).values():
            rule = entry.rule
            if not rule.is_paused and entry.state.phase is not Phase.DONE and fits(rule, what, now):
                firing = Firing(rule, what.key, Side.NONE, what.since, what.amount, what.detail, outage, what.audience)
                moved.append(Moved(rule, entry.state, firing))
        return moved

    def came(self, rule_id: str, at: datetime) -> State | None:
        """An occasion was taken by the table: how its rule stands now."""
        entry = self.entry(rule_id)
        if entry is not None:
            phase = Phase.DONE if entry.rule.repeat is Repeat.ONCE else Phase.ARMED
            entry.state = replace(entry.state, phase=phase, told_at=at, times=entry.state.times + 1)
        return None if entry is None else entry.state

    def again(self, now: datetime) -> list[Moved]:
        """Time has passed: what comes every so often comes again while it is so."""
        moved = []
        for rule_id in self._repeating:
            entry, book = self.entry(rule_id), self._books.get(self._sources[rule_id])
            if entry is None or book is None or entry.rule.is_paused:
                continue
            result = step_again(entry.rule, entry.state, now)
            if result.state is not entry.state:
                entry.state = result.state
                firing = Firing(entry.rule, f"again/{to_millis(now)}", result.fired, now, book.value)
                moved.append(Moved(entry.rule, result.state, firing))
        return moved

    def _know(self, rule: Rule) -> Source:
        self._sources[rule.id] = rule.source
        if rule.repeat is Repeat.EVERY:
            self._repeating.add(rule.id)
        return rule.source

    def _open(self, book: Book) -> None:
        self._books[book.source] = book
        if book.source.what is Measure.PRICE:
            self._prices[book.source.connection, book.source.subject] = book

    def _wait(self, entry: Entry) -> None:
        source = entry.rule.source
        if isinstance(source.what, Occasion):
            self._waiting.setdefault((source.connection, source.what), {})[entry.rule.id] = entry


def _moved(turn: Turn, span: Span, outage: Outage | None) -> Moved:
    result, firing = turn.step, None
    if result.fired is not Side.NONE:
        at = span.end if outage is None else span.start
        bucket = str(to_millis(span.end)) if outage is None else f"late/{to_millis(outage.since)}"
        side = result.fired if outage is None else Side.NONE
        firing = Firing(turn.rule, bucket, side, at, result.value, outage=outage)
    return Moved(turn.rule, result.state, firing, result.is_released)
