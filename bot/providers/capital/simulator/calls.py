"""One request as the broker reads it, and how it says no."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from starlette.requests import Request

from bot.network.strictjson import Json, loads

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_MOST_DIGITS = 12
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


class Refused(Exception):  # noqa: N818  # reads as what it is: the broker refused
    """Answered as `{"errorCode": …}` with this status."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Call:
    """What a request brought; `body` is empty for GET and DELETE, whatever was sent."""

    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str]
    path: Mapping[str, str]
    body: Mapping[str, Json] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """A 200 and what travels with it."""

    body: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    media: str = "application/json"


async def read(request: Request) -> Call:
    """Raises `Refused` for a body that is no JSON object or of another media type."""
    body: Mapping[str, Json] = {}
    if request.method in ("POST", "PUT"):
        raw = await request.body()
        if raw.strip() and "json" not in request.headers.get("content-type", "").lower():
            raise Refused(415, "error.invalid.contentType")
        body = json_object(raw)
    return Call(request.headers, request.query_params, request.path_params, body)


def json_object(raw: bytes) -> Mapping[str, Json]:
    """An absent body counts as an empty object."""
    if not raw.strip():
        return {}
    try:
        parsed = loads(raw)
    except ValueError:
        raise Refused(400, "error.invalid.body") from None
    if not isinstance(parsed, Mapping):
        raise Refused(400, "error.invalid.body")
    return parsed


def text(body: Mapping[str, Json], name: str) -> str:
    """A mandatory string; absent, null and empty are 400 `error.null.<name>`."""
    value = body.get(name)
    if value is None or value == "":
        raise Refused(400, f"error.null.{name}")
    if not isinstance(value, str):
        raise Refused(400, f"error.invalid.{name}")
    return value


def flag(body: Mapping[str, Json] | Mapping[str, str], name: str) -> bool:
    """An optional boolean, also as the word; absent and null are false."""
    value = body.get(name)
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise Refused(400, f"error.invalid.{name}")


def number(body: Mapping[str, Json], name: str) -> Decimal | None:
    """An optional number, also as plain digits in a string; absent and null are None."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refused(400, f"error.invalid.{name}")
    return Decimal(value)


def moment(value: object) -> datetime | None:
    """UTC to the second, written without a zone; None for everything else."""
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError:
        return None


def whole(value: str | None, code: str) -> int | None:
    """An optional count out of the query; what is no count is 400 with this code."""
    if value is None:
        return None
    if not value.isascii() or not value.isdecimal() or len(value) > _MOST_DIGITS:
        raise Refused(400, code)
    return int(value)
