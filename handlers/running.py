"""The Telegram side at work: from the first getMe to the last log-out."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

from telegram.error import BadRequest, InvalidToken, NetworkError, TelegramError

from bot.errors import StartRefusedError, StoreError
from bot.wiring import House
from handlers import build, groups
from handlers.context import Desk
from handlers.intake import ALLOWED_UPDATES, TelegramIntake
from handlers.notifier import Notifier
from handlers.polling import Poller
from handlers.transport import Transport

_log = logging.getLogger(__name__)
FINISH_SECONDS = 11.0
"""What is being handled may take so long to end; with the last notices and the log-outs that makes 20 s (R40)."""
ASK_SECONDS = 60.0
EX_UNAVAILABLE, EX_NOPERM = 69, 77


class Running:
    """Everything that is up: the desk, its intake, and the tasks that must not end."""

    def __init__(self, desk: Desk, transport: Transport) -> None:
        self.desk = desk
        self.intake = TelegramIntake(desk, desk.services.config.telegram.concurrency)
        self.up = asyncio.Event()
        """Updates are being asked for, or pushed."""
        self._transport = transport
        self._notifier = Notifier(desk)
        self._is_token_told = False

    async def settled(self) -> None:
        """Until updates come in, and the rooms they lead to have been imported, in the background."""
        await self.up.wait()

    async def poll(self) -> None:
        """Fetch updates for ever. `StartRefusedError` when Telegram stops accepting the token; exit 77."""
        async with self._token_kept():
            await _patiently(lambda: self.desk.bot.delete_webhook(drop_pending_updates=False), self.desk.services)
            await Poller(self.desk, self.intake, self._transport, self.up.set).run()

    async def announce_webhook(self) -> None:
        """Tell Telegram where to push. `StartRefusedError` when it does not want to; exit 69."""
        webhook = self.desk.services.config.webhook
        if webhook is None:
            return
        self.up.set()  # the server stands
        try:
            with _token_needed():
                await _patiently(
                    lambda: self.desk.bot.set_webhook(
                        webhook.url,
                        secret_token=webhook.secret.reveal(),
                        allowed_updates=ALLOWED_UPDATES,
                        drop_pending_updates=False,
                    ),
                    self.desk.services,
                )
        except BadRequest as error:
            raise StartRefusedError(f"Telegram does not accept the webhook: {error.message}", EX_UNAVAILABLE) from None

    async def keep_asking(self) -> None:
        """Where updates are pushed nobody asks for any: ask for something now and then, to see that Telegram is there.

        For ever; `StartRefusedError` as for `poll`.
        """
        services = self.desk.services
        async with self._token_kept():
            while True:
                await services.clock.sleep(ASK_SECONDS)
                try:
                    await self.desk.bot.get_webhook_info()
                except InvalidToken:
                    raise
                except NetworkError:
                    services.pulse.unanswered(services.clock.now())
                except TelegramError:
                    services.pulse.answered()
                else:
                    services.pulse.answered()

    async def notify(self) -> None:
        """Drain the outbox for ever. `StartRefusedError` as for `poll`."""
        async with self._token_kept():
            await self._notifier.run()

    async def tell_by_the_clock(self) -> None:
        """What people have put on a schedule, for ever."""
        from handlers.digests import Digests

        await Digests(self.desk).run()

    @asynccontextmanager
    async def _token_kept(self) -> AsyncIterator[None]:
        """A token that is refused while we run: money is frozen, and it is told where Telegram is not needed."""
        try:
            with _token_needed():
                yield
        except StartRefusedError:
            if not self._is_token_told:
                self._is_token_told = True
                await self._token_lost()
            raise

    async def _token_lost(self) -> None:
        from bot.operations.freezing import DESK

        services = self.desk.services
        now = services.clock.now()
        why = f"Telegram refused the bot's token at {now:%Y-%m-%d %H:%M:%S} UTC"
        text = f"{why}, so the bot has stopped and the desk is frozen. Put in a new token, start it again, and thaw."
        with contextlib.suppress(StoreError):
            await services.database.write(lambda tables: services.freezing.alarm(tables, DESK, why))
            await services.paging.at_once(f"token/{now:%Y-%m-%d %H:%M}", "Telegram refuses the bot's token", text)

    async def finish(self) -> None:
        """Let what runs end within its time; what has not begun stays in the inbox. Then flush what is due."""
        await self.intake.queues.stop(FINISH_SECONDS)
        with contextlib.suppress(StoreError):  # marks that are not written replay what was handled, no worse
            await self.desk.services.inbox.flush()
        with contextlib.suppress(TimeoutError, TelegramError):
            async with asyncio.timeout(3):
                await self._notifier.drain()


@asynccontextmanager
async def running(house: House) -> AsyncIterator[Running]:
    """Greet Telegram, hang the doors, hand out what an earlier run left, and end cleanly.

    Raises:
        StartRefusedError: Telegram does not accept the token; exit 77.
    """
    transport = Transport(house.config.telegram.concurrency + 4)
    desk = build(house, transport)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(transport.shutdown)
        await _greet(desk)
        stack.push_async_callback(desk.shutdown)
        if desk.bot.bot.can_read_all_group_messages:
            _log.warning("privacy mode is off: this bot reads everything said in its groups; BotFather can turn it on")
        await desk.start()
        stack.push_async_callback(desk.stop)
        work = Running(desk, transport)
        stack.push_async_callback(work.finish)
        stack.callback(asyncio.create_task(_meanwhile(work)).cancel)
        left = await work.intake.replay()
        if left:
            _log.info("updates from an earlier run are handled now", extra={"count": left})
        yield work


async def _greet(desk: Desk) -> None:
    """`getMe`, until Telegram answers: a desk that starts before its network is patient."""
    with _token_needed():
        await _patiently(desk.initialize, desk.services)


@contextlib.contextmanager
def _token_needed() -> Iterator[None]:
    """The library's own error holds the token."""
    try:
        yield
    except InvalidToken:
        raise StartRefusedError("Telegram does not accept the bot token", EX_NOPERM) from None


async def _patiently(call: Callable[[], Awaitable[object]], services: House) -> None:
    """Once it succeeds. A refusal that no waiting will mend is raised."""
    pause = 0.5
    while True:
        try:
            await call()
        except (InvalidToken, BadRequest):
            raise
        except TelegramError as error:
            if isinstance(error, NetworkError):
                services.pulse.unanswered(services.clock.now())
            _log.warning("Telegram not reached", extra={"error": type(error).__name__, "next_try_seconds": pause})
            await asyncio.sleep(pause)
            pause = min(pause * 2, 30)
        else:
            services.pulse.answered()
            return


async def _meanwhile(work: Running) -> None:
    """What nobody waits for."""
    await work.settled()
    await asyncio.gather(_look_around(work.desk), _menus(work.desk))


async def _menus(desk: Desk) -> None:
    """The command menus, as soon as Telegram takes them, and whenever they change."""
    from handlers.menus import Menus
    from handlers.rooms import DOORS_IN_ORDER

    menus = Menus(desk, DOORS_IN_ORDER)
    try:
        await _patiently(menus.keep, desk.services)
    except TelegramError as error:
        _log.warning("command menus not registered", extra={"error": type(error).__name__})


async def _look_around(desk: Desk) -> None:
    """Who is still in the desk's groups."""
    try:
        await groups.look_around(desk)
    except StoreError as error:
        _log.warning("the desk's groups were not looked at", extra={"error": type(error).__name__})
