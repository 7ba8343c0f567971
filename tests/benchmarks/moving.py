"""What it costs that money moves once: from the deciding tap to the provider, and each request's durable part.

The peer is what cannot be done without: the same rows, written again in the same commits into a copy of the same
database, and one frame of the same length on an open connection. The other side's clock tells when it arrived.
"""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any

from bot.access.model import Person, Role
from bot.approvals.model import Decision, Request, State
from bot.approvals.service import Seen
from bot.clock import SystemClock
from bot.operations.credentials import Wanted
from bot.operations.linked import Connection
from bot.providers.records import Environment
from bot.secret import Secret
from bot.store import Tables
from bot.store.columns import at
from bot.wiring import House
from tests.benchmarks.figures import Figure, Limit, paired
from tests.benchmarks.processes import ROOT, CannotMeasureError, simulator
from tests.support.desk import opened, write_desk

ROUNDS = 5
REQUESTS = 40
_WARM_UP = 5
_ADAM, _OLGA, _ANNA = 1001, 1002, 1004
_MEMBERS = ((_OLGA, "Olga", ["operator"]), (_ANNA, "Anna", ["approver"]))
_SOURCE, _TARGET = "9120004471", "9120007013"
_POLICY = """
[[rules]]
name = "one signs"
tier = "quorum"
needs = ["role/approver"]

[[limits]]
name = "a day"
currency = "USD"
amount = "1000000"
per = "desk"
window = "24h"
"""
_FRAME = bytes(600)
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "temp_store=MEMORY")
_WRITES = ("INSERT", "UPDATE", "DELETE")
Written = list[list[str]]
"""By commit: the statements that wrote."""


@dataclass
class Commits:
    """What was committed since `begun`: when, and which statements that wrote."""

    found: list[tuple[int, list[str]]] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def traced(self, statement: str) -> None:
        word = statement[:6].upper()
        if word == "COMMIT":
            self.found.append((time.monotonic_ns(), self._open))
            self._open = []
        elif word.startswith("BEGIN"):
            self._open = []
        elif word in _WRITES and statement not in self._open[-1:]:  # one with a trigger is told twice
            self._open.append(statement)

    def between(self, begun: int, ended: int) -> Written:
        return [statements for when, statements in self.found if begun <= when <= ended and statements]


class Arrivals:
    """When what arrived, by the clock of the other side's process."""

    def __init__(self, process: asyncio.subprocess.Process, relay: int, sink: int) -> None:
        self.relay, self.sink = relay, sink
        self._process = process

    async def next(self, door: str, *, transfer: bool = False) -> int:
        """The next one at this door."""
        if self._process.stdout is None:
            raise CannotMeasureError("the relay says nothing")
        async with asyncio.timeout(20):
            while True:
                where, arrived, is_transfer = (await self._process.stdout.readline()).decode().split()
                if where == door and (not transfer or is_transfer == "1"):
                    return int(arrived)


@dataclass(frozen=True)
class Measured:
    """One round. Milliseconds."""

    ours: list[float]
    bare: list[float]
    commits: list[int]
    whole: list[float]
    """From asking to the end."""
    whole_commits: list[int]


async def approval_to_first_byte(folder: Path) -> list[Figure]:
    """From the deciding vote to the first byte of the transfer at the provider, in milliseconds, each time alone."""
    rounds = [await _round(folder / str(number)) for number in range(ROUNDS)]
    limit = Limit("at most", 2.5)
    against = f"{mean(count for each in rounds for count in each.commits):.1f} bare commits and a frame"
    return [
        paired(
            f"approval_to_first_byte_{name}",
            "ms",
            limit,
            against,
            [(_at(each.ours, name), _at(each.bare, name)) for each in rounds],
            digits=2,
        )
        for name in ("p50", "p95")
    ]


async def request_cost(folder: Path) -> list[Figure]:
    """What one transfer costs durably from being asked for to being done: commits, and milliseconds of a quiet desk.

    Told without a verdict: nothing was promised, and a limit set after measuring would prove nothing.
    """
    rounds = [await _round(folder / str(number)) for number in range(ROUNDS)]
    commits = round(median(mean(each.whole_commits) for each in rounds), 1)
    spent = round(median(_at(each.whole, "p50") for each in rounds), 2)
    return [
        Figure("request_commits", "commits", "none", "nothing", ours=commits, rounds=len(rounds)),
        Figure("request_cost", "ms", "none", "nothing", ours=spent, rounds=len(rounds)),
    ]


def _at(times: list[float], name: str) -> float:
    return quantiles(times, n=100)[{"p50": 49, "p95": 94}[name]]


async def _round(folder: Path) -> Measured:
    async with (
        simulator("cryptocapital", folder.parent) as bank,
        _arrivals(bank) as arrivals,
        _desk(folder, bank, arrivals) as desk,
    ):
        return await desk.measured()


class _Desk:
    def __init__(
        self, rooms: House, connection: Connection, arrivals: Arrivals, commits: Commits, folder: Path
    ) -> None:
        self._rooms, self._connection, self._arrivals = rooms, connection, arrivals
        self._commits, self._folder = commits, folder
        self._asked = 0

    async def measured(self) -> Measured:
        for _ in range(_WARM_UP):
            await self._whole()
        waiting = [await self._ask() for _ in range(REQUESTS)]
        copy = self._folder / "copy.sqlite"
        async with self._rooms.database.copied() as path:
            shutil.copy(path, copy)
        ours: list[float] = []
        bare: list[float] = []
        commits: list[int] = []
        with _connected(copy) as database, socket.create_connection(("127.0.0.1", self._arrivals.sink)) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for request in waiting:  # turn by turn: a disk has better and worse moments
                taken, before, after = await self._decided(request)
                ours.append(taken)
                bare.append(await self._bare(database, line, before, after))
                commits.append(len(before))
        whole: list[float] = []
        counts: list[int] = []
        for _ in range(REQUESTS):
            begun = time.monotonic_ns()
            await self._whole()
            ended = time.monotonic_ns()
            whole.append((ended - begun) / 1e6)
            counts.append(len(self._commits.between(begun, ended)))
        return Measured(ours, bare, commits, whole, counts)

    def _person(self, telegram_id: int) -> Person:
        person = self._rooms.access.roster.person(telegram_id)
        if person is None:
            raise CannotMeasureError("nobody is here")
        return person

    async def _ask(self) -> Request:
        self._asked += 1
        olga, room = self._person(_OLGA), self._rooms.money.transfers
        amount = f"{1 + self._asked // 100}.{self._asked % 100:02}"
        plan = await room.plan(olga, self._connection, _SOURCE, "Harbour", amount, "USD", "")
        return await room.ask(olga, plan.wish, telegram_id=_OLGA)

    async def _decided(self, request: Request) -> tuple[float, Written, Written]:
        """How long it took, what was committed before it arrived, and what was after that."""
        begun = time.monotonic_ns()
        seen = Seen(request.hash)
        await self._rooms.approvals.decide(self._person(_ANNA), request.id, Decision.APPROVE, seen, telegram_id=_ANNA)
        arrived = await self._arrivals.next("relay", transfer=True)
        await self._done(request)
        before, all_of_it = self._commits.between(begun, arrived), self._commits.between(begun, time.monotonic_ns())
        return (arrived - begun) / 1e6, before, all_of_it[len(before) :]

    async def _whole(self) -> None:
        request = await self._ask()
        await self._decided(request)

    async def _done(self, request: Request) -> None:
        async with asyncio.timeout(20):
            while (await self._rooms.approvals.find(request.id)).state is not State.SUCCEEDED:
                await asyncio.sleep(0.002)  # what is waited for is a row

    async def _bare(self, database: sqlite3.Connection, line: socket.socket, before: Written, after: Written) -> float:
        """The same writes in the same commits, and a frame; then, not timed, what was written later."""
        begun = time.monotonic_ns()
        _write(database, before)
        line.sendall(_FRAME)
        taken = (await self._arrivals.next("sink") - begun) / 1e6
        _write(database, after)
        return taken


def _write(database: sqlite3.Connection, transactions: Written) -> None:
    for statements in transactions:
        database.execute("BEGIN IMMEDIATE")
        for statement in statements:
            database.execute(statement)
        database.execute("COMMIT")


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        yield connection


@asynccontextmanager
async def _desk(folder: Path, bank: dict[str, Any], arrivals: Arrivals) -> AsyncIterator[_Desk]:
    settings = {
        "url": f"ws://127.0.0.1:{arrivals.relay}",
        "server_public_key": bank["credentials"]["server_public_key"],
    }
    config = write_desk(folder, admins=[_ADAM], members=_MEMBERS, providers={"cryptocapital": settings})
    commits = Commits()
    async with opened(config, SystemClock()) as rooms:
        olga = rooms.access.roster.person(_OLGA)
        if olga is None:
            raise CannotMeasureError("nobody is here")
        given = bank["credentials"]
        fields = {"private_key": Secret(given["private_key"]), "accounts": Secret(", ".join(given["accounts"]))}
        wanted = Wanted("cryptocapital", "main", Environment.LIVE, fields, frozenset(Role))
        connection, _ = await rooms.credentials.link(olga, wanted, rooms.access.roster, telegram_id=_OLGA)

        def furnish(tables: Tables) -> None:
            now = at(rooms.clock.now())
            tables.conn.execute("INSERT INTO policies VALUES (1, ?, ?, NULL, NULL)", (_POLICY, now))
            tables.conn.execute(
                "INSERT INTO beneficiaries (provider, account, name, added_at, usable_from)"
                " VALUES ('cryptocapital', ?, 'Harbour', ?, ?)",
                (_TARGET, now, now),
            )
            tables.conn.set_trace_callback(commits.traced)

        await rooms.database.write(furnish)
        task = asyncio.create_task(rooms.money.run())
        try:
            yield _Desk(rooms, connection, arrivals, commits, folder)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def _arrivals(bank: dict[str, Any]) -> AsyncIterator[Arrivals]:
    host, _, port = bank["ws"].removeprefix("ws://").partition(":")
    command = (sys.executable, str(Path(__file__).parent / "peers" / "arrivals.py"), host, port)
    async with _running(*command) as (process, said):
        yield Arrivals(process, said["relay"], said["sink"])


@asynccontextmanager
async def _running(*command: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=ROOT, env=dict(os.environ))
    try:
        if process.stdout is None:
            raise CannotMeasureError("a program says nothing")
        yield process, json.loads(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()
