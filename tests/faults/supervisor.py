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
from tests.faults.flows import Flow
from tests.faults.judging import EXECUTED, SETTLED_SECONDS, wrong_in_books, wrong_in_chats
from tests.faults.processes import Clerk, Nursery, Side, simulating
from tests.faults.rows import Standing, standing
from tests.support.chatting import ADAM, ANNA, MEMBERS, OLGA, addresses, buttons, login_of
from tests.support.desk import GROUP, opened, write_desk
from tests.support.preparing import policy_and_book
from tests.support.treasury import ONE_APPROVER

_PATIENCE_SECONDS = SETTLED_SECONDS + 10
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
        folder = self._folder / f"{point}-{number}"
        shutil.copytree(self._folder / "desk", folder)
        config, database, wish = folder / "config.toml", folder / "data" / DATABASE, folder / "wish.json"
        async with opened(config) as rooms:
            (connection,) = await rooms.connections.everything()
            wanted = await self.flow.wanting(rooms, connection, self._side, number)
        said: dict[str, Any] = {"by": OLGA, "ahead_seconds": 0}
        if wanted.wish is not None:
            parameters = dict(wanted.wish.parameters)
            said |= {"kind": wanted.wish.kind.value, "parameters": parameters, "asked_in": "m/1002/4711"}
        wish.write_text(json.dumps(said))
        await self._side.suffers()
        await self.flow.before(self._side, point, wanted.mark)
        people = _People(self._chat, wanted.line, wanted.mark)
        clerk = await self._clerks.begin(config, wish, crash)
        wrong: list[str] = []
        try:
            await self._until(clerk, database, people)
            hit = clerk.was_killed
            restarts, begun = 0, time.monotonic()
            if hit:
                found = standing(database)
                wrong += await wrong_in_chats(self._chat, database, found, at_end=False)
                wish.write_text(json.dumps({**said, "ahead_seconds": self.flow.away_seconds.get(point, 0.0)}))
                restarts = 1
                clerk = await self._clerks.begin(config, wish)
                begun = time.monotonic()
                await self._until(clerk, database, people, looked_at=found.looked_at)
            seconds = time.monotonic() - begun
            if clerk.is_dead:
                wrong.append(f"ended by itself: {clerk.told()[-400:]}")
        finally:
            await clerk.stop()
        executions = await self.flow.executed(self._side, wanted.mark)
        now = standing(database)
        wrong += wrong_in_books(database, now, executions, seconds, may_stay_unknown=self.flow.silence_proves_nothing)
        wrong += await wrong_in_chats(self._chat, database, now, at_end=True)
        async with opened(config) as rooms:
            verdict = await rooms.auditing.verify()
        if verdict.flaw_count:
            wrong.append(f"{verdict.flaw_count} flaws in the log")
        return Ran(self.flow.name, point, hit, restarts, executions, now.state, seconds, tuple(wrong))

    async def _until(self, clerk: Clerk, database: Path, people: "_People", looked_at: int | None = None) -> None:
        """Until the bot is dead, or everything is quiet for a moment.

        Args:
            looked_at: Where an outcome may stay unknown: when the provider was last asked before this start. It has
                to have been asked since.
        """
        quiet = 0
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not clerk.is_dead and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            try:
                now = standing(database)
            except sqlite3.OperationalError:  # the file is being made
                continue
            await people.act(now)
            is_known = now.state in EXECUTED or (
                now.state == "unknown"
                and self.flow.silence_proves_nothing
                and looked_at is not None
                and now.looked_at > looked_at
            )
            quiet = quiet + 1 if is_known and not now.waiting and not now.unhandled else 0
            if quiet >= 3:
                return


class _People:
    """Olga, who says her line once and then presses Ask under what she is shown; and Anna, who signs once.

    Neither says or presses the same thing again: what was taken from them is not to be lost.
    """

    def __init__(self, chat: Side, line: str, mark: str) -> None:
        self._chat = chat
        self._line = line
        self._mark = mark
        self._pressed: set[int] = set()
        self._has_signed = False

    async def act(self, now: Standing) -> None:
        """What they do as things stand."""
        if self._line:
            line, self._line = self._line, ""
            await self._chat.does("send", **{"from": OLGA, "chat": OLGA, "text": line})
        elif now.id is None:
            await self._press(OLGA, "Ask", self._mark)
        elif now.state == "pending" and not self._has_signed:
            self._has_signed = await self._press(ANNA, "Approve", now.id)

    async def _press(self, person: int, label: str, about: str) -> bool:
        """The button under a message about this, the latest first; once for each message."""
        for message in reversed((await self._chat.told("chat", id=person))["messages"]):
            number, offered = message["message_id"], buttons(message)
            if about in message.get("text", "") and label in offered and number not in self._pressed:
                self._pressed.add(number)
                tap = {"from": person, "chat": person, "message_id": number, "data": offered[label]}
                await self._chat.does("tap", **tap)
                return True
        return False


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
