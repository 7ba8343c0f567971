"""The doors of the desk, in one ordered list."""

from typing import Final

from handlers.doors import Door, TapDoor
from handlers.signs import accounts, alerts, clients, desk, logins, markets, money, you

SECTIONS: Final[tuple[tuple[str, tuple[Door, ...]], ...]] = tuple(
    (section.TITLE, section.DOORS) for section in (accounts, markets, alerts, money, clients, logins, desk, you)
)
"""As /help and the command menu show them."""
DOORS_IN_ORDER: Final[tuple[Door, ...]] = tuple(door for _, doors in SECTIONS for door in doors)
BY_COMMAND: Final = {door.command: door for door in DOORS_IN_ORDER}
TAPS: Final[tuple[TapDoor, ...]] = (
    *markets.TAPS,
    *alerts.TAPS,
    *money.TAPS,
    *clients.TAPS,
    *logins.TAPS,
    *desk.TAPS,
    *you.TAPS,
)
"""The buttons of cards, beside those that turn pages."""
TAP_BY_KIND: Final = {door.kind: door for door in TAPS}
