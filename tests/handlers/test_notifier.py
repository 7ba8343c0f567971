"""What is to be told is told: once in the table, at least once to Telegram, and never in the way of the rest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.errors import StartRefusedError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import READ_AT_ONCE, Head
from bot.store import Tables
from tests.support.chatting import ADAM, NO_PACING, OLGA, STRANGER, VERA, Chat, Desk, at_work, configured, texts, until


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.notifier._LOOK_SECONDS", 0.03)


async def _queue(desk: Desk, *notices: Notice) -> None:
    def change(tables: Any) -> None:
        for notice in notices:
            desk.rooms.outbox.put(tables, notice)

    await desk.rooms.database.write(change)


def _notice(chat: int = OLGA, title: str = "News", lane: Lane = Lane.EVENTS, dedupe: str | None = None) -> Notice:
    return Notice(lane, chat, title, ("line",), dedupe)


async def _states(desk: Desk) -> list[tuple[Any, ...]]:
    """State, tries and trouble of each row, oldest first."""
    return await desk.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT state, tries, trouble FROM outbox ORDER BY id").fetchall()
    )


async def _become(desk: Desk, *wanted: str) -> list[tuple[Any, ...]]:
    """Wait until the rows are in these states."""
    found: list[tuple[Any, ...]] = []
    for _ in range(1000):
        found = await _states(desk)
        if [row[0] for row in found] == list(wanted):
            break
        await desk.clock.sleep(0.01)
    assert [row[0] for row in found] == list(wanted), found
    return found


def _refusal(code: int, description: str, **parameters: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    if parameters:
        body["parameters"] = parameters
    return {"action": "status", "match": {"path": "sendMessage"}, "status": code, "body": body}


async def test_a_notice_is_sent_and_marked(desk: Desk) -> None:
    await _queue(desk, Notice(Lane.SECURITY, OLGA, "Connections changed", ("Olga linked crm/main.", "second line")))
    await _become(desk, "sent")
    assert texts(desk.chat.from_bot(OLGA)) == ["Connections changed\nOlga linked crm/main.\nsecond line"]


async def test_hostile_text_in_it_is_shown_literally(desk: Desk) -> None:
    line = '</b><a href="tg://user?id=1">Approve ✅</a> /transfer@bot 5 @olga \u202eevil ' + "x" * 100_000
    await _queue(desk, Notice(Lane.EVENTS, OLGA, "<i>Title</i>", (line,)))
    await _become(desk, "sent")
    (message,) = desk.chat.from_bot(OLGA)
    assert message["text"].replace("\u2060", "").startswith('<i>Title</i>\n</b><a href="tg://user?id=1">Approve ✅</a>')
    assert "⟨U+202E⟩evil" in message["text"]
    assert [entity["type"] for entity in message["entities"]] == ["bold"]
    assert len(message["text"]) < 4096


async def test_the_same_fact_is_told_once(desk: Desk) -> None:
    await _queue(desk, _notice(dedupe="rule/7/1"), _notice(dedupe="rule/7/1"))
    await _become(desk, "sent")
    await _queue(desk, _notice(dedupe="rule/7/1"))
    await _become(desk, "sent")
    assert len(desk.chat.from_bot(OLGA)) == 1


async def test_what_waits_is_told_after_a_restart(tmp_path: Path, chat: Chat) -> None:
    config = configured(tmp_path, chat)
    async with at_work(config, chat, notifying=False) as desk:
        await chat.faults({**_refusal(502, "x"), "times": 0})
        await _queue(desk, _notice())
    assert chat.from_bot(OLGA) == []
    await chat.faults()
    async with at_work(config, chat) as desk:
        desk.clock.ahead += timedelta(minutes=10)
        await _become(desk, "sent")
    assert texts(chat.from_bot(OLGA)) == ["News\nline"]


async def test_what_is_due_is_flushed_before_the_end(tmp_path: Path, chat: Chat) -> None:
    async with at_work(configured(tmp_path, chat), chat, notifying=False) as desk:
        await _queue(desk, _notice(), _notice(VERA))
        assert chat.everything_said() == []
    assert len(chat.everything_said()) == 2


async def test_by_lane_and_then_by_age(tmp_path: Path, chat: Chat) -> None:
    config = configured(tmp_path, chat)
    async with at_work(config, chat, notifying=False) as desk:
        await _queue(
            desk,
            _notice(title="price 1", lane=Lane.PRICES),
            _notice(title="event", lane=Lane.EVENTS),
            _notice(title="decision 1", lane=Lane.DECISIONS),
            _notice(title="security", lane=Lane.SECURITY),
            _notice(title="decision 2", lane=Lane.DECISIONS),
            _notice(title="price 2", lane=Lane.PRICES),
        )
    assert [text.split("\n")[0] for text in texts(chat.from_bot(OLGA))] == [
        *("decision 1", "decision 2", "security", "event", "2 alerts, latest: price 2")
    ]


# what Telegram may say


async def test_told_to_wait_it_waits_and_others_go_on(desk: Desk) -> None:
    await desk.chat.faults(_refusal(429, "Too Many Requests", retry_after=2))
    await _queue(desk, _notice())
    (row,) = await _tried(desk)
    assert row == ("waiting", 1, "told to wait")
    await _queue(desk, _notice(VERA))
    await _become(desk, "waiting", "sent")
    await _become(desk, "sent", "sent")
    assert len(desk.chat.from_bot(OLGA)) == 1


async def _tried(desk: Desk) -> list[tuple[Any, ...]]:
    await _happened(desk, lambda rows: rows and all(row[1] for row in rows))
    return await _states(desk)


async def _happened(desk: Desk, true: Any) -> None:
    for _ in range(1000):
        if true(await _states(desk)):
            return
        await desk.clock.sleep(0.01)
    raise AssertionError(await _states(desk))


@pytest.mark.parametrize(
    "misfortune",
    [_refusal(502, "Bad Gateway"), {"action": "refuse", "match": {"path": "sendMessage"}}],
    ids=["502", "reset"],
)
async def test_trouble_on_the_way_is_tried_again_later(desk: Desk, misfortune: dict[str, Any]) -> None:
    await desk.chat.faults(misfortune)
    await _queue(desk, _notice())
    assert (await _tried(desk))[0][:2] == ("waiting", 1)
    desk.clock.ahead += timedelta(seconds=2)
    await _become(desk, "sent")
    assert len(desk.chat.from_bot(OLGA)) == 1


@pytest.mark.parametrize(("code", "trouble", "state"), [(409, "Conflict", "dead"), (502, "NetworkError", "waiting")])
async def test_after_eight_tries_it_is_dead_unless_the_line_is_at_fault(
    desk: Desk, code: int, trouble: str, state: str
) -> None:
    await desk.chat.faults({**_refusal(code, "x"), "times": 8})
    await _queue(desk, _notice(lane=Lane.PRICES))
    for tries in range(1, 8):
        await _happened(desk, lambda rows, tries=tries: rows[0][1] == tries)
        desk.clock.ahead += timedelta(minutes=10)
    await _happened(desk, lambda rows: rows[0][1] == 8)
    assert (await _states(desk))[0] == (state, 8, trouble)


async def test_a_dead_one_is_shown_and_the_queue_goes_on(desk: Desk) -> None:
    await _queue(desk, _notice(STRANGER + 1))
    await _become(desk, "dead")
    await _queue(desk, _notice(VERA))
    await _become(desk, "dead", "sent")
    assert "0 in, 0 out, 1 undeliverable" in await desk.said(OLGA, "/status")


async def test_a_day_old_it_is_dead(desk: Desk) -> None:
    await desk.chat.faults({**_refusal(502, "x"), "times": 2})
    await _queue(desk, _notice())
    await _tried(desk)
    desk.clock.ahead += timedelta(hours=24, seconds=1)
    await _become(desk, "dead")


async def test_markup_that_telegram_cannot_read_is_sent_as_plain_text_once(desk: Desk) -> None:
    await desk.chat.faults(_refusal(400, "Bad Request: can't parse entities: unsupported start tag"))
    await _queue(desk, Notice(Lane.EVENTS, OLGA, "A & B", ("<x>",)))
    await _become(desk, "sent")
    (message,) = desk.chat.from_bot(OLGA)
    assert message["text"] == "A & B\n<x>"
    assert "entities" not in message


async def test_what_telegram_will_never_take_is_dead_at_once(desk: Desk) -> None:
    await desk.chat.faults({**_refusal(400, "Bad Request: can't parse entities"), "times": 2})
    await _queue(desk, _notice())
    assert await _become(desk, "dead") == [("dead", 1, "BadRequest")]
    await _queue(desk, _notice(STRANGER + 1))
    await _become(desk, "dead", "dead")
    assert len(desk.chat.calls("sendMessage")) == 1  # two were refused before the server saw them


async def test_a_chat_that_is_out_of_reach_is_given_up_and_the_admins_hear_of_it_once(desk: Desk) -> None:
    await desk.chat.play("block", user=OLGA)
    await _queue(desk, *(_notice(title=f"n{number}") for number in range(5)))
    await _become(desk, *["dead"] * 5, "sent")
    line = f"The chat {OLGA} takes no messages from this bot: it was blocked there, or removed from the group."
    assert texts(desk.chat.from_bot(ADAM)) == [f"Not delivered\n{line}"]
    assert len(desk.chat.calls("sendMessage")) == 2
    await _queue(desk, _notice())
    await _become(desk, *["dead"] * 5, "sent", "dead")
    assert len(desk.chat.from_bot(ADAM)) == 1


async def test_a_token_that_is_refused_ends_it_and_what_waits_stays(tmp_path: Path, chat: Chat) -> None:
    async with at_work(configured(tmp_path, chat), chat, notifying=False) as desk:
        await chat.faults({**_refusal(401, "Unauthorized"), "times": 0})
        await _queue(desk, _notice())
        with pytest.raises(StartRefusedError) as refused:
            await desk.work.notify()
        assert refused.value.exit_code == 77
        assert chat.token not in str(refused.value)
        assert set(await _states(desk)) == {("waiting", 0, None)}


# what our own side may do


async def test_one_whose_row_is_damaged_is_said_as_that_and_nobody_waits_behind_it(desk: Desk) -> None:
    await _queue(desk, _notice(dedupe="a"), _notice(VERA, dedupe="b"))

    def damage(tables: Tables) -> None:
        for notice, body in (("c", b'{"titl":"News"}'), ("d", b"\x00"), ("e", b"[]"), ("f", b'{"\xff"')):
            desk.rooms.outbox.put(tables, _notice(dedupe=notice))
            tables.conn.execute("UPDATE outbox SET body = CAST(? AS TEXT) WHERE dedupe = ?", (body, notice))
        desk.rooms.outbox.put(tables, _notice(title="Lane", dedupe="g"))
        tables.conn.execute("UPDATE outbox SET lane = 2 + 64 WHERE dedupe = 'g'")
        card = desk.rooms.cards.making(tables, "alert", 1, OLGA, {}, timedelta(hours=1))
        desk.rooms.outbox.put(tables, replace(_notice(title="Card"), card=card.id, choices=((("Ok", 1),),)))
        tables.conn.execute("UPDATE cards SET expires_at = expires_at + (1 << 60) WHERE id = ?", (card.id,))
        desk.rooms.outbox.put(tables, _notice(title="Last"))

    await desk.rooms.database.write(damage)
    await _become(desk, *["sent"] * 9)
    said = [text.split("\n")[0] for text in texts(desk.chat.from_bot(OLGA))]
    assert said == ["News", *["A message that cannot be read"] * 4, "Card", "Last", "Lane"]


async def test_f48_a_mark_that_cannot_be_written_does_not_send_it_again(desk: Desk) -> None:
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    )
    await _queue(desk, _notice())
    await until(lambda: desk.chat.from_bot(OLGA))
    await _queue(desk, _notice(VERA))
    await until(lambda: desk.chat.from_bot(VERA))
    desk.clock.ahead += timedelta(seconds=5)
    await desk.said(OLGA, "/whoami")
    await desk.rooms.database.write(lambda tables: tables.conn.execute("DROP TRIGGER refuse"))
    await _become(desk, "sent", "sent")
    assert texts(desk.chat.from_bot(OLGA)).count("News\nline") == 1
    assert len(desk.chat.from_bot(VERA)) == 1


async def test_f48_a_price_whose_mark_cannot_be_written_is_not_told_again_on_a_card(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.notifier._BETWEEN_PRICES_SECONDS", 0.05)
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    )
    await _queue(desk, _notice(title="GOLD", lane=Lane.PRICES))
    await until(lambda: desk.chat.from_bot(OLGA))
    await _queue(desk, _notice(title="OIL", lane=Lane.PRICES))
    await desk.said(VERA, "/whoami")
    await desk.rooms.database.write(lambda tables: tables.conn.execute("DROP TRIGGER refuse"))
    await _become(desk, "sent", "sent")
    assert texts(desk.chat.from_bot(OLGA)) == ["GOLD\nline", "OIL\nline"]


async def test_f48_nor_when_another_one_has_become_due_before_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.notifier._BETWEEN_PRICES_SECONDS", 0.05)
    earlier = _notice(title="EARLIER", lane=Lane.PRICES)
    await _queue(desk, replace(earlier, not_before=desk.clock.now() + timedelta(minutes=10)))
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    )
    await _queue(desk, _notice(title="GOLD", lane=Lane.PRICES))
    await until(lambda: desk.chat.from_bot(OLGA))
    desk.clock.ahead += timedelta(minutes=10)
    await desk.said(VERA, "/whoami")
    await desk.rooms.database.write(lambda tables: tables.conn.execute("DROP TRIGGER refuse"))
    await _become(desk, "sent", "sent")
    assert texts(desk.chat.from_bot(OLGA)) == ["GOLD\nline", "EARLIER\nline"]


async def test_a_slow_chat_delays_nobody_else(desk: Desk) -> None:
    await desk.chat.faults({"action": "delay", "match": {"path": "sendMessage"}, "seconds": 1.5})
    await _queue(desk, _notice(), _notice(title="second"))
    await until(lambda: not desk.chat.listening.misfortunes.steps)
    await _queue(desk, _notice(VERA))
    await until(lambda: desk.chat.from_bot(VERA))
    assert desk.chat.from_bot(OLGA) == []
    await _become(desk, "sent", "sent", "sent")
    assert [text.split("\n")[0] for text in texts(desk.chat.from_bot(OLGA))] == ["News", "second"]


async def test_two_hundred_events_do_not_hold_up_a_decision(tmp_path: Path, chat: Chat) -> None:
    slow = NO_PACING.replace("per_chat_per_second = 0", "per_chat_per_second = 10")
    async with at_work(configured(tmp_path, chat, more=slow), chat) as desk:
        await _queue(desk, *(_notice(title=f"e{number}") for number in range(200)))
        await until(lambda: len(chat.from_bot(OLGA)) >= 30)
        await _queue(desk, _notice(VERA, "decide", Lane.DECISIONS), _notice(OLGA, "decide", Lane.DECISIONS))
        await until(lambda: chat.from_bot(VERA))
        await until(lambda: "decide\nline" in texts(chat.from_bot(OLGA)), 5)
        assert len(chat.from_bot(OLGA)) < 60
        await desk.rooms.database.write(
            lambda tables: tables.conn.execute("DELETE FROM outbox WHERE state = 'waiting'")  # enough is seen
        )


@asynccontextmanager
async def _left_alone(tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """It has looked once, and does not look again by itself."""
    monkeypatch.setattr("handlers.notifier._LOOK_SECONDS", 60)
    async with at_work(configured(tmp_path, chat, more=NO_PACING), chat, notifying=False) as desk:
        await _queue(desk, _notice(ADAM))
        notifying = asyncio.create_task(desk.work.notify())
        try:
            await _become(desk, "sent")
            yield desk
        finally:
            notifying.cancel()
            await asyncio.gather(notifying, return_exceptions=True)


async def _stirred(desk: Desk, *notices: Notice) -> None:
    """They are written by somebody who does not want them to wait."""
    outbox, sender = desk.rooms.outbox, desk.rooms.outbox.sender
    assert sender is not None
    left_out = sender.left_out()

    def change(tables: Tables) -> list[Head]:
        for notice in notices:
            outbox.put(tables, notice)
        return outbox.look(tables, *left_out)

    sender.stir(await desk.rooms.database.write(change))


async def test_who_does_not_want_it_to_wait_need_not_wait_for_the_next_look(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [_notice(1_000_000 + number) for number in range(2 * READ_AT_ONCE)]  # chats that nobody knows
    async with _left_alone(tmp_path, chat, monkeypatch) as desk:
        await _stirred(desk, _notice(OLGA), _notice(OLGA, "Second"), *many)
        await _become(desk, "sent", "sent", "sent", *["dead"] * len(many))
        assert texts(chat.from_bot(OLGA)) == ["News\nline", "Second\nline"]


async def test_two_who_write_at_once_have_each_notice_sent_once(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _left_alone(tmp_path, chat, monkeypatch) as desk:
        for number in range(20):
            await asyncio.gather(*(_stirred(desk, _notice(OLGA, f"{who}{number}")) for who in "ab"))
        await _become(desk, *["sent"] * 41)
        said = texts(chat.from_bot(OLGA))
        assert len(said) == len(set(said)) == 40


async def test_what_is_being_sent_is_not_sent_again_because_more_was_written(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _left_alone(tmp_path, chat, monkeypatch) as desk:
        await chat.faults({"action": "delay", "match": {"path": "sendMessage"}, "seconds": 0.3})
        await _stirred(desk, _notice(OLGA))
        await until(lambda: not chat.listening.misfortunes.steps)
        for title in ("a", "b", "c"):
            await _stirred(desk, _notice(OLGA, title))
        await _become(desk, *["sent"] * 5)
        assert [text.split("\n")[0] for text in texts(chat.from_bot(OLGA))] == ["News", "a", "b", "c"]


async def test_prices_that_rest_do_not_hide_what_else_was_written(
    tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.notifier._BETWEEN_PRICES_SECONDS", 60)
    async with _left_alone(tmp_path, chat, monkeypatch) as desk:
        await _stirred(desk, _notice(OLGA, "GOLD", Lane.PRICES))
        await until(lambda: chat.from_bot(OLGA))
        security = _notice(OLGA, "Linked", Lane.SECURITY)
        await _stirred(desk, _notice(OLGA, "OIL", Lane.PRICES))
        await _stirred(desk, security)
        await _become(desk, "sent", "sent", "waiting", "sent")
