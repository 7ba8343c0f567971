"""Everything Telegram knows in this play: people, chats, messages, files, command menus.

Only rules that hold whoever asks live here. What the bot may do is in `methods.py`, what people do in `controls.py`.
History is bounded: a chat keeps its newest `HISTORY` messages, the server its newest `FILES` files.
"""

import base64
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bot.clock import Clock, to_millis
from bot.demo.telegram.model import Obj
from bot.loopback.simulator import LedgerEntry

HISTORY = 1000
FILES = 200
LEDGER = 100_000
SUPERGROUP_BELOW = -1_000_000_000_000


@dataclass(slots=True)
class Chat:
    """One chat of the bot: a private one has the person's id."""

    id: int
    kind: str
    title: str = ""
    members: list[int] = field(default_factory=list)
    admins: list[int] = field(default_factory=list)
    started: bool = True
    blocked: bool = False
    messages: dict[int, Obj] = field(default_factory=dict)

    @property
    def private(self) -> bool:
        return self.kind == "private"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file the bot or a person sent."""

    id: str
    name: str
    media_type: str
    content: bytes

    @property
    def unique_id(self) -> str:
        return f"u{self.id}"

    @property
    def path(self) -> str:
        """Where `getFile` says it lies."""
        folder = "photos" if self.media_type.startswith("image/") else "documents"
        return f"{folder}/{self.id}"


class World:
    """The server's state.

    Args:
        publish: Told of each change, as an event of the control side's stream.
    """

    def __init__(self, clock: Clock, bot: Obj, publish: Callable[[Obj], None]) -> None:
        self.clock = clock
        self.bot = bot
        self.publish = publish
        self.people: dict[int, Obj] = {}
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, StoredFile] = {}
        self.commands: dict[tuple[str, str], list[Obj]] = {}
        self.sent: deque[tuple[int, int, int]] = deque(maxlen=LEDGER)
        self.next_message_id = 1
        self.next_file = 1

    def bot_user(self) -> Obj:
        """The bot as messages name it: without what only getMe tells."""
        return {key: self.bot[key] for key in ("id", "is_bot", "first_name", "username")}

    def now_seconds(self) -> int:
        return int(self.clock.now().timestamp())

    def now_ms(self) -> int:
        return to_millis(self.clock.now())

    # people and chats

    def person(self, person_id: int) -> Obj:
        """A person; whoever is not known yet is a stranger who walks in."""
        if person_id not in self.people:
            self.meet({"id": person_id, "first_name": f"Person {person_id}"})
        return self.people[person_id]

    def meet(self, raw: Obj) -> None:
        """Make a person known, with their private chat; known ones are renamed."""
        person: Obj = {
            "id": int(raw["id"]),
            "is_bot": bool(raw.get("is_bot", False)),
            "first_name": str(raw["first_name"]),
        }
        person.update({key: raw[key] for key in ("last_name", "username") if raw.get(key)})
        person["language_code"] = str(raw.get("language_code", "en"))
        self.people[person["id"]] = person
        chat = self.chats.setdefault(person["id"], Chat(person["id"], "private"))
        chat.started = bool(raw.get("started", chat.started))

    def found(self, raw: Obj) -> None:
        """Make a group known; ids below -10^12 are supergroups."""
        group_id = int(raw["id"])
        kind = "supergroup" if group_id < SUPERGROUP_BELOW else "group"
        chat = self.chats.setdefault(group_id, Chat(group_id, kind))
        chat.title = str(raw.get("title", chat.title))
        chat.members = [int(each) for each in raw.get("members", chat.members)]
        chat.admins = [int(each) for each in raw.get("admins", chat.admins)]

    def chat_json(self, chat: Chat) -> Obj:
        """The Chat object inside messages."""
        if not chat.private:
            return {"id": chat.id, "title": chat.title, "type": chat.kind}
        person = self.people[chat.id]
        names: Obj = {key: person[key] for key in ("first_name", "last_name", "username") if key in person}
        return {"id": chat.id, **names, "type": "private"}

    # messages

    def post(self, chat: Chat, sender: Obj, content: Obj) -> Obj:
        """A new message. `content` is everything of it but id, sender, chat and date."""
        message: Obj = {
            "message_id": self.next_message_id,
            "from": sender,
            "chat": self.chat_json(chat),
            "date": self.now_seconds(),
            **content,
        }
        self.next_message_id += 1
        messages = chat.messages
        messages[message["message_id"]] = message
        if len(messages) > HISTORY:
            del messages[next(iter(messages))]
        self.publish({"type": "message", "chat": chat.id, "message": message})
        return message

    def change(self, chat: Chat, message: Obj, content: Obj, *, drop: Iterable[str] = ()) -> Obj:
        """The same message with other content; messages are replaced, never altered in place."""
        changed = {key: value for key, value in message.items() if key not in set(drop)} | content
        changed["edit_date"] = self.now_seconds()
        chat.messages[message["message_id"]] = changed
        self.publish({"type": "edit", "chat": chat.id, "message": changed})
        return changed

    def remove(self, chat: Chat, message_ids: Iterable[int]) -> None:
        gone = [each for each in message_ids if chat.messages.pop(each, None) is not None]
        self.publish({"type": "delete", "chat": chat.id, "message_ids": gone})

    def note_sent(self, chat: Chat, message: Obj) -> None:
        """The bot's own message goes into the ledger."""
        self.sent.append((message["message_id"], chat.id, self.now_ms()))

    def ledger(self) -> list[LedgerEntry]:
        return [
            LedgerEntry(f"m{number}", "message", "bot", str(chat), "", "", str(number), at_ms)
            for number, chat, at_ms in self.sent
        ]

    # files

    def keep_file(self, name: str, media_type: str, content: bytes) -> StoredFile:
        stored = StoredFile(f"F{self.next_file:06d}-{len(content):x}", name, media_type, content)
        self.next_file += 1
        self.files[stored.id] = stored
        if len(self.files) > FILES:
            del self.files[next(iter(self.files))]
        return stored

    # the state file

    def dump(self) -> Obj:
        return {
            "people": list(self.people.values()),
            "chats": [
                {
                    "id": chat.id,
                    "kind": chat.kind,
                    "title": chat.title,
                    "members": chat.members,
                    "admins": chat.admins,
                    "started": chat.started,
                    "blocked": chat.blocked,
                    "messages": list(chat.messages.values()),
                }
                for chat in self.chats.values()
            ],
            "files": [
                {
                    "id": f.id,
                    "name": f.name,
                    "media_type": f.media_type,
                    "content": base64.b64encode(f.content).decode(),
                }
                for f in self.files.values()
            ],
            "commands": [[scope, language, commands] for (scope, language), commands in self.commands.items()],
            "sent": [list(each) for each in self.sent],
            "next_message_id": self.next_message_id,
            "next_file": self.next_file,
        }

    def load(self, state: Any) -> None:
        self.people = {each["id"]: each for each in state["people"]}
        self.chats = {}
        for raw in state["chats"]:
            messages = {each["message_id"]: each for each in raw["messages"]}
            self.chats[raw["id"]] = Chat(**{**raw, "messages": messages})
        self.files = {
            raw["id"]: StoredFile(raw["id"], raw["name"], raw["media_type"], base64.b64decode(raw["content"]))
            for raw in state["files"]
        }
        self.commands = {(scope, language): commands for scope, language, commands in state["commands"]}
        self.sent = deque((tuple(each) for each in state["sent"]), maxlen=LEDGER)
        self.next_message_id = state["next_message_id"]
        self.next_file = state["next_file"]
