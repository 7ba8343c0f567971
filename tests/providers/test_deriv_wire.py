"""Deriv's frames: what is built, what is read, and what is refused."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.errors import (
    BusyError,
    CredentialRefusedError,
    FaultError,
    ProviderError,
    RefusedError,
    ReplyError,
    ScopeMissingError,
)
from bot.money import Currency, Money
from bot.providers.deriv import wire
from bot.providers.deriv.wire import Body, Call, Session, balances, contracts, grammar, logins, reasons, service
from bot.providers.records import Account, Balance, Direction, Environment, Position

SAMPLES = Path(wire.__file__).parent.parent / "samples"
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
USD, BTC, EUR = Currency("USD"), Currency("BTC"), Currency("EUR")
DEMO = Account("VRTC310044", "Demo", USD, Environment.DEMO, "binary")
REAL = Account("CR220051", "Real", USD, Environment.LIVE, "binary")


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.json").read_text(encoding="utf-8")


def body(frame: str) -> Body:
    said = grammar.parse_frame(frame).said
    assert not isinstance(said, ReplyError)
    return said


def changed(name: str, *path: str | int, to: str) -> str:
    """A sample with one value replaced by raw JSON text."""
    parsed: Any = json.loads(sample(name))
    at = parsed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = "\0here\0"
    return json.dumps(parsed).replace('"\\u0000here\\u0000"', to)


# -- requests --


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (logins.build_authorize("abcDEF123456789").frame(1), {"authorize": "abcDEF123456789", "req_id": 1}),
        (balances.build_balance("current").frame(2), {"balance": 1, "account": "current", "req_id": 2}),
        (balances.build_balance("all").frame(2), {"balance": 1, "account": "all", "req_id": 2}),
        (contracts.build_portfolio().frame(3), {"portfolio": 1, "req_id": 3}),
        (service.build_ping().frame(4), {"ping": 1, "req_id": 4}),
    ],
)
def test_a_request_is_the_documented_object_and_nothing_more(frame: str, expected: dict[str, object]) -> None:
    assert json.loads(frame) == expected


# -- frames --


def test_a_frame_says_whose_answer_it_is_and_forgets_what_was_asked() -> None:
    reply = grammar.parse_frame('{"echo_req":{"authorize":"not masked!"},"msg_type":"ping","ping":"pong","req_id":9}')
    assert reply.req_id == 9
    assert reply.said == {"msg_type": "ping", "ping": "pong", "req_id": 9}


def test_json_in_a_binary_frame_is_read_too() -> None:
    assert grammar.parse_frame(b'{"req_id":9,"msg_type":"ping","ping":"pong"}').req_id == 9


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "null",
        "7",
        '"text"',
        "[]",
        '[{"req_id":1}]',
        "{}",
        '{"req_id":null}',
        '{"req_id":"1"}',
        '{"req_id":true}',
        '{"req_id":1.0}',
        '{"req_id":[1]}',
        '{"msg_type":"error","error":{"code":"BadRequest","message":"…"}}',
        "{not json",
        b"\xff\xfe",
        "[" * 100_000,
        '{"balance":' + "[" * 40 + "]" * 40 + "}",
    ],
)
def test_a_frame_of_which_nobody_knows_whose_it_is_is_an_error_of_the_connection(frame: str | bytes) -> None:
    with pytest.raises(ReplyError):
        grammar.parse_frame(frame)


@pytest.mark.parametrize(
    "frame",
    [
        '{"req_id": 5, "balance": {"balance": NaN}}',
        '{"req_id": 5, "balance": {"balance": Infinity}}',
        '{"req_id": 5, "balance": {"balance": 1e400}}',
        '{"req_id": 5, "balance": {"balance": 111111111111111111111}}',
        '{"req_id": 5, "balance": {"balance": 1, "balance": 2}}',
        '{"req_id": 5, "x": ' + "[" * 40 + "]" * 40 + "}",
        '{"req_id": 5, "balance": ',
        '{"echo_req": {"req_id": 5}, "req_id" : 5, "balance": {"balance": -NaN}}',
        b'{"req_id": 5, "balance": "\xff"}',
        '{"req_id": 5, "portfolio": {"contracts": [{"contract_id": 1, "longcode": "\\ud800"}]}}',
    ],
)
def test_a_broken_frame_that_names_its_question_fails_only_that_question(frame: str | bytes) -> None:
    reply = grammar.parse_frame(frame)
    assert reply.req_id == 5
    assert isinstance(reply.said, ReplyError)


def test_a_broken_frame_that_names_two_questions_fails_none_by_guessing() -> None:
    with pytest.raises(ReplyError):
        grammar.parse_frame('{"req_id": 5, "echo_req": {"req_id": 6}, "x": NaN}')


# -- refusals --


def refused(code: object, call: Call = Call.BALANCE) -> ProviderError | None:
    return wire.refusal(call, {"error": {"code": code, "message": "Some text."}, "msg_type": call.value})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InvalidToken", CredentialRefusedError),
        ("AuthorizationRequired", CredentialRefusedError),
        ("DisabledClient", CredentialRefusedError),
        ("SelfExclusion", CredentialRefusedError),
        ("InvalidAppID", CredentialRefusedError),
        ("RateLimit", BusyError),
        ("WrongResponse", FaultError),
        ("CallError", FaultError),
        ("Timeout", FaultError),
        ("SystemMaintenance", FaultError),
        ("InputValidationFailed", RefusedError),
        ("SomethingNobodyKnows", RefusedError),
    ],
)
def test_an_error_code_says_whose_fault_it_is(code: str, kind: type[ProviderError]) -> None:
    error = refused(code)
    assert type(error) is kind
    assert "Some text" not in str(error)
    if isinstance(error, RefusedError):
        assert error.code == code


@pytest.mark.parametrize("call", [Call.BALANCE, Call.PORTFOLIO])
def test_a_missing_scope_is_named(call: Call) -> None:
    error = refused("PermissionDenied", call)
    assert isinstance(error, ScopeMissingError)
    assert error.scope == "read or trading_information"


def test_a_scope_that_the_token_has_is_not_what_is_missing() -> None:
    error = refused("PermissionDenied", Call.BALANCE)
    reader, payer, unnamed = (
        Session(REAL, (REAL,), NOON, scopes) for scopes in (frozenset({"read"}), frozenset({"payments"}), None)
    )
    assert payer.weighed(Call.BALANCE, error) is error
    told = reader.weighed(Call.BALANCE, error)
    assert type(told) is RefusedError
    assert told.code == "PermissionDenied"
    assert unnamed.weighed(Call.BALANCE, error) is error  # in 2016 nobody told


@pytest.mark.parametrize("code", [None, 7, "", "two\nlines", "<b>", "x" * 65, "Ünknown", ["InvalidToken"]])
def test_a_code_that_is_none_is_never_repeated(code: object) -> None:
    error = refused(code)
    assert type(error) is ReplyError
    assert str(error) == "deriv: error without a readable code"


@pytest.mark.parametrize("error", ["null", "[]", '"InvalidToken"', "{}"])
def test_an_error_of_the_wrong_shape_is_still_no_success(error: str) -> None:
    said = {**body(sample("balance_current")), "error": json.loads(error)}
    assert isinstance(wire.refusal(Call.BALANCE, said), ReplyError)


def test_a_payload_beside_an_error_counts_for_nothing() -> None:
    both = {**body(sample("balance_current")), "error": {"code": "WrongResponse", "message": ""}}
    with pytest.raises(FaultError):
        balances.parse_balance(both, DEMO, NOON)


# -- authorize --


def test_an_api_tokens_login_is_read() -> None:
    session = logins.parse_authorize(body(sample("authorize_api_token")), NOON)
    assert session == Session(DEMO, (DEMO,), NOON, frozenset({"read", "trade"}), "desk@example.org")
    assert session.environment is Environment.DEMO
    assert session.others == 0


def test_an_oauth_login_lists_all_accounts_of_the_person() -> None:
    session = logins.parse_authorize(body(sample("authorize_oauth")), NOON)
    assert session.own == REAL
    assert session.others == 3
    assert session.accounts == (
        REAL,
        Account("CR220052", "Real", BTC, Environment.LIVE, "binary"),
        Account("CR220053", "Real", None, Environment.LIVE, "binary"),
        Account("VRTC310051", "Demo", USD, Environment.DEMO, "binary"),
    )


@pytest.mark.parametrize(
    ("loginid", "environment"), [("CR7", Environment.LIVE), ("VRTC7", Environment.DEMO), ("VRW7", Environment.DEMO)]
)
def test_the_bare_reply_of_2016_is_enough(loginid: str, environment: Environment) -> None:
    session = logins.parse_authorize(
        {"msg_type": "authorize", "authorize": {"loginid": loginid, "currency": "USD"}, "req_id": 1}, NOON
    )
    assert session.own.id == loginid
    assert session.environment is environment
    assert session.others == 0


def test_the_flag_counts_more_than_the_letters_of_the_login() -> None:
    frame = changed("authorize_api_token", "authorize", "is_virtual", to="0")
    frame = frame.replace('"is_virtual": 1', '"is_virtual": 0')
    assert logins.parse_authorize(body(frame), NOON).environment is Environment.LIVE


def test_an_account_that_is_demo_and_real_at_once_is_refused() -> None:
    with pytest.raises(ReplyError):
        logins.parse_authorize(body(changed("authorize_api_token", "authorize", "is_virtual", to="0")), NOON)


@pytest.mark.parametrize(
    "payload",
    ["null", "[]", "1", '"VRTC1"', "{}", '{"loginid":null}', '{"loginid":7}', '{"loginid":"<b>"}'],
)
def test_a_login_that_cannot_be_read_is_a_reply_error(payload: str) -> None:
    with pytest.raises(ReplyError):
        logins.parse_authorize(body(changed("authorize_api_token", "authorize", to=payload)), NOON)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("account_list",), "{}"),
        (("account_list",), "null"),
        (("account_list", 0), "null"),
        (("account_list", 0, "loginid"), "7"),
        (("account_list", 0, "is_virtual"), "2"),
        (("account_list", 0, "is_virtual"), "true"),
        (("currency",), '"U$D"'),
        (("is_virtual",), '"1"'),
    ],
)
def test_one_wrong_type_in_a_login_spoils_it(path: tuple[str | int, ...], value: str) -> None:
    with pytest.raises(ReplyError):
        logins.parse_authorize(body(changed("authorize_api_token", "authorize", *path, to=value)), NOON)


def test_a_refused_token_says_so() -> None:
    with pytest.raises(CredentialRefusedError) as caught:
        logins.parse_authorize(body(sample("error_invalid_token")), NOON)
    assert caught.value.code == "InvalidToken"


# -- balance --


def test_the_own_balance_is_read_digit_for_digit() -> None:
    found = balances.parse_balance(body(sample("balance_current")), DEMO, NOON)
    amount = Money(Decimal("9987.4"), USD)
    assert found.items == (Balance("VRTC310044", "Demo", amount, NOON, Environment.DEMO, kind="deriv"),)
    assert found.notes == ()


def test_all_balances_are_read_each_with_its_own_environment() -> None:
    found = balances.parse_balance(body(sample("balance_all")), REAL, NOON)
    assert found.items == (
        Balance("CR220051", "Real", Money(Decimal("18250.75"), USD), NOON, Environment.LIVE, kind="deriv"),
        Balance("CR220052", "Real", Money(Decimal("0.10203040"), BTC), NOON, Environment.LIVE, kind="deriv"),
        Balance("MTR4410", "Real MT5", Money(Decimal("-3.2"), EUR), NOON, Environment.LIVE, kind="mt5"),
        Balance("VRTC310051", "Demo", Money(Decimal("10000"), USD), NOON, Environment.DEMO, kind="deriv"),
    )
    assert found.items[1].amount.text() == "0.10203040"
    assert found.notes == ("CR220053 has no currency yet.", "MTR4410 cannot be used at present.")
    assert found.totals == ("In all, as Deriv counts it: 27,860.86 USD real, 10,000.00 USD demo, -3.47 USD real MT5.",)


def test_an_answer_about_another_account_is_never_shown() -> None:
    with pytest.raises(ReplyError):
        balances.parse_balance(body(sample("balance_current")), REAL, NOON)


@pytest.mark.parametrize(
    "number",
    ['"9987.4"', '"NaN"', '"1_000"', "null", "true", "[]", "{}", "1e15", "1000000000000000", "0.1234567890123456789"],
)
def test_a_balance_that_is_no_plain_number_is_never_shown(number: str) -> None:
    frame = changed("balance_current", "balance", "balance", to=number)
    with pytest.raises(ReplyError):
        balances.parse_balance(body(frame), DEMO, NOON)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), "null"),
        ((), "[]"),
        ((), "9987.4"),
        (("loginid",), "null"),
        (("currency",), "null"),
        (("currency",), '"U$D"'),
        (("currency",), '""'),  # with 18250.75 in it
        (("accounts",), "[]"),
        (("accounts",), "null"),
        (("accounts", "CR220052"), "null"),
        (("accounts", "CR220052"), "{}"),
        (("accounts", "CR220052", "balance"), '"0.1"'),
        (("accounts", "CR220052", "balance"), "1e50"),
        (("accounts", "CR220052", "demo_account"), "2"),
        (("accounts", "CR220052", "currency"), '"B TC"'),
        (("accounts", "CR220053", "balance"), "5"),  # of no currency
        (("accounts", "CR220051", "demo_account"), "1"),  # the login said real
        (("accounts",), '{"<a href=x>1000": {"balance": 1, "currency": "USD", "demo_account": 0, "status": 1}}'),
    ],
)
def test_one_wrong_entry_spoils_the_whole_reading(path: tuple[str, ...], value: str) -> None:
    frame = changed("balance_all", "balance", *path, to=value)
    if path == ("currency",):
        frame = frame.replace('"CR220051": {', '"CR220050": {')  # so that the top level speaks for the own account
    with pytest.raises(ReplyError):
        balances.parse_balance(body(frame), REAL, NOON)


def test_an_answer_to_another_call_is_not_taken_for_a_balance() -> None:
    said = {**body(sample("balance_current")), "msg_type": "transaction"}
    with pytest.raises(ReplyError):
        balances.parse_balance(said, DEMO, NOON)


def test_fields_nobody_knew_are_passed_over() -> None:
    frame = changed("balance_current", "balance", "balance", to='1.50, "surprise": {"new": [1]}')
    found = balances.parse_balance(body(frame), DEMO, NOON)
    assert found.items[0].amount == Money(Decimal("1.50"), USD)


# -- portfolio --


def test_a_multiplier_tells_at_which_prices_it_is_closed() -> None:
    said = {
        "contract_id": 281000018,
        "contract_type": "MULTUP",
        "current_spot": 110,
        "limit_order": {
            "stop_out": {"display_name": "Stop out", "order_date": 1760000000, "value": "99.50"},
            "stop_loss": {"order_amount": -20, "value": "104.25"},
            "take_profit": {"value": None},
        },
    }
    found = contracts.parse_open_contract({"proposal_open_contract": said}, "CR220051", NOON)
    assert found is not None
    assert (found.stop_out, found.stop, found.limit) == (Decimal("99.50"), Decimal("104.25"), None)


def test_open_contracts_are_read() -> None:
    positions = contracts.parse_portfolio(body(sample("portfolio")), "CR220051", NOON)
    assert positions == (
        Position(
            "CR220051",
            "281000017",
            "R_100",
            "R_100",
            NOON,
            direction=Direction.LONG,
            opened_at=datetime(2026, 1, 2, 10, 0, tzinfo=UTC),
            expires_at=datetime(2026, 1, 2, 11, 0, tzinfo=UTC),
            price_paid=Money(Decimal("25.5"), USD),
            payout=Money(Decimal("49.83"), USD),
            description="Pays out when the Volatility 100 Index stands above its entry spot 1 hour after the start.",
        ),
        Position(
            "CR220051",
            "281000018",
            "frxEURUSD",
            "frxEURUSD",
            NOON,
            direction=Direction.SHORT,
            opened_at=datetime(2026, 1, 2, 10, 1, tzinfo=UTC),
            expires_at=datetime(2125, 12, 9, 10, 1, tzinfo=UTC),
            price_paid=Money(Decimal(100), USD),
            payout=None,
            description="Gains 50 times the fall of EUR/USD <b>&</b> loses as much when it rises.",
        ),
        Position(
            "CR220051",
            "281000019",
            "R_10",
            "R_10",
            NOON,
            direction=None,
            opened_at=datetime(2026, 1, 2, 10, 1, 1, tzinfo=UTC),
            expires_at=None,
            price_paid=Money(Decimal(1), USD),
            payout=Money(Decimal("9.15"), USD),
            description="Pays out when the last digit is 7.",
        ),
    )


def test_nothing_open_is_an_empty_list() -> None:
    assert contracts.parse_portfolio(body(changed("portfolio", "portfolio", "contracts", to="[]")), "CR1", NOON) == ()


def test_a_price_without_a_currency_is_left_out_rather_than_guessed() -> None:
    frame = changed("portfolio", "portfolio", "contracts", 0, "currency", to='""')
    position = contracts.parse_portfolio(body(frame), "CR220051", NOON)[0]
    assert position.price_paid is None
    assert position.payout is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), "null"),
        ((), "[]"),
        (("contracts",), "null"),
        (("contracts",), "{}"),
        (("contracts", 1), "null"),
        (("contracts", 1), "[]"),
        (("contracts", 1, "contract_id"), "null"),
        (("contracts", 1, "contract_id"), '"281000018"'),
        (("contracts", 1, "contract_id"), "1.5"),
        (("contracts", 1, "buy_price"), '"NaN"'),
        (("contracts", 1, "buy_price"), '"100"'),
        (("contracts", 1, "buy_price"), "1e20"),
        (("contracts", 1, "payout"), "false"),
        (("contracts", 1, "currency"), '"U D"'),
        (("contracts", 1, "purchase_time"), "99999999999999"),
        (("contracts", 1, "expiry_time"), '"1767348060"'),
        (("contracts", 1, "longcode"), "7"),
    ],
)
def test_one_wrong_contract_spoils_the_whole_list(path: tuple[str | int, ...], value: str) -> None:
    with pytest.raises(ReplyError):
        contracts.parse_portfolio(body(changed("portfolio", "portfolio", *path, to=value)), "CR220051", NOON)


def test_a_portfolio_without_the_right_names_the_scope() -> None:
    with pytest.raises(ScopeMissingError):
        contracts.parse_portfolio(body(sample("error_permission_denied")), "CR220051", NOON)


def test_too_many_portfolios_are_a_wish_to_slow_down() -> None:
    with pytest.raises(BusyError):
        contracts.parse_portfolio(body(sample("error_rate_limit")), "CR220051", NOON)


def test_each_reason_of_a_refusal_says_what_it_means_and_then_what_would_help() -> None:
    for code, words in reasons.REASONS.items():
        assert re.fullmatch(r"[A-Za-z_]+", code)
        assert re.fullmatch(r"[^;.]+; [^;.]+", words), code
    assert reasons.in_words("PriceMoved").endswith("ask anew (PriceMoved)")
    assert reasons.in_words("SomethingNew") == "SomethingNew"
