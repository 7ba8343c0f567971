"""How Capital.com is convinced, without a network: the ciphertext, the two requests, the tokens."""

import base64
import json

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.errors import CredentialRefusedError, ReplyError
from bot.network.rest import Answer
from bot.providers.capital import auth, wire
from bot.secret import Secret
from tests.providers.test_capital_wire import sample

LOGIN = {
    "api_key": Secret("key-of-the-desk"),
    "identifier": Secret("desk@quay.example"),
    "password": Secret("1111qqqq"),
}
TOKENS = {"CST": "c-1", "X-SECURITY-TOKEN": "s-1"}


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def offered(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, stamp: int = 1647440528194) -> wire.EncryptionKey:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return wire.EncryptionKey(base64.b64encode(der).decode(), stamp)


def answer(body: bytes, headers: dict[str, str] | None = None) -> Answer:
    return Answer(200, httpx.Headers(headers or {}, encoding="latin-1"), body)


def test_the_ciphertext_holds_base64_of_password_bar_timestamp(private: rsa.RSAPrivateKey) -> None:
    text = auth.encrypt_password("1111qqqq", offered(private))
    assert len(text) == 344
    inner = private.decrypt(base64.b64decode(text, validate=True), PKCS1v15())
    assert inner == b"MTExMXFxcXF8MTY0NzQ0MDUyODE5NA=="  # base64 of 1111qqqq|1647440528194


def test_letters_beyond_ascii_are_encrypted_as_utf_8(private: rsa.RSAPrivateKey) -> None:
    inner = private.decrypt(base64.b64decode(auth.encrypt_password("grün|€", offered(private, 7))), PKCS1v15())
    assert base64.b64decode(inner) == b"gr\xc3\xbcn|\xe2\x82\xac|7"


def test_169_bytes_of_password_fit_and_170_do_not(private: rsa.RSAPrivateKey) -> None:
    assert auth.encrypt_password("x" * 169, offered(private))
    with pytest.raises(CredentialRefusedError, match="encrypted_password = false") as caught:
        auth.encrypt_password("x" * 170, offered(private))
    assert "xxx" not in str(caught.value)


def test_a_key_that_is_not_a_sane_rsa_key_is_refused(private: rsa.RSAPrivateKey) -> None:
    good = offered(private)
    bad = [
        offered(ec.generate_private_key(ec.SECP256R1())),
        offered(rsa.generate_private_key(65537, 1024)),  # noqa: S505  # too small on purpose
        msgspec.structs.replace(good, encryption_key=good.encryption_key[:-8]),
        msgspec.structs.replace(good, encryption_key="not base64!"),
        msgspec.structs.replace(good, encryption_key=good.encryption_key + "\n"),
    ]
    for key in bad:
        with pytest.raises(ReplyError):
            auth.encrypt_password("p", key)


def test_an_encrypted_login_asks_for_a_key_first() -> None:
    steps = auth.log_in(LOGIN, encrypted=True, now=100.0)
    assert next(steps).path == "/api/v1/session/encryptionKey"
    request = steps.send(answer(sample("get_encryption_key.json")))
    assert (request.method, request.path) == ("POST", "/api/v1/session")
    assert request.body is not None
    body = json.loads(request.body)
    assert body["encryptedPassword"] is True
    assert len(body["password"]) == 344
    assert body["identifier"] == "desk@quay.example"


def test_a_plain_login_is_one_request_and_ends_in_a_session() -> None:
    steps = auth.log_in(LOGIN, encrypted=False, now=100.0)
    request = next(steps)
    assert request.body is not None
    assert json.loads(request.body)["password"] == "1111qqqq"
    with pytest.raises(StopIteration) as end:
        steps.send(answer(sample("post_session.json"), {"cst": "c-1", "x-security-token": "s-1"}))
    session = end.value.value
    assert session.account.account_id == "227700000000000082"  # not the preferred one
    assert session.accounts == 2
    assert session.tokens.headers() == TOKENS


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"CST": "c-1"},
        {"X-SECURITY-TOKEN": "s-1"},
        {"CST": "", "X-SECURITY-TOKEN": "s-1"},
        {"CST": "c 1", "X-SECURITY-TOKEN": "s-1"},
        {"CST": "ç-1", "X-SECURITY-TOKEN": "s-1"},
        {"CST": "c" * 4097, "X-SECURITY-TOKEN": "s-1"},
    ],
)
def test_a_login_without_two_usable_tokens_is_none(headers: dict[str, str]) -> None:
    steps = auth.log_in(LOGIN, encrypted=False, now=100.0)
    next(steps)
    with pytest.raises(ReplyError, match="no tokens"):
        steps.send(answer(sample("post_session.json"), headers))


def test_an_active_account_that_is_not_listed_is_refused() -> None:
    steps = auth.log_in(LOGIN, encrypted=False, now=100.0)
    next(steps)
    body = sample("post_session_2023.json").replace(
        b'"currentAccountId": "227700000000000081"', b'"currentAccountId": "227700000000000082"'
    )
    with pytest.raises(ReplyError, match="active account"):
        steps.send(answer(body, TOKENS))


def session() -> auth.Session:
    return auth.Session(wire.LoginAccount("1", "USD"), 1, auth.Tokens.of(TOKENS), used_at=1000.0)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"CST": "c-2", "X-SECURITY-TOKEN": "s-2"}, {"CST": "c-2", "X-SECURITY-TOKEN": "s-2"}),
        ({"X-SECURITY-TOKEN": "s-2"}, {"CST": "c-1", "X-SECURITY-TOKEN": "s-2"}),
        ({"CST": "", "X-SECURITY-TOKEN": "s-2"}, {"CST": "c-1", "X-SECURITY-TOKEN": "s-2"}),
        ({"CST": "ç", "X-SECURITY-TOKEN": "s 2"}, TOKENS),
        ({}, TOKENS),
    ],
)
def test_what_a_reply_brings_replaces_and_what_it_lacks_stays(
    headers: dict[str, str], expected: dict[str, str]
) -> None:
    one = session()
    one.adopt(one.tokens, headers)
    assert one.tokens.headers() == expected


def test_a_late_reply_does_not_bring_old_tokens_back() -> None:
    one = session()
    before = one.tokens
    one.adopt(before, {"CST": "c-2", "X-SECURITY-TOKEN": "s-2"})
    one.adopt(before, TOKENS)
    assert one.tokens.headers() == {"CST": "c-2", "X-SECURITY-TOKEN": "s-2"}


def test_a_session_is_idle_a_minute_before_its_ten_are_over() -> None:
    assert not session().idle(1540.0)
    assert session().idle(1540.1)


def test_a_key_that_cannot_be_a_header_is_refused_before_it_is_sent() -> None:
    with pytest.raises(CredentialRefusedError) as caught:
        auth.key_header({**LOGIN, "api_key": Secret("schlüssel\r\nX: y")})
    assert "schl" not in str(caught.value)


def test_tokens_are_not_seen() -> None:
    shown = repr(session()) + str(session().tokens)
    assert "c-1" not in shown
    assert "s-1" not in shown
