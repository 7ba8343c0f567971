"""What an alert says of numbers and times."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bot.alerts.model import Measure, Outage, Source
from bot.alerts.wording import number, outage


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-03-02T09:00:10", "2026-03-02T09:07:50", "09:00–09:07"),
        ("2026-03-02T09:00:10", "2026-03-02T09:00:23", "09:00:10–09:00:23"),
        ("2026-03-02T23:50:00", "2026-03-03T00:10:00", "2026-03-02 23:50–2026-03-03 00:10"),
    ],
)
def test_an_outage_is_told_as_finely_as_it_takes(since: str, until: str, said: str) -> None:
    assert outage(Outage(_at(since), _at(until)), ZoneInfo("UTC")) == said


@pytest.mark.parametrize(
    ("what", "value", "said"),
    [
        (Measure.MARGIN_LEVEL, "295.56996205", "295.57 %"),
        (Measure.MARGIN_LEVEL, "150.125", "150.125 %"),
        (Measure.PRICE, "1.158234", "1.158234"),
    ],
)
def test_a_percentage_that_was_reckoned_is_rounded_and_nothing_else(what: Measure, value: str, said: str) -> None:
    assert number(Source(1, what, "GOLD"), Decimal(value)) == said
