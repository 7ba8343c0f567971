"""The bot's pages over real sockets: a house without Telegram, two providers, and whoever holds a link."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from bot import http
from bot.access.model import Person
from bot.loopback.ports import free_port
from bot.loopback.server import Listening
from bot.operations.entry import Issued
from bot.wiring import House
from handlers import failures
from tests.support.chatting import ADAM, MEMBERS, OLGA, WalkingClock, addresses, providers
from tests.support.desk import TOKEN, opened, write_desk


def init_data(whose: int, moment: datetime, /, token: str = TOKEN, **more: str) -> str:
    """What Telegram's client hands to a page, signed as its documents say."""
    pairs = {
        "user": json.dumps({"id": whose, "first_name": "Ol & ga"}),
        "auth_date": str(int(moment.timestamp())),
        **more,
    }
    lines = "\n".join(f"{key}={value}" for key, value in sorted(pairs.items()))
    key = hmac.new(b"WebAppData", token.encode(), hashlib.sha256).digest()
    return urlencode({**pairs, "hash": hmac.new(key, lines.encode(), hashlib.sha256).hexdigest()})


@dataclass
class Site:
    """The pages, served."""

    rooms: House
    clock: WalkingClock
    origin: str
    http: httpx.AsyncClient
    sides: Mapping[str, Listening]

    def person(self, telegram_id: int = OLGA) -> Person:
        person = self.rooms.access.roster.person(telegram_id)
        assert person is not None
        return person

    async def offered(self, words: str = "crm live main", share: str = "only me", to: int = OLGA) -> Issued:
        """A draft up to its fields, and the link for it."""
        person = self.person(to)
        await self.rooms.linking.begin(person, words.split())
        await self.rooms.linking.answer(person, share, self.rooms.access.roster, origin="t", telegram_id=to)
        return await self.rooms.entries.issue(person, to)

    def path(self, issued: Issued) -> str:
        return f"/enter/{issued.token.reveal()}"

    async def post(
        self, path: str, form: Mapping[str, str] | list[tuple[str, str]] | None = None, **headers: str
    ) -> httpx.Response:
        """As a browser posts a form of this site; `headers` with underscores for dashes, "" leaves one out."""
        sent = {"origin": self.origin, "content-type": "application/x-www-form-urlencoded"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in sent.items() if value}
        return await self.http.post(path, content=urlencode(form or {}), headers=kept)

    async def asked(self, path: str, form: Mapping[str, str]) -> dict[str, Any]:
        """The same as the page's script does it: the answer's JSON."""
        answer = await self.post(path, form, accept="application/json", sec_fetch_site="same-origin")
        body: dict[str, Any] = answer.json()
        return body

    async def said(self) -> list[str]:
        """Everything that waits for the chats."""
        rows = await self.rooms.database.read(
            lambda tables: tables.conn.execute("SELECT chat_id, body FROM outbox ORDER BY id").fetchall()
        )
        return [f"{chat}: " + " ".join([said["title"] + ".", *said["lines"]]) for chat, said in map(_read, rows)]

    async def deeds(self) -> list[str]:
        rows = await self.rooms.database.read(
            lambda tables: tables.conn.execute("SELECT action FROM audit ORDER BY seq").fetchall()
        )
        return [action for (action,) in rows]

    async def linked(self) -> list[str]:
        return [f"{one.name} ({one.environment})" for one in await self.rooms.connections.everything()]


def _read(row: tuple[int, str]) -> tuple[int, dict[str, Any]]:
    return row[0], json.loads(row[1])


@asynccontextmanager
async def site(tmp_path: Path, *names: str, more: str = "", public: str = "") -> AsyncIterator[Site]:
    """Serve the pages, with these providers' simulators. `public`: another origin than the one listened at."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    async with providers(*names) as sides:
        settings = {name: addresses(name, sides.get(name)) for name in ("capital", "deriv", "cryptocapital", "crm")}
        if "deriv" in sides:
            login = f"{sides['deriv'].http}/oauth2/authorize"
            settings["deriv"] |= {"oauth_app_id": str(sides["deriv"].credentials["app_id"]), "oauth_url": login}
        web = f'[web]\npublic_url = "{public or origin}"\nlisten = "127.0.0.1:{port}"'
        config = write_desk(tmp_path, admins=[ADAM], members=MEMBERS, providers=settings, more=f"{more}\n{web}")
        clock = WalkingClock()
        async with opened(config, clock) as rooms:
            assert rooms.config.web is not None
            async with http.serving([http.pages(rooms, rooms.config.web, failures.sentence)]):
                async with httpx.AsyncClient(base_url=origin, trust_env=False, timeout=20) as client:
                    yield Site(rooms, clock, public or origin, client, sides)
