"""What all calls of the Open API have in common: how one is asked, and how strictly a reply is read. Pure.

A reply is parsed strictly (no NaN, no duplicate keys, exact numbers) and then fitted to Structs. They name only the
fields this house uses; what else arrives is left alone. Whatever does not fit is a `ReplyError` that says where, and
never what. Success has no envelope: the body is the object, the array, or a page `{"count", "records"}`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from bot.errors import BusyError, CredentialRefusedError, FaultError, ProviderError, RefusedError, ReplyError
from bot.money import Currency, Money, check_number
from bot.network.strictjson import loads
from bot.providers.crm import body as bodies

NAME = "crm"
NO_SUCH_PATH = "http 404"

_BASE = "/public/v1"
_WINDOW_DAYS = 88
"""The shortest three months are 89 days; whether the last day counts is not said."""
_AHEAD_DAYS = 2
"""The last day may not count, and a trading server's calendar may be a day ahead of ours."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPE = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
_PLACE = re.compile(r"`(\$[^`]*)`$")
_PLAIN = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)
_MOST_CHARACTERS = 2000

Item = TypeVar("Item")
Shape = TypeVar("Shape")
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
"""Eight letters and digits by the pages, sometimes digits only: a text in any case."""
Code = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9]{2,20}\Z")]
"""A currency; whatever fits is one that `Currency.of` takes."""


class Number(Decimal):
    """An exact, finite number within our bounds, from a JSON number or from a text of plain digits: both occur."""


class Reference(str):
    """The number of an account or order, from a JSON number or a text; never calculated with."""

    __slots__ = ()


class Text(str):
    """Something only shown: the pages type it as a text, and it comes as a number or an object by language, too."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without the headers that prove who asks. `body` is what will be signed, byte for byte."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Window:
    """Two days of the calendar, at most three months apart."""

    start: date
    end: date


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """A part of a list; `count` is the length of the whole."""

    count: Annotated[int, msgspec.Meta(ge=0)]
    records: tuple[Item, ...]


class Created(msgspec.Struct, frozen=True):
    """What a call that makes something answers, where it answers anything."""

    id: Text | None = None


class Phone(msgspec.Struct, frozen=True):
    """A telephone number in two parts."""

    country_code: Text | None = None
    number: Text | None = None

    @property
    def whole(self) -> str:
        return f"+{self.country_code} {self.number}" if self.country_code and self.number else self.number or ""


class Field(msgspec.Struct, frozen=True):
    """A field of a form of the tenant's own. `label` and `value` are shown as text, whatever they were."""

    key: Text
    type: Text | None = None
    label: Text | None = None
    value: Text | None = None

    @property
    def title(self) -> str:
        return self.label or self.key


class _Failure(msgspec.Struct, frozen=True):
    type: str


def windows(today: date, count: int) -> tuple[Window, ...]:
    """`count` windows backwards from just after `today`, each beginning where the next one ends."""
    last = today + timedelta(days=_AHEAD_DAYS)
    ends = [last - timedelta(days=_WINDOW_DAYS * number) for number in range(count)]
    return tuple(Window(end - timedelta(days=_WINDOW_DAYS), end) for end in ends)


def windows_between(start: date, end: date) -> tuple[Window, ...]:
    """The days from `start` to `end`, newest first, in windows the pages allow; each begins where the next ends."""
    found = [end]
    while found[-1] > start:
        found.append(max(start, found[-1] - timedelta(days=_WINDOW_DAYS)))
    if len(found) == 1:
        return (Window(start, end),)
    return tuple(Window(early, late) for late, early in pairwise(found))


def error_of(status: int, reply: bytes, retry_after_seconds: float | None = None) -> ProviderError | None:
    """What an answer's status and `type` mean; None for 200, the only success of a read.

    A 404 keeps the code `NO_SUCH_PATH` whatever its type says, so that a missing call can be told from a missing thing.
    """
    if status == 200:
        return None
    code = _type(reply) or f"http {status}"
    if status == 429:
        return BusyError(NAME, code, retry_after_seconds)
    if status >= 500:
        return FaultError(NAME, code)
    if status == 401 or code in _CREDENTIAL_TYPES:
        return CredentialRefusedError(NAME, code, _CREDENTIAL_TYPES.get(code, ""))
    if status == 404:
        return RefusedError(NAME, NO_SUCH_PATH, code if code != NO_SUCH_PATH else "")
    if status >= 400:
        return RefusedError(NAME, code)
    return ReplyError(NAME, f"unexpected status {status}")


_CREDENTIAL_TYPES = {
    "invalid_api_key": "the API key is absent, unknown or deleted",
    "invalid_signature": "the key is known, its signature is not: the tenant may want another auth_version",
}


def get(path: str, **params: str | int) -> Request:
    return Request("GET", _BASE + path, {name: str(value) for name, value in params.items()})


def send(method: str, path: str, fields: bodies.Fields) -> Request:
    """A request with a body; what is None is left out."""
    there = {name: value for name, value in fields.items() if value is not None}
    return Request(method, _BASE + path, body=bodies.encode(there))


def segment(text: str) -> str:
    """A part of a path that cannot lead elsewhere.

    Raises:
        RefusedError: The text is no id, so nobody has it.
    """
    if not _ID.fullmatch(text):
        raise RefusedError(NAME, "not_an_id", "an id is letters and digits")
    return text


_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def is_missing(error: RefusedError) -> bool:
    """Whether there is no such thing: a type that says so, or a 404 about a thing and not about the path."""
    what = error.detail.split()[-1] if error.code == NO_SUCH_PATH else error.code
    return what not in ("not_found", "404") and what.endswith(("_not_found", "_not_exists", "_not_exsits"))


def lacks_call(error: RefusedError) -> bool:
    """Whether this tenant does not have the call at all."""
    return error.code == NO_SUCH_PATH and not is_missing(error)


def money(number: Number, currency: str) -> Money:
    return Money.reading(Decimal(number), Currency.of(currency))


def price(number: Number | None) -> Decimal | None:
    """Zero is how MT4 writes "none"."""
    return Decimal(number) if number else None


def moment(written: str | int | None) -> datetime | None:
    """`YYYY-MM-DD HH:mm:ss` (UTC), ISO 8601 or milliseconds, as they occur on the pages."""
    if written is None or written == "":
        return None
    try:
        if isinstance(written, int):
            return _EPOCH + timedelta(milliseconds=written)
        found = datetime.fromisoformat(written)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ReplyError(NAME, "a time that is none") from None


def _type(reply: bytes) -> str | None:
    """The `type` of a failure when it looks like one; other text may be anything, so it is not passed on."""
    try:
        found = fit("error", reply, _Failure).type
    except ReplyError:
        return None
    return found if _TYPE.fullmatch(found) else None


def fit(what: str, reply: bytes, shape: type[Shape]) -> Shape:
    try:
        return msgspec.convert(loads(reply), shape, dec_hook=_read)
    except msgspec.ValidationError as error:
        raise _misfit(what, error) from None
    except ValueError:
        raise ReplyError(NAME, f"{what}: not strict JSON") from None


def glance(what: str, told: bytes, decoder: msgspec.json.Decoder[Shape]) -> Shape:
    """What is only a reason to ask: typed, and many times quicker than `fit`, which reads what counts."""
    try:
        return decoder.decode(told)
    except msgspec.ValidationError as error:
        raise _misfit(what, error) from None
    except (ValueError, RecursionError):
        raise ReplyError(NAME, f"{what}: not JSON") from None


def decoder_of(shape: type[Shape]) -> msgspec.json.Decoder[Shape]:
    return msgspec.json.Decoder(shape, dec_hook=_read)


def _misfit(what: str, error: msgspec.ValidationError) -> ReplyError:
    place = _PLACE.search(str(error))
    return ReplyError(NAME, f"{what}: not as documented at {place.group(1) if place else '$'}")


def _read(kind: type, raw: Any) -> Number | Reference | Text:
    written = type(raw) is str
    if kind is Number and (type(raw) in (int, Decimal) or (written and _PLAIN.fullmatch(raw))):
        return Number(check_number(Decimal(raw)))
    if kind is Reference and ((type(raw) is int and raw >= 0) or (written and 0 < len(raw) <= 64)):
        return Reference(raw)
    if kind is Text:
        return Text(_shown(raw)[:_MOST_CHARACTERS])
    raise ValueError("wrong type")


def _shown(raw: Any) -> str:
    """A value as a person reads it; of several languages the first of English, Chinese, whatever is there."""
    match raw:
        case str():
            return raw
        case bool():
            return "yes" if raw else "no"
        case Decimal():
            return f"{check_number(raw):f}"
        case Mapping():
            for language in ("en-us", "en", "zh-cn"):
                if isinstance(raw.get(language), str):
                    return str(raw[language])
            return ", ".join(_shown(inner) for inner in raw.values())
        case Sequence():
            return ", ".join(_shown(inner) for inner in raw)
        case None:
            return ""
        case _:
            return str(raw)
