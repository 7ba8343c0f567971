"""One line to one tenant: build, send, judge the status, turn pages.

There is no session: every request brings the key. One question of ours is many of theirs (a wallet for each client, a
window of trades for each server), so at most four are under way at a time; the pages name no limit.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import stamina

from bot.clock import Clock
from bot.errors import FaultError, ReplyError, SilentError, UnconfiguredError, UnreachableError
from bot.network.leaving import check_leaving
from bot.network.pacing import Breaker, retry_after
from bot.network.rest import Answer, Rest
from bot.providers.base import Lend
from bot.providers.crm import auth, wire
from bot.providers.crm.settings import Settings

MOST_ROWS = 5000
"""Of the accounts on one server, or of the trades in one window."""

_AT_A_TIME = 4
_PAGE = 200
"""Far below the 500 allowed: a whole page must fit in an answer of 1 MiB."""
_DONE = (200, 201, 204)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """What was read of a list, and how long the list said it is."""

    items: tuple[Item, ...]
    count: int

    def note(self, what: str) -> tuple[str, ...]:
        """A sentence when something is missing."""
        if len(self.items) >= self.count:
            return ()
        return (f"Only the first {len(self.items)} of {self.count} {what} were read.",)


class Line:
    """One API key of one tenant, asked."""

    def __init__(self, settings: Settings, lend: Lend, clock: Clock) -> None:
        self._lend = lend
        self.clock = clock
        self._version = settings.auth_version
        self._rest = Rest(wire.NAME, settings.url, ca_file=settings.ca_file) if settings.url else None
        self._breaker = Breaker()
        self._turns = asyncio.Semaphore(_AT_A_TIME)
        self._closed = False

    async def close(self) -> None:
        """Let go of the connections; there is nothing to log out of. Never raises; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._rest is not None:
            await self._rest.close()

    async def listed(
        self,
        build: Callable[[int, int], wire.Request],
        parse: Callable[[bytes], wire.Page[Item]],
        key: Callable[[Item], str],
        most: int = MOST_ROWS,
    ) -> Listed[Item]:
        """A list page by page, until it ends or `most` are there.

        A row that comes twice, because the list moved meanwhile, is taken once.
        """
        rows: dict[str, Item] = {}
        skip = 0
        while True:
            page = parse(await self.read(build(skip, min(_PAGE, most - skip))))
            rows |= {key(row): row for row in page.records}
            skip += len(page.records)
            if not page.records or skip >= page.count or skip >= most:
                return Listed(tuple(rows.values())[:most], page.count)

    async def rows(
        self,
        build: Callable[[int, int], wire.Request],
        parse: Callable[[bytes], wire.Page[Item]],
        key: Callable[[Item], str],
    ) -> AsyncIterator[Item]:
        """A list of any length, a part at a time; a row that moved into the next part is given once."""
        before: set[str] = set()
        skip = 0
        while True:
            page = parse(await self.read(build(skip, _PAGE)))
            for row in page.records:
                if key(row) not in before:
                    yield row
            before = {key(row) for row in page.records}
            skip += len(page.records)
            if not page.records or skip >= page.count:
                return

    async def read(self, request: wire.Request) -> bytes:
        """Ask; once more when nothing, or no sound answer, came back. Nothing here changes anything."""
        async for attempt in stamina.retry_context(
            on=self._may_repeat, attempts=2, timeout=5.0, wait_initial=0.2, wait_max=0.5, wait_jitter=0.2
        ):
            with attempt:
                return await self._ask(request)
        raise AssertionError("a retry ends with an answer or an error")

    def _may_repeat(self, error: Exception) -> bool:
        return (
            isinstance(error, UnreachableError | SilentError | FaultError)
            and self._breaker.opened_at is None
            and not self._closed
        )

    async def change(self, request: wire.Request) -> bytes:
        """Ask once for something that changes what is there; the answer may be empty.

        Raises:
            SilentError: It may have happened; nobody knows.
        """
        async with self._turns:
            check_leaving(wire.NAME)
            answer = await self.exchange(request)
        return b"" if answer.status == 204 else self._judged(answer)

    async def _ask(self, request: wire.Request) -> bytes:
        async with self._turns:
            answer = await self.exchange(request)
        if answer.status in (201, 204):
            raise ReplyError(wire.NAME, f"unexpected status {answer.status}")
        return self._judged(answer)

    def _judged(self, answer: Answer) -> bytes:
        wish = retry_after(answer.headers.get("Retry-After"), self.clock.now())
        error = wire.error_of(answer.status, answer.body, wish)
        if error is not None and answer.status not in _DONE:
            raise error
        return answer.body

    async def exchange(self, request: wire.Request) -> Answer:
        """One request, one whole answer; whatever its status, the breaker hears of it."""
        if self._rest is None:
            raise UnconfiguredError(wire.NAME, "providers.crm.url")
        async with self._lend() as login:
            headers = auth.headers(login, request, self._version)
        if self._closed:
            raise UnreachableError(wire.NAME, "closed")
        if self._breaker.refuses(self.clock.monotonic()):
            raise UnreachableError(wire.NAME, "not asked: too many failures just now")
        try:
            answer = await self._rest.ask(
                request.method, request.path, headers=headers, params=request.params, content=request.body
            )
        except (UnreachableError, SilentError, ReplyError):
            self._breaker.failed(self.clock.monotonic())
            raise
        if answer.status >= 500:
            self._breaker.failed(self.clock.monotonic())
        else:
            self._breaker.succeeded()
        return answer
