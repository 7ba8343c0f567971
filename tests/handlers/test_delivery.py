"""What is told arrives in time and in order, counted when it is too much, and without waking those who sleep."""

import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.alerts.happening import Happening
from bot.alerts.model import Occasion, Repeat, Rule, Source, Test
from bot.messages.notice import File, Lane, Notice
from bot.messages.quiet import QuietHours
from tests.support.chatting import ADAM, ANNA, NO_PACING, OLGA, VERA, Chat, Desk, at_work, configured, texts, until
from tests.support.desk import GROUP


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.notifier._LOOK_SECONDS", 0.03)


def alert(chat: int, title: str, **more: Any) -> Notice:
    return Notice(Lane.PRICES, chat, title, ("bid 2,400.10",), **more)


async def _queue(desk: Desk, notices: Sequence[Notice]) -> None:
    def change(tables: Any) -> None:
        for notice in notices:
            desk.rooms.outbox.put(tables, notice)

    await desk.rooms.database.write(change)


async def _nothing_waits(desk: Desk) -> None:
    for _ in range(3000):
        if (await desk.rooms.outbox.depth())["waiting"] == 0:
            return
        await desk.clock.sleep(0.01)
    raise AssertionError(await desk.rooms.outbox.depth())


# many at once


async def test_what_comes_at_once_is_one_card_that_counts_and_is_edited(desk: Desk) -> None:
    await _queue(desk, [alert(OLGA, f"GOLD above {number}") for number in range(37)])
    await _nothing_waits(desk)
    (card,) = desk.chat.from_bot(OLGA)
    assert card["text"].split("\n") == [
        "37 alerts, latest: GOLD above 36",
        *(f"· GOLD above {number}: bid 2,400.10" for number in (36, 35, 34, 33, 32)),
        "… and 32 before these",
    ]
    await _queue(desk, [alert(OLGA, "OIL below 70")])
    desk.clock.ahead_by(4)
    await _nothing_waits(desk)
    (card,) = desk.chat.from_bot(OLGA)
    assert card["text"].startswith("38 alerts, latest: OIL below 70\n")
    desk.clock.ahead_by(61)
    await _queue(desk, [alert(OLGA, "OIL below 69")])
    await _nothing_waits(desk)
    assert texts(desk.chat.from_bot(OLGA))[1:] == ["OIL below 69\nbid 2,400.10"]


async def test_below_something_newer_a_new_card_begins(desk: Desk) -> None:
    await _queue(desk, [alert(OLGA, "a"), alert(OLGA, "b")])
    await _nothing_waits(desk)
    await _queue(desk, [Notice(Lane.EVENTS, OLGA, "Something else")])
    await _nothing_waits(desk)
    await _queue(desk, [alert(OLGA, "c"), alert(OLGA, "d")])
    desk.clock.ahead_by(4)
    await _nothing_waits(desk)
    titles = [text.partition("\n")[0] for text in texts(desk.chat.from_bot(OLGA))]
    assert titles == ["2 alerts, latest: b", "Something else", "2 alerts, latest: d"]


async def test_a_card_of_many_has_no_buttons_and_says_where_they_are(desk: Desk) -> None:
    await _queue(desk, [alert(OLGA, title, card=7, choices=((("Mute", 1),),)) for title in ("a", "b")])
    await _nothing_waits(desk)
    (card,) = texts(desk.chat.from_bot(OLGA))
    assert card.splitlines()[-1] == "/alerts shows the rules they come from, and stops one."


async def test_what_waited_too_long_is_dropped_and_counted(desk: Desk) -> None:
    def change(tables: Any) -> None:
        for number in range(12):
            desk.rooms.outbox.put(tables, alert(OLGA, f"old {number}"))
        tables.conn.execute("UPDATE outbox SET created_at = created_at - 31 * 60000")
        for notice in (alert(OLGA, "new 1"), alert(OLGA, "new 2"), alert(VERA, "alone")):
            desk.rooms.outbox.put(tables, notice)

    await desk.rooms.database.write(change)
    await _nothing_waits(desk)
    chat = desk.chat
    (card,) = chat.from_bot(OLGA)
    assert card["text"].split("\n") == [
        "14 alerts, latest: new 2",
        "· new 2: bid 2,400.10",
        "· new 1: bid 2,400.10",
        "12 alerts could not be sent for more than 30 min: dropped, and counted here",
    ]
    assert texts(chat.from_bot(VERA)) == ["alone\nbid 2,400.10"]


async def test_a_card_that_was_not_marked_is_edited_to_the_same_count(desk: Desk) -> None:
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE OF state ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    )
    await _queue(desk, [alert(OLGA, "a"), alert(OLGA, "b")])
    await until(lambda: desk.chat.from_bot(OLGA))
    await desk.rooms.database.write(lambda tables: tables.conn.execute("DROP TRIGGER refuse"))
    desk.clock.ahead_by(4)
    await _nothing_waits(desk)
    assert {message["text"].partition(",")[0] for message in desk.chat.from_bot(OLGA)} == {"2 alerts"}


async def test_what_replaces_an_alert_that_was_only_counted_is_counted_too(desk: Desk) -> None:
    await _queue(desk, [alert(OLGA, "a", dedupe="rule/1"), alert(OLGA, "b")])
    await _nothing_waits(desk)
    await _queue(desk, [alert(OLGA, "a is over", replaces="rule/1")])
    await _nothing_waits(desk)
    (card,) = texts(desk.chat.from_bot(OLGA))
    assert card.startswith("3 alerts, latest: a is over\n")
    await _queue(desk, [Notice(Lane.EVENTS, OLGA, "a matters after all", replaces="rule/1")])
    await _nothing_waits(desk)
    assert texts(desk.chat.from_bot(OLGA))[1:] == ["a matters after all"]


async def test_f35_ten_thousand_alerts_hold_up_no_decision_and_are_counted(tmp_path: Path, chat: Chat) -> None:
    """Under Telegram's own limits, and with four answers that tell a chat to wait."""
    dice = random.Random(35)
    crowd = [ADAM, OLGA, VERA, ANNA, *range(20_000, 20_026)]
    await chat.play("people", people=[{"id": number, "first_name": f"P{number}"} for number in crowd[4:]])
    wait = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 1}}
    counts = dict.fromkeys(crowd, 0)
    async with at_work(configured(tmp_path, chat, more=""), chat) as desk:
        for _ in range(10):
            batch = [alert(dice.choice(crowd), "GOLD moved") for _ in range(1000)]
            for one in batch:
                counts[one.chat_id] += 1
            await _queue(desk, batch)
        refusals = [
            {
                "action": "status",
                "status": 429,
                "body": wait,
                "match": {"path": "sendMessage"},
                "nth": dice.randrange(1, 30),
            }
            for _ in range(4)
        ]
        await chat.faults(*refusals)
        asked = {number: f"Approve {number}?" for number in dice.sample(crowd, 20)}
        await _queue(desk, [Notice(Lane.DECISIONS, number, title) for number, title in asked.items()])
        await until(lambda: all(title in texts(chat.from_bot(number)) for number, title in asked.items()), 60)
        assert len(chat.everything_said()) < 500
        await _nothing_waits(desk)
        assert await desk.rooms.outbox.depth() == {"waiting": 0, "dead": 0}
    told = {number: sum(map(_counted, texts(chat.from_bot(number)))) for number in crowd}
    assert told == counts


async def test_a_lost_answer_and_a_kill_repeat_few_alerts_and_those_are_known_by_their_ids(
    tmp_path: Path, chat: Chat
) -> None:
    """G14: of 200 at most one is told twice, as Telegram took them and its answer was lost, or never read."""
    dice, turns, each = random.Random(14), 2, 200
    config = configured(tmp_path, chat, more=NO_PACING)
    for turn in range(turns):
        async with at_work(config, chat) as desk:
            rooms = desk.rooms
            await rooms.alerts.start()
            if turn == 0:
                olga, now = desk.person(OLGA), rooms.clock.now()
                waits = Rule("R1", olga.id, Source(0, Occasion.DISK_LOW), Test.HAPPENS, now, repeat=Repeat.EACH)
                await rooms.alerts.set(olga, waits, telegram_id=OLGA)
            lost = {"action": "close", "bytes": 0, "match": {"path": "sendMessage"}, "nth": dice.randrange(1, 100)}
            if turn:
                await chat.faults(lost)
            for number in range(each):
                low = Happening(Occasion.DISK_LOW, f"disk/{turn}/{number}", "5 MB are free", rooms.clock.now())
                rooms.alerts.happened(low)
            await rooms.alerts.settled()
            is_last = turn == turns - 1
            enough = turns * each if is_last else turn * each + each // 2  # in the midst of it, the others are killed
            await until(lambda enough=enough: len(chat.from_bot(OLGA)) >= enough, 60)
            if is_last:
                desk.clock.ahead_by(60)
                await _nothing_waits(desk)
                firings = await rooms.database.read(
                    lambda tables: tables.conn.execute("SELECT id FROM alert_firings").fetchall()
                )
    told = [re.findall(r"Alert (\w+)\.$", text)[0] for text in texts(chat.from_bot(OLGA))]
    assert set(told) == {number for (number,) in firings}
    assert len(firings) == turns * each
    assert 0 < len(told) - len(firings) <= turns


def _counted(text: str) -> int:
    """How many alerts a message tells of."""
    if text.startswith("Approve"):
        return 0
    number, _, rest = text.partition(" ")
    return int(number) if rest.startswith("alerts,") else 1


async def test_groups_that_have_used_up_their_minute_hold_up_nobody(tmp_path: Path, chat: Chat) -> None:
    """More of them than are written to side by side."""
    groups = [-1_001_000_000_000 - number for number in range(30)]
    await chat.play("people", groups=[{"id": group, "title": "G", "members": [OLGA]} for group in groups])
    slow = NO_PACING.replace("group_per_minute = 0", "group_per_minute = 1")
    async with at_work(configured(tmp_path, chat, more=slow), chat) as desk:
        await _queue(desk, [Notice(Lane.EVENTS, group, f"e{number}") for number in range(2) for group in groups])
        await until(lambda: all(chat.from_bot(group) for group in groups))
        await _queue(desk, [Notice(Lane.EVENTS, VERA, "event"), Notice(Lane.DECISIONS, OLGA, "decide")])
        await until(lambda: chat.from_bot(VERA) and chat.from_bot(OLGA))
        assert [len(chat.from_bot(group)) for group in groups] == [1] * len(groups)
        await desk.rooms.database.write(
            lambda tables: tables.conn.execute("DELETE FROM outbox WHERE state = 'waiting'")  # enough is seen
        )


# who is to be left alone


async def test_a_pause_that_telegram_asked_for_outlives_a_restart(tmp_path: Path, chat: Chat) -> None:
    config = configured(tmp_path, chat)
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 40}}
    async with at_work(config, chat) as desk:
        await chat.faults({"action": "status", "match": {"path": "sendMessage"}, "status": 429, "body": body})
        await _queue(desk, [Notice(Lane.EVENTS, OLGA, "first")])
        await until(lambda: not chat.listening.misfortunes.steps)
        while not await desk.rooms.outbox.paused():
            await desk.clock.sleep(0.01)
    async with at_work(config, chat) as desk:
        await _queue(desk, [Notice(Lane.DECISIONS, OLGA, "came later"), Notice(Lane.EVENTS, VERA, "elsewhere")])
        await until(lambda: chat.from_bot(VERA))
        assert chat.from_bot(OLGA) == []
        pacer: Any = desk.work.desk.bot.rate_limiter
        assert not pacer.is_free(OLGA)
        assert pacer.is_free(ANNA)


NIGHT = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "at", "quiet"),
    [
        ((22 * 60, 7 * 60), NIGHT, True),
        ((22 * 60, 7 * 60), NIGHT.replace(hour=6, minute=59), True),
        ((22 * 60, 7 * 60), NIGHT.replace(hour=7, minute=0), False),
        ((9 * 60, 17 * 60), NIGHT, False),
        ((9 * 60, 17 * 60), NIGHT.replace(hour=9, minute=0), True),
    ],
)
def test_hours_may_go_over_midnight(hours: tuple[int, int], at: datetime, quiet: bool) -> None:
    assert QuietHours("UTC", *hours).covers(at) is quiet
    tokyo = at - timedelta(hours=9)
    assert QuietHours("Asia/Tokyo", *hours).covers(tokyo) is quiet


async def test_in_quiet_hours_what_is_not_urgent_comes_without_a_sound(desk: Desk) -> None:
    now = desk.clock.now()
    hours = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    told = await desk.said(OLGA, f"/quiet {hours}")
    assert told.startswith(f"It is quiet from {hours[:5]} to {hours[6:]} (UTC).")
    lanes = {"price": Lane.PRICES, "event": Lane.EVENTS, "security": Lane.SECURITY, "decision": Lane.DECISIONS}
    await _queue(desk, [Notice(lane, OLGA, title) for title, lane in lanes.items()])
    await _queue(desk, [Notice(Lane.EVENTS, VERA, "event"), Notice(Lane.EVENTS, GROUP, "event")])
    await _nothing_waits(desk)
    calls = {call["params"]["text"]: call for call in _sent(desk, OLGA)}
    assert {title: _is_silent(calls[f"<b>{title}</b>"]) for title in lanes} == {
        "price": True,
        "event": True,
        "security": False,
        "decision": False,
    }
    assert not any(_is_silent(call) for chat in (VERA, GROUP) for call in _sent(desk, chat))
    assert (await desk.said(OLGA, "/quiet off")).startswith("Whatever I tell you makes a sound.")
    await _queue(desk, [Notice(Lane.EVENTS, OLGA, "awake")])
    await _nothing_waits(desk)
    assert not _is_silent(_sent(desk, OLGA)[-1])


async def test_only_so_many_sounds_an_hour(desk: Desk) -> None:
    await desk.said(OLGA, "/quiet 2")
    for number in range(4):
        await _queue(desk, [Notice(Lane.EVENTS, OLGA, f"e{number}")])
        await _nothing_waits(desk)
    assert [_is_silent(call) for call in _sent(desk, OLGA)[-4:]] == [False, False, True, True]
    desk.clock.ahead_by(3601)
    await _queue(desk, [Notice(Lane.EVENTS, OLGA, "an hour later")])
    await _nothing_waits(desk)
    assert not _is_silent(_sent(desk, OLGA)[-1])


def _sent(desk: Desk, chat: int) -> list[dict[str, Any]]:
    return [call for call in desk.chat.calls("sendMessage") if int(call["params"]["chat_id"]) == chat]


def _is_silent(call: dict[str, Any]) -> bool:
    return bool(call["params"].get("disable_notification"))


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("25:00-07:00", "That is no time of day"),
        ("07:00-07:00", "The hours must begin and end at different times"),
        ("22:00", "Hours, how many sounds an hour, or both"),
        ("5 Mars/Base", "That is no time zone"),
        ("5000", "At most 1000 sounds an hour can be counted"),
    ],
)
async def test_what_cannot_be_read_is_told(desk: Desk, words: str, answer: str) -> None:
    assert (await desk.said(OLGA, f"/quiet {words}")).startswith(answer)


@pytest.mark.parametrize("words", ["22:00 - 07:00", "22-7", "22:00–7", "22 – 07:00 Europe/Zurich"])
async def test_hours_are_read_as_people_write_them(desk: Desk, words: str) -> None:
    assert (await desk.said(OLGA, f"/quiet {words}")).startswith("It is quiet from 22:00 to 07:00")


# what nobody got


async def test_what_nobody_got_is_listed_and_sent_once_more(desk: Desk) -> None:
    await desk.chat.play("block", user=VERA)
    await _queue(desk, [Notice(Lane.EVENTS, VERA, "Filled", ("0.5 lots",)), Notice(Lane.EVENTS, VERA, "Closed")])
    await until(lambda: desk.chat.from_bot(ADAM))
    await _nothing_waits(desk)
    assert "2 undeliverable (/undelivered)" in await desk.said(ADAM, "/status")
    listed = await desk.said(ADAM, "/undelivered")
    assert listed.startswith("Not delivered: 2")
    assert "Filled: Forbidden after 1 tries" in listed
    await desk.chat.play("block", user=VERA, blocked=False)
    assert await desk.said(ADAM, "/undelivered again") == "2 messages are on the way once more."
    await until(lambda: len(desk.chat.from_bot(VERA)) == 2)
    assert texts(desk.chat.from_bot(VERA)) == ["Filled\n0.5 lots", "Closed"]
    assert await desk.said(ADAM, "/undelivered") == "Everything was delivered."
    assert "no undelivered message" in (await desk.said(ADAM, "/undelivered again 1")).lower()


async def test_what_was_for_somebody_who_is_suspended_is_not_sent_again(desk: Desk) -> None:
    await desk.chat.play("block", user=VERA)
    await _queue(desk, [Notice(Lane.EVENTS, VERA, "Filled")])
    await _nothing_waits(desk)
    await desk.said(ADAM, "/suspend Vera")
    ((number,),) = await desk.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT id FROM outbox WHERE body LIKE '%Filled%'").fetchall()
    )
    assert "is suspended" in await desk.said(ADAM, f"/undelivered again {number}")
    await desk.said(ADAM, "/undelivered again")
    assert "Filled" in await desk.said(ADAM, "/undelivered")


# files


async def test_a_file_goes_with_its_notice_and_is_forgotten_then(desk: Desk) -> None:
    csv = Notice(Lane.EVENTS, OLGA, "Statement", file=File("day.csv", "text/csv", b"a,b\r\n"), protected=True)
    await _queue(desk, [csv])
    await _nothing_waits(desk)
    (message,) = desk.chat.from_bot(OLGA)
    assert (message["document"]["file_name"], message["caption"], message["has_protected_content"]) == (
        "day.csv",
        "Statement",
        True,
    )
    left = await desk.rooms.database.read(
        lambda tables: tables.conn.execute("SELECT count(*) FROM outbox_files").fetchone()
    )
    assert left == (0,)
