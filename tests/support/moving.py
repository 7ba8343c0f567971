"""A desk whose money moves while its provider misbehaves: the whole money room, in this process, and a count of what
arrived at the provider that could have moved money."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.approvals.model import Kind, Request, State
from bot.approvals.service import Wish
from bot.operations.linked import Connection
from bot.operations.moving.matters import common
from bot.providers.acts import PayWay
from tests.support.chatting import OLGA, Chat, Desk, at_work, configured, providers
from tests.support.treasury import CLIENT, HARBOUR, ONE_APPROVER, PAYMENT_AGENT, Treasury, money_at_work

SETTINGS = {
    "cryptocapital": "quiet_seconds = 0.05\nanswer_seconds = 2.0",
    "crm": "",
    "capital": "",
    "deriv": "answer_seconds = 2.0",
}
BOOKING = "crm wallet booking"
DEAL = "capital order"
MONEY = {
    "cryptocapital": {"kind": "ws", "contains": "CS-"},
    "crm": {"kind": "http", "method": "POST", "path": "/requests/withdrawal/approve"},
    "deriv": {"kind": "ws", "contains": '"paymentagent_transfer":1,"transfer_to"'},
    BOOKING: {"kind": "http", "method": "PATCH", "path": "/wallets/balance"},
    DEAL: {"kind": "http", "method": "POST", "path": "/positions"},
}
"""What matches each money call, and nothing else that is asked. A provider alone is the one it is there for."""
NEVER = 1_000_000


class MoneyDesk(Treasury):
    """A treasury at one of several providers, whose money moves by one of several calls."""

    def __init__(self, desk: Desk, connection: Connection, call: str) -> None:
        super().__init__(desk, connection)
        self.call = call

    @property
    def money_call(self) -> dict[str, str]:
        return MONEY[self.call]

    async def wants(self, amount: str = "10.00") -> Request:
        """Olga asks for it: a transfer to Harbour, that a client's withdrawal is approved, a client's deposit, an order
        worth so much."""
        if self.call == "cryptocapital":
            return await self.asked(amount)
        if self.call == "deriv":
            return await self.pays(amount)
        if self.call == BOOKING:
            return await self.books(amount)
        if self.call == DEAL:
            return await self.deals(amount)
        asked = await self.control("withdrawal", amount=amount, currency="USD")
        parameters = {
            **common(self.connection),
            "target": asked["id"],
            "client": asked["user"]["name"],
            "account": asked["user_id"],
            "amount": asked["trading_amount"],
            "currency": asked["trading_currency"],
            "method": asked["withdrawal_method"],
            "node": "1",
            "decision": "approve",
        }
        request: Request = await self.rooms.approvals.ask(
            self.person(OLGA), Wish(Kind.WITHDRAWAL, parameters), telegram_id=OLGA
        )
        return request

    async def pays(self, amount: str, way: PayWay = PayWay.AGENT, to: str = "Harbour", note: str = "") -> Request:
        """Olga asks that money leaves Deriv, by one of its ways: from a payment agent to a client, if not otherwise."""
        money, by = self.rooms.money, self.person(OLGA)
        room = money.payments.get(way, money.transfers)
        plan = await room.plan(by, self.connection, PAYMENT_AGENT, to, amount, "USD", note)
        request: Request = await room.ask(by, plan.wish, telegram_id=OLGA)
        return request

    async def books(self, amount: str, direction: str = "deposit") -> Request:
        """Olga asks that a client's wallet, which holds 12,400.25 USD, is booked on."""
        async with self.rooms.connections.session(self.connection) as provider:
            client = (await provider.clients.listed(50)).items[1].id
        parameters = {
            **common(self.connection),
            "account": client,
            "operation": "wallet",
            "client": client,
            "direction": direction,
            "amount": amount,
            "currency": "USD",
        }
        request: Request = await self.rooms.approvals.ask(
            self.person(OLGA), Wish(Kind.WALLET, parameters), telegram_id=OLGA
        )
        return request

    async def deals(self, amount: str = "10.00", **said: str) -> Request:
        """Olga asks that silver is bought, of which nothing is open."""
        parameters = {
            **common(self.connection),
            "account": "310441870023915201",
            "target": "SILVER",
            "symbol": "SILVER",
            "name": "Silver",
            "direction": "buy",
            "size": "20",
            "size_unit": "units",
            "type": "market",
            "amount": amount,
            "currency": "USD",
            **said,
        }
        request: Request = await self.rooms.approvals.ask(
            self.person(OLGA), Wish(Kind.ORDER, parameters), telegram_id=OLGA
        )
        return request

    async def gets(self, amount: str = "10.00") -> Request:
        """The same, approved."""
        return await self.approves(await self.wants(amount))

    async def suffers(self, action: str, **options: Any) -> None:
        """This happens to the next money call."""
        await self.faults({"action": action, "match": self.money_call, **options})

    async def money_calls(self) -> int:
        """How many money calls have arrived at the provider, counted there."""
        waiting = (await self.control("faults", "GET"))["waiting"]
        return int(waiting[0]["seen"])

    async def paid(self) -> int:
        """How often the provider's ledger says that money went."""
        entries = (await self.control("ledger", "GET"))["entries"]
        kinds = ("withdrawal_paid", "wallet_credit", "wallet_debit", "open")
        return sum(one["kind"] in kinds or one["to"] in (HARBOUR, CLIENT) for one in entries)

    async def reserved(self) -> Decimal:
        """What the limits count."""
        rows = await self.rows(
            "SELECT cases.amount FROM cases JOIN requests ON requests.id = request_id WHERE counts = 1"
        )
        return sum((Decimal(amount) for (amount,) in rows), Decimal(0))

    async def outcomes(self) -> list[str | None]:
        """How each sending ended, oldest first."""
        return [found for (found,) in await self.rows("SELECT outcome FROM sendings ORDER BY begun_at, attempt")]

    async def told(self, person: int, title: str) -> list[str]:
        """The messages with such a title that wait for this person, or have been sent."""
        rows = await self.rows(
            "SELECT json_extract(body, '$.title') || ' ' || json_extract(body, '$.lines') FROM outbox"
            " WHERE chat_id = ? AND json_extract(body, '$.title') LIKE ? ORDER BY id",
            person,
            f"%{title}%",
        )
        return [text for (text,) in rows]

    async def looked_for(self, request: Request, times: int, *, pace: float = 0) -> None:
        """Until the provider has shown so often, at least, what it has of it. With a `pace`, time goes on meanwhile,
        as many seconds at a time: the pauses between two looks are passed over."""
        async with asyncio.timeout(20):
            while True:
                rows = await self.rows("SELECT at FROM sightings WHERE request_id = ?", request.id)
                if len(rows) >= times:
                    return
                self.later(pace)
                await asyncio.sleep(0.01)  # what is waited for is a row

    async def in_time_becomes(self, request: Request, *states: State) -> Request:
        """The same as `becomes`, while time goes on quickly: the pauses between two looks are passed over."""
        async with asyncio.timeout(60):
            while True:
                found: Request = await self.rooms.approvals.find(request.id)
                if found.state in states:
                    return found
                self.later(0.5)
                await asyncio.sleep(0.01)  # what is waited for is a row

    async def reminded(self, person: int, count: int) -> list[str]:
        """The reminders of what is unknown, once there are so many. Time goes on meanwhile, a little at a time: a look
        that was under way when the clock was put forward is followed by a pause."""
        async with asyncio.timeout(20):
            while True:
                rows = await self.rows(
                    "SELECT json_extract(body, '$.title') || ' ' || json_extract(body, '$.lines') FROM outbox"
                    " WHERE chat_id = ? AND dedupe LIKE '%/unknown/%/%/%' ORDER BY id",
                    person,
                )
                if len(rows) >= count:
                    return [text for (text,) in rows]
                self.later(0.5)
                await asyncio.sleep(0.01)  # what is waited for is a row

    def later(self, seconds: float) -> None:
        self.desk.clock.ahead_by(seconds)

    async def becomes(self, request: Request, *states: State) -> Request:
        return await self.comes_to(request, *states, seconds=30)


@asynccontextmanager
async def money_desk(
    folder: Path, chat: Chat, call: str, policy: str = ONE_APPROVER, *, moving: bool = True, settings: str = ""
) -> AsyncIterator[MoneyDesk]:
    """Everything, open; money moves for the length of the block. `call`: one of MONEY."""
    provider = call.partition(" ")[0]
    async with providers(provider) as sides:
        config = configured(folder, chat, sides)
        lines = config.read_text(encoding="utf-8")
        head = f"[providers.{provider}]"
        config.write_text(lines.replace(head, f"{head}\n{settings or SETTINGS[provider]}"), encoding="utf-8")
        async with at_work(config, chat, sides, polling=False, notifying=False) as desk:
            opened = MoneyDesk(desk, await desk.link(provider), call)
            await opened.policy(policy)
            await opened.enter_in_book(*(("Harbour", CLIENT, "deriv") if provider == "deriv" else ()))
            await opened.faults({"action": "delay", "seconds": 0, "match": opened.money_call, "nth": NEVER})
            if not moving:
                yield opened
                return
            async with money_at_work(desk):
                yield opened
