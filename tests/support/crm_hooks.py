"""A desk that the CRM and what belongs to it may come to: the house, its listener, and the simulator that calls."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx

from bot import http
from bot.access.model import Role
from bot.loopback.server import Listening, serving
from bot.operations.credentials import Wanted
from bot.providers.records import Environment
from bot.secret import Secret
from bot.wiring import House
from handlers import failures
from tests.support.audited import recorded
from tests.support.chatting import ADAM, MEMBERS, OLGA, WalkingClock
from tests.support.desk import opened, write_desk, write_secret
from tests.support.site import free_port

TOKEN = "an invented token of a payment provider"
HOOK_SECRET = "an invented secret of a webhook"
RATES_KEY = "an invented key for exchange rates"
MERCHANT = "m-77"
PSP = f'[providers.crm.psp]\nmerchant_id = "{MERCHANT}"\ntoken_file = "psp.token"'
HOOK = 'webhook_secret_file = "hook.secret"'
"""A line of the table itself."""
RATES = '[providers.crm.rates]\nkey_file = "rates.key"\npairs = ["USD/EUR 0.920", "EUR/USD 1.08"]'


@dataclass
class Called:
    """The desk, and whoever calls it."""

    rooms: House
    origin: str
    http: httpx.AsyncClient
    control: httpx.AsyncClient
    sim: Listening
    clock: WalkingClock

    async def tell(self, path: str, **body: Any) -> Any:
        """Something happens on the other side."""
        return await self._told(path, body)

    async def misfortune(self, action: str, path: str, **options: Any) -> None:
        """What befalls the next GET below that path."""
        await self._told("/faults", [{"action": action, "match": {"path": path, "method": "GET"}, **options}])

    async def _told(self, path: str, body: object) -> Any:
        answer = await self.control.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return await self.rooms.database.read(lambda tables: tables.conn.execute(sql).fetchall())


@asynccontextmanager
async def called(folder: Path, *switched_on: str, settings: Sequence[str] = ()) -> AsyncIterator[Called]:
    """Such a desk.

    Args:
        switched_on: Tables below `[providers.crm]`.
        settings: Lines of that table itself.
    """
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    write_secret(folder / "psp.token", TOKEN)
    write_secret(folder / "rates.key", RATES_KEY)
    write_secret(folder / "hook.secret", HOOK_SECRET)
    async with serving(import_module("bot.providers.crm.simulator").make()) as sim:
        web = f'[web]\npublic_url = "{origin}"\nlisten = "127.0.0.1:{port}"'
        crm = "\n".join(["[providers.crm]", f'url = "{sim.http}"', *settings])
        path = write_desk(folder, admins=[ADAM], members=MEMBERS, more="\n".join([crm, *switched_on, web]))
        clock = WalkingClock()
        async with recorded(opened(path, clock)) as rooms:
            olga = rooms.access.roster.person(OLGA)
            assert olga is not None
            assert rooms.config.web is not None
            fields = {"api_key": Secret(str(sim.credentials["api_key"]))}
            wanted = Wanted("crm", "main", Environment.DEMO, fields, frozenset({Role.APPROVER, Role.OPERATOR}))
            await rooms.credentials.link(olga, wanted, rooms.access.roster, telegram_id=OLGA)
            async with (
                http.serving([*http.from_crm(rooms), http.pages(rooms, rooms.config.web, failures.sentence)]),
                httpx.AsyncClient(base_url=origin, trust_env=False, timeout=20) as client,
                httpx.AsyncClient(base_url=sim.control, trust_env=False, timeout=20) as control,
            ):
                yield Called(rooms, origin, client, control, sim, clock)
            await rooms.withdrawals.close()


@asynccontextmanager
async def watched(desk: Called) -> AsyncIterator[None]:
    """What is linked is watched, as `countersign run` does."""
    await desk.rooms.alerts.start()
    watching = asyncio.create_task(desk.rooms.watch.run())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])
