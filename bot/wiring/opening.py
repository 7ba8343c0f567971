"""The house, opened in one place and closed in one place, so that tests open the same one."""

import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import msgspec

from bot.access.service import Access
from bot.audit.service import Audit
from bot.clock import Clock, SystemClock
from bot.config import Config, PolicyConfig
from bot.errors import StartRefusedError
from bot.messages.cards import Cards
from bot.messages.inbox import Inbox
from bot.messages.outbox import Outbox
from bot.operations.notices import Notices
from bot.operations.pulse import Pulse
from bot.operations.timekeeping import Timekeeping
from bot.providers.registry import PROVIDERS
from bot.store import Database, Tables
from bot.store.columns import at
from bot.vault.install import check_key, grow_keys
from bot.vault.keys import KeyTree, MasterKey
from bot.vault.service import Vault
from bot.vault.signing import ButtonSigner, UpdateSealer
from bot.vault.sources import read_master
from bot.wiring.delivery import DeliveryRooms
from bot.wiring.trading import TradingRooms
from bot.wiring.watching import WatchingRooms

DATABASE = "countersign.sqlite"
LOCK = "lock"
_CLEAN_STOP = "clean_stop"
EX_TEMPFAIL = 75


class House(DeliveryRooms, TradingRooms, WatchingRooms):
    """Every room."""


def provider_settings() -> dict[str, type[msgspec.Struct]]:
    """The configuration table of each provider."""
    return {name: spec.settings for name, spec in PROVIDERS.items()}


def read_policy(document: bytes) -> object:
    """Check a policy's document. `ConfigError`. Its room is opened for a desk that has one in its configuration."""
    from bot.approvals.policy.reading import read

    return read(document, PROVIDERS)


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
        KeySourceError, KeyTextError, WrongKeyError, StoreDamagedError, StartRefusedError: Nothing was changed.
    """
    clock = clock or SystemClock()
    path = config.data_dir / DATABASE
    master: MasterKey = read_master(config.key)
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
    inbox, outbox, cards = Inbox(database, clock), Outbox(database, clock), Cards(database, clock)
    timekeeping = Timekeeping(database, audit, outbox, cards, clock)
    await timekeeping.start()  # before anything is written down with a time of this run
    access = Access(database, audit, clock, config.people.groups)
    await access.start(config.people.admins, config.people.members, Notices(outbox).tell_of_second_admin)
    if config.policy != PolicyConfig():
        from bot.operations.beginning import begin_with

        await begin_with(database, audit, clock, config.policy)
    vault = Vault(database, keys, meta["install_id"], clock)
    await vault.locks.refresh()
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
        signer=ButtonSigner(keys, epoch),
        sealer=UpdateSealer(keys, meta["install_id"], clock),
        audit=audit,
        access=access,
        vault=vault,
        inbox=inbox,
        outbox=outbox,
        cards=cards,
        timekeeping=timekeeping,
        pulse=pulse,
    )


def _take_up(tables: Tables) -> dict[str, str]:
    """The install's facts. The mark of a clean stop is used up by reading it: a run that crashes leaves none."""
    meta = dict(tables.conn.execute("SELECT key, value FROM meta").fetchall())
    tables.conn.execute("DELETE FROM meta WHERE key = ?", (_CLEAN_STOP,))
    tables.conn.execute("INSERT OR REPLACE INTO meta VALUES ('ran_before', 'yes')")
    return meta


async def mark_clean_stop(rooms: House) -> None:
    """The last thing a run writes."""
    now = str(at(rooms.clock.now()))
    await rooms.database.write(
        lambda tables: tables.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_CLEAN_STOP, now))
    )
