"""Work by the clock on what waits for signatures: those who could sign are reminded, and others hear of it.

When, and who, the policy in force says. Every message has a key of its own, so whoever looks twice, or after a restart,
says nothing twice; after a pause only the latest reminder that is due is said.
"""

from datetime import datetime

from bot.approvals import records
from bot.approvals.model import Request
from bot.approvals.policies import Policies
from bot.approvals.policy.model import DEFAULT, Policy
from bot.approvals.service import Approvals
from bot.clock import Clock
from bot.store import Database, Tables


class Reminding:
    """Looks at everything that is pending."""

    def __init__(self, database: Database, approvals: Approvals, policies: Policies, clock: Clock) -> None:
        self._database = database
        self._approvals = approvals
        self._policies = policies
        self._clock = clock

    async def look(self) -> None:
        """Prompt who can sign since; remind; escalate."""
        now = self._clock.now()

        def change(tables: Tables) -> None:
            _, policy = self._policies.in_force(tables)
            for request in records.pending(tables):
                if request.expires_at > now:
                    self._look_at(tables, policy or DEFAULT, request, now)

        await self._database.write(change)

    def _look_at(self, tables: Tables, policy: Policy, request: Request, now: datetime) -> None:
        self._approvals.prompting(tables, request)
        waited, life = now - request.asked_at, request.expires_at - request.asked_at
        due = [percent for percent in policy.remind_at_percent if life * percent / 100 <= waited]
        if due:
            self._approvals.reminding(tables, request, request.asked_at + life * max(due) / 100, f"{max(due)}")
        for step in policy.escalations:
            if step.after <= waited:
                stage = f"{step.to}/{int(step.after.total_seconds())}"
                self._approvals.escalating(tables, request, step.to, stage)
