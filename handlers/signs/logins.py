"""Logins at providers."""

from bot.access.model import Right
from handlers.corridor import behind
from handlers.doors import Door, TapDoor
from handlers.pages import Audience

TITLE = "Provider logins"
DOORS = (
    Door(
        "connect",
        "Link a provider login, step by step",
        "/connect",
        Right.LINK,
        behind("linking:connect"),
        only_in_private=True,
    ),
    Door(
        "replace",
        "Give one of your connections a new login",
        "/replace capital/main",
        Right.LINK,
        behind("linking:replace"),
        only_in_private=True,
    ),
    Door(
        "connections",
        "Provider logins you can see",
        "/connections",
        Right.TALK,
        behind("connections:connections"),
        Audience.DESK,
    ),
    Door(
        "disconnect",
        "Unlink one and erase its credential",
        "/disconnect capital/main",
        Right.LINK,
        behind("connections:disconnect"),
        only_in_private=True,
    ),
    Door(
        "key",
        "The public key of a login of yours; new makes one",
        "/key cryptocapital/main, /key new",
        Right.LINK,
        behind("keys:key"),
        Audience.PRIVATE,
        only_in_private=True,
    ),
    Door(
        "register",
        "How a login's key is registered, step by step",
        "/register cryptocapital/main",
        Right.LINK,
        behind("keys:register"),
        Audience.PRIVATE,
        only_in_private=True,
    ),
    Door(
        "share",
        "Let a person or a role use your connection",
        "/share capital/main with Vera",
        Right.LINK,
        behind("sharing:share"),
        only_in_private=True,
    ),
    Door(
        "unshare",
        "Take that back",
        "/unshare capital/main from Vera",
        Right.LINK,
        behind("sharing:unshare"),
        only_in_private=True,
    ),
    Door(
        "passphrase",
        "Put a connection under a passphrase, or take it off",
        "/passphrase capital/main",
        Right.LINK,
        behind("locking:passphrase"),
        only_in_private=True,
        may_hold_secret=True,
    ),
    Door(
        "unlock",
        "Give your passphrase",
        "/unlock",
        Right.LINK,
        behind("locking:unlock"),
        only_in_private=True,
        may_hold_secret=True,
    ),
    Door(
        "lock",
        "Lock your connections until you give it again",
        "/lock",
        Right.TALK,
        behind("locking:lock"),
        Audience.PRIVATE,
    ),
)
TAPS = (
    TapDoor("connect", Right.LINK, behind("linking:chosen")),
    TapDoor("disconnect", Right.LINK, behind("connections:unlink")),
)
