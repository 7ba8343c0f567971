"""How Deriv is convinced: the address, the token's kind, and demo against real."""

import re
from datetime import UTC, datetime

import pytest

from bot.errors import CredentialRefusedError, FaultError
from bot.providers.deriv import SPEC, auth
from bot.providers.deriv.wire import Session
from bot.providers.records import Account, Environment

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://ws.derivws.com/websockets/v3", "wss://ws.derivws.com/websockets/v3?app_id=1089&l=EN"),
        ("wss://ws.derivws.com", "wss://ws.derivws.com/websockets/v3?app_id=1089&l=EN"),
        ("ws://127.0.0.1:4711/", "ws://127.0.0.1:4711/websockets/v3?app_id=1089&l=EN"),
        ("wss://proxy.example/deriv?old=1#x", "wss://proxy.example/deriv?app_id=1089&l=EN"),
    ],
)
def test_the_address_names_the_app_and_the_language(url: str, expected: str) -> None:
    assert auth.address(url, "EN", "1089") == expected


def test_what_is_written_into_the_address_cannot_add_to_it() -> None:
    assert auth.address("wss://h/p", "EN&app_id=7", "1&l=X") == "wss://h/p?app_id=1%26l%3DX&l=EN%26app_id%3D7"


def test_only_session_tokens_are_oauth() -> None:
    assert auth.is_oauth("a1-abcdefghijklmnopqrstuvwxyz012")
    assert not auth.is_oauth("a1bcdefghijklmn")
    assert not auth.is_oauth("A1-bcdefghijklm")


@pytest.mark.parametrize(
    ("found", "wanted"), [(Environment.DEMO, Environment.LIVE), (Environment.LIVE, Environment.DEMO)]
)
def test_demo_is_never_taken_for_real_nor_real_for_demo(found: Environment, wanted: Environment) -> None:
    account = Account("X1", "", None, found)
    with pytest.raises(CredentialRefusedError, match=f"belongs to {found}, declared {wanted}"):
        auth.admit(Session(account, (account,), NOON), wanted)
    auth.admit(Session(account, (account,), NOON), found)


def test_a_status_instead_of_a_socket() -> None:
    refused = auth.turned_away(401)
    assert isinstance(refused, CredentialRefusedError)
    assert refused.code == "HTTP401"
    assert isinstance(auth.turned_away(503), FaultError)
    assert auth.turned_away(403) is None


FIELDS = {field.key: field for field in SPEC.fields}


@pytest.mark.parametrize(
    ("key", "text", "fits"),
    [
        ("app_id", "1089", True),
        ("app_id", "0", False),
        ("app_id", "", False),
        ("app_id", "1089 ", False),
        ("app_id", "١٢٣", False),
        ("app_id", "1&l=EN", False),
        ("token", "abcDEF123456789", True),
        ("token", "a1-abcdefghijklmnopqrstuvwxyz012", True),
        ("token", "MULTI", False),
        ("token", "MULTIPLE", True),
        ("token", "r1-abcdefghijklmnopqrstuvwxyz012", False),
        ("token", "abc\tdef", False),
        ("token", "abc\n", False),
        ("token", 'a","tokens":["b', False),
        ("token", "x" * 129, False),
        ("token", "abcDEF123456789 a1-abcdefghijklmnopqrstuvwxyz012, zyxWVU987654321", True),
        ("token", "abcDEF123456789 MULTI", False),
        ("token", "abcDEF123456789 r1-abcdefghijklmnop", False),
        ("token", " ".join(["abcDEF123456789"] * 27), False),
    ],
)
def test_a_login_is_looked_at_before_deriv_is_asked(key: str, text: str, fits: bool) -> None:
    assert (re.fullmatch(FIELDS[key].pattern, text) is not None) is fits


def test_the_first_of_several_tokens_is_the_logins_own_and_each_counts_once() -> None:
    assert auth.tokens_in("first second,third , second") == ("first", "second", "third")


def test_the_token_is_secret_and_the_app_id_is_not() -> None:
    assert FIELDS["token"].secret
    assert FIELDS["token"].default is None
    assert not FIELDS["app_id"].secret
    assert FIELDS["app_id"].default == "1089"
