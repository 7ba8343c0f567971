"""From the first getMe to the last log-out, with the bot as the process an operator runs."""

import asyncio
import re
import time
from pathlib import Path

import pytest

from bot.errors import StartRefusedError
from bot.vault.keys import MasterKey
from bot.wiring import DATABASE
from tests.support.chatting import OLGA, OLGA_IS, Chat, Desk, at_work, configured, texts, until
from tests.support.desk import write_secret
from tests.support.process import run


async def test_it_starts_answers_and_ends_cleanly(tmp_path: Path, chat: Chat) -> None:
    async with run(configured(tmp_path, chat)) as bot:
        await chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/whoami"})
        await until(lambda: chat.from_bot(OLGA))
        assert await bot.stop() == 0
        assert "stopped" in bot.told().splitlines()[-1]
    assert texts(chat.from_bot(OLGA)) == [OLGA_IS]
    for path in (tmp_path / "data").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


async def test_what_is_being_answered_is_answered_before_the_end(tmp_path: Path, chat: Chat) -> None:
    async with run(configured(tmp_path, chat)) as bot:
        await chat.faults({"action": "delay", "match": {"path": "sendMessage"}, "seconds": 0.7})
        await chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/whoami"})
        await until(lambda: not chat.listening.misfortunes.steps)
        assert chat.from_bot(OLGA) == []
        assert await bot.stop() == 0
    assert texts(chat.from_bot(OLGA)) == [OLGA_IS]


async def test_what_does_not_end_in_time_is_left_for_the_next_run(tmp_path: Path, chat: Chat) -> None:
    config = configured(tmp_path, chat)
    async with at_work(config, chat) as desk:
        await chat.faults({"action": "refuse", "match": {"path": "sendMessage"}, "times": 0})
        await chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/whoami"})
        await until(lambda: desk.work.intake.queues.waiting)
        await desk.work.intake.queues.stop(0.05)
    await chat.faults()
    async with at_work(config, chat) as desk:
        await until(lambda: chat.from_bot(OLGA))
        await desk.settled()
    assert texts(chat.from_bot(OLGA)) == [OLGA_IS]


async def test_a_second_one_on_the_same_data_names_the_first(tmp_path: Path, chat: Chat) -> None:
    config = configured(tmp_path, chat)
    async with run(config) as first:
        async with run(config, ready=False) as second:
            assert await second.ended() == 75
            assert f"is in use by process {first.process.pid}; stop it first" in second.told()
        await chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/whoami"})
        await until(lambda: chat.from_bot(OLGA))
        assert await first.stop() == 0


async def test_another_key_is_refused_with_both_fingerprints_and_nothing_changes(tmp_path: Path, chat: Chat) -> None:
    config = configured(tmp_path, chat)
    async with at_work(config, chat) as desk:
        ours = desk.rooms.keys.fingerprint
    database = tmp_path / "data" / DATABASE
    before, calls = database.read_bytes(), len(chat.simulator.api.delivered("", 0))
    other = MasterKey.new().to_text()
    write_secret(tmp_path / "master.key", other)
    async with run(config, ready=False) as bot:
        assert await bot.ended() == 78
        found = re.search(
            r"The master key does not belong to this database \(expected fingerprint ([0-9a-f]{8}), "
            r"got ([0-9a-f]{8})\)\. Nothing was changed\.",
            bot.told(),
        )
        assert found is not None, bot.told()
        assert found[1] == ours
        assert found[2] != ours
        assert other not in bot.told()
    assert database.read_bytes() == before
    assert len(chat.simulator.api.delivered("", 0)) == calls


async def test_a_token_that_telegram_does_not_know_ends_it(tmp_path: Path, chat: Chat) -> None:
    config = configured(tmp_path, chat)
    token = "123456789:AAcanaryTokenThatMustNotBeSeen-0123456"
    write_secret(tmp_path / "telegram.token", token)
    async with run(config, ready=False) as bot:
        assert await bot.ended() == 77
        assert "Telegram does not accept the bot token" in bot.told()
        assert token.partition(":")[2] not in bot.told()
        assert "Traceback" not in bot.told()


async def test_a_token_that_is_revoked_while_it_runs_ends_it(tmp_path: Path, chat: Chat) -> None:
    more = '[log]\nlevel = "DEBUG"'
    async with run(configured(tmp_path, chat, more=more)) as bot:
        answer = {"ok": False, "error_code": 401, "description": "Unauthorized"}
        await until(lambda: chat.simulator.server.updates._waiter)
        await chat.faults({"action": "status", "match": {"path": "/bot"}, "times": 0, "status": 401, "body": answer})
        await chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/whoami"})
        assert await bot.ended() == 77
        assert "Telegram does not accept the bot token" in bot.told().splitlines()[-1]
        assert chat.token.partition(":")[2] not in bot.told()
    asked = [call for call in chat.simulator.api.delivered("", 0) if call["error"].startswith("401")]
    assert len(asked) < 10


async def test_it_waits_for_a_telegram_that_is_not_there_yet(tmp_path: Path, chat: Chat) -> None:
    await chat.play("down", down=True)
    async with run(configured(tmp_path, chat), ready=False) as bot:
        await until(lambda: "Telegram not reached" in bot.told())
        await chat.play("down", down=False)
        await bot.up()
        await chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/whoami"})
        await until(lambda: chat.from_bot(OLGA))
        assert await bot.stop() == 0


async def test_it_can_be_told_to_stop_while_it_waits(tmp_path: Path, chat: Chat) -> None:
    await chat.play("down", down=True)
    async with run(configured(tmp_path, chat), ready=False) as bot:
        await until(lambda: "Telegram not reached" in bot.told())
        assert await bot.stop() == 0


async def test_telegram_goes_and_comes_back(desk: Desk) -> None:
    await desk.chat.play("down", down=True)
    await until(lambda: desk.chat.listening.misfortunes.down)
    await desk.chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/whoami"})
    await desk.chat.play("down", down=False)
    desk.clock.ahead_by(60)
    await desk.settled()
    assert texts(desk.chat.from_bot(OLGA)) == [OLGA_IS]


async def test_another_poller_is_left_alone_for_a_minute_and_then_it_goes_on(desk: Desk) -> None:
    chat = desk.chat
    await until(lambda: chat.simulator.server.updates._waiter)
    thief = f"{chat.listening.http}/bot{chat.token}/getUpdates"
    assert (await chat.http.post(thief, json={"timeout": 0})).json() == {"ok": True, "result": []}
    asked = len(chat.simulator.api.delivered("getUpdates", 0))
    await chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/whoami"})
    desk.clock.ahead_by(50)
    came_back = until(lambda: len(chat.simulator.api.delivered("getUpdates", 0)) > asked)
    _, pending = await asyncio.wait({asyncio.create_task(came_back)}, timeout=0.1)
    for task in pending:
        task.cancel()
    taken = (await chat.http.post(thief, json={"timeout": 0})).json()["result"]
    assert [one["message"]["text"] for one in taken] == ["/whoami"]
    assert len(chat.simulator.api.delivered("getUpdates", 0)) == asked + 1, "we stayed away"
    assert _but_for_the_freeze(chat) == []
    desk.clock.ahead_by(15)
    await desk.settled()
    assert _but_for_the_freeze(chat) == [OLGA_IS]
    assert desk.rooms.pulse.incidents == 0


def _but_for_the_freeze(chat: Chat) -> list[str]:
    return [text for text in texts(chat.from_bot(OLGA)) if not text.startswith("Frozen: the desk")]


@pytest.mark.parametrize(
    "body",
    ["<html>502</html>", '{"ok": true, "result": [{"update_id": "x"}]}', '{"ok": true}', "[" * 100_000, ""],
    ids=["HTML", "no number", "no result", "deep", "nothing"],
)
async def test_an_answer_to_get_updates_that_makes_no_sense_is_asked_for_again(desk: Desk, body: str) -> None:
    await until(lambda: desk.chat.simulator.server.updates._waiter)
    await desk.chat.faults({"action": "replace", "match": {"path": "getUpdates"}, "body": body})
    await desk.chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/whoami"})
    await until(lambda: not desk.chat.listening.misfortunes.steps)
    desk.clock.ahead_by(60)
    await desk.settled()
    assert texts(desk.chat.from_bot(OLGA)) == [OLGA_IS]


async def test_the_refusal_of_a_token_never_holds_it(tmp_path: Path, chat: Chat) -> None:
    config = configured(tmp_path, chat)
    answer = {"ok": False, "error_code": 401, "description": "Unauthorized"}
    await chat.faults({"action": "status", "match": {"path": "getMe"}, "status": 401, "body": answer})
    with pytest.raises(StartRefusedError) as refused:
        async with at_work(config, chat):
            pass
    assert chat.token not in repr(refused.value.__dict__) + str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.faults
async def test_twenty_seconds_are_enough_to_end(tmp_path: Path, chat: Chat) -> None:
    """Telegram takes the answer and never says so."""
    async with run(configured(tmp_path, chat)) as bot:
        await chat.faults({"action": "stall", "match": {"path": "sendMessage"}, "times": 0})
        await chat.play("send", **{"from": OLGA, "chat": OLGA, "text": "/whoami"})
        await until(lambda: chat.simulator.api.delivered("sendMessage", 0))
        started = time.monotonic()
        assert await bot.stop() == 0
        assert time.monotonic() - started < 18
