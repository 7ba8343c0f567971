"""Capital.com, a CFD broker: see README.md beside this file."""

from bot.providers.acts import ActKind
from bot.providers.base import Ability, Lend, LoginField, Provider, Spec, Surroundings
from bot.providers.capital.settings import Settings
from bot.providers.records import Environment


def _build(lend: Lend, surroundings: Surroundings) -> Provider:
    from bot.providers.capital.client import Capital  # with the first login: most starts ask nobody

    return Capital(SPEC, lend, surroundings)


SPEC = Spec(
    name="capital",
    title="Capital.com",
    fields=(
        LoginField(
            "api_key",
            "API key",
            "Settings → API integrations, with two-factor login switched on; live and demo have keys of their own",
            pattern=r"[!-~]{8,128}",
        ),
        LoginField("identifier", "Login e-mail", "the address you sign in with", secret=False, pattern=r"\S{3,254}"),
        LoginField(
            "password",
            "API key password",
            "the password chosen when this key was made; for an old key without one, the account's own",
            pattern=r".{1,169}",
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
            Ability.ORDERS,
            Ability.TOP_UP,
            Ability.STREAMS,
        }
    ),
    settings=Settings,
    build=_build,
    acts=frozenset({ActKind.ORDER, ActKind.CLOSE, ActKind.CHANGE}),
    revoke="Delete the API key at Capital.com under Settings → API integrations.",
)
