"""Drains the outbox: whatever is not a direct reply leaves here, by lane, until Telegram has it (SAFETY R10–R14)."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from dataclasses import replace
from typing import Any

from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError

from bot.crash import crashpoint
from bot.errors import StoreError
from bot.messages.bursts import Burst
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Head, Queued
from handlers import groups
from handlers.context import Desk
from handlers.pacing import Pacer
from handlers.render import bursts as render
from handlers.saying import NotThereYetError, Saying, SharedCardError, Taken

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
_SOON_SECONDS = 0.1
"""Looked at again after so long when a chat has used up its budget."""
_MARK_SECONDS = 2.0
_SIDE_BY_SIDE = 20
"""Chats that are written to at the same time; in each of them one notice after the other. As many again are kept for
decisions and security."""
_BETWEEN_PRICES_SECONDS, _IN_A_GROUP_SECONDS = 3.0, 10.0
"""What comes within such a time shares a card."""


class Notifier:
    """One loop; several chats at a time. A slow chat delays nobody else."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._outbox = desk.services.outbox
        self._bursts = desk.services.bursts
        self._saying = Saying(desk)
        self._sending: dict[int, asyncio.Task[None]] = {}
        self._urgent: set[int] = set()
        """Those of the chats being written to that get a decision, or word of security."""
        self._hushed: dict[int, float] = {}
        """Chats in which a price was told just now, until when the next ones are gathered."""
        self._took: dict[int, Taken] = {}
        """Rows Telegram has whose mark could not be written: they are not sent again."""
        self._one_less = asyncio.Event()
        self._some_left = False
        """A chat was left out that has used up its budget."""
        self._token_refused = False
        self._own = copy_context()
        """What is sent is sent in the context of this loop, whoever has stirred it."""

    async def run(self) -> None:
        """Look for due rows until cancelled. A database that refuses is asked again.

        Raises:
            InvalidToken: Telegram does not accept the token; what waits stays in the outbox.
        """
        self._own = copy_context()
        self._outbox.sender = self
        try:
            while not self._token_refused:
                await self._look()
                seconds = min(_LOOK_SECONDS, _SOON_SECONDS) if self._some_left else _LOOK_SECONDS
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):  # `wait_for` may swallow a cancellation (Python 3.11)
                        await self._one_less.wait()
        finally:
            self._outbox.sender = None
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
        self._some_left = False
        try:
            unread = self._take(await self._outbox.heads(*self.left_out()))
            rows = {row.id: row for row in await self._outbox.rows([head.id for head in unread])}
            self._take([replace(head, row=rows[head.id]) for head in unread if head.id in rows])
        except StoreError as error:
            _log.warning("outbox not read", extra={"error": type(error).__name__})
        return bool(self._sending)

    def left_out(self) -> tuple[list[int], list[int]]:
        """See `Sender.left_out`."""
        return list(self._sending), list(self._resting())

    def stir(self, heads: list[Head]) -> None:
        """See `Sender.stir`. A chat of which a row was sent meanwhile is still being written to: the mark of that row
        is a later turn of the database, and its answer comes after this one."""
        some_were_left, resting = self._some_left, self._resting()
        ready = [head for head in heads if not (head.is_grouped and head.chat_id in resting)]
        unread = self._take(ready)
        if unread or len(ready) < len(heads) or self._some_left > some_were_left:
            self._one_less.set()

    def _resting(self) -> dict[int, float]:
        now = self._desk.services.clock.monotonic()
        self._hushed = {chat: until for chat, until in self._hushed.items() if until > now}
        return self._hushed

    def _take(self, heads: list[Head]) -> list[Head]:
        """Begin with these, as far as there is room; answers those whose row is to be read first."""
        unread = []
        for head in self._chosen(heads):
            if head.is_grouped:
                self._begin(head.chat_id, head.lane, self._deal_with_many(head))
            elif head.row is not None:
                self._begin(head.chat_id, head.lane, self._deal_with(head.row))
            else:
                unread.append(head)
        return unread

    def _chosen(self, heads: list[Head]) -> list[Head]:
        """What to begin with. What is not urgent waits here until its chat takes it, not in the way of what is."""
        pacer = self._desk.bot.rate_limiter
        is_free = pacer.is_free if isinstance(pacer, Pacer) else lambda chat_id: True
        places = {
            True: _SIDE_BY_SIDE - len(self._urgent),
            False: _SIDE_BY_SIDE - len(self._sending.keys() - self._urgent),
        }
        chosen = []
        for head in heads:
            is_urgent = head.lane <= Lane.SECURITY
            if places[is_urgent] <= 0 or head.chat_id in self._sending:
                continue
            if not is_urgent and not is_free(head.chat_id):
                self._some_left = True
                continue
            places[is_urgent] -= 1
            chosen.append(head)
        return chosen

    def _begin(self, chat_id: int, lane: Lane, work: Coroutine[Any, Any, None]) -> None:
        if lane <= Lane.SECURITY:
            self._urgent.add(chat_id)
        self._sending[chat_id] = asyncio.create_task(self._in_its_turn(chat_id, work), context=self._own.copy())

    async def _in_its_turn(self, chat_id: int, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
            self._one_less.set()
        except StoreError as error:  # the row stays due; looked at again in a while, not at once
            _log.warning("outbox not marked", extra={"error": type(error).__name__})
        finally:
            self._urgent.discard(chat_id)
            del self._sending[chat_id]

    async def _deal_with(self, row: Queued) -> None:
        try:
            await self._send(row)
        except StoreError:
            raise
        except Exception as slip:  # noqa: BLE001  # a slip of ours: told, and the row gets no further than eight tries
            _log.exception("notice not sent", extra={"outbox": row.id})
            self._desk.services.pulse.incidents += 1
            await self._outbox.later(row, 60.0, type(slip).__name__, own_fault=True)

    async def _deal_with_many(self, head: Head) -> None:
        """What may share a card does; a price that comes alone is a message like any other."""
        apart = _IN_A_GROUP_SECONDS if head.chat_id < 0 else _BETWEEN_PRICES_SECONDS
        self._hushed[head.chat_id] = self._desk.services.clock.monotonic() + apart
        try:
            for row in await self._outbox.rows(self._took):  # only their marks are missing
                if row.notice.chat_id == head.chat_id:
                    await self._deal_with(row)
            burst = await self._bursts.gather(head.chat_id)
            if burst is not None:
                await self._send_burst(burst)
                return
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  # as above, for the first of them
            _log.exception("burst not told", extra={"outbox": head.id})
            self._desk.services.pulse.incidents += 1
            for row in await self._outbox.rows([head.id]):
                await self._outbox.later(row, 60.0, "not told", own_fault=True)
            return
        for row in await self._outbox.rows([head.id]):
            await self._deal_with(row)

    async def _send(self, row: Queued) -> None:
        async def say() -> Taken:
            if row.id not in self._took:
                self._took[row.id] = await self._saying.say(row)
            return self._took[row.id]

        taken = await self._tried(row, say)
        if taken is None:
            return
        crashpoint("CP15")
        await self._outbox.sent(row, taken.message_id, rang=taken.rang)
        del self._took[row.id]

    async def _send_burst(self, burst: Burst) -> None:
        """Show or edit the card. Marked late, it is edited once more and shows the same."""
        notice = render.card(burst)

        async def say() -> Taken:
            return await self._saying.show(notice, burst.message_id)

        try:
            taken = await self._tried(Queued(burst.upto, notice, burst.tries, burst.since), say, burst)
        except NotThereYetError:
            await self._bursts.lost(burst)
            return
        if taken is not None:
            crashpoint("CP15")
            await self._bursts.shown(burst, taken.message_id, rang=taken.rang)

    async def _tried(
        self, row: Queued, say: Callable[[], Coroutine[Any, Any, Taken]], burst: Burst | None = None
    ) -> Taken | None:
        """Say it, and do what Telegram's answer asks for. None: it was not said (R13)."""
        pulse, now = self._desk.services.pulse, self._desk.services.clock.now
        try:
            taken = await say()
        except RetryAfter as error:
            await self._outbox.later(row, error._retry_after.total_seconds(), "told to wait")
        except NotThereYetError:
            if burst is not None:
                raise
            await self._outbox.later(row, 2.0, "the message it replaces was not sent yet", own_fault=True)
        except SharedCardError:
            await self._outbox.share(row)
        except ChatMigrated as error:
            await groups.follow(self._desk.services, row.notice.chat_id, error.new_chat_id)
        except Forbidden as error:
            _log.warning("chat out of reach", extra={"outbox": row.id})
            await self._outbox.unreachable(row, type(error).__name__, self._to_admins(row.notice.chat_id))
        except BadRequest as error:
            _log.warning("notice undeliverable", extra={"outbox": row.id, "error": type(error).__name__})
            if burst is not None:
                await self._bursts.give_up(burst, type(error).__name__)
            else:
                await self._outbox.give_up(row, type(error).__name__)
        except InvalidToken:
            self._token_refused = True
        except TelegramError as error:
            own_fault = not isinstance(error, NetworkError)
            if not own_fault:
                pulse.unanswered(now())
            pause = min(2.0 ** min(row.tries, 9), 300.0)
            await self._outbox.later(row, pause, type(error).__name__, own_fault=own_fault)
            return None
        else:
            pulse.answered()
            return taken
        pulse.answered()
        return None

    def _to_admins(self, chat_id: int) -> list[Notice]:
        """Admins hear of a chat that is out of reach, once."""
        line = f"The chat {chat_id} takes no messages from this bot: it was blocked there, or removed from the group."
        return [
            Notice(Lane.SECURITY, admin_id, "Not delivered", (line,), f"unreachable/{chat_id}/{admin_id}")
            for admin in self._desk.services.access.roster.admins
            for admin_id in admin.telegram_ids
            if admin_id != chat_id
        ]
