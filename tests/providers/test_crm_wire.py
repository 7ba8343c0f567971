"""What is sent to the CRM, and what its replies mean. Samples are whole replies; expectations are written by hand."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import bot.providers.crm
from bot.errors import BusyError, CredentialRefusedError, FaultError, RefusedError, ReplyError
from bot.money import Currency, Money
from bot.providers.crm import wire
from bot.providers.records import Direction, Environment, Position

NOW = datetime(2025, 11, 20, 8, 15, 2, tzinfo=UTC)
NORTH = wire.Server("srv0000a", "MT4 North")
HOSTILE = '</b><a href="https://bad.example">李雷\u202e'


def sample(name: str) -> bytes:
    return (Path(bot.providers.crm.__file__).parent / "samples" / name).read_bytes()


def money(amount: str, currency: str) -> Money:
    return Money(Decimal(amount), Currency(currency))


def trades_with(**changes: Any) -> bytes:
    """The sample's first trade alone, changed."""
    row = json.loads(sample("get_mt4_trades.json"))["records"][0]
    return json.dumps({"count": 1, "records": [row | changes]}).encode()


def accounts_with(**changes: Any) -> bytes:
    row = json.loads(sample("get_mt4_accounts.json"))["records"][0]
    return json.dumps({"count": 1, "records": [row | changes]}).encode()


def test_lists_are_asked_for_in_parts() -> None:
    assert wire.build_clients(200, 50) == wire.Request("GET", "/public/v1/users", {"skip": "200", "limit": "50"})
    assert wire.build_mt4_accounts("srv0000a", 0, 200) == wire.Request(
        "GET", "/public/v1/mt4/accounts", {"connection_id": "srv0000a", "skip": "0", "limit": "200"}
    )


def test_one_wallet_is_asked_for_by_client() -> None:
    assert wire.build_wallets("77889900") == wire.Request("GET", "/public/v1/wallets", {"user_id": "77889900"})


def test_open_trades_are_asked_for_by_server_and_window() -> None:
    window = wire.Window(date(2025, 8, 26), date(2025, 11, 22))
    assert wire.build_open_mt4_trades("srv0000a", window, 0, 200) == wire.Request(
        "GET",
        "/public/v1/mt4/trades",
        {
            "connection_id": "srv0000a",
            "type": "open",
            "start": "2025-08-26",
            "end": "2025-11-22",
            "skip": "0",
            "limit": "200",
        },
    )


def test_the_report_is_a_post_with_a_body() -> None:
    window = wire.Window(date(2025, 8, 26), date(2025, 11, 22))
    assert wire.build_transactions(window, 0, 1) == wire.Request(
        "POST",
        "/public/v1/report/transactions",
        body=b'{"skip":0,"limit":1,"start":"2025-08-26","end":"2025-11-22"}',
    )


def test_a_body_is_not_shown() -> None:
    assert "2025" not in repr(wire.build_transactions(wire.Window(date(2025, 1, 1), date(2025, 1, 2)), 0, 1))


def test_windows_go_back_without_a_gap() -> None:
    assert wire.windows(date(2025, 11, 20), 3) == (
        wire.Window(date(2025, 8, 26), date(2025, 11, 22)),
        wire.Window(date(2025, 5, 30), date(2025, 8, 26)),
        wire.Window(date(2025, 3, 3), date(2025, 5, 30)),
    )


def test_a_window_is_never_longer_than_three_months() -> None:
    day = date(2023, 1, 1)
    while day < date(2025, 1, 1):
        (window,) = wire.windows(day, 1)
        assert window.end < three_months_after(window.start)
        day += timedelta(days=1)


def three_months_after(day: date) -> date:
    """The same day of the month, or the last one that month has."""
    month, year = (day.month + 2) % 12 + 1, day.year + (day.month + 2) // 12
    following = date(year + month // 12, month % 12 + 1, 1)
    return min(date(year, month, 1) + timedelta(days=day.day - 1), following - timedelta(days=1))


def test_clients_are_read_with_their_names_unchanged() -> None:
    page = wire.parse_clients(sample("get_users.json"))
    assert page.count == 3
    assert [(client.id, client.name) for client in page.records] == [
        ("p4w8zt1c", "Ines Okafor"),
        ("77889900", HOSTILE),
        ("h2k7yv5n", "Harbour Desk"),
    ]


def test_servers_are_known_from_clients() -> None:
    clients = wire.parse_clients(sample("get_users.json")).records
    assert wire.servers_of(clients) == (wire.Server("srv0000a"), wire.Server("srv0000b"))
    assert wire.elsewhere(clients) == {"mt5": 1}


def test_wallets_keep_every_digit() -> None:
    client = wire.parse_clients(sample("get_users.json")).records[1]
    wallets = wire.parse_wallets(sample("get_wallets.json"))
    balances = wire.wallet_balances(client, wallets, Environment.LIVE, NOW)
    assert [balance.amount for balance in balances] == [
        money("3120.75", "USD"),
        money("0", "EUR"),
        money("480000", "JPY"),
        money("12.345678", "USDT"),
    ]
    assert {(balance.account, balance.owner, balance.kind) for balance in balances} == {("77889900", HOSTILE, "wallet")}
    assert {(balance.as_of, balance.environment) for balance in balances} == {(NOW, Environment.LIVE)}


def test_servers_are_read() -> None:
    found = wire.parse_mt4_connections(sample("get_mt4_connections.json"))
    assert [(server.id, server.name) for server in found] == [("srv0000a", "MT4 North"), ("srv0000b", "MT4 South")]


def test_trading_accounts_become_ours() -> None:
    rows = wire.parse_mt4_accounts(sample("get_mt4_accounts.json")).records
    first, second = (wire.mt4_balance(NORTH, row, Environment.DEMO, NOW) for row in rows)
    assert (first.account, first.name, first.owner) == ("srv0000a/81001", "81001 MT4 North", "Ines Okafor")
    assert (first.amount, first.available) == (money("5400.10", "USD"), money("4877.6", "USD"))
    assert (first.profit, first.kind, first.environment) == (None, "mt4", Environment.DEMO)
    assert (second.amount, second.owner) == (money("-12.5", "EUR"), "Pool")
    account = wire.mt4_account(NORTH, rows[1], Environment.DEMO)
    assert (account.id, account.name, account.currency) == ("srv0000a/81002", "81002 MT4 North", Currency("EUR"))


def test_the_same_number_on_two_servers_is_two_accounts() -> None:
    row = wire.parse_mt4_accounts(sample("get_mt4_accounts.json")).records[0]
    south = wire.Server("srv0000b", None)
    assert wire.mt4_balance(south, row, Environment.DEMO, NOW).account == "srv0000b/81001"
    assert wire.mt4_balance(south, row, Environment.DEMO, NOW).name == "81001 MT4"


def test_trades_become_positions() -> None:
    accounts = {row.login: row for row in wire.parse_mt4_accounts(sample("get_mt4_accounts.json")).records}
    page = wire.parse_mt4_trades(sample("get_mt4_trades.json"))
    assert page.count == len(page.records) == 4
    positions = [wire.mt4_position(NORTH, row, accounts[row.login], NOW) for row in page.records if row.is_position]
    assert positions == [
        Position(
            account="srv0000a/81001",
            id="7200411",
            symbol="XAUUSD",
            name="XAUUSD",
            as_of=NOW,
            direction=Direction.LONG,
            size=Decimal("0.35"),
            size_unit="lots",
            entry=Decimal("2344.18"),
            profit=money("-79.8", "USD"),
            stop=Decimal("2310.5"),
            limit=None,
            opened_at=datetime(2025, 11, 12, 7, 41, 3, tzinfo=UTC),
            owner="Ines Okafor",
        ),
        Position(
            account="srv0000a/81002",
            id="7200502",
            symbol="EURUSD",
            name="EURUSD",
            as_of=NOW,
            direction=Direction.SHORT,
            size=Decimal(1),
            size_unit="lots",
            entry=Decimal("1.08455"),
            profit=money("154", "EUR"),
            stop=None,
            limit=Decimal("1.0712"),
            opened_at=datetime(2025, 11, 18, 14, 0, 59, tzinfo=UTC),
            owner="Pool",
        ),
    ]


def test_a_profit_without_a_known_currency_is_not_shown() -> None:
    (row,) = wire.parse_mt4_trades(trades_with()).records
    position = wire.mt4_position(NORTH, row, None, NOW)
    assert (position.profit, position.owner) == (None, "Ines Okafor")


@pytest.mark.parametrize("missing", ["symbol", "volume", "open_price", "profit"])
def test_a_trade_without_its_substance_is_unreadable(missing: str) -> None:
    (row,) = wire.parse_mt4_trades(trades_with(**{missing: None})).records
    with pytest.raises(ReplyError):
        wire.mt4_position(NORTH, row, None, NOW)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2025-11-12 07:41:03", datetime(2025, 11, 12, 7, 41, 3, tzinfo=UTC)),
        ("2025-11-12T09:41:03+02:00", datetime(2025, 11, 12, 7, 41, 3, tzinfo=UTC)),
        (1762933263250, datetime(2025, 11, 12, 7, 41, 3, 250000, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_a_time_is_read_in_each_form_that_occurs(written: object, moment: datetime | None) -> None:
    (row,) = wire.parse_mt4_trades(trades_with(open_time=written)).records
    assert wire.mt4_position(NORTH, row, None, NOW).opened_at == moment


@pytest.mark.parametrize("written", ["12/11/2025", "yesterday", 10**18, "0001-01-01T00:00:00+10:00"])
def test_a_time_that_is_none_is_unreadable(written: object) -> None:
    (row,) = wire.parse_mt4_trades(trades_with(open_time=written)).records
    with pytest.raises(ReplyError):
        wire.mt4_position(NORTH, row, None, NOW)


def test_numbers_of_accounts_may_be_texts() -> None:
    (row,) = wire.parse_mt4_accounts(accounts_with(login="81001", balance="5400.10")).records
    assert (row.login, row.balance) == ("81001", Decimal("5400.10"))


@pytest.mark.parametrize(
    "number",
    ['"NaN"', '"1_000"', '"1e3"', '" 1"', '"+1"', '"١"', '"1,5"', '""', "true", "[]", "{}", "NaN", "1e400", "1e15"],
)
def test_what_is_no_amount_is_never_shown_as_one(number: str) -> None:
    with pytest.raises(ReplyError):
        wire.parse_wallets(b'{"USD":' + number.encode() + b"}")


@pytest.mark.parametrize("wallets", [b'{"USD":null}', b'{"":1}', b'{"US-D":1}', b'{"USD":1,"USD":2}', b"[]", b"null"])
def test_wallets_not_as_documented_are_unreadable(wallets: bytes) -> None:
    with pytest.raises(ReplyError):
        wire.parse_wallets(wallets)


@pytest.mark.parametrize(
    "changes",
    [
        {"login": None},
        {"login": ""},
        {"login": -1},
        {"login": 1.5},
        {"login": True},
        {"currency": "US$"},
        {"currency": None},
        {"balance": None},
        {"balance": [1]},
        {"available_withdrawal": "plenty"},
        {"crm_user": []},
    ],
)
def test_accounts_not_as_documented_are_unreadable(changes: dict[str, Any]) -> None:
    with pytest.raises(ReplyError):
        wire.parse_mt4_accounts(accounts_with(**changes))


Parse = Callable[[bytes], object]
PAGES: list[Parse] = [wire.parse_clients, wire.parse_mt4_accounts, wire.parse_mt4_trades, wire.parse_transactions]


@pytest.mark.parametrize("parse", [*PAGES, wire.parse_mt4_connections, wire.parse_wallets])
@pytest.mark.parametrize("reply", [b"", b"null", b"7", b"<html>", b"[" * 90_000, b"\xff", b'{"a":1,"a":2}', b"[null]"])
def test_no_parser_takes_nonsense(parse: Parse, reply: bytes) -> None:
    with pytest.raises(ReplyError):
        parse(reply)


@pytest.mark.parametrize("parse", PAGES)
@pytest.mark.parametrize(
    "reply",
    [
        b"[]",
        b"{}",
        b'{"count":0}',
        b'{"records":[]}',
        b'{"count":-1,"records":[]}',
        b'{"count":"1","records":[]}',
        b'{"count":1.0,"records":[]}',
        b'{"count":1,"records":null}',
        b'{"count":1,"records":{}}',
        b'{"count":1,"records":[null]}',
        b'{"count":1,"records":[{}]}',
    ],
)
def test_no_page_is_half_read(parse: Parse, reply: bytes) -> None:
    with pytest.raises(ReplyError):
        parse(reply)


def test_a_reply_error_never_quotes_the_reply() -> None:
    with pytest.raises(ReplyError) as caught:
        wire.parse_mt4_accounts(accounts_with(balance="hush-hush"))
    assert "hush-hush" not in str(caught.value)
    assert "$.records[0].balance" in str(caught.value)


def test_the_report_is_counted() -> None:
    assert wire.parse_transactions(sample("post_report_transactions.json")).count == 41


def failure(type_: str) -> bytes:
    return json.dumps({"error": True, "code": 400, "type": type_}).encode()


def test_success_is_no_error() -> None:
    assert wire.error_of(200, b"{}") is None


def test_the_samples_refusal_names_its_type() -> None:
    error = wire.error_of(403, sample("error.json"))
    assert isinstance(error, CredentialRefusedError)
    assert error.code == "invalid_signature"


@pytest.mark.parametrize(
    ("status", "reply", "kind", "code"),
    [
        (403, failure("invalid_api_key"), CredentialRefusedError, "invalid_api_key"),
        (403, failure("invalid_signature"), CredentialRefusedError, "invalid_signature"),
        (401, b"", CredentialRefusedError, "http 401"),
        (403, b"<html>blocked</html>", RefusedError, "http 403"),
        (403, failure("access_denied"), RefusedError, "access_denied"),
        (400, failure("account_not_found"), RefusedError, "account_not_found"),
        (400, b'{"message": "no type here"}', RefusedError, "http 400"),
        (400, b'{"type": 7}', RefusedError, "http 400"),
        (400, failure("free text, perhaps a name"), RefusedError, "http 400"),
        (404, failure("not_found"), RefusedError, "http 404"),
        (404, b"", RefusedError, "http 404"),
        (429, b"slow down", BusyError, "http 429"),
    ],
)
def test_a_refusal_is_told_by_status_and_type(status: int, reply: bytes, kind: type[RefusedError], code: str) -> None:
    error = wire.error_of(status, reply)
    assert isinstance(error, kind)
    assert type(error) is kind
    assert error.code == code


def test_too_often_carries_the_wish() -> None:
    error = wire.error_of(429, b"", 3.0)
    assert isinstance(error, BusyError)
    assert error.retry_after_seconds == 3.0


@pytest.mark.parametrize("status", [500, 502, 503])
def test_their_own_trouble_is_a_fault(status: int) -> None:
    assert isinstance(wire.error_of(status, b"oops"), FaultError)


@pytest.mark.parametrize("status", [201, 204, 302])
def test_a_status_no_read_has_is_unreadable(status: int) -> None:
    assert isinstance(wire.error_of(status, b""), ReplyError)
