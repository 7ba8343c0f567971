"""What every request and reply of Capital.com has in common. Pure.

A reply is parsed strictly (no NaN, no duplicate keys, exact numbers) and then fitted to Structs. They name only the
fields this house uses; what else arrives is left alone. Whatever does not fit is a `ReplyError` that says where, and
never what.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from bot.errors import ReplyError
from bot.money import Currency, Money, check_number
from bot.network.strictjson import loads

NAME = "capital"
BASE = "/api/v1"

_JSON = {"Content-Type": "application/json"}
_PLACE = re.compile(r"`(\$[^`]*)`$")

Wire = TypeVar("Wire")
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Code = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9]{2,20}\Z")]
"""A currency; whatever fits is one that `Currency.of` takes."""
Name = Annotated[str, msgspec.Meta(max_length=200)]
Millis = Annotated[int, msgspec.Meta(gt=0, lt=10**14)]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Number(Decimal):
    """A JSON number within our bounds: exact, finite; text that looks like a number is not one."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without the headers that prove who asks. `path` has its query with it."""

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """What the body needs said about it."""
        return _JSON if self.body is not None else {}


Body = Mapping[str, str | bool | int | Decimal | tuple[str, ...] | Mapping[str, int] | None]


def path(*parts: str) -> str:
    """Under the API's base; the parts are escaped."""
    return "/".join((BASE, *(quote(part, safe="") for part in parts)))


def asked(where: str, **query: str | None) -> Request:
    """A question; what is None is not asked for."""
    given = {key: value for key, value in query.items() if value is not None}
    return Request("GET", f"{where}?{urlencode(given, safe=',:')}" if given else where)


def told(method: str, where: str, body: Body) -> Request:
    """A request with a body. Numbers go out digit for digit, without an exponent."""
    exact = {key: msgspec.Raw(f"{one:f}".encode()) if isinstance(one, Decimal) else one for key, one in body.items()}
    return Request(method, where, msgspec.json.encode(exact))


def moment(when: datetime) -> str:
    """As inputs want it: UTC, whole seconds, no zone."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def from_millis(millis: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=millis)


def utc(when: datetime | None) -> datetime | None:
    """Fields named …UTC carry no zone and mean UTC; their bare twins are local and never read."""
    if when is None or when.tzinfo is None:
        return None if when is None else when.replace(tzinfo=UTC)
    return when.astimezone(UTC)


def sure(when: datetime) -> datetime:
    """The same where a moment is always told."""
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def money(number: Number, currency: str) -> Money:
    return Money.reading(Decimal(number), Currency.of(currency))


def plain(number: Number | None) -> Decimal | None:
    return None if number is None else Decimal(number)


def fit(what: str, body: bytes, shape: type[Wire]) -> Wire:
    """The body as the Struct it should be."""
    try:
        return msgspec.convert(loads(body), shape, dec_hook=_number)
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        raise ReplyError(NAME, f"{what}: not as documented at {place.group(1) if place else '$'}") from None
    except ValueError:
        raise ReplyError(NAME, f"{what}: not strict JSON") from None


def _number(kind: type, raw: Any) -> Number:
    if kind is Number and type(raw) in (int, Decimal):
        return Number(check_number(Decimal(raw)))
    raise ValueError("wrong type")
