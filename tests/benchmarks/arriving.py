"""From a price at the provider to the message at Telegram, beside the barest loop that does the same durably."""

import asyncio
import json
import re
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp
import msgspec
from websockets.asyncio.client import connect

from bot.alerts.model import Measure, Repeat, Rule, Severity, Source, Test
from bot.alerts.records import write_rule
from bot.alerts.service import Alerts
from bot.providers.capital.wire import streaming
from bot.providers.records import Quote
from bot.store import Tables
from bot.store.file import stretch_journal
from bot.wiring import House
from handlers.running import Running, running
from tests.benchmarks.alerts import Frame, Login
from tests.benchmarks.figures import Figure, Limit, paired
from tests.benchmarks.processes import CannotMeasureError, Program, program
from tests.benchmarks.telegram import PEOPLE, Telegram, now_ms, telegram
from tests.support.chatting import NO_PACING
from tests.support.desk import opened, write_desk

ROUNDS = 5
CROSSINGS = 30
_FIRST = 2_400
_PEER = Path(__file__).parent / "peers" / "ticker.py"
_LEVEL = re.compile(r"above (\d+)")


async def latency(folder: Path) -> list[Figure]:
    """Milliseconds, with a thousand quotes a second in between; sender, Telegram and listener are three processes."""
    ours: list[list[float]] = []
    bare: list[list[float]] = []
    async with telegram(folder) as server, program("ticker", [sys.executable, str(_PEER)], folder) as peer:
        port = json.loads(await peer.line())["port"]
        path = write_desk(
            folder / "desk", admins=[PEOPLE[0]], telegram_url=server.origin, token=server.token, more=NO_PACING
        )
        async with opened(path) as rooms, running(rooms) as work:
            await rooms.database.stretch_journal()  # both write as they would after an hour, without growing a file
            for number in range(ROUNDS):
                ours.append(await peer.during(_ours(rooms, work, server, peer, port, number)))
                bare.append(await peer.during(_bare(folder / f"{number}.sqlite", server, peer, port)))
    against = "decode, compare, commit, send"
    halves = [(median(one), median(other)) for one, other in zip(ours, bare, strict=True)]
    worst = [(_p99(one), _p99(other)) for one, other in zip(ours, bare, strict=True)]
    return [
        paired("alerts_latency_p50", "ms", Limit("at most", 2.0), against, halves, digits=2),
        replace(
            paired("alerts_latency_p99", "ms", Limit("at most", 2.0), against, worst, digits=2),
            limit="told only",
            ok=None,
        ),
    ]


async def _ours(rooms: House, work: Running, server: Telegram, peer: Program, port: int, number: int) -> list[float]:
    source, now = Source(1, Measure.PRICE, "GOLD"), rooms.clock.now()
    rules = [
        Rule(
            f"r{number}x{level}",
            1,
            source,
            Test.ABOVE,
            now,
            Decimal(_FIRST + level),
            repeat=Repeat.ONCE,
            severity=Severity.CRITICAL,
        )
        for level in range(1, CROSSINGS + 1)
    ]

    def begin(tables: Any) -> None:
        tables.conn.execute("DELETE FROM alert_rules")
        tables.conn.execute("DELETE FROM alert_values")
        for rule in rules:
            write_rule(tables, rule)

    await rooms.database.write(begin)
    alerts = Alerts(
        rooms.database,
        rooms.outbox,
        rooms.cards,
        rooms.audit,
        rooms.clock,
        find=lambda _, __: Login(),
        groups=set,
        zone=rooms.alerts.zone,
    )
    await alerts.start()
    since_ms = now_ms()
    tasks = [asyncio.create_task(work.notify()), asyncio.create_task(alerts.run())]
    async with connect(f"ws://127.0.0.1:{port}", compression=None) as line:
        await line.send(str(CROSSINGS))
        async for frame in line:
            quote = streaming.parse(frame)
            if isinstance(quote, Quote):
                alerts.observe(1, quote, outage=None)
    found = await _arrived(server, peer, since_ms)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _bare(path: Path, server: Telegram, peer: Program, port: int) -> list[float]:
    decoder, level, since_ms = msgspec.json.Decoder(Frame), _FIRST + 1, now_ms()
    url = f"{server.origin}/bot{server.token}/sendMessage"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE told (text TEXT)")
        stretch_journal(Tables(database))
        async with aiohttp.ClientSession() as session, connect(f"ws://127.0.0.1:{port}", compression=None) as line:
            await line.send(str(CROSSINGS))
            async for frame in line:
                quote = decoder.decode(frame).payload
                if quote.bid > level:
                    text = f"GOLD above {level}"
                    database.execute("INSERT INTO told VALUES (?)", (text,))
                    async with session.post(url, json={"chat_id": PEOPLE[0], "text": text}) as answer:
                        await answer.read()
                    level += 1
    return await _arrived(server, peer, since_ms)


async def _arrived(server: Telegram, peer: Program, since_ms: int) -> list[float]:
    calls = await server.asked("sendMessage", since_ms, CROSSINGS)
    found = {int(level[1]): call["at_us"] for call in calls if (level := _LEVEL.search(str(call["params"])))}
    if len(found) != CROSSINGS:
        raise CannotMeasureError(f"{len(found)} of {CROSSINGS} alerts arrived")
    sent = [json.loads(await peer.line()) for _ in range(CROSSINGS)]
    return [(found[one["price"]] - one["us"]) / 1000 for one in sent]


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]
