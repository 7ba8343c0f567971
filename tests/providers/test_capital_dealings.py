"""What became of orders and positions, read from rows of the activity that do not say it."""

import json
from typing import Any

from bot.providers.capital.wire.dealings import dealings_of
from bot.providers.capital.wire.history import parse_activities


def row(second: int, deal: str, kind: str, source: str = "USER", status: str = "ACCEPTED", **details: Any) -> Any:
    at = f"2026-03-02T09:00:{second:02}.000"
    return {
        "dateUTC": at, "epic": "GOLD", "dealId": deal, "source": source, "type": kind, "status": status,
        "details": details,
    }  # fmt: skip


def told(*rows: Any) -> list[tuple[str, str, str]]:
    """Fate, position and order."""
    found = parse_activities(json.dumps({"activities": rows}).encode())
    return [(one.fate.value, one.id, one.order) for one in dealings_of(found, "9")]


def test_a_waiting_order_that_was_carried_out_is_filled_once() -> None:
    order = row(1, "o1", "WORKING_ORDER", "SYSTEM", "EXECUTED", direction="BUY", level=2000)
    position = row(1, "p1", "POSITION", direction="BUY", level=1999, workingOrderId="o1")
    assert told(order, position) == [("filled", "p1", "o1"), ("opened", "p1", "")]
    assert told(order) == [("filled", "", "o1")]


def test_what_was_closed_before_anybody_looked_was_opened_too() -> None:
    opened = row(1, "p1", "POSITION", direction="BUY", level=2000)
    closed = row(9, "p1", "POSITION", direction="SELL", level=2010)
    assert told(opened, closed) == [("opened", "p1", ""), ("closed", "p1", "")]


def test_a_row_that_may_be_an_opening_or_a_closing_is_neither() -> None:
    assert told(row(1, "p1", "POSITION", direction="SELL", workingOrderId="o1")) == []


def test_a_stop_closes_and_a_limit_only_closes() -> None:
    stop = row(1, "p1", "POSITION", "SL", direction="SELL", level=1990)
    limit = row(2, "p2", "POSITION", "TP", direction="SELL", level=2990)
    assert told(stop, limit) == [("stopped", "p1", ""), ("closed", "p1", ""), ("closed", "p2", "")]


def test_what_was_refused_became_nothing() -> None:
    refused = row(1, "p1", "POSITION", status="REJECTED", direction="BUY")
    expired = row(2, "o1", "WORKING_ORDER", "SYSTEM", "EXPIRED")
    assert told(refused, expired) == []
