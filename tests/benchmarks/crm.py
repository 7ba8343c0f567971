"""The CRM's webhooks against an endpoint that does nothing, and a long report in little memory."""

import asyncio
import hashlib
import hmac
import json
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot import http
from bot.http.crm import PATH
from bot.http.listeners import Site
from bot.operations.reports import written
from bot.providers.crm.wire import Number, Transaction
from bot.providers.crm.wire.grammar import Text
from tests.benchmarks.figures import Figure, Limit, paired
from tests.benchmarks.processes import CannotMeasureError
from tests.support.desk import opened, write_desk, write_secret
from tests.support.site import free_port

ROUNDS = 11
LINES = 96
EVENTS = 1600
ROWS = 50_000
REPORT_MB = 8
_SECRET = "invented for this measurement only"
_MB = 1e6


async def webhooks(folder: Path) -> list[Figure]:
    """Verified, stored durably, answered; against read and answered. The same server, the same caller."""
    port = free_port()
    write_secret(folder / "hook.secret", _SECRET)
    web = f'[web]\npublic_url = "http://127.0.0.1:{port}"\nlisten = "127.0.0.1:{port}"'
    path = write_desk(folder, providers={"crm": {"webhook_secret_file": "hook.secret"}}, more=web)
    bare_port = free_port()
    bare = Site("127.0.0.1", bare_port, [Route(PATH, _bare, methods=["POST"])])
    rounds = []
    async with opened(path) as rooms:
        assert rooms.config.web is not None
        site = http.events(rooms.withdrawals, rooms.config.web, rooms.config.hooks["crm.webhook_secret_file"])
        async with http.serving([site, bare]):
            await _rate(bare_port, "warm")
            await _rate(port, "warm")
            for number in range(ROUNDS):
                rounds.append((await _rate(port, f"r{number}"), await _rate(bare_port, f"r{number}")))
        kept = await rooms.database.read(
            lambda tables: tables.conn.execute("SELECT count(*) FROM crm_events").fetchone()
        )
        await rooms.withdrawals.close()
    if kept[0] != EVENTS * (ROUNDS + 1):
        raise CannotMeasureError(f"{kept[0]} events were kept")
    return [paired("crm_webhooks", "webhooks/s", Limit("at least", 0.5), "bare starlette", rounds, digits=0)]


async def report(_: Path) -> list[Figure]:
    """Python's memory at its highest while 50,000 rows become a file, against a promise."""
    rounds = []
    for _number in range(3):
        tracemalloc.start()
        made = await written("t.csv", Transaction, _rows())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        made.content.close()
        if made.rows != ROWS:
            raise CannotMeasureError(f"{made.rows} rows were written")
        rounds.append((most / _MB, float(REPORT_MB)))
    return [paired("crm_report_memory", "MB more", Limit("at most", 1.0), "promised", rounds, digits=2)]


async def _rows() -> AsyncIterator[Transaction]:
    for number in range(ROWS):
        amount = Number(f"{number}.25")
        yield Transaction(f"t{number:08}", type=Text("withdrawal"), amount=amount, comment=Text("x" * 40))


async def _bare(request: Request) -> Response:
    await request.body()
    return JSONResponse({})


async def _rate(port: int, name: str) -> float:
    """Webhooks a second over lines that stay open, each of another request."""
    waiting = [_post(_event(f"{name}{number:06}")) for number in range(EVENTS)]
    begun = time.perf_counter()
    await asyncio.gather(*(_line(port, waiting) for _ in range(LINES)))
    return EVENTS / (time.perf_counter() - begun)


async def _line(port: int, waiting: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while waiting:
        writer.write(waiting.pop())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise CannotMeasureError(head.split(b"\r\n", 1)[0].decode())
        await reader.readexactly(2)
    writer.close()
    await writer.wait_closed()


def _post(body: bytes) -> bytes:
    signature = hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
    lines = (
        f"POST {PATH} HTTP/1.1",
        "host: 127.0.0.1",
        f"x-crm-signature: {signature}",
        f"content-length: {len(body)}",
    )
    return "\r\n".join([*lines, "", ""]).encode() + body


def _event(request_id: str) -> bytes:
    source = {"service": "requests", "event": "crm.webhooks.requests.withdrawal.approve.node.1"}
    data = {"id": request_id, "type": "withdrawal", "status": "pending", "trading_amount": "250.00", "note": "x" * 600}
    return json.dumps({"source": source, "version": "1.0.0", "data": data}).encode()
