"""A vault on a database of its own, with people in it."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.ports import Deed
from bot.secret import Secret
from bot.store import Database, Tables
from bot.vault.install import grow_keys
from bot.vault.keys import KeyTree, MasterKey
from bot.vault.service import Subject, Vault
from tests.support.clock import HandClock

MASTER = MasterKey(bytes(range(32)))
INSTALL_ID = "SELECT value FROM meta WHERE key = 'install_id'"
Reopen = Callable[[], Awaitable[Vault]]


class Diary:
    """Takes down what is to be audited."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []

    def record(self, tables: Tables, deed: Deed) -> None:
        assert tables.conn.in_transaction
        self.deeds.append(deed)

    @property
    def actions(self) -> list[str]:
        return [deed.action for deed in self.deeds]


def seeded(count: int) -> Callable[[Tables], None]:
    """That many people."""

    def change(tables: Tables) -> None:
        tables.conn.executemany(
            "INSERT INTO persons (id, name, state, created_at) VALUES (?, ?, 'active', 0)",
            [(number, f"Person {number}") for number in range(1, count + 1)],
        )

    return change


def fields(**texts: str) -> dict[str, Secret]:
    return {name: Secret(text) for name, text in texts.items()}


def shown(opened: Mapping[str, Secret]) -> dict[str, str]:
    return {name: secret.reveal() for name, secret in opened.items()}


async def rows(database: Database, question: str, *values: object) -> list[tuple[Any, ...]]:
    return await database.read(lambda tables: tables.conn.execute(question, values).fetchall())


async def change(database: Database, statement: str, *values: object) -> int:
    return await database.write(lambda tables: tables.conn.execute(statement, values).rowcount)


async def vault_of(database: Database, keys: KeyTree, clock: HandClock) -> Vault:
    """The vault as a start opens it."""
    ((install_id,),) = await rows(database, INSTALL_ID)
    vault = Vault(database, keys, install_id, clock)
    await vault.locks.refresh()
    return vault


def connection(number: int, person_id: int = 1, label: str = "") -> Subject:
    return Subject(f"connection/{number}", person_id, "capital", label or f"label-{number}", "live")


@pytest.fixture
async def keys(database: Database) -> KeyTree:
    return await grow_keys(MASTER, database)


@pytest.fixture
async def vault(database: Database, keys: KeyTree, clock: HandClock) -> Vault:
    await database.write(seeded(5))
    return await vault_of(database, keys, clock)


@pytest.fixture
def restarted(database: Database, keys: KeyTree, clock: HandClock) -> Reopen:
    """The vault after a restart: the same database, nothing in memory."""
    return lambda: vault_of(database, keys, clock)


@pytest.fixture
def diary() -> Diary:
    return Diary()


def everything_on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
