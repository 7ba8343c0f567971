"""The desk itself."""

from bot.access.model import Right
from handlers.corridor import behind
from handlers.doors import Door, TapDoor
from handlers.pages import Audience

TITLE = "The desk"
DOORS = (
    Door(
        "people", "Who is at the desk, and as what", "/people", Right.SEE_PEOPLE, behind("people:people"), Audience.DESK
    ),
    Door(
        "role",
        "Give or take a role",
        "/role Olga give operator",
        Right.PEOPLE,
        behind("people:role"),
        only_in_private=True,
    ),
    Door(
        "suspend",
        "Lock a person out at once",
        "/suspend Olga",
        Right.PEOPLE,
        behind("people:suspend"),
        only_in_private=True,
    ),
    Door("resume", "End a suspension", "/resume Olga", Right.PEOPLE, behind("people:resume"), only_in_private=True),
    Door(
        "invite",
        "Invite a person with one role",
        "/invite viewer",
        Right.INVITE,
        behind("people:invite"),
        Audience.DESK,
    ),
    Door(
        "person",
        "A person's Telegram accounts: add or remove one",
        "/person Olga add",
        Right.PEOPLE,
        behind("accounts:person"),
        only_in_private=True,
    ),
    Door(
        "audit",
        "Who did what: of a person, a request or a day",
        "/audit yesterday",
        Right.READ_AUDIT,
        behind("audit:audit"),
        Audience.PRIVATE,
    ),
    Door(
        "undelivered",
        "Messages that nobody got, and once more",
        "/undelivered again",
        Right.POLICY,
        behind("undelivered:undelivered"),
        Audience.PRIVATE,
    ),
    Door("page", "Try the second channel", "/page", Right.POLICY, behind("paging:page"), Audience.DESK),
)
TAPS = (
    TapDoor("clock", Right.POLICY, behind("clock:settled")),
    TapDoor("audit", Right.READ_AUDIT, behind("audit:tapped")),
    TapDoor("people", Right.PEOPLE, behind("people:chosen")),
)
