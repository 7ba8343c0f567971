"""What is decided by several people: the approvals room, joined with every room whose requests it keeps."""

from dataclasses import dataclass
from typing import Protocol

from bot.access.service import Access
from bot.approvals.model import Kind
from bot.approvals.service import Approvals
from bot.audit.service import Audit
from bot.clock import Clock
from bot.config import Config
from bot.messages.cards import Cards
from bot.messages.outbox import Outbox
from bot.operations.accounts import Accounts
from bot.operations.connections import Connections
from bot.operations.disk import Disk
from bot.operations.enrolling import Enrolling
from bot.operations.factor import Factors
from bot.operations.factor_first import FactorFirst
from bot.operations.factor_news import FactorNews
from bot.operations.factor_records import has_factor
from bot.operations.factor_reset import FactorReset
from bot.operations.freezing import Freezing
from bot.operations.moving.room import MoneyRoom, money_room
from bot.operations.notices import Notices
from bot.operations.policy_requests import PolicyRequests
from bot.operations.role_requests import RoleRequests
from bot.operations.timekeeping import Timekeeping
from bot.store import Database
from bot.vault.service import Vault


class Ground(Protocol):
    """What these rooms stand on."""

    @property
    def config(self) -> Config: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def database(self) -> Database: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def access(self) -> Access: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def cards(self) -> Cards: ...
    @property
    def timekeeping(self) -> Timekeeping: ...
    @property
    def connections(self) -> Connections: ...
    @property
    def freezing(self) -> Freezing: ...
    @property
    def disk(self) -> Disk: ...


@dataclass(frozen=True, slots=True)
class Deciding:
    """The rooms, open."""

    approvals: Approvals
    factors: Factors
    enrolling: Enrolling
    accounts: Accounts
    money: MoneyRoom


def deciding(on: Ground) -> Deciding:
    """Open them, and tell the approvals room what its kinds of requests mean."""
    approvals = Approvals(on.database, on.audit, on.outbox, on.cards, on.clock, has_factor)
    news = FactorNews(on.outbox)
    factors = Factors(on.database, on.vault, on.audit, news, on.timekeeping, on.clock)
    enrolling = Enrolling(
        on.database,
        on.vault,
        factors,
        approvals,
        on.audit,
        on.outbox,
        news,
        on.timekeeping,
        on.clock,
        issuer=on.config.desk.name,
    )
    accounts = Accounts(on.access, approvals, on.cards, on.outbox, on.audit, on.clock)
    approvals.carriers[Kind.FACTOR_FIRST] = FactorFirst(enrolling)
    approvals.carriers[Kind.ACCOUNT] = accounts
    factors.alarm = on.freezing.alarm
    money = money_room(
        on.database, on.audit, on.outbox, approvals, on.connections, on.timekeeping, on.freezing, on.disk, on.clock
    )
    policies = money.policies
    approvals.carriers[Kind.FACTOR_RESET] = FactorReset(news, on.vault, policies, on.audit, on.clock)
    approvals.carriers[Kind.ROLE] = RoleRequests(on.access, policies, on.audit, Notices(on.outbox).tell)
    approvals.carriers[Kind.POLICY] = PolicyRequests(policies, on.audit, on.outbox, on.clock)
    return Deciding(approvals, factors, enrolling, accounts, money)
