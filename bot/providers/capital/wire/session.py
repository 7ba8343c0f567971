"""Logging in and out, the active account, the time. Pure. Source: reference, General and Session."""

from datetime import datetime
from typing import Annotated

import msgspec

from bot.providers.capital.wire.grammar import BASE, Body, Code, Id, Millis, Name, Request, fit, from_millis, told
from bot.providers.records import Environment


class EncryptionKey(msgspec.Struct, frozen=True, rename="camel"):
    """The server's public key for one login: base64 of a DER SubjectPublicKeyInfo, and its epoch milliseconds."""

    encryption_key: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    time_stamp: Millis


class LoginAccount(msgspec.Struct, frozen=True, rename="camel"):
    """An account as the login reply lists it."""

    account_id: Id
    account_name: Name


class LoginReply(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a successful login. The tokens are not in it; they are headers."""

    current_account_id: Id
    accounts: tuple[LoginAccount, ...]
    has_active_demo_accounts: bool | None = None
    has_active_live_accounts: bool | None = None
    streaming_host: Annotated[str, msgspec.Meta(max_length=500)] | None = None

    @property
    def environment(self) -> Environment | None:
        """The only one in which this person has active accounts; None when they have both, or it is not told."""
        match (self.has_active_live_accounts, self.has_active_demo_accounts):
            case (True, False):
                return Environment.LIVE
            case (False, True):
                return Environment.DEMO
            case _:
                return None


class SessionDetails(msgspec.Struct, frozen=True, rename="camel"):
    """A session as it stands."""

    account_id: Id
    currency: Code | None = None
    stream_endpoint: Annotated[str, msgspec.Meta(max_length=500)] | None = None


class _Switched(msgspec.Struct, frozen=True, rename="camel"):
    dealing_enabled: bool | None = None


class _Status(msgspec.Struct, frozen=True):
    status: str


class _Time(msgspec.Struct, frozen=True, rename="camel"):
    server_time: Millis


def build_encryption_key() -> Request:
    """Ask for the key that one login's password is encrypted with."""
    return Request("GET", f"{BASE}/session/encryptionKey")


def build_login(identifier: str, password: str, *, encrypted: bool) -> Request:
    """Log in. `password` is the API key's own password, or its ciphertext when `encrypted`."""
    body: Body = {"identifier": identifier, "password": password, "encryptedPassword": encrypted}
    return told("POST", f"{BASE}/session", body)


def build_logout() -> Request:
    """End the session; its tokens die."""
    return Request("DELETE", f"{BASE}/session")


def build_session() -> Request:
    """Ask how the session stands: which account is active."""
    return Request("GET", f"{BASE}/session")


def build_switch(account: str) -> Request:
    """Make another account the active one. New tokens come with the answer, and streams end."""
    return told("PUT", f"{BASE}/session", {"accountId": account})


def build_ping() -> Request:
    """Keep the session alive."""
    return Request("GET", f"{BASE}/ping")


def build_time() -> Request:
    """Ask for the server's time; needs no session."""
    return Request("GET", f"{BASE}/time")


def parse_encryption_key(body: bytes) -> EncryptionKey:
    """`ReplyError` when it is not one; whether the key itself is sound is for `auth` to find out."""
    return fit("encryption key", body, EncryptionKey)


def parse_login(body: bytes) -> LoginReply:
    """Which account is active, and which there are."""
    return fit("login", body, LoginReply)


def parse_session(body: bytes) -> SessionDetails:
    return fit("session", body, SessionDetails)


def parse_switched(body: bytes) -> bool | None:
    """Whether the account that is active now may deal, where that is told."""
    return fit("switch", body, _Switched).dealing_enabled


def parse_status(body: bytes) -> str:
    """SUCCESS, OK: the one word of an answer that has nothing else to say."""
    return fit("status", body, _Status).status


def parse_time(body: bytes) -> datetime:
    return from_millis(fit("time", body, _Time).server_time)
