"""Deriv (Binary.com): WebSocket API v3, with an API token or an OAuth session token."""

from bot.providers.acts import ActKind, PayWay
from bot.providers.base import Ability, Lend, LoginField, Numbering, Provider, Spec, Surroundings
from bot.providers.deriv.oauth import REDIRECT
from bot.providers.deriv.settings import Settings
from bot.providers.records import Environment

_TOKEN = r"(?!MULTI(?![A-Za-z0-9_-])|r1-)[A-Za-z0-9_-]{1,128}"  # noqa: S105  # a form, not a token
"""What `authorize` takes, without its literal for several tokens and without refresh tokens, which it refuses."""
_TOKENS = rf"{_TOKEN}(?:[ ,]{{1,3}}{_TOKEN}){{0,25}}"


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
            pattern=r"[1-9][0-9]{0,9}",
            default="1089",
        ),
        LoginField(
            key="token",
            title="API token",
            hint="from Deriv's settings, page API token, with the scope Read (Payments and Trade move money); "
            "or a session token that begins with a1-; further ones of the same person behind it, a blank between, "
            "add their accounts",
            pattern=_TOKENS,
        ),
    ),
    environments=(Environment.LIVE, Environment.DEMO),
    abilities=frozenset(
        {
            Ability.ACCOUNTS,
            Ability.BALANCES,
            Ability.POSITIONS,
            Ability.STATEMENT,
            Ability.MARKETS,
            Ability.STREAMS,
            Ability.TOP_UP,
        }
    ),
    acts=frozenset({ActKind.TRANSFER, ActKind.ORDER, ActKind.CLOSE}),
    ways=frozenset({PayWay.OWN, PayWay.AGENT, PayWay.PAYOUT}),
    settings=Settings,
    build=_build,
    redirect=REDIRECT,
    payees=Numbering(r"[A-Z]{2,6}[0-9]{4,12}", "capital letters and digits", "CR90000012"),
    enough="a token with the scope Read alone",
    revoke="Delete the token at Deriv, in the settings under API token; a session token (a1-…) ends when you log out.",
)

__all__ = ["SPEC"]
