"""Who gets past the gate: every kind of person × place × way of writing, with the expectations written by hand."""

from typing import Any

import pytest

from bot.access.model import Role
from tests.support.chatting import (
    ADAM,
    ANNA,
    OLGA,
    OLGA_IS,
    OTHER_GROUP,
    STRANGER,
    SUSPENDED,
    VERA,
    Chat,
    Desk,
    Message,
    texts,
)
from tests.support.desk import GROUP

CHANNEL = -1_007_777_777_777
ANONYMOUS_ADMIN, CHANNEL_STAND_IN, TELEGRAM = 1087968824, 136817688, 777000
PLACES = {"private": 0, "the desk's group": GROUP, "another group": OTHER_GROUP, "a channel": CHANNEL}
SOMEBODY = {"id": 4242, "is_bot": False, "first_name": "Somebody"}
FORMS: dict[str, dict[str, Any]] = {
    "a message": {},
    "an edit": {"edit_date": 1_790_000_001},
    "a forward": {"forward_origin": {"type": "user", "sender_user": SOMEBODY, "date": 1_780_000_000}},
    "a hidden forward": {"forward_origin": {"type": "hidden_user", "sender_user_name": "x", "date": 1_780_000_000}},
    "a channel's automatic forward": {"is_automatic_forward": True},
    "via a bot": {"via_bot": {"id": 99, "is_bot": True, "first_name": "Other", "username": "otherbot"}},
    "in a chat's name": {"sender_chat": {"id": CHANNEL, "type": "channel", "title": "Loud"}},
    "a tap": {},
}
PASSING = {
    ("private", "a message"),
    ("private", "a tap"),
    ("the desk's group", "a message"),
    ("the desk's group", "a tap"),
}
KNOWN = {"viewer": VERA, "operator": OLGA, "approver": ANNA, "admin": ADAM}
UNKNOWN = {"stranger": STRANGER, "suspended": SUSPENDED}


def _update(chat: Chat, person: int, place: str, form: str) -> dict[str, Any]:
    message = chat.message_from(person, "/whoami", PLACES[place] or person, **FORMS[form])
    if place == "a channel":
        message["chat"] = {"id": CHANNEL, "type": "channel", "title": "Loud"}
    if form == "an edit":
        return {"edited_message": message}
    if form == "a tap":
        shown = {**message, "from": {"id": 1, "is_bot": True, "first_name": "Bot"}}
        number = f"q{message['message_id']}"
        return {"callback_query": {"id": number, "from": message["from"], "message": shown, "chat_instance": "1"}}
    return {"message": message}


async def _try_everything(desk: Desk, person: int) -> set[tuple[str, str]]:
    """Every place and form once; those that reached a door."""
    tried = {}
    for number, (place, form) in enumerate([(place, form) for place in PLACES for form in FORMS], 7_000_000):
        tried[number] = (place, form)
        await desk.chat.play("updates", updates=[{"update_id": number, **_update(desk.chat, person, place, form)}])
    await desk.settled()
    return {tried[update.update_id] for update in desk.passed}


@pytest.mark.parametrize("role", KNOWN)
async def test_known_people_pass_only_with_their_own_new_messages_and_taps_in_private_and_in_the_desks_group(
    desk: Desk, role: str
) -> None:
    """F26."""
    person = KNOWN[role]
    assert await _try_everything(desk, person) == PASSING
    hints = [text for text in texts(desk.chat.from_bot(person)) if not text.startswith("You are ")]
    assert hints == [
        "Edits are not read. Please send it as a new message.",
        "Forwarded messages are not read. Please type it yourself.",
        "Forwarded messages are not read. Please type it yourself.",
        "Forwarded messages are not read. Please type it yourself.",
        "Messages sent through another bot are not read. Please type it yourself.",
    ]
    assert len(desk.chat.from_bot(person)) == len(hints) + 1
    assert len(desk.chat.from_bot(GROUP)) == 1
    assert desk.chat.from_bot(OTHER_GROUP) == []


@pytest.mark.parametrize("role", UNKNOWN)
async def test_strangers_and_suspended_people_get_silence_a_counter_and_no_row(desk: Desk, role: str) -> None:
    """F26."""
    calls = len(desk.chat.calls("sendMessage")) + len(desk.chat.calls("answerCallbackQuery"))
    assert await _try_everything(desk, UNKNOWN[role]) == set()
    assert desk.chat.everything_said() == []
    assert len(desk.chat.calls("sendMessage")) + len(desk.chat.calls("answerCallbackQuery")) == calls
    assert desk.rooms.pulse.strangers == len(PLACES) * len(FORMS)
    assert await _rows(desk) == 0


async def _rows(desk: Desk) -> int:
    return await desk.rooms.database.read(
        lambda tables: int(tables.conn.execute("SELECT count(*) FROM inbox").fetchone()[0])
    )


@pytest.mark.parametrize(
    ("sender", "name"), [(ANONYMOUS_ADMIN, "GroupAnonymousBot"), (CHANNEL_STAND_IN, "Channel_Bot")]
)
async def test_an_anonymous_admin_or_a_channel_in_the_desks_group_is_nobody(desk: Desk, sender: int, name: str) -> None:
    """F26."""
    stand_in = {"id": sender, "is_bot": True, "first_name": "Group", "username": name}
    message = desk.chat.message_from(sender, "/whoami", GROUP)
    message |= {"from": stand_in, "sender_chat": {"id": GROUP, "type": "supergroup", "title": "Desk"}}
    await desk.happens({"message": message})
    assert desk.passed == []
    assert desk.rooms.pulse.strangers == 1
    assert await _rows(desk) == 0


async def test_somebody_elses_private_chat_is_not_a_place_to_talk(desk: Desk) -> None:
    message = desk.chat.message_from(OLGA, "/whoami", VERA)
    await desk.happens({"message": message})
    assert desk.passed == []
    assert desk.refused("wrong chat") == 1
    assert desk.chat.everything_said() == []


async def test_other_kinds_of_update_reach_no_door(desk: Desk) -> None:
    """F26."""
    person = {"id": OLGA, "is_bot": False, "first_name": "Olga"}
    chat = {"id": OLGA, "type": "private", "first_name": "Olga"}
    bot = desk.chat.simulator.world.bot
    change = {
        "chat": chat,
        "from": person,
        "date": 1_790_000_000,
        "old_chat_member": {"user": bot, "status": "member"},
        "new_chat_member": {"user": bot, "status": "kicked", "until_date": 0},
    }
    await desk.happens({"my_chat_member": change}, {"chat_member": change})
    await desk.work.intake.take(
        [
            b'{"update_id": 1, "channel_post": {"message_id": 5, "chat": {"id": -7, "type": "channel"}}}',
            b'{"update_id": 2, "inline_query": {"id": "1", "from": {"id": 1002}, "query": "/whoami", "offset": ""}}',
            b'{"update_id": 3}',
            b"[" * 100_000,
            b"{",
            b'{"update_id": 4, "message": {"message_id": 1, "chat": {"id": 1002, "type": "private"}, "text": "/who"}}',
        ]
    )
    await desk.settled()
    assert desk.passed == []
    assert desk.chat.everything_said() == []
    assert desk.refused("unreadable") == 2


async def test_a_hint_that_cannot_be_told_does_not_open_the_gate(desk: Desk) -> None:
    refusal = {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}
    await desk.chat.faults({"action": "status", "match": {"path": "sendMessage"}, "status": 400, "body": refusal})
    await desk.happens(_update(desk.chat, OLGA, "private", "a forward"))
    assert desk.passed == []
    assert desk.chat.everything_said() == []
    assert desk.rooms.pulse.incidents == 0


async def test_a_command_in_a_picture_s_caption_or_after_other_words_is_no_command(desk: Desk) -> None:
    """F26."""
    picture: Message = desk.chat.message_from(OLGA, "")
    del picture["text"]
    picture |= {"caption": "/invite admin", "photo": [], "caption_entities": []}
    await desk.happens({"message": picture})
    answers = await desk.says(OLGA, "please do /whoami now")
    assert texts(answers) == ["I understand commands, for example /balance. /help shows all of them."]
    assert len(desk.chat.everything_said()) == 1


async def test_a_person_who_changes_their_name_and_username_stays_the_same_person(desk: Desk) -> None:
    message = desk.chat.message_from(STRANGER, "/whoami")
    message["from"] |= {"first_name": "Olga", "username": "olga"}
    await desk.happens({"message": message})
    assert desk.chat.everything_said() == []
    await desk.chat.play("people", people=[{"id": OLGA, "first_name": "Somebody else", "username": "new"}])
    assert await desk.said(OLGA, "/whoami") == OLGA_IS


async def test_a_role_that_is_withdrawn_closes_the_door_with_the_next_message(desk: Desk) -> None:
    assert (await desk.said(VERA, "/balance")).startswith("You can see no provider login yet")
    await desk.rooms.database.write(lambda tables: tables.conn.execute("DELETE FROM roles WHERE role = 'viewer'"))
    await desk.rooms.access.refresh()
    assert await desk.said(VERA, "/balance") == (
        "That needs the right to read balances and positions, which you do not have. An admin can give it."
    )


async def test_an_id_of_telegrams_own_is_nobody_with_an_invitation_in_hand_either(desk: Desk) -> None:
    code = (await desk.rooms.people.invite(desk.person(ADAM), Role.VIEWER, None, None)).reveal()
    await desk.chat.play("people", people=[{"id": TELEGRAM, "first_name": "Telegram"}])
    assert await desk.says(TELEGRAM, f"/start {code}") == []
    assert desk.rooms.access.roster.joining(TELEGRAM) is None
