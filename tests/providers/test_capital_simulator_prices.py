"""Past and moving prices of Capital.com's simulator. The clock stands at noon on Wednesday, 4 March 2026, UTC."""

from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tests.support.capital_broker import Desk, HandClock, opened


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with opened(HandClock()) as desk:
        await desk.login()
        yield desk


async def bars(desk: Desk, query: str, epic: str = "GOLD") -> list[Any]:
    found: list[Any] = (await desk.get(f"/prices/{epic}?{query}"))["prices"]
    return found


def times(rows: list[Any]) -> list[str]:
    return [row["snapshotTimeUTC"] for row in rows]


async def test_without_parameters_the_last_ten_minutes_up_to_the_quote(desk: Desk) -> None:
    rows = await bars(desk, "")
    assert times(rows) == [f"2026-03-04T11:{minute}:00" for minute in range(51, 60)] + ["2026-03-04T12:00:00"]
    assert rows[-1]["closePrice"] == {"bid": Decimal("4112.30"), "ask": Decimal("4112.80")}
    assert rows[-2]["closePrice"]["bid"] == Decimal("4112.30")  # the invented past ends in the opening quote
    assert rows[-1]["snapshotTime"] == "2026-03-04T14:00:00"
    for before, after in pairwise(rows[:-1]):
        assert before["closePrice"] == after["openPrice"]


async def test_coarse_bars_are_made_of_the_fine_ones(desk: Desk) -> None:
    minutes = await bars(desk, "from=2026-03-03T08:00:00&to=2026-03-03T11:59:00&max=1000")
    (coarse,) = await bars(desk, "resolution=HOUR_4&from=2026-03-03T08:00:00&max=1")
    hours = await bars(desk, "resolution=HOUR&from=2026-03-03T08:00:00&max=4")
    assert len(minutes) == 240
    for fine in (minutes, hours):
        assert coarse["openPrice"] == fine[0]["openPrice"]
        assert coarse["closePrice"] == fine[-1]["closePrice"]
        assert coarse["highPrice"]["bid"] == max(row["highPrice"]["bid"] for row in fine)
        assert coarse["lowPrice"]["ask"] == min(row["lowPrice"]["ask"] for row in fine)
        assert coarse["lastTradedVolume"] == sum(row["lastTradedVolume"] for row in fine)


async def test_there_are_no_prices_at_the_weekend_and_days_are_skipped(desk: Desk) -> None:
    closed = "from=2026-02-28T00:00:00&to=2026-02-28T10:00:00"  # a Saturday
    assert await desk.refusal("GET", f"/prices/GOLD?{closed}") == (404, "error.prices.not-found")
    assert len(await bars(desk, closed, "BTCUSD")) == 10
    days = await bars(desk, "resolution=DAY&max=5")
    assert [time[8:10] for time in times(days)] == ["27", "01", "02", "03", "04"]  # Sunday opens at 23:05
    weeks = await bars(desk, "resolution=WEEK&max=3")
    assert times(weeks)[-1] == "2026-03-02T00:00:00"
    shares = await bars(desk, "resolution=HOUR&max=8", "AAPL")
    assert [time[11:13] for time in times(shares)] == ["14", "15", "16", "17", "18", "19", "20", "12"]


async def test_one_end_counts_forward_or_back_and_two_count_forward(desk: Desk) -> None:
    assert times(await bars(desk, "from=2026-03-04T10:00:00&max=3"))[-1] == "2026-03-04T10:02:00"
    assert times(await bars(desk, "to=2026-03-04T10:00:00&max=3"))[0] == "2026-03-04T09:58:00"
    both = await bars(desk, "from=2026-03-04T10:00:00&to=2026-03-04T11:00:00&max=3")
    assert times(both)[-1] == "2026-03-04T10:02:00"
    edges = await bars(desk, "from=2026-03-04T10:00:00&to=2026-03-04T10:05:00&max=1000")
    assert times(edges)[0], times(edges)[-1] == ("2026-03-04T10:00:00", "2026-03-04T10:05:00")
    assert len(edges) == 6
    assert times(await bars(desk, "resolution=MINUTE_15&from=2026-03-04T10:01:00&max=1")) == ["2026-03-04T10:15:00"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("resolution=SECOND", (400, "error.invalid.resolution")),
        ("max=1001", (400, "error.invalid.max")),
        ("max=0", (400, "error.invalid.max")),
        ("max=ten", (400, "error.invalid.max")),
        ("from=2026-03-04", (400, "error.invalid.from")),
        ("to=2026-03-04T10:00:00.000", (400, "error.invalid.to")),
        ("to=2026-03-04T12:00:01", (400, "error.invalid.daterange")),
        ("from=2026-03-04T11:00:00&to=2026-03-04T10:00:00", (400, "error.invalid.daterange")),
        ("from=2026-03-03T00:00:00&to=2026-03-03T16:40:00", (400, "error.invalid.max.daterange")),
        ("to=2020-01-01T00:00:00", (404, "error.prices.not-found")),
    ],
)
async def test_prices_that_cannot_be_told(desk: Desk, query: str, expected: tuple[int, str]) -> None:
    assert await desk.refusal("GET", f"/prices/GOLD?{query}") == expected


async def test_the_longest_window_and_the_deepest_past(desk: Desk) -> None:
    rows = await bars(desk, "from=2026-03-03T00:00:00&to=2026-03-03T16:39:00&max=1000")
    assert len(rows) == 1000
    assert len(await bars(desk, "resolution=WEEK&max=1000")) == 104
    assert await desk.refusal("GET", "/prices/UNOBTAINIUM") == (404, "error.not-found.epic")


async def test_set_prices_become_the_bars_of_their_minute(desk: Desk) -> None:
    await desk.sim("clock", seconds=60)
    for bid in (4110, 4125, 4105, 4108):
        await desk.sim("price", epic="GOLD", bid=bid, offer=bid + 1)
    await desk.sim("clock", seconds=120)
    rows = await bars(desk, "max=2")
    assert times(rows) == ["2026-03-04T12:00:00", "2026-03-04T12:01:00"]
    bar = rows[1]
    assert [bar[f"{part}Price"]["bid"] for part in ("open", "high", "low", "close")] == [4110, 4125, 4105, 4108]
    assert [bar[f"{part}Price"]["ask"] for part in ("open", "high", "low", "close")] == [4111, 4126, 4106, 4109]
    assert bar["lastTradedVolume"] == 4
    (hour,) = await bars(desk, "resolution=HOUR&max=1")
    assert (hour["openPrice"]["bid"], hour["highPrice"]["bid"]) == (Decimal("4112.30"), 4125)
    (day,) = await bars(desk, "resolution=DAY&max=1")
    assert day["closePrice"]["ask"] == 4109


async def test_prices_walk_the_same_way_with_the_same_seed_and_stand_when_told(desk: Desk) -> None:
    await desk.sim("walk", on=True, step_ms=500)
    await desk.sim("clock", seconds=90)
    walked = (await desk.http.get("/_sim/quotes")).json()
    assert walked["GOLD"]["bid"] != "4112.30"
    rows = await bars(desk, "max=2")
    assert times(rows) == ["2026-03-04T12:00:00", "2026-03-04T12:01:00"]
    assert str(rows[1]["closePrice"]["bid"]) == walked["GOLD"]["bid"]
    assert rows[0]["highPrice"]["bid"] > rows[0]["lowPrice"]["bid"]
    assert abs(Decimal(walked["GOLD"]["bid"]) - Decimal("4112.30")) < 200
    await desk.sim("walk", on=False)
    await desk.sim("clock", seconds=60)
    assert (await desk.http.get("/_sim/quotes")).json() == walked
    async with opened(HandClock()) as other:
        await other.sim("step", steps=180)
        again = (await other.http.get("/_sim/quotes")).json()
    assert {epic: one["bid"] for epic, one in again.items()} == {epic: one["bid"] for epic, one in walked.items()}
