"""What an answer offers next: buttons that stand for a command, for whoever may give it."""

from decimal import Decimal

import pytest

from bot.providers.records import Market, Quote, Reading
from tests.support.chatting import OLGA, VERA, Desk, Message, buttons


async def _answer(desk: Desk, who: int, line: str) -> Message:
    (message,) = await desk.says(who, line)
    return message


async def test_a_price_offers_a_picture_everything_an_alert_and_a_deal(linked: Desk) -> None:
    price = await _answer(linked, OLGA, "/quote GOLD")
    assert list(buttons(price)) == ["Refresh", "Chart", "Everything", "Alert…", "Buy…", "Sell…"]
    (picture,) = await linked.taps(OLGA, price, "Chart")
    assert picture["caption"].startswith("Gold (GOLD): ")
    (whole,) = await linked.taps(OLGA, price, "Everything")
    assert "Sizes go in steps of" in whole["text"]
    (question,) = await linked.taps(OLGA, price, "Alert…")
    assert question["text"].replace("\u2060", "") == "capital/main GOLD: when is it to come?"
    (size,) = await linked.taps(OLGA, price, "Sell…")
    assert "\nSell how many units? " in size["text"]
    assert size["text"].startswith("Gold (GOLD) ")
    assert list(buttons(await _answer(linked, VERA, "/quote GOLD")))[-1] == "Alert…"


async def test_an_answer_with_several_markets_offers_each_of_them(linked: Desk) -> None:
    for command, next_one in (("/market", "Chart"), ("/quote", "Everything")):
        found = await _answer(linked, OLGA, f"{command} volatility")
        _, first, *others = buttons(found)
        assert others
        (one,) = await linked.taps(OLGA, found, first)
        assert first in one["text"]
        assert next_one in buttons(one)


async def test_positions_offer_to_close_one_to_those_who_may_ask_for_it(linked: Desk) -> None:
    mine = await _answer(linked, OLGA, "/positions capital")
    assert list(buttons(mine)) == ["Refresh", "Close…", "Change…", "Alert…"]
    (question,) = await linked.taps(OLGA, mine, "Close…")
    assert question["text"] == "Close which one?"
    assert list(buttons(await _answer(linked, VERA, "/positions capital"))) == ["Refresh", "Alert…"]


async def test_without_a_market_those_that_are_held_can_be_tapped(linked: Desk) -> None:
    for command, begins in (("/quote", "Prices"), ("/market", "Markets")):
        which = await _answer(linked, OLGA, command)
        assert which["text"].startswith("Which market? Tap one of yours")
        (told,) = await linked.taps(OLGA, which, "EUR/USD")
        assert told["text"].startswith(begins)
        assert "EURUSD EUR/USD" in told["text"]
    (picture,) = await linked.taps(OLGA, await _answer(linked, OLGA, "/chart"), "EUR/USD")
    assert picture["caption"].startswith("EUR/USD (EURUSD): ")


async def test_any_other_market_is_asked_for_and_typed(linked: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (question,) = await linked.taps(OLGA, await _answer(linked, OLGA, "/market"), "Another…")
    assert question["text"].startswith("Which market? Its symbol, or a part of its name")
    assert "SILVER Silver" in await linked.said(OLGA, "capital silver")
    assert (await linked.said(OLGA, "/quote capital")).startswith("Which market? Its symbol, or a part of its name")
    assert "GOLD Gold" in await linked.said(OLGA, "gold")

    async def none(*_: object) -> list[object]:
        return []

    monkeypatch.setattr("bot.operations.markets.MarketDesk.held", none)
    (question,) = await linked.says(OLGA, "/chart")
    assert question["text"].startswith("Which market? Its symbol, or a part of its name")
    (picture,) = await linked.says(OLGA, "EURUSD 1w")
    assert picture["caption"].startswith("EUR/USD (EURUSD): ")


async def test_a_refreshed_answer_offers_the_same(linked: Desk) -> None:
    price = await _answer(linked, OLGA, "/quote GOLD")
    await linked.taps(OLGA, price, "Refresh")
    assert list(buttons(linked.now(price))) == ["Refresh", "Chart", "Everything", "Alert…", "Buy…", "Sell…"]


@pytest.mark.parametrize("symbol", ["GOLD > 1 critical to group", "GOLD …", "GOLD\nto", "", "…", "/close"])
async def test_words_in_a_symbol_do_not_get_into_a_line(
    linked: Desk, monkeypatch: pytest.MonkeyPatch, symbol: str
) -> None:
    async def hostile(*_: object) -> Reading[Market]:
        now = linked.clock.now()
        return Reading((Market(symbol, "Gold", "", True, Quote(symbol, Decimal(1), Decimal(2), now)),), now)

    monkeypatch.setattr("bot.operations.markets._quoted", hostile)
    assert list(buttons(await _answer(linked, OLGA, "/quote capital GOLD"))) == ["Refresh"]
