"""Accounts, histories, watchlists and market research on Capital.com's simulator."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.capital_broker import EUR, USD, Desk, HandClock, opened


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with opened(HandClock()) as desk:
        await desk.login()
        yield desk


def told(rows: Any) -> list[tuple[str, str, str]]:
    return [(row["source"], row["type"], row["status"]) for row in rows["activities"]]


# Accounts


async def test_leverages_change_one_by_one_and_show_in_the_markets_margin(desk: Desk) -> None:
    body = {"leverages": {"COMMODITIES": 20, "SHARES": None}, "hedgingMode": None}
    assert (await desk.ask("PUT", "/accounts/preferences", body)).json() == {"status": "SUCCESS"}
    kept = await desk.get("/accounts/preferences")
    assert kept["leverages"]["COMMODITIES"] == {"current": 20, "available": [1, 2, 3, 4, 5, 10, 20]}
    assert (kept["leverages"]["SHARES"]["current"], kept["hedgingMode"]) == (5, False)
    assert (await desk.get("/markets/GOLD"))["instrument"]["marginFactor"] == 5
    wrong = {"leverages": {"INDICES": 10, "COMMODITIES": 7}}
    assert await desk.refusal("PUT", "/accounts/preferences", wrong) == (400, "error.invalid.leverage.value")
    assert await desk.get("/accounts/preferences") == kept


async def test_play_money_comes_and_goes_within_its_bounds(desk: Desk) -> None:
    assert (await desk.ask("POST", "/accounts/topUp", {"amount": 1000.5})).json() == {"successful": True}
    assert str((await desk.balance())["deposit"]) == "49250.50"
    await desk.ask("POST", "/accounts/topUp/", {"amount": -50.5})
    assert str((await desk.balance())["deposit"]) == "49200.00"
    for amount in (60_000, -400_001, -90_000, 0, 0.001):
        assert await desk.refusal("POST", "/accounts/topUp", {"amount": amount}) == (400, "error.invalid.amount")
    assert await desk.refusal("POST", "/accounts/topUp", {}) == (400, "error.null.amount")
    rows = (await desk.get("/history/transactions"))["transactions"]
    assert [(row["transactionType"], row["size"]) for row in rows] == [("WITHDRAWAL", "-50.50"), ("DEPOSIT", "1000.50")]
    assert [entry["amount"] for entry in await desk.ledger()] == ["1000.5", "50.5"]


async def test_a_hundred_top_ups_a_day(desk: Desk) -> None:
    await desk.sim("rates", enabled=True)
    for _ in range(100):
        desk.clock.pass_by(0.1)
        assert (await desk.ask("POST", "/accounts/topUp", {"amount": 1})).status_code == 200
    desk.clock.pass_by(1)
    assert await desk.refusal("POST", "/accounts/topUp", {"amount": 1}) == (429, "error.too-many.requests")


# Histories


async def test_a_market_order_writes_three_rows_and_its_close_a_fourth(desk: Desk) -> None:
    word = await desk.order(direction="BUY", epic="SILVER", size=100)
    desk.clock.pass_by(5)
    deal_id = word["affectedDeals"][0]["dealId"]
    await desk.ask("DELETE", f"/positions/{deal_id}")
    rows = await desk.get("/history/activity?detailed=True")
    assert told(rows) == [
        ("USER", "POSITION", "ACCEPTED"),
        ("USER", "POSITION", "ACCEPTED"),
        ("SYSTEM", "WORKING_ORDER", "ACCEPTED"),
        ("USER", "WORKING_ORDER", "ACCEPTED"),
    ]
    close, opening = rows["activities"][:2]
    assert close["dealId"] == opening["dealId"] == deal_id
    assert close["details"] == {
        "dealReference": f"p_{deal_id}",
        "marketName": "Silver",
        "currency": "USD",
        "size": 100,
        "direction": "SELL",
        "level": Decimal("51.204"),
        "guaranteedStop": False,
        "workingOrderId": word["dealId"],
    }
    assert (close["dateUTC"], close["date"]) == ("2026-03-04T12:00:05.000", "2026-03-04T15:00:05.000")
    assert opening["details"]["direction"] == "BUY"
    assert "details" not in (await desk.get("/history/activity"))["activities"][0]
    (trade,) = (await desk.get("/history/transactions?type=TRADE"))["transactions"]
    assert (trade["size"], trade["note"], trade["instrumentName"]) == ("-3.20", "Trade closed", "SILVER")
    assert (trade["dateUtc"], trade["status"]) == ("2026-03-04T12:00:05.000", "PROCESSED")


async def test_a_filled_order_and_a_reached_stop_show_in_the_activity(desk: Desk) -> None:
    order = {"direction": "BUY", "epic": "SILVER", "size": 100, "type": "LIMIT", "level": 50, "stopLevel": 49}
    await desk.ask("POST", "/workingorders", order)
    await desk.sim("price", epic="SILVER", bid=49.9, offer=49.95)
    await desk.sim("price", epic="SILVER", bid=48.5, offer=48.55)
    rows = await desk.get("/history/activity?detailed=true&filter=epic==SILVER")
    assert told(rows) == [
        ("SL", "POSITION", "ACCEPTED"),
        ("USER", "POSITION", "ACCEPTED"),
        ("SYSTEM", "WORKING_ORDER", "EXECUTED"),
        ("USER", "WORKING_ORDER", "ACCEPTED"),
    ]
    assert rows["activities"][1]["details"]["workingOrderId"] == rows["activities"][2]["dealId"]


@pytest.mark.parametrize(
    ("filter", "kinds"),
    [
        ("type==POSITION", ["POSITION"]),
        ("source!=USER", ["WORKING_ORDER"]),
        ("type==POSITION,WORKING_ORDER;source==USER;epic!=GOLD", ["POSITION", "WORKING_ORDER"]),
        ("status==EXPIRED", []),
    ],
)
async def test_the_activity_is_filtered(desk: Desk, filter: str, kinds: list[str]) -> None:
    await desk.order(direction="BUY", epic="SILVER", size=100)
    reply = await desk.http.get("/api/v1/history/activity", params={"filter": filter}, headers=desk.tokens)
    assert [row["type"] for row in reply.json()["activities"]] == kinds


async def test_the_activity_of_one_day_two_days_ago(desk: Desk) -> None:
    rows = await desk.get("/history/activity?from=2026-03-02T00:00:00&to=2026-03-03T00:00:00")
    assert [row["epic"] for row in rows["activities"]] == ["GOLD"]
    assert await desk.get("/history/activity?from=2026-03-02T00:00:00") == rows
    assert await desk.get("/history/activity?to=2026-03-03T00:00:00&lastPeriod=1") == rows
    assert told(await desk.get("/history/activity?lastPeriod=86400")) == [("USER", "POSITION", "ACCEPTED")]
    assert await desk.get("/history/activity") == {"activities": []}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("activity?from=2026-03-02", "error.invalid.from"),
        ("activity?to=2026-03-02T00:00:00Z", "error.invalid.to"),
        ("activity?from=2026-03-01T00:00:00&to=2026-03-02T00:00:01", "error.invalid.daterange"),
        ("activity?from=2026-03-03T00:00:00&to=2026-03-02T00:00:00", "error.invalid.daterange"),
        ("activity?to=2026-03-04T12:00:01", "error.invalid.daterange"),
        ("activity?lastPeriod=86401", "error.invalid.lastPeriod"),
        ("activity?filter=size%3D%3D1", "error.invalid.filter"),
        ("transactions?from=yesterday", "error.invalid.from"),
        ("transactions?type=GIFT", "error.invalid.type"),
    ],
)
async def test_histories_that_cannot_be_told(desk: Desk, query: str, code: str) -> None:
    assert await desk.refusal("GET", f"/history/{query}") == (400, code)


async def test_the_booked_past_adds_up_to_the_cash_of_each_account(desk: Desk) -> None:
    query = "/history/transactions?from=2026-01-01T00:00:00"
    rows = (await desk.get(query))["transactions"]
    assert sum(Decimal(row["size"]) for row in rows) == (await desk.balance())["deposit"]
    assert "instrumentName" not in rows[-1]
    assert [row["transactionType"] for row in (await desk.get(f"{query}&type=SWAP"))["transactions"]] == ["SWAP"]
    desk.adopt(await desk.ask("PUT", "/session", {"accountId": EUR}))
    assert [row["size"] for row in (await desk.get(query))["transactions"]] == ["12480.55"]


async def test_a_night_is_booked_for_every_position(desk: Desk) -> None:
    booked = (await desk.sim("overnight"))["booked"]
    (gold,) = await desk.rows("GOLD")
    assert booked[gold["dealId"]] == "-3.95"  # 0.0192 % of 5 x 4112.30
    rows = (await desk.get("/history/transactions?type=SWAP"))["transactions"]
    assert sorted(row["size"] for row in rows) == sorted(booked.values())
    assert (await desk.balance())["deposit"] == 48250 + sum(Decimal(amount) for amount in booked.values())


# Watchlists


async def test_a_watchlist_from_its_making_to_its_end(desk: Desk) -> None:
    reply = await desk.ask("POST", "/watchlists", {"name": "Mine", "epics": ["GOLD", "NOTHING"]})
    made = reply.json()
    assert made["status"] == "SUCCESS_NOT_ALL_INSTRUMENTS_ADDED"
    path = f"/watchlists/{made['watchlistId']}"
    assert (await desk.ask("PUT", f"{path}/", {"epic": "US100"})).json() == {"status": "SUCCESS"}
    assert [row["epic"] for row in (await desk.get(path))["markets"]] == ["GOLD", "US100"]
    assert (await desk.ask("DELETE", f"{path}/GOLD")).json() == {"status": "SUCCESS"}
    assert [row["epic"] for row in (await desk.get(path))["markets"]] == ["US100"]
    mine = (await desk.get("/watchlists/"))["watchlists"][-1]
    assert (mine["name"], mine["editable"], mine["deleteable"]) == ("Mine", True, True)
    assert await desk.refusal("PUT", path, {"epic": "NOTHING"}) == (404, "error.not-found.epic")
    assert await desk.refusal("DELETE", f"{path}/GOLD") == (404, "error.not-found.epic")
    assert (await desk.ask("DELETE", path)).json() == {"status": "SUCCESS"}
    assert await desk.refusal("GET", path) == (404, "error.invalid.watchlist")
    assert await desk.refusal("DELETE", path) == (404, "error.not-found.watchlist")


async def test_names_of_watchlists_have_one_to_twenty_characters(desk: Desk) -> None:
    for name in ("", None, "x" * 21):
        expected = (400, "error.size.createwatchlistrequest.name")
        assert await desk.refusal("POST", "/watchlists", {"name": name}) == expected
    assert (await desk.ask("POST", "/watchlists", {"name": "x" * 20, "epics": None})).json()["status"] == "SUCCESS"


# Markets


async def test_navigation_leads_from_groups_to_markets(desk: Desk) -> None:
    roots = (await desk.get("/marketnavigation/"))["nodes"]
    assert {"id": "hierarchy_v1.commodities_group", "name": "commodities_group"} in roots
    branch = await desk.get("/marketnavigation/hierarchy_v1.commodities_group")
    assert [node["name"] for node in branch["nodes"]] == ["Commodities", "Metals", "Energies"]
    assert (await desk.get("/marketnavigation/hierarchy_v1.commodities_group?limit=1"))["nodes"] == branch["nodes"][:1]
    leaf = await desk.get(f"/marketnavigation/{branch['nodes'][1]['id']}?limit=2")
    assert leaf["nodes"] == []
    assert [row["epic"] for row in leaf["markets"]] == ["GOLD", "SILVER"]
    currencies = await desk.get("/marketnavigation/hierarchy_v1.currencies_group")
    assert [row["epic"] for row in currencies["markets"]] == ["EURUSD", "GBPUSD", "EURGBP"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/marketnavigation/nowhere", (404, "error.not-found.nodeId")),
        ("/marketnavigation/hierarchy_v1.", (404, "error.not-found.nodeId")),
        ("/marketnavigation/hierarchy_v1.indices_group?limit=0", (400, "error.invalid.limit")),
        ("/marketnavigation/hierarchy_v1.indices_group?limit=501", (400, "error.invalid.limit")),
        ("/clientsentiment", (400, "error.null.marketIds")),
        ("/clientsentiment?marketIds=GOLD,NOTHING", (404, "error.not-found.epic")),
        ("/clientsentiment/NOTHING", (404, "error.not-found.epic")),
    ],
)
async def test_research_that_cannot_be_answered(desk: Desk, path: str, expected: tuple[int, str]) -> None:
    assert await desk.refusal("GET", path) == expected


async def test_sentiment_adds_up_to_a_hundred(desk: Desk) -> None:
    both = (await desk.get("/clientsentiment?marketIds=GOLD,SILVER"))["clientSentiments"]
    assert [one["marketId"] for one in both] == ["GOLD", "SILVER"]
    assert await desk.get("/clientsentiment/SILVER") == both[1]
    assert {one["longPositionPercentage"] + one["shortPositionPercentage"] for one in both} == {100}


# Keeping


async def test_orders_histories_lists_and_the_moved_clock_survive_a_restart(tmp_path: Path) -> None:
    clock, kept = HandClock(), tmp_path / "capital.json"
    paths = ("/workingorders", "/history/activity", "/history/transactions", "/watchlists", "/accounts/preferences")
    paths += ("/prices/GOLD", "/time")
    async with opened(clock, state=kept) as desk:
        await desk.login()
        order = {"direction": "BUY", "epic": "GOLD", "size": 1, "type": "LIMIT", "level": 4000}
        await desk.ask("POST", "/workingorders", {**order, "goodTillDate": "2026-03-05T12:00:00"})
        await desk.ask("POST", "/accounts/topUp", {"amount": 5})
        await desk.ask("POST", "/watchlists", {"name": "Mine", "epics": ["GOLD"]})
        await desk.ask("PUT", "/accounts/preferences", {"hedgingMode": True})
        await desk.sim("clock", seconds=120)
        await desk.sim("price", epic="GOLD", bid=4101, offer=4101.5)
        before = [await desk.get(path) for path in paths]
        tokens, ledger = desk.tokens, await desk.ledger()
    async with opened(clock, seed=8, state=kept) as desk:
        desk.tokens = tokens
        assert [await desk.get(path) for path in paths] == before
        assert await desk.ledger() == ledger
        await desk.sim("price", epic="GOLD", bid=3990, offer=3990.5)
        assert (await desk.get("/workingorders"))["workingOrders"] == []
    assert [entry["kind"] for entry in ledger] == ["order", "deposit"]
    assert ledger[1]["to"] == USD
