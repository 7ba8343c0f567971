"""Rows of one-time secrets: links to a page, and browsers on their way to a provider's login page and back.

A row knows its secret by the hash only. It is bound to one person and to the draft they began with /connect, lives ten
minutes and is used once. What is sealed for one, is sealed under its hash.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from bot.access.model import Person
from bot.secret import Secret
from bot.store import Tables
from bot.store.columns import at, packed
from bot.vault.service import Subject

LIFE: Final = timedelta(minutes=10)
MOST_WRONG_TRIES: Final = 5


class Purpose(StrEnum):
    """What a one-time secret is for."""

    PAGE = "connect"
    """A link to the page on which a login is entered."""
    REDIRECT = "redirect"
    """A cookie: which browser was sent to a provider's login page."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """A row that is neither used nor over."""

    key: str
    person_id: int
    body: Mapping[str, Any]
    """`draft` and `telegram_id`, and what its purpose needs besides."""
    code_hash: str | None
    wrong_tries: int


def random_secret() -> Secret:
    """256 bits, safe in an address and in a cookie."""
    return Secret(secrets.token_urlsafe(32))


def key_of(secret: Secret) -> str:
    """By what a row knows its secret."""
    return hashlib.sha256(secret.reveal().encode()).hexdigest()


def sealed_for(key: str, person_id: int) -> Subject:
    """Under which name something is sealed for a row."""
    return Subject(f"entry/{key}", person_id, "draft", "draft", "draft")


def add(
    tables: Tables,
    secret: Secret,
    person: Person,
    purpose: Purpose,
    body: Mapping[str, Any],
    now: datetime,
    code_hash: str | None = None,
) -> None:
    """A new row."""
    tables.conn.execute(
        "INSERT INTO entry_links (token_hash, person_id, purpose, body, code_hash, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (key_of(secret), person.id, purpose.value, packed(body), code_hash, at(now), at(now + LIFE)),
    )


def alive(tables: Tables, secret: Secret, purpose: Purpose, now: datetime) -> Entrance | None:
    """The row of a secret; None when it is used, over, or was never made."""
    row = tables.conn.execute(
        "SELECT token_hash, person_id, body, code_hash, wrong_codes FROM entry_links WHERE token_hash = ?"
        " AND purpose = ? AND used_at IS NULL AND expires_at > ? AND wrong_codes < ?",
        (key_of(secret), purpose.value, at(now), MOST_WRONG_TRIES),
    ).fetchone()
    if row is None:
        return None
    key, person_id, body, code_hash, wrong_tries = row
    return Entrance(key, person_id, json.loads(body), code_hash, wrong_tries)


def count_wrong_try(tables: Tables, there: Entrance) -> int:
    """Somebody did not prove whose it is; answers how many more tries there are."""
    tries = there.wrong_tries + 1
    tables.conn.execute("UPDATE entry_links SET wrong_codes = ? WHERE token_hash = ?", (tries, there.key))
    return MOST_WRONG_TRIES - tries


def fill(tables: Tables, there: Entrance, body: Mapping[str, Any]) -> None:
    """Give a row another body."""
    tables.conn.execute("UPDATE entry_links SET body = ? WHERE token_hash = ?", (packed(body), there.key))


def use_up(tables: Tables, key: str, now: datetime) -> None:
    """It leads nowhere any more."""
    tables.conn.execute("UPDATE entry_links SET used_at = ? WHERE token_hash = ?", (at(now), key))


def forget_pages_of(tables: Tables, person: Person) -> None:
    """A person's links to the page are dead."""
    tables.conn.execute("DELETE FROM entry_links WHERE person_id = ? AND purpose = ?", (person.id, Purpose.PAGE.value))


def keys_of(tables: Tables, person_id: int) -> list[str]:
    """Every row of a person."""
    rows = tables.conn.execute("SELECT token_hash FROM entry_links WHERE person_id = ?", (person_id,))
    return [key for (key,) in rows]


def forget_all_of(tables: Tables, person_id: int) -> None:
    """None of a person's rows is left."""
    tables.conn.execute("DELETE FROM entry_links WHERE person_id = ?", (person_id,))


def forget_over(tables: Tables, purpose: Purpose, now: datetime) -> list[Entrance]:
    """Take away rows of a purpose whose time is over; answers what they were."""
    rows = tables.conn.execute(
        "DELETE FROM entry_links WHERE purpose = ? AND expires_at <= ?"
        " RETURNING token_hash, person_id, body, code_hash, wrong_codes",
        (purpose.value, at(now)),
    ).fetchall()
    return [Entrance(key, owner, json.loads(body), code, tries) for key, owner, body, code, tries in rows]


def is_any_over(tables: Tables, purpose: Purpose, now: datetime) -> bool:
    """Whether there is anything for `forget_over`."""
    question = "SELECT EXISTS (SELECT 1 FROM entry_links WHERE purpose = ? AND expires_at <= ?)"
    return bool(tables.conn.execute(question, (purpose.value, at(now))).fetchone()[0])
