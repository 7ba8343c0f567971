"""The desk at work: people write in a simulated Telegram, the real bot reads and answers over sockets.

Everything is in one process, so that a test can look into any room; Telegram and the providers are reached through
their sockets all the same. Pacing is lifted, because most tests are not about it.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
from telegram import Update
from telegram.ext import TypeHandler

from bot.access.model import Person, Role
from bot.demo.telegram import make
from bot.demo.telegram.simulator import TelegramSimulator
from bot.loopback.server import Listening, serving
from bot.operations.credentials import Wanted
from bot.operations.linked import Connection
from bot.providers.records import Environment
from bot.secret import Secret
from bot.wiring import House
from handlers.running import Running, running
from tests.support.audited import recorded
from tests.support.desk import GROUP, opened, write_desk
from tests.support.replies import Replies, deliver

ADAM, OLGA, VERA, ANNA, SUSPENDED, STRANGER = 1001, 1002, 1003, 1004, 1005, 6666
OTHER_GROUP = -1_009_999_999_999
MEMBERS = (
    (OLGA, "Olga", ["operator"]),
    (VERA, "Vera", ["viewer"]),
    (ANNA, "Anna", ["approver"]),
    (SUSPENDED, "Sid", ["operator"]),
)
NO_PACING = "[telegram.pacing]\nper_chat_per_second = 0\noverall_per_second = 0\ngroup_per_minute = 0"
NOBODY_LISTENS = "127.0.0.1:9"
PROVIDERS = ("capital", "deriv", "cryptocapital", "crm")
Message = dict[str, Any]
OLGA_IS = (
    "You are Olga: operator. You may read balances and positions, ask for money movements, link provider logins, "
    "freeze the desk, say what became of a request.\nTelegram id 1002"
)
"""What /whoami tells the operator."""


class WalkingClock:
    """The machine's time, put forward by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def ahead_by(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead.total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Also over when the time was put forward meanwhile."""
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.01))


async def until(true: Callable[[], object], seconds: float = 15) -> None:
    """Wait until something out of our hands has become true."""
    async with asyncio.timeout(seconds):
        while not true():  # the other side of a socket sets no event
            await asyncio.sleep(0.003)


def buttons(message: Message) -> dict[str, str]:
    """Label → callback data."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return {button["text"]: button["callback_data"] for row in rows for button in row if "callback_data" in button}


def texts(messages: Sequence[Message]) -> list[str]:
    return [message.get("text", "") for message in messages]


@dataclass
class Chat:
    """A simulated Telegram with the desk's people in it."""

    simulator: TelegramSimulator
    listening: Listening
    http: httpx.AsyncClient
    next_message: int = 5_000_000

    @property
    def token(self) -> str:
        return str(self.listening.credentials["bot_token"])

    async def play(self, act: str, **what: Any) -> dict[str, Any]:
        """One act of the control side."""
        answer = await self.http.post(f"{self.listening.control}/{act}", json=what)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def faults(self, *script: Mapping[str, Any]) -> None:
        answer = await self.http.post(f"{self.listening.control}/faults", json=list(script))
        assert answer.status_code == 200, answer.text

    def messages(self, chat: int) -> list[Message]:
        found = self.simulator.world.chats.get(chat)
        return list(found.messages.values()) if found else []

    def from_bot(self, chat: int) -> list[Message]:
        return [message for message in self.messages(chat) if message["from"]["is_bot"]]

    def everything_said(self) -> list[Message]:
        return [message for chat in self.simulator.world.chats for message in self.from_bot(chat)]

    def calls(self, method: str = "") -> list[dict[str, Any]]:
        """What the bot asked of Telegram, updates left out."""
        calls = self.simulator.api.delivered(method, 0)
        return [call for call in calls if call["method"] != "getUpdates"]

    def message_from(self, person: int, text: str, chat: int | None = None, **more: Any) -> Message:
        """A raw message as Telegram would put it into an update."""
        self.next_message += 1
        chat = person if chat is None else chat
        kind = "private" if chat > 0 else "supergroup"
        where = {"id": chat, "type": kind, **({"first_name": "P"} if chat > 0 else {"title": "G"})}
        message = {
            "message_id": self.next_message,
            "from": {"id": person, "is_bot": False, "first_name": f"P{person}"},
            "chat": where,
            "date": 1_790_000_000,
            "text": text,
        }
        if text.startswith("/"):
            command = re.match(r"/\S*", text)
            length = len(command[0]) if command else 0
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
        return {**message, **more}


@asynccontextmanager
async def telegram(seed: int = 7) -> AsyncIterator[Chat]:
    """Telegram alone, with people and groups."""
    simulator = make(seed)
    async with serving(simulator) as listening, httpx.AsyncClient(trust_env=False, verify=False, timeout=20) as http:
        chat = Chat(simulator, listening, http)
        people = [{"id": number, "first_name": name} for number, name, _ in MEMBERS]
        people += [{"id": ADAM, "first_name": "Adam"}, {"id": STRANGER, "first_name": "Mallory"}]
        await chat.play(
            "people",
            people=people,
            groups=[
                {"id": GROUP, "title": "Desk", "members": [each["id"] for each in people]},
                {"id": OTHER_GROUP, "title": "Elsewhere", "members": [each["id"] for each in people]},
            ],
        )
        yield chat


def addresses(name: str, listening: Listening | None) -> dict[str, str]:
    """The settings that lead to a simulator, or to a port where nobody listens."""
    http = listening.http if listening else f"http://{NOBODY_LISTENS}"
    ws = listening.ws if listening else f"ws://{NOBODY_LISTENS}"
    match name:
        case "capital":
            return {"demo_url": http, "live_url": http}
        case "deriv":
            return {"url": f"{ws}/websockets/v3"}
        case "cryptocapital":
            key = {"server_public_key": str(listening.credentials["server_public_key"])} if listening else {}
            return {"url": ws, **key}
        case _:
            return {"url": http}


def login_of(name: str, credentials: Mapping[str, Any]) -> dict[str, str]:
    """What a person would type to link this simulator, in the order they are asked."""
    match name:
        case "capital":
            return {key: credentials[key] for key in ("api_key", "identifier", "password")}
        case "deriv":
            return {"app_id": str(credentials["app_id"]), "token": credentials["token"]}
        case "cryptocapital":
            return {"private_key": credentials["private_key"], "accounts": ", ".join(credentials["accounts"])}
        case _:
            return {"api_key": credentials["api_key"]}


@asynccontextmanager
async def providers(*names: str) -> AsyncIterator[dict[str, Listening]]:
    """Simulators of these providers; they end side by side, because each takes its moment."""
    stands = [serving(import_module(f"bot.providers.{name}.simulator").make(7)) for name in names]
    begun = [await stand.__aenter__() for stand in stands]
    try:
        yield dict(zip(names, begun, strict=True))
    finally:
        await asyncio.gather(*(stand.__aexit__(None, None, None) for stand in stands))


def configured(folder: Path, chat: Chat, sides: Mapping[str, Listening] | None = None, more: str = NO_PACING) -> Path:
    """The configuration that leads to these simulators."""
    return write_desk(
        folder,
        admins=[ADAM],
        members=MEMBERS,
        telegram_url=chat.listening.http,
        token=chat.token,
        providers={name: addresses(name, (sides or {}).get(name)) for name in PROVIDERS},
        more=more,
    )


@dataclass
class Desk:
    """The bot at work."""

    chat: Chat
    rooms: House
    work: Running
    clock: WalkingClock
    sides: Mapping[str, Listening]
    passed: list[Update] = field(default_factory=list)
    """Updates the gate let through."""

    def __post_init__(self) -> None:
        self._replies = Replies(self.work)

    def person(self, telegram_id: int) -> Person:
        person = self.rooms.access.roster.person(telegram_id)
        assert person is not None
        return person

    async def says(self, person: int, text: str, chat: int | None = None, **message: Any) -> list[Message]:
        """A person writes; what the bot then answers in that chat. What its outbox delivers there is no answer."""
        place = person if chat is None else chat
        sent = await self.chat.play("send", **{"from": person, "chat": place, "text": text, "message": message})
        await self.settled()
        return self._answers(place, sent["message_id"])

    async def said(self, person: int, text: str, chat: int | None = None) -> str:
        """The same, when it is one message: its text."""
        answers = await self.says(person, text, chat)
        assert len(answers) == 1, texts(answers)
        return str(answers[0].get("text", ""))

    async def said_on_all_pages(self, person: int, text: str) -> str:
        """The same, when it may have pages: all of them, turned one by one."""
        (answer,) = await self.says(person, text)
        pages = [str(answer["text"])]
        while (label := f"{len(pages) + 1} ›") in buttons(self.now(answer)):
            await self.taps(person, self.now(answer), label)
            pages.append(str(self.now(answer)["text"]))
        return "\n".join(pages)

    async def taps(self, person: int, message: Message, label: str) -> list[Message]:
        """A person presses a button of a message; what the bot then says anew in that chat."""
        return await self.taps_data(person, message, buttons(message)[label])

    async def taps_data(self, person: int, message: Message, data: str) -> list[Message]:
        chat = message["chat"]["id"]
        before = max(self.chat.simulator.world.chats[chat].messages, default=0)
        await self.chat.play("tap", **{"from": person, "chat": chat, "message_id": message["message_id"], "data": data})
        await self.settled()
        return self._answers(chat, before)

    def _answers(self, chat: int, after: int) -> list[Message]:
        new = (each for each in self.chat.from_bot(chat) if each["message_id"] > after)
        return [each for each in new if each in self._replies]

    def now(self, message: Message) -> Message:
        """The message as it is by now."""
        return self.chat.simulator.world.chats[message["chat"]["id"]].messages[message["message_id"]]

    def toasts(self) -> list[str]:
        return [answer["text"] for answer in self.chat.simulator.server.queries.answers]

    async def happens(self, *updates: dict[str, Any]) -> None:
        """Raw updates arrive, and are dealt with."""
        await self.chat.play("updates", updates=list(updates))
        await self.settled()

    async def settled(self) -> None:
        """Everything that was sent to the bot has been dealt with."""
        waiting, queues = self.chat.simulator.server.updates.waiting, self.work.intake.queues
        await until(lambda: not waiting() and not queues.waiting, 40)

    async def link(
        self,
        name: str,
        owner: int = OLGA,
        label: str = "main",
        share: Sequence[Role] = tuple(Role),
        environment: Environment = Environment.LIVE,
    ) -> Connection:
        """Link a simulator without the conversation."""
        fields = {key: Secret(text) for key, text in login_of(name, self.sides[name].credentials).items()}
        wanted = Wanted(name, label, environment, fields, frozenset(share))
        by = self.person(owner)
        connection, _ = await self.rooms.credentials.link(by, wanted, self.rooms.access.roster, telegram_id=owner)
        return connection

    def refused(self, reason: str) -> int:
        return self.rooms.pulse.refused.get(reason, 0)


@asynccontextmanager
async def at_work(
    config: Path,
    chat: Chat,
    sides: Mapping[str, Listening] | None = None,
    *,
    polling: bool = True,
    notifying: bool = True,
) -> AsyncIterator[Desk]:
    """The bot runs for the length of the block."""
    clock = WalkingClock()
    async with recorded(opened(config, clock)) as rooms:
        await _suspend(rooms)
        async with running(rooms) as work:
            desk = Desk(chat, rooms, work, clock, sides or {})
            work.desk.add_handler(TypeHandler(Update, _noting(desk)), group=9)
            tasks = [asyncio.create_task(deliver(work))] if notifying else []
            if polling:
                tasks.append(asyncio.create_task(work.poll()))
            try:
                yield desk
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def at_work_with(folder: Path, chat: Chat, *names: str) -> AsyncIterator[Desk]:
    """The same before the simulators of these providers, with nobody's login linked."""
    async with providers(*names) as sides, at_work(configured(folder, chat, sides), chat, sides) as desk:
        yield desk


def _noting(desk: Desk) -> Any:
    async def note(update: Update, _: Any) -> None:
        desk.passed.append(update)

    return note


async def _suspend(rooms: House) -> None:
    """One of the people may not come in any more."""
    await rooms.database.write(
        lambda tables: tables.conn.execute(
            "UPDATE persons SET state = 'suspended' WHERE id ="
            " (SELECT person_id FROM telegram_ids WHERE telegram_id = ?)",
            (SUSPENDED,),
        )
    )
    with contextlib.suppress(AttributeError):
        await rooms.access.refresh()
