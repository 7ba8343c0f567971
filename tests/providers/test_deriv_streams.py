"""What a Deriv login is told by itself, on the socket it asks on, against the simulator."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.clock import SystemClock
from bot.errors import CountersignError, ProviderError, RefusedError, ReplyError
from bot.providers.deriv.client import Deriv
from bot.providers.deriv.client.shared import Follower, Shared
from bot.providers.deriv.wire import Session, markets
from bot.providers.deriv.wire.markets import Price
from bot.providers.following import Following
from bot.providers.gaps import Hole, Outage
from bot.providers.news import Mark
from bot.providers.records import Account, Balance, Candle, Entry, Environment, Position, Quote
from bot.providers.standing import Figures
from bot.providers.streams import Subject, Told, Topic, Wish
from tests.support.deriv_login import START, Desk, a_desk, buy, until

VOL_100, VOL_50 = Subject(Topic.QUOTE, "R_100"), Subject(Topic.QUOTE, "R_50")
NOWHERE = Subject(Topic.QUOTE, "NOPE")
LATE = datetime(2100, 1, 1, tzinfo=UTC)
BALANCE, ENTRIES = Subject(Topic.BALANCE), Subject(Topic.ENTRY)


class Heard:
    """An ear that writes down what it is told."""

    def __init__(self) -> None:
        self.connections = 0
        self.there: list[Subject] = []
        self.refusals: dict[Subject, ProviderError] = {}
        self.told: list[tuple[Subject, Told]] = []
        self.signs_of_life = 0

    def connected(self) -> None:
        self.connections += 1

    def acknowledged(self, subject: Subject) -> None:
        self.there.append(subject)

    def refused(self, subject: Subject, error: ProviderError) -> None:
        self.refusals[subject] = error

    def heard(self, subject: Subject, told: Told) -> None:
        self.told.append((subject, told))

    def alive(self) -> None:
        self.signs_of_life += 1

    def of(self, subject: Subject) -> list[Told]:
        return [told for about, told in self.told if about == subject]

    def prices(self, subject: Subject) -> list[Decimal]:
        return [told.mid for told in self.of(subject) if isinstance(told, Quote)]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with a_desk() as desk:
        yield desk


@asynccontextmanager
async def following(provider: Deriv, wish: Wish | list[Subject], ear: Heard) -> AsyncIterator[asyncio.Task[None]]:
    """All that is wished is there, or refused, when the block begins."""
    wish = wish if isinstance(wish, Wish) else Wish(wish)
    task = asyncio.create_task(provider.stream(wish, ear))
    try:
        await until(lambda: task.done() or wish.subjects <= {*ear.there, *ear.refusals})
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, ProviderError):
            await task


async def test_many_prices_are_asked_for_in_one_call_and_each_is_told(desk: Desk) -> None:
    calls = desk.count('"ticks"')
    ear = Heard()
    async with following(desk.link(), [VOL_100, VOL_50], ear):
        assert ear.connections == 1
        assert sorted(ear.there) == [VOL_100, VOL_50]
        await desk.tell("price", symbol="R_50", quote="777.25")
        await until(lambda: Decimal("777.25") in ear.prices(VOL_50))
        assert Decimal("777.25") not in ear.prices(VOL_100)
        assert calls() == 1
        assert await desk.streams() == 2


async def test_a_symbol_that_is_none_is_refused_by_name_and_takes_no_other_with_it(desk: Desk) -> None:
    ear = Heard()
    async with following(desk.link(), [VOL_100, NOWHERE, VOL_50, Subject(Topic.QUOTE, "no symbol")], ear):
        assert sorted(ear.there) == [VOL_100, VOL_50]
        assert {subject.name: getattr(error, "code", "") for subject, error in ear.refusals.items()} == {
            "NOPE": "InvalidSymbol",
            "no symbol": "InvalidSymbol",
        }


async def test_two_who_follow_the_same_share_a_subscription_until_the_last_one_leaves(desk: Desk) -> None:
    calls = desk.count('"ticks"')
    provider, first, second = desk.link(), Heard(), Heard()
    async with following(provider, [VOL_100], first):
        async with following(provider, [VOL_100, VOL_50], second):
            assert calls() == 2  # one for each symbol, however many follow it
            assert await desk.streams() == 2
            await desk.tell("price", symbol="R_100", quote="1234.50")
            await until(lambda: Decimal("1234.50") in first.prices(VOL_100) and second.prices(VOL_100)[-1] == 1234.5)
        await desk.tell("price", symbol="R_100", quote="1300.25")
        await until(lambda: Decimal("1300.25") in first.prices(VOL_100))
        assert Decimal("1300.25") not in second.prices(VOL_100)
        assert await desk.streams() == 1
    assert await desk.streams() == 0


async def test_who_changes_their_mind_is_told_of_the_new_and_no_more_of_the_old(desk: Desk) -> None:
    ear, wish = Heard(), Wish([VOL_100, BALANCE])
    async with following(desk.link(), wish, ear):
        wish.want([VOL_50, BALANCE])
        await until(lambda: VOL_50 in ear.there)
        assert await desk.streams() == 2
        before = len(ear.of(VOL_100))
        await desk.tell("price", symbol="R_100", quote="1234.50")
        await desk.tell("price", symbol="R_50", quote="777.25")
        await until(lambda: Decimal("777.25") in ear.prices(VOL_50))
        assert len(ear.of(VOL_100)) == before
        assert ear.there.count(BALANCE) == 1


async def test_money_that_comes_is_told_as_the_balance_it_makes_and_the_line_it_writes(desk: Desk) -> None:
    provider, ear = desk.link("token_oauth"), Heard()
    async with following(provider, [BALANCE, ENTRIES], ear):
        assert {told.account for told in ear.of(BALANCE) if isinstance(told, Balance)} == {
            "CR900001",
            "CR900002",
            "VRTC900001",
        }
        assert ear.of(ENTRIES) == []
        await desk.tell("deposit", loginid="CR900001", amount="12.34")
        await until(lambda: bool(ear.of(ENTRIES)))
        (entry,) = ear.of(ENTRIES)
        assert isinstance(entry, Entry)
        assert (entry.account, entry.amount.text(), entry.kind) == ("CR900001", "12.34", "deposit")
        await until(
            lambda: any(isinstance(told, Balance) and told.amount == entry.balance_after for told in ear.of(BALANCE))
        )
        written = (await provider.statement(limit=1)).items[0]
        assert (written.id, written.at, written.amount) == (entry.id, entry.at, entry.amount)


async def test_the_balance_of_one_account_tells_of_no_other(desk: Desk) -> None:
    provider, ear = desk.link("token_oauth"), Heard()
    own, other = Subject(Topic.BALANCE, "CR900001"), Subject(Topic.BALANCE, "CR900002")
    async with following(provider, [own, other], ear):
        assert ear.refusals == {}
        await desk.tell("deposit", loginid="CR900001", amount="1.00")
        await desk.tell("deposit", loginid="CR900002", amount="0.01")
        await until(lambda: len(ear.of(own)) > 1 and len(ear.of(other)) > 1)
        for subject in (own, other):
            assert {told.account for told in ear.of(subject) if isinstance(told, Balance)} == {subject.name}
            (now,) = (await provider.missed(subject, START, LATE)).items
            assert now == replace(ear.of(subject)[-1], as_of=now.as_of)  # type: ignore[type-var]


async def test_a_contract_is_followed_to_its_end(desk: Desk) -> None:
    bought = await buy(desk, amount=20)
    provider, ear = desk.link(), Heard()
    contract = Subject(Topic.CONTRACT, str(bought["contract_id"]))
    async with following(provider, [contract], ear):
        first = ear.of(contract)[0]
        assert isinstance(first, Position)
        assert (first.is_open, first.price_paid) == (True, first.price_paid)
        await desk.tell("move", symbol="R_100", percent="-3")  # it gains when the price falls
        await until(lambda: any(isinstance(told, Position) and told.now != first.now for told in ear.of(contract)))
        await desk.tell("clock", seconds=3700)  # it lasts an hour
        await until(lambda: any(isinstance(told, Position) and not told.is_open for told in ear.of(contract)))
        last = ear.of(contract)[-1]
        assert isinstance(last, Position)
        assert last.status == "won"
        assert last.worth == last.payout
        assert await desk.streams() == 0


async def test_a_contract_that_is_not_there_is_refused(desk: Desk) -> None:
    ear, wrong = Heard(), Subject(Topic.CONTRACT, "last one")
    async with following(desk.link(), [wrong], ear):
        assert isinstance(ear.refusals[wrong], RefusedError)


async def test_the_candle_of_this_minute_is_told_as_it_grows(desk: Desk) -> None:
    ear, candles = Heard(), Subject(Topic.CANDLE, "R_100")
    async with following(desk.link(), [candles], ear):
        await desk.tell("price", symbol="R_100", quote="1999.99")
        await until(lambda: any(isinstance(one, Candle) and one.high == Decimal("1999.99") for one in ear.of(candles)))


async def test_a_token_that_may_not_read_is_told_so_and_its_prices_come_all_the_same(desk: Desk) -> None:
    tokens = (await desk.ask("tokens"))["tokens"]
    token = next(str(entry["token"]) for entry in tokens if entry["scopes"] == ["payments"])
    ear = Heard()
    async with following(desk.link(token=token), [BALANCE, VOL_100], ear):
        assert getattr(ear.refusals[BALANCE], "scope", "") == "read or trading_information"
        assert ear.there == [VOL_100]


async def test_questions_and_streams_share_the_socket(desk: Desk) -> None:
    logins, provider = desk.count('"authorize"'), desk.link()
    async with following(provider, [VOL_100, ENTRIES], Heard()):
        assert (await provider.balances()).items
        assert (await provider.positions()).items
        assert logins() == 1
        assert (await desk.ask("connections"))["count"] == 1


async def test_a_line_that_is_cut_ends_the_stream_and_what_was_missed_is_in_the_history(desk: Desk) -> None:
    provider, ear = desk.link(), Heard()
    async with following(provider, [VOL_100, ENTRIES], ear) as task:
        await desk.tell("hold", symbol="R_100")
        await desk.tell("cut")
        await until(task.done)
    known = {told.key for told in ear.of(VOL_100) if isinstance(told, Quote)}
    last = max(at for _, at in known)
    await desk.tell("burst", symbol="R_100", count=3)
    await desk.tell("deposit", loginid="CR900001", amount="5.00")
    missed = await provider.missed(VOL_100, last + timedelta(seconds=1), SystemClock().now() + timedelta(minutes=1))
    assert missed.is_whole
    assert len(missed.items) == 3
    entries = await provider.missed(ENTRIES, SystemClock().now() - timedelta(minutes=5), SystemClock().now())
    assert [told.amount.text() for told in entries.items if isinstance(told, Entry)][-1:] == ["5.00"]
    again = Heard()
    async with following(provider, [VOL_100, ENTRIES], again):
        assert again.connections == 1
        assert (await desk.ask("connections"))["authorizations"] == 2


async def test_history_is_read_page_by_page_without_a_gap_and_without_repeats(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, now = desk.link(), SystemClock().now()
    since = now - timedelta(minutes=4)  # a price each other second
    whole = await provider.missed(VOL_100, since, now)
    assert 110 < len(whole.items) < 125
    monkeypatch.setattr("bot.providers.deriv.client.markets.MOST_ROWS", 7)
    assert (await provider.missed(VOL_100, since, now)).items == whole.items
    monkeypatch.setattr("bot.providers.deriv.client.markets.MOST_PAGES", 3)
    cut = await provider.missed(VOL_100, since, now)
    assert (cut.is_whole, len(cut.notes)) == (False, 1)
    assert cut.items == whole.items[-len(cut.items) :]


async def test_a_market_at_rest_has_missed_nothing_and_every_other_refusal_is_told(desk: Desk) -> None:
    """Deriv refuses a window that begins behind the last price there is."""
    await desk.tell("hold", symbol="R_100")
    provider = desk.link()
    last, soon = (await provider.quote("R_100")).at, SystemClock().now() + timedelta(minutes=1)
    missed = await provider.missed(VOL_100, last + timedelta(seconds=1), soon)
    assert (missed.items, missed.is_whole) == ((), True)
    assert (await provider.candles("R_100", timedelta(minutes=1), last + timedelta(minutes=2), soon)).items == ()
    refusal = {"error": {"code": "InvalidStartEnd", "message": "A text."}}
    await desk.tell("twist", call="ticks_history", when={"count": 5000}, carry_out=False, set=refusal)
    with pytest.raises(RefusedError):
        await provider.missed(VOL_100, last - timedelta(minutes=1), soon)


async def test_a_pong_is_a_sign_of_life(desk: Desk) -> None:
    ear = Heard()
    async with following(desk.link(), [ENTRIES], ear):
        await until(lambda: desk.clock.waits.count(30.0) == 1)
        await desk.clock.move(30)
        await until(lambda: ear.signs_of_life == 1)


OWN = Account("CR900001", "Real", None, Environment.LIVE)


def a_shared(ear: Heard, subject: Subject = VOL_100) -> Shared:
    request = markets.build_ticks(subject.name).streamed()
    session = Session(OWN, (OWN,), START)
    shared = Shared("key", subject, request, session, SystemClock(), lambda _: None)
    shared.join(Follower(ear), subject)
    return shared


def tick(subscription: str, quote: int, **more: object) -> dict[str, object]:
    said = {"symbol": "R_100", "epoch": 1760000000 + quote, "quote": quote, "id": subscription, "pip_size": 2}
    return {"msg_type": "tick", "tick": said, "subscription": {"id": subscription}, **more}


def test_the_first_frame_names_the_subscription_and_a_frame_of_another_is_dropped() -> None:
    ear = Heard()
    shared = a_shared(ear)
    shared.hear(tick("a" * 32, 1))  # type: ignore[arg-type]
    shared.hear(tick("b" * 32, 2))  # type: ignore[arg-type]
    shared.hear(tick("a" * 32, 3))  # type: ignore[arg-type]
    assert ear.there == [VOL_100]
    assert ear.prices(VOL_100) == [1, 3]


def test_a_price_that_was_read_the_short_way_is_told_where_its_stream_is_there_and_no_other() -> None:
    ear = Heard()
    shared = a_shared(ear)
    prices = [
        Price(1, subscription * 32, Quote("R_100", Decimal(number), Decimal(number), START))
        for subscription, number in (("a", 2), ("b", 3), ("a", 4))
    ]
    assert not shared.hear_price(prices[0])
    shared.hear(tick("a" * 32, 1))  # type: ignore[arg-type]
    assert all(shared.hear_price(price) for price in prices)
    assert ear.prices(VOL_100) == [1, 2, 4]


async def test_a_frame_that_cannot_be_read_ends_everything_rather_than_being_missed() -> None:
    ear = Heard()
    shared = a_shared(ear)
    follower = Follower(ear)
    shared.join(follower, VOL_100)
    shared.hear(tick("a" * 32, 1))  # type: ignore[arg-type]
    shared.hear({"msg_type": "tick", "tick": {"symbol": "R_100", "epoch": "soon", "quote": 2}})
    with pytest.raises(ReplyError):
        await follower.until_failed()


def test_an_error_ends_a_stream_that_was_there() -> None:
    ear = Heard()
    shared = a_shared(ear)
    shared.hear(tick("a" * 32, 1))  # type: ignore[arg-type]
    shared.hear({"msg_type": "tick", "error": {"code": "MarketIsClosed", "message": "…"}})
    shared.hear(tick("a" * 32, 2))  # type: ignore[arg-type]
    assert getattr(ear.refusals[VOL_100], "code", "") == "MarketIsClosed"
    assert ear.prices(VOL_100) == [1]


class Standing:
    """Who listens to a line that is dialled again whenever it breaks."""

    def __init__(self) -> None:
        self.events: list[tuple[Subject, Told]] = []
        self.holes: list[Hole] = []
        self.ups = 0

    def told(self, subject: Subject, told: Told, outage: Outage | None) -> None:
        self.events.append((subject, told))

    async def keep(self, marks: Mapping[Subject, Mark]) -> None:
        pass

    def hole(self, hole: Hole) -> None:
        self.holes.append(hole)

    def refused(self, subject: Subject, error: ProviderError) -> None:
        raise AssertionError(subject)

    def up(self) -> None:
        self.ups += 1

    def down(self, since: datetime, why: CountersignError | None) -> None:
        pass

    def resting(self) -> None:
        pass

    def moments(self, subject: Subject) -> list[datetime]:
        return [told.at for about, told in self.events if about == subject and isinstance(told, Quote)]


async def test_over_broken_lines_every_price_and_every_booking_comes_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.providers.deriv.client.line.CONNECT_DISTANCE_SECONDS", 0.01)
    prices = [Subject(Topic.QUOTE, symbol) for symbol in ("R_10", "R_25", "R_50", "R_75", "R_100")]
    async with a_desk(real_time=True) as desk:
        await desk.tell("rate", seconds=1)
        histories, statements = desk.count('"ticks_history"'), desk.count('"statement"')
        provider, kept = desk.link(), Standing()

        @asynccontextmanager
        async def session() -> AsyncIterator[Deriv]:
            yield provider

        figures = Figures(backoff_seconds=0.01, backoff_cap_seconds=0.05)
        line = Following(session, Wish([*prices, ENTRIES]), kept, desk.clock, figures)
        running = asyncio.create_task(line.run())
        try:
            await until(lambda: {subject for subject, _ in kept.events} >= set(prices))
            await until(statements)
            await provider.site.time()  # asked behind the statement and answered behind it: bookings are followed now
            assert histories() == 0  # the first frame of each says where it stands
            for amount in ("1.00", "2.00"):
                desk.sim.misfortunes.set_down(True)
                await desk.tell("deposit", loginid="CR900001", amount=amount)
                back = desk.clock.now() + timedelta(seconds=1.1)  # a price each second passes unheard
                await until(lambda: desk.clock.now() > back)  # noqa: B023  # awaited within the turn
                desk.sim.misfortunes.set_down(False)
                await until(lambda: amount in booked(kept))  # noqa: B023
            for subject in prices:
                until_now = (await provider.markets.prices(subject.name, kept.moments(subject)[0], LATE)).items
                await until(lambda: until_now[-1].at in kept.moments(subject))  # noqa: B023
                assert kept.moments(subject)[: len(until_now)] == [one.at for one in until_now]
            assert booked(kept) == ["1.00", "2.00"]
            assert kept.holes == []
            assert (await desk.ask("connections"))["authorizations"] == 3
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def booked(kept: Standing) -> list[str]:
    return [told.amount.text() for _, told in kept.events if isinstance(told, Entry)]
