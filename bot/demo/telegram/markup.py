"""Reply markup: what the Bot API accepts, and what of it a message shows.

Source: Telegram Bot API, sections "InlineKeyboardMarkup", "InlineKeyboardButton", "ReplyKeyboardMarkup", "ForceReply".
"""

from typing import Any

from bot.demo.telegram.model import Obj, bad

MAX_CALLBACK_BYTES = 64
MAX_COPY_TEXT = 256
MAX_BUTTONS = 100
_KINDS = {
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
}
_STYLES = {"danger", "success", "primary"}
_OTHER_MARKUP = {"keyboard", "remove_keyboard", "force_reply"}


def checked(raw: Any, *, private: bool) -> Obj | None:
    """The inline keyboard a message will carry, or None.

    Other kinds of markup are accepted, but belong to the client's input field and not to the message.

    Raises:
        ApiError: Not a markup object, or a button the server refuses.
    """
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise bad("object expected as reply markup")
    rows = raw.get("inline_keyboard")
    if rows is None:
        if raw and not _OTHER_MARKUP & raw.keys():
            raise bad("can't parse reply markup JSON object")
        return None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad('field "inline_keyboard" must be an Array of Arrays')
    kept = [[_button(each, private=private) for each in row] for row in rows if row]
    if sum(len(row) for row in kept) > MAX_BUTTONS:
        raise bad("REPLY_MARKUP_TOO_LONG")
    return {"inline_keyboard": kept} if kept else None


def _button(raw: Any, *, private: bool) -> Obj:
    if not isinstance(raw, dict):
        raise bad("can't parse inline keyboard button: expected an Object")
    text = raw.get("text")
    if not isinstance(text, str) or not text:
        raise bad('can\'t parse inline keyboard button: Field "text" must be a non-empty String')
    if len(_KINDS & raw.keys()) != 1:
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if raw.get("style", "primary") not in _STYLES:
        raise bad("can't parse inline keyboard button: invalid button style specified")
    _contents(raw, private=private)
    return dict(raw)


def _contents(raw: Obj, *, private: bool) -> None:
    if "callback_data" in raw:
        data = raw["callback_data"]
        if not isinstance(data, str) or not 1 <= len(data.encode()) <= MAX_CALLBACK_BYTES:
            raise bad("BUTTON_DATA_INVALID")
    if "url" in raw and not (isinstance(raw["url"], str) and raw["url"].startswith(("http://", "https://", "tg://"))):
        raise bad("BUTTON_URL_INVALID")
    if "copy_text" in raw:
        copied = raw["copy_text"].get("text") if isinstance(raw["copy_text"], dict) else None
        if not isinstance(copied, str) or not 1 <= len(copied) <= MAX_COPY_TEXT:
            raise bad("BUTTON_COPY_TEXT_INVALID")
    if "web_app" in raw:
        _web_app(raw["web_app"], private=private)


def _web_app(raw: Any, *, private: bool) -> None:
    """Only encrypted addresses are opened; Telegram's test servers, and this one, take one of this machine, too."""
    if not private:
        raise bad("BUTTON_TYPE_INVALID")
    address = raw.get("url") if isinstance(raw, dict) else None
    if not isinstance(address, str) or not address.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise bad("inline keyboard button Web App URL 'url' is invalid: Only HTTPS links are allowed")
