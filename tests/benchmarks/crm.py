"""The CRM's webhooks against an endpoint that does nothing, and a long report in little memory."""

import asyncio
import hashlib
import hmac
import json
import time
import tracemalloc
from pathlib import Path

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot import http
from bot.http.crm import PATH
from bot.http.listeners import Site
from bot.operations.credentials import Wanted
from bot.operations.reports import Kind
from bot.providers.records import Environment
from bot.secret import Secret
from tests.benchmarks.figures import Figure, Limit, paired
from tests.benchmarks.processes import CannotMeasureError, simulator
from tests.support.desk import ADMIN, opened, write_desk, write_secret
from tests.support.site import free_port

ROUNDS = 11
LINES = 96
EVENTS = 1600
ROWS = 50_000
REPORT_DAYS = 100
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


async def report(folder: Path) -> list[Figure]:
    """Python's memory at its highest while 50,000 rows of a tenant become a file, against a promise.

    The tenant is a program of its own; what is measured is the way from its answers to the file's last line.
    """
    rounds = []
    async with simulator("crm", folder) as sim:
        async with httpx.AsyncClient(base_url=sim["control"], trust_env=False) as control:
            (await control.post("/archive", json={"count": ROWS})).raise_for_status()
        async with opened(write_desk(folder / "desk", providers={"crm": {"url": sim["http"]}})) as rooms:
            admin = rooms.access.roster.admins[0]
            fields = {"api_key": Secret(sim["credentials"]["api_key"])}
            wanted = Wanted("crm", "main", Environment.DEMO, fields, frozenset())
            await rooms.credentials.link(admin, wanted, rooms.access.roster, telegram_id=ADMIN)
            (await rooms.reports.write(admin, Kind.TRANSACTIONS, 1)).content.close()
            for _number in range(3):
                tracemalloc.start()
                made = await rooms.reports.write(admin, Kind.TRANSACTIONS, REPORT_DAYS)
                _, most = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                made.content.close()
                if made.rows < ROWS:
                    raise CannotMeasureError(f"{made.rows} rows were written")
                rounds.append((most / _MB, float(REPORT_MB)))
    return [paired("crm_report_memory", "MB more", Limit("at most", 1.0), "promised", rounds, digits=2)]


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
