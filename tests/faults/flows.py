"""The ways in which money moves that are put through every crash. A new one is one more entry.

What a provider really did is read from its own ledger, by marks that come from here and not from the bot.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.approvals.model import Kind
from bot.approvals.service import Wish
from bot.operations.linked import Connection
from bot.operations.moving.matters import common
from bot.wiring import House
from tests.faults.processes import Side
from tests.support.treasury import CLIENT, HARBOUR, OPERATING, PAYMENT_AGENT

Step = dict[str, Any]
MANY = {"times": 0}


@dataclass(frozen=True)
class Wanted:
    """One wish, and the mark by which its provider's ledger knows it."""

    mark: str
    wish: Wish | None = None
    """Asked for by the clerk, where no door leads to it."""
    line: str = ""
    """Said by Olga in her chat otherwise."""


@dataclass(frozen=True)
class Flow:
    """How one kind of act is asked for, and recognised on the other side."""

    name: str
    provider: str
    settings: Mapping[str, str]
    """Of `[providers.<name>]`, beside its address."""
    wanting: Callable[[House, Connection, Side, int], Awaitable[Wanted]]
    executed: Callable[[Side, str], Awaitable[int]]
    """How often the provider has carried out what has this mark."""
    before: Callable[[Side, str, str], Awaitable[None]]
    """What must go wrong on the other side, so that this point is passed at all. Takes the point and the mark."""
    away_seconds: Mapping[str, float] = field(default_factory=dict)
    """How long the program is away after a crash at a point."""
    passes: Mapping[str, int] = field(default_factory=dict)
    """Points that are passed at least so often in each run, where that is more than usual."""
    silence_proves_nothing: bool = False
    """What was not executed stays unknown until two people say so (M25)."""
    impossible: Mapping[str, str] = field(default_factory=dict)
    """Points that this flow cannot pass, and why."""


async def _transfer(rooms: House, connection: Connection, side: Side, number: int) -> Wanted:
    amount = f"{10 + number // 100}.{number % 100:02}"
    return Wanted(amount, line=f"/transfer {amount} USD from {connection.label} {OPERATING} to Harbour")


async def _transferred(side: Side, mark: str) -> int:
    entries = (await side.told("ledger"))["entries"]
    return sum(one["to"] == HARBOUR and one["amount"] == mark for one in entries)


async def _bank(side: Side, point: str, mark: str) -> None:
    """The end of a transfer comes a second after it was taken, where something is to happen in between."""
    await side.does("delay", seconds=1 if point in ("CP12", "CP16") else 0)


async def _decision(rooms: House, connection: Connection, side: Side, number: int) -> Wanted:
    asked = await side.does("withdrawal", amount=f"{10 + number // 100}.{number % 100:02}", currency="USD")
    parameters = {
        **common(connection),
        "target": asked["id"],
        "client": asked["user"]["name"],
        "account": asked["user_id"],
        "amount": asked["trading_amount"],
        "currency": asked["trading_currency"],
        "method": asked["withdrawal_method"],
        "node": "1",
        "decision": "approve",
    }
    return Wanted(asked["id"], Wish(Kind.WITHDRAWAL, parameters))


async def _paid_out(side: Side, mark: str) -> int:
    entries = (await side.told("ledger"))["entries"]
    return sum(one["kind"] == "withdrawal_paid" and one["reference"] == mark for one in entries)


async def _back_office(side: Side, point: str, mark: str) -> None:
    """The decision is taken at once, and says so: it is only found out about when its answer is lost on the way."""
    reading = {"path": f"/requests/withdrawal/{mark}", "method": "GET"}
    deciding = {"path": "/requests/withdrawal/approve", "method": "POST"}
    match point:
        case "CP12":  # read before it is prepared, before it is sent, and twice in vain afterwards
            await side.suffers({"action": "status", "status": 503, "match": reading, "nth": 3, "times": 2})
        case "CP16":
            await side.suffers({"action": "reset", "match": deciding})


async def _payment(rooms: House, connection: Connection, side: Side, number: int) -> Wanted:
    amount = f"{10 + number // 100}.{number % 100:02}"
    return Wanted(amount, line=f"/payagent {amount} USD from {connection.label} {PAYMENT_AGENT} to Harbour")


async def _paid_to_client(side: Side, mark: str) -> int:
    entries = (await side.told("ledger"))["entries"]
    return sum(one["to"] == CLIENT and one["amount"] == mark for one in entries)


async def _service(side: Side, point: str, mark: str) -> None:
    """A payment is answered at once and for good: what became of it is looked up when the answer is lost."""
    if point == "CP16":
        paying = {"kind": "ws", "contains": '"paymentagent_transfer":1,"transfer_to"'}
        await side.suffers({"action": "reset", "match": paying})


async def _order(rooms: House, connection: Connection, side: Side, number: int) -> Wanted:
    """Gold, of which something is open already; how much of it is the mark, small enough for each to be paid for."""
    size = f"1.{number % 100:02}"
    parameters = {
        **common(connection),
        "account": "310441870023915201",
        "target": "GOLD",
        "symbol": "GOLD",
        "name": "Gold",
        "direction": "buy",
        "size": size,
        "size_unit": "units",
        "type": "market",
        "stop": "3900.00",
        "amount": "4000.00",
        "currency": "USD",
    }
    return Wanted(size, Wish(Kind.ORDER, parameters))


async def _opened(side: Side, mark: str) -> int:
    entries = (await side.told("ledger"))["entries"]
    return sum(one["kind"] == "open" and one["currency"] == "GOLD" and one["amount"] == mark for one in entries)


async def _broker(side: Side, point: str, mark: str) -> None:
    """An order is confirmed at once, unless something is to happen in between."""
    await side.does("options", confirm_delay_ms=17_000 if point == "CP12" else 0)
    if point == "CP16":
        await side.suffers({"action": "reset", "match": {"path": "/api/v1/positions", "method": "POST"}})


FLOWS = (
    Flow(
        "Crypto Capital transfer",
        "cryptocapital",
        {"quiet_seconds": "0.1", "answer_seconds": "5.0"},
        _transfer,
        _transferred,
        _bank,
        passes={"CP01": 3},
        silence_proves_nothing=True,
    ),
    Flow(
        "CRM approval of a client's withdrawal",
        "crm",
        {},
        _decision,
        _paid_out,
        _back_office,
        away_seconds={"CP07": 50, "CP08": 50, "CP09": 50},
    ),
    Flow(
        "Deriv agent transfer",
        "deriv",
        {"answer_seconds": "5.0"},
        _payment,
        _paid_to_client,
        _service,
        passes={"CP01": 3},
        silence_proves_nothing=True,
        impossible={"CP12": "its answer is final: nothing is acknowledged first"},
    ),
    Flow(
        "Capital order",
        "capital",
        {},
        _order,
        _opened,
        _broker,
        away_seconds={"CP07": 130, "CP08": 130, "CP09": 130, "CP15": 130},  # CP15 may come before the first byte
    ),
)
