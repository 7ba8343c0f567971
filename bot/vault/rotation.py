"""Rotation: new keys for old ones, resumable wherever it was killed (SAFETY 4.5).

Two kinds. The *wrapping* is renewed by wrapping every data key anew under the next generation; the records stay as
they are. The *data keys* are renewed by sealing every record anew under a fresh one. Either way a step is one
transaction, so that at any moment each record opens with exactly one key. All keys that are named anywhere grow from
one master key; while that is being exchanged (`operations.moving`), from two, both loaded. What is under a passphrase
needs its owner: its wrapping is renewed at the next `unlock`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from bot.errors import ConflictError, RecordUnreadableError
from bot.ports import Deed, Recorder
from bot.store import Database, Tables
from bot.vault.datakeys import generation, left_behind, next_generation
from bot.vault.records import Safe, protected_subjects, row_of
from bot.vault.wrapping import Mode

Told = Callable[[str], Awaitable[None]]
WRAPPING = "rotating_wrapping"
DATA_KEYS = "rotating_data_keys"
"""Rows of `meta` that stand there from the beginning of a rotation to its end."""
_TELL_EACH = 1000


@dataclass(slots=True)
class Rotated:
    """How a rotation went."""

    generation: int
    resumed: bool
    """It was begun earlier and had not come to its end."""
    done: int = 0
    waiting: int = 0
    """What stays as it was until its owner gives a passphrase."""
    unreadable: list[str] = field(default_factory=list)


class Rotation:
    """Renews the keys of one vault."""

    def __init__(self, database: Database, safe: Safe, audit: Recorder) -> None:
        self._database = database
        self._safe = safe
        self._keys = safe.data_keys
        self._audit = audit

    async def renew_wrapping(self, tell: Told) -> Rotated:
        """Every data key under the next generation, or the rest of them when that was begun before."""

        def begin(tables: Tables) -> Rotated:
            if is_marked(tables, WRAPPING):
                return Rotated(generation(tables), resumed=True)
            before, (now, seed) = generation(tables), next_generation(tables)
            self._keys.wrapping.learn(now, seed)
            mark(tables, WRAPPING)
            self._audit.record(tables, Deed("key.rotation_begun", "key", details={"from": before, "to": now}))
            return Rotated(now, resumed=False)

        rotated = await self._database.write(begin)
        for key_id in await self._database.read(lambda tables: self._keys.outdated(tables, Mode.KEK)):
            try:
                await self._database.write(partial(self._wrap_anew, key_id=key_id))
            except ValueError:
                rotated.unreadable.append(f"data key {key_id}")
                continue
            await _count(rotated, tell, "data keys")

        def end(tables: Tables) -> None:
            rotated.waiting = len(self._keys.outdated(tables, Mode.PASSPHRASE))
            _unmark(tables, WRAPPING)
            self._audit.record(tables, Deed("key.rotated", "key", details=_details(rotated)))

        await self._finish(end)
        return rotated

    async def renew_data_keys(self, tell: Told) -> Rotated:
        """Every record under a fresh data key of its owner's, or the rest of them when that was begun before."""

        def begin(tables: Tables) -> Rotated:
            if is_marked(tables, DATA_KEYS):
                return Rotated(generation(tables), resumed=True)
            mark(tables, DATA_KEYS)
            details = {"retired": self._keys.retire(tables)}
            self._audit.record(tables, Deed("data_keys.rotation_begun", "data_keys", details=details))
            return Rotated(generation(tables), resumed=False)

        rotated = await self._database.write(begin)
        for record_id in await self._database.read(_under_retired_keys):
            try:
                await self._database.write(partial(self._seal_anew, record_id=record_id))
            except RecordUnreadableError as error:
                rotated.unreadable.append(error.label)
                continue
            await _count(rotated, tell, "records")

        def end(tables: Tables) -> None:
            rotated.waiting = len(protected_subjects(tables))
            self._keys.forget_retired(tables)
            _unmark(tables, DATA_KEYS)
            self._audit.record(tables, Deed("data_keys.rotated", "data_keys", details=_details(rotated)))

        await self._finish(end)
        return rotated

    def _wrap_anew(self, tables: Tables, key_id: str) -> None:
        row, now, wrapping = self._keys.find(tables, key_id), generation(tables), self._keys.wrapping
        renewed = wrapping.renew(row, wrapping.kek(row.kek_id), now, wrapping.kek(now))
        self._keys.replace(tables, row, renewed)

    def _seal_anew(self, tables: Tables, record_id: str) -> None:
        sealed = row_of(tables, record_id)
        if sealed is not None:  # else it was replaced or erased meanwhile
            self._safe.put(tables, sealed.subject, sealed.field, self._safe.take(tables, sealed))

    async def _finish(self, end: Callable[[Tables], None]) -> None:
        """The last change; then nothing of the old rows stays in the journal, either."""
        await self._database.write(end)
        await self._database.read(lambda tables: tables.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())


@dataclass(frozen=True, slots=True)
class Standing:
    """Which generation wraps the data keys, and how many lag behind."""

    generation: int
    behind: int
    waiting: int
    """Of those that lag behind, the ones that need their owner's passphrase."""
    unfinished: tuple[str, ...]
    """Rotations that were begun and have not come to their end, as they are typed."""
    kept: tuple[int, ...] = ()
    """Generations that wrap nothing any more, and stay until a backup was verified."""


def standing(tables: Tables) -> Standing:
    """How far the keys of these tables are rotated."""
    now = generation(tables)
    counts = dict(tables.conn.execute("SELECT mode, count(*) FROM data_keys WHERE kek_id != ? GROUP BY mode", (now,)))
    commands = {WRAPPING: "key rotate", DATA_KEYS: "key rotate --data-keys"}
    return Standing(
        now,
        sum(counts.values()),
        counts.get(Mode.PASSPHRASE, 0),
        tuple(command for marked, command in commands.items() if is_marked(tables, marked)),
        tuple(left_behind(tables)) if "key_generations" in tables.table_names() else (),
    )


def _details(rotated: Rotated) -> dict[str, str | int]:
    return {
        "generation": rotated.generation,
        "done": rotated.done,
        "waiting": rotated.waiting,
        "unreadable": len(rotated.unreadable),
    }


async def _count(rotated: Rotated, tell: Told, what: str) -> None:
    rotated.done += 1
    if rotated.done % _TELL_EACH == 0:
        await tell(f"… {rotated.done} {what}")


def _under_retired_keys(tables: Tables) -> list[str]:
    rows = tables.conn.execute(
        "SELECT id FROM sealed WHERE lower(hex(substr(record, 3, 8))) IN (SELECT id FROM data_keys WHERE retired)"
        " ORDER BY person_id, id"
    )
    return [record_id for (record_id,) in rows]


def is_marked(tables: Tables, mark: str) -> bool:
    return tables.conn.execute("SELECT 1 FROM meta WHERE key = ?", (mark,)).fetchone() is not None


def mark(tables: Tables, mark: str) -> None:
    tables.conn.execute("INSERT INTO meta VALUES (?, 'yes')", (mark,))


def _unmark(tables: Tables, mark: str) -> None:
    """`ConflictError` when somebody else has come to the end first."""
    if not tables.conn.execute("DELETE FROM meta WHERE key = ?", (mark,)).rowcount:
        raise ConflictError("another rotation has finished this one")
