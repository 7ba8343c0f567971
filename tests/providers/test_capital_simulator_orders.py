"""Changing positions, orders that wait, and what goes wrong with them, on Capital.com's simulator."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.support.capital_broker import EUR, USD, Desk, HandClock, opened, refusal


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with opened(HandClock()) as desk:
        await desk.login()
        yield desk


async def waiting(desk: Desk) -> list[Any]:
    return [row["workingOrderData"] for row in (await desk.get("/workingorders"))["workingOrders"]]


async def wait_for(desk: Desk, **body: Any) -> Any:
    """Place an order that waits and read its confirmation."""
    reply = await desk.ask("POST", "/workingorders", {"epic": "GOLD", "size": 1, **body})
    assert reply.status_code == 200, reply.text
    return await desk.get(f"/confirms/{reply.json()['dealReference']}")


async def legs(desk: Desk) -> tuple[Any, Any, Any]:
    (row,) = await desk.rows("GOLD")
    return row.get("stopLevel"), row.get("profitLevel"), row["trailingStop"]


# Positions


async def test_a_change_replaces_the_whole_bracket_and_shows_under_the_positions_reference(desk: Desk) -> None:
    (gold,) = await desk.rows("GOLD")
    path = f"/positions/{gold['dealId']}"
    reply = await desk.ask("PUT", path, {"stopLevel": 4050, "guaranteedStop": None})
    assert reply.json() == {"dealReference": f"p_{gold['dealId']}"}
    assert await legs(desk) == (Decimal("4050.00"), None, False)
    word = await desk.get(f"/confirms/p_{gold['dealId']}")
    assert (word["dealStatus"], word["status"], word["profitCurrency"]) == ("ACCEPTED", "AMENDED", "USD")
    assert word["affectedDeals"] == [{"dealId": gold["dealId"], "status": "AMENDED"}]
    await desk.ask("PUT", path, {})
    assert await legs(desk) == (Decimal("4050.00"), None, False)
    await desk.ask("PUT", path, {"trailingStop": True, "stopDistance": 12.3, "profitDistance": 200})
    assert await legs(desk) == (Decimal("4100.00"), Decimal("4268.25"), True)  # under the bid; over the entry
    await desk.sim("options", partial_brackets=True)
    await desk.ask("PUT", path, {"profitLevel": 4300})
    assert await legs(desk) == (Decimal("4100.00"), Decimal("4300.00"), True)


async def test_a_change_is_checked_against_the_price_of_now(desk: Desk) -> None:
    (gold,) = await desk.rows("GOLD")
    path = f"/positions/{gold['dealId']}"
    assert await desk.refusal("PUT", path, {"stopLevel": 4112}) == (400, "error.invalid.stoploss.maxvalue: 4111.89")
    assert await desk.refusal("PUT", "/positions/none", {"stopLevel": 4000}) == (404, "error.not-found.dealId")
    assert await legs(desk) == (Decimal("4010.00"), Decimal("4200.00"), False)


async def test_with_hedging_an_opposite_order_stands_beside_the_first(desk: Desk) -> None:
    assert (await desk.ask("PUT", "/accounts/preferences", {"hedgingMode": True})).json() == {"status": "SUCCESS"}
    await desk.order(direction="SELL", epic="GOLD", size=5)
    assert [(row["direction"], row["size"]) for row in await desk.rows("GOLD")] == [("BUY", 5), ("SELL", 5)]
    body = {"direction": "BUY", "epic": "GOLD", "size": 1, "guaranteedStop": True, "stopLevel": 4000}
    assert await desk.refusal("POST", "/positions", body) == (400, "error.validation.guaranteed.stop")


# Orders that wait


async def test_a_waiting_order_shows_with_its_protection_as_signed_distances(desk: Desk) -> None:
    till = "2026-03-05T12:00:00"
    word = await wait_for(
        desk, direction="BUY", type="LIMIT", level=4000, goodTillDate=till, stopLevel=3990, profitLevel=4020
    )
    assert (word["status"], word["level"]) == ("OPEN", Decimal("4000.00"))
    assert word["affectedDeals"] == [{"dealId": word["dealId"], "status": "OPENED"}]
    await wait_for(desk, direction="SELL", type="STOP", level=4000, stopDistance=10)
    first, second = await waiting(desk)
    assert first["dealId"] == word["dealId"]
    assert (first["orderType"], first["orderLevel"], first["orderSize"]) == ("LIMIT", Decimal("4000.00"), 1)
    assert (first["stopDistance"], first["profitDistance"]) == (-10, 20)
    assert (first["timeInForce"], first["goodTillDateUTC"]) == ("GOOD_TILL_DATE", "2026-03-05T12:00:00.000")
    assert second["stopDistance"] == 10
    assert second["timeInForce"] == "GOOD_TILL_CANCELLED"
    assert "goodTillDate" not in second
    assert "profitDistance" not in second
    assert [entry["kind"] for entry in await desk.ledger()] == ["order", "order"]


@pytest.mark.parametrize(
    ("direction", "kind", "level", "near", "there"),
    [
        ("BUY", "LIMIT", 4000, 4000.01, 4000),
        ("SELL", "LIMIT", 4200, 4199.99, 4200),
        ("BUY", "STOP", 4200, 4199.99, 4200),
        ("SELL", "STOP", 4000, 4000.01, 4000),
    ],
)
async def test_an_order_fills_when_the_price_gets_there_and_not_before(
    desk: Desk, direction: str, kind: str, level: float, near: float, there: float
) -> None:
    await desk.sim("price", epic="SILVER", bid=51, offer=51)
    for row in await desk.rows("GOLD"):
        await desk.ask("DELETE", f"/positions/{row['dealId']}")
    word = await wait_for(desk, direction=direction, type=kind, level=level)
    await desk.sim("price", epic="GOLD", bid=near, offer=near)
    assert await desk.rows("GOLD") == []
    await desk.sim("price", epic="GOLD", bid=there, offer=there)
    (row,) = await desk.rows("GOLD")
    assert (row["direction"], row["level"], row["workingOrderId"]) == (direction, there, word["dealId"])
    assert row["dealId"] != word["dealId"]
    assert await waiting(desk) == []
    assert (await desk.ledger())[-1]["to"] == row["dealId"]


async def test_a_limit_the_price_has_reached_already_fills_at_once(desk: Desk) -> None:
    await wait_for(desk, direction="BUY", type="LIMIT", level=4200, epic="GOLD")
    assert await waiting(desk) == []
    assert [row["level"] for row in await desk.rows("GOLD")] == [Decimal("4068.25"), Decimal("4112.80")]


async def test_nothing_fills_in_a_closed_market_until_it_opens(desk: Desk) -> None:
    await wait_for(desk, direction="BUY", type="LIMIT", level=4100)
    await desk.sim("market", epic="GOLD", status="CLOSED")
    await desk.sim("price", epic="GOLD", bid=4090, offer=4090.5)
    assert len(await waiting(desk)) == 1
    await desk.sim("market", epic="GOLD", status="TRADEABLE")
    assert (await desk.rows("GOLD"))[-1]["level"] == Decimal("4090.5")


async def test_an_order_that_lacks_the_margin_when_its_price_comes_is_rejected_and_gone(desk: Desk) -> None:
    word = await wait_for(desk, direction="BUY", type="LIMIT", level=91000, epic="BTCUSD", size=10)
    await desk.sim("price", epic="BTCUSD", bid=90900, offer=90950)
    assert await waiting(desk) == []
    assert len(await desk.rows("BTCUSD")) == 1
    (told, _) = (await desk.get(f"/history/activity?dealId={word['dealId']}"))["activities"]
    assert (told["type"], told["status"], told["source"]) == ("WORKING_ORDER", "REJECTED", "SYSTEM")


async def test_changing_an_order_keeps_what_is_not_named_but_for_the_flags(desk: Desk) -> None:
    word = await wait_for(
        desk, direction="BUY", type="LIMIT", level=4000, stopDistance=10, profitDistance=20, trailingStop=True
    )
    path = f"/workingorders/{word['dealId']}"
    reference = (await desk.ask("PUT", path, {"level": 3900})).json()["dealReference"]
    assert reference.startswith("o_")
    assert (await desk.get(f"/confirms/{reference}"))["dealId"] == word["dealId"]
    (row,) = await waiting(desk)
    assert (row["orderLevel"], row["stopDistance"], row["profitDistance"]) == (3900, -10, 20)
    assert row["trailingStop"] is False
    await desk.ask("PUT", path, {"profitLevel": None, "goodTillDate": "2026-03-04T12:30:00"})
    (row,) = await waiting(desk)
    assert "profitDistance" not in row
    assert (row["stopDistance"], row["timeInForce"]) == (-10, "GOOD_TILL_DATE")
    await desk.ask("PUT", path, {"timeInForce": "GOOD_TILL_CANCELLED"})
    assert (await waiting(desk))[0]["timeInForce"] == "GOOD_TILL_CANCELLED"


async def test_a_cancelled_order_is_gone_and_its_confirmation_says_so(desk: Desk) -> None:
    word = await wait_for(desk, direction="BUY", type="LIMIT", level=4000)
    reply = await desk.ask("DELETE", f"/workingorders/{word['dealId']}/", {"nothing": None})
    cancelled = await desk.get(f"/confirms/{reply.json()['dealReference']}")
    assert (cancelled["status"], cancelled["affectedDeals"][0]["status"]) == ("DELETED", "DELETED")
    assert await waiting(desk) == []
    await desk.sim("price", epic="GOLD", bid=3900, offer=3900.5)
    assert await desk.rows("GOLD") == []  # the old position's stop, and nothing new


async def test_an_order_expires_when_its_time_is_over(desk: Desk) -> None:
    await wait_for(desk, direction="BUY", type="LIMIT", level=4000, goodTillDate="2026-03-04T12:05:00")
    await desk.sim("clock", seconds=299)
    assert len(await waiting(desk)) == 1
    await desk.sim("clock", seconds=1)
    assert await waiting(desk) == []
    assert (await desk.get("/history/activity"))["activities"][0]["status"] == "EXPIRED"


async def test_an_order_of_the_other_account_is_not_found(desk: Desk) -> None:
    word = await wait_for(desk, direction="BUY", type="LIMIT", level=4000)
    desk.adopt(await desk.ask("PUT", "/session", {"accountId": EUR}))
    assert await waiting(desk) == []
    for method in ("PUT", "DELETE"):
        refused = await desk.refusal(method, f"/workingorders/{word['dealId']}", {"level": 3900})
        assert refused == (404, "error.not-found.dealId")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"type": None}, (400, "error.null.type")),
        ({"type": "MARKET"}, (400, "error.invalid.type")),
        ({"level": None}, (400, "error.null.level")),
        ({"level": 0}, (400, "error.invalid.level")),
        ({"epic": "UNOBTAINIUM"}, (404, "error.not-found.epic")),
        ({"size": 0.001}, (400, "error.invalid.size.minvalue")),
        ({"type": "STOP", "level": 4000}, (400, "error.validation.stop.price")),
        ({"type": "STOP", "level": 4112.9}, (400, "error.validation.stop.price")),
        ({"goodTillDate": "2026-03-04T12:00:00"}, (400, "error.not-in-future.goodTillDate")),
        ({"goodTillDate": "2026-03-05T12:00:00Z"}, (400, "error.invalid.daterange")),
        ({"goodTillDate": "2026-02-30T12:00:00"}, (400, "error.invalid.daterange")),
        ({"stopLevel": 4001}, (400, "error.invalid.stoploss.maxvalue: 3999.60")),
        ({"trailingStop": True}, (400, "error.null.stopDistance")),
    ],
)
async def test_waiting_orders_that_are_refused_leave_no_trace(
    desk: Desk, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    body = {"direction": "BUY", "epic": "GOLD", "size": 1, "type": "LIMIT", "level": 4000, **changes}
    assert await desk.refusal("POST", "/workingorders", body) == expected
    assert await waiting(desk) == []
    assert await desk.ledger() == []


async def test_orders_of_both_kinds_share_their_pace(desk: Desk) -> None:
    await desk.sim("rates", enabled=True)
    order = {"direction": "BUY", "epic": "GOLD", "size": 1, "type": "LIMIT", "level": 4000}
    assert (await desk.ask("POST", "/workingorders", order)).status_code == 200
    assert await desk.refusal("POST", "/positions", order) == (429, "error.too-many.requests")


# What goes wrong


async def test_the_next_acts_are_rejected_with_the_reason_asked_for(desk: Desk) -> None:
    (gold,) = await desk.rows("GOLD")
    order = await wait_for(desk, direction="BUY", type="LIMIT", level=4000)
    await desk.sim("reject", reason="RISK_CHECK", times=6)
    words = [
        await desk.order(direction="BUY", epic="GOLD", size=1),
        await wait_for(desk, direction="BUY", type="LIMIT", level=3900),
    ]
    acts: list[tuple[str, str, Any]] = [
        ("PUT", f"/positions/{gold['dealId']}", {"stopLevel": 4050}),
        ("PUT", f"/workingorders/{order['dealId']}", {"level": 3950}),
        ("DELETE", f"/workingorders/{order['dealId']}", None),
        ("DELETE", f"/positions/{gold['dealId']}", None),
    ]
    for act in acts:
        reference = (await desk.ask(*act)).json()["dealReference"]
        words.append(await desk.get(f"/confirms/{reference}"))
    assert {(word["dealStatus"], word["rejectReason"]) for word in words} == {("REJECTED", "RISK_CHECK")}
    assert [word["affectedDeals"] for word in words] == [[]] * 6
    assert len(await desk.rows("GOLD")) == 1
    assert [row["orderLevel"] for row in await waiting(desk)] == [4000]
    assert (await desk.order(direction="BUY", epic="GOLD", size=1))["dealStatus"] == "ACCEPTED"


async def test_an_opening_whose_reply_is_lost_stands_in_every_read(desk: Desk) -> None:
    lost = {"match": {"method": "POST", "path": "/positions"}, "action": "reset"}
    (await desk.http.post("/_sim/faults", json=lost)).raise_for_status()
    body = {"direction": "BUY", "epic": "SILVER", "size": 100}
    with pytest.raises(httpx.TransportError):
        await desk.ask("POST", "/positions", body)
    (row,) = await desk.rows("SILVER")
    told = (await desk.get(f"/history/activity?dealId={row['dealId']}"))["activities"]
    assert [one["status"] for one in told] == ["ACCEPTED"]
    assert [(entry["kind"], entry["to"]) for entry in await desk.ledger()] == [("open", row["dealId"])]


async def test_an_opening_that_never_arrived_left_nothing(desk: Desk) -> None:
    refused = {"match": {"method": "POST", "path": "/positions"}, "action": "refuse"}
    (await desk.http.post("/_sim/faults", json=refused)).raise_for_status()
    with pytest.raises(httpx.TransportError):
        await desk.ask("POST", "/positions", {"direction": "BUY", "epic": "SILVER", "size": 100})
    assert await desk.rows("SILVER") == []
    assert await desk.ledger() == []


async def test_a_confirmation_may_be_missed_and_the_position_and_the_history_may_lag(desk: Desk) -> None:
    await desk.sim("options", confirm_misses=2, zero_levels=True, position_delay_ms=1000, activity_delay_ms=60_000)
    body = {"direction": "BUY", "epic": "SILVER", "size": 100}
    path = f"/confirms/{(await desk.ask('POST', '/positions', body)).json()['dealReference']}"
    replies = [await desk.ask("GET", path) for _ in range(3)]
    assert [refusal(reply) for reply in replies[:2]] == [(404, "error.not-found.dealReference")] * 2
    assert replies[2].json()["level"] == 0
    (row,) = await desk.rows("SILVER")
    assert row["level"] == Decimal("51.236")
    assert await desk.refusal("GET", f"/positions/{row['dealId']}") == (404, "error.not-found.dealId")
    assert await desk.get("/history/activity") == {"activities": []}
    desk.clock.pass_by(60)
    assert (await desk.get(f"/positions/{row['dealId']}"))["position"] == row
    assert len((await desk.get("/history/activity"))["activities"]) == 3


async def test_what_is_new_may_not_be_listed_yet(desk: Desk) -> None:
    await desk.sim("options", listing_delay_ms=2000)
    await desk.order(direction="BUY", epic="SILVER", size=100)
    await wait_for(desk, direction="BUY", type="LIMIT", level=4000)
    assert (await desk.rows("SILVER"), await waiting(desk)) == ([], [])
    desk.clock.pass_by(2)
    assert (len(await desk.rows("SILVER")), len(await waiting(desk))) == (1, 1)


async def test_every_control_is_told(desk: Desk) -> None:
    told = (await desk.http.get("/_sim/")).json()
    lines = "\n".join(told["controls"] + told["frame"])
    for name in ("price", "walk", "clock", "reject", "options", "streams", "cut", "hold", "ledger", "faults", "down"):
        assert f"/_sim/{name}" in lines
    assert (await desk.balance(USD))["deposit"] == 48250
