"""What is to be told, kept until it has been told.

A service writes its state, its audit row and its outbox rows in one transaction; the notifier drains them by lane. At
least once to Telegram, exactly once in the table: a dedupe key keeps the same fact from being queued twice. After a
day, or eight tries that failed by its own fault, a row is dead: visible in /status, never in the way of the others. An
unreachable Telegram uses up time only. A chat that is to be left alone is a row: a restart leaves it alone, too.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from bot.clock import Clock
from bot.messages.cards import Card, card_in
from bot.messages.notice import File, Lane, Notice, lane_of, noted, written
from bot.store import Database, Tables
from bot.store.columns import at, packed

MAX_TRIES = 8
MAX_AGE = timedelta(hours=24)
READ_AT_ONCE = 8
"""So many rows are read with the question which are due: mostly that is all there are."""
_FIRST_OF_EACH_CHAT = """
SELECT id, lane, chat_id, is_grouped, min(lane << 50 | id) AS turn FROM outbox INDEXED BY outbox_by_chat
WHERE state = 'waiting' AND not_before <= ?1
    AND chat_id NOT IN (SELECT value FROM json_each(?2))
    AND chat_id NOT IN (SELECT chat_id FROM chat_pauses WHERE until > ?1)
    AND NOT (is_grouped AND chat_id IN (SELECT value FROM json_each(?3)))
GROUP BY chat_id ORDER BY turn
"""


@dataclass(frozen=True, slots=True)
class Queued:
    """A notice on its way."""

    id: int
    notice: Notice
    tries: int
    created_at: int
    card: Card | None = None
    """The card of its buttons, as it was when the row was read."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first row that waits for a chat."""

    id: int
    lane: Lane
    chat_id: int
    is_grouped: bool
    row: "Queued | None" = None
    """Read with it where it goes alone and is among the first."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A message that a notice became. Its id counts in that chat only."""

    chat_id: int
    message_id: int


class Sender(Protocol):
    """Who says what waits. Asked in its own loop only."""

    def left_out(self) -> tuple[list[int], list[int]]:
        """Chats that are being written to, and those where nothing is said that is to become one card."""

    def stir(self, heads: list[Head]) -> None:
        """These have just been written and should not wait: they are begun with at once.

        To be called as soon as it is known that they are committed: what the database does next may make them untrue.
        """


class Outbox:
    """Rows waiting to be sent."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.sender: Sender | None = None
        """For whoever writes what should not wait until it is looked for, and looks in the same transaction. None:
        nobody says anything now, and what waits is found when somebody looks."""

    def put(self, tables: Tables, notice: Notice) -> None:
        """Queue inside the caller's transaction. The same dedupe key a second time is nothing.

        A group that has got a new id is reached there, wherever its earlier one is still written down.
        """
        now = at(self._clock.now())
        not_before = now if notice.not_before is None else at(notice.not_before)
        cursor = tables.conn.execute(
            "INSERT OR IGNORE INTO outbox (dedupe, lane, chat_id, body, state, not_before, created_at, is_grouped)"
            " VALUES (?, ?, ?, ?, 'waiting', ?, ?, ?)",
            (
                notice.dedupe,
                int(notice.lane),
                _moved(tables, notice.chat_id),
                written(notice),
                not_before,
                now,
                notice.is_grouped,
            ),
        )
        if notice.file is not None and cursor.rowcount == 1:
            tables.conn.execute(
                "INSERT INTO outbox_files VALUES (?, ?, ?, ?)",
                (cursor.lastrowid, notice.file.name, notice.file.media_type, notice.file.body),
            )

    async def heads(self, busy: Collection[int] = (), hushed: Collection[int] = ()) -> list[Head]:
        """The first row that is due in each chat, by lane, then by age.

        Args:
            busy: Chats to leave out.
            hushed: Chats to leave those out of that become one card.
        """
        left_out, in_no_hurry = list(busy), list(hushed)
        return await self._database.read(lambda tables: self.look(tables, left_out, in_no_hurry))

    def look(self, tables: Tables, busy: Collection[int] = (), hushed: Collection[int] = ()) -> list[Head]:
        """The same inside the caller's transaction."""
        values = (at(self._clock.now()), packed(list(busy)), packed(list(hushed)))
        first = tables.conn.execute(_FIRST_OF_EACH_CHAT, values).fetchall()
        alone = [number for number, _, _, is_grouped, _ in first if not is_grouped][:READ_AT_ONCE]
        rows = {row.id: row for row in _waiting(tables, alone)} if alone else {}
        return [
            Head(number, lane_of(lane), chat_id, bool(is_grouped), rows.get(number))
            for number, lane, chat_id, is_grouped, _ in first
        ]

    async def rows(self, numbers: Collection[int]) -> list[Queued]:
        """These, as far as they still wait, by lane, then by age."""
        return await self._database.read(lambda tables: _waiting(tables, numbers)) if numbers else []

    async def sent(self, row: Queued, message_id: int, *, rang: bool = False) -> None:
        """Telegram took it. What it replaces is that message from now on, in that chat.

        `rang`: it was one of those whose noise a person may limit.
        """
        now = at(self._clock.now())

        def change(tables: Tables) -> None:
            tables.conn.execute(
                "UPDATE outbox SET state = 'sent', tries = tries + 1, sent_at = ?, message_id = ?, rang_at = ?,"
                " trouble = NULL WHERE id = ? AND state = 'waiting'",
                (now, message_id, now if rang else None, row.id),
            )
            tables.conn.execute("DELETE FROM outbox_files WHERE outbox_id = ?", (row.id,))
            tables.conn.execute(
                "UPDATE outbox SET chat_id = ?, message_id = ? WHERE dedupe = ? AND state = 'sent'",
                (row.notice.chat_id, message_id, row.notice.replaces),
            )
            tables.conn.execute(  # nobody looks at a card that has something newer below it: what comes is on a new one
                "UPDATE bursts SET opened_at = 0 WHERE chat_id = ? AND message_id < ?",
                (row.notice.chat_id, message_id),
            )

        await self._database.write(change)

    async def later(self, row: Queued, seconds: float, trouble: str, *, own_fault: bool = False) -> None:
        """Try again after `seconds`, and nothing else in that chat before; dead after a day.

        `own_fault`: the trouble is this row's, not Telegram's or the line's: dead after eight tries, and meanwhile not
        in the way of what else goes to that chat.
        """
        now = at(self._clock.now())
        too_old = now - row.created_at > MAX_AGE.total_seconds() * 1000
        if too_old or (own_fault and row.tries + 1 >= MAX_TRIES):
            await self.give_up(row, trouble)
            return
        until = now + int(seconds * 1000)

        def change(tables: Tables) -> None:
            tables.conn.execute(
                "UPDATE outbox SET tries = tries + 1, trouble = ?, not_before = max(not_before, ?)"
                " WHERE id = ? AND state = 'waiting'",
                (trouble, until, row.id),
            )
            if not own_fault:
                _pause(tables, row.notice.chat_id, until)

        await self._database.write(change)

    async def pause(self, chat_id: int, seconds: float) -> None:
        """Nothing goes to that chat for so long; a longer pause stays as it is."""
        until = at(self._clock.now()) + int(seconds * 1000)
        await self._database.write(lambda tables: _pause(tables, chat_id, until))

    async def paused(self) -> dict[int, float]:
        """Chats to be left alone, and for how many seconds more."""
        now = at(self._clock.now())
        rows = await self._database.read(
            lambda tables: tables.conn.execute(
                "SELECT chat_id, until FROM chat_pauses WHERE until > ?", (now,)
            ).fetchall()
        )
        return {chat_id: (until - now) / 1000 for chat_id, until in rows}

    async def message_of(self, dedupe: str) -> Shown | None:
        """The message a notice became; None while it was not sent, or when it is forgotten."""
        row = await self._database.read(
            lambda tables: tables.conn.execute(
                "SELECT chat_id, message_id FROM outbox WHERE dedupe = ? AND message_id IS NOT NULL", (dedupe,)
            ).fetchone()
        )
        return None if row is None else Shown(*row)

    async def is_told(self, dedupe: str) -> bool:
        """Whether it was said: as a message of its own, or as one of those that a card counts."""
        return await self._database.read(
            lambda tables: (
                tables.conn.execute("SELECT 1 FROM outbox WHERE dedupe = ? AND state = 'sent'", (dedupe,)).fetchone()
                is not None
            )
        )

    async def share(self, row: Queued) -> None:
        """It is to be told on a card with others: what it replaces was told on one."""
        await self._database.write(
            lambda tables: tables.conn.execute("UPDATE outbox SET is_grouped = 1 WHERE id = ?", (row.id,))
        )

    async def give_up(self, row: Queued, trouble: str) -> None:
        """It will never be delivered."""
        await self._database.write(
            lambda tables: tables.conn.execute(
                "UPDATE outbox SET state = 'dead', tries = tries + 1, trouble = ? WHERE id = ? AND state = 'waiting'",
                (trouble, row.id),
            )
        )

    async def unreachable(self, row: Queued, trouble: str, tell: Sequence[Notice]) -> None:
        """Its chat takes nothing from us: all that waits for it is dead, and `tell` is queued in the same commit."""

        def change(tables: Tables) -> None:
            tables.conn.execute(
                "UPDATE outbox SET state = 'dead', tries = tries + 1, trouble = ?"
                " WHERE chat_id = ? AND state = 'waiting'",
                (trouble, row.notice.chat_id),
            )
            tables.conn.execute("DELETE FROM bursts WHERE chat_id = ?", (row.notice.chat_id,))
            for notice in tell:
                self.put(tables, notice)

        await self._database.write(change)

    def redirecting(self, old_chat_id: int, new_chat_id: int) -> Callable[[Tables], None]:
        """What makes rows that wait for one chat wait for another, inside the caller's transaction.

        The cards of that chat go along: a button that waits with its notice is drawn for its card's chat.
        """

        def change(tables: Tables) -> None:
            tables.conn.execute("UPDATE cards SET chat_id = ? WHERE chat_id = ?", (new_chat_id, old_chat_id))
            tables.conn.execute(
                "UPDATE outbox SET chat_id = ? WHERE chat_id = ? AND state = 'waiting'", (new_chat_id, old_chat_id)
            )
            tables.conn.execute(
                "UPDATE OR REPLACE chat_pauses SET chat_id = ? WHERE chat_id = ?", (new_chat_id, old_chat_id)
            )
            tables.conn.execute("DELETE FROM bursts WHERE chat_id = ?", (old_chat_id,))  # its card stays where it is

        return change

    @staticmethod
    def dropping(tables: Tables, chat_ids: Collection[int]) -> None:
        """Nothing that waits for these chats is sent any more, inside the caller's transaction."""
        tables.conn.execute(
            "DELETE FROM outbox WHERE state = 'waiting' AND chat_id IN (SELECT value FROM json_each(?))",
            (packed(sorted(chat_ids)),),
        )

    async def depth(self) -> dict[str, int]:
        """Rows by state, of those not sent."""
        rows = await self._database.read(
            lambda tables: tables.conn.execute(
                "SELECT state, count(*) FROM outbox WHERE state != 'sent' GROUP BY state"
            ).fetchall()
        )
        return {"waiting": 0, "dead": 0} | dict(rows)

    async def prune(self) -> int:
        """Forget what was sent more than 14 days ago, and what was never delivered after 60."""
        now = self._clock.now()
        sent, dead, day = at(now - timedelta(days=14)), at(now - timedelta(days=60)), at(now - timedelta(days=1))

        def change(tables: Tables) -> int:
            tables.conn.execute("DELETE FROM chat_pauses WHERE until < ?", (at(now),))
            tables.conn.execute("DELETE FROM bursts WHERE changed_at < ?", (day,))
            return tables.conn.execute(
                "DELETE FROM outbox WHERE (state = 'sent' AND sent_at < ?) OR (state = 'dead' AND created_at < ?)",
                (sent, dead),
            ).rowcount

        return await self._database.write(change)


def _moved(tables: Tables, chat_id: int) -> int:
    """The id that chat has by now; only groups get new ones, and each move is longer ago than the next."""
    while chat_id < 0:
        row = tables.conn.execute("SELECT new_id FROM group_moves WHERE old_id = ?", (chat_id,)).fetchone()
        if row is None:
            break
        chat_id = row[0]
    return chat_id


def _pause(tables: Tables, chat_id: int, until: int) -> None:
    tables.conn.execute(
        "INSERT INTO chat_pauses VALUES (?, ?) ON CONFLICT DO UPDATE SET until = max(until, excluded.until)",
        (chat_id, until),
    )


def _waiting(tables: Tables, numbers: Collection[int]) -> list[Queued]:
    found = tables.conn.execute(
        "SELECT id, lane, chat_id, CAST(outbox.body AS BLOB), tries, created_at,"
        " CAST(name AS BLOB), media_type, outbox_files.body FROM outbox LEFT JOIN outbox_files ON outbox_id = id"
        " WHERE state = 'waiting' AND id IN (SELECT value FROM json_each(?)) ORDER BY lane, id",
        (packed(list(numbers)),),
    ).fetchall()
    return [_queued(tables, row) for row in found]


def _queued(tables: Tables, row: tuple[int, int, int, bytes, int, int, bytes | None, str, bytes]) -> Queued:
    number, lane, chat_id, body, tries, created_at, name, media_type, content = row
    file = None if name is None else File(name.decode(errors="replace"), media_type, content)
    notice = noted(lane, chat_id, body, file)
    card = None if notice.card is None else _whole_card(tables, notice.card)
    return Queued(number, notice, tries, created_at, card)


def _whole_card(tables: Tables, card_id: int) -> Card | None:
    """None, too, for one whose row is damaged: what has its buttons is said without them."""
    try:
        return card_in(tables, card_id)
    except (sqlite3.Error, ValueError, OverflowError, KeyError, TypeError):
        return None
