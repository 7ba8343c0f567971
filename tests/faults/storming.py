"""A storm: prices that rise and fall at a broker, lines that are cut, and a bot that is killed, all of them processes.

GOLD rises for a moment while the bot listens, each time beyond more thresholds; SILVER dips while it does not, lower each
time. Both are back again at once, so that what is lost is not found again by the next price: only what the broker has
written down knows of it. A rule each says when its threshold is passed. Some are critical, and come as messages of
their own; the others share cards that count them.
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
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.access.model import Role
from bot.alerts.model import Measure, Rule, Severity, Source, Test
from bot.alerts.records import write_rule
from bot.operations.connections import Wanted
from bot.providers.records import Environment
from bot.secret import Secret
from bot.store import Tables
from bot.wiring import DATABASE
from tests.faults.processes import Clerk, Nursery, Side
from tests.faults.rows import asked
from tests.support.chatting import ADAM, MEMBERS, NO_PACING, OLGA, addresses, login_of
from tests.support.desk import GROUP, opened, write_desk

GOLD_BEGINS, SILVER_BEGINS = Decimal(10_000), Decimal(50)
"""Above and below where the broker begins: of the first minute a candle knows what was before anybody listened."""
DIP = Decimal("0.05")
RULES_A_DIP = 10
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
    def heard(self) -> int:
        """Firings that a price brings which is told live."""
        return self.firings - self.breaks * RULES_A_DIP


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
    silver: Decimal = SILVER_BEGINS
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
        await self._stands("SILVER", self.silver)
        async with opened(self.config) as rooms:
            olga = rooms.access.roster.person(OLGA)
            assert olga is not None
            fields = {key: Secret(text) for key, text in login_of("capital", line["credentials"]).items()}
            wanted = Wanted("capital", "main", Environment.DEMO, fields, frozenset(Role))
            connection, _ = await rooms.connections.link(olga, wanted, rooms.access.roster, telegram_id=OLGA)
            rules = self._rules(connection.id, olga.id, rooms.clock.now())

            def write(tables: Tables) -> None:
                for one in rules:
                    write_rule(tables, one)

            await rooms.database.write(write)

    def _rules(self, connection: int, owner: int, now: Any) -> list[Rule]:
        gold, silver = (Source(connection, Measure.PRICE, symbol) for symbol in ("GOLD", "SILVER"))
        heard, steps = self.size.heard, self.size.steps
        found = [
            Rule(
                f"g{number}",
                owner,
                gold,
                Test.ABOVE,
                now,
                GOLD_BEGINS + Decimal(number * steps // heard) + Decimal(1 + number % 97) / 1000,
                severity=Severity.CRITICAL if number % CRITICAL_EACH == 0 else Severity.NORMAL,
            )
            for number in range(heard)
        ]
        found += [
            Rule(
                f"s{dip}x{number}",
                owner,
                silver,
                Test.BELOW,
                now,
                SILVER_BEGINS - DIP * (dip + 1) + DIP * number / (RULES_A_DIP + 1),
            )
            for dip in range(self.size.breaks)
            for number in range(1, RULES_A_DIP + 1)
        ]
        return [*found, Rule("never", owner, silver, Test.BELOW, now, Decimal(1))]

    async def blows(self) -> None:
        """From the first start of the bot to the last firing."""
        await self._begin()
        kills = set(self.chance.sample(range(self.size.breaks), self.size.kills))
        for number in range(self.size.breaks):
            for _ in range(HEARD_A_BREAK):
                await self._rises()
            if number in kills:
                await self._is_killed()
            else:
                await self._is_cut()
        await self._until(lambda: self._told() >= self.size.firings and not self._waiting())
        await self.clerk.stop()

    async def _rises(self) -> None:
        self.gold += 1
        await self._stands("GOLD", self.gold)
        await self._stands("GOLD", GOLD_BEGINS)

    async def _dips(self) -> None:
        self.silver -= DIP
        await self._stands("SILVER", self.silver)
        await self._stands("SILVER", SILVER_BEGINS)

    async def _is_cut(self) -> None:
        await self.broker.does("down", down=True)
        await self.broker.does("cut")
        await self._dips()
        await self.broker.does("down", down=False)
        await self._listens()

    async def _is_killed(self) -> None:
        """As by `kill -9`, with what it has just heard in its hands."""
        await asyncio.sleep(self.chance.random() / 2)  # a moment nobody chose
        os.kill(self.clerk.pid, signal.SIGKILL)
        await self.clerk.ended.wait()
        assert self.clerk.was_killed
        await self._dips()
        await self._begin()

    async def _begin(self) -> None:
        wish = self.folder / "wish.json"
        wish.write_text(json.dumps({"by": OLGA, "ahead_seconds": 0}))
        self.clerk = await self.clerks.begin(self.config, wish)
        await self._listens()

    async def _listens(self) -> None:
        """Until a line that was not there before follows both prices."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                streams = await self.broker.told("streams")
                is_new = streams["accepted"] > self.accepted
                if is_new and any({"GOLD", "SILVER"} <= set(one["quotes"]) for one in streams["sockets"]):
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

    def _told(self) -> int:
        ((count,),) = asked(self.database, "SELECT count(*) FROM alert_firings")
        return int(count)

    def _waiting(self) -> int:
        ((count,),) = asked(self.database, "SELECT count(*) FROM outbox WHERE state = 'waiting'")
        return int(count)

    # what became of it

    def fired(self) -> Mapping[str, int]:
        """By rule: how often it is in the table."""
        return dict(asked(self.database, "SELECT rule_id, count(*) FROM alert_firings GROUP BY rule_id"))

    def wanted(self) -> Mapping[str, int]:
        heard = {f"g{number}": 1 for number in range(self.size.heard)}
        dips = range(self.size.breaks)
        return heard | {f"s{dip}x{number}": 1 for dip in dips for number in range(1, RULES_A_DIP + 1)}

    def late(self) -> int:
        """How many say during which outage they came: all of those that only the broker's history could tell of."""
        question = "SELECT count(*) FROM alert_firings WHERE rule_id LIKE 's%' AND body LIKE '%uring outage%'"
        ((count,),) = asked(self.database, question)
        return int(count)

    def undelivered(self) -> int:
        ((count,),) = asked(self.database, "SELECT count(*) FROM outbox WHERE state != 'sent'")
        return int(count)

    def twice_queued(self) -> int:
        ((count,),) = asked(
            self.database,
            "SELECT count(*) - count(DISTINCT dedupe) FROM outbox WHERE dedupe LIKE 'alert/%'",
        )
        return int(count)

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
