"""Every call of the pages: what is sent for it, and that a reply as documented is read. The tenant is of paper."""

import inspect
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import bot.providers.crm
from bot.errors import FaultError, RefusedError, ReplyError
from bot.loopback.server import running
from bot.money import Currency, Money
from bot.providers.acts import Act, ActKind
from bot.providers.base import Login, Surroundings
from bot.providers.crm import SPEC
from bot.providers.crm.client import Crm, Settings
from bot.providers.records import Environment
from bot.secret import Secret
from tests.support.crm_tenant import HandClock


@dataclass
class Paper:
    """A tenant that gives one answer to whatever it is asked, and remembers the question."""

    status: int = 200
    reply: str = "{}"
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    replies: Callable[[dict[str, Any]], str] | None = None
    crm: Crm = field(init=False)

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        content = json.loads(body) if body else dict(request.query_params)
        self.asked.append((request.method, request.url.path.removeprefix("/public/v1"), content))
        return Response(self.reply if self.replies is None else self.replies(content), self.status)


@pytest.fixture
async def paper() -> AsyncIterator[Paper]:
    tenant = Paper()
    app = Starlette(routes=[Route("/{path:path}", tenant.answer, methods=["GET", "POST", "PATCH"])])
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    login: Login = {"api_key": Secret("paper-key-0001")}

    @asynccontextmanager
    async def lend() -> AsyncIterator[Login]:
        yield login

    async with running(config, listener):
        settings = Settings(url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        built = SPEC.build(lend, Surroundings(Environment.DEMO, settings, HandClock()))
        assert isinstance(built, Crm)
        tenant.crm = built
        yield tenant
        await built.close()


PAGE = {"skip": "0", "limit": "200"}
DAYS = {"start": "2025-11-01", "end": "2025-11-20"}
FIELDS = '[{"key":"nationality","type":"select","label":{"en-us":"Nationality","zh-cn":"国籍"},"value":"sg"}]'
TREE = '{"id":"ib000001","email":"ib1@example.test","downlines":[{"email":"user1@example.test","downlines":[]}]}'
ACCOUNTS = '{"count":1,"records":[{"login":60132,"currency":"USD","balance":1000.5,"equity":995.5,"group":"real-USD"}]}'
TRADES = '{"count":1,"records":[{"login":60132,"order_id":7,"cmd":6,"profit":12.5,"comment":"W-b7c8d9e0"}]}'
FORM = (
    '{"id":"form0001","type":"trader","groups":[{"key":"a","fields":[{"key":"name","required":1},{"key":"x",'
    '"required":false}]}]}'
)
SERVERS = '[{"id":"conn0001","platform":"mt5","name":"Live 1"}]'
PLACES = '[{"code":"sg","name":"Singapore"}]'
REQUEST = (
    '{"id":"b7c8d9e0","type":"withdrawal","status":"pending","user_id":"u7h2k9d0","created_at":"2025-11-20 08:15:02",'
    '"user":{"id":"u7h2k9d0","group_name":{"en-us":"Retail","zh-cn":"零售"}},"flow":{"current":1,"total":2},'
    '"trading_id":"500123","trading_connection_id":"conn0001","trading_currency":"USD","trading_amount":"250.00",'
    '"withdrawal_method":"Bank wire","converted_amount":250,"custom_fields":[]}'
)

Call = Callable[[Crm], Awaitable[Any]]


async def _all(rows: AsyncIterator[Any]) -> list[Any]:
    return [row async for row in rows]


CALLS: dict[str, tuple[Call, str, str, dict[str, Any], str, Callable[[Any], bool]]] = {
    "clients.listed": (
        lambda crm: crm.clients.listed(200, type_="ib", suspended=True),
        "GET",
        "/users",
        PAGE | {"type": "ib", "suspended": "true"},
        '{"count":1,"records":[{"id":"77889900","kyc_status":"verified","downline_count":"3"}]}',
        lambda found: (found.items[0].id, found.items[0].kyc_status) == ("77889900", "verified"),
    ),
    "clients.one": (
        lambda crm: crm.clients.one("u7h2k9d0"),
        "GET",
        "/users/u7h2k9d0",
        {"owner": "true", "participants": "true"},
        '{"id":"u7h2k9d0","name":"陈 Example","phone":{"country_code":"65","number":"80000001"},"participants":[]}',
        lambda found: found.name == "陈 Example" and found.phone.whole == "+65 80000001",
    ),
    "clients.details": (
        lambda crm: crm.clients.details("u7h2k9d0"),
        "GET",
        "/users/u7h2k9d0/details",
        {},
        FIELDS,
        lambda found: (found[0].title, found[0].value) == ("Nationality", "sg"),
    ),
    "clients.kyc": (
        lambda crm: crm.clients.kyc("u7h2k9d0"),
        "GET",
        "/users/u7h2k9d0/profile",
        {},
        FIELDS,
        lambda found: found[0].key == "nationality",
    ),
    "clients.submit_kyc": (
        lambda crm: crm.clients.submit_kyc("u7h2k9d0", "form0002", {"passport": "X1"}),
        "POST",
        "/users/u7h2k9d0/profile/submit",
        {"form_id": "form0002", "passport": "X1"},
        '{"id":"req00001"}',
        lambda found: found.id == "req00001",
    ),
    "clients.validate": (
        lambda crm: crm.clients.validate("user1@example.test", "not a real one"),
        "POST",
        "/users/validate",
        {"email": "user1@example.test", "password": "not a real one"},
        '{"valid":true,"id":"u7h2k9d0"}',
        lambda found: found.valid and found.id == "u7h2k9d0",
    ),
    "clients.create": (
        lambda crm: crm.clients.create("a@example.test", "not a real one", "form0001", nationality="sg"),
        "POST",
        "/users/create",
        {
            "email": "a@example.test",
            "password": "not a real one",
            "repeat_password": "not a real one",
            "update_password": True,
            "form_id": "form0001",
            "nationality": "sg",
        },
        '{"id":"u7h2k9d1"}',
        lambda found: found.id == "u7h2k9d1",
    ),
    "clients.create_lead": (
        lambda crm: crm.clients.create_lead("a@example.test", name="A"),
        "POST",
        "/leads/create",
        {"email": "a@example.test", "name": "A"},
        '{"id":"lead0001"}',
        lambda found: found.id == "lead0001",
    ),
    "clients.uplines": (
        lambda crm: crm.clients.uplines("u7h2k9d0"),
        "POST",
        "/users/uplines",
        {"user_id": "u7h2k9d0"},
        '{"id":"u7h2k9d0","uplines":[{"id":"ib000001"}]}',
        lambda found: [(depth, one.id) for depth, one in found.walk()] == [(0, "u7h2k9d0"), (1, "ib000001")],
    ),
    "clients.downlines": (
        lambda crm: crm.clients.downlines(email="ib1@example.test"),
        "POST",
        "/users/downlines",
        {"email": "ib1@example.test"},
        TREE,
        lambda found: [one.email for _, one in found.walk()] == ["ib1@example.test", "user1@example.test"],
    ),
    "trading.connections": (
        lambda crm: crm.trading.connections(),
        "GET",
        "/connections",
        {},
        SERVERS,
        lambda found: (found[0].id, found[0].platform) == ("conn0001", "mt5"),
    ),
    "trading.servers": (
        lambda crm: crm.trading.servers("ctrader"),
        "GET",
        "/ctrader/connections",
        {},
        SERVERS,
        lambda found: found[0].name == "Live 1",
    ),
    "trading.accounts": (
        lambda crm: crm.trading.accounts("mt5", "conn0001", "u7h2k9d0"),
        "GET",
        "/mt5/accounts",
        PAGE | {"connection_id": "conn0001", "user_id": "u7h2k9d0"},
        ACCOUNTS,
        lambda found: (found.items[0].login, str(found.items[0].equity)) == ("60132", "995.5"),
    ),
    "trading.open_account": (
        lambda crm: crm.trading.open_account("mt4", "u7h2k9d0", "conn0002", "real-USD", 100, enable_readonly=True),
        "POST",
        "/users/u7h2k9d0/mt4/accounts",
        {"connection_id": "conn0002", "group": "real-USD", "leverage": 100, "enable_readonly": True},
        '{"login":60133,"master_password":"once","investor_password":"only"}',
        lambda found: found.login == "60133" and "once" not in repr(found),
    ),
    "trading.trades": (
        lambda crm: crm.trading.trades("closed", "conn0002", date(2025, 11, 1), date(2025, 11, 20), login="60132"),
        "GET",
        "/mt4/trades",
        PAGE | DAYS | {"connection_id": "conn0002", "type": "closed", "login": "60132"},
        TRADES,
        lambda found: (found[0].cmd, found[0].comment) == (6, "W-b7c8d9e0"),
    ),
    "trading.account_types": (
        lambda crm: crm.trading.account_types(),
        "GET",
        "/tradingAccounts/types",
        {},
        '[{"id":"type0001","name":"Standard","platform":"mt5","connection_id":"conn0001"}]',
        lambda found: found[0].name == "Standard",
    ),
    "wallets.info": (
        lambda crm: crm.wallets.info("u7h2k9d0"),
        "GET",
        "/wallets",
        {"user_id": "u7h2k9d0"},
        '{"USD":1200.5,"EUR":0}',
        lambda found: [str(one) for one in found.values()] == ["1200.50 USD", "0.00 EUR"],
    ),
    "wallets.order": (
        lambda crm: crm.wallets.order("cs00000000000001"),
        "GET",
        "/wallets/balance/cs00000000000001",
        {},
        '{"order_id":"cs00000000000001","status":"success"}',
        lambda found: found.status == "success",
    ),
    "wallets.bank_cards": (
        lambda crm: crm.wallets.bank_cards("u7h2k9d0"),
        "GET",
        "/payments/u7h2k9d0/bankcards",
        {},
        '[{"id":"card0001","bank_name":"示例银行","status":"approved","form":[{"key":"no","value":"000000001"}]}]',
        lambda found: (found[0].bank_name, found[0].form[0].value) == ("示例银行", "000000001"),
    ),
    "requests.one": (
        lambda crm: crm.requests.one("kyc", "b7c8d9e0"),
        "GET",
        "/requests/kyc/b7c8d9e0",
        {},
        '{"id":"b7c8d9e0","type":"kyc","status":"pending","form_id":"form0002"}',
        lambda found: found.status == "pending",
    ),
    "requests.withdrawal": (
        lambda crm: crm.requests.withdrawal("b7c8d9e0"),
        "GET",
        "/requests/withdrawal/b7c8d9e0",
        {},
        REQUEST,
        lambda found: (
            (found.account, str(found.amount), found.node, found.user.group_name)
            == ("conn0001/500123", "250.00 USD", 1, "Retail")
        ),
    ),
    "requests.approve_kyc": (
        lambda crm: crm.requests.approve_kyc("b7c8d9e0"),
        "POST",
        "/requests/kyc/approve",
        {"id": "b7c8d9e0"},
        "",
        lambda found: found is None,
    ),
    "requests.reject_kyc": (
        lambda crm: crm.requests.reject_kyc("b7c8d9e0", "blurred"),
        "POST",
        "/requests/kyc/reject",
        {"id": "b7c8d9e0", "comment": "blurred"},
        "{}",
        lambda found: found is None,
    ),
    "reports.transactions": (
        lambda crm: _all(
            crm.reports.transactions(date(2025, 11, 1), date(2025, 11, 20), types=["withdrawal"], user_id="u7h2k9d0")
        ),
        "POST",
        "/report/transactions",
        {"skip": 0, "limit": 200, "user_id": "u7h2k9d0", "type": ["withdrawal"]} | DAYS,
        '{"count":1,"records":[{"id":"txn00001","currency":{"en-us":"USD"},"amount":250,"new_balance":"1000.00"}]}',
        lambda found: (found[0].currency, str(found[0].amount), found[0].new_balance) == ("USD", "250", "1000.00"),
    ),
    "reports.commissions": (
        lambda crm: _all(crm.reports.commissions("fixed")),
        "GET",
        "/report/commissions/fixed",
        PAGE,
        '{"count":1,"records":[{"id":"com00001","trader_id":{"id":"u7h2k9d0"},"commission":"1.25"}]}',
        lambda found: (found[0].commission, found[0].trader_id) == ("1.25", "u7h2k9d0"),
    ),
    "reports.leader_board": (
        lambda crm: crm.reports.leader_board("comp0001", 10),
        "GET",
        "/tradingCompetition/leaderboard",
        {"competition_id": "comp0001", "limit": "10"},
        '{"competitors":[{"user_name":"Ines","profit_percent":12.5,"suspend":false}],"last_update_time":1763626502000}',
        lambda found: found.competitors[0].user_name == "Ines",
    ),
    "registration.countries": (
        lambda crm: crm.registration.countries(),
        "GET",
        "/configuration/countries",
        {},
        PLACES,
        lambda found: found[0].name == "Singapore",
    ),
    "registration.states": (
        lambda crm: crm.registration.states("sg"),
        "GET",
        "/configuration/states",
        {"country": "sg"},
        PLACES,
        lambda found: found[0].code == "sg",
    ),
    "registration.cities": (
        lambda crm: crm.registration.cities("sg", "01"),
        "GET",
        "/configuration/cities",
        {"country": "sg", "state": "01"},
        PLACES,
        lambda found: len(found) == 1,
    ),
    "registration.registration_form": (
        lambda crm: crm.registration.registration_form(),
        "GET",
        "/form/registration/trader",
        {},
        FORM,
        lambda found: [one.is_required for one in found.groups[0].fields] == [True, False],
    ),
    "registration.kyc_forms": (
        lambda crm: crm.registration.kyc_forms(),
        "GET",
        "/form/kyc/collections",
        {},
        f"[{FORM}]",
        lambda found: found[0].id == "form0001",
    ),
    "registration.kyc_form": (
        lambda crm: crm.registration.kyc_form("col00001"),
        "GET",
        "/form/kyc",
        {"collection_id": "col00001"},
        FORM,
        lambda found: found.id == "form0001",
    ),
    "registration.upload": (
        lambda crm: crm.registration.upload("ab12", "form0001", "passport.png", "image/png"),
        "GET",
        "/form/s3/signature",
        {"id": "ab12", "form_id": "form0001", "document": "passport.png", "content_type": "image/png"},
        '{"url":"http://127.0.0.1:9/up","fields":{"key":"k"}}',
        lambda found: found.fields == {"key": "k"} and "127" not in repr(found),
    ),
    "registration.request_code": (
        lambda crm: crm.registration.request_code("a@example.test", "not a real one", "form0001", name="A"),
        "POST",
        "/account/register/request",
        {
            "type": "trader",
            "email": "a@example.test",
            "otp_type": "email",
            "form_id": "form0001",
            "password": "not a real one",
            "repeat_password": "not a real one",
            "name": "A",
        },
        "{}",
        lambda found: found is None,
    ),
    "registration.register": (
        lambda crm: crm.registration.register({"email": "a@example.test", "email_code": "123456"}, {"form_id": "f"}),
        "POST",
        "/account/register/multistep",
        {
            "trader_register": "trader_register",
            "register": {"type": "trader", "email": "a@example.test", "email_code": "123456"},
            "kyc": {"form_id": "f"},
        },
        "{}",
        lambda found: found is None,
    ),
    "registration.upgrade_prop_trader": (
        lambda crm: crm.registration.upgrade_prop_trader(init_request_id="b7c8d9e0", user_id="u7h2k9d0"),
        "POST",
        "/propTrading/users/upgrade",
        {"init_request_id": "b7c8d9e0", "user_id": "u7h2k9d0"},
        "",
        lambda found: found is None,
    ),
    "registration.fail_prop_trader": (
        lambda crm: crm.registration.fail_prop_trader(
            allow_retry=False, connection_id="conn0001", trading_id="5", platform="mt5"
        ),
        "POST",
        "/propTrading/users/failed",
        {"connection_id": "conn0001", "trading_id": "5", "platform": "mt5", "allow_retry": False},
        "",
        lambda found: found is None,
    ),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_is_sent_and_read_as_the_pages_say(paper: Paper, name: str) -> None:
    call, method, path, content, reply, holds = CALLS[name]
    paper.reply = reply
    found = await call(paper.crm)
    assert paper.asked == [(method, path, content)]
    assert holds(found)


@pytest.mark.parametrize("name", [name for name, row in CALLS.items() if row[4] not in ("", "{}")])
@pytest.mark.parametrize("reply", ["<html>", "NaN", '{"a":1,"a":2}', "[null]", "7", '"{}"', "[" * 5000])
async def test_a_reply_that_is_none_fails_that_call_cleanly(paper: Paper, name: str, reply: str) -> None:
    paper.reply = reply
    with pytest.raises(ReplyError):
        await CALLS[name][0](paper.crm)


@pytest.mark.parametrize("name", [name for name, row in CALLS.items() if row[1] == "POST"])
async def test_what_changes_something_is_never_sent_twice_by_itself(paper: Paper, name: str) -> None:
    paper.status, paper.reply = 502, ""
    with pytest.raises(FaultError):
        await CALLS[name][0](paper.crm)
    reads = {"clients.uplines", "clients.downlines", "reports.transactions"}
    assert len(paper.asked) == (2 if name in reads else 1)


@pytest.mark.parametrize("hostile", ["../admin", "a/b", "", "x?y=1", "李", "a" * 65])
async def test_an_id_never_leads_to_another_path(paper: Paper, hostile: str) -> None:
    with pytest.raises(RefusedError, match="not_an_id"):
        await paper.crm.clients.one(hostile)
    assert paper.asked == []


async def test_a_prop_trader_is_named_in_one_way(paper: Paper) -> None:
    with pytest.raises(ValueError, match="not by both"):
        await paper.crm.registration.upgrade_prop_trader(init_request_id="b7c8d9e0", connection_id="conn0001")
    assert paper.asked == []


async def test_more_than_three_months_are_asked_for_in_parts_and_nothing_comes_twice(paper: Paper) -> None:
    def one_row(asked: dict[str, Any]) -> str:
        rows = [{"id": f"end {asked['end']}", "timestamp": f"{asked['start']} 10:00:00"}]
        rows.append({"id": "shared", "timestamp": f"{asked['start']} 00:00:00"})
        return json.dumps({"count": 2, "records": rows})

    paper.replies = one_row
    rows = await _all(paper.crm.reports.transactions(date(2025, 6, 1), date(2025, 11, 20)))
    asked = [(content["start"], content["end"]) for _, _, content in paper.asked]
    assert asked == [("2025-08-24", "2025-11-20"), ("2025-06-01", "2025-08-24")]
    assert [row.id for row in rows] == ["end 2025-11-20", "shared", "end 2025-08-24"]


async def test_a_long_report_is_read_part_by_part(paper: Paper) -> None:
    def part(asked: dict[str, Any]) -> str:
        first = asked["skip"]
        rows = [{"id": f"t{number}"} for number in range(first, min(first + asked["limit"], 450))]
        return json.dumps({"count": 450, "records": rows})

    paper.replies = part
    rows = paper.crm.reports.transactions(date(2025, 11, 1), date(2025, 11, 20))
    first = await anext(rows)
    assert (first.id, len(paper.asked)) == ("t0", 1)
    assert len(await _all(rows)) == 449
    assert [content["skip"] for _, _, content in paper.asked] == [0, 200, 400]


@pytest.mark.parametrize(
    ("operation", "path", "content"),
    [
        (
            "wallet",
            "PATCH /public/v1/wallets/balance",
            {"user_id": "conn0001/500123", "currency": "USD", "amount": -12.5, "order_id": "csmxc7h4agoeblb4"},
        ),
        (
            "mt5",
            "POST /public/v1/mt5/accounts/500123/withdrawal",
            {"connection_id": "conn0001", "currency": "USD", "amount": "12.50", "comment": "csmxc7h4agoeblb4"},
        ),
    ],
)
async def test_a_booking_has_the_types_of_the_pages(paper: Paper, operation: str, path: str, content: Any) -> None:
    act = Act(
        "r-1",
        ActKind.TRANSFER,
        "conn0001/500123",
        Money.parse("12.50", Currency("USD")),
        "",
        {"operation": operation, "direction": "withdrawal"},
    )
    prepared = await paper.crm.money.prepare(act)
    head, _, body = prepared.wire.partition(b"\n")
    assert head.decode() == path
    sent = json.loads(body)
    key = "order_id" if operation == "wallet" else "comment"
    assert re.fullmatch(r"cs[a-z2-7]{14}", sent[key])
    assert sent | {key: ""} == content | {key: ""}


# the table of the README

MATTERS = ("clients", "trading", "wallets", "requests", "reports", "registration")


def _methods() -> set[str]:
    found = set()
    for matter in MATTERS:
        kind = getattr(bot.providers.crm.client, matter.capitalize())
        found |= {f"{matter}.{name}" for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")}
    return found


def test_the_readme_names_every_call_and_its_mark() -> None:
    readme = (Path(bot.providers.crm.__file__).parent / "README.md").read_text()
    rows = re.findall(r"^\| `([A-Z]+) (/\S+)` \| (\[[FPN]\][^|]*) \| `([a-z_.]+)` \| ([^|]*) \|$", readme, re.MULTILINE)
    named = {method: (verb, mark) for verb, _, mark, method, _ in rows}
    assert set(named) == _methods() == set(CALLS)
    for method, (verb, mark) in named.items():
        matter, name = method.split(".")
        said = getattr(getattr(bot.providers.crm.client, matter.capitalize()), name).__doc__ or ""
        assert ("[N]" in said) == ("[N]" in mark), method
        assert CALLS[method][1] == verb
