"""What an answer's status and `errorCode` mean. Pure.

Source: Capital.com Public API reference, Errors and each section; its Postman collection; see README.md.
"""

import re

import msgspec

from bot.errors import BusyError, CredentialRefusedError, FaultError, ProviderError, RefusedError, ReplyError
from bot.providers.capital.wire.grammar import NAME, fit

_CODE = re.compile(r"[A-Za-z0-9._-]{1,100}(?:: ?[0-9.]{1,20})?", re.ASCII)
_JAVA_CLASS = re.compile(r"(?:java|javax|com|org)\..+|.+(?:Exception|Error)", re.ASCII)

NOT_HERE = "error.null.accountId"
"""A good login that has no account in this environment: it belongs to the other one."""
SAME_ACCOUNT = "error.not-different.accountId"
NO_PRICES = "error.prices.not-found"
"""Nothing lies in the window: the end of the data, and no failure."""
NOT_YET = "error.not-found.dealReference"
"""No such reference, or not yet: a deal that was done may be known by its reference a moment later only."""
NO_DEAL = "error.not-found.dealId"
NO_MARKET = "error.not-found.epic"
"""Of a list: no such market, or it is not on it."""
SESSION_OVER = frozenset({"error.invalid.session.token", "error.null.client.token"})
"""Documented: the request was refused for its tokens, before anything was done."""
CREDENTIAL_CODES = {
    "error.null.api.key": "no API key arrived",
    "error.invalid.api.key": "the API key is unknown, expired, or made for the other environment",
    "error.invalid.details": "wrong identifier, or not the password that was chosen for this API key",
    NOT_HERE: "no account here: a live key was used on demo, or a demo key on live",
    "error.null.client.token": "no session",
    "error.invalid.session.token": "the session is over; another login with the same key may have ended it",
    "error.security.client-token-missing": "no session",
}
"""Codes about who asks, in whatever status they come; the last is the API's ancestor's, never yet seen here."""
_MISSING = re.compile(r"error\.not-found\.(?:epic|dealId|nodeId|watchlist)|error\.invalid\.watchlist", re.ASCII)
_BEFORE_ANY_EFFECT = re.compile(
    r"error\.(?:null|invalid|not-found|not-in-future|size|validation)\.[A-Za-z0-9._-]+(?:: ?[0-9.]+)?", re.ASCII
)


class _Failure(msgspec.Struct, frozen=True, rename="camel"):
    error_code: str


def error_of(status: int, body: bytes, retry_after_seconds: float | None = None) -> ProviderError | None:
    """What an answer's status and `errorCode` mean; None for 200, the only status of success."""
    if status == 200:
        return None
    code = _code(body) or f"http {status}"
    if status == 429 or code == "error.too-many.requests":
        return BusyError(NAME, code, retry_after_seconds)
    if status >= 500 or code == "error.service.unavailable" or _JAVA_CLASS.fullmatch(code):
        return FaultError(NAME, code)
    if status in (401, 403) or code in CREDENTIAL_CODES:
        return CredentialRefusedError(NAME, code, CREDENTIAL_CODES.get(code, ""))
    if status >= 400:
        return RefusedError(NAME, code)
    return ReplyError(NAME, f"unexpected status {status}")


def is_missing(error: RefusedError) -> bool:
    """Whether it says that there is no such thing."""
    return _MISSING.fullmatch(error.code) is not None


def is_session_over(error: RefusedError) -> bool:
    """Whether the request was refused for its tokens, by a documented code: nothing was done."""
    return error.code in SESSION_OVER


def is_before_any_effect(status: int, code: str) -> bool:
    """Whether a money call was refused as documented, for what it says, and nothing was done."""
    return status in (400, 404) and code not in CREDENTIAL_CODES and _BEFORE_ANY_EFFECT.fullmatch(code) is not None


def _code(body: bytes) -> str | None:
    """The `errorCode` when it looks like one; other text may be anything, so it is not passed on."""
    try:
        code = fit("error", body, _Failure).error_code
    except ReplyError:
        return None
    return code if _CODE.fullmatch(code) else None
