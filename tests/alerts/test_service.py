"""Alerts on a real database: written once, told once, and as they were after a restart."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.access.model import Person
from bot.access.records import people_in
from bot.alerts.escalating import ladders
from bot.alerts.happening import Happening
from bot.alerts.model import Measure, Occasion, Repeat, Rule, Severity, Source, Target, Test
from bot.alerts.service import Alerts
from bot.config.model import Alerts as Steps
from bot.errors import NotAllowedError, NotFoundError
from bot.messages.cards import Cards
from bot.messages.outbox import Outbox
from bot.money import Currency, Money
from bot.ports import Deed
from bot.providers.records import Balance, Direction, Environment, Position
from bot.store import Database, Tables
from tests.alerts.making import MINUTE, NINE, SECOND, candle, quote, rule, waits_for
from tests.support.clock import HandClock

OLGA, VERA, ADAM = 1002, 1003, 1001
GROUP = -100
CRITICAL = Severity.CRITICAL


@dataclass
class Login:
    """`capital/main`, Olga's."""

    readers: set[int]
    name: str = "capital/main"

    def may_read(self, person: Person) -> bool:
        return person.id in self.readers


@dataclass
class Room:
    """The alerts of a desk with three people."""

    path: Path
    clock: HandClock
    login: Login = field(default_factory=lambda: Login({1, 2}))
    groups: set[int] = field(default_factory=lambda: {GROUP})
    deeds: list[Deed] = field(default_factory=list)
    steps: Steps = field(default_factory=Steps)
    database: Database = field(init=False)
    alerts: Alerts = field(init=False)

    async def open(self) -> None:
        self.database = await Database.open(self.path)
        outbox, cards = Outbox(self.database, self.clock), Cards(self.database, self.clock)
        self.alerts = Alerts(
            self.database,
            outbox,
            cards,
            self,
            self.clock,
            find=lambda _, __: self.login,
            groups=lambda: self.groups,
            zone=ZoneInfo("UTC"),
            ladders=ladders(self.steps),
        )
        await self.alerts.start()

    async def restart(self) -> None:
        """As a process that was killed: what was not written is gone."""
        await self.database.close()
        await self.open()

    def record(self, tables: Tables, deed: Deed) -> None:
        assert tables.conn.in_transaction
        self.deeds.append(deed)

    async def person(self, number: int = 1) -> Person:
        people = await self.database.read(people_in)
        return next(one for one in people if one.id == number)

    async def sets(self, made: Rule, by: int = 1) -> None:
        person = await self.person(by)
        await self.alerts.set(person, replace(made, owner=by, created_at=self.clock.now()), telegram_id=OLGA)

    async def write(self, statement: str) -> None:
        await self.database.write(lambda tables: tables.conn.execute(statement))

    async def tells(self, *prices: str | int) -> None:
        for price in prices:
            await self.clock.move(1)
            self.alerts.observe(1, quote(price, self.clock.now()), outage=None)
        await self.alerts.settled()

    async def notices(self, chat: int = OLGA) -> list[dict[str, Any]]:
        rows = await self.database.read(
            lambda tables: tables.conn.execute(
                "SELECT dedupe, lane, body FROM outbox WHERE chat_id = ? ORDER BY id", (chat,)
            ).fetchall()
        )
        return [{"dedupe": dedupe, "lane": lane, **json.loads(body)} for dedupe, lane, body in rows]

    async def titles(self, chat: int = OLGA) -> list[str]:
        return [one["title"] for one in await self.notices(chat)]

    async def alert_id(self) -> str:
        (row,) = await self.database.read(lambda tables: tables.conn.execute("SELECT id FROM alert_firings").fetchall())
        return str(row[0])


@pytest.fixture
async def room(tmp_path: Path, clock: HandClock) -> AsyncIterator[Room]:
    made = Room(tmp_path / "desk.sqlite", clock)
    await made.open()

    def people(tables: Tables) -> None:
        for number, name, telegram_id, role in (
            (1, "Olga", OLGA, "operator"),
            (2, "Vera", VERA, "viewer"),
            (3, "Adam", ADAM, "admin"),
        ):
            tables.conn.execute("INSERT INTO persons VALUES (?, ?, 'active', 0)", (number, name))
            tables.conn.execute("INSERT INTO telegram_ids VALUES (?, ?)", (telegram_id, number))
            tables.conn.execute("INSERT INTO roles (person_id, role) VALUES (?, ?)", (number, role))
        tables["connections"].insert(
            {
                "id": 1,
                "owner": 1,
                "provider": "capital",
                "label": "main",
                "environment": "live",
                "created_at": 0,
                "tested_at": 0,
            }
        )

    await made.database.write(people)
    yield made
    await made.database.close()


async def test_an_alert_says_why_it_came(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, name="ab3"))
    await room.tells(2390, "2412.5")
    (told,) = await room.notices()
    number = await room.alert_id()
    assert told["title"] == "GOLD above 2400: 2412.5"
    assert told["lines"] == [
        "GOLD at capital/main, 2026-03-02 09:00:02 UTC.",
        f"Rule ab3 of Olga: above 2400, once. Alert {number}.",
    ]
    labels = [label for row in told["choices"] for label, _ in row]
    assert labels == ["Acknowledge", "Mute 1 h", "Mute 4 h", "Mute until resolved", "Less like this"]
    assert told["lane"] == 3


async def test_one_that_came_before_says_when(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, name="ab3", repeat=Repeat.EACH))
    await room.tells(2390, 2410, 2390, 2411)
    said = [one["lines"][-1] for one in await room.notices() if "replaces" not in one]
    assert said[0].startswith("Rule ab3 of Olga: above 2400, each time. Alert ")
    assert said[1].startswith("Rule ab3 of Olga: above 2400, each time. It came last 2026-03-02 09:00:02 UTC. Alert ")


async def test_nothing_is_told_twice_though_it_is_heard_again_after_a_restart(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, repeat=Repeat.EACH))
    await room.tells(2390, 2410)
    at = room.clock.now()
    await room.restart()
    room.alerts.observe(1, quote(2410, at), outage=None)
    room.alerts.observe(1, quote(2410, at), outage=(NINE, at + MINUTE))
    await room.alerts.settled()
    assert len(await room.titles()) == 1


async def test_what_was_heard_and_not_written_is_told_when_the_gap_is_filled(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400))
    await room.tells(2390)
    since = room.clock.now()
    await room.clock.move(1)
    room.alerts.observe(1, quote(2410, room.clock.now()), outage=None)  # and the process is killed
    await room.restart()
    assert await room.titles() == []
    missed, until = room.clock.now(), NINE + 7 * MINUTE
    await room.clock.move(500)
    room.alerts.observe(1, quote(2410, missed), outage=(since, until))
    room.alerts.observe(1, quote(2390, missed + SECOND), outage=(since, until))
    await room.alerts.settled()
    alert, _ = await room.notices()
    assert "During outage 09:00–09:07: told late." in alert["lines"]


async def test_the_latest_value_is_known_after_a_restart(room: Room) -> None:
    await room.sets(rule(Test.CROSSES, 2400))
    await room.tells(2390)
    await room.restart()
    await room.tells(2410)
    assert await room.titles() == ["GOLD crosses 2400: 2410"]


async def test_what_a_history_of_minutes_cannot_tell_is_said_to_whom_it_came_just_before(room: Room) -> None:
    await room.sets(rule(Test.CROSSES, 2400, name="r1", repeat=Repeat.EACH))
    await room.sets(rule(Test.CROSSES, 2500, name="r2", repeat=Repeat.EACH))
    await room.tells(2390, 2410)
    broke_at = room.clock.now()
    await room.clock.move(20)
    for _ in range(2):
        room.alerts.doubted(1, (broke_at, room.clock.now()), MINUTE)
        await room.alerts.settled()
    _, perhaps = await room.notices()
    assert perhaps["title"] == "GOLD crosses 2400"
    assert perhaps["lines"][0].startswith("It may have come again:")
    assert "During outage 09:00:02–09:00:22: told late." in perhaps["lines"]
    await room.clock.move(60)
    room.alerts.doubted(1, (broke_at + MINUTE, room.clock.now()), MINUTE)
    await room.alerts.settled()
    assert len(await room.titles()) == 2


async def test_a_move_that_began_before_a_restart_is_a_move(room: Room) -> None:
    await room.sets(rule(Test.MOVES, 3, window=60 * MINUTE, repeat=Repeat.EACH))
    await room.tells(100, 102)
    await room.restart()
    await room.clock.move(120)
    now = room.clock.now()
    assert room.alerts.windows_unknown(1) == {"GOLD": 60 * MINUTE}
    await room.tells("102.5")
    history = [candle(99, 101, now - 50 * MINUTE), candle(100, 102, now - 2 * MINUTE)]
    room.alerts.begins_earlier(1, "GOLD", history, now - 60 * MINUTE)
    assert room.alerts.windows_unknown(1) == {}
    await room.tells("102.6")
    assert await room.titles() == ["GOLD moves by 3 % within 1 h: up 3.64 %"]


async def test_a_move_is_not_over_while_nobody_knows_what_was_before(room: Room) -> None:
    await room.sets(rule(Test.MOVES, 3, window=10 * MINUTE, repeat=Repeat.EACH))
    await room.tells(100, 104)
    await room.restart()
    await room.tells("104.1", "104.2")
    assert [one["dedupe"] for one in await room.notices() if "replaces" in one] == []
    room.alerts.begins_earlier(1, "GOLD", [], room.clock.now() - 10 * MINUTE)
    await room.tells("104.3")
    assert len([one for one in await room.notices() if "replaces" in one]) == 1


async def test_what_is_older_than_the_latest_value_is_still_older_after_a_restart(room: Room) -> None:
    await room.sets(rule(Test.CROSSES, 2400, repeat=Repeat.EACH))
    await room.tells(2390, 2391, 2392)
    await room.restart()
    room.alerts.observe(1, quote(2410, room.clock.now() - SECOND), outage=None)
    await room.alerts.settled()
    assert await room.titles() == []


async def test_an_alert_is_edited_when_it_is_over(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400))
    await room.tells(2410, 2390)
    alert, edit = await room.notices()
    assert edit["replaces"] == alert["dedupe"]
    assert edit["lines"][:2] == alert["lines"]
    assert edit["lines"][2] == "Resolved 09:00:02 UTC: it is no longer so."
    assert "choices" not in edit


async def test_whoever_acknowledges_is_named_and_the_first_one_counts(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400))
    await room.tells(2410)
    number = await room.alert_id()
    with pytest.raises(NotFoundError):
        await room.alerts.acknowledge(await room.person(2), number, telegram_id=VERA)
    assert await room.alerts.acknowledge(await room.person(3), number, telegram_id=ADAM) == "Adam"
    assert await room.alerts.acknowledge(await room.person(1), number, telegram_id=OLGA) == "Adam"
    _, edit = await room.notices()
    assert edit["lines"][-1] == "Acknowledged by Adam, 09:00:01 UTC."
    assert [row[0][0] for row in edit["choices"]] == ["Take back", "Mute 1 h", "Less like this"]
    assert [deed.action for deed in room.deeds] == ["alert.set", "alert.acknowledged"]


async def test_while_it_is_muted_it_is_kept_and_not_told(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, repeat=Repeat.EACH))
    await room.alerts.mute(await room.person(), "r1", span=timedelta(hours=1))
    await room.tells(2410, 2390)
    await room.restart()
    await room.tells(2411, 2390)
    assert await room.titles() == []
    counted = await room.alerts.counted("r1")
    assert (counted.times, counted.silent) == (2, 2)
    await room.clock.move(3600)
    await room.tells(2412)
    assert await room.titles() == ["GOLD above 2400: 2412"]


async def test_muted_until_resolved_it_comes_again_once_it_was_over(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, repeat=Repeat.EVERY, every=10 * MINUTE))
    await room.tells(2410)
    await room.alerts.mute(await room.person(), "r1", span=None)
    await room.clock.move(1200)
    await room.alerts.look()
    counted = await room.alerts.counted("r1")
    assert (counted.times, counted.silent) == (2, 1)
    await room.tells(2390, 2420)
    assert [title for title in await room.titles() if title.endswith("2420")]


async def test_less_like_this_is_a_step_further_each_time(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, repeat=Repeat.EACH))
    olga = await room.person()
    assert "1 h" in await room.alerts.less(olga, "r1", telegram_id=OLGA)
    await room.tells(2410, 2390, 2411, 2390)
    counted = await room.alerts.counted("r1")
    assert (counted.times, counted.silent) == (2, 1)
    assert "4 h" in await room.alerts.less(olga, "r1", telegram_id=OLGA)
    await room.clock.move(3 * 3600)
    await room.tells(2412, 2390)
    counted = await room.alerts.counted("r1")
    assert (counted.times, counted.silent) == (3, 2)


async def test_a_critical_one_that_nobody_acknowledges_goes_to_the_admins_without_what_is_not_theirs(
    room: Room,
) -> None:
    await room.sets(rule(Test.ABOVE, 2400, severity=Severity.CRITICAL))
    await room.tells(2410)
    await room.clock.move(599)
    await room.alerts.look()
    assert await room.titles(ADAM) == []
    await room.clock.move(1)
    for _ in range(2):
        await room.alerts.look()
    (told,) = await room.notices(ADAM)
    assert told["title"] == "Critical alert, not acknowledged"
    assert "2410" not in str(told)
    assert (await room.titles())[1] == "Still open: GOLD above 2400: 2410"


async def test_an_acknowledged_one_goes_no_further(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, severity=Severity.CRITICAL))
    await room.tells(2410)
    await room.alerts.acknowledge(await room.person(), await room.alert_id(), telegram_id=OLGA)
    await room.clock.move(3600)
    await room.alerts.look()
    assert await room.titles(ADAM) == []


async def test_what_is_over_by_itself_goes_no_further(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, severity=Severity.CRITICAL))
    await room.tells(2410, 2390)
    await room.clock.move(11 * 60)
    await room.alerts.look()
    assert await room.titles(ADAM) == []
    assert [one["lines"][-1][:8] for one in await room.notices()][1:] == ["Resolved"]


async def test_what_is_acknowledged_when_it_is_over_says_both(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400))
    await room.tells(2410, 2390)
    await room.alerts.acknowledge(await room.person(1), await room.alert_id(), telegram_id=OLGA)
    edit = (await room.notices())[-1]
    said = ["Acknowledged by Olga, 09:00:02 UTC.", "Resolved 09:00:02 UTC: it is no longer so."]
    assert (edit["lines"][-2:], edit.get("choices")) == (said, None)


async def test_what_is_taken_back_goes_further_again(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, severity=Severity.CRITICAL))
    await room.tells(2410)
    number, olga, adam = await room.alert_id(), await room.person(1), await room.person(3)
    assert not await room.alerts.take_back(olga, number, telegram_id=OLGA)
    await room.alerts.acknowledge(olga, number, telegram_id=OLGA)
    with pytest.raises(NotFoundError):
        await room.alerts.take_back(await room.person(2), number, telegram_id=VERA)
    assert await room.alerts.take_back(adam, number, telegram_id=ADAM)
    assert (await room.notices())[-1]["lines"][-1] == "Adam took the acknowledgement back, 09:00:01 UTC."
    assert [deed.action for deed in room.deeds][-2:] == ["alert.acknowledged", "alert.unacknowledged"]
    await room.clock.move(11 * 60)
    await room.alerts.look()
    assert len(await room.titles(ADAM)) == 1


async def test_however_quickly_it_goes_back_and_forth_its_message_says_what_is_so(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400))
    await room.tells(2410)
    number, olga = await room.alert_id(), await room.person(1)
    for _ in range(2):
        await room.alerts.acknowledge(olga, number, telegram_id=OLGA)
        await room.clock.move(0.1)
        await room.alerts.take_back(olga, number, telegram_id=OLGA)
        await room.clock.move(0.1)
    ends = [one["lines"][-1] for one in (await room.notices())[1:]]
    seen, not_so = "Acknowledged by Olga, 09:00:01 UTC.", "Olga took the acknowledgement back, 09:00:01 UTC."
    assert ends == [seen, not_so, seen, not_so]


async def test_who_was_told_by_somebody_else_cannot_mute_it_when_it_was_acknowledged_either(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, target=Target(person=2)))
    await room.tells(2410)
    await room.alerts.acknowledge(await room.person(2), await room.alert_id(), telegram_id=VERA)
    labels = [[label for row in one["choices"] for label, _ in row] for one in await room.notices(VERA)]
    assert labels == [["Acknowledge"], ["Take back"]]


async def test_whoever_may_not_read_the_connection_any_more_is_told_nothing(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400), by=2)
    room.login.readers.remove(2)
    await room.tells(2410)
    assert await room.titles(VERA) == []


async def test_a_group_is_told_a_price_and_no_balance(room: Room) -> None:
    to_group = Target(chat=GROUP, thread=5)
    account = Source(1, Measure.BALANCE, "123 USD")
    await room.sets(rule(Test.ABOVE, 2400, target=to_group))
    await room.sets(rule(Test.BELOW, 1000, name="r2", source=account, currency="USD", target=to_group))
    await room.tells(2410)
    held = Balance("123", "Main", Money(Decimal("900.50"), Currency("USD")), room.clock.now(), Environment.LIVE)
    room.alerts.observe(1, held, outage=None)
    await room.clock.move(1)
    room.alerts.observe(1, replace(held, as_of=room.clock.now()), outage=None)
    await room.alerts.settled()
    price, balance = await room.notices(GROUP)
    assert price["title"] == "GOLD above 2400: 2410"
    assert balance["title"] == "Balance below 1000.00 USD"
    assert "900.5" not in str(balance)
    assert "choices" not in price
    assert price["thread"] == balance["thread"] == 5
    assert "Balance below 1000.00 USD: 900.50 USD" in await room.titles()


async def test_what_was_proposed_is_set_only_by_who_still_may(room: Room) -> None:
    """A card with a proposal lies there for an hour; a share may be gone by then, or a role."""
    with pytest.raises(NotAllowedError):
        await room.sets(rule(Test.ABOVE, 2400, target=Target(person=1)), by=2)
    room.login.readers.discard(2)
    with pytest.raises(NotAllowedError):
        await room.sets(rule(Test.ABOVE, 2400), by=2)
    assert not room.alerts.wanted()


async def test_rules_rest_when_their_connection_is_not_shared_any_more(room: Room) -> None:
    """Nobody goes on using a login that was taken from them; and they hear of it once."""
    await room.sets(rule(Test.ABOVE, 2400), by=2)
    room.login.readers.discard(2)
    await room.alerts.look()
    await room.alerts.look()
    assert not room.alerts.wanted()
    assert await room.titles(VERA) == ["Alerts paused"]
    assert [deed.action for deed in room.deeds] == ["alert.set", "alert.paused"]
    await room.restart()
    (entry,) = await room.alerts.of(await room.person(2))
    assert entry.rule.is_paused


async def test_a_group_that_is_not_the_desks_any_more_is_told_nothing(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, target=Target(chat=GROUP)))
    room.groups.clear()
    await room.tells(2390, 2412)
    assert await room.titles(GROUP) == []
    assert await room.titles() == ["GOLD above 2400: 2412"]


@pytest.mark.parametrize("target", [Target(chat=GROUP), Target(person=2)])
async def test_whoever_may_not_tell_others_any_more_is_told_alone(room: Room, target: Target) -> None:
    await room.sets(rule(Test.ABOVE, 2400, target=target))
    await room.write("UPDATE roles SET role = 'viewer' WHERE person_id = 1")
    await room.tells(2390, 2412)
    assert await room.titles(GROUP) + await room.titles(VERA) == []
    assert await room.titles() == ["GOLD above 2400: 2412"]


async def test_who_is_suspended_is_not_told_what_another_has_set_for_them(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, target=Target(person=2)))
    await room.write("UPDATE persons SET state = 'suspended' WHERE id = 2")
    await room.tells(2390, 2412)
    assert await room.titles(VERA) == []


@pytest.mark.parametrize("is_suspended", [True, False])
async def test_what_nobody_acknowledged_is_not_said_again_to_who_may_not_read_it_by_then(
    room: Room, is_suspended: bool
) -> None:
    told = rule(Test.ABOVE, 2400, severity=Severity.CRITICAL, target=Target(person=2))
    await room.sets(told)
    await room.tells(2390, 2412)
    assert len(await room.titles(VERA)) == 1
    if is_suspended:
        await room.write("UPDATE persons SET state = 'suspended' WHERE id = 2")
    else:
        room.login.readers.discard(2)
    await room.clock.move(11 * 60)
    await room.alerts.look()
    assert len(await room.titles(VERA)) == 1
    assert await room.titles(ADAM) == ["Critical alert, not acknowledged"]


async def test_what_nobody_acknowledges_goes_the_steps_that_the_desk_says(room: Room) -> None:
    room.steps = Steps(critical_again=[2], critical_escalated=[10, 30], normal_again=[5])
    await room.restart()
    await room.sets(rule(Test.ABOVE, 2400, severity=Severity.CRITICAL))
    await room.sets(rule(Test.ABOVE, 2400, name="r2"))
    await room.tells(2390, 2412)
    told: list[tuple[int, list[str], list[str]]] = []
    for minutes in (3, 2, 6, 1, 30, 30):
        before = len(await room.titles()), len(await room.titles(ADAM))
        await room.clock.move(minutes * 60)
        await room.alerts.look()
        await room.alerts.look()
        await room.restart()
        told.append((minutes, (await room.titles())[before[0] :], (await room.titles(ADAM))[before[1] :]))
    again, admin = "Still open: GOLD above 2400: 2412", "Critical alert, not acknowledged"
    assert told == [
        (3, [again], []),
        (2, [again], []),
        (6, [again], [admin]),
        (1, [], []),
        (30, [again], [admin]),
        (30, [], []),
    ]


async def test_what_happened_is_told_once_however_often_it_is_seen(room: Room) -> None:
    await room.sets(waits_for(Occasion.WITHDRAWAL_NEW, name="w", repeat=Repeat.EACH))
    await room.clock.move(1)
    new = Happening(Occasion.WITHDRAWAL_NEW, "withdrawal/9", "Withdrawal 9", room.clock.now(), 1)
    for _ in range(3):
        room.alerts.happened(new)
        await room.alerts.settled()
    await room.restart()
    room.alerts.happened(new)
    await room.alerts.settled()
    assert await room.titles() == ["Client withdrawal new"]


async def test_what_comes_once_comes_once_though_two_happen_together(room: Room) -> None:
    await room.sets(waits_for(Occasion.MONEY_IN, name="w"))
    await room.clock.move(1)
    for number in (1, 2):
        room.alerts.happened(Happening(Occasion.MONEY_IN, f"line/{number}", "came", room.clock.now(), 1))
    await room.alerts.settled()
    await room.restart()
    room.alerts.happened(Happening(Occasion.MONEY_IN, "line/3", "came", room.clock.now(), 1))
    await room.alerts.settled()
    assert await room.titles() == ["Transfer in"]


async def test_what_lasted_and_is_over_is_edited(room: Room) -> None:
    await room.sets(waits_for(Occasion.STREAM_DOWN, name="w", repeat=Repeat.EACH))
    room.alerts.happened(Happening(Occasion.STREAM_DOWN, "outage/1", "No quotes", room.clock.now(), 1))
    await room.alerts.settled()
    await room.alerts.over(1, Occasion.STREAM_DOWN, "outage/1")
    _, edit = await room.notices()
    assert edit["lines"][-1].startswith("Resolved")


async def test_what_lasts_is_said_every_so_often_until_it_is_over(room: Room) -> None:
    await room.sets(
        waits_for(Occasion.STREAM_DOWN, name="w", repeat=Repeat.EVERY, every=timedelta(hours=1), severity=CRITICAL)
    )
    down = Happening(Occasion.STREAM_DOWN, "outage/1", "No quotes", room.clock.now(), 1)
    for minute in range(125):
        room.alerts.happened(down)
        await room.alerts.settled()
        if minute == 70:
            await room.restart()
        await room.clock.move(60)
    assert await room.titles() == ["Stream down"] * 3
    await room.alerts.over(1, Occasion.STREAM_DOWN, "outage/1")
    edits = (await room.notices())[3:]
    assert [one["lines"][-1].startswith("Resolved") for one in edits] == [True, True, True]


async def test_what_lasts_and_was_said_again_is_not_over_while_it_is_seen(room: Room) -> None:
    await room.sets(waits_for(Occasion.DISK_LOW, name="w", connection=0, repeat=Repeat.EVERY, every=MINUTE))
    for _ in range(2):
        room.alerts.happened(Happening(Occasion.DISK_LOW, "disk/1", "5 MB are free", room.clock.now()))
        await room.alerts.only([Occasion.DISK_LOW], ["disk/1"])
        await room.clock.move(60)
    assert await room.titles() == ["Disk low", "Disk low"]
    await room.alerts.only([Occasion.DISK_LOW], [])
    assert len(await room.titles()) == 4


def _position(number: str, now: str = "2400") -> Position:
    profit = Money(Decimal("12.50"), Currency("USD"))
    return Position(
        "123",
        number,
        "GOLD",
        "Gold",
        NINE,
        Direction.LONG,
        Decimal(2),
        "",
        None,
        Decimal(now),
        profit,
        None,
        Decimal(2390),
    )


async def test_positions_that_come_and_go_between_two_looks_are_told(room: Room) -> None:
    for occasion in (Occasion.OPENED, Occasion.CLOSED, Occasion.STOPPED):
        await room.sets(waits_for(occasion, name=occasion.name, repeat=Repeat.EACH))
    looks = (
        [_position("a"), _position("b")],
        [_position("a"), _position("b", "2390"), _position("c")],
        [_position("c")],
    )
    for found in looks:
        await room.clock.move(1)
        await room.alerts.surveyed(1, found, room.clock.now())
        await room.restart()
    told = [(one["title"], one["lines"][0]) for one in await room.notices()]
    said = "long 2 Gold, profit 12.50 USD when last seen"
    assert told == [
        ("Position opened", f"Opened: {said}"),
        ("Position closed", f"Closed: {said}"),
        ("Position closed", f"Closed: {said}"),
        ("Position stopped out", f"Stopped out, as it seems: {said}"),
    ]


async def test_a_rule_ends_with_its_time_and_with_its_connection(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, expires_at=NINE + MINUTE, source=Source(0, Measure.PRICE, "X")))
    await room.alerts.look()
    assert len(await room.alerts.of(await room.person())) == 1
    await room.clock.move(60)
    await room.alerts.look()
    assert await room.alerts.of(await room.person()) == []
    await room.sets(rule(Test.ABOVE, 2400))
    await room.alerts.look()
    assert len(await room.alerts.of(await room.person())) == 1
    await room.database.write(lambda tables: tables.conn.execute("DELETE FROM connections"))
    await room.alerts.look()
    assert await room.alerts.of(await room.person()) == []


async def test_rules_of_others_are_nobody_elses(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400))
    vera = await room.person(2)
    with pytest.raises(NotFoundError):
        await room.alerts.remove(vera, "r1", telegram_id=VERA)
    with pytest.raises(NotFoundError):
        await room.alerts.mute(vera, "r1", span=None)
    assert await room.alerts.of(vera) == []


async def test_who_waits_hears_that_something_else_is_wanted(room: Room) -> None:
    changed = room.alerts.changed
    await room.sets(rule(Test.ABOVE, 2400))
    assert changed.is_set()
    assert {subject.name for subject in room.alerts.wanted()[1]} == {"GOLD"}


async def test_a_request_is_told_to_those_whose_business_it_is(room: Room) -> None:
    for person in (1, 2):
        waits = waits_for(Occasion.REQUEST_WAITING, connection=0, name=f"w{person}", severity=Severity.CRITICAL)
        await room.sets(waits, person)
    await room.clock.move(1)
    request = Happening(
        Occasion.REQUEST_WAITING, "request/1", "Request 1 waits", room.clock.now(), audience=frozenset({1})
    )
    room.alerts.happened(request)
    await room.alerts.settled()
    assert await room.titles() == ["Request waiting"]
    assert await room.titles(VERA) == []
    await room.clock.move(11 * 60)
    await room.alerts.look()
    (escalated,) = await room.notices(ADAM)
    assert "Request 1" not in str(escalated)


async def test_a_groups_alert_is_acknowledged_by_those_who_may_read_what_it_is_about(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400, target=Target(chat=GROUP)))
    await room.tells(2410)
    number, vera = await room.alert_id(), await room.person(2)
    room.login.readers.discard(2)
    with pytest.raises(NotFoundError):
        await room.alerts.acknowledge(vera, number, telegram_id=VERA)
    room.login.readers.add(2)
    assert await room.alerts.acknowledge(vera, number, telegram_id=VERA) == "Vera"


async def test_nobody_fills_the_urgent_lane_of_somebody_else(room: Room) -> None:
    for number in range(15):
        urgent = rule(Test.ABOVE, 2400, name=f"r{number}", severity=Severity.CRITICAL, target=Target(person=2))
        await room.sets(urgent)
    await room.sets(rule(Test.ABOVE, 2400, name="own", severity=Severity.CRITICAL), by=2)
    await room.tells(2410)
    by_lane = [(one["lane"], "/own/" in one["dedupe"]) for one in await room.notices(VERA)]
    assert (by_lane.count((1, False)), by_lane.count((2, False)), by_lane.count((1, True))) == (12, 3, 1)


async def test_what_comes_and_goes_all_the_time_fills_no_urgent_lane_with_its_edits(room: Room) -> None:
    flaps = rule(Test.ABOVE, 2400, repeat=Repeat.EACH, severity=Severity.CRITICAL, target=Target(person=2))
    await room.sets(flaps)
    await room.tells(*[2410, 2390] * 20)
    lanes = [one["lane"] for one in await room.notices(VERA)]
    assert (len(lanes), lanes.count(1)) == (40, 12)


async def test_rules_of_the_suspended_want_nothing_until_they_are_back(room: Room) -> None:
    await room.sets(rule(Test.ABOVE, 2400))
    await room.write("UPDATE persons SET state = 'suspended' WHERE id = 1")
    await room.alerts.look()
    assert not room.alerts.wanted()
    await room.restart()
    await room.alerts.look()
    assert not room.alerts.wanted()
    await room.write("UPDATE persons SET state = 'active' WHERE id = 1")
    await room.alerts.look()
    await room.tells(2410)
    assert await room.titles() == ["GOLD above 2400: 2410"]
