"""Telegram's HTTP, on aiohttp.

python-telegram-bot's stock client spends most of a command's time in its connection pool; this one is small, bounded
and about twice as fast. It knows nothing of Telegram beyond what `BaseRequest` asks: post a method, fetch a file.
Errors never hold the address, because the address holds the token.
"""

import asyncio
from typing import Final

import aiohttp
import msgspec
from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest, RequestData

MAX_ANSWER_BYTES: Final = 20 << 20
_encode = msgspec.json.Encoder().encode
_HEADERS = {"Content-Type": "application/json"}


class Transport(BaseRequest):
    """One pool of connections to the Bot API."""

    def __init__(self, connections: int, *, read_seconds: float = 10.0, connect_seconds: float = 5.0) -> None:
        self._connections = connections
        self._read_seconds = read_seconds
        self._connect_seconds = connect_seconds
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        return self._read_seconds

    async def initialize(self) -> None:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ttl_dns_cache=60),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=True,
            )

    async def shutdown(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = BaseRequest.DEFAULT_NONE,
        write_timeout: object = BaseRequest.DEFAULT_NONE,
        connect_timeout: object = BaseRequest.DEFAULT_NONE,
        pool_timeout: object = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """See `BaseRequest.do_request`. The write timeout is part of aiohttp's read timeout."""
        timeout = aiohttp.ClientTimeout(
            total=None,
            connect=_seconds(pool_timeout, self._read_seconds),
            sock_connect=_seconds(connect_timeout, self._connect_seconds),
            sock_read=_seconds(read_timeout, self._read_seconds),
        )
        body, headers = _body(request_data)
        return await self._send(method, url, body, headers, timeout)

    async def ask(self, url: str, wishes: object, read_seconds: float) -> tuple[int, bytes]:
        """Post plain JSON; status and raw answer. For getUpdates, whose answer is kept unread."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._connect_seconds, sock_read=read_seconds)
        return await self._send("POST", url, _encode(wishes), _HEADERS, timeout)

    async def _send(
        self,
        method: str,
        url: str,
        body: bytes | aiohttp.FormData | None,
        headers: dict[str, str] | None,
        timeout: aiohttp.ClientTimeout,
    ) -> tuple[int, bytes]:
        if self._session is None:
            raise NetworkError("the transport is not open")
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                return answer.status, await _whole(answer)
        except TimeoutError:
            raise TimedOut from None
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise NetworkError(type(error).__name__) from None


def _seconds(given: object, usual: float) -> float | None:
    """The library's own "not given" is neither a number nor None."""
    if given is None:
        return None
    return float(given) if isinstance(given, (int, float)) else usual


def _body(request_data: RequestData | None) -> tuple[bytes | aiohttp.FormData | None, dict[str, str] | None]:
    if request_data is None:
        return None, None
    files = request_data.multipart_data
    if not files:
        return _encode(request_data.parameters), _HEADERS
    form = aiohttp.FormData()
    for name, text in request_data.json_parameters.items():
        form.add_field(name, text)
    for name, (filename, content, mime_type) in files.items():
        form.add_field(name, content, filename=filename, content_type=mime_type)
    return form, None


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    if answer.content_length is not None and answer.content_length <= MAX_ANSWER_BYTES:
        return await answer.read()
    parts = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        parts += chunk
        if len(parts) > MAX_ANSWER_BYTES:
            raise NetworkError("answer too large")
    return bytes(parts)
