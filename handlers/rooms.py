"""The doors of the desk, in one ordered list.

This file and the rooms behind it are imported when the first update comes for a door, or in the background as soon as
updates are being fetched: what is written here costs nothing at the start.
"""

from typing import Final

from handlers import (
    accounts,
    alerts,
    asking,
    audit,
    balances,
    beneficiaries,
    brokerage,
    clients,
    clock,
    connections,
    contracts,
    deals,
    deciding,
    delegating,
    derivs,
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
    markets,
    openaccount,
    paging,
    payments,
    people,
    policy,
    positions,
    quiet,
    rates,
    reports,
    requests,
    schedules,
    settling,
    sharing,
    start,
    statement,
    status,
    transfers,
    undelivered,
    wallets,
    withdrawals,
)
from handlers.doors import Door, TapDoor

SECTIONS: Final[tuple[tuple[str, tuple[Door, ...]], ...]] = (
    ("Accounts", (*balances.DOORS, *positions.DOORS, *statement.DOORS, *schedules.DOORS, *status.DOORS)),
    ("Markets", (*markets.DOORS, *deals.DOORS, *contracts.DOORS, *derivs.DOORS, *brokerage.DOORS, *openaccount.DOORS)),
    ("Alerts", alerts.DOORS),
    (
        "Money",
        (
            *transfers.DOORS,
            *payments.DOORS,
            *requests.DOORS,
            *deciding.DOORS,
            *dossiers.DOORS,
            *enclosing.DOORS,
            *evidence.DOORS,
            *beneficiaries.DOORS,
            *limits.DOORS,
            *policy.DOORS,
            *rates.DOORS,
            *delegating.DOORS,
            *freezing.DOORS,
            *settling.DOORS,
        ),
    ),
    ("Clients of the CRM", (*withdrawals.DOORS, *clients.DOORS, *wallets.DOORS, *leads.DOORS, *reports.DOORS)),
    ("Provider logins", (*linking.DOORS, *connections.DOORS, *keys.DOORS, *sharing.DOORS, *locking.DOORS)),
    ("The desk", (*people.DOORS, *accounts.DOORS, *audit.DOORS, *undelivered.DOORS, *paging.DOORS)),
    ("You", (*factor.DOORS, *quiet.DOORS, *start.DOORS)),
)
"""As /help and the command menu show them."""
DOORS_IN_ORDER: Final[tuple[Door, ...]] = tuple(door for _, doors in SECTIONS for door in doors)
BY_COMMAND: Final = {door.command: door for door in DOORS_IN_ORDER}
TAPS: Final[tuple[TapDoor, ...]] = (
    *linking.TAPS,
    *connections.TAPS,
    *transfers.TAPS,
    *deals.TAPS,
    *contracts.TAPS,
    *payments.TAPS,
    *openaccount.TAPS,
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
    *alerts.TAPS,
)
"""The buttons of cards, beside those that turn pages."""
TAP_BY_KIND: Final = {door.kind: door for door in TAPS}
