"""Prices, pictures and waiting orders, of every login that has them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.errors import InputError
from bot.providers.records import Candle
from handlers.markets import read
from handlers.render.candles import Style, few, usual
from tests.support.chatting import OLGA, Desk, buttons


async def test_a_price_by_symbol_and_by_a_part_of_the_name(linked: Desk) -> None:
    by_symbol = await linked.said(OLGA, "/quote GOLD")
    assert re.search(r"^GOLD Gold\n    [\d,]+\.\d+ / [\d,]+\.\d+ · \d\d:\d\d:\d\d$", by_symbol, re.M), by_symbol
    by_name = await linked.said(OLGA, "/quote capital us tech")
    assert by_name.count("US100 US Tech 100\n") == 1, by_name
    assert "Deriv" not in by_name


async def test_both_providers_are_asked_and_one_can_be_named(linked: Desk) -> None:
    text = await linked.said(OLGA, "/quote volatility")
    assert "Deriv deriv/main" in text
    assert "R_100 Volatility 100 Index" in text


async def test_what_nobody_has_is_said_once(linked: Desk) -> None:
    text = await linked.said(OLGA, "/quote unobtainium")
    assert text.endswith("Nothing at Capital.com, Deriv is called unobtainium. A part of the name is enough."), text
    assert "is called gold unobtainium." in await linked.said(OLGA, "/quote gold unobtainium")
    assert "Nothing at Deriv is called gold." in await linked.said(OLGA, "/quote deriv gold")


async def test_a_market_with_hours_and_facts(linked: Desk) -> None:
    text = await linked.said(OLGA, "/market capital GOLD")
    assert "GOLD Gold" in text
    assert "Sat closed" in text, text
    assert "Sizes go in steps of 0.01." in text


async def test_orders_that_wait(linked: Desk) -> None:
    text = await linked.said(OLGA, "/orders capital")
    assert "Waiting orders" in text
    assert "Capital.com capital/main" in text


async def test_a_picture_with_the_accounts_own_entries(linked: Desk) -> None:
    (drawn,) = await linked.says(OLGA, "/chart capital EURUSD 1d")
    said = r"EUR/USD \(EURUSD\): [\d.]+, [+-]\d+\.\d\d % in a day, between [\d.]+ and [\d.]+"
    assert re.fullmatch(said, drawn["caption"]), drawn["caption"]
    assert drawn["has_protected_content"]
    png = bytes(linked.chat.simulator.world.files[drawn["photo"][-1]["file_id"]].content)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")


async def test_below_a_picture_are_other_times_and_the_other_way_to_draw_it(linked: Desk) -> None:
    (drawn,) = await linked.says(OLGA, "/chart capital BTCUSD")
    assert list(buttons(drawn)) == ["1h", "6h", "1w", "1mo", "1y", "Candles"]
    (week,) = await linked.taps(OLGA, drawn, "1w")
    assert " in a week, between " in week["caption"]
    (other,) = await linked.taps(OLGA, week, "Candles")
    assert " in a week, between " in other["caption"]
    assert list(buttons(other)) == ["1h", "6h", "1d", "1mo", "1y", "Line"]
    (month,) = await linked.taps(OLGA, other, "1mo")
    assert list(buttons(month))[-1] == "Line", "candles were wished for, and still are"


def test_candles_that_are_asked_for_are_drawn_however_many_there_are() -> None:
    noon, quarter = datetime(2024, 5, 14, 12, tzinfo=UTC), timedelta(minutes=15)
    prices = [(10, 12, 9, 11), (11, 15, 10, 14), *[(14, 14, 14, 14)] * 94]
    many = [Candle("GOLD", noon + number * quarter, quarter, *map(Decimal, four)) for number, four in enumerate(prices)]
    assert usual(many) is Style.LINE
    assert few(many)[0] == Candle("GOLD", noon, 2 * quarter, *map(Decimal, (10, 15, 9, 14)))
    assert len(few(many)) == 48
    assert few(many[:60]) == many[:60]


async def test_a_picture_of_something_that_several_markets_are_called_names_them(linked: Desk) -> None:
    text = await linked.said(OLGA, "/chart deriv volatility")
    assert "R_100" in text
    assert text.endswith("answer to “volatility”. Name one of them by its symbol."), text


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["GOLD"], (["GOLD"], timedelta(days=1), None)),
        (["US", "Tech", "1w"], (["US", "Tech"], timedelta(days=7), None)),
        (["GOLD", "1y", "line"], (["GOLD"], timedelta(days=365), Style.LINE)),
        (["GOLD", "candles"], (["GOLD"], timedelta(days=1), Style.CANDLES)),
        (["GOLD", "LINE", "1H"], (["GOLD"], timedelta(hours=1), Style.LINE)),
    ],
)
def test_what_is_drawn(words: list[str], meant: tuple[list[str], timedelta, Style | None]) -> None:
    names, span, style = read(words)
    assert (list(names), span.back, style) == meant


def test_a_span_alone_is_no_market() -> None:
    with pytest.raises(InputError, match="which market"):
        read(["1d"])


def test_a_span_that_there_is_not_is_no_part_of_the_name() -> None:
    with pytest.raises(InputError, match="One of 1h, 6h, 1d, 1w, 1mo, 1y"):
        read(["GOLD", "2d"])
