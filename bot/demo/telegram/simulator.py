"""Puts the parts of Telegram's simulator together."""

from collections.abc import Mapping, Sequence
from random import Random
from string import ascii_letters, digits
from typing import Any

import msgspec
from starlette.routing import BaseRoute, Mount

from bot.clock import Clock
from bot.demo.telegram.api import BotApi
from bot.demo.telegram.controls import Controls
from bot.demo.telegram.flood import Flood
from bot.demo.telegram.model import Obj
from bot.demo.telegram.queries import Queries
from bot.demo.telegram.server import Server
from bot.demo.telegram.stream import Stream
from bot.demo.telegram.updates import Pending, Updates
from bot.demo.telegram.webhook import Webhook
from bot.demo.telegram.world import World
from bot.loopback.simulator import LedgerEntry, Switches


class TelegramSimulator:
    """One Telegram with one bot."""

    name = "telegram"

    def __init__(self, seed: int, clock: Clock) -> None:
        random = Random(seed)
        bot_id = random.randrange(6_000_000_000, 7_999_999_999)
        self.token = f"{bot_id}:" + "".join(random.choices(ascii_letters + digits + "_-", k=35))
        self.switches = Switches()
        self.stream = Stream()
        self.world = World(clock, _bot(bot_id), self.stream.publish)
        updates = Updates(clock, random.randrange(100_000_000, 900_000_000), self._read)
        queries = Queries(clock, random.randrange(10**17, 10**18))
        self.server = Server(self.world, updates, Webhook(updates), Flood(clock, self.switches), queries)
        self.api = BotApi(self.server, self.token)
        self._controls = Controls(self.server, self.api, self.stream)

    def routes(self) -> Sequence[BaseRoute]:
        return [Mount("", app=self.api)]

    def controls(self) -> Sequence[BaseRoute]:
        return self._controls.routes()

    def credentials(self) -> Mapping[str, Any]:
        return {"bot_token": self.token}

    def ledger(self) -> Sequence[LedgerEntry]:
        return self.world.ledger()

    def dump(self) -> Mapping[str, Any]:
        return {
            "token": self.token,
            "bot": self.world.bot,
            "world": self.world.dump(),
            "updates": self.server.updates.dump(),
            "queries": self.server.queries.dump(),
            "webhook": self.server.webhook.dump(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.token = state["token"]
        self.api.admit_only(self.token)
        self.world.bot = state["bot"]
        self.world.load(state["world"])
        self.server.updates.load(state["updates"])
        self.server.queries.load(state["queries"])
        self.server.webhook.resume(state["webhook"])

    def _read(self, confirmed: Sequence[Pending]) -> None:
        """The bot has these updates for good: their chats show its tick."""
        if not self.stream.heard:
            return
        for update in confirmed:
            if update.kind == "message":
                chat = msgspec.json.decode(update.raw)["message"].get("chat", {}).get("id")
                self.stream.publish({"type": "read", "chat": chat})


def _bot(bot_id: int) -> Obj:
    return {
        "id": bot_id,
        "is_bot": True,
        "first_name": "Countersign",
        "username": "countersign_demo_bot",
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }
