"""Deals asked for in the chat: said in one line, looked at once more, signed by another, done once."""

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.approvals.model import Decision, State
from bot.operations.deal_line import Line, read
from bot.providers.capital.wire import markets
from tests.support.chatting import ANNA, OLGA, Chat, Message, at_work_with, texts
from tests.support.treasury import CONFIRM, ONE_APPROVER, Treasury, money_at_work

SMALL_ALONE = (
    """
[[rules]]
name = "small"
tier = "confirm"
currencies = ["USD"]
below = "1000"
"""
    + ONE_APPROVER
)


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    async with at_work_with(tmp_path, chat, "capital") as opened:
        one = Treasury(opened, await opened.link("capital"))
        await one.policy(ONE_APPROVER)
        async with money_at_work(opened):
            yield one


async def positions(desk: Treasury) -> list[dict[str, Any]]:
    """What is open, as Olga is shown it."""
    async with desk.rooms.connections.session(desk.connection) as provider:
        return [
            {"id": one.id, "symbol": one.symbol, "size": str(one.size), "stop": f"{one.stop:.2f}" if one.stop else ""}
            for one in (await provider.positions()).items
        ]


async def dealt(desk: Treasury) -> list[dict[str, Any]]:
    side = desk.desk.sides["capital"]
    async with httpx.AsyncClient() as http:
        return list((await http.get(f"{side.control}/ledger")).json()["entries"])


def labels(message: Message) -> list[str]:
    return [key["text"] for row in message["reply_markup"]["inline_keyboard"] for key in row]


async def looked_at(desk: Treasury, line: str) -> Message:
    """The last look that a line leads to."""
    told = await desk.desk.says(OLGA, line)  # a request's own card may come between
    return next(one for one in told if "inline_keyboard" in one.get("reply_markup", {}))


async def asked(desk: Treasury) -> str:
    """The id of the one request that waits."""
    rows = await desk.rows("SELECT id FROM requests WHERE state = 'pending'")
    return str(rows[-1][0])


async def signed(desk: Treasury) -> State:
    request = await desk.rooms.approvals.find(await asked(desk))
    await desk.says(ANNA, Decision.APPROVE, request)
    ended = await desk.comes_to(request, State.SUCCEEDED, State.FAILED, State.UNKNOWN)
    return ended.state


async def test_a_position_is_asked_for_signed_and_opened_once(desk: Treasury) -> None:
    before = await dealt(desk)
    message = await looked_at(desk, "/buy 1000 EURUSD stop 1.10 limit 1.25")
    text = message["text"]
    assert "Buy 1000 EUR/USD (EURUSD), at once" in text, text
    assert "Stop: 1.10" in text
    assert "Limit: 1.25" in text
    assert re.search(r"Worth about 1\d{3}\.\d\d USD", text), text
    assert labels(message) == ["Ask", "Cancel"]

    await desk.desk.taps(OLGA, message, "Ask")
    assert await signed(desk) is State.SUCCEEDED
    assert len(await dealt(desk)) == len(before) + 1
    assert {"symbol": "EURUSD", "size": "1000", "stop": "1.10"}.items() <= (await positions(desk))[-1].items()


async def test_a_price_that_moved_too_far_since_it_was_shown_is_not_paid(desk: Treasury) -> None:
    """Capital.com cannot be told of a worst price, so the quote is read once more before anything leaves."""
    await desk.control("price", epic="EURUSD", bid="1.19990", offer="1.20000")
    message = await looked_at(desk, "/sell 1000 EURUSD")
    assert "Price at least: 1.18791" in message["text"], message["text"]
    message = await looked_at(desk, "/buy 1000 EURUSD")
    assert "Price at most: 1.21200\nWorth about 1212.00 USD" in message["text"], message["text"]
    await desk.desk.taps(OLGA, message, "Ask")
    before = await dealt(desk)
    await desk.control("price", epic="EURUSD", bid="1.21200", offer="1.21210")
    assert await signed(desk) is State.FAILED
    ((outcome,),) = await desk.rows("SELECT outcome FROM requests")
    assert outcome == "it was not sent: EURUSD costs 1.21210 now, and at most 1.21200 was signed for"
    assert await dealt(desk) == before


async def test_what_the_broker_would_refuse_is_said_before_anybody_signs(desk: Treasury) -> None:
    says = desk.desk.said
    assert "at least" in await says(OLGA, "/buy 0.0001 GOLD")
    assert "plain digits" in await says(OLGA, "/buy 1e5 GOLD")
    assert "plain digits" in await says(OLGA, "/buy 1,000 GOLD")
    assert "a stop lies below the price" in await says(OLGA, "/buy 1000 EURUSD stop 9")
    assert "a limit lies below the price" in await says(OLGA, "/sell 1000 EURUSD limit 9")
    assert await desk.rows("SELECT * FROM requests") == []


async def test_what_the_policy_cannot_weigh_is_not_asked_for(desk: Treasury, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a currency it has no worth, and every limit and every band would let it pass."""
    monkeypatch.setattr(markets, "_currency", lambda word: None)
    assert "not told in which currency" in await desk.desk.said(OLGA, "/buy 1000 EURUSD")
    assert await desk.rows("SELECT * FROM requests") == []


async def test_a_price_makes_it_wait_and_it_can_be_taken_back(desk: Treasury) -> None:
    await desk.policy(CONFIRM, 2)
    message = await looked_at(desk, "/buy 1000 EURUSD at 1.05 till 2099-01-31")
    assert "Buy 1000 EUR/USD (EURUSD), limit order" in message["text"], message["text"]
    await desk.desk.taps(OLGA, message, "Send it")
    ((number,),) = await desk.rows("SELECT id FROM requests")
    request = await desk.rooms.approvals.find(number)
    assert (await desk.comes_to(request, State.SUCCEEDED, State.FAILED, State.UNKNOWN)).state is State.SUCCEEDED
    waiting = (await desk.desk.says(OLGA, "/orders"))[-1]  # what became of the request may come between
    assert "buy 1,000" in waiting["text"]
    assert "limit at 1.05" in waiting["text"]
    assert labels(waiting) == ["Refresh", "Change…", "Take one back…"]

    told = await desk.desk.says(OLGA, "/cancelorder")
    (question,) = [one for one in told if one["text"] == "Take back which one?"]
    said = await desk.desk.taps(OLGA, question, labels(question)[0])
    (last_look,) = [one for one in said if "Take back the order" in one["text"]]
    await desk.desk.taps(OLGA, last_look, "Send it")
    ((number,),) = await desk.rows("SELECT id FROM requests WHERE kind = 'change'")
    await desk.comes_to(await desk.rooms.approvals.find(number), State.SUCCEEDED)
    await desk.desk.settled()
    assert "Nothing waits." in (await desk.desk.says(OLGA, "/orders"))[-1]["text"]


async def test_what_was_not_said_is_asked_for_step_by_step(desk: Treasury) -> None:
    says, taps = desk.desk.says, desk.desk.taps
    (which,) = await says(OLGA, "/buy")
    assert which["text"].startswith("Buy what? Tap it, or send its symbol")
    (size,) = await taps(OLGA, which, "EUR/USD (EURUSD)")
    assert re.search(r"EUR/USD \(EURUSD\) 1\.\d+ / 1\.\d+ · .*\nBuy how many units\? At least 100, ", size["text"]), (
        size
    )
    assert labels(size) == ["100", "1,000", "10,000"]
    assert (await says(OLGA, "1"))[-1]["text"].startswith("One deal in EUR/USD is of 100 units at least")
    (price,) = await taps(OLGA, size, "1,000")
    assert desk.desk.now(size)["text"].endswith("1,000")
    (stop,) = await says(OLGA, "1.05")
    assert stop["text"].split("\n")[0].endswith(", to wait for 1.05")
    assert (await says(OLGA, "1.06"))[-1]["text"].startswith("To buy, a stop lies below the price, which is 1.05")
    (limit,) = await says(OLGA, "1.01")
    (till,) = await taps(OLGA, limit, "No limit")
    (look,) = await taps(OLGA, till, "Until it is taken back")
    assert "Buy 1000 EUR/USD (EURUSD), limit order\nPrice: 1.05\nStop: 1.01\nWorth about 1050.00 USD" in look["text"]
    assert await desk.rows("SELECT * FROM requests") == []
    await taps(OLGA, look, "Ask")
    assert await signed(desk) is State.SUCCEEDED
    # its own card may come in between
    assert any("limit at 1.05" in one["text"] for one in await says(OLGA, "/orders"))
    over = await taps(OLGA, price, "At once")
    assert "That question is over. /buy begins anew." in [one["text"] for one in over]


async def test_a_part_of_a_name_leads_to_those_it_could_be_and_at_once_asks_for_no_day(desk: Treasury) -> None:
    says, taps = desk.desk.says, desk.desk.taps
    (which,) = await says(OLGA, "/sell us")
    assert len(labels(which)) > 1
    chosen = labels(which)[0]
    (size,) = await taps(OLGA, which, chosen)
    assert size["text"].startswith(chosen)
    (price,) = await taps(OLGA, size, labels(size)[0])
    (stop,) = await taps(OLGA, price, "At once")
    (limit,) = await taps(OLGA, stop, "No stop")
    (look,) = await taps(OLGA, limit, "No limit")
    assert re.search(r"\nSell .+, at once\nPrice at least: [0-9.]+\nWorth about", look["text"]), look["text"]


async def test_an_order_is_weighed_by_the_price_it_is_to_wait_for(desk: Treasury) -> None:
    """One that waits for next to nothing is small; that it is moved to the market is as large as buying there."""
    await desk.policy(SMALL_ALONE, 2)
    message = await looked_at(desk, "/buy 10000 EURUSD at 0.05")
    await desk.desk.taps(OLGA, message, "Send it")
    ((number,),) = await desk.rows("SELECT id FROM requests")
    await desk.comes_to(await desk.rooms.approvals.find(number), State.SUCCEEDED)
    async with desk.rooms.connections.session(desk.connection) as provider:
        (waiting,) = [one for one in (await provider.orders()).items if one.level == Decimal("0.05")]

    message = await looked_at(desk, f"/change {waiting.id} at 1.05")
    assert "Worth about 10500.00 USD" in message["text"], message["text"]
    assert labels(message) == ["Ask", "Cancel"]


async def test_a_position_is_closed_whole_by_its_number(desk: Treasury) -> None:
    first, *_ = await positions(desk)
    message = await looked_at(desk, f"/close {first['id']}")
    assert message["text"].count("Close ") == 1, message["text"]
    await desk.desk.taps(OLGA, message, "Ask")
    assert await signed(desk) is State.SUCCEEDED
    assert first["id"] not in [one["id"] for one in await positions(desk)]


@pytest.mark.parametrize("terms", ["at 9", "stop 1.01", "limit 1.9", "till 2099-01-31"])
async def test_no_word_of_a_close_is_dropped(desk: Treasury, terms: str) -> None:
    first, *_ = await positions(desk)
    assert "/change" in await desk.desk.said(OLGA, f"/close {first['id']} {terms}")


async def test_all_is_looked_at_together_and_is_a_request_each(desk: Treasury) -> None:
    count = len(await positions(desk))
    message = await looked_at(desk, "/close all")
    assert f"{count} requests, each by itself" in message["text"]
    assert labels(message) == [f"Ask for all {count}", "Cancel"]
    await desk.desk.taps(OLGA, message, f"Ask for all {count}")
    assert len(await desk.rows("SELECT * FROM requests WHERE kind = 'close'")) == count


async def test_one_that_cannot_be_asked_for_keeps_none_of_the_others_open(desk: Treasury) -> None:
    first, *others = await positions(desk)
    await desk.desk.taps(OLGA, await looked_at(desk, f"/close {first['id']}"), "Ask")
    message = await looked_at(desk, "/close all")
    told = await desk.desk.taps(OLGA, message, f"Ask for all {len(others) + 1}")
    assert any("Left out" in one["text"] and first["id"] in one["text"] for one in told), told
    asked_for = await desk.rows("SELECT parameters ->> 'target' FROM requests WHERE kind = 'close' ORDER BY asked_at")
    assert {one for (one,) in asked_for} == {first["id"], *(one["id"] for one in others)}


async def test_a_login_that_does_not_answer_keeps_nothing_open_at_the_others(desk: Treasury) -> None:
    count = len(await positions(desk))
    spare = await desk.desk.link("capital", label="spare")
    await desk.write("UPDATE sealed SET record = x'00' WHERE subject = ?", spare.subject.name)
    told = await desk.desk.says(OLGA, "/close all")
    assert any("Left out" in one["text"] and "capital/spare" in one["text"] for one in told), told
    assert any(f"{count} requests, each by itself" in one["text"] for one in told), told


async def test_another_stop_for_what_is_open(desk: Treasury) -> None:
    first = next(one for one in await positions(desk) if one["symbol"] == "EURUSD")
    message = await looked_at(desk, f"/change {first['id']} stop 1.01 limit none")
    assert "Stop: 1.01" in message["text"]
    assert "Limit: none" in message["text"]
    await desk.desk.taps(OLGA, message, "Ask")
    assert await signed(desk) is State.SUCCEEDED
    assert {one["id"]: one["stop"] for one in await positions(desk)}[first["id"]] == "1.01"


async def test_a_stop_on_the_wrong_side_of_what_is_open_is_said_before_anybody_signs(desk: Treasury) -> None:
    one = {each["symbol"]: each["id"] for each in await positions(desk)}
    assert "Of a long, a stop lies below the price, which is " in await desk.desk.said(
        OLGA, f"/change {one['EURUSD']} stop 1.9"
    )
    assert "Of a short, a limit lies below the price, which is " in await desk.desk.said(
        OLGA, f"/change {one['US100']} limit 90000"
    )


async def test_what_is_closed_now_can_only_be_waited_for(desk: Treasury) -> None:
    async with httpx.AsyncClient() as http:
        closed = {"epic": "EURUSD", "status": "CLOSED"}
        (await http.post(f"{desk.desk.sides['capital'].control}/market", json=closed)).raise_for_status()
    (price,) = await desk.desk.says(OLGA, "/buy EURUSD")
    (price,) = await desk.desk.taps(OLGA, price, "100")
    assert price["text"].endswith("It is closed now. At which price? The order waits for it.")
    assert "reply_markup" not in price
    assert "is closed now" in await desk.desk.said(OLGA, "now")
    (stop,) = await desk.desk.says(OLGA, "1.05")
    assert "to wait for 1.05" in stop["text"]


async def test_what_is_changed_can_be_tapped_and_to_what_is_typed(desk: Treasury) -> None:
    first = next(one for one in await positions(desk) if one["symbol"] == "EURUSD")
    (which,) = await desk.desk.says(OLGA, "/change")
    assert which["text"] == "Change which one?"
    (terms,) = await desk.desk.taps(OLGA, which, next(one for one in labels(which) if one.startswith("EUR/USD")))
    assert terms["text"].startswith("Send what is to be other: stop 4000")
    (wrong,) = await desk.desk.says(OLGA, "higher")
    assert (
        wrong["text"].startswith("There is no open position or order ") or "say what to change" in wrong["text"].lower()
    )
    (look,) = await desk.desk.says(OLGA, "stop 1.01 limit none")
    assert f"Change the position {first['id']}" in look["text"]
    assert labels(look) == ["Ask", "Cancel"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("2 GOLD", Line("GOLD", "2")),
        ("GOLD 2 at 4050 stop 4000", Line("GOLD", "2", level="4050", stop="4000")),
        ("US 500 till 2026-12-01 at 1 on main", Line("US", "500", level="1", till="2026-12-01", on="main")),
        ("3 us tech 100 sl 1 tp 2", Line("us tech 100", "3", stop="1", limit="2")),
        ("all on capital/main", Line("all", on="capital/main")),
        ("1,000 GOLD", Line("GOLD", "1,000")),
    ],
)
def test_a_line_comes_apart(words: str, line: Line) -> None:
    assert read(words.split()) == line


async def test_a_missing_rate_keeps_nobody_from_ending_a_risk(desk: Treasury) -> None:
    """What opens one waits for the rate; closing a position and taking an order back do not."""
    await desk.desk.taps(OLGA, await looked_at(desk, "/buy 1000 EURUSD at 1.05"), "Ask")
    assert await signed(desk) is State.SUCCEEDED
    await desk.policy(
        ONE_APPROVER
        + '[[limits]]\nname = "all of it"\ncurrency = "GBP"\namount = "9000"\nper = "desk"\nwindow = "24h"\n'
        + "every_currency = true\n",
        2,
    )
    told = texts(await desk.desk.says(OLGA, "/buy 1000 EURUSD"))  # news of the order may come between
    assert [one for one in told if "no rate of USD/GBP is younger than 24 hours" in one], told
    async with desk.rooms.connections.session(desk.connection) as provider:
        (order,) = (await provider.orders()).items
    for line in (f"/close {(await positions(desk))[0]['id']}", f"/cancelorder {order.id}"):
        told = await desk.desk.says(OLGA, line)
        look = next(one for one in told if "reply_markup" in one and "Ask" in labels(one))
        await desk.desk.taps(OLGA, look, "Ask")
        assert await signed(desk) is State.SUCCEEDED
