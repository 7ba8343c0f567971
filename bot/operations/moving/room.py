"""The money room, joined: what guards, what sends, what finds out."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from bot.approvals.matching import Matching
from bot.approvals.model import Kind
from bot.approvals.policies import Policies
from bot.approvals.service import Approvals
from bot.clock import Clock
from bot.messages.outbox import Outbox
from bot.operations.beneficiaries import Beneficiaries
from bot.operations.connections import Connections
from bot.operations.disk import Disk
from bot.operations.freezing import Freezing
from bot.operations.moving.afterwards import Afterwards
from bot.operations.moving.attempts import Attempts
from bot.operations.moving.bookings import BookingMatter
from bot.operations.moving.carrying import Mover
from bot.operations.moving.deals import DealMatter
from bot.operations.moving.guarding import Guarding
from bot.operations.moving.incidents import Incidents
from bot.operations.moving.mailed_codes import MailedCodes
from bot.operations.moving.matters import Matter
from bot.operations.moving.plans import Planning
from bot.operations.moving.reconciling import Reconciling
from bot.operations.moving.sending import Sending
from bot.operations.moving.settling import Repeating, Settling
from bot.operations.moving.showing import Showing
from bot.operations.moving.spill import Spill
from bot.operations.moving.withdrawals import WithdrawalMatter
from bot.operations.rates import RateBook
from bot.operations.thawing import Thawing
from bot.operations.timekeeping import Timekeeping
from bot.operations.transfer_steps import TransferSteps
from bot.operations.transfers import TransferMatter, Transfers
from bot.ports import Recorder
from bot.providers.acts import PayWay
from bot.store import Database


@dataclass(frozen=True, slots=True)
class MoneyRoom:
    """Everything that stands between a wish and the money."""

    policies: Policies
    guarding: Guarding
    matching: Matching
    matters: Mapping[Kind, Matter]
    sending: Sending
    reconciling: Reconciling
    planning: Planning
    transfers: Transfers
    thawing: Thawing
    settling: Settling
    repeating: Repeating
    beneficiaries: Beneficiaries
    rates: RateBook
    afterwards: Afterwards
    transfer_steps: TransferSteps
    payments: Mapping[PayWay, Transfers]
    """Transfers by the ways that have a command of their own."""
    payment_steps: Mapping[PayWay, TransferSteps]
    mailed_codes: MailedCodes

    async def run(self) -> None:
        """Send what is approved and find out about what is open, until cancelled."""
        await asyncio.gather(self.reconciling.run(), self.sending.run(), self.afterwards.run())


def money_room(
    database: Database,
    audit: Recorder,
    outbox: Outbox,
    approvals: Approvals,
    connections: Connections,
    timekeeping: Timekeeping,
    freezing: Freezing,
    disk: Disk,
    clock: Clock,
) -> MoneyRoom:
    """Open it, and tell the approvals room what its kinds of requests mean."""
    policies = Policies(clock)
    guarding = Guarding(policies, clock, disk.check)
    matters: dict[Kind, Matter] = {
        Kind.TRANSFER: TransferMatter(),
        Kind.WITHDRAWAL: WithdrawalMatter(),
        Kind.WALLET: BookingMatter(),
        Kind.TRADING: BookingMatter(),
        **{kind: DealMatter(kind) for kind in (Kind.ORDER, Kind.CLOSE, Kind.CHANGE)},
    }
    showing = Showing(database, approvals, clock)
    spill = Spill(database.path.with_name(f"{database.path.name}-evidence"), clock)
    attempts = Attempts(database, approvals, connections, guarding, clock, matters, timekeeping, showing, spill)
    sending = Sending(database, attempts, showing, clock)
    incidents = Incidents(audit, outbox)
    reconciling = Reconciling(database, approvals, connections, outbox, clock, matters, incidents, spill)
    sending.ready, attempts.lost, reconciling.wake = reconciling.is_ready, reconciling.look_at, sending.wake
    attempts.alarm = reconciling.alarm = freezing.alarm
    attempts.freezes_begun = freezing.begun
    thawing = Thawing(database, approvals, policies, freezing, audit, sending.again)
    settling = Settling(database, approvals, policies, audit)
    repeating = Repeating(database, approvals, policies, audit)
    book = Beneficiaries(database, approvals, policies, freezing, audit, clock)
    for kind, matter in matters.items():
        approvals.carriers[kind] = Mover(matter, guarding, sending.approved, sending.approving)
    approvals.carriers[Kind.THAW] = thawing
    approvals.carriers[Kind.SETTLE] = settling
    approvals.carriers[Kind.REPEAT] = repeating
    approvals.carriers[Kind.BENEFICIARY] = book
    rates = RateBook(database, approvals, policies, audit, clock)
    approvals.carriers[Kind.RATE] = rates
    planning = Planning(database, guarding, approvals, matters)
    transfers = Transfers(database, connections, planning)
    codes = MailedCodes(database, approvals, connections, audit, outbox, sending.again)
    sending.code_awaited = codes.tell
    payments = {
        way: Transfers(database, connections, planning, frozenset({way})) for way in (PayWay.AGENT, PayWay.PAYOUT)
    }
    return MoneyRoom(
        policies=policies,
        guarding=guarding,
        matching=Matching(audit, clock, timekeeping.looking),
        matters=matters,
        sending=sending,
        reconciling=reconciling,
        planning=planning,
        transfers=transfers,
        transfer_steps=TransferSteps(transfers),
        payments=payments,
        payment_steps={way: TransferSteps(one) for way, one in payments.items()},
        mailed_codes=codes,
        thawing=thawing,
        settling=settling,
        repeating=repeating,
        beneficiaries=book,
        rates=rates,
        afterwards=Afterwards(database, incidents, clock, reconciling.evidence),
    )
