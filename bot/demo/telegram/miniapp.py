"""What a client does when a person opens a Mini App: it asks the server for launch data and opens the page with them.

The launch parameters stand behind the `#` of the address: `tgWebAppData` (who opened it, signed by the server),
`tgWebAppVersion`, `tgWebAppPlatform`, `tgWebAppThemeParams`. The signature is the hex of HMAC-SHA256 over the pairs
("key=value", sorted, one on a line), with HMAC-SHA256 of the bot's token under the key "WebAppData" as its key. The
newer Ed25519 `signature` is left out: only Telegram could make it.

Source: Telegram, "Mini Apps", sections "Initializing Mini Apps", "WebAppInitData" and "Validating data received via the
Mini App".
"""

from hashlib import sha256
from hmac import HMAC
from urllib.parse import quote, urlencode

import msgspec

from bot.demo.telegram.model import Obj
from bot.demo.telegram.world import Chat

_THEME = {"bg_color": "#ffffff", "text_color": "#000000", "button_color": "#2481cc", "button_text_color": "#ffffff"}


def launched(address: str, person: Obj, chat: Chat, token: str, now: int) -> str:
    """The address a client opens for a button with this one.

    Args:
        now: Epoch seconds.
    """
    user = {key: person[key] for key in ("id", "first_name", "last_name", "username", "language_code") if key in person}
    fields = {
        "auth_date": f"{now}",
        "query_id": f"AAH{person['id']:x}{now:x}",
        "user": _json(user | {"allows_write_to_pm": chat.started}),
    }
    parameters = {
        "tgWebAppData": urlencode({**fields, "hash": _signature(fields, token)}, quote_via=quote),
        "tgWebAppVersion": "8.0",
        "tgWebAppPlatform": "weba",
        "tgWebAppThemeParams": _json(_THEME),
    }
    return f"{address}#{urlencode(parameters, quote_via=quote)}"


def _signature(fields: dict[str, str], token: str) -> str:
    key = HMAC(b"WebAppData", token.encode("ascii"), sha256).digest()
    return HMAC(key, "\n".join(map("=".join, sorted(fields.items()))).encode("utf-8"), sha256).hexdigest()


def _json(value: Obj) -> str:
    return msgspec.json.encode(value).decode()
