"""What the cards say of a request on its way: drawn when there is time for it, and not before its first byte.

Cards are many where many could sign, and drawing them takes longer than letting money go. So what is approved and goes
at once is not drawn in the deciding vote's transaction, nor in the one that lets it be sent. Mostly its end is known a
moment later, and that draws the cards; where it takes longer, what is put off here is drawn meanwhile.

That they are to be drawn is no row. After a crash it follows from the state: what was being sent becomes unknown, which
draws its cards, and what is approved is drawn at the next start; drawing what is drawn already is nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import Container, Iterable, Iterator

from bot.approvals import records as requests
from bot.approvals.model import State
from bot.approvals.service import Approvals
from bot.clock import Clock
from bot.errors import StoreError
from bot.store import Database, Tables

AFTER_SECONDS = 0.25
"""So long the next news of a request may take before its cards say how it stands."""
_log = logging.getLogger(__name__)


class Showing:
    """Knows which cards are still to be drawn."""

    def __init__(self, database: Database, approvals: Approvals, clock: Clock) -> None:
        self._database = database
        self._approvals = approvals
        self._clock = clock
        self._put_off: set[str] = set()

    def put_off(self, request_ids: Iterable[str]) -> None:
        """Their cards may not say how they stand. Also from within a transaction that may still fail."""
        self._put_off.update(request_ids)

    def is_shown(self, request_id: str) -> None:
        """Something else has drawn them."""
        self._put_off.discard(request_id)

    @contextlib.contextmanager
    def meanwhile(self, request_id: str) -> Iterator[None]:
        """For the length of the block: what was put off is drawn should this take a while."""
        task = asyncio.create_task(self._in_a_while(request_id))
        try:
            yield
        finally:
            task.cancel()

    async def _in_a_while(self, request_id: str) -> None:
        await self._clock.sleep(AFTER_SECONDS)
        await self.draw(request_id)

    async def draw_all(self, but: Container[str]) -> None:
        """What was put off, except for these, whose turn comes."""
        for request_id in self._put_off.copy():
            if request_id not in but:
                await self.draw(request_id)

    async def draw(self, request_id: str) -> None:
        """What was put off of this one."""
        if request_id not in self._put_off:
            return

        def change(tables: Tables) -> None:
            fresh = requests.read(tables, request_id)
            on_its_way = fresh.state in (State.APPROVED, State.SENDING)
            if on_its_way and requests.is_as_recorded(tables, fresh):  # nobody is shown a row that was changed
                self._approvals.drawing(tables, fresh)

        try:
            await self._database.write(change)
        except StoreError as error:
            _log.info("cards are not drawn yet", extra={"request": request_id, "error": type(error).__name__})
            return
        except Exception:  # a row that cannot be read keeps no other from being drawn  # noqa: BLE001
            _log.exception("cards cannot be drawn", extra={"request": request_id})
        self._put_off.discard(request_id)
