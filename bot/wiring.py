"""The rooms, joined. Opened in one place, closed in one place, so that tests open the same house."""

import fcntl
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from bot.access.service import Access
from bot.audit.service import Audit
from bot.clock import Clock, SystemClock
from bot.config import Config, PolicyConfig, SecondChannelConfig
from bot.errors import StartRefusedError
from bot.messages.cards import Cards
from bot.messages.inbox import Inbox
from bot.messages.outbox import Outbox
from bot.operations.notices import Notices
from bot.operations.pulse import Pulse
from bot.operations.timekeeping import Timekeeping
from bot.ports import Sealer, Signer
from bot.providers.registry import PROVIDERS
from bot.store import Database, Tables
from bot.store.columns import at
from bot.vault.install import check_key, grow_keys
from bot.vault.keys import KeyTree, MasterKey
from bot.vault.service import Vault
from bot.vault.signing import ButtonSigner, UpdateSealer
from bot.vault.sources import read_master

if TYPE_CHECKING:
    from bot.alerts.service import Alerts
    from bot.approvals.reminding import Reminding
    from bot.approvals.service import Approvals
    from bot.messages.bursts import Bursts
    from bot.messages.quiet import Quiet
    from bot.messages.second_channel import Way
    from bot.messages.undelivered import Undelivered
    from bot.operations.account_opening import AccountOpening
    from bot.operations.accounts import Accounts
    from bot.operations.alerting import Alerting
    from bot.operations.allowances import Allowances
    from bot.operations.anchoring import Anchoring
    from bot.operations.auditing import Auditing
    from bot.operations.balances import Balances
    from bot.operations.bookings import BookingDesk
    from bot.operations.brokerage import Brokerage
    from bot.operations.changing import Changing
    from bot.operations.client_requests import ClientRequests
    from bot.operations.clients import ClientDesk
    from bot.operations.connections import Connections
    from bot.operations.contracts import ContractDesk
    from bot.operations.deals import DealDesk
    from bot.operations.deciding import Deciding
    from bot.operations.delegating import Delegating
    from bot.operations.derivs import DerivDesk
    from bot.operations.dossiers import Dossiers
    from bot.operations.enclosing import Enclosing
    from bot.operations.entry import Entries
    from bot.operations.evidence.service import Evidence
    from bot.operations.factor import Factors
    from bot.operations.freezing import Freezing
    from bot.operations.hygiene import Hygiene
    from bot.operations.leads import Leads
    from bot.operations.linking import Linking
    from bot.operations.locking import Locking
    from bot.operations.logins import Logins
    from bot.operations.markets import MarketDesk
    from bot.operations.meeting import Meeting
    from bot.operations.moving.room import MoneyRoom
    from bot.operations.nightly import Nightly
    from bot.operations.paging import Paging
    from bot.operations.payments import Payments
    from bot.operations.people import People
    from bot.operations.policies import PolicyDesk
    from bot.operations.policy_trials import PolicyTrials
    from bot.operations.registering import Registering
    from bot.operations.report_feed import ReportFeed
    from bot.operations.reports import Reports
    from bot.operations.schedules.service import Schedules
    from bot.operations.sharing import Sharing
    from bot.operations.statements import Statements
    from bot.operations.status import StatusDesk
    from bot.operations.turned_away import TurnedAway
    from bot.operations.wariness import Wariness
    from bot.operations.watch.room import Watch
    from bot.operations.watching_desk import WatchingDesk
    from bot.operations.withdrawals import Withdrawals

DATABASE = "countersign.sqlite"
LOCK = "lock"
_CLEAN_STOP = "clean_stop"
EX_TEMPFAIL = 75


@dataclass(frozen=True)
class House:
    """Every room. Those that a bot needs to hear of updates are fields, and open.

    The others are furnished, and their files imported, when they are first asked for: a room costs nothing at the
    start, and a new one is one property more.
    """

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
    timekeeping: Timekeeping
    pulse: Pulse

    @property
    def approvals(self) -> "Approvals":
        return self._deciding.approvals

    @property
    def factors(self) -> "Factors":
        return self._deciding.factors

    @property
    def accounts(self) -> "Accounts":
        return self._deciding.accounts

    @property
    def money(self) -> "MoneyRoom":
        return self._deciding.money

    @cached_property
    def _deciding(self) -> "Deciding":
        """All at once: requests ask these rooms what they mean, and the rooms ask for requests."""
        from bot.operations.deciding import deciding

        return deciding(self)

    @cached_property
    def bursts(self) -> "Bursts":
        from bot.messages.bursts import Bursts

        return Bursts(self.database, self.clock)

    @cached_property
    def quiet(self) -> "Quiet":
        from bot.messages.quiet import Quiet

        return Quiet(self.database, self.audit, self.clock)

    @cached_property
    def undelivered(self) -> "Undelivered":
        from bot.messages.undelivered import Undelivered

        return Undelivered(self.database, self.audit, self.clock)

    @cached_property
    def schedules(self) -> "Schedules":
        from bot.operations.schedules.service import Schedules

        return Schedules(self.database, self.audit, self.outbox, self.clock)

    @cached_property
    def nightly(self) -> "Nightly | None":
        """None where the configuration wants no backups."""
        if self.config.backup is None:
            return None
        from bot.operations.backups import Backups
        from bot.operations.nightly import Nightly

        backups = Backups(self.database, self.keys, self.vault, self.audit, self.clock, via="clock")
        zone = self.config.desk.time_zone
        return Nightly(self.database, backups, self.outbox, self.clock, zone=zone, config=self.config.backup)

    @cached_property
    def paging(self) -> "Paging":
        from bot.operations.paging import Paging

        second = self.config.second_channel
        ways: Mapping[str, Way] = {}
        if second != SecondChannelConfig():
            from bot.messages.second_channel import ways_of

            ways = ways_of(second)
        return Paging(
            self.database,
            ways,
            self.pulse,
            self.clock,
            desk=self.config.desk.name,
            patience=timedelta(minutes=second.unreachable_minutes),
        )

    @cached_property
    def freezing(self) -> "Freezing":
        from bot.operations.freezing import Freezing

        return Freezing(self.database, self.audit, self.outbox, self.clock)

    @cached_property
    def alerts(self) -> "Alerts":
        from bot.alerts.service import Alerts
        from bot.operations.linked import find_one

        zone = ZoneInfo(self.config.desk.time_zone)
        return Alerts(
            self.database,
            self.outbox,
            self.cards,
            self.audit,
            self.clock,
            find=find_one,
            groups=lambda: self.access.roster.groups,
            zone=zone,
        )

    @cached_property
    def alerting(self) -> "Alerting":
        from bot.operations.alerting import Alerting

        return Alerting(self.connections, self.clock, ZoneInfo(self.config.desk.time_zone))

    @cached_property
    def watching_desk(self) -> "WatchingDesk":
        from bot.operations.watching_desk import WatchingDesk

        return WatchingDesk(self.database, self.alerts, self.connections, self.money.disk, self.clock)

    @cached_property
    def policy(self) -> "PolicyDesk":
        from bot.operations.policies import PolicyDesk

        return PolicyDesk(self.database, self.money.policies, self.audit, self.outbox, self.clock)

    @cached_property
    def trials(self) -> "PolicyTrials":
        from bot.operations.policy_trials import PolicyTrials

        return PolicyTrials(self.database, self.money.policies, self.clock)

    @cached_property
    def allowances(self) -> "Allowances":
        from bot.operations.allowances import Allowances

        return Allowances(self.database, self.money.policies, self.connections, self.clock)

    @cached_property
    def reminding(self) -> "Reminding":
        from bot.approvals.reminding import Reminding

        return Reminding(self.database, self.approvals, self.money.policies, self.clock)

    @cached_property
    def meeting(self) -> "Meeting":
        from bot.operations.meeting import Meeting

        return Meeting(self.database, self.money.policies, self.outbox, self.clock)

    @cached_property
    def enclosing(self) -> "Enclosing":
        from bot.operations.enclosing import Enclosing

        return Enclosing(self.database, self.approvals, self.audit, self.clock)

    @cached_property
    def delegating(self) -> "Delegating":
        from bot.operations.delegating import Delegating

        zone = ZoneInfo(self.config.desk.time_zone)
        return Delegating(self.database, self.approvals, self.audit, Notices(self.outbox), self.clock, zone)

    @cached_property
    def evidence(self) -> "Evidence":
        from bot.operations.evidence.service import Evidence

        return Evidence(self.database, self.approvals, self.audit, self.clock, self.config.audit.anchor_file)

    @cached_property
    def people(self) -> "People":
        from bot.operations.people import People

        return People(
            self.database,
            self.access,
            self.approvals,
            self.vault,
            self.connections,
            self.cards,
            self.outbox,
            self.audit,
            self.clock,
            self.freezing.alarm,
        )

    @cached_property
    def auditing(self) -> "Auditing":
        from bot.operations.auditing import Auditing

        return Auditing(
            self.database,
            self.audit,
            self.clock,
            zone=ZoneInfo(self.config.desk.time_zone),
            alarm=self.freezing.alarm,
        )

    @cached_property
    def anchoring(self) -> "Anchoring":
        from bot.operations.anchoring import Anchoring

        return Anchoring(
            self.database,
            self.audit,
            self.access,
            self.outbox,
            self.clock,
            zone=ZoneInfo(self.config.desk.time_zone),
            config=self.config.audit,
            alarm=self.freezing.alarm,
        )

    @cached_property
    def connections(self) -> "Connections":
        from bot.operations.connections import Connections
        from bot.operations.nonces import StoredNonces

        nonces = StoredNonces(self.database)
        return Connections(
            self.database, self.vault, self.audit, self.outbox, self.clock, self.config.providers, nonces
        )

    @cached_property
    def changing(self) -> "Changing":
        from bot.operations.changing import Changing

        return Changing(self.database, self.connections, self.audit)

    @cached_property
    def brokerage(self) -> "Brokerage":
        from bot.operations.brokerage import Brokerage

        return Brokerage(self.connections, self.changing)

    @cached_property
    def contracts(self) -> "ContractDesk":
        from bot.operations.contracts import ContractDesk

        return ContractDesk(self.connections, self.money.planning, self.clock)

    @cached_property
    def derivs(self) -> "DerivDesk":
        from bot.operations.derivs import DerivDesk

        return DerivDesk(self.connections, self.changing, self.clock)

    @cached_property
    def account_opening(self) -> "AccountOpening":
        from bot.operations.account_opening import AccountOpening

        return AccountOpening(
            self.database,
            self.cards,
            self.vault,
            self.audit,
            self.connections,
            self.linking,
            self.changing,
            self.derivs,
            self.clock,
        )

    @cached_property
    def deals(self) -> "DealDesk":
        from bot.operations.deals import DealDesk

        zone = ZoneInfo(self.config.desk.time_zone)
        return DealDesk(self.connections, self.money.planning, self.clock, zone)

    @cached_property
    def markets(self) -> "MarketDesk":
        from bot.operations.markets import MarketDesk

        return MarketDesk(self.connections, self.clock)

    @cached_property
    def sharing(self) -> "Sharing":
        from bot.operations.sharing import Sharing

        return Sharing(self.database, self.audit, self.outbox)

    @cached_property
    def hygiene(self) -> "Hygiene":
        from bot.operations.hygiene import Hygiene

        return Hygiene(self.database, self.vault, self.connections, self.outbox, self.clock)

    @cached_property
    def wariness(self) -> "Wariness":
        from bot.operations.wariness import Wariness

        return Wariness(self.cards, self.clock)

    @cached_property
    def turned_away(self) -> "TurnedAway":
        from bot.operations.turned_away import TurnedAway

        return TurnedAway(self.database, self.audit, self.clock)

    @cached_property
    def linking(self) -> "Linking":
        from bot.operations.linking import Linking

        has_page = self.config.web is not None
        return Linking(self.database, self.cards, self.vault, self.connections, self.wariness, has_page=has_page)

    @cached_property
    def entries(self) -> "Entries":
        from bot.operations.entry import Entries

        return Entries(self.database, self.access, self.linking, self.audit, self.outbox, self.clock)

    @cached_property
    def logins(self) -> "Logins":
        from bot.operations.logins import Logins

        return Logins(
            self.database,
            self.access,
            self.linking,
            self.connections,
            self.vault,
            self.audit,
            self.outbox,
            self.clock,
            settings=self.config.providers,
        )

    @cached_property
    def locking(self) -> "Locking":
        from bot.operations.locking import Locking

        return Locking(self.database, self.vault, self.connections, self.cards, self.wariness, self.audit, self.outbox)

    @cached_property
    def balances(self) -> "Balances":
        from bot.operations.balances import Balances

        return Balances(self.connections, self.clock)

    @cached_property
    def withdrawals(self) -> "Withdrawals":
        from bot.operations.withdrawals import Withdrawals

        return Withdrawals(
            self.database, self.connections, self.access, self.audit, self.outbox, self.cards, self.sealer, self.clock
        )

    @cached_property
    def dossiers(self) -> "Dossiers":
        from bot.operations.dossiers import Dossiers

        return Dossiers(self.database, self.approvals, self.audit, self.clock)

    @cached_property
    def report_feed(self) -> "ReportFeed":
        from bot.operations.report_feed import ReportFeed
        from bot.providers.crm.settings import Settings

        crm = self.config.providers.get("crm")
        is_on = isinstance(crm, Settings) and crm.requests_from_report
        return ReportFeed(self.connections, self.withdrawals, self.clock, is_on=is_on)

    @cached_property
    def payments(self) -> "Payments":
        from bot.operations.payments import Payments

        return Payments(self.database, self.access, self.audit, self.outbox, self.clock)

    @cached_property
    def booking_desk(self) -> "BookingDesk":
        from bot.operations.bookings import BookingDesk

        return BookingDesk(self.connections, self.clients, self.money.planning, self.clock)

    @cached_property
    def clients(self) -> "ClientDesk":
        from bot.operations.clients import ClientDesk

        return ClientDesk(self.connections, self.clock)

    @cached_property
    def leads(self) -> "Leads":
        from bot.operations.leads import Leads

        return Leads(self.database, self.connections, self.audit)

    @cached_property
    def reports(self) -> "Reports":
        from bot.operations.reports import Reports

        return Reports(self.connections, self.clock)

    @cached_property
    def statements(self) -> "Statements":
        from bot.operations.statements import Statements

        return Statements(self.connections, self.clock)

    @cached_property
    def watch(self) -> "Watch":
        from bot.operations.watch.room import Watch
        from bot.providers.standing import Figures

        patience = self.config.streams
        return Watch(
            self.database,
            self.connections,
            self.access,
            self.outbox,
            self.alerts,
            self.clock,
            zone=ZoneInfo(self.config.desk.time_zone),
            figures=Figures(patience.backoff, patience.backoff_cap, stall_seconds=patience.stall),
            poll_seconds=patience.poll,
            patience_seconds=patience.tell_after,
            requests=lambda: self.client_requests,
        )

    @cached_property
    def client_requests(self) -> "ClientRequests":
        from bot.operations.client_requests import ClientRequests

        hears = self.config.web is not None and "crm.webhook_secret_file" in self.config.hooks
        return ClientRequests(self.withdrawals, self.report_feed, self.connections, self.clock, hears=hears)

    @cached_property
    def registering(self) -> "Registering":
        from bot.operations.registering import Registering

        return Registering(self.database, self.connections, self.outbox, self.clock)

    @cached_property
    def status(self) -> "StatusDesk":
        from bot.operations.status import StatusDesk

        return StatusDesk(self.database, self.inbox, self.outbox, self.connections, self.pulse, self.clock)


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
