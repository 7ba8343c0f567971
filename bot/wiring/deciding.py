"""What several people decide: requests, votes, the policy they follow, the people themselves."""

from functools import cached_property
from typing import TYPE_CHECKING

from bot.operations.notices import Notices
from bot.wiring.connections import ConnectionRooms
from bot.wiring.safety import SafetyRooms

if TYPE_CHECKING:
    from bot.approvals.reminding import Reminding
    from bot.approvals.service import Approvals
    from bot.operations.accounts import Accounts
    from bot.operations.allowances import Allowances
    from bot.operations.deciding import Deciding
    from bot.operations.delegating import Delegating
    from bot.operations.dossiers import Dossiers
    from bot.operations.enclosing import Enclosing
    from bot.operations.enrolling import Enrolling
    from bot.operations.evidence.service import Evidence
    from bot.operations.factor import Factors
    from bot.operations.meeting import Meeting
    from bot.operations.moving.room import MoneyRoom
    from bot.operations.people import People
    from bot.operations.policies import PolicyDesk
    from bot.operations.policy_trials import PolicyTrials


class DecidingRooms(ConnectionRooms, SafetyRooms):
    @property
    def approvals(self) -> "Approvals":
        return self._deciding.approvals

    @property
    def factors(self) -> "Factors":
        return self._deciding.factors

    @property
    def enrolling(self) -> "Enrolling":
        return self._deciding.enrolling

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

        return Delegating(self.database, self.approvals, self.audit, Notices(self.outbox), self.clock, self.zone)

    @cached_property
    def evidence(self) -> "Evidence":
        from bot.operations.evidence.service import Evidence

        return Evidence(self.database, self.approvals, self.audit, self.clock, self.config.audit.anchor_file)

    @cached_property
    def dossiers(self) -> "Dossiers":
        from bot.operations.dossiers import Dossiers

        return Dossiers(self.database, self.approvals, self.audit, self.clock)

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
