"""The queue of updates: offsets, long polling, conflicts, retention, webhooks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.demo.conftest import DESK, OLGA, Telegram


async def _until(done: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that is about to happen."""
    async with asyncio.timeout(5):
        while not await done():  # what is awaited lies on the other side of a socket
            await asyncio.sleep(0.01)


async def _texts(telegram: Telegram, **asked: Any) -> list[str]:
    return [each["message"]["text"] for each in await telegram.got("getUpdates", **asked)]


async def _say(telegram: Telegram, *texts: str) -> list[int]:
    return [(await telegram.play("send", **{"from": OLGA}, chat=OLGA, text=text))["update_id"] for text in texts]


async def _polling(telegram: Telegram) -> None:
    """Wait until a getUpdates call waits on the server."""

    async def waits() -> bool:
        return telegram.simulator.server.updates._waiter is not None

    await _until(waits)


async def test_updates_come_again_until_a_higher_offset_confirms_them(telegram: Telegram) -> None:
    first, second = await _say(telegram, "one", "two")
    assert second == first + 1
    assert await _texts(telegram) == ["one", "two"]
    assert await _texts(telegram, offset=first) == ["one", "two"]
    assert await _texts(telegram, offset=second) == ["two"]
    assert await _texts(telegram, offset=first) == ["two"]
    assert await _texts(telegram, offset=second + 1) == []
    state = await telegram.look("state")
    assert state["pending"] == []
    assert state["offset"] == second + 1


async def test_a_negative_offset_forgets_all_but_the_last(telegram: Telegram) -> None:
    await _say(telegram, "one", "two", "three")
    assert await _texts(telegram, offset=-1) == ["three"]
    assert await _texts(telegram) == ["three"]


@pytest.mark.parametrize(("limit", "texts"), [(2, 2), (1, 1), (0, 1), (500, 100)])
async def test_limit_stays_between_1_and_100(telegram: Telegram, limit: int, texts: int) -> None:
    await _say(telegram, *(str(number) for number in range(101)))
    assert len(await _texts(telegram, limit=limit)) == texts


async def test_a_long_poll_answers_as_soon_as_something_happens(telegram: Telegram) -> None:
    poll = asyncio.create_task(_texts(telegram, timeout=30))
    await _polling(telegram)
    await _say(telegram, "hello")
    assert await asyncio.wait_for(poll, 5) == ["hello"]


async def test_a_long_poll_ends_empty_after_its_timeout(telegram: Telegram) -> None:
    poll = asyncio.create_task(_texts(telegram, timeout=30))
    await _polling(telegram)
    await telegram.clock.move(29)
    assert not poll.done()
    await telegram.clock.move(2)
    assert await asyncio.wait_for(poll, 5) == []


async def test_of_two_pollers_the_older_is_ended_with_409(telegram: Telegram) -> None:
    older = asyncio.create_task(telegram.ask("getUpdates", timeout=30))
    await _polling(telegram)
    younger = asyncio.create_task(_texts(telegram, timeout=30))
    ended = await asyncio.wait_for(older, 5)
    assert ended["error_code"] == 409
    assert "terminated by other getUpdates request" in ended["description"]
    await _polling(telegram)
    await _say(telegram, "for the younger")
    assert await asyncio.wait_for(younger, 5) == ["for the younger"]


async def test_a_poller_that_hangs_up_takes_nothing_with_it(telegram: Telegram) -> None:
    leaver = asyncio.create_task(telegram.ask("getUpdates", timeout=30))
    await _polling(telegram)
    leaver.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leaver

    async def gone() -> bool:
        return telegram.simulator.server.updates._waiter is None

    await _until(gone)
    await _say(telegram, "still here")
    assert await _texts(telegram) == ["still here"]


async def test_updates_are_kept_for_24_hours(telegram: Telegram) -> None:
    await _say(telegram, "old")
    await telegram.clock.move(3600)
    await _say(telegram, "younger")
    await telegram.clock.move(23 * 3600 + 1)
    assert await _texts(telegram) == ["younger"]
    await telegram.clock.move(3600)
    assert await _texts(telegram) == []


async def test_allowed_updates_decide_what_is_queued_and_stay_until_changed(telegram: Telegram) -> None:
    message = await telegram.got("sendMessage", chat_id=OLGA, text="card")
    tap = {"from": OLGA, "chat": OLGA, "message_id": message["message_id"], "data": "x"}
    await telegram.got("getUpdates", allowed_updates=["callback_query"])
    await _say(telegram, "unheard")
    await telegram.play("tap", **tap)
    await telegram.got("getUpdates")
    (update,) = await telegram.got("getUpdates", allowed_updates=[])
    assert update["callback_query"]["data"] == "x"
    await _say(telegram, "heard again")
    assert len(await telegram.got("getUpdates")) == 2


async def test_reactions_and_members_come_only_when_asked_for(telegram: Telegram) -> None:
    await telegram.play("updates", updates=[{"message_reaction": {}}, {"chat_member": {}}, {"poll": {}}])
    assert [set(each) - {"update_id"} for each in await telegram.got("getUpdates")] == [{"poll"}]
    await telegram.got("getUpdates", allowed_updates=["message_reaction"])
    await telegram.play("updates", updates=[{"message_reaction": {"chat": 1}}])
    assert (await telegram.got("getUpdates"))[-1]["message_reaction"] == {"chat": 1}


async def test_raw_updates_keep_the_id_they_bring_and_get_one_otherwise(telegram: Telegram) -> None:
    raw = {"update_id": 999_000_000, "message": {"text": "raw"}}
    given = await telegram.play("updates", updates=[raw, {"message": {"text": "next"}}, raw])
    assert given["update_ids"] == [999_000_000, 999_000_001, 999_000_000]
    assert await _texts(telegram) == ["raw", "next", "raw"]


async def test_updates_can_be_dropped_unread(telegram: Telegram) -> None:
    await _say(telegram, "unread")
    await telegram.got("deleteWebhook", drop_pending_updates=True)
    assert await _texts(telegram) == []


async def test_privacy_mode_leaves_the_bot_commands_and_replies_in_groups(telegram: Telegram) -> None:
    card = await telegram.got("sendMessage", chat_id=DESK, text="card")
    said = {"from": OLGA, "chat": DESK}
    heard = []
    for words in (
        {"text": "lunch?"},
        {"text": "/balance"},
        {"text": "/balance@countersign_demo_bot now"},
        {"text": "/balance@another_bot"},
        {"text": "yes", "reply_to": card["message_id"]},
    ):
        heard.append((await telegram.play("send", **said, **words))["update_id"] is not None)
    assert heard == [False, True, True, False, True]
    assert len(await telegram.chat(DESK)) == 6
    await telegram.play("people", bot={"reads_all": True})
    assert (await telegram.play("send", **said, text="lunch?"))["update_id"] is not None


class _Door:
    """A webhook receiver with scripted answers."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.heard: list[tuple[str, bytes]] = []
        self.came = asyncio.Event()
        self.url = ""

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
                body = await reader.readexactly(int(fields["content-length"]))
                self.heard.append((fields.get("x-telegram-bot-api-secret-token", ""), body))
                status = self.statuses.pop(0) if self.statuses else 200
                writer.write(f"HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
                self.came.set()
        writer.close()

    async def wait(self, times: int) -> None:
        async with asyncio.timeout(5):
            while len(self.heard) < times:
                self.came.clear()
                await self.came.wait()


@pytest.fixture
async def door(telegram: Telegram) -> AsyncIterator[_Door]:
    door = _Door()
    listener = await asyncio.start_server(door.hear, "127.0.0.1", 0)
    door.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/hook"
    yield door
    await telegram.got("deleteWebhook")
    listener.close()
    await listener.wait_closed()


async def test_a_webhook_gets_updates_in_order_with_the_secret(telegram: Telegram, door: _Door) -> None:
    await _say(telegram, "before")
    await telegram.got("setWebhook", url=door.url, secret_token="a-secret_1")
    await _say(telegram, "after")
    await door.wait(2)
    assert [secret for secret, _ in door.heard] == ["a-secret_1", "a-secret_1"]
    assert [b'"before"' in door.heard[0][1], b'"after"' in door.heard[1][1]] == [True, True]

    async def empty() -> bool:
        return bool((await telegram.look("state"))["pending"] == [])

    await _until(empty)


async def test_what_a_webhook_does_not_accept_is_sent_again(telegram: Telegram, door: _Door) -> None:
    door.statuses = [500, 503, 200]
    await telegram.got("setWebhook", url=door.url)
    await _say(telegram, "again and again")
    await door.wait(1)

    async def failed() -> bool:
        return "last_error_message" in await telegram.got("getWebhookInfo")

    await _until(failed)
    info = await telegram.got("getWebhookInfo")
    assert info["url"] == door.url
    assert info["pending_update_count"] == 1
    assert info["last_error_message"] == "Wrong response from the webhook: 500 Said"

    async def settled() -> bool:
        await telegram.clock.move(60)
        return bool((await telegram.got("getWebhookInfo"))["pending_update_count"] == 0)

    await _until(settled)
    assert len({body for _, body in door.heard}) == 1
    assert len(door.heard) == 3


async def test_getupdates_is_impossible_while_a_webhook_is_set(telegram: Telegram, door: _Door) -> None:
    poll = asyncio.create_task(telegram.ask("getUpdates", timeout=30))
    await _polling(telegram)
    await telegram.got("setWebhook", url=door.url)
    assert (await asyncio.wait_for(poll, 5))["error_code"] == 409
    code, why = await telegram.refused("getUpdates")
    assert code == 409
    assert "webhook is active" in why
    await telegram.got("deleteWebhook")
    assert await telegram.got("getUpdates") == []
    assert (await telegram.got("getWebhookInfo"))["url"] == ""


@pytest.mark.parametrize("secret", ["with space", "ümlaut", "x" * 257])
async def test_a_webhook_secret_has_few_characters(telegram: Telegram, door: _Door, secret: str) -> None:
    assert (await telegram.refused("setWebhook", url=door.url, secret_token=secret))[0] == 400
    assert (await telegram.got("getWebhookInfo"))["url"] == ""


async def test_a_webhook_on_another_machine_is_refused(telegram: Telegram) -> None:
    assert (await telegram.refused("setWebhook", url="http://example.org/hook"))[0] == 400
