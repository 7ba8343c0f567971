"""What was approved is sent, once: when each request's turn is, and when again what could not be sent yet.

What fails before anything may have left is tried again until the request's time is over. The rest is in `attempts`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bot.approvals import records as requests
from bot.approvals.model import Request, State
from bot.clock import Clock
from bot.errors import CodeAwaitedError, CountersignError, StoreError
from bot.operations.linked import Connection
from bot.operations.moving.attempts import MAY_PASS, Attempts
from bot.operations.moving.showing import Showing
from bot.store import Database, Tables

AGAIN_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""How long what could not be sent waits for its next turn; the last one from then on."""
_log = logging.getLogger(__name__)


class Sending:
    """Picks up what is approved."""

    def __init__(self, database: Database, attempts: Attempts, showing: Showing, clock: Clock) -> None:
        self.attempts = attempts
        self._database = database
        self._showing = showing
        self._clock = clock
        self._wake = asyncio.Event()
        self._runs = False
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._tries: dict[str, tuple[int, datetime]] = {}
        """How often each was tried in vain, and when it is its turn again."""
        self._ways: dict[str, Connection] = {}
        """By which connection what was approved just now goes, as the deciding vote's transaction has found."""
        self.ready: Callable[[Request], bool] = lambda request: True
        """Whether what was under way through a connection at the start has been asked about (M04)."""
        self.code_awaited: Callable[[Request, CodeAwaitedError], Awaitable[None]] = _nobody_is_told
        """Told of each request that waits for a code from a mail."""

    def approving(self, tables: Tables, request: Request) -> bool:
        """In the transaction that approves it: whether it goes at once. Then its cards are drawn when it has gone."""
        if not self._runs:
            return False
        try:
            self._ways[request.id] = self.attempts.looked_at(tables, request)
        except CountersignError:
            return False
        self._showing.put_off((request.id,))
        return True

    def approved(self, request: Request) -> None:
        """It may go. What cannot go at once is looked at again."""
        way = self._ways.pop(request.id, None)
        if self._runs and request.id not in self._under_way and self._is_due(request, self._clock.now()):
            self._begin_dealing_with(request, way)
        else:
            self.wake()

    def wake(self) -> None:
        """Something may be due."""
        self._wake.set()

    def again(self) -> None:
        """What stood in the way is gone: nothing waits for its next turn."""
        self._tries.clear()
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; what is under way then is given a moment, and is found out about after the next start."""
        self._runs = True
        is_first = True
        try:
            while True:
                self._wake.clear()
                try:
                    await self._look(is_first=is_first)
                    is_first = False
                except StoreError:
                    _log.info("not looked: the database refuses")  # it is looked again
                except Exception:  # a row that cannot be read keeps no other from being sent  # noqa: BLE001
                    _log.exception("not looked")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), 1.0)
        finally:
            self._runs = False
            tasks = list(self._under_way.values())
            if tasks:
                await asyncio.wait(tasks, timeout=10.0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, *, is_first: bool = False) -> None:
        now = self._clock.now()
        states = (State.APPROVED, State.HELD, State.SENDING)
        standing = await self._database.read(lambda tables: requests.standing(tables, states))
        self._tries = {one.id: self._tries[one.id] for one in standing if one.id in self._tries}
        if is_first:  # a crash may have kept the cards of any from being drawn
            self._showing.put_off(one.id for one in standing if one.state is State.APPROVED)
        for request in standing:
            if request.id in self._under_way:
                continue
            if request.state is State.SENDING:
                await self.attempts.give_up(request)
            elif self._is_due(request, now):
                self._begin_dealing_with(request)
        await self._showing.draw_all(but=self._under_way)

    def _begin_dealing_with(self, request: Request, way: Connection | None = None) -> None:
        task = asyncio.create_task(self._deal_with(request, way))
        self._under_way[request.id] = task
        task.add_done_callback(lambda _: self._under_way.pop(request.id, None))

    def _is_due(self, request: Request, now: datetime) -> bool:
        if request.stake is None or not self.ready(request):
            return False
        if request.state is State.HELD and (request.held_until is None or request.held_until > now):
            return False
        return request.send_by > now and self._tries.get(request.id, (0, now))[1] <= now

    async def _deal_with(self, request: Request, way: Connection | None) -> None:
        try:
            with self._showing.meanwhile(request.id):
                state = await self.attempts.make(request, way)
            if state is State.APPROVED:  # proven not sent: once more
                self.wake()
            self._tries.pop(request.id, None)
        except MAY_PASS as error:
            tried = self._tries.get(request.id, (0, self._clock.now()))[0]
            pause = AGAIN_SECONDS[min(tried, len(AGAIN_SECONDS) - 1)]
            self._tries[request.id] = (tried + 1, self._clock.now() + timedelta(seconds=pause))
            _log.info("not sent yet", extra={"request": request.id, "error": type(error).__name__, "try": tried + 1})
            if isinstance(error, CodeAwaitedError):
                with contextlib.suppress(StoreError):  # it is told with the next try
                    await self.code_awaited(request, error)
        except StoreError as error:
            _log.warning("not sent: the database refuses", extra={"error": type(error).__name__})
            self._tries[request.id] = (0, self._clock.now() + timedelta(seconds=5))
        except Exception:  # a slip of ours is not to end the one task that sends  # noqa: BLE001
            _log.exception("not sent", extra={"request": request.id})
            self._tries[request.id] = (0, self._clock.now() + timedelta(seconds=30))
        await self._showing.draw(request.id)


async def _nobody_is_told(request: Request, error: CodeAwaitedError) -> None:
    """Where no code is mailed."""
