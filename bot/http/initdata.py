"""Whether Telegram opened a page, and for whom: the `initData` of a Mini App. Pure.

    initData        key=value&…, percent-encoded; `hash` is one of the keys
    check string    every other pair as key=value, decoded, sorted by key, joined by line feeds
    hash            hex of HMAC-SHA-256(HMAC-SHA-256("WebAppData", bot token), check string)

Source: Telegram, "Mini Apps", section "Validating data received via the Mini App". The newer `signature`, which lets
others verify without the token, is one of the pairs.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import msgspec

MAX_AGE = timedelta(minutes=5)
MAX_AHEAD = timedelta(seconds=30)
"""Telegram's clock and ours need not agree to the second."""
_LONGEST = 8192
_MOST_PAIRS = 32


class _User(msgspec.Struct, frozen=True):
    id: int


class InitDataError(ValueError):
    """What was presented does not prove anything; `is_old` when it once did."""

    def __init__(self, *, is_old: bool = False) -> None:
        super().__init__("old" if is_old else "not ours")
        self.is_old = is_old


def user_in(raw: str, bot_token: str, now: datetime) -> int:
    """The numeric Telegram id of whoever opened the page.

    Raises:
        InitDataError: It is not Telegram's, not for this bot, not whole, older than five minutes, or of the future.
    """
    pairs = _pairs(raw)
    presented = pairs.pop("hash", "")
    key = hmac.digest(b"WebAppData", bot_token.encode(), "sha256")
    lines = "\n".join(f"{name}={pairs[name]}" for name in sorted(pairs))
    expected = hmac.new(key, lines.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(presented.encode(), expected.encode()):
        raise InitDataError
    _check_age(pairs.get("auth_date", ""), now)
    try:
        return msgspec.json.decode(pairs.get("user", ""), type=_User).id
    except (msgspec.MsgspecError, RecursionError):
        raise InitDataError from None


def _pairs(raw: str) -> dict[str, str]:
    if len(raw) > _LONGEST:
        raise InitDataError
    try:
        listed = parse_qsl(
            raw, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MOST_PAIRS
        )
    except ValueError:
        raise InitDataError from None
    pairs = dict(listed)
    if len(pairs) != len(listed):
        raise InitDataError  # a key twice: which one was signed?
    return pairs


def _check_age(text: str, now: datetime) -> None:
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise InitDataError
    opened_at = datetime.fromtimestamp(int(text), UTC)
    if opened_at - now > MAX_AHEAD:
        raise InitDataError
    if now - opened_at > MAX_AGE:
        raise InitDataError(is_old=True)
