"""The control side of Telegram's simulator: what people do, and what can be seen from outside.

    POST people      {"people":[{"id","first_name","username"?,"started"?}],
                      "groups":[{"id","title","members","admins"?,"bot"?}], "bot"?:{"reads_all"}}
                     a group contains the bot unless its "bot" is false
    POST send        {"from","chat","text","reply_to"?,"message"?} → {"message_id","update_id"}
                     `message` holds further raw fields; update_id is null where the bot's privacy mode hides it
    POST upload      ?from=&chat=&name=&caption= the file as the body, of its content type → as for send
    POST edit        {"from","chat","message_id","text"} → {"update_id"}
    POST delete      {"from","chat","message_id"}; as in Telegram, the bot is not told
    POST tap         {"from","chat","message_id","data"} → {"callback_query_id","update_id"}
    POST updates     {"updates":[raw…]}; update_id is assigned when absent → {"update_ids"}
    GET  open        ?from=&chat=&message_id=&url= what a client opens for a Mini App's button: 303 to it
    POST flood       {"enabled"} · POST block {"user","blocked"?}
    GET  chat        ?id=&as= the chat as this person sees it, with its command menu
    GET  deliveries  ?method=&since= every call the bot made · GET answers · GET state · GET file ?id=
    WS   stream      events: message, edit, delete, typing, answer, commands, read

A person who is not known becomes one by writing. Bad requests get 400 and {"error"}.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from bot.demo.telegram import files, formatting, menus, miniapp
from bot.demo.telegram.api import BotApi
from bot.demo.telegram.model import Obj
from bot.demo.telegram.server import Server
from bot.demo.telegram.stream import Stream
from bot.demo.telegram.world import Chat


class Controls:
    """Routes below `/_sim`."""

    def __init__(self, server: Server, api: BotApi, stream: Stream) -> None:
        self.server = server
        self.world = server.world
        self.api = api
        self.stream = stream

    def routes(self) -> list[BaseRoute]:
        posts: dict[str, Callable[[Obj], Obj]] = {
            "/people": self.people,
            "/send": self.send,
            "/edit": self.edit,
            "/delete": self.delete,
            "/tap": self.tap,
            "/updates": self.inject,
            "/flood": self.flood,
            "/block": self.block,
        }
        return [
            *(Route(path, _posted(act), methods=["POST"]) for path, act in posts.items()),
            Route("/chat", self.chat),
            Route("/deliveries", self.deliveries),
            Route("/answers", self.answers),
            Route("/state", self.state),
            Route("/file", self.file),
            Route("/open", self.open),
            Route("/upload", self.upload, methods=["POST"]),
            WebSocketRoute("/stream", self.stream.listen),
        ]

    # what people do

    def people(self, asked: Obj) -> Obj:
        for each in asked.get("people", []):
            self.world.meet(each)
        for each in asked.get("groups", []):
            members = list(each.get("members", []))
            if each.get("bot", True):
                members.append(self.world.bot["id"])
            self.world.found({**each, "members": members})
        if "bot" in asked:
            self.world.bot["can_read_all_group_messages"] = bool(asked["bot"]["reads_all"])
        return {"people": len(self.world.people), "chats": len(self.world.chats)}

    def send(self, asked: Obj) -> Obj:
        chat = self._chat(asked["chat"])
        text, entities = formatting.finish(str(asked.get("text", "")), [])
        content: Obj = {"text": text} if text else {}
        if entities:
            content["entities"] = entities
        original = chat.messages.get(int(asked.get("reply_to") or 0))
        if original is not None:
            content["reply_to_message"] = {k: v for k, v in original.items() if k != "reply_to_message"}
        return self._said(int(asked["from"]), chat, content | dict(asked.get("message") or {}))

    def _said(self, person_id: int, chat: Chat, content: Obj) -> Obj:
        person = self.world.person(person_id)
        if chat.private:
            chat.started, chat.blocked = True, False  # who writes has opened the chat
        message = self.world.post(chat, person, content)
        told = self._heard(chat, message)
        update_id = self.server.updates.push({"message": message}) if told else None
        return {"message_id": message["message_id"], "update_id": update_id}

    def edit(self, asked: Obj) -> Obj:
        chat, message = self._own_message(asked)
        text, entities = formatting.finish(str(asked["text"]), [])
        content: Obj = {"text": text, "entities": entities} if entities else {"text": text}
        changed = self.world.change(chat, message, content, drop=("text", "entities"))
        told = self._heard(chat, changed)
        return {"update_id": self.server.updates.push({"edited_message": changed}) if told else None}

    def delete(self, asked: Obj) -> Obj:
        chat, message = self._own_message(asked)
        self.world.remove(chat, [message["message_id"]])
        return {"deleted": message["message_id"]}

    def _own_message(self, asked: Obj) -> tuple[Chat, Obj]:
        chat = self._chat(asked["chat"])
        message = chat.messages[int(asked["message_id"])]
        if message["from"]["id"] != int(asked["from"]):
            raise ValueError("only its sender changes a message")
        return chat, message

    def tap(self, asked: Obj) -> Obj:
        person = self.world.person(int(asked["from"]))
        chat = self._chat(asked["chat"])
        number = int(asked["message_id"])
        gone: Obj = {"chat": self.world.chat_json(chat), "message_id": number, "date": 0}
        query_id = self.server.queries.open(person["id"])
        query: Obj = {
            "id": query_id,
            "from": person,
            "message": chat.messages.get(number, gone),
            "chat_instance": str(abs(chat.id) * 7919),
            "data": str(asked["data"]),
        }
        return {"callback_query_id": query_id, "update_id": self.server.updates.push({"callback_query": query})}

    def inject(self, asked: Obj) -> Obj:
        return {"update_ids": [self.server.updates.push(each) for each in asked["updates"]]}

    def flood(self, asked: Obj) -> Obj:
        self.server.flood.enable(bool(asked["enabled"]))
        return {"enabled": self.server.flood.enabled}

    def block(self, asked: Obj) -> Obj:
        """The person blocks the bot (or no longer does); the bot is told as Telegram tells it."""
        person = self.world.person(int(asked["user"]))
        chat = self._chat(person["id"])
        was, chat.blocked = chat.blocked, bool(asked.get("blocked", True))
        states = {True: "kicked", False: "member"}
        bot = self.world.bot_user()
        change: Obj = {
            "chat": self.world.chat_json(chat),
            "from": person,
            "date": self.world.now_seconds(),
            "old_chat_member": {"user": bot, "status": states[was]},
            "new_chat_member": {"user": bot, "status": states[chat.blocked], "until_date": 0},
        }
        update_id = self.server.updates.push({"my_chat_member": change}) if was != chat.blocked else None
        return {"blocked": chat.blocked, "update_id": update_id}

    def _chat(self, raw: Any) -> Chat:
        """A chat by id; a positive one is a private chat and may begin now."""
        chat_id = int(raw)
        if chat_id > 0:
            self.world.person(chat_id)
        return self.world.chats[chat_id]

    def _heard(self, chat: Chat, message: Obj) -> bool:
        """Whether the bot gets this message: in groups its privacy mode leaves commands and replies to it."""
        bot = self.world.bot
        if chat.private or bot["can_read_all_group_messages"] or bot["id"] in chat.admins:
            return True
        if bot["id"] not in chat.members:
            return False
        if message.get("reply_to_message", {}).get("from", {}).get("id") == bot["id"] or "text" not in message:
            return True
        command, _, addressed = message["text"].partition(" ")[0].partition("@")
        return command.startswith("/") and addressed.lower() in ("", bot["username"].lower())

    async def open(self, request: Request) -> Response:
        """A person presses a button that opens a Mini App; only one that is there, in their own chat with the bot."""
        asked = request.query_params
        try:
            person, chat = self.world.people[int(asked["from"])], self.world.chats[int(asked["chat"])]
            message = chat.messages[int(asked["message_id"])]
        except (KeyError, ValueError):
            return _json({"error": "no such message"}, 404)
        rows = message.get("reply_markup", {}).get("inline_keyboard", [])
        offered = [key["web_app"]["url"] for row in rows for key in row if "web_app" in key]
        if asked.get("url") not in offered or chat.id != person["id"]:
            return _json({"error": "no such button"}, 404)
        address = miniapp.launched(asked["url"], person, chat, self.api.token, self.world.now_seconds())
        headers = {"location": address, "referrer-policy": "no-referrer", "cache-control": "no-store"}
        return Response(status_code=303, headers=headers)

    async def upload(self, request: Request) -> Response:
        """A person sends a document."""
        asked, parts = request.query_params, bytearray()
        async for piece in request.stream():
            parts += piece
            if len(parts) > files.MAX_DOWNLOAD_BYTES:
                return _json({"error": "larger than a bot may fetch"}, 413)
        try:
            person_id, chat = int(asked["from"]), self._chat(asked["chat"])
        except (KeyError, ValueError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)
        name, kind = asked.get("name") or "file", request.headers.get("content-type", "application/octet-stream")
        content = files.document(self.world.keep_file(name, kind, bytes(parts)))
        if asked.get("caption"):
            content["caption"] = asked["caption"]
        return _json(self._said(person_id, chat, content))

    # what can be seen

    async def chat(self, request: Request) -> Response:
        chat = self.world.chats.get(int(request.query_params["id"]))
        if chat is None:
            return _json({"error": "no such chat"}, 404)
        viewer = int(request.query_params.get("as") or 0)
        shown = {
            "chat": self.world.chat_json(chat),
            "messages": list(chat.messages.values()),
            "commands": menus.seen_by(self.world, chat, viewer),
            "blocked": chat.blocked,
        }
        return _json(shown)

    async def deliveries(self, request: Request) -> Response:
        since = int(request.query_params.get("since") or 0)
        return _json({"deliveries": self.api.delivered(request.query_params.get("method", ""), since)})

    async def answers(self, _: Request) -> Response:
        return _json({"answers": list(self.server.queries.answers)})

    async def state(self, _: Request) -> Response:
        updates = self.server.updates
        return _json(
            {
                "pending": [msgspec.json.decode(each.raw) for each in updates.waiting()],
                "offset": updates.offset,
                "allowed_updates": sorted(updates.allowed),
                "webhook": self.server.webhook.info(),
                "commands": [
                    {"scope": scope, "language_code": language, "commands": commands}
                    for (scope, language), commands in self.world.commands.items()
                ],
                "flood": {"enabled": self.server.flood.enabled, "refused": self.server.flood.refused},
                "bot": self.world.bot,
            }
        )

    async def file(self, request: Request) -> Response:
        stored = self.world.files.get(request.query_params.get("id", ""))
        if stored is None:
            return _json({"error": "no such file"}, 404)
        inert = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'"}
        picture = stored.media_type in ("image/png", "image/jpeg")
        return Response(
            stored.content, media_type=stored.media_type if picture else "application/octet-stream", headers=inert
        )


def _json(value: Obj, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _posted(act: Callable[[Obj], Obj]) -> Callable[[Request], Awaitable[Response]]:
    """A route around one act: JSON object in, JSON object out."""

    async def route(request: Request) -> Response:
        try:
            asked = msgspec.json.decode(await request.body(), type=dict[str, Any])
            return _json(act(asked))
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError, AttributeError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)

    return route
