"""What a caller may send: so much, and in so much time."""

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

MAX_FORM_BYTES = 16 << 10
BODY_SECONDS = 10.0
_MAX_FIELDS = 32
_FORM = "application/x-www-form-urlencoded"


def goodbye(status: int, headers: Mapping[str, str] | None = None, said: str = "") -> Response:
    """The connection ends with this: what else was to come is not read, not even to be thrown away."""
    return Response(said or None, status, {**(headers or {}), "connection": "close"}, "text/plain" if said else None)


async def capped(request: Request, limit: int) -> bytes | None:
    """The body, or None as soon as it is larger than allowed, announced or not, or comes too slowly."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        return None
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    return None
    except (ClientDisconnect, TimeoutError):
        return None
    return bytes(body)


def form_in(request: Request, body: bytes) -> dict[str, str] | None:
    """The fields of a plain form; None when it is none, or names a field twice where one is meant.

    `account` is the one field that may come several times: its values are joined by commas.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return None
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict", encoding="utf-8"
        )
    except ValueError:  # UnicodeDecodeError is one
        return None
    form: dict[str, str] = {}
    for name, value in pairs:
        if name == "account" and name in form:
            form[name] += f",{value}"
        elif name in form:
            return None
        else:
            form[name] = value
    return form
