"""The command menus: seven scopes, languages, and which menu a person sees where.

Source: Telegram Bot API, sections "BotCommandScope", "Determining list of commands".
"""

import re
from typing import Any

from bot.demo.telegram.model import Obj, bad
from bot.demo.telegram.world import Chat, World

MAX_COMMANDS = 100
_NAME = re.compile(r"[a-z0-9_]{1,32}")
_PLAIN = ("default", "all_private_chats", "all_group_chats", "all_chat_administrators")
_OF_CHAT = ("chat", "chat_administrators", "chat_member")


def scope_key(world: World, raw: Any) -> str:
    """One text for a BotCommandScope: `default`, `chat:<id>`, `chat_member:<chat>:<user>` …

    Raises:
        ApiError: No such scope, or no such chat.
    """
    if raw is None:
        return "default"
    kind = raw.get("type") if isinstance(raw, dict) else None
    if kind in _PLAIN:
        return str(kind)
    if kind not in _OF_CHAT:
        raise bad("can't parse BotCommandScope: unsupported type specified")
    chat = world.chats.get(_number(raw.get("chat_id")))
    if chat is None:
        raise bad("chat not found")
    if kind == "chat":
        return f"chat:{chat.id}"
    if chat.private:
        raise bad("can't change the commands of a private chat by this scope")
    return f"{kind}:{chat.id}" if kind == "chat_administrators" else f"{kind}:{chat.id}:{_number(raw.get('user_id'))}"


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def checked(raw: Any) -> list[Obj]:
    """The `commands` parameter.

    Raises:
        ApiError: Not a list of commands, too many, or a name or description that is refused.
    """
    if not isinstance(raw, list):
        raise bad("can't parse commands: expected an Array of BotCommand")
    if len(raw) > MAX_COMMANDS:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for each in raw:
        if not isinstance(each, dict) or not _NAME.fullmatch(str(each.get("command", "")).removeprefix("/")):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= len(str(each.get("description", ""))) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    return [{**each, "command": each["command"].removeprefix("/")} for each in raw]


def seen_by(world: World, chat: Chat, person_id: int) -> list[Obj]:
    """The menu this person's client shows in this chat: the narrowest scope that has one."""
    language = str(world.people.get(person_id, {}).get("language_code", ""))
    for scope in _narrowest_first(chat, person_id):
        for tongue in (language, ""):
            commands = world.commands.get((scope, tongue))
            if commands:
                return commands
    return []


def _narrowest_first(chat: Chat, person_id: int) -> list[str]:
    if chat.private:
        return [f"chat:{chat.id}", "all_private_chats", "default"]
    scopes = [f"chat_member:{chat.id}:{person_id}"]
    administrator = person_id in chat.admins
    if administrator:
        scopes.append(f"chat_administrators:{chat.id}")
    scopes.append(f"chat:{chat.id}")
    if administrator:
        scopes.append("all_chat_administrators")
    return [*scopes, "all_group_chats", "default"]
