"""What is understood of what people write."""

import contextlib
from dataclasses import fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.model import Measure, Occasion, Repeat, Severity, Test
from bot.alerts.sentences import Sentence, parse
from bot.errors import InputError

PRICE, BALANCE = Measure.PRICE, Measure.BALANCE
HOUR = timedelta(hours=1)


def understood(text: str) -> dict[str, Any]:
    """What was said, without what is as always."""
    found, plain = parse(text.split()), Sentence(PRICE, Test.ABOVE)
    shown = {one.name: getattr(found, one.name) for one in fields(found)}
    return {name: value for name, value in shown.items() if name in ("what", "test") or value != getattr(plain, name)}


SAID: list[tuple[str, dict[str, Any]]] = [
    ("GOLD > 2400", {"what": PRICE, "test": Test.ABOVE, "names": ("GOLD",), "threshold": Decimal(2400)}),
    ("GOLD>2,400.50", {"what": PRICE, "test": Test.ABOVE, "names": ("GOLD",), "threshold": Decimal("2400.50")}),
    ("price of gold below 2.4k", {"what": PRICE, "test": Test.BELOW, "names": ("gold",), "threshold": Decimal(2400)}),
    ("GOLD 2400", {"what": PRICE, "test": Test.CROSSES, "names": ("GOLD",), "threshold": Decimal(2400)}),
    (
        "capital/main GOLD crosses 2400 each time back 5 critical",
        {
            "what": PRICE,
            "test": Test.CROSSES,
            "names": ("capital/main", "GOLD"),
            "threshold": Decimal(2400),
            "repeat": Repeat.EACH,
            "hysteresis": Decimal(5),
            "severity": Severity.CRITICAL,
        },
    ),
    (
        "GOLD moves 3 % in 1 h",
        {"what": PRICE, "test": Test.MOVES, "names": ("GOLD",), "threshold": Decimal(3), "window": HOUR},
    ),
    (
        "balance main < 10000 USD",
        {"what": BALANCE, "test": Test.BELOW, "names": ("main",), "threshold": Decimal(10000), "currency": "USD"},
    ),
    (
        "main balance under usd 10'000 every 4h until 2027-01-31 to Vera",
        {
            "what": BALANCE,
            "test": Test.BELOW,
            "names": ("main",),
            "threshold": Decimal(10000),
            "currency": "USD",
            "repeat": Repeat.EVERY,
            "every": 4 * HOUR,
            "until": date(2027, 1, 31),
            "hearer": ("Vera",),
        },
    ),
    ("balance main changes", {"what": BALANCE, "test": Test.CHANGES, "names": ("main",)}),
    (
        "margin level main < 150%",
        {"what": Measure.MARGIN_LEVEL, "test": Test.BELOW, "names": ("main",), "threshold": Decimal(150)},
    ),
    (
        "margin main < 150%",
        {"what": Measure.MARGIN_LEVEL, "test": Test.BELOW, "names": ("main",), "threshold": Decimal(150)},
    ),
    (
        "free margin main < 500 EUR",
        {
            "what": Measure.FREE_MARGIN,
            "test": Test.BELOW,
            "names": ("main",),
            "threshold": Decimal(500),
            "currency": "EUR",
        },
    ),
    (
        "loss main GOLD > 200 USD",
        {
            "what": Measure.PROFIT,
            "test": Test.BELOW,
            "names": ("main", "GOLD"),
            "threshold": Decimal(-200),
            "currency": "USD",
        },
    ),
    (
        "distance to stop main GOLD < 2%",
        {"what": Measure.STOP_DISTANCE, "test": Test.BELOW, "names": ("main", "GOLD"), "threshold": Decimal(2)},
    ),
    (
        "transfer in main > 5k USD",
        {
            "what": Occasion.MONEY_IN,
            "test": Test.HAPPENS,
            "names": ("main",),
            "threshold": Decimal(5000),
            "currency": "USD",
            "repeat": Repeat.EACH,
        },
    ),
    (
        "position closed main",
        {"what": Occasion.CLOSED, "test": Test.HAPPENS, "names": ("main",), "repeat": Repeat.EACH},
    ),
    (
        "client withdrawals waiting longer than 2 h",
        {"what": Occasion.WITHDRAWAL_WAITING, "test": Test.HAPPENS, "window": 2 * HOUR, "repeat": Repeat.EACH},
    ),
    (
        "request waiting > 45 min for 30d",
        {
            "what": Occasion.REQUEST_WAITING,
            "test": Test.HAPPENS,
            "window": timedelta(minutes=45),
            "repeat": Repeat.EACH,
            "life": timedelta(days=30),
        },
    ),
    (
        "stream down main",
        {
            "what": Occasion.STREAM_DOWN,
            "test": Test.HAPPENS,
            "names": ("main",),
            "window": timedelta(minutes=5),
            "repeat": Repeat.EACH,
        },
    ),
    ("position closed main once", {"what": Occasion.CLOSED, "test": Test.HAPPENS, "names": ("main",)}),
    (
        "position closed main every 4h",
        {"what": Occasion.CLOSED, "test": Test.HAPPENS, "names": ("main",), "repeat": Repeat.EACH, "rest": 4 * HOUR},
    ),
    (
        "GOLD crosses 2400 every 1h",
        {
            "what": PRICE,
            "test": Test.CROSSES,
            "names": ("GOLD",),
            "threshold": Decimal(2400),
            "repeat": Repeat.EACH,
            "rest": HOUR,
        },
    ),
    (
        "disk low every 1h",
        {"what": Occasion.DISK_LOW, "test": Test.HAPPENS, "repeat": Repeat.EVERY, "every": HOUR},
    ),
    ("disk low", {"what": Occasion.DISK_LOW, "test": Test.HAPPENS, "repeat": Repeat.EACH}),
]


@pytest.mark.parametrize(("text", "meant"), SAID, ids=[text for text, _ in SAID])
def test_it_is_understood(text: str, meant: dict[str, Any]) -> None:
    assert understood(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GOLD",
        "> 2400",
        "GOLD >",
        "GOLD > many",
        "GOLD > 2400 2500 2600",
        "GOLD > -5",
        "GOLD > 0",
        "GOLD > 1e999",
        "GOLD > 9999999999999999",
        "GOLD > 3%",
        "GOLD moves 3%",
        "GOLD moves in 1h",
        "GOLD moves 3% in 40d",
        "balance main < 100 U$D",
        "GOLD > 2400 until 2027-02-31",
    ],
)
def test_what_cannot_be_read_gets_a_right_example(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text.split())
    assert parse(caught.value.example.removeprefix("/alert ").split())


@given(st.lists(st.one_of(st.text(max_size=8), st.sampled_from([*"<>%=", "balance", "2400", "moves", "1h", "to"]))))
def test_nothing_people_write_breaks_it(words: list[str]) -> None:
    with contextlib.suppress(InputError):
        parse([part for word in words for part in word.split()])
