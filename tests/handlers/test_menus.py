"""The command menu a person sees is what they may do, in each chat, and follows them."""

import re

from bot.demo.telegram import menus
from tests.support.chatting import ADAM, ANNA, OLGA, STRANGER, SUSPENDED, VERA, Desk, until
from tests.support.desk import GROUP

EVERYBODY = {
    "balance",
    "positions",
    "statement",
    "alert",
    "alerts",
    "quote",
    "chart",
    "market",
    "orders",
    "price",
    "ticks",
    "profit",
    "agents",
    "site",
    "account",
    "watchlist",
    "withdrawals",
    "client",
    "wallet",
    "mt",
    "report",
    "leaderboard",
    "connections",
    "lock",
    "factor",
    "pending",
    "beneficiaries",
    "request",
    "history",
    "policy",
    "limits",
    "rate",
    "note",
    "attach",
    "evidence",
    "status",
    "quiet",
    "digest",
    "schedule",
    "whoami",
    "help",
    "cancel",
}
WORKING = {"freeze", "thaw", "settle", "repeat"}
LINKING = {"connect", "key", "register", "replace", "disconnect", "share", "unshare", "passphrase", "unlock"}
ASKING = {
    "lead",
    "transfer",
    "payagent",
    "payout",
    "sellexpired",
    "cashier",
    "topup",
    "openaccount",
    "buy",
    "sell",
    "close",
    "change",
    "cancelorder",
}
DECIDING = {"approve", "reject", "delegate"}
PEOPLE = {"people", "role", "suspend", "resume", "invite", "person", "undelivered", "page"}
IN_PRIVATE = {
    ADAM: EVERYBODY | WORKING | LINKING | PEOPLE | DECIDING,
    OLGA: EVERYBODY | WORKING | LINKING | ASKING,
    VERA: EVERYBODY,
    ANNA: EVERYBODY | WORKING | DECIDING,
    SUSPENDED: set[str](),
    STRANGER: set[str](),
}
IN_GROUPS = {"note", "beneficiaries", "freeze", "quiet", "whoami", "help", "cancel"}


def seen(desk: Desk, person: int, chat: int | None = None) -> set[str]:
    """What the simulated client shows this person in that chat."""
    world = desk.chat.simulator.world
    return {one["command"] for one in menus.seen_by(world, world.chats[person if chat is None else chat], person)}


async def test_everybody_sees_what_they_may_use_and_strangers_see_nothing(desk: Desk) -> None:
    await until(lambda: {person: seen(desk, person) for person in IN_PRIVATE} == IN_PRIVATE)
    assert all(seen(desk, person, GROUP) == IN_GROUPS for person in IN_PRIVATE)


async def test_the_menu_is_what_help_tells(desk: Desk) -> None:
    await until(lambda: seen(desk, ADAM))
    for person in (ADAM, OLGA, VERA, ANNA):
        assert set(re.findall(r"^/(\w+)", await desk.said_on_all_pages(person, "/help"), re.M)) == seen(desk, person)


async def test_the_menu_follows_a_role_a_suspension_and_the_way_back(desk: Desk) -> None:
    await until(lambda: seen(desk, OLGA) == IN_PRIVATE[OLGA])
    await desk.said(ADAM, "/role Olga give auditor")
    await until(lambda: seen(desk, OLGA) == IN_PRIVATE[OLGA] | {"audit", "people"})
    await desk.said(ADAM, "/role Olga take operator")
    await until(lambda: seen(desk, OLGA) == EVERYBODY | {"audit", "people"})
    await desk.said(ADAM, "/suspend Olga")
    await until(lambda: seen(desk, OLGA) == set())
    await desk.said(ADAM, "/resume Olga")
    await until(lambda: seen(desk, OLGA) == EVERYBODY | {"audit", "people"})


async def test_only_what_differs_is_registered_anew(desk: Desk) -> None:
    calls = 5  # one for the groups, and one for each person
    await until(lambda: len(desk.chat.calls("setMyCommands")) == calls)
    await desk.said(ADAM, "/role Vera give operator")
    await until(lambda: seen(desk, VERA) == IN_PRIVATE[OLGA])
    (call,) = desk.chat.calls("setMyCommands")[calls:]
    assert str(VERA) in str(call)


async def test_a_chat_that_is_not_there_yet_gets_its_menu_when_its_person_presses_start(desk: Desk) -> None:
    second_phone = 3003
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute(
            "INSERT INTO telegram_ids VALUES (?, ?)", (second_phone, desk.person(VERA).id)
        )
    )
    await desk.rooms.access.refresh()
    await desk.said(ADAM, "/role Anna give operator")
    await until(
        lambda: seen(desk, ANNA) == IN_PRIVATE[OLGA] | DECIDING
    )  # who comes after Vera has theirs; she has been tried
    await desk.chat.play("people", people=[{"id": second_phone, "first_name": "V"}])
    assert seen(desk, second_phone) == set()
    await desk.said(second_phone, "/start")
    await until(lambda: seen(desk, second_phone) == EVERYBODY)
