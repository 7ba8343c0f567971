"""From Telegram's wire to the inbox, and from the inbox to the doors.

Whether an update was fetched or pushed, it comes here as raw bytes. Just enough of it is read to drop strangers before
a row is written (a few of them are noted for the audit log); the rest of a batch is one commit; only then may Telegram
be told. Rows are sealed: a person may have typed a password. After that they queue, each chat by itself. While the disk
works, the updates of a small batch are built already: a person waits for the sum of both otherwise.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import msgspec
from telegram import Update

from bot.crash import crashpoint
from bot.errors import StoreError
from bot.messages.inbox import Incoming
from bot.messages.notice import Lane, Notice
from bot.operations.pulse import Pulse
from handlers.context import Desk
from handlers.joining import code_in, is_a_word
from handlers.queues import ChatQueues

_log = logging.getLogger(__name__)

_Id = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""What a column can hold; a number beyond it makes the update unreadable."""


class _Sender(msgspec.Struct):
    id: _Id


class _Chat(msgspec.Struct):
    id: _Id
    type: str = ""


class _Message(msgspec.Struct):
    message_id: _Id
    chat: _Chat
    from_: _Sender | None = msgspec.field(default=None, name="from")
    text: str | None = None
    migrate_to_chat_id: _Id | None = None
    migrate_from_chat_id: _Id | None = None


class _Tap(msgspec.Struct):
    id: str
    from_: _Sender = msgspec.field(name="from")
    message: _Message | None = None


class _Member(msgspec.Struct):
    user: _Sender


class _Membership(msgspec.Struct):
    chat: _Chat
    from_: _Sender = msgspec.field(name="from")
    new_chat_member: _Member | None = None


class _Peeked(msgspec.Struct):
    update_id: _Id
    message: _Message | None = None
    edited_message: _Message | None = None
    callback_query: _Tap | None = None
    my_chat_member: _Membership | None = None
    chat_member: _Membership | None = None


_SMALL = 8
"""Batches up to this are answered one by one, and at once; in larger ones the disk's time is shared anyway."""
_HANDED_OVER_SECONDS = 0.000_03
_peek = msgspec.json.Decoder(_Peeked).decode
ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member", "chat_member"]


class TelegramIntake:
    """Takes raw updates in; see `bot.ports.Intake`."""

    def __init__(self, desk: Desk, concurrency: int) -> None:
        self._desk = desk
        self._services = desk.services
        self._built: dict[int, Update] = {}
        self.queues = ChatQueues(self._handle, self._tell_missed, concurrency)

    async def take(self, updates: Sequence[bytes]) -> None:
        """Drop strangers, keep the rest in one commit, queue it. `StoreError`: nothing was kept, offer it again."""
        await self.queues.room()
        self._pulse.asked_at = self._services.clock.now()
        batch = dict(self._wanted(updates))
        self._services.turned_away.write()
        if not batch:
            return
        keeping = asyncio.create_task(self._services.inbox.keep(list(batch)))
        await asyncio.sleep(0)  # it is handed to the database's thread
        built = self._build(batch) if len(batch) <= _SMALL else {}
        kept = await keeping
        crashpoint("CP01")
        for item in kept:
            if item.update_id in built:
                self._built[item.update_id] = built[item.update_id]
            if not self.queues.offer(item):
                self._built.pop(item.update_id, None)
                self._services.inbox.finish(item.update_id)  # a stuck client; its chat has enough to go on with
                self._refused("too many at once")
        self._pulse.taken += len(batch)
        self._pulse.update_at = self._services.clock.now()

    def _build(self, batch: Mapping[Incoming, bytes]) -> dict[int, Update]:
        """Those the library can read; what is the matter with the others is seen when their turn comes."""
        built = {}
        time.sleep(_HANDED_OVER_SECONDS)  # the thread gets no turn while this one computes
        for item, body in batch.items():
            with contextlib.suppress(Exception):
                built[item.update_id] = self._update(body)
        return built

    def _update(self, body: bytes) -> Update:
        return Update.de_json(msgspec.json.decode(body), self._desk.bot)

    async def _tell_missed(self, chat_id: int, count: int) -> None:
        """Through the outbox, to a person or one of the desk's groups; elsewhere nobody is answered."""
        services, roster = self._services, self._services.access.roster
        if chat_id not in roster.by_telegram_id and chat_id not in roster.groups:
            return
        some = f"The last {count} were" if count > 1 else "The last one was"
        line = f"{some} not read. Wait for the answers, then send again what still matters."
        notice = Notice(Lane.EVENTS, chat_id, "Too many messages at once", (line,))
        try:
            await services.database.write(lambda tables: services.outbox.put(tables, notice))
        except StoreError as error:
            _log.warning("missed updates not told", extra={"error": type(error).__name__})

    async def replay(self) -> int:
        """Queue what an earlier run left unfinished; answers how many."""
        left = await self._services.inbox.unfinished()
        for item in left:
            self.queues.put(item)
        return len(left)

    @property
    def _pulse(self) -> Pulse:
        return self._services.pulse

    def _wanted(self, updates: Sequence[bytes]) -> Iterator[tuple[Incoming, bytes]]:
        """What is worth keeping, and as it came."""
        known = self._services.access.roster.by_telegram_id
        for body in updates:
            try:
                peeked = _peek(body)
            except (msgspec.MsgspecError, RecursionError):
                self._refused("unreadable")
                continue
            sender, chat_id, origin = _who(peeked)
            if chat_id is None:
                continue
            if not self._moves_a_group(peeked) and not self._changes_a_group(peeked):
                if sender is None:
                    continue
                if sender not in known and not self._invited(peeked):
                    self._pulse.strangers += 1
                    self._services.turned_away.note(sender, _kind(peeked))
                    continue
            sealed = self._services.sealer.seal(body, peeked.update_id)
            yield Incoming(peeked.update_id, chat_id, sealed, origin), body

    def _refused(self, reason: str) -> None:
        self._pulse.refused[reason] = self._pulse.refused.get(reason, 0) + 1

    def _invited(self, peeked: _Peeked) -> bool:
        message, access = peeked.message, self._services.access
        if message is None or message.chat.type != "private" or not message.text or message.from_ is None:
            return False
        code = code_in(message.text)
        if code is not None:
            return access.is_invited(code)
        return is_a_word(message.text) and access.is_joining(message.from_.id)

    def _moves_a_group(self, peeked: _Peeked) -> bool:
        """Telegram's own message that one of the desk's groups has a new id; whoever caused it is named as sender."""
        message = peeked.message
        if message is None:
            return False
        old = message.chat.id if message.migrate_to_chat_id is not None else message.migrate_from_chat_id
        return old in self._services.access.roster.groups

    def _changes_a_group(self, peeked: _Peeked) -> bool:
        """Whether somebody we know, or the bot itself, comes to or leaves one of the desk's groups, whoever did it."""
        roster = self._services.access.roster
        other, own = peeked.chat_member, peeked.my_chat_member
        if own is not None:
            return own.chat.id in roster.groups
        if other is None or other.new_chat_member is None or other.chat.id not in roster.groups:
            return False
        number = other.new_chat_member.user.id
        return number in roster.by_telegram_id or number in roster.suspended

    async def _handle(self, item: Incoming) -> None:
        """One update through the doors. Whatever happens, it is dealt with: errors have their own handler."""
        try:
            update = self._built.pop(item.update_id, None)
            if update is None:
                update = self._update(self._services.sealer.unseal(item.body, item.update_id))
            await self._desk.process_update(update)
        except Exception:  # an update the library cannot read must not stop its chat  # noqa: BLE001
            _log.exception("update could not be handled", extra={"update_id": item.update_id})
            self._pulse.incidents += 1
        self._services.inbox.finish(item.update_id)


def _kind(peeked: _Peeked) -> str:
    """What it is, in a word: nothing of what a stranger wrote is kept."""
    if peeked.message is not None:
        return "message"
    if peeked.edited_message is not None:
        return "edit"
    return "tap" if peeked.callback_query is not None else "membership"


def _who(peeked: _Peeked) -> tuple[int | None, int | None, str | None]:
    """Sender, chat, and what the update stands for. An edit stands for nothing: it may repeat."""
    message = peeked.message or peeked.edited_message
    if message is not None:
        sender = message.from_.id if message.from_ is not None else None
        origin = f"m/{message.chat.id}/{message.message_id}" if peeked.message is not None else None
        return sender, message.chat.id, origin
    tap = peeked.callback_query
    if tap is not None:
        chat_id = tap.message.chat.id if tap.message is not None else tap.from_.id
        return tap.from_.id, chat_id, f"c/{tap.id}"
    membership = peeked.my_chat_member or peeked.chat_member
    if membership is not None:
        return membership.from_.id, membership.chat.id, None
    return None, None, None
