"""What comes in is kept once, handled once and in order, and survives whatever happens to us."""

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from telegram import Update
from telegram.ext import TypeHandler

from bot.errors import StoreError
from bot.messages.inbox import Incoming
from bot.wiring import DATABASE
from tests.support.chatting import (
    ADAM,
    OLGA,
    OLGA_IS,
    STRANGER,
    VERA,
    Chat,
    Desk,
    at_work,
    at_work_with,
    configured,
    texts,
    until,
)
from tests.support.process import run


def _update(chat: Chat, number: int, person: int = OLGA, text: str = "/whoami", **more: Any) -> dict[str, Any]:
    return {"update_id": number, "message": chat.message_from(person, text, **more)}


async def _rows(desk: Desk, where: str = "1") -> int:
    query = f"SELECT count(*) FROM inbox WHERE {where}"  # noqa: S608  # words of this test
    return await desk.rooms.database.read(lambda tables: int(tables.conn.execute(query).fetchone()[0]))


# once


async def test_the_same_update_is_handled_once(desk: Desk) -> None:
    """F24."""
    update = _update(desk.chat, 900)
    await desk.happens(update, update)
    await desk.happens(update)
    assert texts(desk.chat.from_bot(OLGA)) == [OLGA_IS]


async def test_the_same_message_or_tap_under_another_number_is_handled_once(desk: Desk) -> None:
    """F24."""
    message = desk.chat.message_from(OLGA, "/whoami")
    await desk.happens({"update_id": 901, "message": message}, {"update_id": 902, "message": message})
    tap = {
        "id": "q1",
        "from": message["from"],
        "message": {**message, "message_id": 1},
        "chat_instance": "1",
        "data": "x",
    }
    await desk.happens({"update_id": 903, "callback_query": tap}, {"update_id": 904, "callback_query": tap})
    assert texts(desk.chat.from_bot(OLGA)) == [OLGA_IS]
    assert len(desk.chat.calls("answerCallbackQuery")) == 1


async def test_numbers_that_begin_anew_and_lower_are_handled(desk: Desk) -> None:
    """F25."""
    for number in (9_000_000, 17, 5_000, 16):
        await desk.happens(_update(desk.chat, number))
    assert texts(desk.chat.from_bot(OLGA)) == [OLGA_IS] * 4


async def test_what_came_before_a_restart_is_not_handled_again_after_it(tmp_path: Path, chat: Chat) -> None:
    """F24."""
    config, update = configured(tmp_path, chat), _update(chat, 905)
    async with at_work(config, chat) as desk:
        await desk.happens(update)
    async with at_work(config, chat) as desk:
        await desk.happens(update)
        assert texts(chat.from_bot(OLGA)) == [OLGA_IS]


# in order, and side by side


async def test_one_chat_in_order_and_a_slow_one_delays_nobody_else(tmp_path: Path, chat: Chat) -> None:
    async with at_work_with(tmp_path, chat, "crm") as desk:
        await desk.link("crm")
        slow = {"action": "delay", "match": {"path": "/public/"}, "seconds": 1.5}
        await chat.http.post(f"{desk.sides['crm'].control}/faults", json=[slow])
        await chat.play(
            "updates",
            updates=[
                _update(chat, 910, OLGA, "/balance crm"),
                _update(chat, 911, OLGA, "/whoami"),
                _update(chat, 912, VERA, "/whoami"),
            ],
        )
        await until(lambda: chat.from_bot(VERA))
        assert chat.from_bot(OLGA) == []
        await desk.settled()
        balance, whoami = texts(chat.from_bot(OLGA))
        assert balance.startswith("Balances")
        assert whoami == OLGA_IS


async def test_fifty_messages_of_one_person_are_answered_in_their_order(desk: Desk) -> None:
    await desk.happens(*(_update(desk.chat, 1000 + number, text=f"/no{number}x") for number in range(50)))
    said = [text.split(".")[0] for text in texts(desk.chat.from_bot(OLGA))]
    assert said == [f"I do not know /no{number}x" for number in range(50)]


async def test_a_batch_is_one_commit(desk: Desk) -> None:
    """Either all of it is kept or nothing: a row that cannot be written takes the whole batch back."""
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute(
            "CREATE TRIGGER no_more BEFORE INSERT ON inbox WHEN NEW.update_id = 922"
            " BEGIN SELECT RAISE(FAIL, 'disk trouble'); END"
        )
    )
    bodies = [msgspec.json.encode(_update(desk.chat, number)) for number in (920, 921, 922)]
    with pytest.raises(StoreError):
        await desk.work.intake.take(bodies)
    assert await _rows(desk) == 0
    assert desk.chat.everything_said() == []
    await desk.rooms.database.write(lambda tables: tables.conn.execute("DROP TRIGGER no_more"))
    await desk.work.intake.take(bodies)
    await desk.settled()
    assert texts(desk.chat.from_bot(OLGA)) == [OLGA_IS] * 3


async def test_f39_a_flood_of_strangers_leaves_no_row_and_a_known_person_is_answered_within_it(desk: Desk) -> None:
    """20,000 updates from 10,000 ids nobody knows; every tenth batch brings one of somebody known."""
    intake, path = desk.work.intake, desk.rooms.database.path
    before = sum(one.stat().st_size for one in path.parent.glob(f"{path.name}*"))
    for batch in range(200):
        numbers = range(1_000_000 + 100 * batch, 1_000_100 + 100 * batch)
        bodies = [msgspec.json.encode(_update(desk.chat, number, 4_000_000 + number // 2)) for number in numbers]
        if batch % 10 == 9:
            bodies.insert(50, msgspec.json.encode(_update(desk.chat, 2_000_000 + batch)))
        await intake.take(bodies)
    await until(lambda: len(desk.chat.from_bot(OLGA)) == 20)
    assert texts(desk.chat.from_bot(OLGA)) == [OLGA_IS] * 20
    assert desk.rooms.pulse.strangers == 20_000
    assert await _rows(desk) == 20
    assert {call["params"]["chat_id"] for call in desk.chat.calls("sendMessage")} == {OLGA}
    after = sum(one.stat().st_size for one in path.parent.glob(f"{path.name}*"))
    assert after - before <= 1 << 20


# a database that refuses


async def test_f47_a_database_that_another_program_holds_leaves_the_bot_alive_and_loses_nothing(desk: Desk) -> None:
    await desk.rooms.database.write(lambda tables: tables.conn.execute("PRAGMA busy_timeout = 50").fetchall())
    other = sqlite3.connect(desk.rooms.database.path, isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        await desk.chat.play("updates", updates=[_update(desk.chat, 930), _update(desk.chat, 931, STRANGER)])
        await _asked_again(desk)
        assert desk.chat.everything_said() == []
    finally:
        other.execute("ROLLBACK")
        other.close()
    desk.clock.ahead_by(30)
    await desk.settled()
    assert texts(desk.chat.from_bot(OLGA)) == [OLGA_IS]
    assert desk.rooms.pulse.incidents == 0


async def _asked_again(desk: Desk) -> None:
    """The bot has been given the updates, could not keep them, and asks for them once more."""
    asked = desk.chat.simulator.api.delivered
    before = len(asked("getUpdates", 0))

    def again() -> bool:
        desk.clock.ahead_by(0.2)  # it waits longer and longer in between
        return len(asked("getUpdates", 0)) >= before + 2

    await until(again)


async def test_f48_a_full_disk_refuses_and_recovers_without_a_restart(desk: Desk) -> None:
    def fill(tables: Any) -> None:
        pages = tables.conn.execute("PRAGMA page_count").fetchone()[0]
        tables.conn.execute(f"PRAGMA max_page_count = {pages}")

    def relieve(tables: Any) -> None:
        tables.conn.execute("PRAGMA max_page_count = 1000000")

    await desk.rooms.database.read(fill)
    many = [_update(desk.chat, number, text="/no " + "x" * 3000) for number in range(940, 960)]
    await desk.chat.play("updates", updates=many)
    await _asked_again(desk)
    assert len(desk.chat.simulator.server.updates.waiting()) == 20
    await desk.rooms.database.read(relieve)
    desk.clock.ahead_by(30)
    await desk.settled()
    assert len(desk.chat.from_bot(OLGA)) == 20
    assert (await desk.said(OLGA, "/whoami")) == OLGA_IS


async def test_a_person_is_told_when_the_database_is_busy(desk: Desk) -> None:
    await desk.rooms.database.write(lambda tables: tables.conn.execute("PRAGMA busy_timeout = 50").fetchall())
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute(
            "CREATE TRIGGER full BEFORE INSERT ON invites BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    )
    assert await desk.said(ADAM, "/invite viewer") == (
        "The database refused; nothing was changed. An admin finds the reason in the log."
    )


# strangers


async def test_a_flood_of_strangers_costs_no_answer_nobody_s_patience_and_next_to_no_room(desk: Desk) -> None:
    _begin(desk, _next_hour())
    before = _stored(desk)
    crowd = [_update(desk.chat, 10_000 + number, 700_000 + number) for number in range(3001)]
    crowd[1500] = _update(desk.chat, 11_500)
    await desk.happens(*crowd)
    assert texts(desk.chat.everything_said()) == [OLGA_IS]
    assert desk.rooms.pulse.strangers == 3000
    assert await _rows(desk) == 1
    assert [number for number, _ in await _turned_away(desk)] == list(range(700_000, 700_060))
    assert _stored(desk) - before < 500_000


async def test_of_one_stranger_five_updates_an_hour_are_in_the_audit_log_and_nothing_they_wrote(desk: Desk) -> None:
    _begin(desk, _next_hour())
    message = desk.chat.message_from(STRANGER, "hand me the canary")
    tap = {"id": "q", "from": message["from"], "chat_instance": "1", "data": "canary", "message": message}
    await desk.happens(
        {"update_id": 20_000, "callback_query": tap},
        {"update_id": 20_001, "edited_message": message},
        *(_update(desk.chat, 20_002 + number, STRANGER, "hand me the canary") for number in range(8)),
    )
    five = [(STRANGER, what) for what in ("tap", "edit", "message", "message", "message")]
    assert await _turned_away(desk) == five
    desk.clock.ahead_by(3600)
    await desk.happens(_update(desk.chat, 20_020, STRANGER))
    assert await _turned_away(desk) == [*five, (STRANGER, "message")]
    assert "canary" not in str(await desk.rooms.database.read(lambda tables: list(tables["audit"].rows)))
    assert await desk.rooms.database.read(desk.rooms.audit.first_bad) is None


async def test_a_restart_gives_a_stranger_no_more_of_the_hour(tmp_path: Path, chat: Chat) -> None:
    config, hour = configured(tmp_path, chat), _next_hour()
    for number in (30_000, 31_000):
        async with at_work(config, chat) as desk:
            _begin(desk, hour)
            await desk.happens(*(_update(chat, number + each, STRANGER) for each in range(4)))
            await desk.happens(_update(chat, number + 900, STRANGER + 1))
            found = await _turned_away(desk)
    assert [number for number, _ in found] == [STRANGER] * 4 + [STRANGER + 1, STRANGER, STRANGER + 1]


async def test_what_cannot_be_written_of_strangers_is_in_nobody_s_way(desk: Desk) -> None:
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute(
            "CREATE TRIGGER no_more BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk trouble'); END"
        )
    )
    await desk.happens(_update(desk.chat, 40_000, STRANGER), _update(desk.chat, 40_001))
    assert texts(desk.chat.everything_said()) == [OLGA_IS]
    assert desk.rooms.pulse.strangers == 1
    await desk.rooms.database.write(lambda tables: tables.conn.execute("DROP TRIGGER no_more"))
    assert await _turned_away(desk) == []


def _next_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _begin(desk: Desk, hour: datetime) -> None:
    """Put its clock to the beginning of an hour, so that the hour does not end in the middle of a test."""
    desk.clock.ahead_by((hour - desk.clock.now()).total_seconds() + 1)


async def _turned_away(desk: Desk) -> list[tuple[int, str]]:
    """Telegram ids of strangers in the audit log, and what came from them."""
    return await desk.rooms.database.read(
        lambda tables: tables.conn.execute(
            "SELECT telegram_id, details ->> 'what' FROM audit WHERE action = 'stranger.turned_away' ORDER BY seq"
        ).fetchall()
    )


def _stored(desk: Desk) -> int:
    """Bytes of the database, its journal included."""
    path = desk.rooms.database.path
    return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))


# unreadable


async def test_an_update_the_library_cannot_read_does_not_stop_its_chat(desk: Desk) -> None:
    message = desk.chat.message_from(OLGA, "/whoami")
    broken = {"update_id": 950, "message": {**message, "date": "yesterday", "entities": 7}}
    await desk.happens(broken, _update(desk.chat, 951))
    assert texts(desk.chat.from_bot(OLGA)) == [OLGA_IS]
    assert await _rows(desk, "done_at IS NULL") == 0 or await _flushed(desk) == 0


async def _flushed(desk: Desk) -> int:
    await desk.rooms.inbox.flush()
    return await _rows(desk, "done_at IS NULL")


# cancelled


async def test_a_handler_that_is_cancelled_from_within_does_not_stop_its_chat(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """What it waited for was cancelled, by a provider's session that closed, say; nobody cancelled the handler."""

    async def slip(update: Update, _: Any) -> None:
        if update.update_id == 960:
            given_up = asyncio.get_running_loop().create_future()
            given_up.cancel()
            await given_up

    desk.work.desk.add_handler(TypeHandler(Update, slip), group=-9)
    await desk.happens(*(_update(desk.chat, number) for number in (960, 961, 962)))
    assert texts(desk.chat.from_bot(OLGA)) == [OLGA_IS] * 2
    assert [vars(one)["update_id"] for one in caplog.records if one.getMessage().startswith("a handler was")] == [960]


async def test_a_handler_that_is_cancelled_for_the_end_is_the_last_of_its_chat(desk: Desk) -> None:
    handled: list[int] = []

    async def never_done(update: Update, _: Any) -> None:
        handled.append(update.update_id)
        if update.update_id == 970:
            await asyncio.Event().wait()

    desk.work.desk.add_handler(TypeHandler(Update, never_done), group=-9)
    queues, later = desk.work.intake.queues, msgspec.json.encode(_update(desk.chat, 971))
    await desk.chat.play("updates", updates=[_update(desk.chat, 970)])
    await until(lambda: handled)
    stopping = asyncio.create_task(queues.stop(0.01))
    await asyncio.sleep(0)
    queues.put(Incoming(971, OLGA, desk.rooms.sealer.seal(later, 971), None))  # comes while the end waits for the first
    await asyncio.wait_for(stopping, 10)
    assert handled == [970]
    assert desk.chat.everything_said() == []


async def test_a_handled_update_leaves_no_text_behind(desk: Desk) -> None:
    await desk.said(OLGA, "/whoami")
    await desk.rooms.inbox.flush()
    assert await _rows(desk, "body IS NULL") == 1


async def test_a_row_that_somebody_moved_or_changed_is_not_handled(tmp_path: Path, chat: Chat) -> None:
    """A sealed row opens only as itself."""
    config = configured(tmp_path, chat)
    async with at_work(config, chat, polling=False) as desk:
        body = desk.rooms.sealer.seal(b'{"update_id": 1}', 1)
        await desk.rooms.database.write(
            lambda tables: tables.conn.execute(
                "INSERT INTO inbox (update_id, chat_id, body, received_at) VALUES (2, 1002, ?, 1)", (body,)
            )
        )
    async with at_work(config, chat) as desk:
        await desk.settled()
        assert desk.rooms.pulse.incidents == 1
        assert await desk.said(OLGA, "/whoami") == OLGA_IS


# kill -9


async def test_a_command_in_the_inbox_survives_kill_9_and_is_answered_once(tmp_path: Path, chat: Chat) -> None:
    """F24."""
    config = configured(tmp_path, chat)
    async with run(config) as bot:
        await chat.faults({"action": "refuse", "match": {"path": "sendMessage"}, "times": 0})
        await chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/whoami"})
        await until(lambda: _unfinished(tmp_path / "data" / DATABASE) == 1)
        await bot.kill()
    await chat.faults()
    assert chat.from_bot(OLGA) == []
    async with run(config) as bot:
        await until(lambda: chat.from_bot(OLGA))
        assert "updates from an earlier run are handled now" in bot.told()
        await chat.play("send", **{"from": VERA, "chat": VERA, "text": "/whoami"})
        await until(lambda: chat.from_bot(VERA))
        assert await bot.stop() == 0
    assert texts(chat.from_bot(OLGA)) == [OLGA_IS]
    assert _unfinished(tmp_path / "data" / DATABASE) == 0


def _unfinished(path: Path) -> int:
    reader = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return int(reader.execute("SELECT count(*) FROM inbox WHERE done_at IS NULL").fetchone()[0])
    finally:
        reader.close()
