"""The Telegram side at work: from the first getMe to the last log-out."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from telegram.error import InvalidToken, TelegramError

from bot.errors import StartRefusedError
from bot.wiring import House
from handlers import build, register_menu
from handlers.context import Desk
from handlers.intake import ALLOWED_UPDATES, TelegramIntake
from handlers.notifier import Notifier
from handlers.polling import Poller
from handlers.transport import Transport

_log = logging.getLogger(__name__)
FINISH_SECONDS = 20.0
EX_NOPERM = 77


class Running:
    """Everything that is up: the desk, its intake, and the tasks that must not end."""

    def __init__(self, desk: Desk, transport: Transport) -> None:
        self.desk = desk
        self.intake = TelegramIntake(desk, desk.services.config.telegram.concurrency)
        self._transport = transport

    async def poll(self) -> None:
        """Fetch updates for ever."""
        with contextlib.suppress(TelegramError):  # if something is wrong, polling says so soon enough
            await self.desk.bot.delete_webhook(drop_pending_updates=False)
        await Poller(self.desk, self.intake, self._transport).run()

    async def announce_webhook(self) -> None:
        """Tell Telegram where to push."""
        webhook = self.desk.services.config.webhook
        if webhook is not None:
            await self.desk.bot.set_webhook(
                webhook.url,
                secret_token=webhook.secret.reveal(),
                allowed_updates=ALLOWED_UPDATES,
                drop_pending_updates=False,
            )

    async def notify(self) -> None:
        """Drain the outbox for ever."""
        await Notifier(self.desk).run()

    async def finish(self) -> None:
        """Let what runs end within its time; what has not begun stays in the inbox. Then flush what is due."""
        await self.intake.queues.stop(FINISH_SECONDS)
        await self.desk.services.inbox.flush()
        with contextlib.suppress(TimeoutError, TelegramError):
            async with asyncio.timeout(3):
                await Notifier(self.desk).drain()


@asynccontextmanager
async def running(house: House) -> AsyncIterator[Running]:
    """Greet Telegram, hang the doors, hand out what an earlier run left, and end cleanly.

    Raises:
        StartRefusedError: Telegram does not accept the token; exit 77.
    """
    transport = Transport(house.config.telegram.concurrency + 4)
    desk = build(house, transport)
    await _greet(desk)
    if desk.bot.bot.can_read_all_group_messages:
        _log.warning("privacy mode is off: this bot reads everything said in its groups; turn it on with BotFather")
    await desk.start()
    work = Running(desk, transport)
    menu = asyncio.create_task(_menu(desk))
    left = await work.intake.replay()
    if left:
        _log.info("updates from an earlier run are handled now", extra={"count": left})
    try:
        yield work
    finally:
        menu.cancel()
        await work.finish()
        await desk.stop()
        await desk.shutdown()


async def _greet(desk: Desk) -> None:
    """`getMe`, until Telegram answers: a desk that starts before its network is patient."""
    pause = 0.5
    while True:
        try:
            await desk.initialize()
        except InvalidToken:
            raise StartRefusedError("Telegram does not accept the bot token", EX_NOPERM) from None
        except TelegramError as error:
            _log.warning("Telegram not reached", extra={"error": type(error).__name__, "next_try_seconds": pause})
            await asyncio.sleep(pause)
            pause = min(pause * 2, 30)
        else:
            return


async def _menu(desk: Desk) -> None:
    try:
        await register_menu(desk)
    except TelegramError as error:
        _log.warning("command menu not registered", extra={"error": type(error).__name__})
