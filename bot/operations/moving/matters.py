"""What a kind of money movement is to the policy, to its provider, and to the eyes of those who sign.

Its parameters are texts, fixed when it is asked for and never changed; everything else is made from them alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.approvals.model import Stake
from bot.approvals.policy.model import Act as Named
from bot.money import Currency, Money
from bot.operations.linked import Connection
from bot.providers.acts import Act

Parameters = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Aspects:
    """What the rules and limits look at."""

    act: Named
    source: str
    beneficiary: str
    """A name in the beneficiary book, or an account; empty where there is none."""
    amount: Money | None
    alike: str = ""
    """What tells it from others that go the same way, where its amount does not: a worth moves with each price."""
    ends_risk: bool = False
    """It does so although its act by itself does not say so (`judging.ENDING_RISK`)."""


class Matter(Protocol):
    """One kind of money movement."""

    def aspects(self, parameters: Parameters) -> Aspects:
        """What the policy looks at."""

    def act(self, request_id: str, parameters: Parameters) -> Act:
        """What the adapter is handed."""

    def lines(self, parameters: Parameters) -> tuple[str, ...]:
        """What is asked for, whole (M12)."""

    def masked(self, parameters: Parameters) -> tuple[str, ...]:
        """The same for a group."""


def common(connection: Connection) -> dict[str, str]:
    """The parameters that every matter has."""
    return {
        "connection": connection.name,
        "connection_id": str(connection.id),
        "provider": connection.provider,
        "environment": connection.environment.value,
    }


def money_in(parameters: Parameters) -> Money | None:
    """The amount, digit for digit."""
    if "amount" not in parameters:
        return None
    return Money.parse(parameters["amount"], Currency(parameters["currency"]))


def stake_of(matter: Matter, parameters: Parameters) -> Stake:
    """What is at stake. Two that would do the same thing have the same, by whichever login (M06).

    Words that go along make no difference.
    """
    seen = matter.aspects(parameters)
    amount = seen.alike or ("" if seen.amount is None else str(seen.amount))
    target, way = parameters.get("target", ""), parameters.get("direction", "")
    what = "decide" if "decision" in parameters else seen.act  # approved or rejected: it is decided once
    same = "/".join((what, way, parameters["provider"], parameters["environment"], seen.source, target, amount))
    return Stake(int(parameters["connection_id"]), seen.amount, same)


def purse(parameters: Parameters) -> str:
    """Where money leaves, by whichever login: what is open there is asked about before more leaves (M04)."""
    return "/".join(parameters.get(key, "") for key in ("provider", "environment", "account"))


def where(parameters: Parameters) -> str:
    """ "cryptocapital/main · LIVE": which provider, and whether it is real money."""
    return f"{parameters['connection']} · {parameters['environment'].upper()}"
