"""The CRM's simulator keeps to the vendor's pages: over real sockets, with requests written and signed here by hand."""

import hashlib
import json
from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest

from bot.network.strictjson import Json
from bot.providers.crm.simulator import make, signature
from tests.support.crm_desk import API, Desk, HandClock, ask, decimals, desk_at, refused, signed


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = HandClock()
    async with desk_at(make(clock=clock), clock) as found:
        yield found


# --- who gets in


async def test_a_missing_or_unknown_key_is_refused_everywhere_before_anything_else(desk: Desk) -> None:
    for path in ("/users", "/wallets", "/mt4/connections", "/no/such/path"):
        assert refused(await desk.http.get(API + path), 403, "invalid_api_key")
        assert refused(await desk.http.get(API + path, headers={"key": desk.key + "x"}), 403, "invalid_api_key")
    assert refused(await desk.http.post(API + "/report/transactions", content=b"{"), 403, "invalid_api_key")


async def test_one_changed_byte_or_a_missing_prefix_fails_and_changes_nothing(desk: Desk) -> None:
    user = await desk.client(1)
    before = await desk.wallet(user)
    body = json.dumps({"user_id": user, "currency": "USD", "amount": 5, "order_id": "order00000000001"}).encode()
    good = signed(desk.key, body)
    bad_signatures = ("", good["signature"][7:], good["signature"].upper(), good["signature"][:-1] + "g", "é")
    for bad in bad_signatures:
        headers = httpx.Headers({**good, "signature": bad}, encoding="utf-8")
        answer = await desk.http.patch(API + "/wallets/balance", content=body, headers=headers)
        assert refused(answer, 403, "invalid_signature"), bad
    changed = await desk.http.patch(API + "/wallets/balance", content=body.replace(b"5", b"6"), headers=good)
    assert refused(changed, 403, "invalid_signature")
    assert await desk.wallet(user) == before
    assert await desk.ledger() == []


async def test_the_known_answer_of_the_notes_is_accepted(desk: Desk) -> None:
    await desk.control("settings", {"api_keys": ["demo-key-1"]})
    headers = {
        "key": "demo-key-1",
        "signature": "sha256=49f6116583ea710f7ac738fe15b39cc0d67801a669e3acc2f7d3fd19ca046535",
    }
    path = API + "/requests/withdrawal/approve"
    answer = await desk.http.post(path, content=b'{"id":"b7c8d9e0"}', headers=headers)
    assert refused(answer, 400, "request_not_found")
    assert refused(await desk.get("/users", skip=0, limit=1), 403, "invalid_api_key"), "the old key is deleted"


async def test_a_key_beyond_ascii_signs_as_utf8(desk: Desk) -> None:
    await desk.control("settings", {"api_keys": ["pub-é-key"]})
    body = b'{"id":"nfcnfd01"}'
    for spelt in ("utf-8", "latin-1"):
        headers = httpx.Headers(signed("pub-é-key", body), encoding=spelt)
        answer = await desk.http.post(API + "/requests/withdrawal/approve", content=body, headers=headers)
        assert refused(answer, 400, "request_not_found")


@pytest.mark.parametrize(
    ("mode", "spaced", "compact"),
    [
        ("raw", {"raw"}, {"raw", "canonical"}),
        ("canonical", {"canonical"}, {"raw", "canonical"}),
        ("both", set(), {"raw", "canonical"}),
    ],
)
async def test_the_sign_mode_says_which_bytes_count(desk: Desk, mode: str, spaced: set[str], compact: set[str]) -> None:
    await desk.control("settings", {"sign_mode": mode})
    canonical = '{"id":"b7c8d9e0","comment":"太晚"}'.encode()
    for body, expected in ((b'{"id": "b7c8d9e0", "comment": "\\u592a\\u665a"}', spaced), (canonical, compact)):
        for signs, message in (("raw", body), ("canonical", canonical)):
            path = API + "/requests/withdrawal/reject"
            answer = await desk.http.post(path, content=body, headers=signed(desk.key, message))
            type_ = "request_not_found" if signs in expected else "invalid_signature"
            assert answer.json()["type"] == type_, (mode, body, signs)


async def test_v1_is_refused_unless_switched_on(desk: Desk) -> None:
    await desk.control("settings", {"api_keys": ["demo-key-1"]})
    headers = {"key": "demo-key-1", "signature": "3D5A0A774A96EEE1912BD7F8E49D791AAE0AE0D2"}
    body, path = b'{"id":"b7c8d9e0","comment":"too late"}', API + "/requests/withdrawal/reject"
    assert refused(await desk.http.post(path, content=body, headers=headers), 403, "invalid_signature")
    await desk.control("settings", {"auth_versions": ["v1", "v2"]})
    assert refused(await desk.http.post(path, content=body, headers=headers), 400, "request_not_found")
    assert refused(
        await desk.http.post(path, content=body, headers=signed("demo-key-1", body)), 400, "request_not_found"
    )


def test_v1_reads_booleans_and_empty_values_in_every_documented_way() -> None:
    body: dict[str, Json] = {"id": "b7c8d9e0", "mail": True, "comment": ""}
    texts = (
        "comment=&id=b7c8d9e0&mail=truek",
        "comment=&id=b7c8d9e0&mail=Truek",
        "id=b7c8d9e0&mail=truek",
        "id=b7c8d9e0&mail=Truek",
    )
    expected = {hashlib.sha1(text.encode()).hexdigest().upper() for text in texts}  # noqa: S324  # V1's algorithm
    assert signature.v1_variants("k", body) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('[1, 2.50, "三", null, true]', '[1,2.5,"三",null,true]'),
        ('{"b": 100.0, "2": -0.0, "1": 1e21, "01": 1.5e-7}', '{"1":1e+21,"2":0,"b":100,"01":1.5e-7}'),
        ('{"a": 0.000001, "b": 123456789012345680000, "c": 0.1}', '{"a":0.000001,"b":123456789012345680000,"c":0.1}'),
        ('"\\u001f\\u007f\\/\\n\\ud800"', '"\\u001f\x7f/\\n\\ud800"'),
    ],
)
def test_the_canonical_form_is_what_javascript_writes(raw: str, expected: str) -> None:
    assert signature.canonical(json.loads(raw, parse_float=Decimal)) == expected.encode()


async def test_hostile_bodies_are_refused_and_never_a_server_error(desk: Desk) -> None:
    bodies = (
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"id":"\\ud800bcdefgh"}',
        b'{"id":"b7c8d9e0","a":[{"\\udfff":1}]}',
        b'{"id":"b7c8d9e0","id":"b7c8d9e1"}',
        b'{"id":NaN}',
        b'{"id":1e400}',
        b'{"id":77889900}',
        b'{"id":["b7c8d9e0"]}',
        b'{"id":"b7c8d9e0","mail":"yes"}',
        b"[" * 5000,
        b'{"id":"' + b"a" * (1 << 20) + b'"}',
        b"",
    )
    for mode in ("raw", "both"):
        await desk.control("settings", {"sign_mode": mode, "auth_versions": ["v1", "v2"]})
        for body in bodies:
            path = API + "/requests/withdrawal/approve"
            answer = await desk.http.post(path, content=body, headers=signed(desk.key, body))
            assert answer.status_code in (400, 403), body[:40]
            if mode == "raw":
                assert refused(answer, 400, "invalid_request"), body[:40]


async def test_unknown_paths_and_wrong_methods_are_404_in_the_vendors_shape(desk: Desk) -> None:
    for path in ("/leads", "/users/a/b/c", "/requests/withdrawal/", "/requests/withdrawal", "/ctrader/trades"):
        assert refused(await desk.get(path), 404, "not_found"), path
    assert refused(await desk.post("/users", {}), 404, "not_found")


# --- clients and wallets


async def test_clients_are_paged_and_filtered(desk: Desk) -> None:
    everyone = (await desk.get("/users", skip=0, limit=500)).json()
    assert everyone["count"] == len(everyone["records"]) == 7
    pages = [(await desk.get("/users", skip=skip, limit=3)).json()["records"] for skip in (0, 3, 6, 9)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert [*pages[0], *pages[1], *pages[2]] == everyone["records"]
    assert (await desk.get("/users", skip=0, limit=0)).json() == {"count": 7, "records": []}
    assert [row["type"] for row in (await desk.get("/users", skip=0, limit=9, type="ib")).json()["records"]] == ["ib"]
    suspended = (await desk.get("/users", skip=0, limit=9, suspended="true")).json()
    assert [row["name"] for row in suspended["records"]] == ["สมชาย ใจดี"]


async def test_a_client_record_has_every_documented_field(desk: Desk) -> None:
    record = (await desk.get("/users", skip=1, limit=1)).json()["records"][0]
    assert set(record) == {
        "id", "name", "email", "phone", "type", "group_id", "group_name", "referral_code", "kyc_status",
        "kyc_processing", "trading_accounts", "referrer_id", "referrer_name", "downline_count", "first_open_time",
        "created_at", "updated_at",
    }  # fmt: skip
    assert record["name"] == "陈志明"
    assert (record["referrer_name"], record["downline_count"]) == ("Harbour IB Partners", "0")
    assert len(record["id"]) == 8
    assert [item["platform"] for item in record["trading_accounts"]] == ["mt4", "mt4", "mt5"]


async def test_hostile_names_and_an_id_of_digits_are_there(desk: Desk) -> None:
    records = (await desk.get("/users", skip=0, limit=500)).json()["records"]
    names = [record["name"] for record in records]
    assert '</b><a href="tg://user?id=1">x</a>' in names
    assert any("\u202e" in name for name in names)
    assert "77889900" in [record["id"] for record in records]


async def test_one_client_shows_owner_and_participants_only_when_asked(desk: Desk) -> None:
    user = await desk.client(1)
    plain = (await desk.get(f"/users/{user}")).json()
    assert plain["id"] == user
    assert "owner" not in plain
    assert "participants" not in plain
    full = (await desk.get(f"/users/{user}", owner="true", participants="true")).json()
    assert full["owner"]["name"] == "Desk B"
    assert [item["email"] for item in full["participants"]] == ["desk.b@example.test"]
    assert refused(await desk.get("/users/zzzzzzzz"), 400, "user_not_found")


async def test_a_bad_page_is_refused(desk: Desk) -> None:
    bad: tuple[dict[str, str | int], ...] = (
        {}, {"skip": 0}, {"skip": -1, "limit": 5}, {"skip": 0, "limit": 501}, {"skip": "x", "limit": 5},
        {"skip": 0, "limit": "٣"}, {"skip": 0, "limit": 5, "type": "boss"}, {"skip": 0, "limit": 5, "suspended": "no"},
    )  # fmt: skip
    for query in bad:
        assert refused(await desk.get("/users", **query), 400, "invalid_request"), query


async def test_wallets_are_an_object_of_numbers(desk: Desk) -> None:
    answer = await desk.get("/wallets", user_id=await desk.client(1))
    assert answer.text == '{"USD":12400.25,"CNY":86000,"USDT":1500}'
    assert refused(await desk.get("/wallets", user_id="zzzzzzzz"), 400, "account_not_found")
    assert refused(await desk.get("/wallets"), 400, "invalid_request")


async def test_a_wallet_update_shows_in_wallet_order_report_and_ledger(desk: Desk) -> None:
    user = await desk.client(1)
    for order_id, amount in (("order00000000001", 99.75), ("order00000000002", -500)):
        body = {"user_id": user, "currency": "USD", "amount": amount, "order_id": order_id}
        answer = await desk.send("PATCH", "/wallets/balance", body)
        assert (answer.status_code, answer.json()) == (200, {})
    assert (await desk.wallet(user))["USD"] == 12000
    assert (await desk.get("/wallets/balance/order00000000001")).json()["status"] == "success"
    rows = [row for row in await desk.report(user_id=user) if row["ref_id"]]
    assert [(row["type"], row["amount"], row["ref_id"], row["new_balance"]) for row in rows] == [
        ("deposit", Decimal("99.75"), "order00000000001", "12500.00"),
        ("withdrawal", 500, "order00000000002", "12000.00"),
    ]
    assert await desk.report(transaction_id="order00000000002") == rows[1:]
    assert [(entry["kind"], entry["amount"], entry["reference"]) for entry in await desk.ledger()] == [
        ("wallet_credit", "99.75", "order00000000001"),
        ("wallet_debit", "500", "order00000000002"),
    ]


async def test_an_order_id_books_once_and_never_means_two_things(desk: Desk) -> None:
    user = await desk.client(1)
    body = {"user_id": user, "currency": "USD", "amount": 100, "order_id": "order00000000001"}
    answers = [await desk.send("PATCH", "/wallets/balance", body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    for other in ({"amount": 101}, {"currency": "CNY"}, {"user_id": await desk.client(2)}):
        answer = await desk.send("PATCH", "/wallets/balance", body | other)
        assert refused(answer, 400, "order_id_exists")
    assert (await desk.wallet(user))["USD"] == Decimal("12500.25")
    assert len(await desk.ledger()) == 1


async def test_wallet_updates_that_cannot_be(desk: Desk) -> None:
    user = await desk.client(1)
    body = {"user_id": user, "currency": "USD", "amount": -12400.26, "order_id": "order00000000001"}
    assert refused(await desk.send("PATCH", "/wallets/balance", body), 400, "insufficient_funds")
    unknown = body | {"user_id": "zzzzzzzz"}
    assert refused(await desk.send("PATCH", "/wallets/balance", unknown), 400, "account_not_found")
    wrong: tuple[dict[str, object], ...] = (
        {"amount": "5"}, {"amount": True}, {"amount": 0}, {"amount": 1e-9}, {"amount": 10**12}, {"amount": None},
        {"order_id": "short"}, {"order_id": "x" * 17}, {"currency": "DOGE"}, {"user_id": "short"}, {"user_id": 1},
    )  # fmt: skip
    for part in wrong:
        assert refused(await desk.send("PATCH", "/wallets/balance", body | part), 400, "invalid_request"), part
    after = await desk.send("PATCH", "/wallets/balance", body | {"amount": -12400.25})
    assert after.status_code == 200, "a refused order may be tried again"
    assert (await desk.wallet(user))["USD"] == 0


async def test_a_clients_deposit_arrives(desk: Desk) -> None:
    user = await desk.client(2)
    await desk.control("wallet", {"user_id": user, "currency": "USD", "amount": "49.50"})
    assert (await desk.wallet(user))["USD"] == Decimal("999.50")
    assert (await desk.report(user_id=user))[-1]["payment_method"] == "Card"
    assert [entry["kind"] for entry in await desk.ledger()] == ["client_deposit"]


# --- trading servers


async def test_connections_are_listed_by_platform_and_together(desk: Desk) -> None:
    mt4, mt5 = [(await desk.get(f"/{platform}/connections")).json() for platform in ("mt4", "mt5")]
    assert [row["name"] for row in mt4 + mt5] == ["MT4 Live", "MT4 Live 2", "MT5 Live"]
    assert mt5[0]["groups"] == ["live\\USD", "live\\EUR"]
    ctrader = (await desk.get("/ctrader/connections")).json()
    assert ctrader[0]["groups"] == ["ct-USD"]
    together = (await desk.get("/connections")).json()
    assert [(row["id"], row["platform"]) for row in together] == [
        (mt4[0]["id"], "mt4"), (mt4[1]["id"], "mt4"), (mt5[0]["id"], "mt5"), (ctrader[0]["id"], "ctrader"),
    ]  # fmt: skip


async def test_the_same_login_lives_on_two_servers(desk: Desk) -> None:
    first, second = [row["id"] for row in (await desk.get("/mt4/connections")).json()]
    accounts = [await desk.account("mt4", connection, 60132) for connection in (first, second)]
    assert accounts[0]["balance"] != accounts[1]["balance"]


async def test_every_account_adds_up_to_its_trades(desk: Desk) -> None:
    seen = 0
    for server in (await desk.get("/mt4/connections")).json():
        connection = server["id"]
        accounts = decimals(await desk.get("/mt4/accounts", connection_id=connection, limit=500))["records"]
        window: dict[str, str | int] = {"connection_id": connection, "end": "2025-11-21", "limit": 500}
        for account in accounts:
            query = window | {"login": account["login"], "start": "2025-08-21"}
            closed, opened = [
                decimals(await desk.get("/mt4/trades", **query, type=kind))["records"] for kind in ("closed", "open")
            ]
            assert sum(row["profit"] + row["swaps"] + row["commission"] for row in closed) == account["balance"]
            floating = sum(row["profit"] + row["swaps"] for row in opened)
            assert account["equity"] == account["balance"] + account["credit"] + floating
            assert account["margin_free"] == account["equity"] - account["margin"]
            assert account["available_withdrawal"] == account["margin_free"] - account["credit"] > 0
            assert opened
            seen += 1
    assert seen == 8


async def test_accounts_by_client_and_page_and_for_unknown_connections(desk: Desk) -> None:
    connection, user = await desk.connection("mt5"), await desk.client(2)
    mine = (await desk.get("/mt5/accounts", connection_id=connection, user_id=user)).json()
    assert [row["login"] for row in mine["records"]] == [500131]
    assert mine["records"][0]["crm_user"]["id"] == user
    page = (await desk.get("/mt5/accounts", connection_id=connection, skip=1, limit=2)).json()
    assert (page["count"], len(page["records"])) == (4, 2)
    mt4 = await desk.connection("mt4")
    assert refused(await desk.get("/mt5/accounts", connection_id=mt4), 400, "mt5_connection_not_found")
    assert refused(await desk.get("/mt4/accounts", connection_id="zzzzzzzz"), 400, "mt4_connection_not_found")
    assert refused(await desk.get("/mt4/accounts"), 400, "invalid_request")


@pytest.mark.parametrize(("platform", "login"), [("mt4", 60132), ("mt5", 500123)])
async def test_a_deposit_and_a_withdrawal_show_in_account_report_and_ledger(
    desk: Desk, platform: str, login: int
) -> None:
    connection = await desk.connection(platform)
    before = await desk.account(platform, connection, login)
    body = {"connection_id": connection, "currency": "USD", "amount": "250.00000001", "comment": "ref-1"}
    for act, change in (("deposit", "250.00000001"), ("withdrawal", "0")):
        answer = await desk.post(f"/{platform}/accounts/{login}/{act}", body)
        assert (answer.status_code, answer.content) == (204, b"")
        after = await desk.account(platform, connection, login)
        for name in ("balance", "equity", "margin_free", "available_withdrawal"):
            assert after[name] == before[name] + Decimal(change), (act, name)
        assert after["balance_previous_day"] == before["balance_previous_day"]
    rows = [row for row in await desk.report() if row["comment"] == "ref-1"]
    assert [(row["type"], row["trading_id"], row["amount"]) for row in rows] == [
        ("deposit", str(login), Decimal("250.00000001")),
        ("withdrawal", str(login), Decimal("250.00000001")),
    ]
    assert [(entry["kind"], entry["amount"], entry["reference"]) for entry in await desk.ledger()] == [
        (f"{platform}_deposit", "250.00000001", "ref-1"),
        (f"{platform}_withdrawal", "250.00000001", "ref-1"),
    ]


async def test_a_deposit_is_a_balance_operation_in_the_trades(desk: Desk) -> None:
    connection = await desk.connection("mt4")
    body = {"connection_id": connection, "currency": "USD", "amount": "10", "comment": "ref-1"}
    await desk.post("/mt4/accounts/60132/deposit", body)
    days: dict[str, str | int] = {"start": "2025-11-20", "end": "2025-11-20", "login": 60132}
    found = (await desk.get("/mt4/trades", connection_id=connection, type="closed", **days)).json()
    assert [(row["cmd"], row["profit"], row["comment"]) for row in found["records"]] == [(6, 10, "ref-1")]


async def test_the_same_comment_within_two_minutes_books_nothing(desk: Desk) -> None:
    connection = await desk.connection("mt4")
    body = {"connection_id": connection, "currency": "USD", "amount": "10", "comment": "ref-1"}

    async def deposit() -> tuple[int, bytes]:
        answer = await desk.post("/mt4/accounts/60132/deposit", body)
        return answer.status_code, answer.content

    assert await deposit() == (204, b"")
    desk.clock.pass_by(120)
    assert await deposit() == (200, b'{"repeat":true}')
    desk.clock.pass_by(1)
    assert await deposit() == (204, b"")
    await desk.control("settings", {"generation": "A"})
    assert await deposit() == (204, b""), "the older pages know no repeat"
    assert len(await desk.ledger()) == 3


async def test_trading_money_that_cannot_move(desk: Desk) -> None:
    connection = await desk.connection("mt4")
    good: dict[str, object] = {"connection_id": connection, "currency": "USD", "amount": "10", "comment": "ref-1"}
    before = await desk.account("mt4", connection, 60132)
    much = good | {"amount": f"{Decimal(before['available_withdrawal']) + Decimal('0.01'):f}"}
    path = "/mt4/accounts/60132/withdrawal"
    assert refused(await desk.post(path, much), 400, "insufficient_funds")
    assert refused(await desk.post(path, good | {"connection_id": "nope"}), 400, "mt4_connection_not_found")
    for login in ("99999", "x", "٦٠١٣٢", "9" * 40):
        assert refused(await desk.post(f"/mt4/accounts/{login}/deposit", good), 400, "mt4_account_not_found")
    stranger = good | {"user_id": await desk.client(2)}
    assert refused(await desk.post(path, stranger), 400, "mt4_account_not_found")
    wrong: tuple[dict[str, object], ...] = (
        {"amount": 10}, {"amount": "-1"}, {"amount": "0.00"}, {"amount": "NaN"}, {"amount": "1e3"}, {"amount": "1_0"},
        {"amount": "0.000000001"}, {"comment": ""}, {"comment": None}, {"currency": "EUR"}, {"send_email": 1},
    )  # fmt: skip
    for part in wrong:
        assert refused(await desk.post(path, good | part), 400, "invalid_request"), part
    assert await desk.account("mt4", connection, 60132) == before
    assert await desk.ledger() == []


@pytest.mark.parametrize("act", ["deposit", "withdrawal"])
async def test_an_mt5_account_or_server_that_is_not_there(desk: Desk, act: str) -> None:
    connection = await desk.connection("mt5")
    good: dict[str, object] = {"connection_id": connection, "currency": "USD", "amount": "10", "comment": "ref-1"}
    assert refused(await desk.post(f"/mt5/accounts/99999/{act}", good), 400, "mt5_account_not_found")
    elsewhere = good | {"connection_id": await desk.connection("mt4")}
    assert refused(await desk.post(f"/mt5/accounts/500123/{act}", elsewhere), 400, "mt5_connection_not_found")
    assert await desk.ledger() == []


async def test_mt5_withdrawals_belong_to_the_newer_pages(desk: Desk) -> None:
    await desk.control("settings", {"generation": "A"})
    assert refused(await desk.post("/mt5/accounts/500123/withdrawal", {}), 404, "not_found")


async def test_trades_and_report_span_three_months_at_most(desk: Desk) -> None:
    connection = await desk.connection("mt4")
    windows = (
        ("2025-08-20", "2025-11-20", True), ("2025-08-19", "2025-11-20", False), ("2025-11-30", "2026-02-28", True),
        ("2025-11-30", "2026-03-01", False), ("2025-11-20", "2025-11-19", False), ("20-11-2025", "2025-11-20", False),
        ("2025-11-20 08:00:00", "2025-11-20T09:00:00+00:00", True), ("1763600000000", "1763700000000", True),
        ("2025-02-30", "2025-03-01", False), ("9999-12-01", "9999-12-31", True), ("0001-01-01", "0001-01-02", True),
        ("0001-01-01T00:00:00+05:00", "0001-01-02", False), ("", "2025-11-20", False),
    )  # fmt: skip
    for start, end, allowed in windows:
        trades = await desk.get("/mt4/trades", connection_id=connection, type="closed", start=start, end=end)
        report = await desk.post("/report/transactions", {"skip": 0, "limit": 1, "start": start, "end": end})
        assert [trades.status_code, report.status_code] == [200 if allowed else 400] * 2, (start, end)


async def test_trades_are_filtered_and_typed(desk: Desk) -> None:
    connection = await desk.connection("mt4")
    query: dict[str, str | int] = {
        "connection_id": connection,
        "start": "2025-08-21",
        "end": "2025-11-20",
        "limit": 500,
    }
    opened = (await desk.get("/mt4/trades", **query, type="open")).json()["records"]
    assert {row["cmd"] for row in opened} == {0, 1, 2}, "buys, sells and one waiting order"
    assert {row["close_time"] for row in opened} == {"1970-01-01 00:00:00"}
    one = (await desk.get("/mt4/trades", **query, type="open", order_id=opened[0]["order_id"])).json()
    assert one == {"count": 1, "records": [opened[0]]}
    user = opened[0]["crm_user"]["id"]
    mine = (await desk.get("/mt4/trades", **query, type="open", user_id=user)).json()["records"]
    assert mine == [row for row in opened if row["crm_user"]["id"] == user]
    assert refused(await desk.get("/mt4/trades", **query, type="all"), 400, "invalid_request")
    nowhere = query | {"connection_id": "zzzzzzzz"}
    assert refused(await desk.get("/mt4/trades", **nowhere, type="open"), 400, "mt4_connection_not_found")


# --- withdrawal requests


async def test_a_withdrawal_asked_for_shows_in_request_wallet_report_and_ledger(desk: Desk) -> None:
    user, request_id = await ask(desk)
    request = await desk.request(request_id)
    assert (request["status"], request["trading_id"], request["user"]["name"]) == ("pending", "WALLET", "陈志明")
    assert (request["trading_amount"], request["withdrawal_method"]) == ("400.25", "Bank wire")
    assert (request["converted_amount"], request["withdrawal_fee"], request["withdrawal_amount"]) == (
        Decimal("400.25"), "4.00", "396.25",
    )  # fmt: skip
    assert request["flow"] == {"current": 1, "total": 1}
    assert (await desk.wallet(user))["USD"] == 12000
    row = (await desk.report(type=["Withdrawal"]))[0]
    assert (row["status"], row["comment"], row["new_balance"]) == ("pending", f"W-{request_id}", "12000.00")
    assert row["id"] != request_id
    assert [(entry["kind"], entry["reference"]) for entry in await desk.ledger()] == [
        ("withdrawal_requested", request_id)
    ]


async def test_one_approval_ends_a_request_without_levels(desk: Desk) -> None:
    user, request_id = await ask(desk)
    answer = await desk.post("/requests/withdrawal/approve", {"id": request_id})
    assert (answer.status_code, answer.json()) == (200, {})
    request = await desk.request(request_id)
    assert request["status"] == "approved"
    assert [(log["event"], log["admin"]) for log in request["logs"]] == [("create", user), ("approve", "open-api")]
    assert (await desk.report(type=["withdrawal"]))[0]["status"] == "approved"
    assert (await desk.wallet(user))["USD"] == 12000
    for act, body in (("approve", {"id": request_id}), ("reject", {"id": request_id, "comment": "no"})):
        assert refused(await desk.post(f"/requests/withdrawal/{act}", body), 400, "request_status_not_pending")
    assert [entry["kind"] for entry in await desk.ledger()] == ["withdrawal_requested", "withdrawal_paid"]


async def test_each_approval_passes_one_node_and_the_last_ends_it(desk: Desk) -> None:
    for levels in range(1, 11):
        await desk.control("settings", {"levels": levels})
        _, request_id = await ask(desk)
        for node in range(1, levels + 1):
            assert (await desk.request(request_id))["flow"] == {"current": node, "total": levels}
            assert (await desk.request(request_id))["status"] == "pending"
            await desk.post("/requests/withdrawal/approve", {"id": request_id})
        assert (await desk.request(request_id))["status"] == "approved"


async def test_a_rejection_at_any_node_gives_the_money_back_once(desk: Desk) -> None:
    await desk.control("settings", {"levels": 3})
    user, request_id = await ask(desk)
    await desk.control("approve", {"id": request_id})
    body = {"id": request_id, "comment": "出" * 500, "mail": True, "pop_up": False, "notify": True, "language": "zh-cn"}
    assert (await desk.post("/requests/withdrawal/reject", body)).status_code == 200
    assert refused(await desk.post("/requests/withdrawal/reject", body), 400, "request_status_not_pending")
    approve = await desk.post("/requests/withdrawal/approve", {"id": request_id})
    assert refused(approve, 400, "request_status_not_pending")
    assert (await desk.request(request_id))["status"] == "rejected"
    assert (await desk.wallet(user))["USD"] == Decimal("12400.25")
    rows = [(row["status"], row["new_balance"]) for row in await desk.report(type=["withdrawal"])]
    assert rows == [("rejected", "12400.25")]
    assert [entry["kind"] for entry in await desk.ledger()] == ["withdrawal_requested", "withdrawal_returned"]


async def test_the_reason_is_mandatory_on_newer_tenants_only(desk: Desk) -> None:
    _, request_id = await ask(desk)
    for comment in ({}, {"comment": ""}, {"comment": "x" * 501}, {"comment": 5}):
        body = {"id": request_id, **comment}
        assert refused(await desk.post("/requests/withdrawal/reject", body), 400, "invalid_request")
    await desk.control("settings", {"generation": "A"})
    assert (await desk.post("/requests/withdrawal/reject", {"id": request_id})).status_code == 200


async def test_an_approved_request_is_rejected_by_the_back_office_or_by_switch(desk: Desk) -> None:
    user, first = await ask(desk)
    await desk.control("approve", {"id": first})
    await desk.control("reject", {"id": first, "comment": "returned by the bank"})
    assert (await desk.request(first))["status"] == "rejected"
    await desk.control("settings", {"allow_post_approval_reject": True})
    _, second = await ask(desk)
    await desk.post("/requests/withdrawal/approve", {"id": second})
    answer = await desk.post("/requests/withdrawal/reject", {"id": second, "comment": "no"})
    assert answer.status_code == 200
    assert (await desk.wallet(user))["USD"] == Decimal("12400.25")
    again = await desk.http.post("/_sim/reject", json={"id": second})
    assert refused(again, 400, "request_status_not_pending")


async def test_reset_returns_to_the_first_node_while_under_review(desk: Desk) -> None:
    await desk.control("settings", {"levels": 2})
    _, request_id = await ask(desk)
    await desk.control("approve", {"id": request_id})
    await desk.control("reset", {"id": request_id})
    request = await desk.request(request_id)
    assert (request["flow"]["current"], request["pre_step"], request["pre_event"]) == (1, 1, "reset")
    for _ in range(2):
        await desk.control("approve", {"id": request_id})
    assert refused(await desk.http.post("/_sim/reset", json={"id": request_id}), 400, "request_status_not_pending")


async def test_an_edited_amount_moves_what_is_held(desk: Desk) -> None:
    user, request_id = await ask(desk)
    await desk.control("edit", {"id": request_id, "amount": 900.25})
    request = await desk.request(request_id)
    assert (request["trading_amount"], request["withdrawal_amount"]) == ("900.25", "891.25")
    assert request["logs"][-1]["prevData"] == {"trading_amount": "400.25"}
    assert request["logs"][-1]["newData"] == {"trading_amount": "900.25"}
    assert (await desk.wallet(user))["USD"] == 11500
    row = (await desk.report(type=["withdrawal"]))[0]
    assert (row["amount"], row["new_balance"]) == (Decimal("900.25"), "11500.00")
    too_much = await desk.http.post("/_sim/edit", json={"id": request_id, "amount": "12400.26"})
    assert refused(too_much, 400, "insufficient_funds")
    await desk.control("edit", {"id": request_id, "amount": "100.25"})
    await desk.post("/requests/withdrawal/reject", {"id": request_id, "comment": "no"})
    assert (await desk.wallet(user))["USD"] == Decimal("12400.25")
    assert refused(await desk.http.post("/_sim/edit", json={"id": request_id, "amount": 1}), 400,
                   "request_status_not_pending")  # fmt: skip


async def test_a_withdrawal_from_a_trading_account_leaves_and_returns(desk: Desk) -> None:
    connection = await desk.connection("mt5")
    before = await desk.account("mt5", connection, 500123)
    asked = await desk.control("withdrawal", {"connection_id": connection, "trading_id": 500123, "amount": 100})
    assert (await desk.request(asked["id"]))["trading_id"] == "500123"
    assert (await desk.account("mt5", connection, 500123))["balance"] == before["balance"] - 100
    await desk.control("reject", {"id": asked["id"]})
    assert (await desk.account("mt5", connection, 500123))["balance"] == before["balance"]


async def test_a_client_asks_without_being_told_what_for(desk: Desk) -> None:
    asked = [await desk.control("withdrawal") for _ in range(8)]
    assert len({request["user_id"] for request in asked}) == 7, "clients take turns"
    assert len({request["id"] for request in asked}) == 8
    assert [request["id"] for request in (await desk.look("requests"))["requests"]] == [item["id"] for item in asked]


async def test_requests_that_are_not_there(desk: Desk) -> None:
    for path in ("/requests/withdrawal/zzzzzzzz", "/requests/kyc/zzzzzzzz", "/requests/deposit/zzzzzzzz"):
        assert refused(await desk.get(path), 400, "request_not_found")
    assert refused(await desk.get("/requests/transfer/zzzzzzzz"), 400, "invalid_request")
    await desk.control("settings", {"generation": "A"})
    _, request_id = await ask(desk)
    assert refused(await desk.get(f"/requests/withdrawal/{request_id}"), 404, "not_found")


async def test_the_list_of_requests_exists_by_switch_only(desk: Desk) -> None:
    _, request_id = await ask(desk)
    await desk.control("settings", {"list_requests": True})
    pending = (await desk.get("/requests/withdrawal", status="pending", skip=0, limit=5)).json()
    assert (pending["count"], pending["records"][0]["id"]) == (1, request_id)
    assert (await desk.get("/requests/withdrawal", status="approved")).json() == {"count": 0, "records": []}
    assert refused(await desk.get("/requests/withdrawal", status="lost"), 400, "invalid_request")


async def test_the_report_hides_pending_requests_and_shares_ids_by_switch(desk: Desk) -> None:
    _, request_id = await ask(desk)
    await desk.control("settings", {"report_shows_pending": False, "report_id_is_request_id": True})
    assert await desk.report(type=["withdrawal"]) == []
    await desk.control("approve", {"id": request_id})
    assert [row["id"] for row in await desk.report(type=["WITH_DRAWAL"])] == [request_id]


async def test_controls_refuse_nonsense(desk: Desk) -> None:
    nonsense: tuple[tuple[str, object], ...] = (
        ("settings", {"levels": 11}), ("settings", {"api_keys": []}), ("settings", {"colour": 1}),
        ("settings", {"webhook_timeout_s": 0}), ("webhook", {"url": "https://example.test/in"}), ("webhook", {}),
        ("webhook", {"url": "http://127.0.0.1/", "name": "\ud800"}), ("webhook", {"url": "http://127.0.0.1:99999/"}),
        ("approve", {}), ("withdrawal", []),
        ("wallet", {"user_id": "77889900", "currency": "USD", "amount": -1}), ("edit", {"id": 1, "amount": "x"}),
    )  # fmt: skip
    for name, body in nonsense:
        answer = await desk.http.post(f"/_sim/{name}", content=json.dumps(body))
        assert refused(answer, 400, "invalid_request"), (name, body)
    assert (await desk.look("settings"))["levels"] == 0


# --- seed, state, misfortunes


async def test_the_seed_decides_the_world() -> None:
    first, second, other = [make(seed, HandClock()).dump() for seed in (7, 7, 8)]
    assert first == second
    assert first["trades"] != other["trades"]


async def test_a_lost_answer_still_means_the_act_was_done_once(desk: Desk) -> None:
    _, request_id = await ask(desk)
    await desk.http.post("/_sim/faults", json=[{"match": {"path": "/approve"}, "action": "reset"}])
    with pytest.raises(httpx.TransportError):
        await desk.post("/requests/withdrawal/approve", {"id": request_id})
    again = await desk.post("/requests/withdrawal/approve", {"id": request_id})
    assert refused(again, 400, "request_status_not_pending")
    assert (await desk.request(request_id))["status"] == "approved"
