"""Broctagon's forex CRM, one tenant of it: see README.md beside this file."""

from bot.providers.acts import ActKind
from bot.providers.base import Ability, Lend, LoginField, Provider, Spec, Surroundings
from bot.providers.crm.settings import Settings
from bot.providers.records import Environment


def _build(lend: Lend, surroundings: Surroundings) -> Provider:
    from bot.providers.crm.client import Crm  # with the first login: most starts ask nobody

    return Crm(SPEC, lend, surroundings)


SPEC = Spec(
    name="crm",
    title="Broctagon CRM",
    fields=(
        LoginField(
            "api_key",
            "API key",
            "Settings → Dev Space → Open API Keys; it is shown once, when it is made",
            pattern=r"[!-~]{8,256}",
        ),
    ),
    environments=(Environment.LIVE, Environment.DEMO),
    abilities=frozenset({Ability.ACCOUNTS, Ability.BALANCES, Ability.POSITIONS, Ability.REQUESTS}),
    settings=Settings,
    acts=frozenset({ActKind.WITHDRAWAL_DECISION, ActKind.TRANSFER}),
    build=_build,
    revoke="Delete the API key in the CRM under Settings → Dev Space → Open API Keys.",
)
