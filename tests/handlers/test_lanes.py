"""Whatever leaves the outbox keeps its lane on its way through the library: also the first one, whose number is 0."""

from typing import Any

import pytest

from bot.messages.notice import Lane, Notice
from tests.support.chatting import OLGA, Desk, texts, until


@pytest.mark.parametrize("lane", list(Lane))
async def test_what_has_a_lane_is_tried_again_by_the_outbox_and_not_in_between(desk: Desk, lane: Lane) -> None:
    """A direct reply, which has none, is tried again at once by whoever paces it."""
    body = {"ok": False, "error_code": 502, "description": "Bad Gateway"}
    await desk.chat.faults({"action": "status", "match": {"path": "sendMessage"}, "status": 502, "body": body})
    await desk.rooms.database.write(lambda tables: desk.rooms.outbox.put(tables, Notice(lane, OLGA, "News")))
    state: tuple[Any, ...] = ()
    for _ in range(1000):
        state = await desk.rooms.database.read(
            lambda tables: tables.conn.execute("SELECT state, tries, trouble FROM outbox").fetchone()
        )
        if state[1]:
            break
        await desk.clock.sleep(0.01)
    assert state == ("waiting", 1, "NetworkError")
    desk.clock.ahead_by(2)
    await until(lambda: texts(desk.chat.from_bot(OLGA)) == ["News"])


async def test_the_pacer_is_told_the_lane(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    pacer = desk.work.desk.bot.rate_limiter
    assert pacer is not None
    original = pacer.process_request

    async def listening(*args: Any, **kwargs: Any) -> Any:
        if kwargs["endpoint"] == "sendMessage":  # the menus are being registered meanwhile
            heard.append(kwargs["rate_limit_args"])
        return await original(*args, **kwargs)

    monkeypatch.setattr(pacer, "process_request", listening)
    for lane in Lane:
        await desk.work.desk.bot.send_message(OLGA, "x", rate_limit_args=lane)
    await desk.work.desk.bot.send_message(OLGA, "x")
    assert heard == [Lane.DECISIONS, Lane.SECURITY, Lane.EVENTS, Lane.PRICES, None]
