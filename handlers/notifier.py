"""Drains the outbox: whatever is not a direct reply leaves here, by lane, until Telegram has it (SAFETY R10–R14)."""

import asyncio
import logging
from html import escape

from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, InvalidToken, RetryAfter, TelegramError

from bot.errors import StoreError
from bot.messages.outbox import Queued
from handlers.context import Desk
from handlers.render import bold, visible

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5


class Notifier:
    """One loop; several chats at a time."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._outbox = desk.services.outbox

    async def run(self) -> None:
        """Look for due rows until cancelled. A database that refuses is asked again."""
        while True:
            try:
                await self.drain()
            except StoreError as error:
                _log.warning("outbox not read", extra={"error": type(error).__name__})
            await asyncio.sleep(_LOOK_SECONDS)

    async def drain(self) -> None:
        """Send what is due now, side by side; order within a chat follows lane and age."""
        chats: dict[int, list[Queued]] = {}
        for row in await self._outbox.due():
            chats.setdefault(row.notice.chat_id, []).append(row)
        await asyncio.gather(*(self._send_all(rows) for rows in chats.values()))

    async def _send_all(self, rows: list[Queued]) -> None:
        for row in rows:
            await self._send(row)

    async def _send(self, row: Queued) -> None:
        try:
            message = await self._desk.bot.send_message(
                row.notice.chat_id, _html(row), parse_mode=ParseMode.HTML, rate_limit_args=row.notice.lane
            )
        except RetryAfter as error:
            await self._outbox.later(row, error._retry_after.total_seconds(), "told to wait")
        except (Forbidden, BadRequest, InvalidToken) as error:
            _log.warning("notice undeliverable", extra={"outbox": row.id, "error": type(error).__name__})
            await self._outbox.give_up(row, type(error).__name__)
        except TelegramError as error:
            await self._outbox.later(row, min(2.0**row.tries, 300.0), type(error).__name__)
        else:
            await self._outbox.sent(row, message.message_id)


def _html(row: Queued) -> str:
    lines = [escape(visible(line, 600), quote=False) for line in row.notice.lines]
    return "\n".join([bold(row.notice.title), *lines])
