"""What people add to a request that is asked for: remarks and files, as rows. They never change what was asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.approvals.model import Request
from bot.store import Tables
from bot.store.columns import at, moment


@dataclass(frozen=True, slots=True)
class Remark:
    """Something said about a request."""

    person_id: int
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that lies with a request, without its content."""

    id: int
    person_id: int
    at: datetime
    name: str
    media_type: str
    sha256: str
    size: int
    """In bytes."""


def add_remark(tables: Tables, request_id: str, remark: Remark) -> None:
    tables.conn.execute(
        "INSERT INTO remarks (request_id, person_id, at, text) VALUES (?, ?, ?, ?)",
        (request_id, remark.person_id, at(remark.at), remark.text),
    )


def remarks_on(tables: Tables, request_id: str) -> list[Remark]:
    """Every one, oldest first."""
    rows = tables.conn.execute(
        "SELECT person_id, at, text FROM remarks WHERE request_id = ? ORDER BY id", (request_id,)
    ).fetchall()
    return [Remark(person, moment(when), text) for person, when, text in rows]


def add_file(tables: Tables, request_id: str, file: Enclosure, content: bytes) -> None:
    """`file.id` is given out here, whatever it says."""
    tables.conn.execute(
        "INSERT INTO files (request_id, person_id, at, name, media_type, sha256, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (request_id, file.person_id, at(file.at), file.name, file.media_type, file.sha256, content),
    )


def files_of(tables: Tables, request_id: str) -> list[Enclosure]:
    """Every one, oldest first."""
    rows = tables.conn.execute(
        "SELECT id, person_id, at, name, media_type, sha256, length(body) FROM files WHERE request_id = ? ORDER BY id",
        (request_id,),
    ).fetchall()
    return [Enclosure(one, person, moment(when), *rest) for one, person, when, *rest in rows]


def content_of(tables: Tables, file_id: int) -> bytes:
    """What is in it."""
    (body,) = tables.conn.execute("SELECT body FROM files WHERE id = ?", (file_id,)).fetchone()
    return bytes(body)


def kept_bytes(tables: Tables) -> int:
    """All files of all requests together."""
    (total,) = tables.conn.execute("SELECT coalesce(sum(length(body)), 0) FROM files").fetchone()
    return int(total)


_REMARKS_SHOWN = 3


def enclosed(tables: Tables, request: Request, people: Mapping[int, str]) -> tuple[str, ...]:
    """What lies with it, for a card: how many files, and the last remarks."""

    def name(person_id: int) -> str:
        return people.get(person_id, "Somebody who left")

    files, remarks = files_of(tables, request.id), remarks_on(tables, request.id)
    said = []
    if files:
        count = "1 file" if len(files) == 1 else f"{len(files)} files"
        said.append(f"{count}: {', '.join(file.name for file in files)}.")
    if len(remarks) > _REMARKS_SHOWN:
        said.append(f"{len(remarks) - _REMARKS_SHOWN} earlier notes.")
    said += [f"{name(one.person_id)} notes, {one.at:%H:%M} UTC: {one.text}" for one in remarks[-_REMARKS_SHOWN:]]
    return tuple(said)
