"""A group of the desk that becomes a supergroup gets a new id, and stays the desk's."""

import io
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import logs
from bot.messages.notice import Lane, Notice
from tests.support.chatting import ADAM, OLGA, OLGA_IS, STRANGER, Chat, Desk, at_work, configured, texts, until
from tests.support.desk import GROUP

OLD, NEW = -4_242, -1_009_876_543_210
FOREIGN = -7_777
ANONYMOUS_ADMIN = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("WARNING", stream=stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:] = kept
    root.setLevel(level)


def _name_instead(config: Path, old: int, new: int) -> None:
    config.write_text(config.read_text(encoding="utf-8").replace(str(old), str(new)), encoding="utf-8")


@pytest.fixture
def config(tmp_path: Path, chat: Chat) -> Path:
    """The desk's one group is still a small one."""
    path = configured(tmp_path, chat)
    _name_instead(path, GROUP, OLD)
    return path


@pytest.fixture
async def desk(config: Path, chat: Chat, log: io.StringIO) -> AsyncIterator[Desk]:
    await _founded(chat)
    async with at_work(config, chat) as found:
        yield found


async def _founded(chat: Chat) -> None:
    groups = [{"id": number, "title": "Desk", "members": [OLGA, ADAM]} for number in (OLD, NEW)]
    await chat.play("people", groups=groups)


def _old_group_says(chat: Chat, sender: int = OLGA) -> dict[str, Any]:
    message = chat.message_from(sender, "", OLD, migrate_to_chat_id=NEW)
    del message["text"]
    return {"message": {**message, "chat": {"id": OLD, "type": "group", "title": "Desk"}}}


def _new_group_says(chat: Chat) -> dict[str, Any]:
    message = chat.message_from(OLGA, "", NEW, migrate_from_chat_id=OLD)
    del message["text"]
    stand_in = {"from": ANONYMOUS_ADMIN, "sender_chat": {"id": NEW, "type": "supergroup", "title": "Desk"}}
    return {"message": {**message, **stand_in}}


def _moved_error() -> dict[str, Any]:
    body = {
        "ok": False,
        "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": NEW},
    }
    return {"action": "status", "match": {"path": "sendMessage"}, "status": 400, "body": body}


async def _audited(desk: Desk) -> list[tuple[str, str, str]]:
    return await desk.rooms.database.read(
        lambda tables: tables.conn.execute(
            "SELECT action, object, details FROM audit WHERE action = 'group.moved'"
        ).fetchall()
    )


async def _queue(desk: Desk, chat: int, title: str) -> None:
    notice = Notice(Lane.EVENTS, chat, title)
    await desk.rooms.database.write(lambda tables: desk.rooms.outbox.put(tables, notice))


async def _answers_in(desk: Desk, group: int) -> list[str]:
    before = len(desk.chat.from_bot(group))
    await desk.chat.play("send", **{"from": OLGA, "chat": group, "text": "/whoami"})
    await desk.settled()
    return texts(desk.chat.from_bot(group))[before:]


@pytest.mark.parametrize("sender", [OLGA, STRANGER], ids=["somebody of the desk", "a stranger"])
async def test_the_old_group_says_where_it_went_whoever_moved_it(desk: Desk, sender: int) -> None:
    assert await _answers_in(desk, NEW) == []
    await desk.happens(_old_group_says(desk.chat, sender))
    assert await _answers_in(desk, NEW) == [OLGA_IS]
    assert await _answers_in(desk, OLD) == []
    assert desk.rooms.pulse.strangers == 0


async def test_the_new_group_says_where_it_came_from(desk: Desk) -> None:
    await desk.happens(_new_group_says(desk.chat))
    assert await _answers_in(desk, NEW) == [OLGA_IS]


async def test_told_by_both_it_is_audited_once_and_the_operator_reads_both_ids(desk: Desk, log: io.StringIO) -> None:
    await desk.happens(_old_group_says(desk.chat), _new_group_says(desk.chat))
    assert await _audited(desk) == [("group.moved", f"group/{OLD}", f'{{"new_id":{NEW}}}')]
    (line,) = log.getvalue().splitlines()
    assert "people.groups" in line
    assert str(OLD) in line
    assert str(NEW) in line


async def test_after_a_restart_with_the_old_file_the_new_group_is_the_desks_and_the_file_is_complained_of(
    config: Path, chat: Chat, log: io.StringIO
) -> None:
    await _founded(chat)
    async with at_work(config, chat) as desk:
        await desk.happens(_old_group_says(chat))
    log.truncate(0)
    async with at_work(config, chat) as desk:
        assert await _answers_in(desk, NEW) == [OLGA_IS]
    assert str(NEW) in log.getvalue()
    _name_instead(config, OLD, NEW)
    log.truncate(0)
    async with at_work(config, chat) as desk:
        assert await _answers_in(desk, NEW) == [OLGA_IS]
    assert log.getvalue().strip("\0") == ""


async def _tell(desk: Desk, chat: int, title: str, **more: str) -> None:
    """Queue a notice and wait until it has left."""
    notice = Notice(Lane.EVENTS, chat, title, **more)  # type: ignore[arg-type]
    await desk.rooms.database.write(lambda tables: desk.rooms.outbox.put(tables, notice))
    await until(lambda: any(title in text for place in (OLD, NEW) for text in texts(desk.chat.from_bot(place))))


async def test_what_replaces_a_message_of_the_old_group_is_said_anew_and_edited_from_then_on(desk: Desk) -> None:
    await _tell(desk, OLD, "1 of 2 signed", dedupe="request/a")
    await desk.happens(_old_group_says(desk.chat))
    await _tell(desk, NEW, "2 of 2 signed", replaces="request/a", dedupe="request/a/2")
    assert texts(desk.chat.from_bot(NEW)) == ["2 of 2 signed"]
    await _tell(desk, NEW, "carried out", replaces="request/a", dedupe="request/a/3")
    assert texts(desk.chat.from_bot(NEW)) == ["carried out"]
    assert texts(desk.chat.from_bot(OLD)) == ["1 of 2 signed"]
    (edit,) = desk.chat.calls("editMessageText")
    (message,) = desk.chat.from_bot(NEW)
    assert (edit["params"]["chat_id"], edit["params"]["message_id"]) == (NEW, message["message_id"])


async def test_what_waits_to_replace_a_message_while_the_group_moves_is_said_anew(desk: Desk) -> None:
    await _tell(desk, OLD, "1 of 2 signed", dedupe="request/a")
    await desk.chat.faults({**_moved_error(), "match": {"path": "editMessageText"}})
    await _tell(desk, OLD, "2 of 2 signed", replaces="request/a", dedupe="request/a/2")
    assert texts(desk.chat.from_bot(NEW)) == ["2 of 2 signed"]
    assert texts(desk.chat.from_bot(OLD)) == ["1 of 2 signed"]


async def test_somebody_elses_group_that_moves_is_none_of_ours(desk: Desk) -> None:
    message = desk.chat.message_from(OLGA, "", FOREIGN, migrate_to_chat_id=NEW)
    await desk.happens({"message": message})
    assert await _answers_in(desk, NEW) == []
    await desk.happens({"message": {**message, "from": {**message["from"], "id": STRANGER}}})
    assert desk.rooms.pulse.strangers == 1
    assert await _audited(desk) == []


# what is sent to the old id


async def test_what_waits_for_the_old_group_is_told_in_the_new_one(config: Path, chat: Chat, log: io.StringIO) -> None:
    await _founded(chat)
    async with at_work(config, chat, notifying=False) as desk:
        await _queue(desk, OLD, "waits")
        await _queue(desk, OLGA, "private")
        await desk.happens(_old_group_says(chat))
    assert texts(chat.from_bot(NEW)) == ["waits"]
    assert texts(chat.from_bot(OLGA)) == ["private"]
    assert chat.from_bot(OLD) == []


async def test_the_cards_of_the_old_group_serve_the_new_one(desk: Desk) -> None:
    card = await desk.rooms.cards.make("pages", 1, OLD, {})
    elsewhere = await desk.rooms.cards.make("pages", 1, OLGA, {})
    await desk.happens(_old_group_says(desk.chat))
    found = [await desk.rooms.cards.find(one.id) for one in (card, elsewhere)]
    assert [one.chat_id for one in found if one is not None] == [NEW, OLGA]


async def test_a_notice_that_is_refused_because_the_group_moved_follows_it(desk: Desk) -> None:
    await desk.chat.faults(_moved_error())
    await _queue(desk, OLD, "first")
    await _queue(desk, OLD, "second")
    await until(lambda: texts(desk.chat.from_bot(NEW)) == ["first", "second"])
    assert len(await _audited(desk)) == 1
    assert await _answers_in(desk, NEW) == [OLGA_IS]
    assert desk.rooms.pulse.incidents == 0


async def test_an_answer_that_is_refused_because_the_group_moved_lets_the_desk_follow(desk: Desk) -> None:
    await desk.chat.faults(_moved_error())
    assert await _answers_in(desk, OLD) == []
    assert await _answers_in(desk, NEW) == [OLGA_IS]
    assert desk.rooms.pulse.incidents == 0


async def test_moved_ids_fit_whatever_telegram_gives(config: Path, chat: Chat) -> None:
    """Up to 52 bits (Bot API, "Chat")."""
    far = -((1 << 51) - 1)
    async with at_work(config, chat) as desk:
        update = _old_group_says(chat)
        update["message"]["migrate_to_chat_id"] = far
        await desk.happens(update)
        assert desk.rooms.access.roster.groups == {far}
