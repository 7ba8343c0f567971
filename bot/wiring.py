"""The rooms, joined. Opened in one place, closed in one place, so that tests open the same house."""

import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import msgspec

from bot.access.service import Access
from bot.approvals.model import Kind
from bot.approvals.service import Approvals
from bot.audit.service import Audit
from bot.clock import Clock, SystemClock
from bot.config import Config
from bot.errors import StartRefusedError
from bot.messages.cards import Cards
from bot.messages.inbox import Inbox
from bot.messages.outbox import Outbox
from bot.operations.anchoring import Anchoring
from bot.operations.announcing import Announcing
from bot.operations.auditing import Auditing
from bot.operations.balances import Balances
from bot.operations.clients import ClientDesk
from bot.operations.connections import Connections
from bot.operations.entry import Entries
from bot.operations.factor import Factors
from bot.operations.factor_reset import FactorReset
from bot.operations.hygiene import Hygiene
from bot.operations.linking import Linking
from bot.operations.locking import Locking
from bot.operations.logins import Logins
from bot.operations.nonces import StoredNonces
from bot.operations.people import Notices, People
from bot.operations.registering import Registering
from bot.operations.reports import Reports
from bot.operations.role_requests import RoleRequests
from bot.operations.sharing import Sharing
from bot.operations.statements import Statements
from bot.operations.status import Pulse, StatusDesk
from bot.operations.timekeeping import Timekeeping
from bot.operations.wariness import Wariness
from bot.operations.withdrawals import Withdrawals
from bot.ports import Sealer, Signer
from bot.providers.registry import PROVIDERS
from bot.store import Database, Tables
from bot.store.columns import at
from bot.vault.install import check_key, grow_keys
from bot.vault.keys import KeyTree, MasterKey
from bot.vault.service import Vault
from bot.vault.signing import ButtonSigner, UpdateSealer
from bot.vault.sources import read_master

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
    approvals: Approvals
    people: People
    timekeeping: Timekeeping
    factors: Factors
    auditing: Auditing
    anchoring: Anchoring
    connections: Connections
    sharing: Sharing
    hygiene: Hygiene
    wariness: Wariness
    linking: Linking
    entries: Entries
    logins: Logins
    locking: Locking
    balances: Balances
    withdrawals: Withdrawals
    clients: ClientDesk
    reports: Reports
    statements: Statements
    announcing: Announcing
    registering: Registering
    status: StatusDesk
    pulse: Pulse


def provider_settings() -> dict[str, type[msgspec.Struct]]:
    """The configuration table of each provider."""
    return {name: spec.settings for name, spec in PROVIDERS.items()}


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
    vault = Vault(database, keys, meta["install_id"], clock)
    await vault.locks.refresh()
    factors = Factors(database, vault, audit, outbox, timekeeping, clock, config.desk.name)
    approvals = Approvals(database, audit, outbox, cards, clock)
    approvals.carriers[Kind.FACTOR_RESET] = FactorReset(factors, vault, audit, clock)
    approvals.carriers[Kind.ROLE] = RoleRequests(access, audit, Notices(outbox).tell)
    connections = Connections(database, vault, audit, outbox, clock, config.providers, StoredNonces(database))
    sealer = UpdateSealer(keys, meta["install_id"], clock)
    people = People(database, access, approvals, vault, connections, cards, outbox, audit, clock)
    wariness = Wariness(cards, clock)
    linking = Linking(database, cards, vault, connections, wariness, has_page=config.web is not None)
    zone = ZoneInfo(config.desk.time_zone)
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
        sealer=sealer,
        audit=audit,
        access=access,
        vault=vault,
        inbox=inbox,
        outbox=outbox,
        cards=cards,
        approvals=approvals,
        people=people,
        timekeeping=timekeeping,
        factors=factors,
        auditing=Auditing(database, audit, clock, zone=zone),
        anchoring=Anchoring(database, audit, access, outbox, clock, zone=zone, config=config.audit),
        connections=connections,
        sharing=Sharing(database, audit, outbox),
        hygiene=Hygiene(database, vault, connections, outbox, clock),
        wariness=wariness,
        linking=linking,
        entries=Entries(database, access, linking, audit, outbox, clock),
        logins=Logins(database, access, linking, connections, vault, audit, outbox, clock, settings=config.providers),
        locking=Locking(database, vault, connections, cards, wariness, audit, outbox),
        balances=Balances(connections, clock),
        withdrawals=Withdrawals(database, connections, access, audit, outbox, sealer, clock),
        clients=ClientDesk(connections, clock),
        reports=Reports(connections, clock),
        statements=Statements(connections, clock),
        registering=Registering(database, connections, outbox, clock),
        announcing=Announcing(database, connections, access, outbox, clock),
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
