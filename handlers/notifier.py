"""Drains the outbox: whatever is not a direct reply leaves here, by lane, until Telegram has it (SAFETY R10–R14)."""

import asyncio
import contextlib
import logging
from html import escape

from telegram import InlineKeyboardMarkup, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError

from bot.errors import StoreError
from bot.messages.outbox import Lane, Notice, Queued
from handlers import groups
from handlers.buttons import keyboard
from handlers.context import NO_PREVIEW, Desk
from handlers.render import bold, literal, visible

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
_MARK_SECONDS = 2.0
_SIDE_BY_SIDE = 20
"""Chats that are written to at the same time; in each of them one notice after the other."""


class _NotThereYetError(Exception):
    """The message to be edited has not been sent, or never was."""


class Notifier:
    """One loop; several chats at a time. A slow chat delays nobody else."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._outbox = desk.services.outbox
        self._sending: dict[int, asyncio.Task[None]] = {}
        self._took: dict[int, int] = {}
        """Rows Telegram has (and its message's id) whose mark could not be written: they are not sent again."""
        self._one_less = asyncio.Event()
        self._token_refused = False

    async def run(self) -> None:
        """Look for due rows until cancelled. A database that refuses is asked again.

        Raises:
            InvalidToken: Telegram does not accept the token; what waits stays in the outbox.
        """
        try:
            while not self._token_refused:
                await self._look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):  # `wait_for` may swallow a cancellation (Python 3.11)
                        await self._one_less.wait()
        finally:
            await self._stop()
        raise InvalidToken("Telegram does not accept the token")

    async def drain(self) -> None:
        """Send what is due now, and no more than that."""
        try:
            while not self._token_refused and await self._look():
                await asyncio.wait(self._sending.values())
        finally:
            await self._stop()

    async def _stop(self) -> None:
        """What Telegram may have taken already gets a moment to be marked."""
        tasks = list(self._sending.values())
        if tasks:
            await asyncio.wait(tasks, timeout=_MARK_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> bool:
        """Begin with the first due row of each chat that is not being written to; answers whether anything goes on."""
        self._one_less.clear()
        try:
            due = await self._outbox.due(busy=self._sending)
        except StoreError as error:
            _log.warning("outbox not read", extra={"error": type(error).__name__})
            return False
        for row in due:
            if row.notice.chat_id not in self._sending and len(self._sending) < _SIDE_BY_SIDE:
                self._sending[row.notice.chat_id] = asyncio.create_task(self._deal_with(row))
        return bool(self._sending)

    async def _deal_with(self, row: Queued) -> None:
        try:
            await self._send(row)
            self._one_less.set()
        except StoreError as error:  # the row stays due; looked at again in a while, not at once
            _log.warning("outbox not marked", extra={"error": type(error).__name__})
        except Exception as slip:  # noqa: BLE001  # a slip of ours: told, and the row gets no further than eight tries
            _log.exception("notice not sent", extra={"outbox": row.id})
            self._desk.services.pulse.incidents += 1
            with contextlib.suppress(StoreError):
                await self._outbox.later(row, 60.0, type(slip).__name__, own_fault=True)
        finally:
            del self._sending[row.notice.chat_id]

    async def _send(self, row: Queued) -> None:
        try:
            if row.id not in self._took:
                self._took[row.id] = await self._say(row)
        except RetryAfter as error:
            await self._outbox.later(row, error._retry_after.total_seconds(), "told to wait")
        except _NotThereYetError:
            await self._outbox.later(row, 2.0, "the message it replaces was not sent yet", own_fault=True)
        except ChatMigrated as error:
            await groups.follow(self._desk.services, row.notice.chat_id, error.new_chat_id)
        except Forbidden as error:
            _log.warning("chat out of reach", extra={"outbox": row.id})
            await self._outbox.unreachable(row, type(error).__name__, self._to_admins(row.notice.chat_id))
        except BadRequest as error:
            _log.warning("notice undeliverable", extra={"outbox": row.id, "error": type(error).__name__})
            await self._outbox.give_up(row, type(error).__name__)
        except InvalidToken:
            self._token_refused = True
        except TelegramError as error:
            pause = min(2.0 ** min(row.tries, 9), 300.0)
            own_fault = not isinstance(error, NetworkError)
            await self._outbox.later(row, pause, type(error).__name__, own_fault=own_fault)
        else:
            await self._outbox.sent(row, self._took[row.id])
            del self._took[row.id]

    async def _say(self, row: Queued) -> int:
        """As HTML; as plain text when Telegram cannot read that. Answers the message's id.

        A notice that replaces an earlier one edits that one's message. One that is gone, or shows that already, is
        as good as edited (R13). Where the chat has moved there is nothing to edit: it is said anew.
        """
        if row.notice.deletes is not None:
            return await self._delete(row.notice.chat_id, row.notice.deletes)
        try:
            return await self._write(row.notice, _html(row.notice), ParseMode.HTML)
        except BadRequest as error:
            if "parse" not in str(error):
                raise
            return await self._write(row.notice, _plain(row.notice), None)

    async def _write(self, notice: Notice, text: str, mode: ParseMode | None) -> int:
        bot, keys = self._desk.bot, await self._keys(notice)
        shown = await self._shown(notice)
        if shown is None:
            message = await bot.send_message(
                notice.chat_id,
                text,
                parse_mode=mode,
                reply_markup=keys,
                link_preview_options=NO_PREVIEW,
                reply_parameters=await self._above(notice),
                rate_limit_args=notice.lane,
            )
            return message.message_id
        try:
            await bot.edit_message_text(
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
        return shown

    async def _shown(self, notice: Notice) -> int | None:
        """The message to be edited. None: a new one is sent, also when what it replaces stands in a chat that moved."""
        if notice.replaces is None:
            return None
        shown = await self._outbox.message_of(notice.replaces)
        if shown is None:
            raise _NotThereYetError
        return shown.message_id if shown.chat_id == notice.chat_id else None

    async def _above(self, notice: Notice) -> ReplyParameters | None:
        """What it is said in reply to; None when there is no such message in this chat."""
        shown = None if notice.under is None else await self._outbox.message_of(notice.under)
        if shown is None or shown.chat_id != notice.chat_id:
            return None
        return ReplyParameters(shown.message_id, allow_sending_without_reply=True)

    async def _delete(self, chat_id: int, message_id: int) -> int:
        """One that is gone already, or too old to be deleted, stays as it is."""
        try:
            await self._desk.bot.delete_message(chat_id, message_id)
        except BadRequest as error:
            _log.info("message not deleted", extra={"error": error.message})
        return message_id

    async def _keys(self, notice: Notice) -> InlineKeyboardMarkup | None:
        """The buttons, when their card is still there."""
        if notice.card is None or not notice.choices:
            return None
        card = await self._desk.services.cards.find(notice.card)
        return None if card is None else keyboard(card, notice.choices, self._desk.services.signer)

    def _to_admins(self, chat_id: int) -> list[Notice]:
        """Admins hear of a chat that is out of reach, once."""
        line = f"The chat {chat_id} takes no messages from this bot: it was blocked there, or removed from the group."
        return [
            Notice(Lane.SECURITY, admin_id, "Not delivered", (line,), f"unreachable/{chat_id}/{admin_id}")
            for admin in self._desk.services.access.roster.admins
            for admin_id in admin.telegram_ids
            if admin_id != chat_id
        ]


def _html(notice: Notice) -> str:
    own = [escape(notice.next_step, quote=False)] if notice.next_step else []
    return "\n".join([bold(notice.title), *(literal(line, 600) for line in notice.lines), *own])


def _plain(notice: Notice) -> str:
    own = [notice.next_step] if notice.next_step else []
    return "\n".join([notice.title, *(visible(line, 600) for line in notice.lines), *own])
