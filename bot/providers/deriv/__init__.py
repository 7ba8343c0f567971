"""Deriv (Binary.com): WebSocket API v3, with an API token or an OAuth session token."""

from bot.providers.base import Ability, Lend, LoginField, Provider, Spec, Surroundings
from bot.providers.deriv.auth import APP_ID_PATTERN, TOKEN_PATTERN
from bot.providers.deriv.settings import Settings
from bot.providers.records import Environment


def _build(lend: Lend, around: Surroundings) -> Provider:
    from bot.providers.deriv.client import Deriv  # with the first login: most starts ask nobody

    return Deriv(SPEC, lend, around)


SPEC = Spec(
    name="deriv",
    title="Deriv",
    fields=(
        LoginField(
            key="app_id",
            title="App ID",
            hint="the number of your registered app; 1089 is Deriv's own for trying things out",
            secret=False,
            pattern=APP_ID_PATTERN,
            default="1089",
        ),
        LoginField(
            key="token",
            title="API token",
            hint="from Deriv's settings, page API token, with the scope Read; or a session token that begins with a1-",
            pattern=TOKEN_PATTERN,
        ),
    ),
    environments=(Environment.LIVE, Environment.DEMO),
    abilities=frozenset({Ability.ACCOUNTS, Ability.BALANCES, Ability.POSITIONS}),
    settings=Settings,
    build=_build,
    revoke="Delete the token at Deriv, in the settings under API token; a session token (a1-…) ends when you log out.",
)

__all__ = ["SPEC"]
