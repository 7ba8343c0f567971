"""One run: somebody asks, another signs, the bot dies at a point and is started again, until everything is quiet."""

import asyncio
import json
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.wiring import DATABASE
from tests.faults import rows
from tests.faults.flows import Flow
from tests.faults.processes import Clerk, Nursery, Side, simulating
from tests.faults.rows import Standing, standing
from tests.support.chatting import ADAM, ANNA, MEMBERS, OLGA, addresses, buttons, login_of
from tests.support.desk import GROUP, opened, write_desk
from tests.support.preparing import policy_and_book
from tests.support.treasury import ONE_APPROVER

SETTLED_SECONDS = 60.0
"""Within so many of the restart everything is known, or as known as it can be."""
PACING = "[telegram.pacing]\nper_chat_per_second = 0\noverall_per_second = 0\ngroup_per_minute = 0"


@dataclass(frozen=True)
class Ran:
    """What became of one run."""

    flow: str
    point: str
    hit: bool
    restarts: int
    executions: int
    state: str
    seconds: float
    wrong: tuple[str, ...]

    def line(self) -> str:
        verdict = "; ".join(self.wrong) if self.wrong else "holds"
        return (
            f"{self.flow:38} {self.point} executions {self.executions} · {self.state:9} · "
            f"restarts {self.restarts} · {self.seconds:4.1f} s · {verdict}"
        )


class Stage:
    """Telegram and one provider, a desk that is ready, and as many runs as wanted, each on a copy of that desk."""

    def __init__(self, flow: Flow, clerks: Nursery, chat: Side, side: Side, folder: Path) -> None:
        self.flow = flow
        self._clerks = clerks
        self._chat = chat
        self._side = side
        self._folder = folder
        self._count = 0

    async def prepare(self) -> None:
        """People, a login, a policy and a book."""
        people = [{"id": number, "first_name": name, "started": True} for number, name, _ in MEMBERS]
        people.append({"id": ADAM, "first_name": "Adam", "started": True})
        members = [one["id"] for one in people]
        await self._chat.does("people", people=people, groups=[{"id": GROUP, "title": "Desk", "members": members}])
        config = self._config(self._folder / "desk")
        async with opened(config) as rooms:
            await policy_and_book(rooms, self.flow.provider, login_of(self.flow.provider, self._login()), ONE_APPROVER)

    def _login(self) -> dict[str, Any]:
        found: dict[str, Any] = self._side.line["credentials"]
        return found

    def _config(self, folder: Path) -> Path:
        line = self._side.line
        table = {**addresses(self.flow.provider, _As(line)), **self.flow.settings}
        path = write_desk(
            folder,
            admins=[ADAM],
            members=MEMBERS,
            telegram_url=self._chat.line["http"],
            token=self._chat.line["credentials"]["bot_token"],
            providers={self.flow.provider: table},
            more=PACING,
        )
        plain = path.read_text()
        for name, value in self.flow.settings.items():
            plain = plain.replace(f'{name} = "{value}"', f"{name} = {value}")  # numbers are not texts
        path.write_text(plain)
        return path

    async def run(self, point: str, crash: str, number: int) -> Ran:
        """Once through."""
        self._count += 1
        folder = self._folder / f"{point}-{number}"
        shutil.copytree(self._folder / "desk", folder)
        config, database, wish = folder / "config.toml", folder / "data" / DATABASE, folder / "wish.json"
        async with opened(config) as rooms:
            (connection,) = await rooms.connections.everything()
            wanted = await self.flow.wanting(rooms, connection, self._side, number)
        said = {
            "by": OLGA,
            "kind": wanted.wish.kind.value,
            "parameters": dict(wanted.wish.parameters),
            "asked_in": "m/1002/4711",
            "ahead_seconds": 0,
        }
        wish.write_text(json.dumps(said))
        await self._side.suffers()
        await self.flow.before(self._side, point, wanted.mark)
        person = _Approver(self._chat)
        clerk = await self._clerks.begin(config, wish, crash)
        wrong: list[str] = []
        before = 0
        try:
            await self._until(clerk, database, person, lambda now: False)
            hit = clerk.was_killed
            restarts, begun = 0, time.monotonic()
            if hit:
                wrong += await self._cards_wrong(database)
                before = standing(database).sightings
                wish.write_text(json.dumps({**said, "ahead_seconds": self.flow.away_seconds.get(point, 0.0)}))
                restarts = 1
                clerk = await self._clerks.begin(config, wish)
                begun = time.monotonic()
                await self._until(clerk, database, person, lambda now: now.sightings > before)
            seconds = time.monotonic() - begun
            if clerk.is_dead:
                wrong.append(f"ended by itself: {clerk.told()[-400:]}")
        finally:
            await clerk.stop()
        executions = await self.flow.executed(self._side, wanted.mark)
        wrong += await self._verdict(config, database, executions, seconds)
        return Ran(self.flow.name, point, hit, restarts, executions, standing(database).state, seconds, tuple(wrong))

    async def _until(self, clerk: Clerk, database: Path, person: "_Approver", looked: Any) -> None:
        """Until the bot is dead, or quiet."""
        quiet = 0
        deadline = time.monotonic() + SETTLED_SECONDS + 10
        while not clerk.is_dead and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            try:
                now = standing(database)
            except sqlite3.OperationalError:  # the file is being made
                continue
            await person.sign(now)
            quiet = quiet + 1 if self._is_quiet(now, looked) else 0
            if quiet >= 3:
                return

    def _is_quiet(self, now: Standing, looked: Any) -> bool:
        if now.id is None or now.waiting or now.unhandled:
            return False
        if now.state in ("succeeded", "failed", "denied", "expired", "cancelled"):
            return True
        return now.state == "unknown" and self.flow.silence_proves_nothing and bool(looked(now))

    async def _verdict(self, config: Path, database: Path, executions: int, seconds: float) -> list[str]:
        now = standing(database)
        wrong = []
        right = {"succeeded": 1, "failed": 0, "denied": 0, "expired": 0, "cancelled": 0}
        if self.flow.silence_proves_nothing:
            right["unknown"] = 0
        if right.get(now.state) != executions:
            wrong.append(f"{now.state} with {executions} executions")
        if seconds > SETTLED_SECONDS:
            wrong.append(f"settled after {seconds:.0f} s")
        earlier = rows.attempts(database)[:-1]
        if any(outcome != "not sent" for outcome in earlier):
            wrong.append(f"sent again after {earlier}")
        if rows.reserved(database) != rows.recomputed(database):
            wrong.append(f"{rows.reserved(database)} reserved, {rows.recomputed(database)} in fact")
        wrong += await self._cards_wrong(database, at_end=True)
        async with opened(config) as rooms:
            verdict = await rooms.auditing.verify()
        if verdict.flaw_count:
            wrong.append(f"{verdict.flaw_count} flaws in the log")
        return wrong

    async def _cards_wrong(self, database: Path, *, at_end: bool = False) -> list[str]:
        """A card says that a request is approved only once it was; at the end no card says what is over."""
        now = standing(database)
        passed = rows.passed_through(database)
        wrong = []
        for chat in (OLGA, ANNA):
            for message in (await self._chat.told("chat", id=chat))["messages"]:
                title, *lines = message.get("text", "").splitlines() or [""]
                if now.id is None or now.id not in message.get("text", ""):
                    continue
                is_news = title.startswith("Request ")
                if not is_news and any(line in ("Approved.", "Being sent.") for line in lines):
                    if at_end:
                        wrong.append(f"a card says {lines[-1]!r}, and it is {now.state}")
                    elif "request.released" not in passed:
                        wrong.append(f"a card says approved, and it is {now.state}")
                if now.state != "succeeded" and (title.endswith(": done") or lines[-1].startswith("Done")):
                    wrong.append(f"{title!r} says done, and it is {now.state}")
        return wrong


class _Approver:
    """Anna, who signs once, and does not come back to it."""

    def __init__(self, chat: Side) -> None:
        self._chat = chat
        self._has_signed = False

    async def sign(self, now: Standing) -> None:
        if self._has_signed or now.id is None or now.state != "pending":
            return
        for message in (await self._chat.told("chat", id=ANNA))["messages"]:
            offered = buttons(message)
            if now.id in message.get("text", "") and "Approve" in offered:
                tap = {"from": ANNA, "chat": ANNA, "message_id": message["message_id"], "data": offered["Approve"]}
                await self._chat.does("tap", **tap)
                self._has_signed = True
                return


class _As:
    """A printed line with the names of a `Listening`."""

    def __init__(self, line: dict[str, Any]) -> None:
        self.http, self.ws, self.credentials = line["http"], line["ws"], line["credentials"]


@asynccontextmanager
async def stage(flow: Flow, clerks: Nursery, folder: Path) -> AsyncIterator[Stage]:
    """Both simulators run, and the desk is ready."""
    async with simulating("telegram", folder) as chat, simulating(flow.provider, folder) as side:
        ready = Stage(flow, clerks, chat, side, folder)
        await ready.prepare()
        yield ready
