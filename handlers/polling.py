"""Fetching updates.

The offset moves only after the batch before it is in the inbox: a batch that cannot be stored is fetched again, however
often that takes. Raw bytes are kept; nothing is built from them for strangers.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from telegram.error import Conflict, InvalidToken, NetworkError, RetryAfter, TelegramError, TimedOut

from bot.errors import StoreError
from handlers.context import Desk
from handlers.intake import ALLOWED_UPDATES, TelegramIntake
from handlers.transport import Transport

_log = logging.getLogger(__name__)
LONG_POLL_SECONDS: Final = 25
BATCH: Final = 100
"""Updates a call, the most Telegram gives. After fewer than that nothing more was waiting."""
BREATH_SECONDS: Final = 0.002
"""The answers to a small batch leave before Telegram is asked again: people wait for those, nobody for a long poll."""
CONFLICT_SECONDS: Final = 60.0
"""Another program fetches with the same token: wait, do not fight (R25)."""
ANSWER_SECONDS: Final = 90.0
"""An answer that has not come whole by then never will (R24)."""
_MAX_PAUSE_SECONDS: Final = 30.0


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: int | None = None


class _Batch(msgspec.Struct):
    ok: bool
    result: list[msgspec.Raw] = []
    error_code: int = 0
    description: str = ""
    parameters: _Parameters = _Parameters()


class _Numbered(msgspec.Struct):
    update_id: int


_read = msgspec.json.Decoder(_Batch).decode
_number = msgspec.json.Decoder(_Numbered).decode


class Poller:
    """Asks Telegram, over and over, until stopped.

    Args:
        asking: Called when Telegram is asked for updates.
    """

    def __init__(
        self, desk: Desk, intake: TelegramIntake, transport: Transport, asking: Callable[[], None] = lambda: None
    ) -> None:
        self._desk = desk
        self._asking = asking
        self._intake = intake
        self._transport = transport
        self._offset: int | None = None
        self._failures = 0
        self._is_contested = False

    async def run(self) -> None:
        """Poll for ever. `InvalidToken` ends it: no waiting will mend that."""
        while True:
            try:
                await self._once()
                self._failures = 0
            except InvalidToken:
                raise
            except (TelegramError, StoreError) as error:
                await self._pause(error)

    async def _once(self) -> None:
        updates = await self._fetch()
        self._desk.services.pulse.asked_at = self._desk.services.clock.now()
        self._desk.services.pulse.answered()
        self._is_contested = False
        if updates:
            await self._intake.take(updates)
            self._offset = max(_numbers(updates)) + 1
            await asyncio.sleep(0 if len(updates) == BATCH else BREATH_SECONDS)

    async def _fetch(self) -> Sequence[bytes]:
        wishes = {"timeout": LONG_POLL_SECONDS, "limit": BATCH, "allowed_updates": ALLOWED_UPDATES}
        if self._offset is not None:
            wishes["offset"] = self._offset
        address = f"{self._desk.bot.base_url}/getUpdates"
        try:
            self._asking()
            async with asyncio.timeout(ANSWER_SECONDS):
                status, body = await self._transport.ask(address, wishes, LONG_POLL_SECONDS + 10)
        except TimeoutError:
            raise TimedOut from None
        try:
            batch = _read(body)
        except (msgspec.MsgspecError, RecursionError):
            raise NetworkError(f"unreadable answer ({status})") from None
        if not batch.ok:
            raise _error(batch)
        return [bytes(raw) for raw in batch.result]

    async def _pause(self, error: Exception) -> None:
        self._failures += 1
        seconds = min(0.5 * 2.0 ** min(self._failures - 1, 10), _MAX_PAUSE_SECONDS)
        clock, pulse = self._desk.services.clock, self._desk.services.pulse
        now, begun = clock.now(), clock.monotonic()
        if isinstance(error, Conflict):
            seconds = CONFLICT_SECONDS
            pulse.answered()
            await self._contested(now)
        elif isinstance(error, RetryAfter):
            seconds = float(error._retry_after.total_seconds())
            pulse.answered()
        elif isinstance(error, NetworkError):
            pulse.unanswered(now)
        _log.warning("updates not fetched", extra={"error": type(error).__name__, "next_try_seconds": seconds})
        await clock.sleep(seconds - (clock.monotonic() - begun))

    async def _contested(self, now: datetime) -> None:
        """Somebody else has the token: until people have looked, no money leaves. Once, however long it lasts."""
        if self._is_contested:
            return
        from bot.operations.freezing import DESK

        why = f"another program fetched this bot's updates from Telegram at {now:%Y-%m-%d %H:%M:%S} UTC"
        try:
            await self._desk.services.database.write(
                lambda tables: self._desk.services.freezing.alarm(tables, DESK, why)
            )
            self._is_contested = True
        except StoreError as error:
            _log.warning("conflict not written down", extra={"error": type(error).__name__})


def _numbers(updates: Sequence[bytes]) -> list[int]:
    """The ids of a batch. One without an id is passed over; `NetworkError` when none has one."""
    numbers = []
    for body in updates:
        with contextlib.suppress(msgspec.MsgspecError, RecursionError):
            numbers.append(_number(body).update_id)
    if not numbers:
        raise NetworkError("updates without ids")
    return numbers


def _error(batch: _Batch) -> TelegramError:
    if batch.error_code in (401, 404):
        return InvalidToken("Telegram does not accept the token")
    if batch.error_code == 409:
        return Conflict(batch.description)
    if batch.error_code == 429:
        return RetryAfter(batch.parameters.retry_after or 5)
    return NetworkError(f"Telegram answered {batch.error_code}")
