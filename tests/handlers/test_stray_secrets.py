"""While a secret is asked for, it does not stay in a chat, whichever way and wherever it comes."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.chatting import ADAM, OLGA, VERA, Desk, Message, texts, until
from tests.support.desk import GROUP

SOMEBODY = {"id": 4242, "is_bot": False, "first_name": "Somebody"}
FORWARD = {"forward_origin": {"type": "user", "sender_user": SOMEBODY, "date": 1_780_000_000}}
VIA_BOT = {"via_bot": {"id": 99, "is_bot": True, "first_name": "Other", "username": "otherbot"}}
FILE = {"document": {"file_id": "F1", "file_unique_id": "u1", "file_name": "key.txt"}}
DELETED = "I deleted that, in case it was a secret. "
CANARY = "canary-api-key-1234"


async def _asked_for_secret(desk: Desk) -> None:
    await desk.says(OLGA, "/connect crm live main")
    await desk.says(OLGA, "only me")


def _stays(desk: Desk, chat: int = OLGA, text: str = CANARY) -> bool:
    return text in texts(desk.chat.messages(chat))


# in the private chat


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (FORWARD, "Forwarded messages are not read. Please type it yourself."),
        (VIA_BOT, "Messages sent through another bot are not read. Please type it yourself."),
    ],
    ids=["forwarded", "via a bot"],
)
async def test_what_is_not_the_persons_own_message_is_deleted(desk: Desk, form: dict[str, Any], sentence: str) -> None:
    await _asked_for_secret(desk)
    assert texts(await desk.says(OLGA, CANARY, **form)) == [DELETED + sentence]
    assert not _stays(desk)
    assert desk.passed[-1].effective_message is not None  # the words before it; this one reached no door
    assert desk.passed[-1].effective_message.text == "only me"


async def test_an_edited_message_is_deleted(desk: Desk) -> None:
    await desk.chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "one moment"})
    await desk.settled()
    (earlier,) = [each for each in desk.chat.messages(OLGA) if each.get("text") == "one moment"]
    await _asked_for_secret(desk)
    await desk.chat.play("edit", **{"from": OLGA, "chat": OLGA, "message_id": earlier["message_id"], "text": CANARY})
    await desk.settled()
    assert not _stays(desk)
    assert texts(desk.chat.from_bot(OLGA))[-1] == DELETED + "Edits are not read. Please send it as a new message."


async def test_a_file_that_cannot_be_deleted_is_not_talked_about_otherwise(desk: Desk) -> None:
    await _asked_for_secret(desk)
    refusal = {"ok": False, "error_code": 400, "description": "Bad Request: message can't be deleted"}
    match = {"path": "deleteMessage"}
    await desk.chat.faults({"action": "status", "match": match, "status": 400, "times": 0, "body": refusal})
    (said,) = texts(await desk.says(OLGA, "", **FILE))
    assert said.startswith("I could not delete your message")


async def test_long_after_a_secret_was_given_up_a_file_answers_nothing(desk: Desk) -> None:
    await _asked_for_secret(desk)
    await desk.says(OLGA, "/cancel")
    desk.clock.ahead += timedelta(hours=1)
    (said,) = texts(await desk.says(OLGA, "", **FILE))
    assert said.startswith("I did not ask for a file")


async def test_a_file_is_deleted(desk: Desk) -> None:
    await _asked_for_secret(desk)
    assert texts(await desk.says(OLGA, "", **FILE)) == [
        "I deleted that, in case it held the secret. Please send it as text."
    ]
    assert not [each for each in desk.chat.messages(OLGA) if "document" in each]


async def test_the_question_stands_afterwards(desk: Desk) -> None:
    await _asked_for_secret(desk)
    await desk.says(OLGA, CANARY, **FORWARD)
    answers = await desk.says(OLGA, CANARY)
    assert answers[0]["text"].startswith("Broctagon CRM (crm/main) could not be reached")


async def test_minutes_after_the_end_it_is_deleted_too(desk: Desk) -> None:
    await _asked_for_secret(desk)
    await desk.says(OLGA, "/cancel")
    await desk.says(OLGA, CANARY, **FORWARD)
    assert not _stays(desk)


async def test_what_cannot_be_deleted_is_said(desk: Desk) -> None:
    await _asked_for_secret(desk)
    refusal = {"ok": False, "error_code": 400, "description": "Bad Request: message can't be deleted"}
    await desk.chat.faults({"action": "status", "match": {"path": "deleteMessage"}, "status": 400, "body": refusal})
    assert texts(await desk.says(OLGA, CANARY, **FORWARD)) == [
        "I could not delete your message. Delete it yourself, and change what it held wherever it counts.",
        "Forwarded messages are not read. Please type it yourself.",
    ]


async def test_when_no_secret_is_asked_for_nothing_is_deleted(desk: Desk) -> None:
    await desk.says(OLGA, "/connect crm live main")
    for form in (FORWARD, FILE):
        await desk.says(OLGA, "a note", **form)
    assert texts(desk.chat.messages(OLGA)).count("a note") == 2
    assert desk.chat.calls("deleteMessage") == []


# in the desk's group


async def _group(desk: Desk, *, bot_is_admin: bool) -> None:
    """The desk's group, in which the bot hears everything."""
    members = [OLGA, VERA, ADAM]
    admins = [desk.chat.simulator.world.bot["id"]] if bot_is_admin else []
    group = {"id": GROUP, "title": "Desk", "members": members, "admins": admins}
    await desk.chat.play("people", groups=[group], bot={"reads_all": True})


async def _writes_in_the_group(desk: Desk, text: str, person: int = OLGA) -> list[Message]:
    """What the bot then says to the operator privately."""
    before = len(desk.chat.from_bot(OLGA))
    await desk.chat.play("send", **{"from": person, "chat": GROUP, "text": text})
    await desk.settled()
    return desk.chat.from_bot(OLGA)[before:]


async def test_the_secret_in_the_group_is_deleted_and_its_writer_told_in_private(desk: Desk) -> None:
    await _group(desk, bot_is_admin=True)
    await _asked_for_secret(desk)
    (told,) = texts(await _writes_in_the_group(desk, CANARY))
    assert told == (
        "What you wrote in the group looks like the API key I asked for. I deleted it there. "
        "Others may have seen it: make a new one at the provider, and send that one here."
    )
    assert not _stays(desk, GROUP)
    assert desk.chat.from_bot(GROUP) == []
    assert await desk.rooms.database.read(lambda tables: tables["sealed"].count) == 0


async def test_where_the_bot_may_not_delete_it_says_so(desk: Desk) -> None:
    await _group(desk, bot_is_admin=False)
    await _asked_for_secret(desk)
    (told,) = texts(await _writes_in_the_group(desk, CANARY))
    assert "I may not delete it there: please delete it yourself." in told
    assert _stays(desk, GROUP)


@pytest.mark.parametrize(
    "text", ["Understood", "see you tomorrow at 8", "ok 12", "https wins again", "12345678\u2060é"]
)
async def test_ordinary_talk_in_the_group_stays(desk: Desk, text: str) -> None:
    await _group(desk, bot_is_admin=True)
    await _asked_for_secret(desk)
    assert await _writes_in_the_group(desk, text) == []
    assert _stays(desk, GROUP, text)


async def test_what_others_write_in_the_group_stays_and_so_does_everything_once_nothing_is_asked(desk: Desk) -> None:
    await _group(desk, bot_is_admin=True)
    await _asked_for_secret(desk)
    await _writes_in_the_group(desk, CANARY, VERA)
    assert _stays(desk, GROUP)
    await desk.says(OLGA, "/cancel")
    await _writes_in_the_group(desk, "another-word-1234")
    await until(lambda: _stays(desk, GROUP, "another-word-1234"))
    assert desk.chat.calls("deleteMessage") == []
