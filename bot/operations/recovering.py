"""Going on without a master key that is lost: what it sealed is gone by design, everything else stays (SAFETY 4.7).

A copy of the database is kept first. Then it is one transaction: the records are erased, the database belongs to the
new key, what was under way ends as after a restore, and the desk is frozen. Whoever can do this at the host could have
brought a key of their own; so no money leaves until others have signed for the thaw.

The rows of the audit log stay, with codes nobody can make again. The row written here vouches for them (`audit.chain`).
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.access.service import people_in
from bot.audit.model import RECOVERED, Flaw
from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import StartRefusedError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.backups import in_thread
from bot.operations.epochs import begin, end_requests, freeze_by_nobody, next_epoch
from bot.operations.freezing import DESK
from bot.ports import Deed
from bot.store import Database, Tables
from bot.store.columns import at
from bot.store.file import inspect, keep_copy, peek
from bot.vault.install import keys_instead, take_over
from bot.vault.keys import KeyTree, MasterKey

EX_CONFIG = 78
_REASON = "recovered without the old key"
_WHY = "the desk was recovered without its old master key"
_COUNTED = {
    "factors": "SELECT count(*) FROM factors",
    "updates": "SELECT count(*) FROM inbox WHERE done_at IS NULL",
    "events": "SELECT count(*) FROM crm_events",
    "drafts": "SELECT count(*) FROM drafts",
}
_ERASED = (
    "DELETE FROM factors",
    "DELETE FROM crm_events",
    "UPDATE inbox SET done_at = coalesce(done_at, :now), body = NULL WHERE done_at IS NULL OR body IS NOT NULL",
    "UPDATE outbox SET state = 'dead', trouble = :why WHERE state = 'waiting' AND json_extract(body, '$.card') NOTNULL",
)


@dataclass(frozen=True, slots=True)
class Loss:
    """What is gone with a master key."""

    lost_key: str
    """Its fingerprint, and that of the one in its place."""
    new_key: str
    connections: tuple[str, ...]
    """Those with a sealed credential, by name."""
    factors: int
    updates: int
    """Sealed, received and not handled yet."""
    events: int
    """Sealed, of the CRM."""
    drafts: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """A desk that goes on without the key it had."""

    kept: Path
    """The database as it was before."""
    ended: tuple[str, ...]
    """Requests that ended, to be asked for anew."""
    unknown: tuple[str, ...]
    """Requests of which nobody knows what became of them."""
    flaw: Flaw | None
    """The first row of the audit log that was wrong before, whatever its code."""


def loss(master: MasterKey, path: Path) -> Loss:
    """What would be lost. Changes nothing.

    Raises:
        StartRefusedError: Nothing is lost, because the key fits; or there is no database, or it is nobody's yet.
        StoreDamagedError, StoreNewerError: As at a start.
    """
    inspect(path)
    found = peek(path, lambda tables: _loss(master, tables))
    if found is None:
        raise StartRefusedError(f"There is no database in {path.parent}. Nothing was changed.", EX_CONFIG)
    return found


async def recover(master: MasterKey, path: Path, clock: Clock) -> Recovered:
    """Let the database at `path` be this key's; the caller holds the data directory.

    Raises:
        StoreError: The copy could not be made, or the change not be written. The database is as it was.
    """
    kept = _free_name(path, f"{path.name}.before-recovery-{clock.now():%Y%m%dT%H%M%SZ}")
    await in_thread(lambda _: keep_copy(path, kept))
    database = await Database.open(path)
    try:
        ended, unknown, flaw = await database.write(partial(_settle, master=master, database=database, clock=clock))
        # Nothing of what was erased stays in the journal, either.
        await database.read(lambda tables: tables.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    finally:
        await database.close()
    return Recovered(kept, ended, unknown, flaw)


def _settle(
    tables: Tables, master: MasterKey, database: Database, clock: Clock
) -> tuple[tuple[str, ...], tuple[str, ...], Flaw | None]:
    keys, now = keys_instead(master, tables)[0], clock.now()
    gone = _loss(master, tables)
    (before,) = tables.conn.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
    epoch = next_epoch(int(before), now)
    audit = Audit(clock, keys.audit_code, epoch)
    audit.record(tables, Deed(RECOVERED, DESK, details=_details(gone)))
    flaws = audit.verdict(tables).flaws
    for statement in _ERASED:
        tables.conn.execute(statement, {"now": at(now), "why": _WHY})
    begin(tables, epoch, now)
    take_over(tables, keys)
    ended, unknown = end_requests(tables, audit, now, _WHY)
    freeze_by_nobody(tables, audit, clock.now(), _REASON)  # so that it takes others to go on
    _tell(tables, keys, Outbox(database, clock), ended, unknown)
    return ended, unknown, flaws[0] if flaws else None


def _loss(master: MasterKey, tables: Tables) -> Loss:
    keys, lost_key = keys_instead(master, tables)
    names = tables.conn.execute(
        "SELECT DISTINCT provider || '/' || label FROM sealed WHERE subject LIKE 'connection/%' ORDER BY 1"
    ).fetchall()
    there = set(tables.table_names())
    counted = {  # a table of a later version may not be there yet
        name: int(tables.conn.execute(sql).fetchone()[0]) if sql.split(" ")[3] in there else 0
        for name, sql in _COUNTED.items()
    }
    return Loss(lost_key, keys.fingerprint, tuple(name for (name,) in names), **counted)


def _details(gone: Loss) -> dict[str, str | int]:
    return {
        "via": "terminal",
        "from_key": gone.lost_key,
        "to_key": gone.new_key,
        "credentials": len(gone.connections),
        "factors": gone.factors,
    }


def _tell(tables: Tables, keys: KeyTree, outbox: Outbox, ended: tuple[str, ...], unknown: tuple[str, ...]) -> None:
    """The admins what happened, and every owner what to link anew; both are sent at the next start."""
    people = people_in(tables)
    lines = [
        f"Somebody at the host gave the desk a new master key (fingerprint {keys.fingerprint}); the old one is lost.",
        "Every login and second factor is gone for good. People, requests, settings and the audit log are kept.",
        "The desk is frozen: no money leaves until others have signed for the thaw. Buttons from before do not work.",
    ]
    if ended:
        lines.append(f"Ended, to be asked for anew: {', '.join(ended)}.")
    if unknown:
        lines.append(f"Outcome unknown, look at the provider: {', '.join(unknown)}.")
    step = "If nobody told you of this before, leave it frozen and find out who did it. Otherwise begin with /factor."
    for number in (number for person in people if "admin" in person.roles for number in person.telegram_ids):
        notice = Notice(
            Lane.SECURITY, number, "The desk goes on without its old master key", tuple(lines), next_step=step
        )
        outbox.put(tables, notice)
    for person in people:
        rows = tables.conn.execute(
            "SELECT provider || '/' || label FROM connections WHERE owner = ? ORDER BY 1", (person.id,)
        ).fetchall()
        if not rows:
            continue
        said = f"The desk's master key was lost, and with it the logins of {', '.join(name for (name,) in rows)}."
        for number in person.telegram_ids:
            notice = Notice(
                Lane.SECURITY,
                number,
                "Your logins must be given anew",
                (said, "The connections are still there, with everybody they are shared with."),
                next_step="Give each a login again with /replace and its name.",
            )
            outbox.put(tables, notice)


def _free_name(path: Path, name: str) -> Path:
    """Beside the database; tried twice within a second, the second copy does not take the first one's place."""
    kept, number = path.with_name(name), 2
    while kept.exists():
        kept, number = path.with_name(f"{name}-{number}"), number + 1
    return kept
