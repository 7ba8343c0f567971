"""The adapter reads every reply the provider's own Postman collection shows for the calls it makes."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.errors import CredentialRefusedError, FaultError, ReplyError
from bot.money import Currency, Money
from bot.providers.capital import auth, wire
from bot.providers.records import Direction, Environment

SHARED = Path(os.environ.get("COUNTERSIGN_SHARED", Path(__file__).parents[2] / "shared"))
COLLECTION = SHARED / "protocols/data/capital/capital.postman_collection.json"
NOW = datetime(2024, 5, 14, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not COLLECTION.exists(), reason=f"no collection at {COLLECTION}")


@dataclass(frozen=True, slots=True)
class Shown:
    """One reply of the collection."""

    request: str
    status: int
    headers: httpx.Headers
    body: bytes


def shown() -> list[Shown]:
    if not COLLECTION.exists():
        return []
    return list(_walk(json.loads(COLLECTION.read_text())["item"]))


def _walk(items: Iterable[dict[str, Any]]) -> Iterator[Shown]:
    for item in items:
        yield from _walk(item.get("item", ()))
        for reply in item.get("response", ()):
            headers = [(header["key"], header["value"]) for header in reply.get("header") or ()]
            yield Shown(item["name"], int(reply["code"]), httpx.Headers(headers), (reply.get("body") or "").encode())


def successes(request: str) -> list[Shown]:
    found = [reply for reply in shown() if reply.request == request and reply.status == 200]
    assert found
    return found


def test_both_logins_name_an_active_account() -> None:
    replies = successes("Create new session")
    assert len(replies) == 2
    for reply in replies:
        login = wire.parse_login(reply.body)
        assert login.current_account_id in {account.account_id for account in login.accounts}


def test_authenticated_replies_bring_tokens() -> None:
    for reply in successes("All accounts") + successes("All positions"):
        assert auth.Tokens.of(reply.headers).headers()


def test_accounts_and_balances_are_read() -> None:
    (reply,) = successes("All accounts")
    rows = wire.parse_accounts(reply.body)
    raw = json.loads(reply.body, parse_float=Decimal)["accounts"]
    read = wire.balances_of(rows, Environment.DEMO, NOW)
    assert [balance.amount for balance in read] == [
        Money(Decimal(one["balance"]["balance"]), Currency(one["currency"])) for one in raw
    ]
    for one in raw:
        assert one["balance"]["balance"] == one["balance"]["deposit"] + one["balance"]["profitLoss"]


def test_positions_are_read() -> None:
    (reply,) = successes("All positions")
    read = wire.parse_positions(reply.body, "1", NOW)
    raw = json.loads(reply.body, parse_float=Decimal)["positions"]
    assert [(one.id, one.symbol, one.entry, one.size) for one in read] == [
        (one["position"]["dealId"], one["market"]["epic"], one["position"]["level"], one["position"]["size"])
        for one in raw
    ]
    assert {one.direction for one in read} <= {Direction.LONG, Direction.SHORT}


def test_the_profit_shown_is_what_closing_now_would_bring() -> None:
    """Price difference times size, unconverted. The samples are all in USD: whose currency it is, they cannot tell."""
    (reply,) = successes("All positions")
    for one in wire.parse_positions(reply.body, "1", NOW):
        assert one.now is not None
        assert one.entry is not None
        assert one.size is not None
        assert one.profit is not None
        sign = 1 if one.direction is Direction.LONG else -1
        assert abs((one.now - one.entry) * one.size * sign - one.profit.amount) <= Decimal("0.01")


def test_the_printed_key_is_read_but_known_to_be_damaged() -> None:
    (reply,) = successes("Encryption key")
    key = wire.parse_encryption_key(reply.body)
    assert key.time_stamp > 10**12
    with pytest.raises(ReplyError, match="not a"):
        auth.encrypt_password("1111qqqq", key)


def test_every_refusal_keeps_its_code() -> None:
    refused = [reply for reply in shown() if reply.status >= 400]
    assert len(refused) > 10
    for reply in refused:
        error = wire.error_of(reply.status, reply.body)
        assert error is not None
        assert not isinstance(error, FaultError)
        assert json.loads(reply.body)["errorCode"] in str(error)


def test_wrong_credentials_are_told_apart() -> None:
    codes = {
        json.loads(reply.body)["errorCode"]
        for reply in shown()
        if isinstance(wire.error_of(reply.status, reply.body), CredentialRefusedError)
    }
    assert codes == {"error.null.api.key", "error.invalid.details"}
