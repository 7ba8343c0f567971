"""Prices come by the thousand: they are read the short way where it says the same as the strict one, and only there."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import ReplyError
from bot.providers.deriv.client.feeds import Feeds
from bot.providers.deriv.wire import grammar, markets
from bot.providers.deriv.wire.markets import Price
from bot.providers.records import Quote

FRAME = (
    '{"echo_req":{"ticks":"R_100","subscribe":1,"req_id":7},"msg_type":"tick","req_id":7,"subscription":{"id":"ab"},'
    '"tick":{"ask":1518.730,"bid":1518,"epoch":1760000000,"id":"ab","pip_size":2,"quote":1518.72,"symbol":"R_100"}}'
)
NOON = datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)


def test_a_price_is_read_to_the_digit() -> None:
    price = markets.read_price(FRAME)
    assert price == Price(7, "ab", Quote("R_100", Decimal(1518), Decimal("1518.73"), NOON))
    assert str(price.quote.ask) == "1518.730"


@pytest.mark.parametrize(
    ("usual", "unusual"),
    [
        ('"ask":1518.730', '"ask":1518.730,"ask":1519'),
        ('"subscribe":1', '"subscribe":1,"subscribe":1'),
        ('"id":"ab"}', '"id":"ab","id":"cd"}'),
        ('"req_id":7,"sub', '"req_id":7,"req_id":8,"sub'),
        ("1518.730", '"1518.730"'),
        ("1518.730", "NaN"),
        ("1518.730", "1e400"),
        ("1518.730", "1.5e3"),
        ("1518.730", "-1518.730"),
        ("1518.730", "0." + "1" * 20),
        ("1518.730", "null"),
        ('"pip_size":2', '"pip_size":' + "9" * 30),
        ('"pip_size":2,', ""),
        ("1760000000", "0"),
        ("1760000000", "1" + "0" * 18),
        ('"ab"}', '""}'),
        ('"R_100"}}', '"R 100"}}'),
        ('"R_100"}}', '"R\\u005f100"}}'),
        ('"R_100"}}', '"R_100"},"error":{"code":"MarketIsClosed"}}'),
        ('"R_100"}}', '"R_100"}} {}'),
        ('"R_100","sub', '{"deep":[[[[]]]]},"sub'),
        ('"msg_type":"tick"', '"msg_type":"ticks"'),
    ],
)
def test_whatever_is_unusual_is_left_to_the_strict_reader(usual: str, unusual: str) -> None:
    assert usual in FRAME
    assert markets.read_price(FRAME.replace(usual, unusual, 1)) is None


_TEXTS = st.sampled_from(["ab", "", ":", '":', "R_100", "ä"])
_NUMBERS = st.sampled_from(["1", "0", "1518.730", "00.1", "1e2", "-3", "12345678901234", "9" * 21, "null", '"1"'])
_KEYS = st.sampled_from(["ask", "bid", "quote", "epoch", "id", "symbol", "pip_size", "req_id", "more"])


@given(st.lists(st.tuples(_KEYS, _NUMBERS | _TEXTS.map(lambda text: f'"{text}"')), max_size=3), _NUMBERS, _TEXTS)
@settings(max_examples=200, deadline=None)
def test_what_the_short_way_reads_the_strict_way_reads_alike(
    extra: list[tuple[str, str]], number: str, text: str
) -> None:
    added = "".join(f'"{key}":{value},' for key, value in extra)
    frame = FRAME.replace('"ask":1518.730,', f'"ask":{number},{added}').replace('"ticks":"R_100"', f'"ticks":"{text}"')
    for variant in (frame, frame.replace('"bid":1518,', ""), frame.replace('"epoch":1760000000,', "")):
        price = markets.read_price(variant)
        if price is not None:
            reply = grammar.parse_frame(variant)
            assert not isinstance(reply.said, ReplyError)
            read = Price(reply.req_id, grammar.subscription_of(reply.said), markets.parse_tick(reply.said))
            assert repr(price) == repr(read)


def test_the_first_frame_of_a_stream_is_heard_like_any_other_and_none_after_its_end() -> None:
    feeds, told = Feeds(), []
    price = markets.read_price(FRAME)
    assert price is not None

    def take(price: Price) -> bool:
        told.append(price)
        return True

    feeds.listen(7, lambda _: None, take)
    assert not feeds.hear_price(price)
    assert not feeds.hear(grammar.parse_frame(FRAME))
    assert feeds.hear_price(price)
    feeds.leave(7)
    assert not feeds.hear_price(price)
    assert told == [price]
