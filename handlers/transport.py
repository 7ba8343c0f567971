"""Telegram's HTTP, as python-telegram-bot asks for it, on lines of our own.

The library's stock client spends most of a command's time in its connection pool; this one is small, bounded and about
twice as fast. It knows nothing of Telegram beyond what `BaseRequest` asks: post a method, fetch a file.
Errors never hold the address, because the address holds the token.
"""

from typing import Final

import msgspec
from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest, RequestData

from handlers.telegraph import Answer, BrokenLineError, Lines, Patience, Question, multipart

_encode = msgspec.json.Encoder().encode
_JSON: Final = "application/json"


class Transport(BaseRequest):
    """A bounded number of lines to the Bot API."""

    def __init__(self, connections: int, *, read_seconds: float = 10.0, connect_seconds: float = 5.0) -> None:
        self._connections = connections
        self._read_seconds = read_seconds
        self._connect_seconds = connect_seconds
        self._lines: Lines | None = None

    @property
    def read_timeout(self) -> float:
        return self._read_seconds

    async def initialize(self) -> None:
        if self._lines is None:
            self._lines = Lines(self._connections)

    async def shutdown(self) -> None:
        if self._lines is not None:
            lines, self._lines = self._lines, None
            await lines.hang_up()

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
        """See `BaseRequest.do_request`. What is written has the patience of what is read."""
        patience = Patience(
            free=_seconds(pool_timeout, self._read_seconds),
            dial=_seconds(connect_timeout, self._connect_seconds),
            silence=_seconds(read_timeout, self._read_seconds),
        )
        body, kind = _body(request_data)
        return await self._ask(Question(method, url, body, kind), patience)

    async def ask(self, url: str, wishes: object, read_seconds: float) -> tuple[int, bytes]:
        """Post plain JSON; status and raw answer. For getUpdates, whose answer is kept unread."""
        patience = Patience(free=None, dial=self._connect_seconds, silence=read_seconds)
        return await self._ask(Question("POST", url, _encode(wishes), _JSON), patience)

    async def _ask(self, question: Question, patience: Patience) -> Answer:
        if self._lines is None:
            raise NetworkError("the transport is not open")
        try:
            return await self._lines.ask(question, patience)
        except TimeoutError:
            raise TimedOut from None
        except (BrokenLineError, OSError, ValueError) as error:
            raise NetworkError(type(error).__name__) from None


def _seconds(given: object, usual: float) -> float | None:
    """The library's own "not given" is neither a number nor None."""
    if given is None:
        return None
    return float(given) if isinstance(given, (int, float)) else usual


def _body(request_data: RequestData | None) -> tuple[bytes, str | None]:
    if request_data is None:
        return b"", None
    files = request_data.multipart_data
    if not files:
        return _encode(request_data.parameters), _JSON
    return multipart(
        request_data.json_parameters,
        {
            field: (name, content if isinstance(content, bytes) else content.read(), kind)
            for field, (name, content, kind) in files.items()
        },
    )
