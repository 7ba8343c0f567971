"""Calls that leave this tenant: towards webhooks, a payment provider, a source of exchange rates. Loopback only."""

import asyncio
import ssl
from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass
from functools import cache

import httpx

MOST_SHOWN = 1 << 16


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back: no status when nothing did in time; the text is cut."""

    status: int | None
    text: str = ""

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    def as_json(self) -> dict[str, object]:
        return {"status": self.status, "body": self.text}


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


async def call(
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]],
    content: bytes | AsyncIterable[bytes] | None,
    timeout_seconds: float,
    query: dict[str, str] | None = None,
) -> Heard:
    """One request, never repeated and never redirected."""
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            httpx.AsyncClient(verify=_tls(), trust_env=False, timeout=timeout_seconds) as client,
        ):
            answer = await client.request(method, url, headers=list(headers), content=content, params=query)
            return Heard(answer.status_code, answer.text[:MOST_SHOWN])
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL):
        return Heard(None)
