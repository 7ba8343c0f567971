"""HTTP to a provider: one request, one whole answer or one error of ours.

Here foreign errors become ours, and nowhere else. What matters is whether a byte of the request may have left, so that
is *observed* (httpx's trace tells when writing begins) and never guessed from an exception's name:

    nothing written               UnreachableError   safe to repeat
    written, no whole answer      SilentError        a read may be repeated, a money call never blindly
    answer too large, packed, 3xx ReplyError         redirects are never followed

Statuses are the adapter's business, except that nothing is interpreted for it here.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from bot.crash import crashpoint, moves_money
from bot.errors import ReplyError, SilentError, UnreachableError
from bot.network.leaving import check_leaving, is_leaving
from bot.network.overhearing import overheard_http
from bot.network.trouble import unanswered, unreached

MAX_BODY_BYTES = 1 << 20
TOO_LARGE = "answer larger than 1 MiB"
_HEADERS = {
    "accept": "*/*",
    "accept-encoding": "identity",  # a packed answer could be a thousand times its size
    "user-agent": "countersign",
}
_WRITING = ("send_request_headers.started", "send_connection_init.started")
_CRASHES = {
    "send_request_headers.started": "CP08",
    "send_request_headers.complete": "CP09",  # the body is a write of its own
    "send_request_body.complete": "CP10",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole HTTP answer. `headers` are looked up without regard to case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # session tokens travel here
    body: bytes = field(repr=False)


class Rest:
    """HTTP to one provider's host."""

    def __init__(
        self,
        provider: str,
        base_url: str,
        *,
        connect_seconds: float = 5.0,
        read_seconds: float = 15.0,
        total_seconds: float = 30.0,
        connections: int = 8,
        ca_file: str | None = None,
    ) -> None:
        """`base_url` is the only host this object ever talks to; with `ca_file` only that certificate is trusted."""
        self._provider = provider
        self._total_seconds = total_seconds
        self._base_url = base_url.rstrip("/")
        self._timeout = httpx.Timeout(read_seconds, connect=connect_seconds, pool=read_seconds).as_dict()
        self._transport = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            trust_env=False,
            verify=False if base_url.lower().startswith("http://") else ssl.create_default_context(cafile=ca_file),
        )
        self._asking: set[asyncio.Timeout] = set()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Send once, read the whole answer.

        Args:
            path: Begins with `/`; joined to the base address.

        Raises:
            UnreachableError, SilentError, ReplyError: As the table above says.
        """
        if not path.startswith("/"):
            raise ValueError("a path on this provider's host begins with /")
        wrote = False
        is_money, is_watched = moves_money(content or b""), is_leaving(content)

        async def trace(event: str, _: Any) -> None:
            nonlocal wrote
            if is_watched and not wrote and event.endswith(_WRITING):
                check_leaving(self._provider)
            wrote = wrote or event.endswith(_WRITING)
            if is_money:
                crashpoint(_CRASHES.get(event.partition(".")[2], ""))

        request = httpx.Request(
            method,
            self._base_url + path,
            headers=_HEADERS if headers is None else {**_HEADERS, **headers},
            params=params,
            content=content,
            extensions={"trace": trace, "timeout": self._timeout},
        )
        try:
            async with asyncio.timeout(self._total_seconds) as patience:
                self._asking.add(patience)
                try:
                    response = await self._transport.handle_async_request(request)
                    try:
                        body = await self._whole(response)
                    finally:
                        await response.aclose()
                finally:
                    self._asking.discard(patience)
        except (TimeoutError, httpx.HTTPError, ssl.SSLError, OSError) as error:
            _log.info("broken off", extra={"provider": self._provider, "error": type(error).__name__, "wrote": wrote})
            if wrote:
                raise SilentError(self._provider, unanswered(error)) from None
            raise UnreachableError(self._provider, unreached(error)) from None
        if 300 <= response.status_code < 400:
            raise ReplyError(self._provider, f"redirect ({response.status_code}) not followed")
        overheard_http(response.status_code, body)
        return Answer(response.status_code, response.headers, body)

    async def _whole(self, response: httpx.Response) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ReplyError(self._provider, "a packed answer that was not asked for")
        parts = bytearray()
        async for chunk in response.aiter_raw():
            parts += chunk
            if len(parts) > MAX_BODY_BYTES:
                raise ReplyError(self._provider, TOO_LARGE)
        return bytes(parts)

    async def close(self) -> None:
        """Let go of the connections, also of those that are only being made: whoever waits for them is told so."""
        await self._transport.aclose()
        for patience in self._asking:
            if not patience.expired():
                patience.reschedule(asyncio.get_running_loop().time())
