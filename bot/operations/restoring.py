"""Restoring a backup: everything is checked before anything is moved.

What a backup does not know is what has happened since it was made. So nothing that was under way goes on by itself
(SAFETY 4.7):

* the epoch is raised above every one this install can have had: buttons from before are dead;
* requests that waited, were approved or were held end, to be asked for anew; the outcome of those that were being sent
  is unknown;
* the floor of nonces is above every one that can have been used;
* messages that waited to be handled or to be sent are dropped; drafts, cards, invitations and one-time links are void,
  and so is every second-factor code that can have been used.
"""

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from bot.access.service import people_in
from bot.audit.model import RESTORED
from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import BackupUnreadableError, StartRefusedError, StoreDamagedError, StoreError, WrongKeyError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.backups import EX_CANTCREAT, in_thread, pieces
from bot.operations.epochs import begin, end_requests, freeze_by_nobody, next_epoch
from bot.ports import Deed
from bot.store import Database, Tables
from bot.store.columns import at
from bot.store.file import fold, inspect, peek, synced
from bot.store.mark import mark_of
from bot.vault.archive import FRAME, LONGEST_HEADER, Header, opened, read_header
from bot.vault.install import check_key, keys_of
from bot.vault.keys import KeyTree, MasterKey

EX_IOERR = 74
NONCE_MARGIN = 1000
_TOTP_STEP_MILLIS = 30_000
_WHY = "a backup was restored"
_VOID = (
    "UPDATE outbox SET state = 'dead', trouble = :why WHERE state = 'waiting'",
    "UPDATE pages SET ended_at = :now, trouble = :why WHERE ended_at IS NULL",
    "UPDATE schedule_runs SET state = 'missed', ended_at = :now, trouble = :why WHERE state = 'begun'",
    "UPDATE inbox SET done_at = :now, body = NULL WHERE done_at IS NULL",
    "UPDATE factors SET last_step = max(last_step, :now / :step), enrolling_until = min(enrolling_until, :now)",
)


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that was restored."""

    made_at: str
    epoch: int
    ended: tuple[str, ...]
    """Requests that ended, to be asked for anew."""
    unknown: tuple[str, ...]
    """Requests of which nobody knows what became of them."""
    aside: Path | None
    """Where the database lies that was there before."""


async def restore(master: MasterKey, source: Path, path: Path, clock: Clock, *, replace: bool) -> Restored:
    """Put the database of a backup at `path`; the caller holds the data directory.

    Args:
        replace: Move a database that is there aside, and keep it.
    Raises:
        StartRefusedError: There is a database; or the backup's file cannot be read, or ours not be written.
        WrongKeyError: It was made under another master key.
        BackupUnreadableError: It is damaged, cut short, or what is in it does not pass its checks.
        StoreNewerError: It was made by a newer version of this program.
    """
    if not replace:
        _check_free(path)
    making = path.with_name(f"{path.name}.restoring")
    try:
        header = await in_thread(partial(_unseal, master, source, making))
        await in_thread(lambda _: _examine(master, making))
        restored = await _taken_up(master, header, making, clock, _epoch_of(path))
        aside = await in_thread(lambda _: _exchange(making, path, clock.now()))
    except OSError as error:
        raise StartRefusedError(
            f"{error.filename or path}: {error.strerror}. Nothing was restored.", EX_IOERR
        ) from None
    finally:
        _erase(making)
    return Restored(header.made_at, *restored, aside)


def _check_free(path: Path) -> None:
    if path.exists():
        reason = f"{path} is there already: --replace moves it aside and keeps it. Nothing was changed."
        raise StartRefusedError(reason, EX_CANTCREAT)


def _unseal(master: MasterKey, source: Path, making: Path, unwanted: threading.Event) -> Header:
    """Write what the backup holds to `making`."""
    _erase(making)
    with source.open("rb") as file:
        line = file.readline(LONGEST_HEADER)
        header = read_header(line)
        keys = KeyTree(master, header.install, bytes.fromhex(header.install_salt))
        if keys.fingerprint != header.key:
            raise WrongKeyError(header.key, keys.fingerprint)
        handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as plain:
            for piece in opened(keys.backup, line, pieces(file.read, FRAME)):
                if unwanted.is_set():
                    break
                plain.write(piece)
            plain.flush()
            os.fsync(plain.fileno())
    return header


def _examine(master: MasterKey, making: Path) -> None:
    try:
        inspect(making)
        check_key(master, making)
    except StoreDamagedError as error:
        raise BackupUnreadableError(f"the database in it is damaged ({error.reason})") from None


async def _taken_up(
    master: MasterKey, header: Header, making: Path, clock: Clock, epoch: int
) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """Bring the database to this program's schema, examine its audit log, and end what was under way."""
    database = await Database.open(making)
    try:
        settled = await database.write(lambda tables: _settle(tables, master, header, database, clock, epoch))
    finally:
        await database.close()
    fold(making)
    journal = making.with_name(f"{making.name}-wal")
    if journal.exists() and journal.stat().st_size:  # what was settled lies in it, and only one file is moved
        raise StartRefusedError(f"{making} could not be made one file. Nothing was restored.", EX_IOERR)
    return settled


def _settle(
    tables: Tables, master: MasterKey, header: Header, database: Database, clock: Clock, epoch_before: int
) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    found = keys_of(master, tables)
    if found is None:
        raise BackupUnreadableError("the database in it belongs to nobody")
    meta = {row["key"]: row["value"] for row in tables["meta"].rows}
    now = clock.now()
    epoch = next_epoch(max(int(meta["epoch"]), epoch_before), now)
    audit = Audit(clock, found[0].audit_code, epoch)
    flawed = audit.first_bad(tables)
    if flawed is not None:
        raise BackupUnreadableError(f"its audit log does not verify from row {flawed} on")
    audit.record(tables, Deed(RESTORED, "desk", details={"via": "terminal", "made_at": header.made_at}))
    for statement in _VOID:
        tables.conn.execute(statement, {"now": at(now), "step": _TOTP_STEP_MILLIS, "why": _WHY})
    nonce_floor = max(int(meta.get("nonce_floor", "0")), at(now)) + NONCE_MARGIN
    tables.conn.execute("INSERT OR REPLACE INTO meta VALUES ('nonce_floor', ?)", (str(nonce_floor),))
    begin(tables, epoch, now)
    ended, unknown = end_requests(tables, audit, now, _WHY)
    freeze_by_nobody(tables, audit, now, _WHY)
    _tell(tables, Outbox(database, clock), header, ended, unknown)
    return epoch, ended, unknown


def _tell(tables: Tables, outbox: Outbox, header: Header, ended: tuple[str, ...], unknown: tuple[str, ...]) -> None:
    """Every admin: what this means, and what is to be looked at."""
    lines = [
        f"What happened after {header.made_at} is not known here: people, logins and requests are as they were then.",
        "What was taken away since is back. Buttons from before do not work.",
        "The desk is frozen: no money leaves until others have signed for the thaw.",
    ]
    if ended:
        lines.append(f"Ended, to be asked for anew: {', '.join(ended)}.")
    if unknown:
        lines.append(f"Outcome unknown, look at the provider: {', '.join(unknown)}.")
    for admin in (person for person in people_in(tables) if "admin" in person.roles):
        for number in admin.telegram_ids:
            notice = Notice(
                Lane.SECURITY,
                number,
                "A backup was restored",
                tuple(lines),
                next_step="Go through /people and /connections.",
            )
            outbox.put(tables, notice)


def _epoch_of(path: Path) -> int:
    """The epoch of the database that is there, 0 when there is none that can be read."""
    with suppress(StoreError, ValueError):
        found = peek(path, lambda tables: [row["value"] for row in tables["meta"].rows if row["key"] == "epoch"])
        return int(found[0]) if found else 0
    return 0


def _exchange(making: Path, path: Path, now: datetime) -> Path | None:
    """Put the new database in the old one's place, in one step; answers under which name the old one is kept."""
    aside = path.with_name(f"{path.name}.before-restore-{now:%Y%m%dT%H%M%SZ}") if path.exists() else None
    if aside is not None:
        fold(path)
        aside.hardlink_to(path)
    for end in (
        "-wal",
        "-shm",
    ):  # what is left of a database that is damaged or gone: not to be taken for the new one's
        left = path.with_name(path.name + end)
        if aside is None:
            left.unlink(missing_ok=True)
        elif left.exists():
            left.rename(aside.with_name(aside.name + end))
    mark_of(path).unlink(missing_ok=True)  # how far the old one came
    making.replace(path)
    synced(path.parent)
    return aside


def _erase(making: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal", "-open"):
        making.with_name(making.name + end).unlink(missing_ok=True)
