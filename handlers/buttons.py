"""What a button carries (SAFETY M14).

    version 1 B | card id 8 B | card version 1 B | choice 1 B | expiry 4 B (epoch seconds) | code 16 B

31 bytes, base64url without padding: 42 of the 64 allowed, and one spelling only (the last character has spare bits).
The code covers all of it and the person it was made for, so a button serves that person only, until it expires, on this
install and epoch; what comes back is treated as attacker text.
"""

import base64
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from telegram import InlineKeyboardMarkup

from bot.messages.cards import Card
from bot.ports import Signer

_FORM = struct.Struct(">BQBBI")
_CODE_BYTES = 16
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Tap:
    """A button's content, proven to be ours and this person's."""

    card_id: int
    card_version: int
    choice: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Late:
    """A button proven to be ours and this person's, whose time is over."""


def data_for(card: Card, choice: int, signer: Signer, version: int | None = None) -> str:
    """The callback data of one button. `version` is the card's after the change being drawn."""
    drawn = (card.version if version is None else version) & 0xFF
    head = _FORM.pack(_VERSION, card.id, drawn, choice, int(card.expires_at.timestamp()))
    return _text(head + _code(head, card.person_id, signer))


def read(data: str, person_id: int, signer: Signer, now: datetime) -> Tap | Late | None:
    """The tap, or None when it is not ours or not this person's; only who proves both hears that it is too late."""
    try:
        raw = base64.b64decode(data + "=" * (-len(data) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    if len(raw) != _FORM.size + _CODE_BYTES or _text(raw) != data:
        return None
    head, code = raw[: _FORM.size], raw[_FORM.size :]
    version, card_id, card_version, choice, expires_at = _FORM.unpack(head)
    if version != _VERSION or not hmac.compare_digest(code, _code(head, person_id, signer)):
        return None
    if now.timestamp() > expires_at:
        return Late()
    return Tap(card_id, card_version, choice, expires_at)


def keyboard(
    card: Card, rows: Sequence[Sequence[tuple[str, int]]], signer: Signer, version: int | None = None
) -> InlineKeyboardMarkup:
    """Rows of (label, choice); as they go out, since the library's own objects for them cost more than any other part
    of a message."""
    drawn = [
        [{"text": label, "callback_data": data_for(card, choice, signer, version)} for label, choice in row]
        for row in rows
    ]
    return InlineKeyboardMarkup((), api_kwargs={"inline_keyboard": drawn})


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _code(head: bytes, person_id: int, signer: Signer) -> bytes:
    return signer.sign(head + person_id.to_bytes(8, "big"))
