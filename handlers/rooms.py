"""The doors of the desk, in one ordered list.

This file and the rooms behind it are imported when the first update comes for a door, or in the background as soon as
updates are being fetched: what is written here costs nothing at the start.
"""

from typing import Final

from handlers import (
    accounts,
    asking,
    audit,
    balances,
    beneficiaries,
    clients,
    clock,
    connections,
    deciding,
    delegating,
    dossiers,
    enclosing,
    evidence,
    factor,
    freezing,
    keys,
    leads,
    limits,
    linking,
    locking,
    people,
    policy,
    positions,
    reports,
    requests,
    settling,
    sharing,
    start,
    statement,
    status,
    transfers,
    wallets,
    withdrawals,
)
from handlers.doors import Door, TapDoor

DOORS_IN_ORDER: Final[tuple[Door, ...]] = (
    *balances.DOORS,
    *positions.DOORS,
    *statement.DOORS,
    *withdrawals.DOORS,
    *clients.DOORS,
    *leads.DOORS,
    *wallets.DOORS,
    *reports.DOORS,
    *transfers.DOORS,
    *linking.DOORS,
    *connections.DOORS,
    *keys.DOORS,
    *sharing.DOORS,
    *locking.DOORS,
    *factor.DOORS,
    *requests.DOORS,
    *beneficiaries.DOORS,
    *freezing.DOORS,
    *settling.DOORS,
    *dossiers.DOORS,
    *deciding.DOORS,
    *policy.DOORS,
    *limits.DOORS,
    *enclosing.DOORS,
    *delegating.DOORS,
    *evidence.DOORS,
    *audit.DOORS,
    *status.DOORS,
    *people.DOORS,
    *accounts.DOORS,
    *start.DOORS,
)
BY_COMMAND: Final = {door.command: door for door in DOORS_IN_ORDER}
TAPS: Final[tuple[TapDoor, ...]] = (
    *linking.TAPS,
    *connections.TAPS,
    *transfers.TAPS,
    *asking.TAPS,
    *withdrawals.TAPS,
    *leads.TAPS,
    *requests.TAPS,
    *freezing.TAPS,
    *dossiers.TAPS,
    *policy.TAPS,
    *factor.TAPS,
    *clock.TAPS,
    *audit.TAPS,
    *people.TAPS,
)
"""The buttons of cards, beside those that turn pages."""
TAP_BY_KIND: Final = {door.kind: door for door in TAPS}
