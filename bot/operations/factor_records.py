"""How people's second factors are: their rows, and the seeds sealed beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.errors import RecordUnreadableError
from bot.ports import Deed
from bot.store import Tables
from bot.store.columns import moment
from bot.vault.service import Subject, Vault
from bot.vault.totp import SEED_BYTES, seed_from

FIELD = "seed"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person's second factor is."""

    active_since: datetime | None = None
    last_step: int = 0
    """The step of the last code that was accepted."""
    locked_until: datetime | None = None
    enrolling_until: datetime | None = None
    waiting: str | None = None
    """The open request that is to confirm a first one."""

    @property
    def is_active(self) -> bool:
        return self.active_since is not None


def standing_in(tables: Tables, person_id: int) -> Standing | None:
    """As of the caller's transaction."""
    row = tables.conn.execute(
        "SELECT active_since, last_step, locked_until, enrolling_until,"
        " (SELECT id FROM requests WHERE id = waiting AND state = 'pending') FROM factors WHERE person_id = ?",
        (person_id,),
    ).fetchone()
    if row is None:
        return None
    active_since, last_step, locked_until, enrolling_until, waiting = row
    return Standing(_moment(active_since), last_step, _moment(locked_until), _moment(enrolling_until), waiting)


def has_factor(tables: Tables, person_id: int) -> bool:
    """Whether a person could show a code."""
    standing = standing_in(tables, person_id)
    return standing is not None and standing.is_active


def forget(tables: Tables, vault: Vault, person_id: int) -> None:
    """Erase everything about a person's factor, what is half set up as well."""
    tables.conn.execute("DELETE FROM factors WHERE person_id = ?", (person_id,))
    for new in (False, True):
        vault.erasing(subject_of(person_id, new=new).name)(tables)


def seed_in(tables: Tables, vault: Vault, subject: Subject) -> bytes | None:
    """None when it is gone or does not open."""
    try:
        text = vault.safe.take_all(tables, subject).get(FIELD)
        seed = seed_from(text.reveal()) if text is not None else b""
    except (RecordUnreadableError, ValueError):
        return None
    return seed if len(seed) == SEED_BYTES else None


def subject_of(person_id: int, *, new: bool = False) -> Subject:
    """What the seed is sealed for. One that is not confirmed yet is no other's."""
    if new:
        return Subject(f"factor/{person_id}/new", person_id, "factor", "unconfirmed", "factor")
    return Subject(f"factor/{person_id}", person_id, "factor", "active", "factor")


def deed(action: str, person_id: int, telegram_id: int | None, details: Mapping[str, str | int] | None = None) -> Deed:
    """What somebody did about a factor of their own."""
    return Deed(action, f"person/{person_id}", person_id, telegram_id, details or {})


def _moment(column: int | None) -> datetime | None:
    return None if column is None else moment(column)
