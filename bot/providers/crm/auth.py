"""How the CRM is convinced: the API key in a header, and a signature over every body.

    key          on every request: the API key
    signature    on POST, PUT and PATCH; the secret is the same API key

V2 signs the bytes of the body and nothing else: no time, no path, no counter. Nothing stops a replay, so what must not
happen twice has to be unique by its own content. V1 is older and signs the names and values of the body. Which of the
two a tenant speaks is a setting; a refusal is told, never tried the other way.

Source: CRM Open API, pages Authentication (V1) and Authentication V2.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from bot.errors import CredentialRefusedError
from bot.network.strictjson import Json, loads
from bot.providers.base import Login
from bot.providers.crm import wire

Version = Literal["v2", "v1"]

_HEADER_VALUE = re.compile(r"[!-~]{1,512}", re.ASCII)


def headers(login: Login, request: wire.Request, version: Version) -> dict[str, str]:
    """What one request must carry. A request without a body is not signed.

    Raises:
        CredentialRefusedError: The key holds characters that a header cannot.
    """
    key = login["api_key"].reveal()
    if not _HEADER_VALUE.fullmatch(key):
        raise CredentialRefusedError(wire.NAME, "unusable key", "the API key has characters no key has")
    if request.body is None:
        return {"key": key}
    sign = sign_v2 if version == "v2" else sign_v1
    return {"key": key, "signature": sign(key, request.body), "Content-Type": "application/json"}


def sign_v2(key: str, body: bytes) -> str:
    """`sha256=` and 64 lower-case hex digits: HMAC-SHA256 of the bytes that are sent, under the key's own UTF-8."""
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def sign_v1(key: str, body: bytes) -> str:
    """40 upper-case hex digits: SHA-1 of `name=value` pairs in ASCII order, joined by `&`, the key right behind them.

    Raises:
        ValueError: The body is not an object of plain values, or one is empty: the pages contradict each other about
            empty values, and their samples would each write a nested one in a way of its own.
    """
    fields = loads(body)
    if not isinstance(fields, Mapping):
        raise ValueError("a V1 body is an object")
    pairs = "&".join(f"{name}={_plain(fields[name])}" for name in sorted(fields))
    return hashlib.sha1(f"{pairs}{key}".encode()).hexdigest().upper()  # noqa: S324  # the vendor's choice, not ours


def _plain(value: Json) -> str:
    """A value as JavaScript joins it to a text; the body's numbers are written that way already."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise ValueError("a V1 value is a text that is not empty, a number or a boolean")
