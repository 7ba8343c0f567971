"""Every request the adapter makes, against the provider's Postman collection and a third party's OpenAPI description.

Paths and methods, names of parameters and fields, their kinds, and that nothing required is missing; and every reply
the collection shows is read by the adapter.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.providers.capital.wire import (
    accounts,
    dealing,
    history,
    markets,
    orders,
    positions,
    prices,
    session,
    watchlists,
)
from bot.providers.capital.wire.grammar import Request

SHARED = Path(os.environ.get("COUNTERSIGN_SHARED", Path(__file__).parents[2] / "shared"))
DATA = SHARED / "protocols/data/capital"
COLLECTION, OPENAPI = DATA / "capital.postman_collection.json", DATA / "api-evangelist.rest.openapi.yml"
NOON = datetime(2024, 5, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ELSEWHERE = {("PUT", "/workingorders/{}"): {"timeInForce"}}
"""Told by the provider's own MCP server, which is younger than the collection."""
YOUNGER = ("POST", "/accounts/topUp")
"""Than the collection; the description has it."""
UNDESCRIBED = ("/prices", "/clientsentiment", "/watchlists")
"""What the OpenAPI description lacks."""

pytestmark = pytest.mark.skipif(not COLLECTION.exists(), reason=f"no collection at {COLLECTION}")

DEAL = dealing.Deal("GOLD", "BUY", Decimal("0.50"), Decimal("2300.5"), Decimal(2400))
BRACKET = dealing.Bracket(Decimal(2300), None)
TRAILING = dealing.Bracket(None, Decimal(2400), trailing_distance=Decimal("2.5"))
CHANGE = dealing.OrderChange(Decimal(2310), Decimal(2300), Decimal(2400), "2024-05-20T10:00:00")
KEPT = dealing.OrderChange(is_till_cancelled=True, guaranteed=True, kept_distance=Decimal(4))
BUILT: tuple[Request, ...] = (
    session.build_time(),
    session.build_ping(),
    session.build_encryption_key(),
    session.build_session(),
    session.build_login("desk@quay.example", "p", encrypted=True),
    session.build_switch("1"),
    session.build_logout(),
    accounts.build_accounts(),
    accounts.build_preferences(),
    accounts.build_new_preferences(accounts.Wanted({"SHARES": 2}, hedging=True)),
    accounts.build_top_up(Decimal("10.5")),
    history.build_activity(NOON - HOUR, NOON, None, "deal"),
    history.build_activity(None, None, 600),
    history.build_transactions(NOON - HOUR, NOON, None),
    history.build_transactions(None, None, 600),
    orders.build_confirm("o_1"),
    positions.build_positions(),
    positions.build_position("deal"),
    dealing.build_position(DEAL),
    dealing.build_bracket("deal", BRACKET),
    dealing.build_bracket("deal", TRAILING),
    dealing.build_close("deal"),
    orders.build_orders(),
    dealing.build_order(DEAL, "LIMIT", Decimal(2310), "2024-05-20T10:00:00"),
    dealing.build_order_change("deal", CHANGE),
    dealing.build_order_change("deal", KEPT),
    dealing.build_withdrawal("deal"),
    markets.build_tree(),
    markets.build_node("hierarchy_v1.commodities_group"),
    markets.build_search("gold"),
    markets.build_several(["GOLD", "SILVER"]),
    markets.build_market("GOLD"),
    prices.build_prices("GOLD", timedelta(minutes=5), NOON - HOUR, NOON),
    markets.build_sentiments(["GOLD", "SILVER"]),
    markets.build_sentiment("GOLD"),
    watchlists.build_watchlists(),
    watchlists.build_watchlist("1"),
    watchlists.build_new("Metals", ["GOLD"]),
    watchlists.build_addition("1", "GOLD"),
    watchlists.build_removal("1", "GOLD"),
    watchlists.build_deletion("1"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One request of the collection."""

    method: str
    path: str
    """With `{}` where something is filled in."""
    query: frozenset[str]
    fields: dict[str, tuple[str, bool]]
    """The body's, by name: their kind, and whether they are required."""
    replies: tuple[bytes, ...]
    """Those that are successes."""


def shown() -> list[Shown]:
    return list(_walk(json.loads(COLLECTION.read_text())["item"])) if COLLECTION.exists() else []


def _walk(items: Iterable[dict[str, Any]]) -> Iterator[Shown]:
    for item in items:
        yield from _walk(item.get("item", ()))
        if "request" in item:
            request = item["request"]
            address = request["url"]
            path = "/" + "/".join("{}" if part.startswith(":") else part for part in address["path"])
            replies = tuple((one.get("body") or "").encode() for one in item["response"] if one["code"] == 200)
            query = frozenset(one["key"] for one in address.get("query") or ())
            yield Shown(request["method"], path, query, _table(request.get("description") or ""), replies)


def _table(description: str) -> dict[str, tuple[str, bool]]:
    rows = re.findall(r"^\| (\w+) \| (\w+)(?:\\?\[\w*\\?\])? \| (YES|NO) \|", description, re.M)
    return {name: (kind, required == "YES") for name, kind, required in rows}


def told(request: Request) -> tuple[str, str, set[str]]:
    """Method, path below the base, names of the query."""
    parts = urlsplit(request.path)
    assert parts.path.startswith("/api/v1/")
    return request.method, parts.path.removeprefix("/api/v1"), set(parse_qs(parts.query))


def described(request: Request) -> Shown:
    method, path, _ = told(request)
    exact = [one for one in shown() if one.method == method and one.path == path]
    filled = [one for one in shown() if one.method == method and _fits(one.path, path)]
    return (exact or filled)[0]


def _fits(template: str, path: str) -> bool:
    return re.fullmatch(re.escape(template).replace(r"\{\}", "[^/]+"), path) is not None


KINDS: dict[str, Callable[[Any], bool]] = {
    "string": lambda one: isinstance(one, str),
    "number": lambda one: type(one) in (int, Decimal),
    "boolean": lambda one: isinstance(one, bool),
    "object": lambda one: isinstance(one, dict),
    "array": lambda one: isinstance(one, list),
}


IN_COLLECTION = [one for one in BUILT if told(one)[:2] != YOUNGER]


@pytest.mark.parametrize("request_", IN_COLLECTION, ids=lambda one: f"{one.method} {one.path}"[:60])
def test_what_is_asked_is_in_the_collection(request_: Request) -> None:
    method, path, query = told(request_)
    found = described(request_)
    assert query <= found.query
    if request_.body is None:
        return
    body = json.loads(request_.body, parse_float=Decimal)
    extra = ELSEWHERE.get((method, found.path), set())
    assert set(body) - extra <= set(found.fields), path
    assert {name for name, (_, required) in found.fields.items() if required} <= set(body)
    for name, value in body.items():
        if value is not None and name not in extra:
            assert KINDS[found.fields[name][0]](value), (name, value)


@pytest.mark.skipif(not OPENAPI.exists(), reason="no description")
def test_what_is_asked_is_in_the_description_as_far_as_that_goes() -> None:
    described_there, path = set(), ""
    for line in OPENAPI.read_text().splitlines():
        if found := re.fullmatch(r"  /api/v1(/\S*):", line):
            path = found[1]
        elif path and (found := re.fullmatch(r"    (get|post|put|delete):", line)):
            described_there.add((found[1].upper(), re.sub(r"\{\w+\}", "{}", path)))
    assert len(described_there) > 20
    for request in BUILT:
        method, path, _ = told(request)
        if not path.startswith(UNDESCRIBED):
            assert [one for one in described_there if one[0] == method and _fits(one[1], path)], (method, path)


def test_every_request_of_the_collection_is_made() -> None:
    made = {(one.method, one.path) for one in map(described, IN_COLLECTION)}
    there = {(one.method, one.path) for one in shown()}
    assert made == there


PARSED: dict[tuple[str, str], Callable[[bytes], Any]] = {
    ("GET", "/time"): session.parse_time,
    ("GET", "/ping"): session.parse_status,
    ("GET", "/session"): session.parse_session,
    ("PUT", "/session"): session.parse_switched,
    ("GET", "/accounts"): accounts.parse_accounts,
    ("GET", "/accounts/preferences"): accounts.parse_preferences,
    ("PUT", "/accounts/preferences"): session.parse_status,
    ("GET", "/history/activity"): history.parse_activities,
    ("GET", "/history/transactions"): lambda body: [
        history.entry_of(one, "1") for one in history.parse_transactions(body)
    ],
    ("GET", "/confirms/{}"): orders.parse_confirm,
    ("GET", "/positions"): positions.parse_position_rows,
    ("GET", "/positions/{}"): positions.parse_position,
    ("POST", "/positions"): orders.parse_taken,
    ("PUT", "/positions/{}"): orders.parse_taken,
    ("DELETE", "/positions/{}"): orders.parse_taken,
    ("GET", "/workingorders"): lambda body: [orders.order_of(one, "1", NOON) for one in orders.parse_order_rows(body)],
    ("POST", "/workingorders"): orders.parse_taken,
    ("PUT", "/workingorders/{}"): orders.parse_taken,
    ("DELETE", "/workingorders/{}"): orders.parse_taken,
    ("GET", "/marketnavigation"): markets.parse_node,
    ("GET", "/marketnavigation/{}"): markets.parse_node,
    ("GET", "/markets/{}"): lambda body: markets.whole_market_of(markets.parse_market(body), None, NOON),
    ("GET", "/prices/{}"): prices.parse_prices,
    ("GET", "/clientsentiment"): markets.parse_sentiments,
    ("GET", "/clientsentiment/{}"): markets.parse_sentiment,
    ("GET", "/watchlists"): watchlists.parse_watchlists,
    ("GET", "/watchlists/{}"): markets.parse_markets,
    ("POST", "/watchlists"): watchlists.parse_made,
    ("PUT", "/watchlists/{}"): session.parse_status,
    ("DELETE", "/watchlists/{}"): session.parse_status,
    ("DELETE", "/watchlists/{}/{}"): session.parse_status,
}


@pytest.mark.parametrize("call", PARSED, ids=" ".join)
def test_every_reply_of_the_collection_is_read(call: tuple[str, str]) -> None:
    replies = [reply for one in shown() if (one.method, one.path) == call for reply in one.replies]
    assert replies
    for reply in replies:
        assert PARSED[call](reply) is not None or call == ("PUT", "/session")


def test_both_lists_of_markets_are_read() -> None:
    replies = [reply for one in shown() if (one.method, one.path) == ("GET", "/markets") for reply in one.replies]
    detailed = [reply for reply in replies if b"marketDetails" in reply]
    assert detailed
    for reply in replies:
        assert markets.parse_several(reply) if reply in detailed else markets.parse_markets(reply)
