"""What rules cost: a tick from the socket to the table, a tick among very many rules, and the room they take."""

import asyncio
import gc
import json
import random
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
from websockets.asyncio.client import connect

from bot.alerts.book import Entry
from bot.alerts.engine import Engine
from bot.alerts.model import Measure, Phase, Repeat, Rule, Side, Source, State, Test
from bot.alerts.records import write_rule, write_states
from bot.clock import SystemClock
from bot.providers.capital.wire import streaming
from bot.providers.records import Quote
from bot.store import Tables
from bot.wiring import House
from tests.benchmarks.figures import Figure, Limit, paired
from tests.benchmarks.processes import CannotMeasureError, program
from tests.support.desk import opened, write_desk

ROUNDS = 7
_TICK_ROUNDS = 15
"""They differ more from one another than what is measured here ever does."""
TICKS = 40_000
RULES = 1_000
FEW, MANY = 10, 100_000
_ENGINE_TICKS = 60_000
_PEER = Path(__file__).parent / "peers" / "quotes.py"
_BAND = range(2_000, 2_400)
_BEGINS = 2_200


class Prices(msgspec.Struct):
    epic: str
    bid: float
    ofr: float
    timestamp: int


class Frame(msgspec.Struct):
    destination: str
    payload: Prices


async def ticks(folder: Path) -> list[Figure]:
    """Ticks a second of one core, socket to table: read, parsed, compared with a thousand rules, what came written
    durably. Counted in the processor's time, all threads together: what waits for the disk takes none of it."""
    rounds = []
    async with program("quotes", [sys.executable, str(_PEER), str(TICKS)], folder) as peer:
        port = json.loads(await peer.line())["port"]
        async with _desk(folder) as rooms:
            for _ in range(_TICK_ROUNDS):
                rounds.append((await peer.during(_ours(rooms, port)), await peer.during(_bare(port))))
    against = "websockets + msgspec alone"
    return [paired("alerts_ticks", "ticks/s", Limit("at least", 0.6), against, rounds, digits=0)]


async def _ours(rooms: House, port: int) -> float:
    await rooms.database.write(_armed)
    alerts = type(rooms.alerts)(
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
    writing = asyncio.create_task(alerts.run())
    heard = 0
    async with connect(f"ws://127.0.0.1:{port}", compression=None) as line:
        await line.send("go")
        begun = time.process_time()
        async for frame in line:
            quote = streaming.parse(frame)
            if isinstance(quote, Quote):
                heard += 1
                alerts.observe(1, quote, outage=None)
        await alerts.settled()
        taken = time.process_time() - begun
    writing.cancel()
    told = await rooms.database.write(_forgotten)
    if heard != TICKS or not told or alerts.engine.ignored:
        raise CannotMeasureError(f"{heard} ticks heard, {told} alerts told, {dict(alerts.engine.ignored)} ignored")
    return heard / taken


async def _bare(port: int) -> float:
    decoder, heard = msgspec.json.Decoder(Frame), 0
    async with connect(f"ws://127.0.0.1:{port}", compression=None) as line:
        await line.send("go")
        begun = time.process_time()
        async for frame in line:
            decoder.decode(frame)
            heard += 1
        taken = time.process_time() - begun
    if heard != TICKS:
        raise CannotMeasureError(f"{heard} ticks heard")
    return heard / taken


@asynccontextmanager
async def _desk(folder: Path) -> AsyncIterator[House]:
    async with opened(write_desk(folder)) as rooms:
        yield rooms


class Login:
    name = "capital/main"

    def may_read(self, _: object) -> bool:
        return True


def _armed(tables: Tables) -> None:
    """The same rules each round, armed on the side where the walk begins; some eighty come in each."""
    chance, states = random.Random(7), []
    for number in range(RULES):
        level = Decimal(chance.randrange(10_000, 34_000)) / 10
        rule = _rule(number, level, Test.CROSSES, Repeat.EACH)
        write_rule(tables, rule)
        states.append((rule.id, State(Phase.ARMED, Side.DOWN if level > _BEGINS else Side.UP, rule.created_at)))
    write_states(tables, states)


def _forgotten(tables: Tables) -> int:
    """What was told is gone; answers how much it was."""
    told = tables.conn.execute("DELETE FROM alert_firings").rowcount
    for table in ("outbox", "cards", "alert_values", "alert_states"):
        tables.conn.execute(f"DELETE FROM {table}")  # noqa: S608  # ours
    return int(told)


def _rule(number: int, level: Decimal, test: Test, repeat: Repeat) -> Rule:
    created = SystemClock().now() - timedelta(hours=1)
    source = Source(1, Measure.PRICE, "GOLD")
    return Rule(f"r{number}", 1, source, test, created, level, repeat=repeat, hysteresis=Decimal(1))


async def among_many(folder: Path) -> list[Figure]:
    """What a tick costs that touches none of very many rules, beside one that touches none of a few."""
    quotes = _walk()
    rounds = [(_cost(MANY, quotes), _cost(FEW, quotes)) for _ in range(ROUNDS)]
    return [paired("alerts_rules", "ns/tick", Limit("at most", 1.15), f"{FEW} rules", rounds, digits=0)]


def _walk() -> list[Quote]:
    chance, price, at = random.Random(7), 22_000, SystemClock().now() - timedelta(minutes=4)
    made = []
    for number in range(_ENGINE_TICKS):
        price = min(_BAND.stop * 10 - 1, max(_BAND.start * 10 + 1, price + chance.randint(-3, 3)))
        made.append(Quote("GOLD", Decimal(price) / 10, Decimal(price + 1) / 10, at + timedelta(milliseconds=number)))
    return made


def _cost(rules: int, quotes: Sequence[Quote]) -> float:
    engine, now = Engine(), SystemClock().now()
    engine.load(_outside(rules), {})
    gc.collect()
    gc.disable()
    begun = time.process_time_ns()
    for quote in quotes:
        engine.hear(1, quote, None, now)
    taken = time.process_time_ns() - begun
    gc.enable()
    if engine.ignored or not engine.dirty:
        raise CannotMeasureError(f"not every tick counted: {dict(engine.ignored)}")
    return taken / len(quotes)


def _outside(rules: int) -> list[Entry]:
    """Armed, half of them above the band and half below."""
    made = []
    for number in range(rules):
        is_above = number % 2 == 0
        level = Decimal(_BAND.stop + 1 + number) if is_above else Decimal(_BAND.start - 1) - Decimal(number) / 100
        rule = _rule(number, level, Test.ABOVE if is_above else Test.BELOW, Repeat.ONCE)
        made.append(Entry(rule, State(Phase.ARMED, Side.NONE, rule.created_at)))
    return made


async def room(folder: Path) -> list[Figure]:
    """The memory that ten thousand rules take."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    engine = Engine()
    engine.load(_outside(10_000), {})
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    taken = round((after - before) / 1e6, 2)
    return [Figure("alerts_memory", "MB for 10,000 rules", "told only", "", ours=taken, rounds=1)]
