"""What came from Telegram, kept before Telegram is told so.

A batch is one commit. The same update never counts twice: neither its id, nor the message or tap it stands for, as long
as the row is remembered (14 days). A row that was handled loses its text. Rows left unfinished by a crash are handed
out again at start.

`finish` is deliberately lazy: the mark is written with the next batch, or within `MARK_SECONDS`. A crash in between
replays a *handled* update; whatever moves money recognises that by its own key, and for the rest a second answer is the
lesser evil than one commit for each mark.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.clock import Clock
from bot.errors import StoreError
from bot.store import Database, Tables
from bot.store.columns import at

MARK_SECONDS = 0.05
REMEMBERED = timedelta(days=14)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One update worth keeping."""

    update_id: int
    chat_id: int
    """Updates of one chat are handled in order."""
    body: bytes
    origin: str | None = None
    """What it stands for besides its id, e.g. `m/chat/message` or `c/callback`; None when it may repeat (an edit)."""


class Inbox:
    """Rows in, marks out."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._finished: list[int] = []
        self._marking: asyncio.Task[None] | None = None

    async def keep(self, batch: Sequence[Incoming]) -> list[Incoming]:
        """Store the batch in one commit; answer those that are new, in order.

        Raises:
            StoreError: Nothing of the batch is stored.
        """
        finished, self._finished = self._finished, []
        now = at(self._clock.now())

        def change(tables: Tables) -> list[Incoming]:
            self._mark(tables, finished, now)
            return [item for item in batch if _insert(tables, item, now)]

        try:
            return await self._database.write(change)
        except BaseException:  # whatever it was, the marks are not lost
            self._finished[:0] = finished
            raise

    def finish(self, update_id: int) -> None:
        """This update has been dealt with."""
        self._finished.append(update_id)
        if self._marking is None or self._marking.done():
            self._marking = asyncio.create_task(self._mark_soon())

    async def unfinished(self) -> list[Incoming]:
        """What a crash or a stop left behind, oldest first."""
        rows = await self._database.read(
            lambda tables: tables.conn.execute(
                "SELECT update_id, chat_id, body, origin FROM inbox WHERE done_at IS NULL"
                " ORDER BY received_at, update_id"  # after a quiet week Telegram's ids may begin anew, and lower
            ).fetchall()
        )
        return [Incoming(*row) for row in rows]

    async def flush(self) -> None:
        """Write the marks that are still in memory."""
        if self._finished:
            await self.keep(())

    async def prune(self) -> int:
        """Forget handled rows older than the memory; answers how many."""
        oldest = at(self._clock.now() - REMEMBERED)
        return await self._database.write(
            lambda tables: tables.conn.execute("DELETE FROM inbox WHERE done_at < ?", (oldest,)).rowcount
        )

    async def waiting(self) -> int:
        """How many rows are not handled yet; those whose mark is still in memory are."""
        rows = await self._database.read(
            lambda tables: int(tables.conn.execute("SELECT count(*) FROM inbox WHERE done_at IS NULL").fetchone()[0])
        )
        return max(0, rows - len(self._finished))

    async def _mark_soon(self) -> None:
        while self._finished:  # also what is finished while marks are being written
            await self._clock.sleep(MARK_SECONDS)
            try:
                await self.flush()
            except StoreError as error:
                _log.warning("marks not written, kept for the next batch", extra={"error": type(error).__name__})
                return

    @staticmethod
    def _mark(tables: Tables, finished: Iterable[int], now: int) -> None:
        tables.conn.executemany(
            "UPDATE inbox SET done_at = ?, body = NULL WHERE update_id = ?", [(now, number) for number in finished]
        )


def _insert(tables: Tables, item: Incoming, now: int) -> bool:
    cursor = tables.conn.execute(
        "INSERT OR IGNORE INTO inbox (update_id, origin, chat_id, body, received_at) VALUES (?, ?, ?, ?, ?)",
        (item.update_id, item.origin, item.chat_id, item.body, now),
    )
    return cursor.rowcount == 1
