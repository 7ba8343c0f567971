"""The steps an alert goes that nobody acknowledges, as the configuration says them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from bot.alerts.model import Escalation, Severity
from bot.config.model import Alerts


def ladders(told: Alerts) -> Mapping[Severity, Sequence[Escalation]]:
    """Earliest first. A minute at which the admins are told is one at which those who were told are told again."""
    return {
        Severity.CRITICAL: _steps(told.critical_again, told.critical_escalated),
        Severity.NORMAL: _steps(told.normal_again, told.normal_escalated),
    }


def _steps(again: Sequence[int], admins: Sequence[int]) -> list[Escalation]:
    return [Escalation(timedelta(minutes=one), one in admins) for one in sorted({*again, *admins})]
