"""Frames of Capital.com's WebSocket, as documented and as they should never be."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import BusyError, CredentialRefusedError, RefusedError, ReplyError
from bot.providers.capital.client.streaming import address_of
from bot.providers.capital.settings import Settings
from bot.providers.capital.wire import streaming
from bot.providers.records import Candle, Quote

QUOTE = (
    '{"status": "OK", "destination": "quote", "payload": {"epic": "GOLD", "product": "CFD", "bid": 2050.8,'
    ' "bidQty": 1200.0, "ofr": 2051.3, "ofrQty": 1200.0, "timestamp": 1709287800123}}'
)
BID = (
    '{"status": "OK", "destination": "ohlc.event", "payload": {"resolution": "MINUTE", "epic": "GOLD",'
    ' "type": "classic", "priceType": "bid", "t": 1709287800000, "h": 2051.0, "l": 2049.9, "o": 2050.1, "c": 2050.8}}'
)
AT = datetime(2024, 3, 1, 10, 10, tzinfo=UTC)


def test_a_quote_as_documented() -> None:
    assert streaming.parse(QUOTE) == Quote(
        "GOLD", Decimal("2050.8"), Decimal("2051.3"), AT + timedelta(milliseconds=123)
    )


def test_only_short_prices_are_kept_once_they_are_read() -> None:
    kept = streaming._known_price.cache_info().currsize
    for number in range(20):
        streaming.parse(QUOTE.replace("2050.8", f'"{number}{"7" * 100_000}"'))
        streaming.parse(QUOTE.replace("2050.8", f"{number + 1}.{'7' * 20}"))
    assert streaming._known_price.cache_info().currsize <= kept + 1  # the other side's


def test_the_two_sides_of_a_minute_make_one_candle() -> None:
    bid = streaming.parse(BID)
    ask = streaming.parse(BID.replace('"bid"', '"ask"').replace("205", "206").replace("204", "205"))
    assert isinstance(bid, streaming.Half)
    assert isinstance(ask, streaming.Half)
    prices = (Decimal("2055.1"), Decimal("2056.0"), Decimal("2054.9"), Decimal("2055.8"))
    assert streaming.candle_of(bid, ask) == Candle("GOLD", AT, timedelta(minutes=1), *prices)


@pytest.mark.parametrize(
    "bid", ["0", "-1", '"2050.8"', '"NaN"', '"1_000"', "null", "1e308", "true", "[1]", "1e-400"], ids=str
)
def test_what_is_no_price_is_no_quote(bid: str) -> None:
    assert streaming.parse(QUOTE.replace("2050.8", bid)) is None


@pytest.mark.parametrize("stamp", ["0", "-5", "1e30", '"now"', "99999999999999999"])
def test_what_has_no_time_is_no_quote(stamp: str) -> None:
    assert streaming.parse(QUOTE.replace("1709287800123", stamp)) is None


@pytest.mark.parametrize("text", ["", "{", "NaN", QUOTE.replace("2050.8", "NaN"), '{"x": ' + "[" * 100_000, b"\xff{}"])
def test_what_is_not_json_ends_the_connection(text: str | bytes) -> None:
    with pytest.raises(ReplyError):
        streaming.parse(text)


@pytest.mark.parametrize("text", ["[]", "7", "{}", '{"destination": "news"}', BID.replace("MINUTE", "HOUR")])
def test_what_nobody_knows_is_left_alone(text: str) -> None:
    assert streaming.parse(text) is None


def reply(**members: Any) -> streaming.Reply:
    frame = {"destination": "marketData.subscribe", "correlationId": "3", "status": "ERROR", **members}
    heard = streaming.parse(json.dumps(frame))
    assert isinstance(heard, streaming.Reply)
    return heard


def test_an_acknowledgement_names_its_question_and_each_epic() -> None:
    said = reply(status="OK", payload={"subscriptions": {"GOLD": "PROCESSED", "NOTFOUND": "ERROR"}})
    assert (said.number, said.error) == ("3", None)
    assert said.subscriptions == {"GOLD": "PROCESSED", "NOTFOUND": "ERROR"}


@pytest.mark.parametrize(
    "members",
    [
        {"payload": {"errorCode": "error.invalid.session.token"}},
        {"errorCode": "error.invalid.session.token"},
        {"payload": {"error": {"errorCode": "error.invalid.session.token"}}},
    ],
)
def test_an_error_code_is_found_in_each_of_the_three_places_it_was_seen_in(members: dict[str, Any]) -> None:
    assert isinstance(reply(**members).error, CredentialRefusedError)


def test_other_errors_are_what_their_codes_say() -> None:
    assert isinstance(reply(payload={"errorCode": "error.too-many.requests"}).error, BusyError)
    assert isinstance(reply(payload={"errorCode": "error.invalid.epics"}).error, RefusedError)
    assert reply().error is not None


def test_a_message_carries_the_tokens_and_its_number() -> None:
    tokens = {"CST": "c-1", "X-SECURITY-TOKEN": "s-1"}
    text = streaming.build("OHLCMarketData.subscribe", 5, tokens, streaming.minutes_of(["GOLD"]))
    assert json.loads(text) == {
        "destination": "OHLCMarketData.subscribe",
        "correlationId": "5",
        "cst": "c-1",
        "securityToken": "s-1",
        "payload": {"epics": ["GOLD"], "resolutions": ["MINUTE"], "type": "classic"},
    }
    assert streaming.minutes_of(["GOLD"], ending=True) == {
        "epics": ["GOLD"],
        "resolutions": ["MINUTE"],
        "types": ["classic"],
    }


def test_tokens_go_nowhere_but_to_the_provider() -> None:
    real, here = Settings(), Settings(demo_url="http://127.0.0.1:4711")
    told = "wss://api-streaming-capital.backend-capital.com/"
    assert address_of(told, real) == "wss://api-streaming-capital.backend-capital.com/connect"
    assert address_of(None, real) == "wss://api-streaming-capital.backend-capital.com/connect"
    assert address_of("ws://127.0.0.1:4712/", here) == "ws://127.0.0.1:4712/connect"
    for elsewhere in (
        "wss://backend-capital.com.example/",
        "ws://api-streaming-capital.backend-capital.com/",
        "wss://127.0.0.1/",
        "https://api-streaming-capital.backend-capital.com/",
        "wss://[/",
    ):
        with pytest.raises(ReplyError):
            address_of(elsewhere, real)
