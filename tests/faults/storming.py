"""A storm: prices that rise and fall at a broker, lines that are cut, and a bot that is killed, all of them processes.

GOLD rises and stays up, each step beyond some thresholds: most of the firings. Each other market has its two turns: for
a moment its price is where it never was, once above and once below. A turn that is lost is not found again by the next
price; only what the broker has written down knows of it. In each break there is a turn, and one just before each kill.

A rule each says when its threshold is passed. Some are critical, and come as messages of their own; the others share
cards that count them.
"""

import asyncio
import json
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.access.model import Role
from bot.alerts.model import Measure, Rule, Severity, Source, Test
from bot.alerts.records import write_rule
from bot.operations.credentials import Wanted
from bot.providers.records import Environment
from bot.secret import Secret
from bot.store import Tables
from bot.wiring import DATABASE
from tests.faults.processes import Clerk, Nursery, Side
from tests.faults.rows import asked
from tests.support.chatting import ADAM, MEMBERS, NO_PACING, OLGA, addresses, login_of
from tests.support.desk import GROUP, opened, write_desk

GOLD_BEGINS = Decimal(10_000)
MARKETS = 38
"""Beside GOLD: one login may follow 40."""
RULES_A_TURN = 10
TURN = Decimal("0.01")
"""So much of its price a market leaves its range by."""
CRITICAL_EACH = 40
"""One of so many rules is critical."""
HEARD_A_BREAK = 2
"""Steps that are heard between two breaks."""
PATIENCE_SECONDS = 60
STREAMS = "[streams]\nbackoff = 0.05\nbackoff_cap = 0.2\npoll = 3600\ntell_after = 3600"


@dataclass(frozen=True)
class Size:
    """How bad it is to be."""

    firings: int
    cuts: int
    kills: int

    @property
    def breaks(self) -> int:
        return self.cuts + self.kills

    @property
    def steps(self) -> int:
        return self.breaks * HEARD_A_BREAK

    @property
    def turns(self) -> int:
        return self.breaks + self.kills

    @property
    def gold(self) -> int:
        """Firings that GOLD brings."""
        return self.firings - self.turns * RULES_A_TURN


@dataclass(frozen=True)
class Turn:
    """One market leaves its range for a moment."""

    epic: str
    bid: Decimal
    offer: Decimal
    way: int
    """1 is up, -1 is down."""
    size: int
    """How far, in `TURN`s; it was never further."""

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.offer) / 2

    def price(self) -> dict[str, Any]:
        factor = 1 + self.way * self.size * TURN
        bid, offer = ((one * factor).quantize(one) for one in (self.bid, self.offer))
        return {"epic": self.epic, "bid": float(bid), "offer": float(offer)}

    def back(self) -> dict[str, Any]:
        return {"epic": self.epic, "bid": float(self.bid), "offer": float(self.offer)}

    def thresholds(self) -> list[Decimal]:
        """All of them beyond what the turn before it reached."""
        steps = (self.size - 1 + Decimal(number) / (RULES_A_TURN + 1) for number in range(1, RULES_A_TURN + 1))
        return [self.mid * (1 + self.way * TURN * step) for step in steps]


@dataclass
class Storm:
    """One run."""

    size: Size
    clerks: Nursery
    chat: Side
    broker: Side
    folder: Path
    chance: random.Random
    config: Path = field(init=False)
    clerk: Clerk = field(init=False)
    gold: Decimal = GOLD_BEGINS
    turns: list[Turn] = field(default_factory=list)
    turned: int = 0
    accepted: int = 0

    @property
    def database(self) -> Path:
        return self.folder / "data" / DATABASE

    async def prepare(self) -> None:
        """People, a login, and a rule for each firing."""
        people = [{"id": number, "first_name": name, "started": True} for number, name, _ in MEMBERS]
        people.append({"id": ADAM, "first_name": "Adam", "started": True})
        members = [one["id"] for one in people]
        await self.chat.does("people", people=people, groups=[{"id": GROUP, "title": "Desk", "members": members}])
        await self.broker.does("rates", enabled=False)
        line = self.broker.line
        self.config = write_desk(
            self.folder,
            admins=[ADAM],
            members=MEMBERS,
            telegram_url=self.chat.line["http"],
            token=self.chat.line["credentials"]["bot_token"],
            providers={"capital": addresses("capital", _As(line))},
            more=f"{NO_PACING}\n{STREAMS}",
        )
        await self._stands("GOLD", self.gold)
        self.turns = await self._turns()
        async with opened(self.config) as rooms:
            olga = rooms.access.roster.person(OLGA)
            assert olga is not None
            fields = {key: Secret(text) for key, text in login_of("capital", line["credentials"]).items()}
            wanted = Wanted("capital", "main", Environment.DEMO, fields, frozenset(Role))
            connection, _ = await rooms.credentials.link(olga, wanted, rooms.access.roster, telegram_id=OLGA)
            rules = self._rules(connection.id, olga.id, rooms.clock.now())

            def write(tables: Tables) -> None:
                for one in rules:
                    write_rule(tables, one)

            await rooms.database.write(write)

    async def _turns(self) -> list[Turn]:
        quotes = await self.broker.told("quotes")
        markets = [epic for epic in sorted(quotes) if epic != "GOLD"][:MARKETS]
        ways = [(epic, way) for epic in markets for way in (1, -1)]
        found = []
        for number in range(self.size.turns):
            again, place = divmod(number, len(ways))
            epic, way = ways[place]
            found.append(Turn(epic, Decimal(quotes[epic]["bid"]), Decimal(quotes[epic]["offer"]), way, again + 1))
        return found

    def _rules(self, connection: int, owner: int, now: datetime) -> list[Rule]:
        gold = Source(connection, Measure.PRICE, "GOLD")
        found = [Rule("never", owner, gold, Test.BELOW, now, Decimal(1))]
        for number in range(self.size.gold):
            step, within = number * self.size.steps // self.size.gold, Decimal(1 + number % 97) / 1000
            severity = Severity.CRITICAL if number % CRITICAL_EACH == 0 else Severity.NORMAL
            threshold = GOLD_BEGINS + step + within
            found.append(Rule(f"g{number}", owner, gold, Test.ABOVE, now, threshold, severity=severity))
        for turn_number, turn in enumerate(self.turns):
            source, test = Source(connection, Measure.PRICE, turn.epic), Test.ABOVE if turn.way > 0 else Test.BELOW
            for number, threshold in enumerate(turn.thresholds()):
                found.append(Rule(f"t{turn_number}x{number}", owner, source, test, now, threshold))
        return found

    async def blows(self) -> None:
        """From the first start of the bot to the last firing."""
        await self._begin()
        feeds = 1 + len({turn.epic for turn in self.turns})
        await self._until(lambda: self._count("streams WHERE told_at IS NOT NULL") == feeds)  # before that is history
        kills = set(self.chance.sample(range(self.size.breaks), self.size.kills))
        for number in range(self.size.breaks):
            for _ in range(HEARD_A_BREAK):
                self.gold += 1
                await self._stands("GOLD", self.gold)
            if number in kills:
                await self._turns_around()
                await self._is_killed()
            else:
                await self._is_cut()
        await self._no_more_come()
        await self._until(lambda: not self._count("outbox WHERE state = 'waiting'"))
        await self.clerk.stop()

    async def _no_more_come(self) -> None:
        """Until all have fired, or none has for so long that the rest is missed: the test says which."""
        came, left = -1, PATIENCE_SECONDS
        while came < self.size.firings and left:
            await asyncio.sleep(1)  # what is waited for are rows of another process
            assert not self.clerk.is_dead, self.clerk.told()[-2000:]
            now = self._count("alert_firings")
            left = left - 1 if now == came else PATIENCE_SECONDS
            came = now

    async def _turns_around(self) -> None:
        turn = self.turns[self.turned]
        await self.broker.does("price", **turn.price())
        await self.broker.does("price", **turn.back())
        self.turned += 1

    async def _is_cut(self) -> None:
        await self.broker.does("down", down=True)
        await self.broker.does("cut")
        await self._turns_around()
        await self.broker.does("down", down=False)
        await self._listens()

    async def _is_killed(self) -> None:
        """As by `kill -9`, with what it has just heard in its hands."""
        await asyncio.sleep(self.chance.random() / 2)  # a moment nobody chose
        os.kill(self.clerk.pid, signal.SIGKILL)
        await self.clerk.ended.wait()
        assert self.clerk.was_killed
        await self._turns_around()
        await self._begin()

    async def _begin(self) -> None:
        wish = self.folder / "wish.json"
        wish.write_text(json.dumps({"by": OLGA, "ahead_seconds": 0}))
        self.clerk = await self.clerks.begin(self.config, wish)
        await self._listens()

    async def _listens(self) -> None:
        """Until a line that was not there before follows every price that is yet to move."""
        wanted = {"GOLD", *(turn.epic for turn in self.turns[self.turned :])}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                streams = await self.broker.told("streams")
                is_new = streams["accepted"] > self.accepted
                if is_new and any(wanted <= set(one["quotes"]) for one in streams["sockets"]):
                    self.accepted = streams["accepted"]
                    return
                assert not self.clerk.is_dead, self.clerk.told()[-2000:]
                await asyncio.sleep(0.02)  # what is waited for is on the other side

    async def _stands(self, epic: str, mid: Decimal) -> None:
        half = Decimal("0.01")
        await self.broker.does("price", epic=epic, bid=float(mid - half), offer=float(mid + half))

    async def _until(self, true: Any) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not true():
                assert not self.clerk.is_dead, self.clerk.told()[-2000:]
                await asyncio.sleep(0.1)  # what is waited for are rows of another process

    def _count(self, of: str) -> int:
        ((count,),) = asked(self.database, f"SELECT count(*) FROM {of}")  # noqa: S608  # words of this file
        return int(count)

    # what became of it

    def fired(self) -> Mapping[str, int]:
        """By rule: how often it is in the table."""
        return dict(asked(self.database, "SELECT rule_id, count(*) FROM alert_firings GROUP BY rule_id"))

    def wanted(self) -> set[str]:
        turns = {f"t{turn}x{number}" for turn in range(self.size.turns) for number in range(RULES_A_TURN)}
        return turns | {f"g{number}" for number in range(self.size.gold)}

    def late(self) -> int:
        """How many say during which outage they came."""
        return self._count("alert_firings WHERE body LIKE '%During outage%'")

    def undelivered(self) -> int:
        return self._count("outbox WHERE state != 'sent'")

    def twice_queued(self) -> int:
        return self._count("(SELECT 1 FROM outbox WHERE dedupe LIKE 'alert/%' GROUP BY dedupe HAVING count(*) > 1)")

    async def messages(self) -> Counter[str]:
        """By the short id of an alert: in how many messages of Olga's chat it stands, be it alone or with others."""
        ids = {one for (one,) in asked(self.database, "SELECT id FROM alert_firings")}
        found = Counter[str]()
        for message in (await self.chat.told("chat", id=OLGA))["messages"]:
            found.update(ids.intersection(re.findall(r"\w+", message.get("text", ""))))
        return found

    def critical(self) -> list[str]:
        """The short ids of those that come as messages of their own."""
        return [one for (one,) in asked(self.database, "SELECT id FROM alert_firings WHERE severity = 'critical'")]


class _As:
    """A printed line with the names of a `Listening`."""

    def __init__(self, line: dict[str, Any]) -> None:
        self.http, self.ws, self.credentials = line["http"], line["ws"], line["credentials"]
