"""Whatever happens to a line, each event is handed on once, in order, and what nobody heard is learnt afterwards.

SAFETY R01 to R07; what is old, repeated, reversed or of the future is F46's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import SilentError, UnsupportedError
from bot.money import Currency, Money
from bot.providers.gaps import Gap, Handed, Hole, Outage
from bot.providers.news import Mark, News
from bot.providers.records import Balance, Candle, Entry, Environment, Market, Quote, Reading, Way
from bot.providers.standing import Figures, Standing
from bot.providers.streams import Subject, Told, Topic
from bot.providers.threads import State

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
GOLD = Subject(Topic.QUOTE, "GOLD")
MINUTE = timedelta(minutes=1)


class Watch:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return 1000 + self.seconds

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


def quote(second: float, price: int | str, symbol: str = "GOLD") -> Quote:
    middle = Decimal(price)
    return Quote(symbol, middle - 1, middle + 1, START + timedelta(seconds=second))


def candles_of(quotes: Sequence[Quote], since: datetime) -> list[Told]:
    """As a provider keeps them: one a minute that had a price."""
    minutes: dict[datetime, list[Decimal]] = {}
    for one in quotes:
        minutes.setdefault(one.at.replace(second=0, microsecond=0), []).append(one.mid)
    first = since.replace(second=0, microsecond=0)
    return [
        Candle(one.symbol, at, MINUTE, mids[0], max(mids), min(mids), mids[-1])
        for at, mids in minutes.items()
        if at >= first
    ]


@dataclass
class Desk:
    """A market, a line to it that is cut and mended, and what was handed on."""

    history_of: Callable[[Sequence[Quote], datetime], Sequence[Told]]
    watch: Watch = field(default_factory=Watch)
    market: list[Quote] = field(default_factory=list)
    told: list[Handed] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    says_at_once: bool = False
    """Whether the first frame of each line says where the price stands."""
    is_connected: bool = False
    asked: list[tuple[Gap, list[Told]]] = field(default_factory=list)
    """What history was asked, and what it had to say then."""

    def __post_init__(self) -> None:
        self.standing = Standing(self.watch, Figures(overlap_seconds=5))
        self.standing.want([GOLD])

    def pass_(self, seconds: float) -> None:
        self.watch.seconds += seconds

    def moves(self, price: int | str) -> None:
        self.market.append(quote(self.watch.seconds, price))
        if self.is_connected:
            self.hears(self.market[-1])

    def hears(self, one: Quote) -> None:
        if self.standing.heard(GOLD, one):
            self.told.append(Handed(GOLD, one))

    def connects(self) -> None:
        self.standing.connected(frozenset({Topic.QUOTE}) if self.says_at_once else frozenset())
        self.is_connected = True
        self.told += self.standing.acknowledged(GOLD)
        if self.says_at_once:
            self.hears(self.market[-1])

    def cut(self) -> None:
        self.is_connected = False
        self.standing.broke()

    def asks(self) -> None:
        if (gap := self.standing.next_gap()) is not None:
            self.asked.append((gap, list(self.history_of(self.market, gap.since))))

    def is_answered(self) -> None:
        if self.asked:
            gap, items = self.asked.pop(0)
            handed, hole = self.standing.filled(gap, Reading(tuple(items), self.watch.now()))
            self.told += handed
            self.holes += [] if hole is None else [hole]

    def settles(self) -> None:
        """In the end it stands, and everything was asked for."""
        if not self.is_connected:
            self.connects()
        while self.asked or self.standing.state_of(GOLD) is not State.LIVE:
            self.asks()
            self.is_answered()

    def begins(self) -> None:
        self.connects()
        self.settles()
        self.told.clear()


def ticks(quotes: Sequence[Quote], since: datetime) -> list[Told]:
    return [one for one in quotes if one.at >= since]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("moves"), st.integers(90, 110)),
        st.tuples(st.sampled_from(["cut", "connects", "asks", "is_answered", "an old one"]), st.just(0)),
    ),
    max_size=60,
)


def happen(desk: Desk, steps: Sequence[tuple[str, int]]) -> None:
    for step, price in steps:
        desk.pass_(1)
        match step:
            case "moves":
                desk.moves(price)
            case "an old one":
                if desk.is_connected and desk.told and isinstance(one := desk.told[len(desk.told) // 2].told, Quote):
                    desk.hears(one)
            case "cut":
                if desk.is_connected:
                    desk.cut()
            case "connects":
                if not desk.is_connected:
                    desk.connects()
            case _:
                getattr(desk, step)()
    desk.pass_(1)
    desk.settles()


@settings(deadline=None)
@given(STEPS)
def test_with_a_history_of_ticks_every_tick_is_handed_on_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    desk = Desk(ticks)
    desk.pass_(10)
    desk.begins()
    happen(desk, steps)
    assert [one.told for one in desk.told] == desk.market
    assert desk.holes == []


@settings(deadline=None)
@given(STEPS)
def test_where_the_stream_says_how_it_stands_every_tick_since_then_is_handed_on_once_and_in_order(
    steps: list[tuple[str, int]],
) -> None:
    desk = Desk(ticks, says_at_once=True)
    desk.moves(99)
    desk.pass_(10)
    desk.moves(100)
    desk.connects()
    happen(desk, steps)
    assert [one.told for one in desk.told] == desk.market[1:]
    assert desk.holes == []


def test_where_the_stream_says_how_it_stands_nothing_is_read_from_history_to_begin() -> None:
    desk = Desk(ticks, says_at_once=True)
    desk.moves(100)
    desk.connects()
    assert desk.standing.state_of(GOLD) is State.LIVE
    assert desk.standing.next_gap() is None
    desk.cut()
    desk.connects()
    assert desk.standing.next_gap() is not None


def test_what_was_said_before_it_was_acknowledged_is_a_beginning_too() -> None:
    desk = Desk(ticks)
    desk.standing.connected(frozenset({Topic.QUOTE}))
    desk.hears(quote(0, 100))
    desk.hears(quote(1, 101))
    assert desk.told == []
    handed = desk.standing.acknowledged(GOLD)
    assert [one.told for one in handed] == [quote(0, 100), quote(1, 101)]
    assert desk.standing.next_gap() is None


@settings(deadline=None)
@given(STEPS)
def test_with_a_history_of_candles_the_last_price_and_every_extreme_is_known_and_none_invented(
    steps: list[tuple[str, int]],
) -> None:
    desk = Desk(candles_of)
    desk.market.append(quote(0, 100))
    desk.pass_(10)
    desk.begins()
    happen(desk, steps)
    path: list[Decimal] = []
    for one in desk.told:
        match one.told:
            case Quote():
                path.append(one.told.mid)
            case Candle():
                path += [one.told.high, one.told.low, one.told.close]
    truth = [Decimal(100), *(one.mid for one in desk.market[1:])]
    assert (path or [Decimal(100)])[-1] == truth[-1]
    assert (max([Decimal(100), *path]), min([Decimal(100), *path])) == (max(truth), min(truth))
    quotes = [one.told for one in desk.told if isinstance(one.told, Quote)]
    assert len(quotes) == len(set(quotes))


def test_what_came_while_nobody_listened_is_marked_with_from_when_to_when() -> None:
    desk = Desk(ticks)
    desk.begins()
    desk.moves(100)
    desk.pass_(10)
    desk.cut()
    desk.pass_(5)
    desk.moves(120)
    desk.pass_(5)
    desk.connects()
    desk.pass_(1)
    desk.moves(101)
    assert [one.outage for one in desk.told] == [None]
    desk.settles()
    outage = Outage(START, START + timedelta(seconds=20))
    assert [(one.told, one.outage) for one in desk.told] == [
        (quote(0, 100), None),
        (quote(15, 120), outage),
        (quote(21, 101), None),
    ]


def test_a_crossing_that_was_told_live_is_not_found_again_in_the_candle_of_its_minute() -> None:
    desk = Desk(candles_of)
    desk.begins()
    for price in (100, 150, 100):
        desk.pass_(1)
        desk.moves(price)
    desk.pass_(1)
    desk.cut()
    desk.moves(90)
    desk.pass_(1)
    desk.moves(101)
    desk.settles()
    (candle,) = [one.told for one in desk.told if isinstance(one.told, Candle)]
    assert (candle.open, candle.high, candle.low, candle.close) == (100, 101, 90, 101)
    last_heard = START + timedelta(seconds=3)
    assert (candle.at, candle.at + candle.step) == (last_heard, START + MINUTE)


def test_what_happened_before_anybody_listened_is_not_learnt_from_the_candle_of_that_minute() -> None:
    desk = Desk(candles_of)
    desk.market += [quote(0, 100), quote(1, 300), quote(2, 100)]
    desk.pass_(10)
    desk.begins()
    desk.cut()
    desk.pass_(10)
    desk.settles()
    assert desk.told == []


def test_where_the_price_stands_is_told_at_the_beginning_and_not_how_it_got_there() -> None:
    desk = Desk(candles_of)
    desk.market += [quote(0, 100), quote(1, 300), quote(2, 120)]
    desk.pass_(10)
    desk.connects()
    desk.settles()
    (first,) = desk.told
    assert isinstance(first.told, Candle)
    assert (first.told.low, first.told.high, first.told.close, first.outage) == (120, 120, 120, None)


def test_ticks_that_are_old_reversed_repeated_or_of_the_future_change_nothing() -> None:
    """F46."""
    desk = Desk(ticks)
    desk.pass_(3600)
    desk.begins()
    desk.moves(100)
    for odd in (quote(0, 500), quote(3599, 500), quote(3600, 100), quote(3631, 500), quote(9999, 500)):
        desk.hears(odd)
    desk.pass_(1)
    desk.moves(101)
    assert [one.told for one in desk.told] == [quote(3600, 100), quote(3601, 101)]
    assert desk.standing.disbelieved == 2


def test_two_prices_of_the_same_millisecond_are_both_told_once() -> None:
    desk = Desk(ticks)
    desk.begins()
    for one in (quote(1, 100), quote(1, 101), quote(1, 100), quote(1, 101)):
        desk.hears(one)
    assert [one.told for one in desk.told] == [quote(1, 100), quote(1, 101)]


def test_f44_a_tick_that_history_knew_before_the_stream_told_it_is_told_once() -> None:
    """History keeps the middle price only, so the two are not the same to look at."""
    desk = Desk(ticks)
    desk.begins()
    desk.moves(100)
    desk.cut()
    desk.pass_(5)
    desk.connects()
    ahead = Quote("GOLD", Decimal(120), Decimal(120), START + timedelta(seconds=5))
    desk.market.append(ahead)
    desk.settles()
    desk.hears(quote(5, 120))
    desk.hears(quote(6, 121))
    assert [one.told for one in desk.told] == [quote(0, 100), ahead, quote(6, 121)]


def test_history_that_begins_too_late_leaves_a_hole_that_is_told() -> None:
    desk = Desk(ticks)
    desk.begins()
    desk.cut()
    desk.pass_(600)
    desk.connects()
    gap = desk.standing.next_gap()
    assert gap is not None
    known = quote(500, 100)
    handed, hole = desk.standing.filled(gap, Reading((known,), desk.watch.now(), is_whole=False))
    assert [one.told for one in handed] == [known]
    assert hole == Hole(GOLD, START, known.at)


def test_history_that_cannot_be_asked_is_asked_again_and_in_the_end_done_without() -> None:
    desk = Desk(ticks)
    desk.begins()
    desk.cut()
    desk.pass_(60)
    desk.connects()
    desk.moves(100)
    for _ in range(5):
        gap = desk.standing.next_gap()
        assert gap is not None
        assert desk.standing.not_filled(gap, SilentError("capital")) == ([], None)
        desk.pass_(10)
    gap = desk.standing.next_gap()
    assert gap is not None
    handed, hole = desk.standing.not_filled(gap, SilentError("capital"))
    assert [one.told for one in handed] == [quote(60, 100)]
    assert hole == Hole(GOLD, START, desk.watch.now())
    assert desk.standing.state_of(GOLD) is State.LIVE


def test_where_there_is_no_history_nobody_asks_twice() -> None:
    desk = Desk(ticks)
    desk.begins()
    desk.cut()
    desk.connects()
    gap = desk.standing.next_gap()
    assert gap is not None
    _, hole = desk.standing.not_filled(gap, UnsupportedError("deriv", "history"))
    assert hole is not None
    assert desk.standing.state_of(GOLD) is State.LIVE


def test_what_is_not_acknowledged_or_gives_no_sign_of_life_is_dead_and_a_ping_is_a_sign() -> None:
    watch = Watch()
    standing = Standing(watch, Figures(ack_seconds=15, dead_seconds=60))
    standing.want([GOLD])
    standing.connected()
    watch.seconds = 16
    assert standing.is_dead()
    standing.acknowledged(GOLD)
    assert not standing.is_dead()
    watch.seconds = 59
    standing.alive()
    watch.seconds = 100
    assert not standing.is_dead()
    watch.seconds = 120
    assert standing.is_dead()
    assert standing.alive_until == START + timedelta(seconds=59)


def test_f45_silence_is_a_stall_only_when_the_market_is_open_and_its_price_is_another() -> None:
    desk = Desk(ticks)
    desk.begins()
    desk.moves(100)
    desk.pass_(59)
    assert desk.standing.silent() == []
    desk.pass_(2)
    assert desk.standing.silent() == [GOLD]
    assert desk.standing.silent() == []
    here, there = quote(0, 100), quote(0, 130)
    assert not desk.standing.is_stalled(GOLD, Market("GOLD", "Gold", is_open=True, quote=here))
    assert not desk.standing.is_stalled(GOLD, Market("GOLD", "Gold", is_open=False, quote=there))
    assert not desk.standing.is_stalled(GOLD, Market("GOLD", "Gold", is_open=True))
    assert desk.standing.is_stalled(GOLD, Market("GOLD", "Gold", is_open=None, quote=there))
    desk.standing.broke()
    desk.connects()
    gap = desk.standing.next_gap()
    assert gap is not None
    assert gap.outage == Outage(START, desk.watch.now())


def test_whoever_stands_here_next_goes_on_where_the_last_one_was() -> None:
    desk = Desk(candles_of)
    desk.begins()
    desk.moves(100)
    desk.pass_(1)
    desk.moves(150)
    marks = desk.standing.marks()
    assert marks == {
        GOLD: Mark(START + timedelta(seconds=1), desk.watch.now(), Decimal(150), Decimal(100), Decimal(150))
    }
    assert desk.standing.marks() == {}
    desk.told.clear()
    desk.is_connected = False
    desk.standing = Standing(desk.watch, Figures(), marks)
    desk.standing.want([GOLD])
    desk.pass_(1)
    desk.moves(80)
    desk.pass_(1)
    desk.moves(150)
    desk.settles()
    (one,) = desk.told
    assert isinstance(one.told, Candle)
    assert (one.told.high, one.told.low, one.told.close) == (150, 80, 150)
    assert one.outage == Outage(START + timedelta(seconds=1), START + timedelta(seconds=3))


def entry(number: int, on: date) -> Entry:
    return Entry("7", str(number), on, Way.IN, Money(Decimal(number), Currency("USD")), "", "")


def test_lines_of_a_statement_are_news_once_even_over_a_restart() -> None:
    monday = date(2026, 3, 2)
    news = News()
    assert news.catch_up(Topic.ENTRY, [entry(1, monday)], [])
    assert [news.takes(entry(1, monday)), news.takes(entry(2, monday))] == [False, True]
    mark = news.mark(START)
    assert mark is not None
    later = News(mark)
    assert [later.takes(entry(number, monday)) for number in (1, 2, 3)] == [False, False, True]


def test_f46_a_line_booked_for_a_later_day_hides_none_that_comes_after_it() -> None:
    """Heard live and found in history; the year of one is a slip."""
    lines, today = Subject(Topic.ENTRY), date(2026, 3, 2)
    watch = Watch()
    standing = Standing(watch, Figures())
    standing.want([lines])
    standing.connected(frozenset())
    standing.acknowledged(lines)
    gap = standing.next_gap()
    assert gap is not None
    standing.filled(gap, Reading((entry(1, today), entry(2, date(2062, 3, 1))), watch.now()))
    coming = [entry(3, date(2026, 3, 12)), entry(4, today), entry(3, date(2026, 3, 12)), entry(5, date(2026, 3, 1))]
    assert [standing.heard(lines, one) for one in coming] == [True, True, False, True]
    mark = standing.marks()[lines]
    assert mark.at == START
    later = News(mark)
    told = (1, 2, 3, 4, 5)
    days = (today, date(2062, 3, 1), date(2026, 3, 12), today, date(2026, 3, 1))
    assert [later.takes(entry(*one), START) for one in zip(told, days, strict=True)] == [False] * 5
    assert later.takes(entry(6, today), START)


def test_a_state_is_news_when_it_differs_and_an_older_one_never() -> None:
    def balance(amount: int, second: int) -> Balance:
        money = Money(Decimal(amount), Currency("USD"))
        return Balance("7", "main", money, START + timedelta(seconds=second), Environment.DEMO)

    news = News()
    heard = [balance(10, 1), balance(10, 2), balance(9, 1), balance(9, 3), balance(10, 2)]
    assert [news.takes(one) for one in heard] == [True, False, False, True, False]


def test_the_pause_grows_until_something_is_heard() -> None:
    standing = Standing(Watch(), Figures(backoff_seconds=1, backoff_cap_seconds=8))
    standing.want([GOLD])
    for ceiling in (1, 2, 4, 8, 8):
        assert 0 <= standing.pause() <= ceiling
    standing.connected()
    standing.heard(GOLD, quote(0, 1))
    assert standing.pause() <= 1
