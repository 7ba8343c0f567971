"""How Capital.com is convinced: a key, a login that may be encrypted, and two tokens afterwards.

    GET  /session/encryptionKey    X-CAP-API-KEY   → an RSA key and the server's time   (encrypted login only)
    POST /session                  X-CAP-API-KEY   → headers CST and X-SECURITY-TOKEN
    everything else                CST, X-SECURITY-TOKEN

`CST` names the client, `X-SECURITY-TOKEN` the account that is active. Both live ten minutes after their last use, and
every reply may bring new ones. The pages call the encryption AES; the sample code beside that sentence is RSA, and so
is what works.

Source: Capital.com Public API reference, sections Authentication and Session.
"""

import base64
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from bot.errors import CredentialRefusedError, ReplyError
from bot.network.rest import Answer
from bot.providers.base import Login
from bot.providers.capital import wire
from bot.providers.records import Environment
from bot.secret import Secret

IDLE_SECONDS = 540.0
"""A session unused for longer is taken for dead: a minute less than the ten it is promised."""

_KEY_BITS = range(2048, 8193)
_PADDING_BYTES = 11  # PKCS #1 v1.5
_HEADER_VALUE = re.compile(r"[!-~]{1,4096}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The pair that proves a session."""

    client: Secret
    account: Secret

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """From a login's reply; `ReplyError` when one is missing or could not be sent back."""
        client, account = _token(headers, "CST"), _token(headers, "X-SECURITY-TOKEN")
        if client is None or account is None:
            raise ReplyError(wire.NAME, "login: no tokens in the headers")
        return cls(client, account)

    def renewed(self, headers: Mapping[str, str]) -> "Tokens":
        """The pair after a reply: what it brings replaces, what it leaves out or leaves empty stays."""
        return Tokens(_token(headers, "CST") or self.client, _token(headers, "X-SECURITY-TOKEN") or self.account)

    def are_in(self, headers: Mapping[str, str]) -> bool:
        """Whether a reply brings this very pair, as most do."""
        return headers.get("CST") == self.client.reveal() and headers.get("X-SECURITY-TOKEN") == self.account.reveal()

    def headers(self) -> dict[str, str]:
        """As every request carries them."""
        return {"CST": self.client.reveal(), "X-SECURITY-TOKEN": self.account.reveal()}


@dataclass(slots=True, eq=False)
class Session:
    """One login. Two logins are never equal, so a request can tell whether its own is still the one in use."""

    account: wire.LoginAccount
    """The active account: positions and orders are its own."""
    accounts: int
    """How many accounts the login named."""
    tokens: Tokens
    used_at: float
    """Monotonic seconds of the last request that was let in."""
    environment: Environment | None = None
    """As far as the login tells it."""
    listed: tuple[wire.LoginAccount, ...] = ()
    streaming_host: str | None = None
    """Where this session's streams are, as the login tells it."""

    def adopt(self, sent: Tokens, headers: Mapping[str, str]) -> bool:
        """Take up the tokens of a reply, unless they changed since its request left; answers whether they are new.

        An old request's late reply may repeat old tokens, even those of an account that is no longer active.
        """
        if self.tokens is not sent or sent.are_in(headers):
            return False
        renewed = sent.renewed(headers)
        if renewed.are_in(sent.headers()):
            return False
        self.tokens = renewed
        return True

    def stand_on(self, account: str) -> None:
        """Another account is the active one."""
        self.account = wire.LoginAccount(account, self.name_of(account))

    def name_of(self, account: str) -> str:
        """What its owner calls it; its number where the login did not list it."""
        return next((one.account_name for one in self.listed if one.account_id == account), account)

    def idle(self, now: float) -> bool:
        """Whether it lay still so long that the other side will have dropped it."""
        return now - self.used_at > IDLE_SECONDS


LoginSteps = Generator[wire.Request, Answer, Session]


def key_header(login: Login) -> dict[str, str]:
    """The header of the two requests that come before there are tokens."""
    key = login["api_key"].reveal()
    if not _HEADER_VALUE.fullmatch(key):
        raise CredentialRefusedError(wire.NAME, "unusable key", "the API key has characters no key has")
    return {"X-CAP-API-KEY": key}


def log_in(login: Login, *, encrypted: bool, now: float) -> LoginSteps:
    """The requests of one login, in order; send each answer back in. None of them is ever repeated.

    Args:
        encrypted: Whether the password travels as RSA ciphertext, at the price of one more request.
        now: Monotonic seconds; the new session counts as used then.
    """
    password = login["password"].reveal()
    if encrypted:
        answer = yield wire.build_encryption_key()
        password = encrypt_password(password, wire.parse_encryption_key(answer.body))
    answer = yield wire.build_login(login["identifier"].reveal(), password, encrypted=encrypted)
    reply = wire.parse_login(answer.body)
    tokens = Tokens.of(answer.headers)
    return Session(
        _active(reply), len(reply.accounts), tokens, now, reply.environment, reply.accounts, reply.streaming_host
    )


def encrypt_password(password: str, key: wire.EncryptionKey) -> str:
    """base64 of RSA, PKCS #1 v1.5, over base64 of `password|timeStamp`.

    The inner base64 is in every official sample. The padding is random: two calls never agree.

    Raises:
        ReplyError: The key is not an RSA public key of a sane size.
        CredentialRefusedError: The password is too long to be sent this way.
    """
    public = _public_key(key.encryption_key)
    inner = base64.b64encode(f"{password}|{key.time_stamp}".encode())
    if len(inner) > public.key_size // 8 - _PADDING_BYTES:
        raise CredentialRefusedError(
            wire.NAME, "password too long", "to be encrypted; encrypted_password = false helps"
        )
    return base64.b64encode(public.encrypt(inner, PKCS1v15())).decode()


def _public_key(text: str) -> RSAPublicKey:
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        raise ReplyError(wire.NAME, "encryption key: not a public key") from None
    if not isinstance(key, RSAPublicKey) or key.key_size not in _KEY_BITS:
        raise ReplyError(wire.NAME, "encryption key: not an RSA key of at least 2048 bits")
    return key


def _active(reply: wire.LoginReply) -> wire.LoginAccount:
    """The account the session stands on. `preferred` is no guide: it moves when another login does."""
    for account in reply.accounts:
        if account.account_id == reply.current_account_id:
            return account
    raise ReplyError(wire.NAME, "login: the active account is not among the accounts")


def _token(headers: Mapping[str, str], name: str) -> Secret | None:
    value = headers.get(name, "")
    return Secret(value) if _HEADER_VALUE.fullmatch(value) else None
