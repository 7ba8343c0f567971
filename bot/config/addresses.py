"""Addresses we would call or serve: encrypted, or on this machine."""

import re
from urllib.parse import urlsplit

import msgspec

from bot.config.model import WebConfig, is_loopback
from bot.config.reading import Partial
from bot.errors import Problem
from bot.logs import redact


def check_addresses(path: str, settings: msgspec.Struct, problems: list[Problem]) -> None:
    """Every setting named `…url` must be encrypted, or on this machine."""
    for field in msgspec.structs.fields(settings):
        value = getattr(settings, field.name)
        if field.name.endswith("url") and isinstance(value, str) and value:
            schemes = ("wss", "ws") if value.lower().startswith("ws") else ("https", "http")
            check_address(f"{path}.{field.name}", value, problems, schemes)


def check_address(
    where: str, value: str, problems: list[Problem], schemes: tuple[str, str] = ("https", "http")
) -> None:
    """An address with the first scheme, or on loopback with the second; no login in it."""
    safe, open_ = schemes
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        problems.append(Problem(where, "no address that can be read", f"{safe}://…"))
        return
    if parts.username is not None or parts.password is not None:
        problems.append(Problem(where, "an address with a login in it (masked)", "an address without one"))
    elif not host or not (parts.scheme == safe or (parts.scheme == open_ and is_loopback(value))):
        problems.append(Problem(where, repr(redact(value)[:80]), f"{safe}://…, or {open_}://… on loopback only"))


def listener_in(where: str, text: str, problems: list[Problem]) -> tuple[str, int] | None:
    """`host:port` → both."""
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) >= 65536:
        problems.append(Problem(where, repr(text[:60]), "host:port, e.g. 127.0.0.1:8088"))
        return None
    return host, int(port)


def web_in(table: Partial, problems: list[Problem]) -> WebConfig | None:
    """`[web]`: its address is an origin and no more, because pages and cookies are for all of it."""
    if table is None:
        return None
    place = listener_in("web.listen", table.listen, problems)
    if table.public_url is None:
        return None
    before = len(problems)
    check_address("web.public_url", table.public_url, problems)
    if len(problems) == before:
        parts = urlsplit(table.public_url)
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            found = repr(redact(table.public_url)[:80])
            problems.append(Problem("web.public_url", found, "an address without a path, e.g. https://bot.example.com"))
    if place is None or len(problems) > before:
        return None
    parts = urlsplit(table.public_url)
    return WebConfig(f"{parts.scheme}://{parts.netloc}".lower(), *place)
