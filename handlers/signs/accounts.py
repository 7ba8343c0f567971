"""Reading accounts."""

from bot.access.model import Right
from handlers.corridor import behind
from handlers.doors import Door
from handlers.pages import Audience

TITLE = "Accounts"
DOORS = (
    Door(
        "balance",
        "Balances of all connections, or of one",
        "/balance capital",
        Right.READ,
        behind("balances:balance"),
        Audience.PRIVATE,
    ),
    Door(
        "positions",
        "Open positions of all connections, or of one",
        "/positions capital",
        Right.READ,
        behind("positions:positions"),
        Audience.PRIVATE,
    ),
    Door(
        "statement",
        "What came and went: the newest, since a day, or one entry",
        "/statement cryptocapital 20",
        Right.READ,
        behind("statement:statement"),
        Audience.PRIVATE,
    ),
    Door(
        "digest",
        "Balances, positions or the statement by the clock",
        "/digest balances daily 07:30",
        Right.READ,
        behind("schedules:digest"),
        only_in_private=True,
    ),
    Door(
        "schedule",
        "What you get by the clock, and when",
        "/schedule 3 pause",
        Right.TALK,
        behind("schedules:schedule"),
        Audience.PRIVATE,
    ),
    Door(
        "status",
        "Health of the bot and of every provider",
        "/status",
        Right.TALK,
        behind("status:status"),
        Audience.DESK,
    ),
)
