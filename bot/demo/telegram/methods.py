"""The Bot API's methods by name, and those that are not about a message's content.

Each takes the server and the call's parameters and answers the `result`, or raises what the real server would say.
Source: Telegram Bot API, section "Available methods" and the sections named like the methods.
"""

from collections.abc import Callable
from typing import Any

from bot.demo.telegram import edits, files, menus, messages
from bot.demo.telegram.messages import known_chat, reachable_chat
from bot.demo.telegram.model import ApiError, Obj, bad, conflict
from bot.demo.telegram.parameters import Parameters
from bot.demo.telegram.server import Server
from bot.demo.telegram.webhook import Target

MAX_ANSWER = 200
_ACTIONS = {
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
}


def send_chat_action(server: Server, call: Parameters) -> bool:
    chat = reachable_chat(server, call)
    if call.text("action") not in _ACTIONS:
        raise bad("wrong parameter action in request")
    server.world.publish({"type": "typing", "chat": chat.id, "action": call.text("action")})
    return True


def answer_callback_query(server: Server, call: Parameters) -> bool:
    text = call.text("text")
    if len(text) > MAX_ANSWER:
        raise bad("MESSAGE_TOO_LONG")
    answer = server.queries.answer(call.text("callback_query_id"), text, call.text("url"), call.flag("show_alert"))
    server.world.publish({"type": "answer", **answer})
    return True


# the bot itself


def get_me(server: Server, _: Parameters) -> Obj:
    return server.world.bot


def set_my_commands(server: Server, call: Parameters) -> bool:
    key = (menus.scope_key(server.world, call.structure("scope")), call.text("language_code"))
    server.world.commands[key] = menus.checked(call.structure("commands"))
    server.world.publish({"type": "commands"})
    return True


def delete_my_commands(server: Server, call: Parameters) -> bool:
    key = (menus.scope_key(server.world, call.structure("scope")), call.text("language_code"))
    server.world.commands.pop(key, None)
    server.world.publish({"type": "commands"})
    return True


def get_my_commands(server: Server, call: Parameters) -> list[Obj]:
    key = (menus.scope_key(server.world, call.structure("scope")), call.text("language_code"))
    return server.world.commands.get(key, [])


def set_webhook(server: Server, call: Parameters) -> bool:
    certificate = call.files.get("certificate")
    pem = certificate.content.decode("ascii", "replace") if certificate else ""
    target = Target(call.text("url"), call.text("secret_token"), pem)
    _allow(server, call)
    _drop(server, call)
    server.webhook.set(target)
    server.webhook.max_connections = min(max(call.integer("max_connections", 40), 1), 100)
    server.updates.end_poll("terminated by setWebhook request")
    return True


def delete_webhook(server: Server, call: Parameters) -> bool:
    _drop(server, call)
    server.webhook.set(Target(""))
    return True


def get_webhook_info(server: Server, _: Parameters) -> Obj:
    return server.webhook.info()


def _allow(server: Server, call: Parameters) -> None:
    """Take up `allowed_updates`; absent, the earlier choice stays."""
    kinds = call.structure("allowed_updates")
    if isinstance(kinds, list):
        server.updates.allowed = frozenset(str(each) for each in kinds)


def _drop(server: Server, call: Parameters) -> None:
    if call.flag("drop_pending_updates"):
        server.updates.clear()


def prepare_poll(server: Server, call: Parameters) -> tuple[int, int, int]:
    """Offset, limit and time-out of a getUpdates call.

    Raises:
        ApiError: 409 while a webhook is set.
    """
    if server.webhook.target is not None:
        raise conflict(
            "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
        )
    _allow(server, call)
    return call.integer("offset"), call.integer("limit", 100), call.integer("timeout")


# chats and files


def get_chat(server: Server, call: Parameters) -> Obj:
    """All that a `ChatFullInfo` must have."""
    gifts = dict.fromkeys(
        ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False
    )
    more: Obj = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": gifts}
    return server.world.chat_json(known_chat(server, call)) | more


def get_chat_member(server: Server, call: Parameters) -> Obj:
    chat = known_chat(server, call)
    person_id = call.integer("user_id")
    user = server.world.bot_user() if person_id == server.world.bot["id"] else server.world.people.get(person_id)
    if user is None:
        raise bad("member not found")
    belongs = person_id in chat.members or (chat.private and person_id in (chat.id, server.world.bot["id"]))
    status = "administrator" if person_id in chat.admins else "member" if belongs else "left"
    return {"user": user, "status": status}


def get_file(server: Server, call: Parameters) -> Obj:
    stored = server.world.files.get(call.text("file_id"))
    if stored is None:
        raise bad("invalid file_id")
    if len(stored.content) > files.MAX_DOWNLOAD_BYTES:
        raise bad("file is too big")
    return {
        "file_id": stored.id,
        "file_unique_id": stored.unique_id,
        "file_size": len(stored.content),
        "file_path": stored.path,
    }


METHODS: dict[str, tuple[str, Callable[[Server, Parameters], Any]]] = {
    name.lower(): (name, function)
    for name, function in {
        "sendMessage": messages.send_message,
        "editMessageText": edits.edit_message_text,
        "answerCallbackQuery": answer_callback_query,
        "sendChatAction": send_chat_action,
        "editMessageCaption": edits.edit_message_caption,
        "editMessageMedia": edits.edit_message_media,
        "editMessageReplyMarkup": edits.edit_message_reply_markup,
        "deleteMessage": messages.delete_message,
        "deleteMessages": messages.delete_messages,
        "sendPhoto": messages.send_photo,
        "sendDocument": messages.send_document,
        "getMe": get_me,
        "setMyCommands": set_my_commands,
        "getMyCommands": get_my_commands,
        "deleteMyCommands": delete_my_commands,
        "setWebhook": set_webhook,
        "deleteWebhook": delete_webhook,
        "getWebhookInfo": get_webhook_info,
        "getChat": get_chat,
        "getChatMember": get_chat_member,
        "getFile": get_file,
    }.items()
}
"""By lower-case name, since the Bot API does not look at case; `getUpdates` waits and is in `api.py`."""


def carry_out(server: Server, method: str, call: Parameters) -> Any:
    """The `result` of one call.

    Raises:
        ApiError: The server's refusal; 404 for a method that does not exist.
    """
    known = METHODS.get(method.lower())
    if known is None:
        raise ApiError(404, "Not Found: method not found")
    return known[1](server, call)
