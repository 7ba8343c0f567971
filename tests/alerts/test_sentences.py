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
        "GOLD 4 000",
        "US 500 600",
        "request waiting > 45",
    ],
)
def test_what_cannot_be_read_gets_a_right_example(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text.split())
    assert parse(caught.value.example.removeprefix("/alert ").split())


USD = "USD"


@pytest.mark.parametrize(
    ("text", "threshold", "currency"),
    [
        ("gold < 4 000", "4000", ""),
        ("gold > 1 250 000.50", "1250000.50", ""),
        ("gold > 4 200 each time critical", "4200", ""),
        ("gold > 420 back 5 000", "420", ""),
        ("gold rises above 4 200", "4200", ""),
        ("gold > $4200", "4200", USD),
        ("gold>€4,200", "4200", "EUR"),
        ("gold > 4200$", "4200", USD),
        ("gold > 4 200 £", "4200", "GBP"),
        ("gold > $ 4 200 usd", "4200", USD),
        ("gold 4200$", "4200", USD),
        ("gold $4200", "4200", USD),
        ("balance main < $10k", "10000", USD),
        ("balance main < 10k usd", "10000", USD),
        ("balance main < 10k DOGE", "10000", "DOGE"),
        ("balance main changes by more than 5 000 USD", "5000", USD),
        ("profit main < -$200", "-200", USD),
        ("profit or loss main < -200", "-200", ""),
        ("transfer in main > £5 000", "5000", "GBP"),
        ("gold > 4200 please", "4200", ""),
        ("gold > 4200 thx critical", "4200", ""),
        ("gold > 4200 to Vera please", "4200", ""),
        ("margin level main < 150 percent", "150", ""),
    ],
)
def test_a_number_is_read_with_its_groups_and_its_currency(text: str, threshold: str, currency: str) -> None:
    found = parse(text.split())
    assert (found.threshold, found.currency) == (Decimal(threshold), currency)
    assert found.names == (("gold",) if text.startswith("gold") else ("main",))


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("gold > 4200 cirtical", "cirtical"),
        ("gold > 4200 usd cirtical", "cirtical"),
        ("gold > 4200 tomorrow", "tomorrow"),
        ("gold > 4200 all", "all"),
        ("gold > 4200 until friday", "until friday"),
        ("gold > 4200 or < 4000", "or < 4000"),
        ("gold > 4200 XYZ", "XYZ"),
        ("gold > 4 00", "00"),
        ("gold > 4 000k", "000k"),
        ("gold > 4200 back 5 each 000 time", "000 time"),
        ("gold > usd 4200 eur", "eur"),
        ("gold 4200 cirtical", "cirtical"),
        ("gold falls by 5", "by"),
        ("balance main < 10k cirtical", "cirtical"),
        ("balance main changes tomorrow", "tomorrow"),
        ("balance main changes by 5 usd tomorrow", "tomorrow"),
        ("margin level main < 150% usd", "usd"),
        ("gold moves 3% in 1h tomorrow", "tomorrow"),
        ("gold moves up 3%", "up"),
        ("transfer in main > 1000 USD cirtical", "cirtical"),
        ("transfer in main > 3%", "3%"),
        ("disk low < 5%", "5%"),
        ("request waits 5 min 2h", "2h"),
    ],
)
def test_what_is_not_understood_is_named_and_never_left_out(text: str, unknown: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text.split())
    assert caught.value.reason == f"I do not understand “{unknown}”"
    assert parse(caught.value.example.removeprefix("/alert ").split())


@pytest.mark.parametrize(
    "text", ["request waits > 5 min cirtical", "stream down > 5 min cirtical", "disk low cirtical"]
)
def test_words_of_what_happens_come_out_as_names_for_whoever_knows_them(text: str) -> None:
    assert parse(text.split()).names == ("cirtical",)


def test_polite_words_alone_are_no_change_and_a_change_by_nothing_is_any() -> None:
    assert parse(["balance", "main", "changes", "please"]).threshold == 0


@pytest.mark.parametrize(
    ("text", "what", "minutes", "names"),
    [
        ("request waits 5 min", Occasion.REQUEST_WAITING, 5, ()),
        ("request waits 1m", Occasion.REQUEST_WAITING, 1, ()),
        ("request waits > 1m", Occasion.REQUEST_WAITING, 1, ()),
        ("withdrawal waits", Occasion.WITHDRAWAL_WAITING, 60, ()),
        ("request expires", Occasion.REQUEST_EXPIRING, 15, ()),
        ("request about to expire 5 min", Occasion.REQUEST_EXPIRING, 5, ()),
        ("capital down", Occasion.PROVIDER_DOWN, 5, ("capital",)),
        ("crm is down > 10 min", Occasion.PROVIDER_DOWN, 10, ("crm",)),
        ("stream down capital", Occasion.STREAM_DOWN, 5, ("capital",)),
    ],
)
def test_the_words_on_the_buttons_are_words(text: str, what: Occasion, minutes: int, names: tuple[str, ...]) -> None:
    found = parse(text.split())
    assert (found.what, found.window, found.names) == (what, timedelta(minutes=minutes), names)


@pytest.mark.parametrize("text", ["gold down 5%", "balance down", "gold silver down", "down", "capital down stream"])
def test_what_is_down_is_a_provider_only_where_it_can_be_nothing_else(text: str) -> None:
    with pytest.raises(InputError):
        parse(text.split())


def test_a_market_that_has_down_in_its_name_stays_one() -> None:
    assert parse(["lock", "down", ">", "4000"]).names == ("lock", "down")


@given(
    st.lists(
        st.one_of(
            st.text(max_size=8), st.sampled_from([*"<>%=", "balance", "2400", "moves", "1h", "to", "down", "000", "$4"])
        )
    )
)
def test_nothing_people_write_breaks_it(words: list[str]) -> None:
    with contextlib.suppress(InputError):
        parse([part for word in words for part in word.split()])
