"""Many prices at once: one card in each chat that counts them, instead of a message for each (SAFETY R11).

A burst is a row before it is a card. Its alerts name it before anything is sent, so that the count is the same however
often the card has to be sent or edited. What has waited for more than its life is not shown any more; the card says how
many those were.
"""

from dataclasses import dataclass
from datetime import timedelta

from bot.clock import Clock
from bot.messages.notice import Notice, noted
from bot.store import Database, Tables
from bot.store.columns import at

LIFE = timedelta(minutes=30)
"""A price that is older says nothing."""
SHOWN = 5
"""The latest alerts that a card names."""
_STILL = timedelta(seconds=60)
"""After so long without another one a burst is over."""
_LONGEST = timedelta(minutes=15)
"""Edits make no sound: what goes on and on gets a new card now and then."""
_TOO_OLD = "too old"


@dataclass(frozen=True, slots=True)
class Burst:
    """What the card is to show."""

    id: int
    chat_id: int
    message_id: int | None
    """The card, when there is one already."""
    count: int
    """All of them so far, those not shown among them."""
    dropped: int
    """Those that had waited too long."""
    latest: tuple[Notice, ...]
    """Newest first."""
    upto: int
    """The last row that is counted."""
    tries: int
    """How often that was tried."""
    since: int
    """When the oldest of those came that were not told yet."""


class Bursts:
    """Gathers what waits for a chat."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def gather(self, chat_id: int) -> Burst | None:
        """Everything of that chat that may share a card. None: a single one, and no card is open; it goes as it is."""
        now = self._clock.now()

        def change(tables: Tables) -> Burst | None:
            waiting = tables.conn.execute(
                "SELECT id, created_at, burst FROM outbox"
                " WHERE state = 'waiting' AND is_grouped AND chat_id = ? AND not_before <= ? ORDER BY id",
                (chat_id, at(now)),
            ).fetchall()
            opened = tables.conn.execute(
                "SELECT id FROM bursts WHERE chat_id = ? AND (message_id IS NULL OR (changed_at > ? AND opened_at > ?))"
                " ORDER BY id DESC LIMIT 1",
                (chat_id, at(now - _STILL), at(now - _LONGEST)),
            ).fetchone()
            oldest = at(now - LIFE)
            if not waiting or (opened is None and len(waiting) == 1 and waiting[0][1] >= oldest):
                return None
            burst = opened[0] if opened is not None else _begin(tables, chat_id, at(now))
            upto = waiting[-1][0]
            tables.conn.execute(
                "UPDATE outbox SET burst = ?, trouble = CASE WHEN created_at < ? THEN ? ELSE trouble END"
                " WHERE state = 'waiting' AND is_grouped AND chat_id = ? AND not_before <= ? AND id <= ?",
                (burst, oldest, _TOO_OLD, chat_id, at(now), upto),
            )
            return _told(tables, burst, chat_id, upto)

        return await self._database.write(change)

    async def shown(self, burst: Burst, message_id: int, *, rang: bool = False) -> None:
        """The card is there, or was edited: all that it counts has been told."""
        now = at(self._clock.now())

        def change(tables: Tables) -> None:
            tables.conn.execute(
                "UPDATE outbox SET state = 'sent', tries = tries + 1, sent_at = ?,"
                " rang_at = CASE WHEN id = ? AND ? THEN ? END WHERE burst = ? AND state = 'waiting' AND id <= ?",
                (now, burst.upto, rang, now, burst.id, burst.upto),
            )
            tables.conn.execute(
                "UPDATE bursts SET message_id = ?, changed_at = ? WHERE id = ?", (message_id, now, burst.id)
            )

        await self._database.write(change)

    async def give_up(self, burst: Burst, trouble: str) -> None:
        """Telegram will never take that card: what it was to tell is dead."""

        def change(tables: Tables) -> None:
            tables.conn.execute(
                "UPDATE outbox SET state = 'dead', tries = tries + 1, trouble = ?"
                " WHERE burst = ? AND state = 'waiting' AND id <= ?",
                (trouble, burst.id, burst.upto),
            )
            tables.conn.execute("DELETE FROM bursts WHERE id = ?", (burst.id,))

        await self._database.write(change)

    async def lost(self, burst: Burst) -> None:
        """Its card is gone: a new one is made, which counts what was not told yet."""
        await self._database.write(lambda tables: tables.conn.execute("DELETE FROM bursts WHERE id = ?", (burst.id,)))


def _begin(tables: Tables, chat_id: int, now: int) -> int:
    cursor = tables.conn.execute(
        "INSERT INTO bursts (chat_id, opened_at, changed_at) VALUES (?, ?, ?)", (chat_id, now, now)
    )
    return int(cursor.lastrowid or 0)


def _told(tables: Tables, burst: int, chat_id: int, upto: int) -> Burst:
    (message_id,) = tables.conn.execute("SELECT message_id FROM bursts WHERE id = ?", (burst,)).fetchone()
    count, dropped, tries, since = tables.conn.execute(
        "SELECT count(*), coalesce(sum(trouble IS ?), 0), max(CASE state WHEN 'waiting' THEN tries ELSE 0 END),"
        " min(CASE state WHEN 'waiting' THEN created_at END)"
        " FROM outbox WHERE burst = ?",
        (_TOO_OLD, burst),
    ).fetchone()
    latest = tables.conn.execute(
        "SELECT lane, CAST(body AS BLOB) FROM outbox WHERE burst = ? AND trouble IS NOT ? ORDER BY id DESC LIMIT ?",
        (burst, _TOO_OLD, SHOWN),
    ).fetchall()
    notices = tuple(noted(lane, chat_id, body) for lane, body in latest)
    return Burst(burst, chat_id, message_id, count, dropped, notices, upto, tries, since)
