"""Crypto Capital: bank accounts whose every message is signed. See README.md beside this file."""

from bot.providers.acts import ActKind
from bot.providers.base import Ability, Lend, LoginField, MadeKey, Numbering, Provider, Spec, Surroundings
from bot.providers.cryptocapital.settings import Settings
from bot.providers.records import Environment


def build(lend: Lend, surroundings: Surroundings) -> Provider:
    """One login."""
    from bot.providers.cryptocapital.client import CryptoCapital  # with the first login: most starts ask nobody

    return CryptoCapital(SPEC, lend, surroundings)


def make_key() -> MadeKey:
    """A new key pair."""
    from bot.providers.cryptocapital.auth import make_key as made  # brings the curve along

    return made()


SPEC = Spec(
    name="cryptocapital",
    title="Crypto Capital",
    fields=(
        LoginField(
            key="private_key",
            title="Private key",
            hint="The base64 text of your signing key: 44 characters, the last one is =",
            pattern=r"[A-Za-z0-9+/]{43}=",
        ),
        LoginField(
            key="accounts",
            title="Account numbers",
            hint="The accounts your key is registered for: ten digits each, with commas between",
            secret=False,
            pattern=r"[0-9]{10}( *, *[0-9]{10}){0,31}",
        ),
    ),
    environments=(Environment.LIVE,),
    abilities=frozenset({Ability.ACCOUNTS, Ability.BALANCES, Ability.STATEMENT, Ability.ARRIVALS, Ability.STREAMS}),
    acts=frozenset({ActKind.TRANSFER}),
    settings=Settings,
    build=build,
    make_key=make_key,
    payees=Numbering(r"[0-9]{10}", "ten digits", "9120000002"),
    revoke=(
        "Register another public key for these accounts in Crypto Capital's web interface; "
        "the newest key replaces the one used here."
    ),
)
