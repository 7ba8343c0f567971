"""Capital.com's prices over real sockets, against the simulator: cut, held back, and caught up with."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from bot.clock import Clock, SystemClock
from bot.errors import ProviderError, RefusedError, StreamsFullError
from bot.loopback.server import Listening, serving
from bot.providers.base import Login, Provider, Surroundings
from bot.providers.capital import SPEC
from bot.providers.capital.client import Capital, Settings
from bot.providers.capital.simulator import make
from bot.providers.following import Following
from bot.providers.records import Candle, Environment
from bot.providers.standing import Figures
from bot.providers.streams import Subject, Told, Topic, Wish
from bot.secret import Secret
from tests.support.chatting import WalkingClock
from tests.support.listening import Heard

GOLD, SILVER = Subject(Topic.QUOTE, "GOLD"), Subject(Topic.QUOTE, "SILVER")
QUICK = Figures(backoff_seconds=0.05, backoff_cap_seconds=0.2, stall_seconds=1.0)


@dataclass
class Desk:
    """A simulator, an adapter, and a listener behind it."""

    sim: Listening
    control: httpx.AsyncClient
    adapter: Capital
    clock: Clock = field(default_factory=SystemClock)
    heard: Heard = field(default_factory=Heard)
    wish: Wish = field(default_factory=Wish)

    async def tell(self, path: str, **body: Any) -> Any:
        answer = await self.control.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ask(self, path: str) -> Any:
        return (await self.control.get(path)).json()

    async def price(self, epic: str, bid: str) -> None:
        await self.tell("price", epic=epic, bid=float(bid), offer=float(bid) + 1)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Provider]:
        yield self.adapter

    @asynccontextmanager
    async def following(self, *subjects: Subject, figures: Figures = QUICK) -> AsyncIterator[None]:
        self.wish.want(subjects)
        following = Following(self.session, self.wish, self.heard, self.clock, figures, self.heard.marks)
        task = asyncio.create_task(following.run())
        try:
            await until(lambda: self.heard.is_up or task.done())
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def truth(self, epic: str) -> Decimal:
        now = (await self.ask("quotes"))[epic]
        return (Decimal(str(now["bid"])) + Decimal(str(now["offer"]))) / 2


async def until(true: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # the other side of a socket sets no event
            await asyncio.sleep(0.005)


@asynccontextmanager
async def desk_at(clock: Clock) -> AsyncIterator[Desk]:
    async with serving(make(clock=clock)) as sim, httpx.AsyncClient(base_url=f"{sim.control}/") as control:
        login: Login = {key: Secret(text) for key, text in sim.credentials.items()}

        @asynccontextmanager
        async def lend() -> AsyncIterator[Login]:
            yield login

        table = Settings(
            demo_url=sim.http, encrypted_password=False, requests_per_second=10_000, logins_per_second=10_000
        )
        adapter = SPEC.build(lend, Surroundings(Environment.DEMO, table, clock))
        assert isinstance(adapter, Capital)
        yield Desk(sim, control, adapter, clock)
        await adapter.close()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_at(SystemClock()) as one:
        yield one


async def test_a_price_that_moves_is_told_at_once(desk: Desk) -> None:
    async with desk.following(GOLD, SILVER):
        await desk.price("GOLD", "4200.5")
        await until(lambda: desk.heard.quotes(GOLD))
        (quote,) = desk.heard.quotes(GOLD)
        assert (quote.bid, quote.ask) == (Decimal("4200.5"), Decimal("4201.5"))
        assert desk.heard.quotes(SILVER) == []


async def test_a_crossing_while_the_line_was_cut_is_learnt_from_history_with_its_outage(desk: Desk) -> None:
    async with desk.following(GOLD):
        await desk.price("GOLD", "4200")
        await until(lambda: desk.heard.quotes(GOLD))
        await desk.tell("down", down=True)
        await until(lambda: desk.heard.downs)
        await desk.price("GOLD", "4500")
        await desk.price("GOLD", "4200")
        await desk.tell("down", down=False)
        await until(lambda: max(desk.heard.prices(GOLD)) == Decimal("4500.5"))
        late = [told for _, told, outage in desk.heard.events if outage is not None]
        assert {type(told) for told in late} == {Candle}  # one a minute
        assert desk.heard.prices(GOLD)[-1] == Decimal("4200.5")


async def test_markets_come_and_go_with_the_wish_and_an_unknown_one_is_refused_alone(desk: Desk) -> None:
    nowhere = Subject(Topic.QUOTE, "NOWHERE")
    async with desk.following(GOLD):
        desk.wish.want([SILVER, nowhere])
        await until(lambda: nowhere in desk.heard.refusals)
        assert isinstance(desk.heard.refusals[nowhere], RefusedError)
        await desk.price("GOLD", "4200")
        await desk.price("SILVER", "55")
        await until(lambda: desk.heard.quotes(SILVER))
        assert desk.heard.quotes(GOLD) == []


async def test_the_forty_first_market_gets_a_sentence_and_the_forty_are_followed(desk: Desk) -> None:
    epics = sorted(await desk.ask("quotes"))
    many = [Subject(Topic.QUOTE, epic) for epic in epics]
    async with desk.following(*many):
        full = {one for one, error in desk.heard.refusals.items() if isinstance(error, StreamsFullError)}
        assert full == set(many[40:])
        assert len(full) == len(epics) - 40 > 0


async def test_a_minute_is_told_when_it_is_over(desk: Desk) -> None:
    minutes = Subject(Topic.CANDLE, "GOLD")
    async with desk.following(minutes):
        await desk.price("GOLD", "4300")
        await desk.tell("clock", seconds=61)
        await until(lambda: desk.heard.of(minutes))
        candle = desk.heard.of(minutes)[-1]
        assert isinstance(candle, Candle)
        assert (candle.high, candle.close) == (Decimal("4300.5"), Decimal("4300.5"))


async def test_minutes_that_end_while_the_line_is_cut_are_told_once_each_and_as_history_has_them() -> None:
    clock = WalkingClock()
    async with desk_at(clock) as desk:
        minutes = [Subject(Topic.CANDLE, epic) for epic in ("GOLD", "SILVER", "EURUSD")]
        async with desk.following(*minutes, GOLD):
            for number in range(9):
                is_down = number % 3 == 1
                if is_down:
                    downs = len(desk.heard.downs)
                    await desk.tell("down", down=True)
                    await until(lambda downs=downs: len(desk.heard.downs) > downs)
                for place, one in enumerate(minutes):
                    await desk.price(one.name, str(100 + 7 * number % 11 + place))
                clock.ahead_by(40)
                await desk.ask("quotes")  # the other side notices that time has passed
                if is_down:
                    await desk.tell("down", down=False)
                await until(lambda: desk.heard.is_up)
            assert min(await minutes_told(desk, minutes)) >= 3
        assert desk.heard.ups >= 4
        assert desk.heard.holes == []


async def minutes_told(desk: Desk, minutes: Sequence[Subject]) -> list[int]:
    """How many of each; whatever was over by now since the first of them, once, in order, and as history has it."""
    counts = []
    for one in minutes:
        truth = await whole_minutes(desk, one.name)
        await until(lambda one=one, truth=truth: truth[-1] in told(desk, one))
        begun = truth.index(told(desk, one)[0])
        counts.append(len(truth) - begun)
        assert told(desk, one)[: counts[-1]] == truth[begun:]
    return counts


def told(desk: Desk, minutes: Subject) -> list[tuple[datetime, Decimal, Decimal, Decimal, Decimal]]:
    return [(one.at, one.open, one.high, one.low, one.close) for one in desk.heard.of(minutes) if type(one) is Candle]


async def whole_minutes(desk: Desk, epic: str) -> list[tuple[datetime, Decimal, Decimal, Decimal, Decimal]]:
    """Those that are over, halfway between bid and ask, read off the simulator's own history."""
    tokens = (await desk.adapter.sessions.ticket()).tokens.headers()
    reply = await desk.control.get(f"{desk.sim.http}/api/v1/prices/{epic}?resolution=MINUTE&max=30", headers=tokens)
    rows = json.loads(reply.text, parse_float=Decimal)["prices"]
    names = ("openPrice", "highPrice", "lowPrice", "closePrice")
    over = []
    for row in rows:
        at = datetime.fromisoformat(row["snapshotTimeUTC"]).replace(tzinfo=UTC)
        if at + timedelta(minutes=1) > desk.clock.now():
            break
        first, high, low, last = ((Decimal(row[one]["bid"]) + Decimal(row[one]["ask"])) / 2 for one in names)
        over.append((at, first, high, low, last))
    return over


class Pulse:
    """An ear for signs of life only."""

    def __init__(self) -> None:
        self.count = 0

    def connected(self) -> None:
        pass

    def acknowledged(self, subject: Subject) -> None:
        pass

    def refused(self, subject: Subject, error: ProviderError) -> None:
        pass

    def heard(self, subject: Subject, told: Told) -> None:
        pass

    def alive(self) -> None:
        self.count += 1


async def test_the_socket_is_pinged_and_each_answer_is_a_sign_of_life(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.providers.capital.client.streaming.PING_SECONDS", 0.01)
    pulse = Pulse()
    streaming = asyncio.create_task(desk.adapter.stream(Wish([GOLD]), pulse))
    await until(lambda: pulse.count > 20 or streaming.done())  # among them are two pings of the session
    assert not streaming.done()
    streaming.cancel()
    with suppress(asyncio.CancelledError):
        await streaming


async def test_new_tokens_and_a_dead_session_do_not_end_what_is_told(desk: Desk) -> None:
    async with desk.following(GOLD):
        await desk.tell("expire")
        await desk.tell("cut")
        await until(lambda: desk.heard.ups == 2)
        await desk.price("GOLD", "4222")
        await until(lambda: desk.heard.prices(GOLD)[-1:] == [Decimal("4222.5")])


async def test_new_tokens_are_told_on_the_line_that_stands(desk: Desk) -> None:
    async with desk.following(GOLD, Subject(Topic.CANDLE, "SILVER")):  # two questions, to be asked again
        (before,) = (await desk.ask("streams"))["sockets"]
        await desk.tell("options", rotate_tokens=True)
        await desk.adapter.balances()
        await desk.tell("options", rotate_tokens=False)

        async def asked_again() -> None:
            while (await desk.ask("streams"))["sockets"][0]["heard"] < before["heard"] + 2:
                await asyncio.sleep(0.01)

        await asyncio.wait_for(asked_again(), 20)
        await desk.price("GOLD", "4222")
        await until(lambda: desk.heard.prices(GOLD)[-1:] == [Decimal("4222.5")])
        assert desk.heard.ups == 1


async def test_another_account_brings_another_line(desk: Desk) -> None:
    async with desk.following(GOLD):
        accounts = [one.id for one in (await desk.adapter.accounts()).items]
        here = await desk.adapter.sessions.at_home()
        (other, *_) = [one for one in accounts if one != here]
        await desk.adapter.sessions.switch(other)
        await until(lambda: desk.heard.ups == 2)
        await desk.price("GOLD", "4222")
        await until(lambda: desk.heard.prices(GOLD)[-1:] == [Decimal("4222.5")])


async def test_what_is_held_back_while_its_price_moves_is_found_out_and_the_line_is_made_anew(desk: Desk) -> None:
    async with desk.following(GOLD, SILVER):
        await desk.price("GOLD", "4200")
        await until(lambda: desk.heard.quotes(GOLD))
        await desk.tell("hold", epic="GOLD", quotes=True)
        await desk.price("GOLD", "4400")
        await until(lambda: desk.heard.downs == ["SilentError"] and desk.heard.is_up)
        await desk.tell("hold", epic="GOLD", quotes=False)
        await until(lambda: max(desk.heard.prices(GOLD)) == Decimal("4400.5"))


async def test_f44_after_many_cuts_with_forty_markets_what_is_known_is_what_is_true(desk: Desk) -> None:
    await cut_again_and_again(desk, seconds=6, each=0.8, within=60)


@pytest.mark.faults
@pytest.mark.timeout(300)
async def test_f44_after_two_minutes_of_cuts_every_three_seconds_what_is_known_is_what_is_true(desk: Desk) -> None:
    await cut_again_and_again(desk, seconds=120, each=3, within=5, with_minutes=True)


async def cut_again_and_again(
    desk: Desk, *, seconds: float, each: float, within: float, with_minutes: bool = False
) -> None:
    epics = sorted(await desk.ask("quotes"))[:40]
    subjects = [Subject(Topic.QUOTE, epic) for epic in epics]
    minutes = [Subject(Topic.CANDLE, epic) for epic in epics] if with_minutes else []
    await desk.tell("rates", enabled=False)
    async with desk.following(*subjects, *minutes):
        first = {epic: await desk.truth(epic) for epic in epics}
        highest, lowest = dict(first), dict(first)
        await desk.tell("cut", each_seconds=each)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            await desk.tell("step", steps=1)
            for epic, now in (await desk.ask("quotes")).items():
                mid = (Decimal(str(now["bid"])) + Decimal(str(now["offer"]))) / 2
                if epic in highest:
                    highest[epic], lowest[epic] = max(highest[epic], mid), min(lowest[epic], mid)
            await asyncio.sleep(0.05)  # the pace of the market
        await desk.tell("cut", each_seconds=0)
        await until(lambda: desk.heard.is_up)
        truth = {epic: await desk.truth(epic) for epic in epics}
        await until(lambda: all(desk.heard.prices(one)[-1:] == [truth[one.name]] for one in subjects), within)
        for one in subjects:
            prices = [first[one.name], *desk.heard.prices(one)]
            assert (max(prices), min(prices)) == (highest[one.name], lowest[one.name])
            again = Counter(told.key for told in desk.heard.quotes(one))
            assert again.most_common(1)[0][1] == 1
        assert not minutes or min(await minutes_told(desk, minutes)) >= 1
        assert desk.heard.ups > 3
        assert desk.heard.holes == []
