"""How one notice is said: sent, edited into an earlier message, or taken back; as HTML, or plainly where that fails."""

import logging
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from html import escape, unescape
from typing import Any

from telegram import InlineKeyboardMarkup, InputFile, Message, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import BadRequest

from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Queued
from handlers.buttons import keyboard
from handlers.context import NO_PREVIEW, Desk
from handlers.render import bold, literal, visible

_log = logging.getLogger(__name__)
_TAG = re.compile(r"<[^>]*>")


class SharedCardError(Exception):
    """What it replaces was told on a card with others: so is this."""


class NotThereYetError(Exception):
    """The message to be edited has not been sent, or never was."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that Telegram has."""

    message_id: int
    rang: bool = False
    """It was heard, and could have been silent."""


class Saying:
    """The desk's voice. What Telegram raises goes on to whoever has it said, but for what is as good as done."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def say(self, row: Queued) -> Taken:
        """A notice that replaces an earlier one edits that one's message. One that is gone, or shows that already, is
        as good as edited (R13). Where the chat has moved there is nothing to edit: it is said anew.
        """
        notice = row.notice
        if notice.deletes is not None:
            return await self._delete(notice.chat_id, notice.deletes)
        keys = self._keys(row)
        return await self._as_it_can_be_read(notice, lambda text, mode: self._write(notice, text, mode, keys))

    async def show(self, notice: Notice, shown: int | None) -> Taken:
        """As a new message, or in the message `shown`; without buttons.

        Raises:
            NotThereYetError: That one is gone.
        """
        return await self._as_it_can_be_read(notice, lambda text, mode: self._put(notice, text, mode, shown, None))

    async def _as_it_can_be_read(
        self, notice: Notice, write: Callable[[str, ParseMode | None], Coroutine[Any, Any, Taken]]
    ) -> Taken:
        """As HTML; as plain text when Telegram cannot read that. Answers the message's id."""
        try:
            return await write(_html(notice), ParseMode.HTML)
        except BadRequest as error:
            if "parse" not in str(error):
                raise
            return await write(_plain(notice), None)

    async def _write(
        self, notice: Notice, text: str, mode: ParseMode | None, keys: InlineKeyboardMarkup | None
    ) -> Taken:
        shown = await self._shown(notice)
        try:
            return await self._put(notice, text, mode, shown, keys)
        except NotThereYetError:
            return Taken(shown or 0)

    async def _put(
        self,
        notice: Notice,
        text: str,
        mode: ParseMode | None,
        shown: int | None,
        keys: InlineKeyboardMarkup | None,
    ) -> Taken:
        """Send it, or edit the message `shown`. `NotThereYetError` when that one is gone."""
        if shown is None:
            return await self._send_new(notice, text, mode, keys)
        try:
            await self._desk.bot.edit_message_text(
                text,
                notice.chat_id,
                shown,
                parse_mode=mode,
                reply_markup=keys,
                link_preview_options=NO_PREVIEW,
                rate_limit_args=notice.lane,
            )
        except BadRequest as error:
            if "parse" in str(error):
                raise
            _log.info("notice not edited", extra={"error": error.message})
            if "not modified" not in error.message:
                raise NotThereYetError from None
        return Taken(shown)

    async def _send_new(
        self, notice: Notice, text: str, mode: ParseMode | None, keys: InlineKeyboardMarkup | None
    ) -> Taken:
        bot = self._desk.bot
        is_heard = await self._desk.services.quiet.may_ring(notice.chat_id, notice.lane)
        how: dict[str, Any] = {
            "parse_mode": mode,
            "reply_markup": keys,
            "reply_parameters": await self._above(notice),
            "message_thread_id": notice.thread,
            "disable_notification": None if is_heard else True,
            "protect_content": notice.protected or None,
            "rate_limit_args": notice.lane,
        }
        message: Message
        if notice.file is None:
            message = await bot.send_message(notice.chat_id, text, link_preview_options=NO_PREVIEW, **how)
        else:
            file = InputFile(notice.file.body, notice.file.name)
            send = bot.send_photo if notice.file.is_picture else bot.send_document
            message = await send(notice.chat_id, file, caption=text, **how)
        return Taken(message.message_id, is_heard and notice.lane > Lane.SECURITY)

    async def _shown(self, notice: Notice) -> int | None:
        """The message to be edited. None: a new one is sent, also when what it replaces stands in a chat that moved, or
        was told on a card with others; a price then goes on such a card itself."""
        if notice.replaces is None:
            return None
        shown = await self._desk.services.outbox.message_of(notice.replaces)
        if shown is None:
            if not await self._desk.services.outbox.is_told(notice.replaces):
                raise NotThereYetError
            if notice.lane is Lane.PRICES:
                raise SharedCardError
            return None
        return shown.message_id if shown.chat_id == notice.chat_id else None

    async def _above(self, notice: Notice) -> ReplyParameters | None:
        """What it is said in reply to; None when there is no such message in this chat."""
        shown = None if notice.under is None else await self._desk.services.outbox.message_of(notice.under)
        if shown is None or shown.chat_id != notice.chat_id:
            return None
        return ReplyParameters(shown.message_id, allow_sending_without_reply=True)

    async def _delete(self, chat_id: int, message_id: int) -> Taken:
        """One that is gone already, or too old to be deleted, stays as it is."""
        try:
            await self._desk.bot.delete_message(chat_id, message_id)
        except BadRequest as error:
            _log.info("message not deleted", extra={"error": error.message})
        return Taken(message_id)

    def _keys(self, row: Queued) -> InlineKeyboardMarkup | None:
        """The buttons, when their card is still there; as it was a moment ago, when the row was read."""
        choices = row.notice.choices
        return keyboard(row.card, choices, self._desk.services.signer) if row.card is not None and choices else None


def _html(notice: Notice) -> str:
    own = [escape(notice.next_step, quote=False)] if notice.next_step else []
    more = [notice.markup] if notice.markup else []
    return "\n".join([bold(notice.title), *(literal(line, 600) for line in notice.lines), *own, *more])


def _plain(notice: Notice) -> str:
    own = [notice.next_step] if notice.next_step else []
    more = [unescape(_TAG.sub("", notice.markup))] if notice.markup else []
    return "\n".join([notice.title, *(visible(line, 600) for line in notice.lines), *own, *more])
