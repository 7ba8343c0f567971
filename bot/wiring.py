"""The rooms, joined. Opened in one place, closed in one place, so that tests open the same house."""

import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import msgspec

from bot.access.service import Access
from bot.audit.service import Audit
from bot.clock import Clock, SystemClock
from bot.config import Config
from bot.errors import StartRefusedError
from bot.messages.cards import Cards
from bot.messages.inbox import Inbox
from bot.messages.outbox import Outbox
from bot.operations.balances import Balances
from bot.operations.connections import Connections
from bot.operations.linking import Linking
from bot.operations.status import Pulse, StatusDesk
from bot.ports import Sealer, Signer
from bot.providers.registry import PROVIDERS
from bot.store import Database, Tables
from bot.store.columns import at
from bot.store.database import peek
from bot.vault.envelope import KEY_ID_BYTES, NONCE_BYTES, key_id_of, seal, unseal, with_lengths
from bot.vault.keys import KeyTree, MasterKey
from bot.vault.service import Vault, check_key, grow_keys, read_key_file

DATABASE = "countersign.sqlite"
LOCK = "lock"
_CLEAN_STOP = "clean_stop"
EX_TEMPFAIL = 75


@dataclass(frozen=True, slots=True)
class House:
    """Every room, open."""

    config: Config
    clock: Clock
    database: Database
    keys: KeyTree
    signer: Signer
    sealer: Sealer
    audit: Audit
    access: Access
    vault: Vault
    inbox: Inbox
    outbox: Outbox
    cards: Cards
    connections: Connections
    linking: Linking
    balances: Balances
    status: StatusDesk
    pulse: Pulse


class _ButtonSigner:
    """The vault's button key, bound to this install's epoch: after a restore old buttons are dead."""

    def __init__(self, keys: KeyTree, epoch: int) -> None:
        self._keys = keys
        self._epoch = epoch.to_bytes(8, "big")

    def sign(self, message: bytes) -> bytes:
        return self._keys.button_code(self._epoch + message)


class _UpdateSealer:
    """Seals updates while they wait in the inbox, in the form of every sealed record; each month has its own key."""

    def __init__(self, keys: KeyTree, install_id: str, clock: Clock) -> None:
        self._keys = keys
        self._install_id = install_id
        self._clock = clock

    def seal(self, plain: bytes, row: int) -> bytes:
        now = self._clock.now()
        month = now.year * 100 + now.month
        key_id = month.to_bytes(KEY_ID_BYTES, "big")
        return seal(self._keys.inbox(month), key_id, os.urandom(NONCE_BYTES), plain, self._belonging(row))

    def unseal(self, sealed: bytes, row: int) -> bytes:
        month = int.from_bytes(key_id_of(sealed), "big")
        return unseal(self._keys.inbox(month), sealed, self._belonging(row))

    def _belonging(self, row: int) -> bytes:
        return with_lengths("countersign/inbox", self._install_id, str(row))


def provider_settings() -> dict[str, type[msgspec.Struct]]:
    """The configuration table of each provider."""
    return {name: spec.settings for name, spec in PROVIDERS.items()}


def people_differing(config: Config) -> list[str]:
    """Where the configuration's people differ from the desk's, in sentences. They seed an empty desk, and no other."""

    def look(tables: Tables) -> dict[int, set[str]]:
        if "persons" not in tables.table_names():
            return {}
        rows = tables.conn.execute(
            "SELECT telegram_id, role FROM telegram_ids LEFT JOIN roles USING (person_id) ORDER BY telegram_id"
        )
        known: dict[int, set[str]] = {}
        for telegram_id, role in rows:
            known.setdefault(telegram_id, set()).add(role)
        return known

    known = peek(config.data_dir / DATABASE, look)
    if not known:
        return []
    wanted: dict[int, set[str]] = {member.id: set(member.roles) for member in config.people.members}
    for admin in config.people.admins:
        wanted.setdefault(admin, set()).add("admin")
    return [
        _difference(person, roles, known.get(person)) for person, roles in wanted.items() if roles != known.get(person)
    ]


def _difference(telegram_id: int, wanted: set[str], have: set[str] | None) -> str:
    """What differs about one person."""
    there = (
        "unknown at the desk" if have is None else f"{', '.join(sorted(filter(None, have))) or 'no role'} at the desk"
    )
    return (
        f"{telegram_id} is {', '.join(sorted(wanted))} in the configuration and {there}; the configuration seeds an "
        "empty desk only, so what the desk has counts (/invite adds people and roles)"
    )


@contextmanager
def holding(config: Config) -> Iterator[None]:
    """Hold the data directory: one program at a time (R41).

    Raises:
        StartRefusedError: Somebody holds it; exit 75, the holder's process id in the sentence.
    """
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(config.data_dir / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            reason = f"{config.data_dir} is in use by process {holder}; stop it first"
            raise StartRefusedError(reason, EX_TEMPFAIL) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


@asynccontextmanager
async def house(config: Config, clock: Clock | None = None) -> AsyncIterator[House]:
    """Open everything below Telegram; the caller holds the data directory.

    Raises:
        KeyTextError, WrongKeyError, StoreDamagedError, StartRefusedError: Nothing was changed.
    """
    clock = clock or SystemClock()
    path = config.data_dir / DATABASE
    master: MasterKey = read_key_file(config.key_file)
    check_key(master, path)
    database = await Database.open(path)
    try:
        keys = await grow_keys(master, database)
        yield await _furnish(config, clock, database, keys)
    finally:
        await database.close()


async def _furnish(config: Config, clock: Clock, database: Database, keys: KeyTree) -> House:
    meta = await database.write(_take_up)
    epoch = int(meta["epoch"])
    audit = Audit(clock, keys.audit_code, epoch)
    access = Access(database, audit, clock, config.people.groups)
    await access.start(config.people.admins, config.people.members)
    vault = Vault(database, keys, meta["install_id"], clock)
    inbox, outbox, cards = Inbox(database, clock), Outbox(database, clock), Cards(database, clock)
    connections = Connections(database, vault, audit, outbox, clock, config.providers)
    pulse = Pulse(
        started_at=clock.now(),
        mode="polling" if config.webhook is None else "webhook",
        after_crash="ran_before" in meta and _CLEAN_STOP not in meta,
    )
    return House(
        config=config,
        clock=clock,
        database=database,
        keys=keys,
        signer=_ButtonSigner(keys, epoch),
        sealer=_UpdateSealer(keys, meta["install_id"], clock),
        audit=audit,
        access=access,
        vault=vault,
        inbox=inbox,
        outbox=outbox,
        cards=cards,
        connections=connections,
        linking=Linking(cards, vault, connections, clock),
        balances=Balances(connections, clock),
        status=StatusDesk(database, inbox, outbox, connections, pulse, clock),
        pulse=pulse,
    )


def _take_up(tables: Tables) -> dict[str, str]:
    """The install's facts. The mark of a clean stop is used up by reading it: a run that crashes leaves none."""
    meta = {row["key"]: row["value"] for row in tables["meta"].rows}
    tables.conn.execute("DELETE FROM meta WHERE key = ?", (_CLEAN_STOP,))
    tables.conn.execute("INSERT OR REPLACE INTO meta VALUES ('ran_before', 'yes')")
    return meta


async def mark_clean_stop(rooms: House) -> None:
    """The last thing a run writes."""
    now = str(at(rooms.clock.now()))
    await rooms.database.write(
        lambda tables: tables.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_CLEAN_STOP, now))
    )
