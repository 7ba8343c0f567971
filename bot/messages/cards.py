"""Cards: what was shown to a person and carries buttons.

A button names a card by its id and the version it was drawn from; what the card is about lies here, so a card outlives
a restart and an old button loses politely.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.clock import Clock
from bot.store import Database, Tables
from bot.store.columns import at, moment, packed


@dataclass(frozen=True, slots=True)
class Card:
    """One card. Its buttons serve `person_id` only."""

    id: int
    kind: str
    person_id: int
    chat_id: int
    version: int
    body: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person has begun to fill in. At most one each; secrets so far lie in the vault, not here."""

    person_id: int
    kind: str
    body: Mapping[str, Any]


class Cards:
    """Cards and drafts in their tables."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._idle: set[int] = set()
        """People of whom it was seen that they have begun nothing; kept by the database's thread alone."""

    async def make(
        self, kind: str, person_id: int, chat_id: int, body: Mapping[str, Any], life: timedelta = timedelta(hours=1)
    ) -> Card:
        """A new card with a random 63-bit id."""
        return await self._database.write(lambda tables: self.making(tables, kind, person_id, chat_id, body, life))

    def making(
        self, tables: Tables, kind: str, person_id: int, chat_id: int, body: Mapping[str, Any], life: timedelta
    ) -> Card:
        """The same inside the caller's transaction."""
        now = self._clock.now()
        card = Card(secrets.randbits(63), kind, person_id, chat_id, 1, body, now, now + life)
        tables.conn.execute(
            "INSERT INTO cards VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (card.id, kind, person_id, chat_id, 1, packed(body), at(now), at(card.expires_at)),
        )
        return card

    @staticmethod
    def about(tables: Tables, kind: str, key: str, value: str) -> list[Card]:
        """Every card of a kind whose body has `value` under `key`, a plain word of ours."""
        if not key.isidentifier():
            raise ValueError("not a key")
        rows = tables.conn.execute(
            # The path is written out, so that the index over it serves.
            f"SELECT * FROM cards WHERE kind = ? AND json_extract(body, '$.{key}') = ? ORDER BY created_at, id",  # noqa: S608
            (kind, value),
        ).fetchall()
        return [_card(row) for row in rows]

    async def find(self, card_id: int) -> Card | None:
        """The card, expired or not; None when there is none."""
        return await self._database.read(lambda tables: card_in(tables, card_id))

    async def advance(self, card: Card, body: Mapping[str, Any] | None = None) -> bool:
        """Move to the next version, if nobody did meanwhile: buttons drawn before lose. Answers whether it was us."""
        text = packed(card.body if body is None else body)
        return await self._database.write(
            lambda tables: (
                tables.conn.execute(
                    "UPDATE cards SET version = version + 1, body = ? WHERE id = ? AND version = ?",
                    (text, card.id, card.version),
                ).rowcount
                == 1
            )
        )

    def is_idle(self, person_id: int) -> bool:
        """Whether it is known, without a look at the disk, that the person has begun nothing."""
        return person_id in self._idle

    async def draft(self, person_id: int) -> Draft | None:
        """What the person has begun."""

        def look(tables: Tables) -> Any:
            found = tables.conn.execute(
                "SELECT person_id, kind, body FROM drafts WHERE person_id = ?", (person_id,)
            ).fetchone()
            if found is None:
                self._idle.add(person_id)
            return found

        row = await self._database.read(look)
        if row is None:
            return None
        owner, kind, body = row
        return Draft(owner, kind, json.loads(body))

    async def save(self, draft: Draft) -> None:
        """Write the draft, replacing the person's earlier one."""
        await self._database.write(lambda tables: self.saving(tables, draft))

    def saving(self, tables: Tables, draft: Draft) -> None:
        """The same inside the caller's transaction."""
        self._idle.discard(draft.person_id)
        tables.conn.execute(
            "INSERT OR REPLACE INTO drafts VALUES (?, ?, ?, ?)",
            (draft.person_id, draft.kind, packed(draft.body), at(self._clock.now())),
        )

    async def drop(self, person_id: int) -> bool:
        """Throw the draft away; answers whether there was one."""
        return await self._database.write(
            lambda tables: tables.conn.execute("DELETE FROM drafts WHERE person_id = ?", (person_id,)).rowcount == 1
        )

    @staticmethod
    def voiding(tables: Tables, person_id: int) -> None:
        """Every button drawn for a person so far loses, and what they have begun is gone."""
        tables.conn.execute("UPDATE cards SET version = version + 1 WHERE person_id = ?", (person_id,))
        tables.conn.execute("DELETE FROM drafts WHERE person_id = ?", (person_id,))

    @staticmethod
    def voiding_in(tables: Tables, person_id: int, chat_id: int) -> None:
        """What was drawn for that person in one chat is dead, and is not drawn anew."""
        tables.conn.execute("DELETE FROM cards WHERE person_id = ? AND chat_id = ?", (person_id, chat_id))

    async def prune(self) -> int:
        """Forget cards a week after they expired, and drafts a day old."""
        now = self._clock.now()

        def change(tables: Tables) -> int:
            old = at(now - timedelta(days=7))
            tables.conn.execute("DELETE FROM drafts WHERE updated_at < ?", (at(now - timedelta(days=1)),))
            return tables.conn.execute("DELETE FROM cards WHERE expires_at < ?", (old,)).rowcount

        return await self._database.write(change)


def card_in(tables: Tables, card_id: int) -> Card | None:
    """The card, expired or not; None when there is none."""
    row = tables.conn.execute("SELECT * FROM cards WHERE id = ?", (card_id,)).fetchone()
    return None if row is None else _card(row)


def _card(row: tuple[Any, ...]) -> Card:
    number, kind, person_id, chat_id, version, body, created_at, expires_at = row
    return Card(number, kind, person_id, chat_id, version, json.loads(body), moment(created_at), moment(expires_at))
