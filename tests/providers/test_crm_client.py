"""The CRM adapter over real sockets: against the simulator and its misfortunes, and against a tenant of paper.

The paper tenant answers what a test puts before it; it is for what the simulator's one tenant is not: large, old,
without some calls.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.errors import (
    BusyError,
    CredentialRefusedError,
    FaultError,
    ProviderError,
    RefusedError,
    ReplyError,
    SilentError,
    UnconfiguredError,
    UnreachableError,
)
from bot.loopback.server import Listening, running, serving
from bot.money import Currency, Money
from bot.providers.base import Login, Surroundings
from bot.providers.crm import SPEC
from bot.providers.crm.client import Crm, Settings
from bot.providers.crm.simulator import make
from bot.providers.records import Direction, Environment, Power
from bot.secret import Secret
from tests.support.clock import PassingClock

USERS, WALLETS, REPORT = "/users", "/wallets", "/report/transactions"
CONNECTIONS, ACCOUNTS, TRADES = "/mt4/connections", "/mt4/accounts", "/mt4/trades"
START = datetime(2025, 11, 20, 8, 15, 2, tzinfo=UTC)
KEY = "paper-key-0001"


class HandClock(PassingClock):
    def __init__(self) -> None:
        super().__init__(START)


def build(key: str, clock: HandClock, environment: Environment = Environment.DEMO, **settings: Any) -> Crm:
    login: Login = {"api_key": Secret(key)}

    @asynccontextmanager
    async def lend() -> AsyncIterator[Login]:
        yield login

    provider = SPEC.build(lend, Surroundings(environment, Settings(**settings), clock))
    assert isinstance(provider, Crm)
    return provider


@dataclass
class Desk:
    """The simulator, a clock it shares with the adapters, and the adapters made here."""

    sim: Listening
    clock: HandClock
    control: httpx.AsyncClient
    made: list[Crm] = field(default_factory=list)

    def link(self, key: str | None = None, environment: Environment = Environment.DEMO, **settings: Any) -> Crm:
        table = {"url": self.sim.http, **settings}
        provider = build(key or self.sim.credentials["api_key"], self.clock, environment, **table)
        self.made.append(provider)
        return provider

    async def tell(self, path: str, body: Any) -> None:
        (await self.control.post(path, json=body)).raise_for_status()

    async def misfortune(self, action: str, path: str, method: str = "GET", **options: Any) -> None:
        await self.tell("/faults", {"action": action, "match": {"path": path, "method": method}, **options})

    async def count(self, path: str, method: str = "GET") -> Callable[[], Awaitable[int]]:
        """From now on, count the requests to `path` that meet no misfortune told before."""
        await self.misfortune("delay", path, method, seconds=0, times=0)

        async def counted() -> int:
            waiting = (await self.control.get("/faults")).json()["waiting"]
            (one,) = [step for step in waiting if step["match"] == {"path": path, "method": method}]
            return int(one["seen"])

        return counted

    async def struck(self) -> None:
        """Until every misfortune told has happened."""
        async with asyncio.timeout(5):
            while (await self.control.get("/faults")).json()["waiting"]:  # a socket sets no event
                await asyncio.sleep(0.01)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = HandClock()
    async with serving(make(clock=clock)) as sim, httpx.AsyncClient(base_url=sim.control, trust_env=False) as control:
        one = Desk(sim, clock, control)
        yield one
        for provider in one.made:
            await provider.close()


Reply = Callable[[Request], Awaitable[object] | object]


@dataclass
class Paper:
    """A tenant that answers from a table of paths; a path that is not there is 404, as on a tenant without the call."""

    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    clock: HandClock = field(default_factory=HandClock)
    provider: Crm = field(init=False)

    async def answer(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/public/v1")
        self.asked.append((path, dict(request.query_params)))
        if path not in self.replies:
            return JSONResponse({"error": True, "code": 404, "type": "no_route"}, 404)
        found = self.replies[path](request)
        content = await found if isinstance(found, Awaitable) else found
        return content if isinstance(content, Response) else JSONResponse(content)

    def asked_for(self, path: str) -> list[Mapping[str, str]]:
        return [query for where, query in self.asked if where == path]


@pytest.fixture
async def paper() -> AsyncIterator[Paper]:
    tenant = Paper()
    app = Starlette(routes=[Route("/{path:path}", tenant.answer, methods=["GET", "POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    async with running(config, listener):
        tenant.provider = build(KEY, tenant.clock, url=origin)
        yield tenant
        await tenant.provider.close()


def listing(rows: list[dict[str, Any]], count: int | None = None, at_most: int = 500) -> Reply:
    """A list that is given out in parts, of `at_most` rows whatever was asked for."""

    def part(request: Request) -> object:
        skip, limit = int(request.query_params["skip"]), int(request.query_params["limit"])
        part = rows[skip : skip + min(limit, at_most)]
        return {"count": len(rows) if count is None else count, "records": part}

    return part


def client(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"cl{number:06d}", "name": f"Client {number}", "trading_accounts": [], **more}


def account(login: int, **more: Any) -> dict[str, Any]:
    row = {"login": login, "currency": "USD", "balance": 10, "available_withdrawal": 9.5, "name": f"Pool {login}"}
    return row | more


def trade(order: int, opened: date, **more: Any) -> dict[str, Any]:
    row = {"login": 1, "order_id": order, "cmd": 0, "symbol": "GER40", "volume": 0.1, "open_price": 20000.5}
    return {**row, "profit": 1.5, "open_time": f"{opened} 10:00:00", **more}


def usd(amount: str) -> Money:
    return Money(Decimal(amount), Currency("USD"))


async def test_a_check_says_how_many_clients_there_are(desk: Desk) -> None:
    found = await desk.link().check()
    assert found.summary == "7 clients"
    assert (found.environment, found.powers, found.untold) == (None, {Power.READ}, {Power.DECIDE, Power.MANAGE})


@pytest.mark.parametrize(("count", "words"), [(0, "no clients"), (1, "1 client"), (2, "2 clients")])
async def test_a_check_counts_as_people_do(paper: Paper, count: int, words: str) -> None:
    paper.replies = {REPORT: lambda _: {"count": 0, "records": []}, USERS: lambda _: {"count": count, "records": []}}
    assert (await paper.provider.check()).summary == words


async def test_a_check_signs_what_it_sends_for_both_readings_of_a_body(desk: Desk) -> None:
    reports = await desk.count(REPORT, "POST")
    await desk.tell("/settings", {"sign_mode": "both"})
    assert await desk.link().check()
    assert await reports() == 1


async def test_a_wrong_key_is_refused_by_name(desk: Desk) -> None:
    with pytest.raises(CredentialRefusedError) as caught:
        await desk.link("crm-no-such-key").check()
    assert caught.value.code == "invalid_api_key"
    assert "crm-no-such-key" not in str(caught.value)


async def test_a_refused_signature_is_told_apart_and_the_other_way_is_not_tried(desk: Desk) -> None:
    await desk.tell("/settings", {"auth_versions": ["v1"]})
    reports = await desk.count(REPORT, "POST")
    with pytest.raises(CredentialRefusedError, match="auth_version") as caught:
        await desk.link().check()
    assert caught.value.code == "invalid_signature"
    assert await reports() == 1


async def test_the_older_signature_is_used_when_the_configuration_says_so(desk: Desk) -> None:
    provider = desk.link(auth_version="v1")
    with pytest.raises(CredentialRefusedError):
        await provider.check()
    await desk.tell("/settings", {"auth_versions": ["v1"]})
    assert (await provider.check()).summary == "7 clients"


async def test_accounts_are_the_clients_and_their_trading_accounts(desk: Desk) -> None:
    reading = await desk.link(environment=Environment.LIVE).accounts()
    kinds = [account.kind for account in reading.items]
    assert (kinds.count("wallet"), kinds.count("mt4")) == (7, 8)
    assert {account.environment for account in reading.items} == {Environment.LIVE}
    assert len({account.id for account in reading.items}) == 15
    assert reading.as_of == START
    assert reading.notes == ("4 MT5 accounts of these clients are not read: only MT4 is, so far.",)


async def test_a_client_shows_its_name_and_not_a_prettier_one(desk: Desk) -> None:
    names = {account.name for account in (await desk.link().accounts()).items}
    owners = {balance.owner for balance in (await desk.link().balances()).items}
    for hostile in ('</b><a href="tg://user?id=1">x</a>', "Nora \u202eRETROPER\u202c Lind"):
        assert hostile in names
        assert hostile in owners


async def test_balances_name_an_account_that_accounts_name(desk: Desk) -> None:
    provider = desk.link()
    accounts = {account.id for account in (await provider.accounts()).items}
    assert {balance.account for balance in (await provider.balances()).items} == accounts


async def test_balances_show_money_that_arrived_in_a_wallet(desk: Desk) -> None:
    provider = desk.link()
    before = (await provider.balances()).items[0]
    assert (before.kind, before.amount.currency) == ("wallet", Currency("USD"))
    desk.clock.seconds += 60
    await desk.tell("/wallet", {"user_id": before.account, "currency": "USD", "amount": "1000.25"})
    after = (await provider.balances()).items[0]
    assert after.amount == before.amount + usd("1000.25")
    assert after.as_of == before.as_of + timedelta(seconds=60)


async def test_balances_show_a_withdrawal_that_was_asked_for(desk: Desk) -> None:
    provider = desk.link()
    before = (await provider.balances()).items[0]
    await desk.tell("/withdrawal", {"user_id": before.account, "currency": "USD", "amount": "400.25"})
    assert (await provider.balances()).items[0].amount == before.amount + usd("-400.25")


async def test_positions_are_open_trades_in_their_accounts_currency(desk: Desk) -> None:
    provider = desk.link()
    currencies = {account.id: account.currency for account in (await provider.accounts()).items}
    reading = await provider.positions()
    assert reading.items
    for position in reading.items:
        assert position.profit is not None
        assert position.profit.currency == currencies[position.account]
        assert position.direction in (Direction.LONG, Direction.SHORT)
        assert (position.size_unit, position.as_of) == ("lots", START)
        assert position.owner
    assert reading.notes == ("Open MT4 trades since 2023-12-19; what was opened earlier is not looked for.",)


async def test_a_large_tenant_is_read_up_to_two_hundred_clients_and_says_so(paper: Paper) -> None:
    paper.replies = {
        USERS: listing([client(number) for number in range(350)], at_most=60),
        CONNECTIONS: lambda _: [],
        WALLETS: lambda _: {"USD": 1},
    }
    reading = await paper.provider.balances()
    assert [balance.owner for balance in reading.items] == [f"Client {number}" for number in range(200)]
    assert reading.notes == ("Only the first 200 of 350 clients were read.",)
    asked = [(query["skip"], query["limit"]) for query in paper.asked_for(USERS)]
    assert asked == [("0", "200"), ("60", "140"), ("120", "80"), ("180", "20")]


async def test_at_most_four_questions_are_under_way(paper: Paper) -> None:
    under_way = peak = 0
    four = asyncio.Event()

    async def wallets(_: Request) -> object:
        nonlocal under_way, peak
        under_way += 1
        peak = max(peak, under_way)
        if under_way == 4:
            asyncio.get_running_loop().call_later(0.1, four.set)  # time for a fifth to come, if one would
        async with asyncio.timeout(5):
            await four.wait()
        under_way -= 1
        return {"USD": 1}

    paper.replies = {
        USERS: listing([client(number) for number in range(12)]),
        CONNECTIONS: lambda _: [],
        WALLETS: wallets,
    }
    assert len((await paper.provider.balances()).items) == 12
    assert peak == 4


async def test_a_reading_is_as_old_as_its_oldest_number(paper: Paper) -> None:
    def wallets(_: Request) -> object:
        paper.clock.seconds += 10
        return {"USD": 1}

    paper.replies = {
        USERS: listing([client(number) for number in range(3)]),
        CONNECTIONS: lambda _: [],
        WALLETS: wallets,
    }
    reading = await paper.provider.balances()
    assert reading.as_of == min(balance.as_of for balance in reading.items)
    assert START < reading.as_of < max(balance.as_of for balance in reading.items) == START + timedelta(seconds=30)


async def test_a_client_without_a_wallet_holds_nothing(paper: Paper) -> None:
    def wallets(request: Request) -> object:
        if request.query_params["user_id"] == "cl000001":
            return JSONResponse({"error": True, "code": 400, "type": "account_not_found"}, 400)
        return {"USD": 5}

    paper.replies = {
        USERS: listing([client(number) for number in range(3)]),
        CONNECTIONS: lambda _: [],
        WALLETS: wallets,
    }
    assert [balance.owner for balance in (await paper.provider.balances()).items] == ["Client 0", "Client 2"]


async def test_another_refusal_about_one_wallet_fails_the_reading(paper: Paper) -> None:
    paper.replies = {
        USERS: listing([client(1)]),
        CONNECTIONS: lambda _: [],
        WALLETS: lambda _: JSONResponse({"type": "user_not_found"}, 400),
    }
    with pytest.raises(RefusedError, match="user_not_found"):
        await paper.provider.balances()


async def test_a_tenant_that_does_not_list_servers_is_read_by_its_clients(paper: Paper) -> None:
    places = [{"platform": "mt4", "connection_id": "srv00001", "trading_id": "1"}]
    paper.replies = {
        USERS: listing([client(1, trading_accounts=places)]),
        WALLETS: lambda _: {},
        ACCOUNTS: listing([account(1)]),
    }
    reading = await paper.provider.balances()
    assert [(balance.account, balance.amount) for balance in reading.items] == [("srv00001/1", usd("10"))]
    assert [query["connection_id"] for query in paper.asked_for(ACCOUNTS)] == ["srv00001"]
    assert reading.notes == (
        "This tenant does not list its MT4 servers; those are read on which its clients have accounts.",
    )


async def test_a_refusal_to_list_servers_is_not_taken_for_a_missing_call(paper: Paper) -> None:
    paper.replies = {
        USERS: listing([client(1)]),
        WALLETS: lambda _: {},
        CONNECTIONS: lambda _: JSONResponse({"error": True, "code": 403, "type": "invalid_api_key"}, 403),
    }
    with pytest.raises(CredentialRefusedError):
        await paper.provider.balances()


async def test_a_list_that_moves_while_it_is_read_gives_each_row_once(paper: Paper) -> None:
    rows = [account(1), account(2), account(2), account(3)]
    paper.replies = {
        USERS: listing([]),
        CONNECTIONS: lambda _: [{"id": "srv00001", "name": "One"}],
        ACCOUNTS: listing(rows, at_most=2),
    }
    names = [balance.name for balance in (await paper.provider.balances()).items]
    assert names == ["1 One", "2 One", "3 One"]


async def test_a_list_that_ends_before_its_count_says_so(paper: Paper) -> None:
    paper.replies = {
        USERS: listing([]),
        CONNECTIONS: lambda _: [{"id": "srv00001", "name": "One"}],
        ACCOUNTS: listing([account(1)], count=3),
    }
    reading = await paper.provider.balances()
    assert len(reading.items) == 1
    assert reading.notes == ("Only the first 1 of 3 accounts on One were read.",)


async def test_a_list_without_end_is_left_after_five_thousand_rows(paper: Paper) -> None:
    def endless(request: Request) -> object:
        skip, limit = int(request.query_params["skip"]), int(request.query_params["limit"])
        return {"count": 10**9, "records": [account(skip + number) for number in range(limit)]}

    paper.replies = {
        USERS: listing([]),
        CONNECTIONS: lambda _: [{"id": "srv00001", "name": "One"}],
        ACCOUNTS: endless,
    }
    reading = await paper.provider.balances()
    assert len(reading.items) == 5000
    assert reading.notes == ("Only the first 5000 of 1000000000 accounts on One were read.",)


def trading(rows: list[dict[str, Any]]) -> dict[str, Reply]:
    """A tenant with one server, whose trades are found in the windows they were opened in, both ends included."""

    def trades(request: Request) -> object:
        query = request.query_params
        assert query["type"] == "open"
        found = [row for row in rows if query["start"] <= row["open_time"][:10] <= query["end"]]
        return {"count": len(found), "records": found}

    return {
        CONNECTIONS: lambda _: [{"id": "srv00001", "name": "One"}],
        ACCOUNTS: listing([account(1), account(2, currency="EUR")]),
        TRADES: trades,
    }


async def test_an_old_open_trade_is_found_and_a_trade_between_windows_once(paper: Paper) -> None:
    today = START.date()
    ages = {1: 0, 2: 86, 3: 87, 4: 400, 5: 702}
    paper.replies = trading([trade(order, today - timedelta(days=age)) for order, age in ages.items()])
    reading = await paper.provider.positions()
    assert sorted(position.id for position in reading.items) == ["1", "2", "3", "4", "5"]
    ends = sorted((query["start"], query["end"]) for query in paper.asked_for(TRADES))
    assert len(ends) == 8
    assert (ends[0][0], ends[-1][1]) == ("2023-12-19", "2025-11-22")


async def test_what_is_older_than_the_last_window_is_told_of(paper: Paper) -> None:
    paper.replies = trading([trade(1, date(2023, 12, 18))])
    reading = await paper.provider.positions()
    assert reading.items == ()
    assert "2023-12-19" in reading.notes[0]


async def test_pending_orders_and_bookings_are_no_positions(paper: Paper) -> None:
    today = START.date()
    rows = [trade(cmd, today, cmd=cmd) for cmd in range(9)]
    rows[6] |= {"symbol": None, "volume": None, "open_price": None}
    paper.replies = trading(rows)
    assert [position.id for position in (await paper.provider.positions()).items] == ["0", "1"]


async def test_a_profit_is_in_the_currency_of_its_account_or_not_shown(paper: Paper) -> None:
    today = START.date()
    paper.replies = trading([trade(login, today, login=login) for login in (1, 2, 3)])
    found = {position.id: position.profit for position in (await paper.provider.positions()).items}
    assert found == {"1": usd("1.5"), "2": Money(Decimal("1.5"), Currency("EUR")), "3": None}


@pytest.mark.parametrize(
    ("action", "options"),
    [("status", {"status": 503}), ("refuse", {}), ("reset", {}), ("close", {"bytes": 40})],
)
async def test_a_reading_survives_one_mishap(desk: Desk, action: str, options: dict[str, Any]) -> None:
    whole = len((await desk.link().balances()).items)
    await desk.misfortune(action, WALLETS, nth=3, **options)
    assert len((await desk.link().balances()).items) == whole


async def test_two_mishaps_are_told(desk: Desk) -> None:
    provider = desk.link()
    await desk.misfortune("status", REPORT, "POST", status=502, body="<html>", times=2)
    with pytest.raises(FaultError, match="http 502"):
        await provider.check()
    assert await provider.check()


@pytest.mark.parametrize("status", [400, 403, 404, 429])
async def test_a_refusal_is_not_asked_twice(desk: Desk, status: int) -> None:
    provider = desk.link()
    await desk.misfortune("status", REPORT, "POST", status=status)
    reports = await desk.count(REPORT, "POST")
    with pytest.raises(RefusedError):
        await provider.check()
    assert await reports() == 0


async def test_a_limit_that_was_hit_is_told_with_the_wait(desk: Desk) -> None:
    await desk.misfortune("status", USERS, status=429, body="", headers={"Retry-After": "3"})
    with pytest.raises(BusyError) as caught:
        await desk.link().balances()
    assert caught.value.retry_after_seconds == 3.0


async def test_a_provider_that_is_down_is_unreachable_and_then_back(desk: Desk) -> None:
    provider = desk.link()
    await provider.check()
    await desk.tell("/down", {"down": True})
    with pytest.raises((UnreachableError, SilentError)):
        await provider.balances()
    await desk.tell("/down", {"down": False})
    assert (await provider.balances()).items


async def test_after_five_failures_nobody_asks_for_a_quarter_minute(desk: Desk) -> None:
    provider = desk.link()
    await desk.misfortune("status", REPORT, "POST", status=500, times=5)
    for _ in range(3):
        with pytest.raises(FaultError):
            await provider.check()
    asked = await desk.count(REPORT, "POST")
    with pytest.raises(UnreachableError, match="not asked"):
        await provider.check()
    assert await asked() == 0
    desk.clock.seconds += 15
    assert await provider.check()


async def test_f06_answers_that_are_too_large_are_failures_as_well(desk: Desk) -> None:
    provider = desk.link()
    body = " " * (1 << 20) + "{}"
    await desk.misfortune("replace", REPORT, "POST", body=body, times=5)
    for _ in range(5):
        with pytest.raises(ReplyError):
            await provider.check()
    with pytest.raises(UnreachableError, match="not asked"):
        await provider.check()


NAN = '{"count": 1, "records": [{"id": "x", "login": 1, "order_id": 1, "cmd": 0, "profit": NaN}]}'


@pytest.mark.parametrize("path", [USERS, WALLETS, CONNECTIONS, ACCOUNTS])
@pytest.mark.parametrize("body", [NAN, "null", "7", "", "<html>", "[null]", "[" * 99_999, " " * (1 << 20) + "{}"])
async def test_a_reply_that_cannot_be_read_fails_alone(desk: Desk, path: str, body: str) -> None:
    provider = desk.link()
    await desk.misfortune("replace", path, body=body)
    with pytest.raises(ReplyError):
        await provider.balances()
    await desk.struck()
    assert (await provider.balances()).items


@pytest.mark.parametrize("body", [NAN, "[]", "{}", '{"count": 1, "records": [{"login": 1, "order_id": 2, "cmd": 0}]}'])
async def test_trades_that_cannot_be_read_fail_alone(desk: Desk, body: str) -> None:
    provider = desk.link()
    await desk.misfortune("replace", TRADES, body=body)
    with pytest.raises(ReplyError):
        await provider.positions()
    assert (await provider.positions()).items


@pytest.mark.parametrize("body", [NAN, "[]", "{}", '{"count": 0, "count": 0, "records": []}'])
async def test_a_report_that_cannot_be_read_fails_the_check(desk: Desk, body: str) -> None:
    provider = desk.link()
    await desk.misfortune("replace", REPORT, "POST", body=body)
    with pytest.raises(ReplyError):
        await provider.check()
    assert await provider.check()


async def test_a_redirect_is_not_followed(desk: Desk) -> None:
    await desk.misfortune("status", USERS, status=302, headers={"Location": f"{desk.sim.http}/public/v1/users"})
    with pytest.raises(ReplyError, match="redirect"):
        await desk.link().balances()


async def test_without_an_address_the_configuration_is_named() -> None:
    provider = build(KEY, HandClock())
    for ask in (provider.check, provider.accounts, provider.balances, provider.positions):
        with pytest.raises(UnconfiguredError, match=r"providers\.crm\.url"):
            await ask()
    await provider.close()


async def test_after_close_nothing_is_asked_and_a_second_close_does_nothing(desk: Desk) -> None:
    provider = desk.link()
    await provider.check()
    reports = await desk.count(REPORT, "POST")
    await provider.close()
    await provider.close()
    with pytest.raises(UnreachableError, match="closed"):
        await provider.check()
    assert await reports() == 0


async def test_close_during_a_reading_ends_it(desk: Desk) -> None:
    provider = desk.link()
    await desk.misfortune("stall", WALLETS)
    asking = asyncio.create_task(provider.balances())
    await desk.struck()
    await provider.close()
    with pytest.raises((SilentError, UnreachableError)):
        await asking


async def test_an_asker_who_gives_up_leaves_the_turns_to_others(desk: Desk) -> None:
    provider = desk.link()
    await desk.misfortune("stall", WALLETS, times=4)
    asking = asyncio.create_task(provider.balances())
    await desk.struck()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await provider.balances()).items


async def test_the_simulators_certificate_is_trusted_when_named(desk: Desk) -> None:
    async with serving(make(clock=desk.clock), tls=True) as sim:
        key, ca_file = sim.credentials["api_key"], str(sim.credentials["ca_file"])
        assert (await desk.link(key, url=sim.http, ca_file=ca_file).check()).summary == "7 clients"
        with pytest.raises(UnreachableError):
            await desk.link(key, url=sim.http).check()
        for provider in desk.made:
            await provider.close()


async def test_no_secret_is_seen(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider = desk.link()
    await provider.balances()
    await desk.misfortune("status", REPORT, "POST", status=503, times=2)
    with pytest.raises(ProviderError) as caught:
        await provider.check()
    seen = caplog.text + repr(provider) + repr(vars(provider)) + repr(caught.value)
    assert desk.sim.credentials["api_key"] not in seen


def test_the_settings_default_to_no_address_and_the_newer_signature() -> None:
    table = msgspec.convert({}, Settings)
    assert (table.url, table.auth_version, table.ca_file) == ("", "v2", None)


@pytest.mark.parametrize(
    "url", ["", "https://crm.desk.example", "https://crm.desk.example:8443/", "http://127.0.0.1:9"]
)
def test_a_tenants_host_is_taken(url: str) -> None:
    assert msgspec.convert({"url": url}, Settings).url == url


@pytest.mark.parametrize(
    "table",
    [
        {"urll": "https://a.example"},
        {"url": "http://crm.desk.example"},
        {"url": "http://127.0.0.1.example"},
        {"url": "https://user:word@a.example"},
        {"url": "https://a.example/public/v1"},
        {"url": "https://a.example\n"},
        {"url": "crm.desk.example"},
        {"auth_version": "v3"},
        {"auth_version": "V1"},
    ],
)
def test_settings_that_would_leak_or_mean_nothing_are_refused(table: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table, Settings)
