"""Capital.com's WebSocket as values. Pure.

Every message carries the session's tokens; answers name the `correlationId` of their question, as text. Data have
none. One Struct takes every frame at once: there are thousands of quotes a second, and each is read once.

Source: reference, WebSocket; section 4 of the notes in README.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal

import msgspec

from bot.errors import ProviderError, RefusedError, ReplyError
from bot.money import check_number
from bot.providers.capital.wire.failures import error_of
from bot.providers.capital.wire.grammar import NAME
from bot.providers.records import Candle, Quote

MOST_EPICS = 40
PROCESSED = "PROCESSED"
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MOST_MILLIS = 10**14
_PLAIN_DIGITS = 12
"""So many characters without an exponent are within every bound; whatever is longer is looked at."""
_NOTHING = msgspec.Raw()


class _Error(msgspec.Struct, rename="camel"):
    error_code: str = ""


class _Payload(msgspec.Struct, rename="camel"):
    """Of any frame. Numbers stay text until somebody wants them: exact, and text in quotes is none."""

    epic: str = ""
    resolution: str = ""
    type: str = ""
    price_type: str = ""
    t: int = 0
    o: msgspec.Raw = _NOTHING
    h: msgspec.Raw = _NOTHING
    l: msgspec.Raw = _NOTHING  # noqa: E741  # its name there
    c: msgspec.Raw = _NOTHING
    subscriptions: dict[str, str] | None = None
    error_code: str = ""
    error: _Error | None = None


class _Frame(msgspec.Struct, rename="camel"):
    destination: str = ""
    status: str = ""
    correlation_id: str | int | None = None
    payload: _Payload | None = None
    error_code: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back to a question."""

    number: str
    subscriptions: Mapping[str, str]
    error: ProviderError | None = None


@dataclass(frozen=True, slots=True)
class Half:
    """A minute on one side of the market: they come one by one."""

    epic: str
    at: datetime
    side: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


Heard = Quote | Half | Reply | None
"""None: a frame of a kind nobody knows, or a price that is none."""


class _Prices(msgspec.Struct, gc=False):
    epic: str
    bid: msgspec.Raw
    ofr: msgspec.Raw
    timestamp: int


class _QuoteFrame(msgspec.Struct, gc=False):
    """Most frames are this one, and the shorter shape is read in half the time."""

    destination: Literal["quote"]
    payload: _Prices


_quote_frame = msgspec.json.Decoder(_QuoteFrame)
_frame = msgspec.json.Decoder(_Frame)


def build(destination: str, number: int, tokens: Mapping[str, str], payload: Mapping[str, object]) -> str:
    """One message. `tokens` as the headers of a request hold them."""
    message = {
        "destination": destination,
        "correlationId": str(number),
        "cst": tokens["CST"],
        "securityToken": tokens["X-SECURITY-TOKEN"],
        "payload": payload,
    }
    return msgspec.json.encode(message).decode()


def quotes_of(epics: Iterable[str]) -> Mapping[str, object]:
    return {"epics": list(epics)}


def minutes_of(epics: Iterable[str], *, ending: bool = False) -> Mapping[str, object]:
    """Begun with a `type`, ended with `types`: so it is documented."""
    kind: dict[str, object] = {"types": ["classic"]} if ending else {"type": "classic"}
    return {"epics": list(epics), "resolutions": ["MINUTE"], **kind}


def epic_of(key: str) -> str:
    """GOLD, of GOLD and of GOLD:MINUTE:classic."""
    return key.partition(":")[0]


def parse(text: str | bytes) -> Heard:
    """One frame.

    Raises:
        ReplyError: It is not JSON. A frame that is, but does not say what it should, says nothing.
    """
    try:
        return _quote(_quote_frame.decode(text).payload)
    except msgspec.ValidationError:
        pass  # any other frame
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ReplyError(NAME, "stream: not JSON") from None
    try:
        frame = _frame.decode(text)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ReplyError(NAME, "stream: not JSON") from None
    payload = frame.payload
    if frame.destination == "ohlc.event" and payload is not None:
        return _half(payload)
    return _reply(frame)


def candle_of(bid: Half, ask: Half) -> Candle:
    """Halfway between the two sides."""
    return Candle(
        bid.epic,
        bid.at,
        _MINUTE,
        (bid.open + ask.open) / 2,
        (bid.high + ask.high) / 2,
        (bid.low + ask.low) / 2,
        (bid.close + ask.close) / 2,
    )


def refusal_of(status: str) -> RefusedError:
    """Of one epic, by any word but PROCESSED."""
    word = status if status.isascii() and status.replace(".", "").replace("-", "").isalnum() else "refused"
    return RefusedError(NAME, word[:100])


def _quote(payload: _Prices) -> Quote | None:
    bid, ask = _price(payload.bid), _price(payload.ofr)
    if bid is None or ask is None or not payload.epic or not 0 < payload.timestamp < _MOST_MILLIS:
        return None
    return Quote(payload.epic, bid, ask, datetime.fromtimestamp(payload.timestamp / 1000, UTC))


def _half(payload: _Payload) -> Half | None:
    prices = [_price(one) for one in (payload.o, payload.h, payload.l, payload.c)]
    is_ours = payload.resolution == "MINUTE" and payload.type == "classic" and payload.price_type in ("bid", "ask")
    if not is_ours or not payload.epic or not 0 < payload.t < _MOST_MILLIS:
        return None
    first, high, low, last = prices
    if first is None or high is None or low is None or last is None:
        return None
    return Half(payload.epic, _EPOCH + payload.t * _MILLISECOND, payload.price_type, first, high, low, last)


def _price(raw: msgspec.Raw) -> Decimal | None:
    """A number above nought; None for text, null, and what no price can be."""
    text = str(raw, "utf-8")
    return _known_price(text) if len(text) <= _PLAIN_DIGITS else _price_of(text)


def _price_of(text: str) -> Decimal | None:
    try:
        price = Decimal(text)
        if len(text) > _PLAIN_DIGITS or "e" in text or "E" in text:
            check_number(price)
    except (InvalidOperation, ValueError):  # of what JSON allows, only numbers are numbers here, too
        return None
    return price if price > 0 else None


_known_price = lru_cache(maxsize=4096)(_price_of)
"""Prices move to and fro: most have been read before. Only short ones are kept."""


def _reply(frame: _Frame) -> Reply | None:
    if frame.correlation_id is None and frame.status != "ERROR":
        return None
    payload = frame.payload or _Payload()
    error: ProviderError | None = None
    if frame.status != "OK":
        nested = "" if payload.error is None else payload.error.error_code
        code = payload.error_code or frame.error_code or nested
        error = error_of(400, msgspec.json.encode({"errorCode": code}))
    return Reply(str(frame.correlation_id or ""), payload.subscriptions or {}, error)
