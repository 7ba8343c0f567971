"""Messages of the bot: sent and deleted; `edits.py` changes them.

Each function is a Bot API method in our spelling; it answers the `result`, or raises what the real server would say.
Left out for now: MarkdownV2 (only HTML is parsed), inline messages, business chats, topics, ephemeral messages.
Source: Telegram Bot API, sections named like the methods, "ReplyParameters", "LinkPreviewOptions".
"""

from bot.demo.telegram import files, formatting, markup
from bot.demo.telegram.model import Obj, bad, forbidden
from bot.demo.telegram.parameters import Parameters
from bot.demo.telegram.server import Server
from bot.demo.telegram.world import Chat

DELETE_WINDOW_SECONDS = 48 * 3600


# finding what a call is about


def known_chat(server: Server, call: Parameters) -> Chat:
    if not call.text("chat_id"):
        raise bad("chat_id is empty")
    chat = server.world.chats.get(call.integer("chat_id"))
    if chat is None:
        raise bad("chat not found")
    return chat


def reachable_chat(server: Server, call: Parameters) -> Chat:
    """The chat the bot may write to."""
    chat = known_chat(server, call)
    if chat.blocked:
        raise forbidden("bot was blocked by the user")
    if not chat.started:
        raise forbidden("bot can't initiate conversation with a user")
    if not chat.private and server.world.bot["id"] not in chat.members:
        raise forbidden(f"bot is not a member of the {chat.kind} chat")
    return chat


# what a message is made of


def _formatted(call: Parameters, name: str, limit: int) -> tuple[str, list[Obj]]:
    """Text and entities of parameter `name`, parsed, trimmed and measured."""
    raw = call.text(name)
    mode = call.text("parse_mode").lower()
    if mode == "html":
        text, entities = formatting.parse_html(raw)
    elif mode:
        raise bad("unsupported parse_mode")
    else:
        given = "entities" if name == "text" else f"{name}_entities"
        text, entities = raw, formatting.given_entities(call.structure(given), raw)
    text, entities = formatting.finish(text, entities)
    if formatting.units(text) > limit:
        raise bad("message is too long" if name == "text" else f"message {name} is too long")
    return text, entities


def message_text(call: Parameters) -> Obj:
    if not call.text("text"):
        raise bad("message text is empty")
    text, entities = _formatted(call, "text", formatting.MAX_TEXT)
    if not text:
        raise bad("text must be non-empty")
    return {"text": text, "entities": entities} if entities else {"text": text}


def message_caption(call: Parameters) -> Obj:
    text, entities = _formatted(call, "caption", formatting.MAX_CAPTION)
    if not text:
        return {}
    return {"caption": text, "caption_entities": entities} if entities else {"caption": text}


def preview(call: Parameters) -> Obj:
    options = call.structure("link_preview_options")
    if options is None:
        return {"link_preview_options": {"is_disabled": True}} if call.flag("disable_web_page_preview") else {}
    if not isinstance(options, dict):
        raise bad("can't parse link preview options: expected an Object")
    return {"link_preview_options": options}


def _reply(call: Parameters, chat: Chat) -> Obj:
    asked = call.structure("reply_parameters")
    if asked is None and call.integer("reply_to_message_id"):
        lenient = call.flag("allow_sending_without_reply")
        asked = {"message_id": call.integer("reply_to_message_id"), "allow_sending_without_reply": lenient}
    if not isinstance(asked, dict):
        return {}
    number = asked.get("message_id")
    original = chat.messages.get(number) if isinstance(number, int) else None
    if original is not None:
        return {"reply_to_message": {key: value for key, value in original.items() if key != "reply_to_message"}}
    if asked.get("allow_sending_without_reply"):
        return {}
    raise bad("message to be replied not found")


def _post(server: Server, call: Parameters, chat: Chat, content: Obj) -> Obj:
    """Everything the sending methods share, and the message itself."""
    if call.integer("message_thread_id"):
        raise bad("message thread not found")
    keyboard = markup.checked(call.structure("reply_markup"), private=chat.private)
    content |= _reply(call, chat)
    if call.flag("protect_content"):
        content["has_protected_content"] = True
    if keyboard:
        content["reply_markup"] = keyboard
    server.flood.check(chat, edit=False)
    message = server.world.post(chat, server.world.bot_user(), content)
    server.world.note_sent(chat, message)
    return message


# sending and deleting


def send_message(server: Server, call: Parameters) -> Obj:
    chat = reachable_chat(server, call)
    return _post(server, call, chat, message_text(call) | preview(call))


def send_photo(server: Server, call: Parameters) -> Obj:
    chat = reachable_chat(server, call)
    caption = message_caption(call)
    return _post(server, call, chat, files.photo(files.received(server.world, call, "photo")) | caption)


def send_document(server: Server, call: Parameters) -> Obj:
    chat = reachable_chat(server, call)
    caption = message_caption(call)
    return _post(server, call, chat, files.document(files.received(server.world, call, "document")) | caption)


def delete_message(server: Server, call: Parameters) -> bool:
    chat = reachable_chat(server, call)
    message = chat.messages.get(call.integer("message_id"))
    if message is None:
        raise bad("message to delete not found")
    if not _deletable(server, chat, message):
        raise bad("message can't be deleted")
    server.world.remove(chat, [message["message_id"]])
    return True


def delete_messages(server: Server, call: Parameters) -> bool:
    """Several at once; those that are not there are skipped, and so are those that may not go."""
    chat = reachable_chat(server, call)
    numbers = call.structure("message_ids")
    if not isinstance(numbers, list) or not 1 <= len(numbers) <= 100:
        raise bad("message identifiers are not specified" if not numbers else "too many message identifiers specified")
    found = [chat.messages[each] for each in numbers if isinstance(each, int) and each in chat.messages]
    server.world.remove(chat, [each["message_id"] for each in found if _deletable(server, chat, each)])
    return True


def _deletable(server: Server, chat: Chat, message: Obj) -> bool:
    """Younger than 48 hours; in a group the bot's own, or any if it is administrator."""
    if server.world.now_seconds() - message["date"] >= DELETE_WINDOW_SECONDS:
        return False
    bot_id = server.world.bot["id"]
    return chat.private or message["from"]["id"] == bot_id or bot_id in chat.admins
