"""Whatever stands in a reply, it is read, or refused as a reply that cannot be read: nothing else ever comes of it.

The replies are the simulator's to every call; one value after the other is replaced by what should not be there.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import connect

from bot.errors import ProviderError, ReplyError
from bot.loopback.server import serving
from bot.money import Currency
from bot.providers.deriv.simulator import make
from bot.providers.deriv.wire import (
    Body,
    agents,
    balances,
    books,
    contracts,
    grammar,
    logins,
    markets,
    opening,
    profile,
    proposals,
    service,
)
from bot.providers.records import Account, Environment

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
USD = Currency("USD")
OWN = Account("CR900001", "Real", USD, Environment.LIVE)
RISE = {"contract_type": "CALL", "currency": "USD", "symbol": "R_100", "amount": 10, "basis": "stake"}
TERMS = {**RISE, "duration": 1, "duration_unit": "h"}

READERS: dict[str, tuple[dict[str, Any], Callable[[Body], object]]] = {
    "time": ({"time": 1}, service.parse_time),
    "website_status": ({"website_status": 1}, service.parse_website_status),
    "forget": ({"forget": "0f3c0f7e-5f0e-4d0a-9f6b-3a1f2c4d5e60"}, service.parse_forget),
    "forget_all": ({"forget_all": ["candles"]}, service.parse_forget_all),
    "get_settings": ({"get_settings": 1}, profile.parse_get_settings),
    "get_limits": ({"get_limits": 1}, lambda body: profile.parse_get_limits(body, USD)),
    "api_token": ({"api_token": 1}, profile.parse_api_token),
    "verify_email": ({"verify_email": "a@example.org", "type": "account_opening"}, opening.parse_verify_email),
    "residence_list": ({"residence_list": 1}, opening.parse_residence_list),
    "states_list": ({"states_list": "id"}, opening.parse_states_list),
    "landing_company": ({"landing_company": "id"}, opening.parse_landing_company),
    "landing_company_details": ({"landing_company_details": "svg"}, opening.parse_landing_company_details),
    "balance": ({"balance": 1}, lambda body: balances.parse_balance(body, OWN, NOON)),
    "portfolio": ({"portfolio": 1}, lambda body: contracts.parse_portfolio(body, "CR900001", NOON)),
    "statement": ({"statement": 1, "description": 1}, lambda body: books.parse_statement(body, "CR900001", USD)),
    "profit_table": ({"profit_table": 1}, lambda body: books.parse_profit_table(body, "CR900001", USD)),
    "sell_expired": ({"sell_expired": 1}, contracts.parse_sell_expired),
    "active_symbols": ({"active_symbols": "full"}, markets.parse_active_symbols),
    "contracts_for": ({"contracts_for": "R_100"}, markets.parse_contracts_for),
    "tick": ({"ticks": "R_100"}, markets.parse_tick),
    "history": (
        {"ticks_history": "R_100", "end": "latest", "count": 3},
        lambda body: markets.parse_history(body, "R_100"),
    ),
    "candles": (
        {"ticks_history": "R_100", "end": "latest", "count": 3, "style": "candles", "granularity": 60},
        lambda body: markets.parse_candles(body, "R_100", 60),
    ),
    "proposal": ({"proposal": 1, **TERMS}, lambda body: proposals.parse_proposal(body, USD)),
    "paymentagent_list": ({"paymentagent_list": "id"}, agents.parse_paymentagent_list),
    "paymentagent_details": ({"paymentagent_details": 1}, agents.parse_paymentagent_details),
    "cashier": ({"cashier": "deposit"}, agents.parse_cashier),
}
OTHERS: dict[str, Callable[[Body], object]] = {
    "authorize": lambda body: logins.parse_authorize(body, NOON),
    "proposal_open_contract": lambda body: contracts.parse_open_contract(body, "CR900001", NOON),
    "new_account_virtual": opening.parse_new_account_virtual,
}
HOSTILE: list[Any] = [None, True, "NaN", "1_000", "", -1, 10**19, Decimal("1E+30"), [], [None], {}, {"x": {}}]


@pytest.fixture(scope="module")
def replies() -> dict[str, Any]:
    """What the simulator says to each, by the name of what it says."""
    return asyncio.run(_asked())


async def _asked() -> dict[str, Any]:
    said: dict[str, Any] = {}
    async with serving(make()) as sim:
        key = sim.credentials
        async with connect(f"{sim.ws}/websockets/v3?app_id={key['app_id']}", max_size=None) as line:

            async def ask(request: dict[str, Any]) -> Any:
                await line.send(json.dumps({**request, "req_id": 1}))
                frame = grammar.parse_frame(await line.recv()).said
                assert not isinstance(frame, ReplyError)
                return frame

            said["authorize"] = await ask({"authorize": key["token"]})
            bought = (await ask({"buy": "1", "price": 10, "parameters": TERMS}))["buy"]["contract_id"]
            for name, (request, _) in READERS.items():
                said[name] = await ask(request)
            said["proposal_open_contract"] = await ask({"proposal_open_contract": 1, "contract_id": bought})
    opened = {"client_id": "VRTC900002", "oauth_token": "a1-" + "x" * 29, "currency": "USD", "balance": 10000}
    said["new_account_virtual"] = {"msg_type": "new_account_virtual", "new_account_virtual": opened}
    return said


def spots(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Where something stands; of a list, or of many alike, the first two will do."""
    yield path
    if isinstance(value, dict):
        for key in list(value)[: 2 if len(value) > 40 else None]:
            yield from spots(value[key], *path, key)
    elif isinstance(value, list):
        for index in range(min(len(value), 2)):
            yield from spots(value[index], *path, index)


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    if not path:
        return to
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = changed(value[path[0]], path[1:], to)
    return copy


@pytest.mark.parametrize("name", [*READERS, *OTHERS])
def test_a_reply_is_read_or_refused_whatever_stands_in_it(replies: dict[str, Any], name: str) -> None:
    read = OTHERS[name] if name in OTHERS else READERS[name][1]
    read(replies[name])
    refusals = []
    for path in spots(replies[name][name], name):
        for hostile in HOSTILE:
            try:
                read(changed(replies[name], path, hostile))
            except ProviderError as error:
                refusals.append(str(error))
    assert len(refusals) >= 5
    assert max(map(len, refusals)) < 120  # none quotes what it read
    with pytest.raises(ReplyError):
        read({"msg_type": "ping", "ping": "pong"})
