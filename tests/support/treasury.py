"""A desk that may move money through Crypto Capital: a policy, a book of beneficiaries, and the money room at work."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from bot.access.model import Person
from bot.approvals.model import Decision, Request, State
from bot.approvals.service import Seen, Shown
from bot.operations.linked import Connection
from bot.store import Tables
from bot.store.columns import at
from bot.wiring import House
from tests.support.chatting import ANNA, OLGA, Chat, Desk, at_work_with

OPERATING, HARBOUR = "9120004471", "9120007013"
PAYMENT_AGENT, CLIENT = "CR900001", "CR900010"
"""At Deriv: the account of the login, and a client whom it may pay."""
ONE_APPROVER = """
[[rules]]
name = "one approver"
tier = "quorum"
needs = ["1 of role/approver"]
"""
CONFIRM = """
[[rules]]
name = "alone"
tier = "confirm"
"""


async def put_in_force(rooms: House, document: str, version: int = 1) -> None:
    """A policy, from now on."""
    values = (version, document, at(rooms.clock.now()))
    await rooms.database.write(
        lambda tables: tables.conn.execute("INSERT INTO policies VALUES (?, ?, ?, NULL, NULL)", values)
    )


class Treasury:
    """The desk, its connection and what is done with both."""

    def __init__(self, desk: Desk, connection: Connection) -> None:
        self.desk = desk
        self.connection = connection

    @property
    def rooms(self) -> Any:
        return self.desk.rooms

    def person(self, telegram_id: int) -> Person:
        return self.desk.person(telegram_id)

    async def write(self, statement: str, *values: object) -> None:
        await self.rooms.database.write(lambda tables: tables.conn.execute(statement, values))

    async def policy(self, document: str, version: int = 1) -> None:
        """In force from now on."""
        await put_in_force(self.rooms, document, version)

    async def enter_in_book(
        self, name: str = "Harbour", account: str = HARBOUR, provider: str = "cryptocapital"
    ) -> None:
        """In the book, and usable."""
        now = at(self.rooms.clock.now())
        await self.write(
            "INSERT INTO beneficiaries (provider, account, name, added_at, usable_from) VALUES (?, ?, ?, ?, ?)",
            provider,
            account,
            name,
            now,
            now,
        )

    async def asked(self, amount: str = "10.00", to: str = "Harbour", note: str = "", by: int = OLGA) -> Request:
        room = self.rooms.money.transfers
        person = self.person(by)
        plan = await room.plan(person, self.connection, OPERATING, to, amount, "USD", note)
        request: Request = await room.ask(person, plan.wish, telegram_id=by)
        return request

    async def says(self, who: int, decision: Decision, request: Request, shown: Shown | None = None) -> Request:
        seen = Seen(request.hash)
        decided: Request = await self.rooms.approvals.decide(
            self.person(who), request.id, decision, seen, telegram_id=who, shown=shown
        )
        return decided

    async def approves(self, request: Request, who: int = ANNA) -> Request:
        return await self.says(who, Decision.APPROVE, request)

    async def state(self, request: Request) -> State:
        found: Request = await self.rooms.approvals.find(request.id)
        return found.state

    async def comes_to(self, request: Request, *states: State, seconds: float = 20) -> Request:
        """Until it is in one of these states."""
        async with asyncio.timeout(seconds):
            while True:
                found: Request = await self.rooms.approvals.find(request.id)
                if found.state in states:
                    return found
                await asyncio.sleep(0.01)  # what is waited for is a row

    async def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        def look(tables: Tables) -> list[tuple[Any, ...]]:
            return list(tables.conn.execute(statement, values).fetchall())

        found: list[tuple[Any, ...]] = await self.rooms.database.read(look)
        return found

    async def control(self, path: str, method: str = "POST", **body: Any) -> Any:
        side = self.desk.sides[self.connection.provider]
        async with httpx.AsyncClient() as http:
            reply = await http.request(method, f"{side.control}/{path}", json=body or None)
            assert reply.status_code == 200, reply.text
            return reply.json()

    async def faults(self, *steps: dict[str, Any]) -> None:
        side = self.desk.sides[self.connection.provider]
        async with httpx.AsyncClient() as http:
            (await http.post(f"{side.control}/faults", json=list(steps))).raise_for_status()

    async def executed(self) -> list[dict[str, Any]]:
        """What the provider's own ledger says left for Harbour."""
        entries: list[dict[str, Any]] = (await self.control("ledger", "GET"))["entries"]
        return [one for one in entries if one["to"] == HARBOUR and "CS-" in str(one.get("reference", ""))]


@asynccontextmanager
async def money_at_work(desk: Desk) -> AsyncIterator[None]:
    """The tasks that send and find out."""
    task = asyncio.create_task(desk.rooms.money.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def treasury(
    folder: Path, chat: Chat, document: str = ONE_APPROVER, provider: str = "cryptocapital"
) -> AsyncIterator[Treasury]:
    """Everything, open; money moves for the length of the block."""
    async with at_work_with(folder, chat, provider) as desk:
        opened = Treasury(desk, await desk.link(provider))
        await opened.policy(document)
        await opened.enter_in_book("Harbour", CLIENT if provider == "deriv" else HARBOUR, provider)
        async with money_at_work(desk):
            yield opened
