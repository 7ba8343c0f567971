"""When Telegram is not there, or is somebody else's: nothing is lost, nothing is doubled, and people hear of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.errors import StartRefusedError
from bot.messages.notice import Lane, Notice
from bot.operations.freezing import freezes_in
from tests.support.chatting import ADAM, NO_PACING, OLGA, VERA, Chat, Desk, at_work, configured, texts, until
from tests.support.desk import write_secret
from tests.support.postbox import Postbox, postbox


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.notifier._LOOK_SECONDS", 0.03)


@pytest.fixture
async def box() -> AsyncIterator[Postbox]:
    async with postbox("http") as found:
        yield found


@pytest.fixture
def config(tmp_path: Path, chat: Chat, box: Postbox) -> Path:
    tmp_path.mkdir(exist_ok=True)
    write_secret(tmp_path / "second.webhook", f"http://127.0.0.1:{box.port}/hook")
    return configured(tmp_path, chat, more=NO_PACING + '\n[second_channel]\nwebhook_file = "second.webhook"')


def _answered(status: int, body: Any, path: str = "/bot", times: int = 0) -> dict[str, Any]:
    return {"action": "status", "match": {"path": path}, "status": status, "body": body, "times": times}


def _refused(status: int, description: str) -> dict[str, Any]:
    return {"ok": False, "error_code": status, "description": description}


async def _reasons(desk: Desk) -> list[str]:
    return [one.reason for one in await desk.rooms.database.read(freezes_in)]


def _subjects(box: Postbox) -> list[str]:
    return [post["subject"] for post in box.posts]


async def test_f36_a_second_poller_freezes_money_once_and_is_outlived(
    config: Path, chat: Chat, box: Postbox, caplog: pytest.LogCaptureFixture
) -> None:
    conflict = _refused(409, "Conflict: terminated by other getUpdates request")
    async with at_work(config, chat) as desk:
        await desk.rooms.paging.look()
        await until(lambda: chat.simulator.server.updates._waiter)
        await chat.faults(_answered(409, conflict, "getUpdates", times=4))
        await chat.play("send", **{"from": VERA, "chat": VERA, "text": "/whoami"})  # it ends the long poll
        for refused in (1, 2, 3, 4):
            await until(lambda refused=refused: _put_off(caplog) >= refused)
            desk.clock.ahead_by(61)
        await chat.play("send", **{"from": VERA, "chat": VERA, "text": "/help"})
        await desk.settled()
        (reason,) = await _reasons(desk)
        assert reason.startswith("another program fetched this bot's updates from Telegram at ")
        frozen = [text for text in texts(chat.from_bot(OLGA)) if text.startswith("Frozen: the desk")]
        assert len(frozen) == 1
        assert [text.split()[0] for text in texts(chat.from_bot(VERA))] == ["You", "What"]
        await desk.rooms.paging.look()
    assert _subjects(box) == ["Desk: Frozen: the desk"]


def _put_off(caplog: pytest.LogCaptureFixture) -> int:
    """How often the poller has begun to wait."""
    return sum(record.getMessage() == "updates not fetched" for record in caplog.records)


async def test_f37_ten_minutes_without_telegram_lose_nothing_and_keep_the_lanes(
    config: Path, chat: Chat, box: Postbox
) -> None:
    lanes = {"price": Lane.PRICES, "event": Lane.EVENTS, "security": Lane.SECURITY, "decision": Lane.DECISIONS}
    async with at_work(config, chat) as desk:
        await desk.rooms.paging.look()
        weathers = [
            _answered(502, "<html>Bad Gateway</html>"),
            _answered(504, _refused(504, "Gateway Timeout")),
            _answered(200, "<html>maintenance</html>"),
            {"action": "refuse", "match": {"path": "/bot"}, "times": 0},
        ]
        for minute, weather in enumerate(weathers):
            await chat.faults(weather)
            if not minute:
                await chat.play("send", **{"from": VERA, "chat": VERA, "text": "/whoami"})
                for title, lane in lanes.items():
                    notice = Notice(lane, OLGA, title)
                    await desk.rooms.database.write(lambda tables, notice=notice: desk.rooms.outbox.put(tables, notice))
            await until(lambda: desk.rooms.pulse.silent_since is not None)
            desk.clock.ahead_by(150)
            await desk.rooms.paging.look()
            assert _subjects(box) == (["Desk: Telegram cannot be reached"] if minute else [])
        assert chat.from_bot(OLGA) == []
        await chat.faults()
        desk.clock.ahead_by(301)
        await until(lambda: len(chat.from_bot(OLGA)) >= 4)
        await until(lambda: chat.from_bot(VERA))
        assert texts(chat.from_bot(OLGA)) == ["decision", "security", "event", "price"]
        await until(lambda: desk.rooms.pulse.silent_since is None)
        await desk.rooms.paging.look()
        assert await desk.rooms.outbox.depth() == {"waiting": 0, "dead": 0}
    assert len(chat.from_bot(VERA)) == 1
    assert _subjects(box)[1:] == ["Desk: Telegram answers again"]


@pytest.mark.parametrize("part", ["poll", "notify"])
async def test_f38_a_token_that_is_revoked_freezes_money_is_paged_and_ends_it(
    config: Path, chat: Chat, box: Postbox, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(config, chat, polling=False, notifying=False) as desk:
        await chat.faults(_answered(401, _refused(401, "Unauthorized")))
        await desk.rooms.database.write(
            lambda tables: desk.rooms.outbox.put(tables, Notice(Lane.EVENTS, OLGA, "waits"))
        )
        with pytest.raises(StartRefusedError) as refused:
            await getattr(desk.work, part)()
        assert refused.value.exit_code == 77
        (reason,) = await _reasons(desk)
        assert reason.startswith("Telegram refused the bot's token at ")
        assert _subjects(box) == ["Desk: Telegram refuses the bot's token"]
        assert (await desk.rooms.outbox.depth())["dead"] == 0
        secret = chat.token.partition(":")[2]
        assert secret not in str(box.posts) + str(refused.value) + caplog.text
    assert len([call for call in chat.simulator.api.delivered("", 0) if not call["ok"]]) < 10


async def test_the_second_channel_is_tried_by_a_word_and_its_troubles_are_in_the_status(
    config: Path, chat: Chat, box: Postbox
) -> None:
    async with at_work(config, chat) as desk:
        assert (await desk.said(ADAM, "/page")).splitlines()[-1] == "● webhook: taken"
        assert box.posts[0]["text"].endswith(" tries whether you are reached without Telegram. Nothing is wrong.")
        box.refusing = True
        assert (await desk.said(ADAM, "/page")).splitlines()[-1] == "✕ webhook: answered 503"
        assert "Second channel" not in await desk.said(ADAM, "/status"), "a trial is not tried again"
        desk.rooms.pulse.database = "not ok"
        await desk.rooms.paging.look()
        assert "⚠ Second channel: webhook does not take it (answered 503)" in await desk.said(ADAM, "/status")


async def test_a_desk_without_a_second_channel_says_so(desk: Desk) -> None:
    assert "this desk has no second channel" in (await desk.said(ADAM, "/page")).lower()


async def test_where_updates_are_pushed_its_silence_is_noticed_too(config: Path, chat: Chat) -> None:
    async with at_work(config, chat, polling=False) as desk:
        asking = asyncio.create_task(desk.work.keep_asking())
        pulse = desk.rooms.pulse
        await chat.play("down", down=True)
        desk.clock.ahead_by(61)
        await _walking(desk, lambda: pulse.silent_since is not None)
        await chat.play("down", down=False)
        await _walking(desk, lambda: pulse.silent_since is None)
        await chat.faults(_answered(401, _refused(401, "Unauthorized")))
        await _walking(desk, asking.done)
        with pytest.raises(StartRefusedError):
            await asking


async def _walking(desk: Desk, true: Callable[[], bool]) -> None:
    """Until it is so, while time passes."""

    def looked() -> bool:
        desk.clock.ahead_by(1)
        return true()

    await until(looked)
