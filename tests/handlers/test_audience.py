"""Where an answer goes, and whether it can be passed on, follows from whose business it is."""

from collections.abc import Mapping
from typing import Any

import pytest

from handlers.pages import Audience
from handlers.rooms import DOORS_IN_ORDER
from tests.support.chatting import OLGA, Desk, Message, buttons
from tests.support.desk import GROUP

AUDIENCES: Mapping[str, str] = {
    "balance": "private",
    "positions": "private",
    "statement": "private",
    "alert": "private",
    "alerts": "private",
    "quote": "desk",
    "chart": "private",
    "market": "desk",
    "orders": "private",
    "price": "private",
    "ticks": "desk",
    "profit": "private",
    "sellexpired": "private",
    "agents": "desk",
    "cashier": "private",
    "site": "desk",
    "account": "private",
    "watchlist": "private",
    "topup": "private",
    "openaccount": "private",  # in the private chat only
    "buy": "private",
    "sell": "private",
    "close": "private",
    "change": "private",
    "cancelorder": "private",
    "withdrawals": "private",
    "client": "private",
    "lead": "private",  # in the private chat only
    "wallet": "private",
    "mt": "private",
    "report": "private",
    "leaderboard": "private",
    "key": "private",
    "register": "private",
    "transfer": "private",
    "payagent": "private",
    "payout": "private",
    "connect": "public",  # says all it has to say itself, in the private chat only
    "connections": "desk",
    "disconnect": "public",
    "audit": "private",
    "factor": "public",
    "lock": "private",
    "passphrase": "public",
    "pending": "private",
    "beneficiaries": "public",  # a group sees the end of a number only
    "freeze": "public",
    "thaw": "desk",
    "settle": "private",
    "repeat": "private",
    "request": "private",
    "history": "private",
    "approve": "private",  # in the private chat only, like the next one
    "reject": "private",
    "policy": "desk",
    "rate": "desk",
    "limits": "private",
    "note": "public",
    "attach": "public",  # in the private chat only
    "delegate": "desk",
    "evidence": "private",  # in the private chat only
    "replace": "public",
    "share": "public",
    "unshare": "public",
    "unlock": "public",
    "status": "desk",
    "quiet": "public",
    "digest": "public",  # in the private chat only
    "schedule": "private",
    "undelivered": "private",
    "page": "desk",
    "whoami": "public",
    "people": "desk",
    "role": "public",  # in the private chat only, like the next two
    "suspend": "public",
    "resume": "public",
    "person": "public",
    "invite": "desk",
    "join": "public",
    "start": "public",
    "help": "public",
    "cancel": "public",
}


def _protected(message: Message) -> Any:
    return message.get("has_protected_content", False)


def test_every_door_says_whose_business_its_answer_is() -> None:
    assert {door.command: door.audience.value for door in DOORS_IN_ORDER} == AUDIENCES
    assert [audience for audience in Audience if audience.is_protected] == [Audience.PRIVATE]


@pytest.mark.parametrize("command", ["/balance", "/balance capital", "/positions", "/positions deriv"])
async def test_what_money_there_is_cannot_be_forwarded(linked: Desk, command: str) -> None:
    answers = await linked.says(OLGA, command)
    assert answers
    assert all(map(_protected, answers))


@pytest.mark.parametrize("command", ["/help", "/whoami", "/status", "/connections", "/start", "/nonsense"])
async def test_everything_else_can(linked: Desk, command: str) -> None:
    answers = await linked.says(OLGA, command)
    assert answers
    assert not any(map(_protected, answers))


async def test_asked_for_in_a_group_it_is_protected_in_the_private_chat(linked: Desk) -> None:
    (told,) = await linked.says(OLGA, "/balance capital", GROUP)
    assert (told["text"], _protected(told)) == ("Sent to you privately.", False)
    assert _protected(linked.chat.from_bot(OLGA)[-1])


async def test_it_stays_protected_when_it_is_refreshed(linked: Desk) -> None:
    (answer,) = await linked.says(OLGA, "/balance capital")
    await linked.taps(OLGA, answer, "Refresh")
    assert "edit_date" in linked.now(answer) or buttons(linked.now(answer)) != {}
    assert _protected(linked.now(answer))


async def test_without_buttons_it_is_protected_too(linked: Desk) -> None:
    await linked.rooms.database.write(
        lambda tables: tables.conn.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON cards BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    )
    (answer,) = await linked.says(OLGA, "/balance capital")
    assert buttons(answer) == {}
    assert _protected(answer)
