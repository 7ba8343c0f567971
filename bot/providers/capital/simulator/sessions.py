"""Who may come in: API keys, passwords (plain or encrypted), the two tokens and their ten minutes."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.network.strictjson import Json
from bot.providers.capital.simulator.calls import Call, Refused, Reply, flag, text
from bot.providers.capital.simulator.limits import Limits
from bot.providers.capital.simulator.state import Account, Session, User
from bot.providers.capital.simulator.world import World

IDLE_MS = 10 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Access:
    """An admitted caller: who, on which account, by which pair of tokens."""

    user: User
    account: Account
    cst: str = field(repr=False)
    token: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        return {"CST": self.cst, "X-SECURITY-TOKEN": self.token}


Authenticated = Callable[[Call, Access], Reply]
"""Answers one call of an admitted caller."""


@cache
def _key() -> rsa.RSAPrivateKey:
    """Made once in a process: making one takes longer than most tests."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Sessions:
    """Opens, checks, switches and ends sessions."""

    def __init__(self, world: World, limits: Limits) -> None:
        self.world = world
        self.limits = limits

    def public_key(self) -> str:
        """Base64 of the DER SubjectPublicKeyInfo."""
        der = _key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    def key_owner(self, headers: Mapping[str, str]) -> User:
        """Whose API key the header holds."""
        api_key = headers.get("X-CAP-API-KEY")
        if not api_key:
            raise Refused(400, "error.null.api.key")
        identifier = self.world.state.api_keys.get(api_key)
        if identifier is None:
            raise Refused(401, "error.invalid.api.key")
        return self.world.state.users[identifier]

    def login(self, headers: Mapping[str, str], body: Mapping[str, Json]) -> Access:
        """A new session on the preferred account."""
        user = self.key_owner(headers)
        self.limits.any_call(user.identifier)
        self.limits.login(headers["X-CAP-API-KEY"])
        identifier, password = text(body, "identifier"), text(body, "password")
        if flag(body, "encryptedPassword"):
            password = self._decrypted(password)
        if identifier != user.identifier or password != user.password:
            raise Refused(401, "error.invalid.details")
        if not user.account_ids:
            raise Refused(401, "error.null.accountId")
        return self._open(user)

    def _open(self, user: User) -> Access:
        state = self.world.state
        if state.options.one_session:
            kept = {cst: one for cst, one in state.sessions.items() if one.identifier != user.identifier}
            state.sessions = kept
        account = next(state.accounts[one] for one in user.account_ids if state.accounts[one].preferred)
        cst, token, now = self._fresh("cst"), self._fresh("token"), self.world.now_ms()
        state.sessions[cst] = Session(user.identifier, now, now, {token: account.id})
        state.logins += 1
        return Access(user, account, cst, token)

    def admit(self, headers: Mapping[str, str]) -> Access:
        """Check both tokens and start their ten minutes anew."""
        cst, token = headers.get("CST"), headers.get("X-SECURITY-TOKEN")
        if not cst or not token:
            raise Refused(400, "error.null.client.token")
        self._sweep()
        session = self.world.state.sessions.get(cst)
        if session is None or token not in session.tokens:
            raise Refused(401, "error.invalid.session.token")
        session.used_ms = self.world.now_ms()
        account = self.world.state.accounts[session.tokens[token]]
        return Access(self.world.state.users[session.identifier], account, cst, token)

    def switch(self, access: Access, account_id: str) -> Access:
        """The same session on another account, under a new account token."""
        if account_id not in access.user.account_ids:
            raise Refused(400, "error.invalid.accountId")
        if account_id == access.account.id:
            raise Refused(400, "error.not-different.accountId")
        token = self._fresh("token")
        self.world.state.sessions[access.cst].tokens[token] = account_id
        return Access(access.user, self.world.state.accounts[account_id], access.cst, token)

    def rotate(self, access: Access) -> Access:
        """A new pair for the same session; the old pair is dead."""
        session = self.world.state.sessions.pop(access.cst)
        cst, token = self._fresh("cst"), self._fresh("token")
        session.tokens = {token: access.account.id}
        self.world.state.sessions[cst] = session
        return Access(access.user, access.account, cst, token)

    def leave(self, access: Access) -> None:
        del self.world.state.sessions[access.cst]

    def alive(self, session: Session) -> bool:
        self._sweep()
        return any(one is session for one in self.world.state.sessions.values())

    def live(self) -> int:
        self._sweep()
        return len(self.world.state.sessions)

    def _sweep(self) -> None:
        """Forget what has died of age."""
        now = self.world.now_ms()
        cap_ms = self.world.state.options.session_cap_seconds * 1000
        for cst, session in list(self.world.state.sessions.items()):
            if now - session.used_ms >= IDLE_MS or (cap_ms and now - session.created_ms >= cap_ms):
                del self.world.state.sessions[cst]

    def _fresh(self, purpose: str) -> str:
        return base64.b32encode(self.world.draw(purpose)[:20]).decode()

    def _decrypted(self, ciphertext: str) -> str:
        """The password out of RSA(base64(password|timeStamp)), or out of RSA(password|timeStamp) where allowed."""
        try:
            inner = _key().decrypt(base64.b64decode(ciphertext, validate=True), padding.PKCS1v15())
        except ValueError:  # not base64, wrong length, wrong padding
            raise Refused(401, "error.invalid.details") from None
        for candidate in (_unwrapped(inner), inner if self.world.state.options.raw_password else b""):
            password, bar, stamp = candidate.rpartition(b"|")
            if bar and stamp.isdigit():
                return password.decode("utf-8", "replace")
        raise Refused(401, "error.invalid.details")


def _unwrapped(inner: bytes) -> bytes:
    try:
        return base64.b64decode(inner, validate=True)
    except binascii.Error:
        return b""
