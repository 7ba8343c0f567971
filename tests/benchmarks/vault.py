"""What sealing costs, beside the bare cipher doing the same."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.store import Tables
from bot.vault.envelope import Belonging, cipher, seal, unseal
from bot.vault.records import Subject
from bot.wiring import House
from tests.benchmarks.figures import Figure, Limit, paired
from tests.benchmarks.processes import CannotMeasureError
from tests.support.desk import opened, write_desk
from tests.vault.conftest import fields

ROUNDS = 5
RECORDS = 20_000
USERS = 10_000
SECRET = b"an api key as providers hand them out: 0123456789abcdef"
_BELONGING = Belonging("abcdefghijkmnpqr", 5, "capital", "main", "password", "live", "record2345abcdef", 3)
_FIRST = 1000


async def sealing(folder: Path) -> list[Figure]:
    """Records sealed and opened again a second. Both sides take a fresh nonce, and authenticate the same data."""
    key = os.urandom(32)
    rounds = [(_rate(_ours(key)), _rate(_bare(key))) for _ in range(ROUNDS)]
    return [paired("vault_records", "records/s", Limit("at least", 0.3), "raw AESGCM", rounds, digits=0)]


def _ours(key: bytes) -> Callable[[], bytes]:
    ready, key_id = cipher(key), os.urandom(8)

    def once() -> bytes:
        data = _BELONGING.as_data()
        return unseal(ready, seal(ready, key_id, os.urandom(12), SECRET, data), data)

    return once


def _bare(key: bytes) -> Callable[[], bytes]:
    aead, data = AESGCM(key), _BELONGING.as_data()

    def once() -> bytes:
        nonce = os.urandom(12)
        return aead.decrypt(nonce, aead.encrypt(nonce, SECRET, data), data)

    return once


def _rate(once: Callable[[], bytes]) -> float:
    if once() != SECRET:
        raise CannotMeasureError("what was sealed is not what was opened")
    begun = time.perf_counter()
    for _ in range(RECORDS):
        once()
    return RECORDS / (time.perf_counter() - begun)


async def opening(folder: Path) -> list[Figure]:
    """Seconds to open the credentials of 10,000 people, each under a data key of their own.

    The other side reads as many rows from a table of its own, makes each person's key with HKDF, and opens the row.
    """
    subjects = [Subject(f"connection/{n}", n, "capital", f"l{n}", "live") for n in range(_FIRST, _FIRST + USERS)]
    bare = _bare_table(folder / "bare.sqlite", key := os.urandom(32))
    async with opened(write_desk(folder / "ours")) as rooms:
        await rooms.database.write(lambda tables: _people(tables, rooms, subjects))
        rounds = [(await _pass(rooms, subjects), _bare_pass(bare, key)) for _ in range(ROUNDS)]
    return [paired("vault_open_all", "s", Limit("at most", 5.0), "sqlite3 + HKDF + AESGCM", rounds, digits=3)]


def _people(tables: Tables, rooms: House, subjects: list[Subject]) -> None:
    tables.conn.executemany(
        "INSERT INTO persons (id, name, state, created_at) VALUES (?, 'x', 'active', 0)",
        [(subject.person_id,) for subject in subjects],
    )
    for subject in subjects:
        rooms.vault.keeping(subject, fields(token=SECRET.decode()))(tables)


async def _pass(rooms: House, subjects: list[Subject]) -> float:
    begun = time.perf_counter()
    logins = await asyncio.gather(*(rooms.vault.open(subject) for subject in subjects))
    taken = time.perf_counter() - begun
    if {login["token"].reveal() for login in logins} != {SECRET.decode()}:
        raise CannotMeasureError("not everything was opened")
    return taken


def _bare_table(path: Path, key: bytes) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE sealed (subject TEXT PRIMARY KEY, person INTEGER, nonce BLOB, record BLOB)")
        for number in range(_FIRST, _FIRST + USERS):
            nonce = os.urandom(12)
            record = AESGCM(_person_key(key, number)).encrypt(nonce, SECRET, str(number).encode())
            connection.execute(
                "INSERT INTO sealed VALUES (?, ?, ?, ?)", (f"connection/{number}", number, nonce, record)
            )
        connection.commit()
    return path


def _person_key(key: bytes, number: int) -> bytes:
    return HKDF(SHA256(), 32, b"salt", f"user/{number}".encode()).derive(key)


def _bare_pass(path: Path, key: bytes) -> float:
    with closing(sqlite3.connect(path)) as connection:
        begun = time.perf_counter()
        opened_now = []
        for number in range(_FIRST, _FIRST + USERS):
            person, nonce, record = connection.execute(
                "SELECT person, nonce, record FROM sealed WHERE subject = ?", (f"connection/{number}",)
            ).fetchone()
            opened_now.append(AESGCM(_person_key(key, person)).decrypt(nonce, record, str(person).encode()))
        taken = time.perf_counter() - begun
    if set(opened_now) != {SECRET}:
        raise CannotMeasureError("not everything was opened")
    return taken
