"""Whatever a history tells again, as prices or candles, out of order: nothing is missed, nothing is there twice (G14).

The same through sockets, with processes that are killed and by the thousand, is in `tests/faults/test_storm.py`.
"""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.alerts.model import Repeat, Rule, Test
from bot.alerts.records import write_rule
from bot.alerts.service import Alerts
from bot.messages.cards import Cards
from bot.messages.outbox import Outbox
from bot.providers.records import Candle
from bot.store import Database, Tables
from tests.alerts.making import MINUTE, NINE, SECOND, quote, rule
from tests.alerts.test_service import Login
from tests.support.clock import HandClock


@dataclass
class Storm:
    """A provider that tells prices, a line that breaks, and a program that is killed."""

    path: Path
    chance: random.Random
    firings: int
    clock: HandClock = field(default_factory=HandClock)
    told_until: datetime = NINE
    """How far the stream was written down as heard, as whoever follows it keeps it."""
    history: list[tuple[datetime, int]] = field(default_factory=list)
    """What the provider knows: every price there was."""
    price: int = 0
    reconnects: int = 0
    kills: int = 0
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
            find=lambda _, __: Login({7}),
            groups=set,
            zone=ZoneInfo("UTC"),
        )
        await self.alerts.start()

    def record(self, tables: Tables, deed: object) -> None:
        """Nobody does anything here."""

    async def goes(self, *, is_heard: bool) -> None:
        """The price rises by some; each step beyond a rule's threshold is a firing that must not be missed."""
        await self.clock.move(0.25)
        self.price += self.chance.randint(0, 3)
        self.history.append((self.clock.now(), self.price))
        if is_heard:
            self.alerts.observe(1, quote(10_000 + self.price, self.clock.now()), outage=None)

    async def writes(self) -> None:
        heard = self.clock.now()
        await self.alerts.settled()
        self.told_until = heard

    async def is_killed(self) -> None:
        """What was heard and not written is gone."""
        self.kills += 1
        await self.database.close()
        await self.open()

    async def catches_up(self) -> None:
        """From a while before what was written: as prices or as candles, some of it twice, and out of order."""
        self.reconnects += 1
        since, until = self.told_until, self.clock.now()
        missed = [one for one in self.history if one[0] >= since - 2 * SECOND]
        gap = (since, until)
        if self.chance.random() < 0.5:
            for at, price in missed:
                self.alerts.observe(1, quote(10_000 + price, at), outage=gap)
        else:
            for candle in candles(missed):
                self.alerts.observe(1, candle, outage=gap)
        for at, price in self.chance.sample(missed, min(len(missed), 5)):
            self.alerts.observe(1, quote(10_000 + price, at), outage=gap if self.chance.random() < 0.5 else None)
        await self.writes()


def candles(prices: list[tuple[datetime, int]]) -> list[Candle]:
    """Minutes of ten seconds each, so that there are some; each holds the whole of its time."""
    step, found = 10 * SECOND, dict[datetime, list[int]]()
    for at, price in prices:
        begins = NINE + (at - NINE) // step * step
        found.setdefault(begins, []).append(10_000 + price)
    return [
        Candle("GOLD", at, step, *map(Decimal, (seen[0], max(seen), min(seen), seen[-1]))) for at, seen in found.items()
    ]


async def storm(path: Path, *, seed: int, firings: int, breaks: int, kills: int) -> Storm:
    made = Storm(path, random.Random(seed), firings)
    await made.open()
    rules = [rule(Test.ABOVE, 10_000 + level, name=f"r{level}") for level in range(1, firings + 1)]
    await made.database.write(lambda tables: _people_and_rules(tables, rules))
    await made.database.close()
    await made.open()
    steps = firings * 2 // 3 + 20
    broken = {made.chance.randrange(steps): True for _ in range(breaks * 2)}
    broken = dict(list(broken.items())[:breaks])
    killed = set(made.chance.sample(sorted(broken), kills))
    for step in range(steps):
        if step in broken:
            for _ in range(made.chance.randint(0, 3)):
                await made.goes(is_heard=False)
            if step in killed:
                await made.goes(is_heard=True)
                await made.is_killed()
            await made.catches_up()
        await made.goes(is_heard=True)
        if made.chance.random() < 0.1:
            await made.writes()
    while made.price <= firings:
        await made.goes(is_heard=True)
    await made.writes()
    return made


def _people_and_rules(tables: Tables, rules: list[Rule]) -> None:
    tables.conn.execute("INSERT INTO persons VALUES (7, 'Olga', 'active', 0)")
    tables.conn.execute("INSERT INTO telegram_ids VALUES (1002, 7)")
    for one in rules:
        write_rule(tables, one)


async def check(made: Storm) -> None:
    firings, notices = await made.database.read(
        lambda tables: (
            tables.conn.execute("SELECT rule_id, count(*) FROM alert_firings GROUP BY rule_id").fetchall(),
            tables.conn.execute("SELECT dedupe, count(*) FROM outbox GROUP BY dedupe").fetchall(),
        )
    )
    assert dict(firings) == {f"r{level}": 1 for level in range(1, made.firings + 1)}
    assert len(notices) == made.firings
    assert all(count == 1 for _, count in notices)
    await made.database.close()


async def test_none_is_missed_and_none_is_there_twice(tmp_path: Path) -> None:
    made = await storm(tmp_path / "desk.sqlite", seed=7, firings=1_000, breaks=50, kills=10)
    assert (made.reconnects, made.kills) == (50, 10)
    await check(made)


async def test_each_time_is_each_time_across_kills(tmp_path: Path) -> None:
    """One rule, armed again each time: as many alerts as there were crossings, late ones counted once a gap."""
    made = Storm(tmp_path / "desk.sqlite", random.Random(3), 0)
    await made.open()
    again = rule(Test.ABOVE, 100, repeat=Repeat.EACH)
    await made.database.write(lambda tables: _people_and_rules(tables, [again]))
    await made.is_killed()
    crossings = 0
    for turn in range(200):
        for price in (99, 101):
            await made.clock.move(1)
            made.alerts.observe(1, quote(price, made.clock.now()), outage=None)
        crossings += 1
        if made.chance.random() < 0.5:
            await made.writes()
        if turn % 20 == 7:
            await made.writes()
            await made.is_killed()
            made.alerts.observe(1, quote(101, made.clock.now()), outage=None)
            at = made.clock.now() - timedelta(seconds=1)
            made.alerts.observe(1, quote(99, at), outage=(at - MINUTE, made.clock.now()))
    await made.writes()
    (count,) = await made.database.read(
        lambda tables: tables.conn.execute("SELECT count(*) FROM alert_firings").fetchone()
    )
    assert count == crossings
    await made.database.close()
