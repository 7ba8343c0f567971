"""Everything the Deriv adapter can ask fits the vendor's own schemas, and its samples fit them as replies.

Reads the official schemas beside the project (`COUNTERSIGN_SHARED`); without them it says so and skips. Their patterns
are Perl's: those that Python does not read are translated, and listed here.
"""

import importlib
import inspect
import json
import os
import pkgutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bot.providers.deriv import wire
from bot.providers.deriv.wire import Request, balances, books, contracts, logins, markets, service

SHARED = Path(os.environ.get("COUNTERSIGN_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SCHEMAS = SHARED / "protocols" / "data" / "deriv"
SAMPLES = sorted((Path(wire.__file__).parent.parent / "samples").glob("*.json"))
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"Deriv's schemas are not at {SCHEMAS}")

REQUESTS: Mapping[str, list[Request]] = {
    "logins.build_authorize": [
        logins.build_authorize("abcDEF123456789"),
        logins.build_authorize("a1-abcdefghijklmnopqrstuvwxyz012", ["x" * 128]),
    ],
    "logins.build_logout": [logins.build_logout()],
    "balances.build_balance": [
        balances.build_balance(),
        balances.build_balance("all").streamed(),
        balances.build_balance().of("CR900002"),
    ],
    "contracts.build_portfolio": [contracts.build_portfolio(), contracts.build_portfolio().of("CR900002")],
    "contracts.build_open_contract": [
        contracts.build_open_contract(270000001).streamed(),
        contracts.build_open_contract().streamed(),
    ],
    "contracts.build_sell_expired": [contracts.build_sell_expired()],
    "markets.build_active_symbols": [markets.build_active_symbols(), markets.build_active_symbols("full")],
    "markets.build_contracts_for": [
        markets.build_contracts_for("R_100"),
        markets.build_contracts_for("frxEURUSD", "EUR", "svg"),
    ],
    "markets.build_ticks": [
        markets.build_ticks("R_100"),
        markets.build_ticks(["R_100", "1HZ100V"]).streamed(),
    ],
    "markets.build_ticks_history": [
        markets.build_ticks_history("R_100", NOON, NOON, 5000),
        markets.build_ticks_history("R_100", None, None, 1),
    ],
    "markets.build_candles": [
        markets.build_candles("R_100", 86400, NOON, None, 5000),
        markets.build_candles("R_100", 60, None, None, 1).streamed(),
    ],
    "books.build_statement": [
        books.build_statement(),
        books.build_statement(NOON, NOON, action=books.Action.ESCROW, limit=10, offset=20).of("CR900002"),
    ],
    "books.build_profit_table": [
        books.build_profit_table(),
        books.build_profit_table(NOON, NOON, limit=5, offset=5),
    ],
    "books.build_transaction": [books.build_transaction()],
    "service.build_ping": [service.build_ping()],
    "service.build_time": [service.build_time()],
    "service.build_website_status": [service.build_website_status()],
    "service.build_forget": [service.build_forget("0f3c0f7e-5f0e-4d0a-9f6b-3a1f2c4d5e60")],
    "service.build_forget_all": [service.build_forget_all(*service.Stream)],
}

TRANSLATED: dict[str, str] = {}
"""Perl's patterns among those of our calls that Python reads otherwise or not at all, and what they are here."""


def builders() -> Iterator[str]:
    for found in pkgutil.iter_modules(wire.__path__):
        module = importlib.import_module(f"{wire.__name__}.{found.name}")
        for name, made in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("build_") and made.__module__ == module.__name__:
                yield f"{found.name}.{name}"


def validate(call: str, side: str, message: Any) -> None:
    schema = _translated(json.loads((SCHEMAS / call / f"{side}.json").read_text(encoding="utf-8")))
    jsonschema.Draft4Validator(schema).validate(message)


def _translated(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: TRANSLATED.get(inner, inner) if key == "pattern" and isinstance(inner, str) else _translated(inner)
            for key, inner in schema.items()
        }
    return [_translated(inner) for inner in schema] if isinstance(schema, list) else schema


def test_no_builder_is_missing_here() -> None:
    assert set(builders()) == set(REQUESTS)


@pytest.mark.parametrize(
    "request_", [made for cases in REQUESTS.values() for made in cases], ids=lambda made: made.call.value
)
def test_a_request_fits_its_schema(request_: Request) -> None:
    sent = json.loads(request_.frame(2**31, {"ours": "7"}))
    if not (SCHEMAS / request_.call.value).is_dir():
        pytest.skip(f"there is no schema of {request_.call}")
    validate(request_.call.value, "send", sent)


def test_a_request_that_does_not_fit_is_noticed() -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate("balance", "send", {**json.loads(balances.build_balance().frame(1)), "surprise": 1})


@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_a_sample_fits_its_schema(path: Path) -> None:
    reply = json.loads(path.read_text(encoding="utf-8"))
    validate(reply["msg_type"], "receive", reply)
    validate(reply["msg_type"], "send", _asked(reply["echo_req"]))


def _asked(echo: dict[str, Any]) -> dict[str, Any]:
    """What was sent, as far as the echo tells: the masked token is one no longer."""
    return {key: "masked" if value == "<not shown>" else value for key, value in echo.items()}
