"""Every call of the notes is in the CRM's simulator, on the generation of the pages that has it, behind the gate."""

from collections.abc import AsyncIterator

import pytest

from bot.providers.crm.simulator import make
from tests.support.crm_desk import API, Desk, HandClock, desk_at, refused

CALLS = (
    # section 4.1
    "GET /users", "GET /users/77889900", "GET /users/77889900/details", "GET /users/77889900/profile",
    "GET /users/77889900/kyc", "POST /users/validate", "POST /users/create", "POST /users/uplines",
    "POST /users/downlines",
    # 4.2 to 4.6
    "POST /leads/create", "GET /connections", "GET /mt4/connections", "GET /mt4/accounts",
    "POST /users/77889900/mt4/accounts", "POST /mt4/accounts/1/deposit", "POST /mt4/accounts/1/withdrawal",
    "GET /mt4/trades", "GET /mt5/connections", "GET /mt5/accounts", "POST /users/77889900/mt5/accounts",
    "POST /mt5/accounts/1/deposit", "GET /ctrader/connections", "GET /ctrader/accounts",
    # 4.7 to 4.9
    "GET /report/commissions/fixed", "GET /report/commissions/flexible", "POST /report/transactions", "GET /wallets",
    "PATCH /wallets/balance", "GET /payments/77889900/bankcards", "GET /tradingCompetition/leaderboard",
    "POST /account/register/request", "POST /account/register/multistep",
    # 4.10 to 4.12
    "GET /configuration/countries", "GET /configuration/states", "GET /configuration/cities",
    "GET /form/registration/trader", "GET /form/kyc/collections", "GET /form/kyc", "GET /form/s3/signature",
    "GET /tradingAccounts/types",
    # 3
    "POST /requests/withdrawal/approve", "POST /requests/withdrawal/reject",
)  # fmt: skip
NEWER = (
    "POST /users/77889900/profile/submit", "POST /mt5/accounts/1/withdrawal", "POST /propTrading/users/upgrade",
    "POST /propTrading/users/failed", "GET /requests/withdrawal/zzzzzzzz", "GET /requests/kyc/zzzzzzzz",
    "GET /requests/deposit/zzzzzzzz", "POST /requests/kyc/approve", "POST /requests/kyc/reject",
)  # fmt: skip


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = HandClock()
    async with desk_at(make(clock=clock), clock) as found:
        yield found


async def called(desk: Desk, call: str) -> int:
    method, path = call.split()
    return (await (desk.get(path) if method == "GET" else desk.send(method, path, {}))).status_code


async def test_every_call_is_there_and_needs_a_key(desk: Desk) -> None:
    for call in CALLS + NEWER:
        method, path = call.split()
        assert await called(desk, call) in (200, 400), call
        assert refused(await desk.http.request(method, API + path), 403, "invalid_api_key"), call


async def test_a_signature_is_needed_for_every_body_and_nothing_else(desk: Desk) -> None:
    for call in CALLS + NEWER:
        method, path = call.split()
        if method != "GET":
            unsigned = await desk.http.request(method, API + path, content=b"{}", headers={"key": desk.key})
            assert refused(unsigned, 403, "invalid_signature"), call


async def test_the_older_pages_lack_the_newer_calls(desk: Desk) -> None:
    await desk.control("settings", {"generation": "A"})
    for call in CALLS:
        assert await called(desk, call) in (200, 400), call
    for call in NEWER:
        assert await called(desk, call) == 404, call


async def test_bodies_of_the_wrong_shape_are_refused_by_every_call_that_writes(desk: Desk) -> None:
    before = desk.simulator.dump()
    shapes: tuple[object, ...] = (
        [], "text", {"id": {}}, {"email": ["a@b"]}, {"phone": [1]}, {"register": "x", "trader_register": 1},
        {"user_id": 5}, {"connection_id": True}, {"amount": {}}, {"skip": "0"}, {"form_id": 12345678},
    )  # fmt: skip
    for call in CALLS + NEWER:
        method, path = call.split()
        if method == "GET":
            continue
        for shape in shapes:
            answer = await desk.send(method, path, shape)
            assert answer.status_code == 400, (call, shape)
            assert answer.json()["error"] is True
    assert desk.simulator.dump() == before, "what is refused changes nothing"
