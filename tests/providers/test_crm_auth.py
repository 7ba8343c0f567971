"""The CRM's signatures. Expected values were made with openssl, or are the documentation's known answers."""

import pytest

from bot.errors import CredentialRefusedError
from bot.providers.crm import SPEC, auth, wire
from bot.secret import Secret

KEY = "pub-key-A1b2C3d4"
BODY = b'{"skip":0,"limit":1,"start":"2025-08-26","end":"2025-11-22"}'


def login(key: str = KEY) -> dict[str, Secret]:
    return {"api_key": Secret(key)}


def test_v2_gives_the_known_answer() -> None:
    expected = "sha256=49f6116583ea710f7ac738fe15b39cc0d67801a669e3acc2f7d3fd19ca046535"
    assert auth.sign_v2("demo-key-1", b'{"id":"b7c8d9e0"}') == expected


def test_v1_gives_the_known_answer() -> None:
    written = b'{"id":"b7c8d9e0","comment":"too late"}'
    assert auth.sign_v1("demo-key-1", written) == "3D5A0A774A96EEE1912BD7F8E49D791AAE0AE0D2"


def test_v1_writes_values_as_javascript_does() -> None:
    written = '{"mail":true,"comment":"出金","rate":0.5}'.encode()
    assert auth.sign_v1("demo-key-1", written) == "3D0DF1EF02D1F4BC37E399C7B9D31D8AD4E0ED87"


@pytest.mark.parametrize("written", [b"[]", b'"x"', b'{"a":{}}', b'{"a":["b"]}', b'{"a":null}', b'{"a":""}', b"{"])
def test_v1_signs_no_body_it_cannot_write_in_one_way(written: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        auth.sign_v1("demo-key-1", written)


def test_a_body_travels_with_the_signature_of_its_own_bytes() -> None:
    request = wire.Request("POST", "/public/v1/report/transactions", body=BODY)
    assert auth.headers(login(), request, "v2") == {
        "key": KEY,
        "signature": "sha256=a3cc49613e2be1ce3c895a9364d7228f6dbb60bc90ab3d5ccb2de663b74dc7bd",
        "Content-Type": "application/json",
    }


def test_v1_is_signed_when_asked_for() -> None:
    request = wire.Request("POST", "/public/v1/report/transactions", body=BODY)
    assert auth.headers(login(), request, "v1") == {
        "key": KEY,
        "signature": "DBC1F21A6D7DB5B3441D35C3DAB8E7EF5A128E2A",
        "Content-Type": "application/json",
    }


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_without_a_body_there_is_only_the_key(version: auth.Version) -> None:
    assert auth.headers(login(), wire.build_clients(0, 1), version) == {"key": KEY}


@pytest.mark.parametrize("key", ["", "two words", "key\nsignature: x", "clé-secrète", "x" * 513])
def test_a_key_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(CredentialRefusedError) as caught:
        auth.headers(login(key), wire.build_clients(0, 1), "v2")
    assert caught.value.code == "unusable key"
    assert not key or key not in str(caught.value)


def test_only_the_key_is_asked_of_a_person_and_it_is_secret() -> None:
    (field,) = SPEC.fields
    assert (field.key, field.secret) == ("api_key", True)
