"""Messages of the bot, changed: text, caption, photo or document, keyboard.

An edit replaces what it names and the keyboard; without a keyboard it takes the old one away.
Source: Telegram Bot API, sections "editMessageText", "editMessageCaption", "editMessageMedia",
"editMessageReplyMarkup", "InputMediaPhoto", "InputMediaDocument".
"""

from collections.abc import Callable, Mapping

from bot.demo.telegram import files, markup
from bot.demo.telegram.messages import message_caption, message_text, preview, reachable_chat
from bot.demo.telegram.model import Obj, bad
from bot.demo.telegram.parameters import Parameters
from bot.demo.telegram.server import Server
from bot.demo.telegram.world import Chat, StoredFile

_TEXT = ("text", "entities", "link_preview_options")
_CAPTION = ("caption", "caption_entities")
_MEDIA: Mapping[str, Callable[[StoredFile], Obj]] = {"photo": files.photo, "document": files.document}


def edit_message_text(server: Server, call: Parameters) -> Obj:
    chat, message = _own_message(server, call)
    if "text" not in message:
        raise bad("there is no text in the message to edit")
    return _edit(server, call, chat, message, message_text(call) | preview(call), _TEXT[:2])


def edit_message_caption(server: Server, call: Parameters) -> Obj:
    """Of a photo or document; an empty one takes it away."""
    chat, message = _own_message(server, call)
    if not message.keys() & _MEDIA.keys():
        raise bad("there is no caption in the message to edit")
    return _edit(server, call, chat, message, message_caption(call), _CAPTION)


def edit_message_media(server: Server, call: Parameters) -> Obj:
    """Another photo or document, with its own caption, in place of what is there, which may be a text."""
    chat, message = _own_message(server, call)
    media = call.structure("media")
    if not isinstance(media, dict):
        raise bad("can't parse InputMedia: expected an Object")
    described = Parameters(media)
    kind = described.text("type")
    if kind not in _MEDIA:
        raise bad(f'unsupported media type "{kind}" specified')
    content = _MEDIA[kind](files.named(server.world, call, described.text("media"), "media"))
    return _edit(server, call, chat, message, content | message_caption(described), (*_TEXT, *_CAPTION, *_MEDIA))


def edit_message_reply_markup(server: Server, call: Parameters) -> Obj:
    chat, message = _own_message(server, call)
    return _edit(server, call, chat, message, {}, ())


def _own_message(server: Server, call: Parameters) -> tuple[Chat, Obj]:
    """The bot's own message an edit names."""
    chat = reachable_chat(server, call)
    message = chat.messages.get(call.integer("message_id"))
    if message is None:
        raise bad("message to edit not found")
    if message["from"]["id"] != server.world.bot["id"]:
        raise bad("message can't be edited")
    return chat, message


def _edit(server: Server, call: Parameters, chat: Chat, message: Obj, content: Obj, replaced: tuple[str, ...]) -> Obj:
    """Replace those fields and the keyboard."""
    keyboard = markup.checked(call.structure("reply_markup"), private=chat.private)
    if keyboard:
        content["reply_markup"] = keyboard
    compared = (*replaced, "reply_markup")
    if all(message.get(each) == content.get(each) for each in compared):
        raise bad(
            "message is not modified: specified new message content and reply markup are exactly the same "
            "as a current content and reply markup of the message"
        )
    server.flood.check(chat, edit=True)
    return server.world.change(chat, message, content, drop=compared)
