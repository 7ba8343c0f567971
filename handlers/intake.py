"""From Telegram's wire to the inbox, and from the inbox to the doors.

Whether an update was fetched or pushed, it comes here as raw bytes. Just enough of it is read to drop strangers before
a row is written; the rest of a batch is one commit; only then may Telegram be told. Rows are sealed: a person may have
typed a password. After that each chat has its own queue: updates of one chat are handled in order, different chats side
by side, at most `concurrency` at a time.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Annotated

import msgspec
from telegram import Update

from bot.messages.inbox import Incoming
from bot.operations.status import Pulse
from handlers.context import Desk
from handlers.joining import code_in

_log = logging.getLogger(__name__)
BACKLOG = 2000
"""With so many updates waiting, the next batch is not taken yet."""


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


class _Tap(msgspec.Struct):
    id: str
    from_: _Sender = msgspec.field(name="from")
    message: _Message | None = None


class _Membership(msgspec.Struct):
    chat: _Chat
    from_: _Sender = msgspec.field(name="from")


class _Peeked(msgspec.Struct):
    update_id: _Id
    message: _Message | None = None
    edited_message: _Message | None = None
    callback_query: _Tap | None = None
    my_chat_member: _Membership | None = None
    chat_member: _Membership | None = None


_peek = msgspec.json.Decoder(_Peeked).decode
CHAT_BACKLOG = 100
"""And with so many in one chat, the rest of that chat is dropped: one stuck client does not make the desk deaf."""
ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member", "chat_member"]


class ChatQueues:
    """One queue for each chat that has something waiting."""

    def __init__(self, handle: Callable[[Incoming], Awaitable[None]], concurrency: int) -> None:
        self._handle = handle
        self._slots = asyncio.Semaphore(concurrency)
        self._queues: dict[int, deque[Incoming]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._room.set()
        self.waiting = 0

    def full(self, chat_id: int) -> bool:
        """Whether one chat has as much waiting as one chat may."""
        return len(self._queues.get(chat_id, ())) >= CHAT_BACKLOG

    def put(self, item: Incoming) -> None:
        """Queue behind what its chat already has."""
        self.waiting += 1
        if self.waiting >= BACKLOG:
            self._room.clear()
        queue = self._queues.get(item.chat_id)
        if queue is not None:
            queue.append(item)
            return
        self._queues[item.chat_id] = deque([item])
        task = asyncio.create_task(self._drain(item.chat_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def room(self) -> None:
        """Wait until the backlog is below its ceiling."""
        await self._room.wait()

    async def stop(self, seconds: float) -> None:
        """Let what runs finish within `seconds`; what has not begun stays in the inbox."""
        for queue in self._queues.values():
            while len(queue) > 1:
                queue.pop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _drain(self, chat_id: int) -> None:
        queue = self._queues[chat_id]
        try:
            while queue:
                try:
                    async with self._slots:
                        await self._handle(queue[0])
                except asyncio.CancelledError:
                    if _being_cancelled():
                        raise
                    _log.error("a handler was cancelled from within", extra={"update_id": queue[0].update_id})
                queue.popleft()
                self.waiting -= 1
                if self.waiting < BACKLOG:
                    self._room.set()
        finally:
            self.waiting -= len(queue)
            del self._queues[chat_id]


def _being_cancelled() -> bool:
    """Whether somebody cancels this task, rather than something it waited for having been cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class TelegramIntake:
    """Takes raw updates in; see `bot.ports.Intake`."""

    def __init__(self, desk: Desk, concurrency: int) -> None:
        self._desk = desk
        self._services = desk.services
        self.queues = ChatQueues(self._handle, concurrency)

    async def take(self, updates: Sequence[bytes]) -> None:
        """Drop strangers, keep the rest in one commit, queue it. `StoreError`: nothing was kept, offer it again."""
        await self.queues.room()
        self._pulse.asked_at = self._services.clock.now()
        batch = list(self._wanted(updates))
        if not batch:
            return
        for item in await self._services.inbox.keep(batch):
            if self.queues.full(item.chat_id):
                self._services.inbox.finish(item.update_id)  # a stuck client; its chat has enough to go on with
                self._refused("too many at once")
            else:
                self.queues.put(item)
        self._pulse.taken += len(batch)
        self._pulse.update_at = self._services.clock.now()

    async def replay(self) -> int:
        """Queue what an earlier run left unfinished; answers how many."""
        left = await self._services.inbox.unfinished()
        for item in left:
            self.queues.put(item)
        return len(left)

    @property
    def _pulse(self) -> Pulse:
        return self._services.pulse

    def _wanted(self, updates: Sequence[bytes]) -> Iterator[Incoming]:
        known = self._services.access.roster.by_telegram_id
        for body in updates:
            try:
                peeked = _peek(body)
            except (msgspec.MsgspecError, RecursionError):
                self._refused("unreadable")
                continue
            sender, chat_id, origin = _who(peeked)
            if sender is None or chat_id is None:
                continue
            if sender not in known and not self._invited(peeked):
                self._pulse.strangers += 1
                continue
            yield Incoming(peeked.update_id, chat_id, self._services.sealer.seal(body, peeked.update_id), origin)

    def _refused(self, reason: str) -> None:
        self._pulse.refused[reason] = self._pulse.refused.get(reason, 0) + 1

    def _invited(self, peeked: _Peeked) -> bool:
        message = peeked.message
        if message is None or message.chat.type != "private" or not message.text:
            return False
        code = code_in(message.text)
        return code is not None and self._services.access.is_invited(code)

    async def _handle(self, item: Incoming) -> None:
        """One update through the doors. Whatever happens, it is dealt with: errors have their own handler."""
        try:
            body = self._services.sealer.unseal(item.body, item.update_id)
            update = Update.de_json(msgspec.json.decode(body), self._desk.bot)
            await self._desk.process_update(update)
        except Exception:  # an update the library cannot read must not stop its chat  # noqa: BLE001
            _log.exception("update could not be handled", extra={"update_id": item.update_id})
            self._pulse.incidents += 1
        self._services.inbox.finish(item.update_id)


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
