"""Ticks, histories, candles and broken lines of Deriv's simulator: what was streamed is what the history tells."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import websockets

from bot.providers.deriv.simulator.symbols import SYMBOLS
from tests.support.deriv_desk import NOON, Desk, HandClock, Line, a_desk

ALWAYS_OPEN = [symbol.name for symbol in SYMBOLS.values() if not symbol.rests_at_weekends]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with a_desk(HandClock()) as one:
        yield one


async def past(line: Line, symbol: str, **more: Any) -> dict[int, Decimal]:
    """Price by second, as `ticks_history` tells it."""
    history = (await line.ask(**{"ticks_history": symbol, "end": "latest", **more}))["history"]
    return dict(zip(history["times"], history["prices"], strict=True))


async def heard(line: Line, count: int) -> dict[int, Decimal]:
    """So many ticks of one stream."""
    ticks = [(await line.next())["tick"] for _ in range(count)]
    return {tick["epoch"]: tick["quote"] for tick in ticks}


async def test_more_than_a_hundred_symbols_never_rest_and_one_call_streams_a_hundred(desk: Desk) -> None:
    line = await desk.line()
    await line.send(ticks=ALWAYS_OPEN[:100], subscribe=1, req_id=3)
    first = [await line.next() for _ in range(100)]
    assert len({reply["subscription"]["id"] for reply in first}) == 100
    assert {reply["req_id"] for reply in first} == {3}
    assert (await desk.get("connections"))["streams"] == 100
    assert len((await line.ask(forget_all="ticks"))["forget_all"]) == 100


async def test_history_has_what_was_streamed_and_what_a_cut_line_missed(desk: Desk) -> None:
    line = await desk.line()
    first = (await line.ask(ticks="1HZ100V", subscribe=1))["tick"]
    desk.clock.pass_by(3)
    streamed = await heard(line, 3)
    assert list(streamed) == [NOON + 1, NOON + 2, NOON + 3]
    assert (await desk.post("cut", {})).json() == {"cut": 1}
    with pytest.raises(websockets.ConnectionClosedError):
        await line.next()
    desk.clock.pass_by(10)
    again = await desk.line()
    told = await past(again, "1HZ100V", start=NOON)
    assert list(told) == list(range(NOON, NOON + 14))
    assert {second: told[second] for second in (NOON, *streamed)} == {NOON: first["quote"], **streamed}


async def test_lines_can_break_again_and_again(desk: Desk) -> None:
    await desk.post("cut", {"every": "0.2"})
    for _ in range(2):
        line = await desk.line()
        async with asyncio.timeout(5):
            await line.socket.wait_closed()
        assert line.socket.close_code == 1006
    await desk.post("cut", {"every": 0})
    assert (await (await desk.line()).ask(ping=1))["ping"] == "pong"


async def test_a_price_is_set_moved_and_held_and_history_agrees(desk: Desk) -> None:
    line = await desk.line()
    await line.ask(ticks="R_100", subscribe=1)
    assert (await desk.post("price", {"symbol": "R_100", "quote": "2000.00"})).json()["quote"] == "2000.00"
    assert await heard(line, 1) == {NOON + 1: Decimal(2000)}
    await desk.post("hold", {"symbol": "R_100"})
    await desk.post("move", {"symbol": "R_100", "percent": "-1.5"})
    assert await heard(line, 1) == {NOON + 2: Decimal(1970)}
    desk.clock.pass_by(30)
    assert (await line.ask(ticks="R_100"))["tick"]["epoch"] == NOON + 2  # still held
    await desk.post("release", {"symbol": "R_100"})
    desk.clock.pass_by(2)
    after = await heard(line, 2)
    assert list(after) == [NOON + 30, NOON + 32]
    assert await past(line, "R_100", start=NOON + 1) == {NOON + 1: Decimal(2000), NOON + 2: Decimal(1970), **after}


async def test_the_rate_of_one_symbol_or_of_all_is_set_and_the_past_stays(desk: Desk) -> None:
    line = await desk.line()
    before = await past(line, "R_50", count=3)
    await desk.post("rate", {"seconds": 5, "symbol": "R_50"})
    desk.clock.pass_by(20)
    assert list(await past(line, "R_50", start=NOON - 4)) == [*before, *range(NOON + 5, NOON + 21, 5)]
    await desk.post("rate", {"seconds": 1})
    desk.clock.pass_by(3)
    assert list(await past(line, "R_50", start=NOON + 21)) == [NOON + 21, NOON + 22, NOON + 23]
    for bad in ({"seconds": "0.5"}, {"seconds": 0}, {"seconds": 1, "symbol": "NOPE"}):
        assert (await desk.post("rate", bad)).status_code == 400


async def test_a_burst_comes_at_once_with_a_second_for_each_tick(desk: Desk) -> None:
    line = await desk.line()
    await line.ask(ticks="R_10", subscribe=1)
    await desk.post("burst", {"symbol": "R_10", "count": 200})
    streamed = await heard(line, 200)
    assert list(streamed) == list(range(NOON + 1, NOON + 201))
    assert await past(line, "R_10", start=NOON + 1) == streamed


async def test_history_is_a_window_of_the_latest_rows(desk: Desk) -> None:
    line = await desk.line()
    assert list(await past(line, "R_100", count=3)) == [NOON - 4, NOON - 2, NOON]
    assert list(await past(line, "R_100", start=NOON - 100, end=str(NOON - 90), count=2)) == [NOON - 92, NOON - 90]
    assert len(await past(line, "R_100")) == 1000
    assert len(await past(line, "R_100", count=9000)) == 5000
    assert await line.code(ticks_history="R_100", end="100", start=200) == "InvalidStartEnd"
    assert await line.code(ticks_history="NOPE", end="latest") == "InvalidSymbol"
    assert await line.code(ticks_history="R_100") == "InputValidationFailed"
    assert await line.code(ticks_history="R_100", end="latest", granularity=61) == "InputValidationFailed"


async def test_candles_are_those_of_their_ticks(desk: Desk) -> None:
    line = await desk.line()
    await desk.post("move", {"symbol": "R_100", "percent": 3})
    desk.clock.pass_by(5)
    await desk.post("move", {"symbol": "R_100", "percent": -3})
    desk.clock.pass_by(145)
    candles = (await line.ask(ticks_history="R_100", end="latest", style="candles", granularity=60, count=3))["candles"]
    assert [candle["epoch"] for candle in candles] == [NOON, NOON + 60, NOON + 120]
    for candle in candles:
        window = await past(line, "R_100", start=candle["epoch"], end=str(candle["epoch"] + 59))
        prices = list(window.values())
        assert (candle["open"], candle["close"]) == (prices[0], prices[-1])
        assert (candle["high"], candle["low"]) == (max(prices), min(prices))


async def test_a_candle_is_streamed_until_the_next_one_opens(desk: Desk) -> None:
    line = await desk.line()
    wanted = {"ticks_history": "R_100", "end": "latest", "style": "candles", "granularity": 60, "count": 1}
    first = await line.ask(**wanted, subscribe=1, req_id=9)
    assert (first["msg_type"], first["pip_size"]) == ("candles", 2)
    assert await line.code(**wanted, subscribe=1) == "AlreadySubscribed"
    desk.clock.pass_by(58)
    told = [await line.next() for _ in range(29)]
    assert {(each["msg_type"], each["req_id"]) for each in told} == {("ohlc", 9)}
    assert {each["ohlc"]["open_time"] for each in told} == {NOON}
    (closed,) = (await line.ask(**wanted))["candles"]
    last = told[-1]["ohlc"]
    for name in ("open", "high", "low", "close"):
        assert last[name] == f"{closed[name]:.2f}", name
    desk.clock.pass_by(2)
    assert (await line.next())["ohlc"]["open_time"] == NOON + 60
    assert (await line.ask(forget_all=["candles"]))["forget_all"] == [first["subscription"]["id"]]


async def test_a_history_of_ticks_goes_on_as_the_stream_of_ticks(desk: Desk) -> None:
    line = await desk.line()
    first = await line.ask(ticks_history="R_100", end="latest", count=1, subscribe=1, req_id=2)
    assert first["msg_type"] == "history"
    desk.clock.pass_by(2)
    told = await line.next()
    assert (told["msg_type"], told["req_id"], told["subscription"]) == ("tick", 2, first["subscription"])
    assert await line.code(ticks="R_100", subscribe=1) == "AlreadySubscribed"
    desk.clock.pass_by(3 * 86400)  # Saturday
    assert await line.code(ticks_history="frxEURUSD", end="latest", subscribe=1) == "MarketIsClosed"
    assert len(await past(line, "frxEURUSD", count=5)) == 5


async def test_history_survives_a_restart(tmp_path: Path) -> None:
    clock, file = HandClock(), tmp_path / "deriv.json"
    async with a_desk(clock, file) as desk:
        await desk.post("move", {"symbol": "R_100", "percent": 2})
        await desk.post("rate", {"symbol": "R_100", "seconds": 3})
        clock.pass_by(60)
        before = await past(await desk.line(), "R_100", count=50)
    async with a_desk(clock, file, seed=99) as desk:
        assert await past(await desk.line(), "R_100", count=50) == before


async def test_the_controls_are_listed(desk: Desk) -> None:
    listed = (await desk.get(""))["controls"]
    assert any(line.startswith("POST /_sim/cut") and line.endswith("0 ends that") for line in listed)
    named = {line.split()[1].removeprefix("/_sim/") for line in listed}
    assert {"move", "price", "rate", "hold", "release", "burst", "cut", "twist", "mailbox", "clock"} <= named
    for name in named - {"", "mailbox", "connections", "tokens", "calls"}:
        assert (await desk.post(name, [])).status_code == 400, name


async def test_a_market_closes_and_opens_by_hand(desk: Desk) -> None:
    line = await desk.login()
    await line.ask(ticks="R_100", subscribe=1, req_id=1)
    await desk.post("market", {"symbol": "R_100", "open": False})
    told = await line.next()
    assert (told["req_id"], told["error"]["code"]) == (1, "MarketIsClosed")
    assert await line.code(ticks="R_100", subscribe=1) == "MarketIsClosed"
    desk.clock.pass_by(60)
    assert list(await past(line, "R_100", count=1)) == [NOON]
    await desk.post("market", {"symbol": "R_100", "open": True})
    assert (await line.ask(ticks="R_100", subscribe=1))["tick"]["epoch"] == NOON + 60


async def test_what_was_asked_and_refused_is_counted(desk: Desk) -> None:
    line = await desk.login()
    await line.ask(ticks=["R_100", "R_50"])
    await line.next()
    await line.code(ticks_history="NOPE", end="latest")
    assert await desk.get("calls") == {
        "asked": {"authorize": 1, "ticks": 1, "ticks_history": 1},
        "refused": {"InvalidSymbol": 1},
    }


async def test_connections_may_have_to_be_apart(desk: Desk) -> None:
    await desk.line()
    await desk.post("doors", {"seconds": 60})
    with pytest.raises(websockets.InvalidStatus) as refused:
        await desk.line()
    assert refused.value.response.status_code == 503
    await desk.post("doors", {"seconds": 0})
    await desk.line()


async def test_a_late_answer_is_overtaken(desk: Desk) -> None:
    line = await desk.login()
    await desk.post("twist", {"call": "time", "late": 0.05})
    await line.send(time=1, req_id=1)
    await line.send(ping=1, req_id=2)
    assert [(await line.next())["req_id"] for _ in range(2)] == [2, 1]
