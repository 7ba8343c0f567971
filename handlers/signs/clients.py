"""The clients of the CRM."""

from bot.access.model import Right
from handlers.corridor import behind
from handlers.doors import Door, TapDoor
from handlers.pages import Audience

TITLE = "Clients of the CRM"
DOORS = (
    Door(
        "withdrawals",
        "What clients ask to be paid: pending, or one by its id",
        "/withdrawals client Ines over 100 older 2h by amount",
        Right.READ,
        behind("withdrawals:withdrawals"),
        Audience.PRIVATE,
    ),
    Door(
        "client",
        "A client of the CRM: wallets, accounts, KYC, lines",
        "/client u7h2k9d0",
        Right.READ,
        behind("clients:client"),
        Audience.PRIVATE,
    ),
    Door(
        "wallet",
        "A CRM client's wallets and bank cards",
        "/wallet u7h2k9d0",
        Right.READ,
        behind("wallets:wallet"),
        Audience.PRIVATE,
    ),
    Door(
        "mt",
        "Trading accounts of the CRM; one with its trades",
        "/mt conn0001/500123",
        Right.READ,
        behind("wallets:mt"),
        Audience.PRIVATE,
    ),
    Door(
        "lead",
        "Make a lead in the CRM",
        "/lead ines@example.com Ines Example",
        Right.ASK,
        behind("leads:lead"),
        Audience.PRIVATE,
        only_in_private=True,
    ),
    Door(
        "report",
        "The CRM's transactions or commissions: file and picture",
        "/report transactions 30",
        Right.READ,
        behind("reports:report"),
        Audience.PRIVATE,
    ),
    Door(
        "leaderboard",
        "Who leads a competition of the CRM",
        "/leaderboard comp0001",
        Right.READ,
        behind("reports:leader_board"),
        Audience.PRIVATE,
    ),
)
TAPS = (
    TapDoor("withdrawals", Right.READ, behind("withdrawals:turned")),
    TapDoor("withdrawal", Right.READ, behind("withdrawals:tapped")),
    TapDoor("lead", Right.ASK, behind("leads:tapped")),
)
