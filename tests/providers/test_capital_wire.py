"""Capital.com's requests and replies, against whole samples and hostile ones."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bot.errors import BusyError, CredentialRefusedError, FaultError, ProviderError, RefusedError, ReplyError
from bot.money import Currency, Money
from bot.providers import capital
from bot.providers.capital import wire
from bot.providers.records import Account, Balance, Direction, Environment, Position

SAMPLES = Path(capital.__file__).parent / "samples"
NOON = datetime(2024, 5, 14, 12, 0, tzinfo=UTC)
USD, EUR = Currency("USD"), Currency("EUR")


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def altered(name: str, old: str, new: str) -> bytes:
    """A sample with one thing wrong; fails when the sample has no such thing."""
    text = sample(name).decode()
    assert old in text
    return text.replace(old, new, 1).encode()


def test_requests_go_to_the_documented_paths() -> None:
    built = [
        wire.build_encryption_key(),
        wire.build_login("a@b.example", "p", encrypted=False),
        wire.build_logout(),
        wire.build_accounts(),
        wire.build_positions(),
    ]
    assert [(request.method, request.path) for request in built] == [
        ("GET", "/api/v1/session/encryptionKey"),
        ("POST", "/api/v1/session"),
        ("DELETE", "/api/v1/session"),
        ("GET", "/api/v1/accounts"),
        ("GET", "/api/v1/positions"),
    ]


@pytest.mark.parametrize("encrypted", [True, False])
def test_a_login_says_in_a_boolean_whether_the_password_is_encrypted(encrypted: bool) -> None:
    request = wire.build_login("desk@quay.example", 'pä"ss', encrypted=encrypted)
    assert request.body is not None
    assert json.loads(request.body) == {
        "identifier": "desk@quay.example",
        "password": 'pä"ss',
        "encryptedPassword": encrypted,
    }
    assert request.headers == {"Content-Type": "application/json"}
    assert wire.build_accounts().headers == {}


def test_a_login_request_does_not_show_its_password() -> None:
    assert "sesame" not in repr(wire.build_login("desk@quay.example", "sesame", encrypted=False))


def test_the_encryption_key_comes_with_the_servers_milliseconds() -> None:
    key = wire.parse_encryption_key(sample("get_encryption_key.json"))
    assert key.time_stamp == 1715680929733
    assert len(key.encryption_key) == 392  # base64 of the 294 bytes of a 2048-bit key


def test_a_login_names_the_active_account_and_all_of_them() -> None:
    reply = wire.parse_login(sample("post_session.json"))
    assert reply.current_account_id == "227700000000000082"
    assert [account.account_name for account in reply.accounts] == ["Hedging book", "EUR"]


def test_a_login_of_2023_has_shorter_accounts() -> None:
    assert len(wire.parse_login(sample("post_session_2023.json")).accounts) == 1


def test_accounts_become_ours() -> None:
    rows = wire.parse_accounts(sample("get_accounts.json"))
    assert wire.accounts_of(rows, Environment.LIVE) == (
        Account("227700000000000081", "Hedging book", USD, Environment.LIVE, "CFD"),
        Account("227700000000000082", "EUR", EUR, Environment.LIVE, "CFD"),
    )


def test_balances_keep_every_digit() -> None:
    rows = wire.parse_accounts(sample("get_accounts.json"))
    assert wire.balances_of(rows, Environment.DEMO, NOON) == (
        Balance(
            account="227700000000000081",
            name="Hedging book",
            amount=Money(Decimal("96.1"), USD),
            as_of=NOON,
            environment=Environment.DEMO,
            available=Money(Decimal(0), USD),
            profit=Money(Decimal("-13.9"), USD),
            kind="CFD",
        ),
        Balance(
            account="227700000000000082",
            name="EUR",
            amount=Money(Decimal("18240.37"), EUR),
            as_of=NOON,
            environment=Environment.DEMO,
            available=Money(Decimal("15102.95"), EUR),
            profit=Money(Decimal("240.37"), EUR),
            kind="CFD",
        ),
    )


def test_a_number_that_floats_cannot_hold_arrives_whole() -> None:
    body = altered("get_accounts.json", "18240.37", "123456789012.0123456789")
    assert wire.balances_of(wire.parse_accounts(body), Environment.DEMO, NOON)[1].amount.text() == (
        "123456789012.0123456789"
    )


def test_an_account_that_may_not_deal_is_mentioned() -> None:
    rows = wire.parse_accounts(sample("get_accounts.json"))
    assert wire.restrictions_of(rows) == ("Capital.com marks account 227700000000000081 as suspended from dealing.",)


def test_positions_become_ours() -> None:
    gold, euro = wire.parse_positions(sample("get_positions.json"), "227700000000000082", NOON)
    assert gold == Position(
        account="227700000000000082",
        id="00771204-0055-311e-0000-000080c41108",
        symbol="GOLD",
        name="Gold",
        as_of=NOON,
        direction=Direction.LONG,
        size=Decimal("3.5"),
        size_unit="units",
        entry=Decimal("2349.18"),
        now=Decimal("2345.75"),
        profit=Money(Decimal("-12.005"), USD),
        margin=Money(Decimal("410.51"), USD),
        stop=Decimal(2310),
        limit=Decimal("2400.5"),
        opened_at=datetime(2024, 5, 14, 9, 41, 9, 733000, tzinfo=UTC),
    )
    assert euro == Position(
        account="227700000000000082",
        id="00093310-0055-311e-0000-000080c40e7a",
        symbol="EURUSD",
        name="EUR/USD",
        as_of=NOON,
        direction=Direction.SHORT,
        size=Decimal(12000),
        size_unit="units",
        entry=Decimal("1.08344"),
        now=Decimal("1.08"),
        profit=Money(Decimal("41.28"), USD),
        margin=Money(Decimal("432.00"), USD),
        opened_at=datetime(2024, 5, 13, 16, 0, 0, 4000, tzinfo=UTC),
        stop_kind="trailing",
        stop_distance=Decimal("0.0025"),
    )


def test_a_guaranteed_stop_is_said() -> None:
    body = altered("get_positions.json", '"guaranteedStop": false', '"guaranteedStop": true')
    assert wire.parse_positions(body, "1", NOON)[0].stop_kind == "guaranteed"


def test_a_position_without_quotes_or_extras_is_still_one() -> None:
    body = b"""{"positions": [{"position": {"dealId": "d", "direction": "BUY", "size": 1, "level": 2, "upl": 0,
        "currency": "usd"}, "market": {"epic": "E", "instrumentName": "N"}}]}"""
    (position,) = wire.parse_positions(body, "1", NOON)
    assert (position.now, position.stop, position.limit, position.opened_at) == (None, None, None, None)
    assert position.profit == Money(Decimal(0), USD)


def test_nothing_open_is_an_answer() -> None:
    assert wire.parse_positions(b'{"positions": []}', "1", NOON) == ()


@pytest.mark.parametrize(
    "number",
    [
        "NaN",
        "Infinity",
        '"96.1"',
        '"NaN"',
        '"1_000"',
        "1_000",
        "1e400",
        "1e99999999999999999999",
        "1e15",
        "1000000000000000",
        "123456789012345678901234567890",
        "0.1234567890123456789",
        "null",
        "true",
        "[96.1]",
        "{}",
        '{"balance": 1}',
        "-",
        "",
        '96.1, "balance": 97.1',
    ],
)
def test_what_is_not_one_plain_number_is_not_an_amount(number: str) -> None:
    with pytest.raises(ReplyError):
        wire.parse_accounts(altered("get_accounts.json", "96.1", number))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"BUY"', '"HOLD"'),
        ('"BUY"', '"buy"'),
        ('"size": 3.5', '"size": "3.5"'),
        ('"level": 2349.18', '"level": null'),
        ('"upl": -12.005', '"pl": -12.005'),
        ('"upl": -12.005', '"upl": NaN'),
        ('"bid": 2345.75', '"bid": "2345.75"'),
        ('"stopLevel": 2310', '"stopLevel": [2310]'),
        ('"createdDateUTC": "2024-05-14T09:41:09.733"', '"createdDateUTC": "yesterday"'),
        ('"createdDateUTC": "2024-05-14T09:41:09.733"', '"createdDateUTC": 1715680869733'),
        ('"currency": "USD"', '"currency": "U$D"'),
        ('"currency": "USD"', '"currency": "USD\\n"'),
        ('"trailingStop": false', '"trailingStop": "false"'),
        ('"dealId": "00771204-0055-311e-0000-000080c41108"', '"dealId": 771204'),
        ('"epic": "GOLD"', f'"epic": "{"G" * 65}"'),
    ],
)
def test_a_position_that_is_not_as_documented_is_refused(old: str, new: str) -> None:
    with pytest.raises(ReplyError, match=r"positions"):
        wire.parse_positions(altered("get_positions.json", old, new), "1", NOON)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"accounts"',
        b"<html>504 Gateway Time-out</html>",
        b'{"accounts": null}',
        b'{"accounts": {}}',
        b'{"accounts": [null]}',
        b'{"accounts": [[]]}',
        b'{"accounts": []',
        b'{"accounts": [], "accounts": []}',
        b'{"accounts": []} []',
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
    ],
)
def test_a_body_that_is_no_list_of_accounts_is_refused(body: bytes) -> None:
    with pytest.raises(ReplyError):
        wire.parse_accounts(body)


@pytest.mark.parametrize("stamp", ["0", "-1", "true", '"1715680929733"', "1715680929733.0", "100000000000000", "null"])
def test_a_timestamp_that_is_not_milliseconds_is_refused(stamp: str) -> None:
    with pytest.raises(ReplyError):
        wire.parse_encryption_key(altered("get_encryption_key.json", "1715680929733", stamp))


def test_a_refused_reply_is_named_by_place_not_by_content() -> None:
    with pytest.raises(ReplyError) as caught:
        wire.parse_positions(altered("get_positions.json", '"BUY"', '"TOP-SECRET"'), "1", NOON)
    assert str(caught.value) == "capital: positions: not as documented at $.positions[0].position.direction"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "error.null.api.key", CredentialRefusedError),
        (401, "error.invalid.api.key", CredentialRefusedError),
        (401, "error.invalid.details", CredentialRefusedError),
        (401, "error.null.accountId", CredentialRefusedError),
        (401, "error.invalid.session.token", CredentialRefusedError),
        (400, "error.null.client.token", CredentialRefusedError),
        (403, "error.something.new", CredentialRefusedError),
        (429, "error.too-many.requests", BusyError),
        (400, "error.too-many.requests", BusyError),
        (400, "error.invalid.from", RefusedError),
        (400, "error.invalid.stoploss.minvalue: 17.146", RefusedError),
        (404, "error.not-found.dealId", RefusedError),
        (500, "error.unknown", FaultError),
        (503, "error.service.unavailable", FaultError),
        (400, "java.util.concurrent.TimeoutException", FaultError),
    ],
)
def test_codes_become_errors_of_ours(status: int, code: str, kind: type[ProviderError]) -> None:
    error = wire.error_of(status, json.dumps({"errorCode": code}).encode())
    assert type(error) is kind
    assert code in str(error)


def test_a_code_keeps_its_value() -> None:
    error = wire.error_of(400, sample("error.json"))
    assert isinstance(error, RefusedError)
    assert error.code == "error.invalid.stoploss.minvalue: 17.146"


def test_a_key_on_the_wrong_host_is_explained() -> None:
    error = wire.error_of(401, b'{"errorCode": "error.null.accountId"}')
    assert error is not None
    assert "a live key was used on demo, or a demo key on live" in error.detail


def test_a_wish_to_wait_travels_with_the_error() -> None:
    error = wire.error_of(429, b"", 7.5)
    assert isinstance(error, BusyError)
    assert error.retry_after_seconds == 7.5


def test_200_is_no_error_and_the_only_success() -> None:
    assert wire.error_of(200, b"{}") is None
    assert type(wire.error_of(204, b"")) is ReplyError


@pytest.mark.parametrize(
    "body", [b"<html><b>Bad gateway</b>", b'{"errorCode": 17}', b'{"errorCode": "<b>hello</b>"}', b"", b"[]"]
)
def test_an_error_body_that_holds_no_code_is_not_passed_on(body: bytes) -> None:
    assert str(wire.error_of(502, body)) == "capital: http 502"
    assert str(wire.error_of(418, body)) == "capital: http 418"
