"""`countersign run`: the bot itself."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from bot import __version__, jobs, logs
from bot.commands.ending import CONFIG, finish, hearing, loaded, told
from bot.commands.host import known_commands
from bot.config import Config
from bot.errors import StoreError
from bot.hosting import hosting
from bot.store.presence import any_in
from bot.wiring import House, holding, house, mark_clean_stop
from handlers import failures
from handlers.running import Running, running

_log = logging.getLogger("countersign")
_LOOK_SECONDS = 1.0
"""So often it is seen whether a room has begun to be used."""


@click.command()
@CONFIG
def run(config_path: Path) -> None:
    """Run the bot."""
    config = loaded(config_path)
    logs.configure(config.log.level, as_json=config.log.format == "json")
    finish(_run(config))


async def _run(config: Config) -> None:
    """Everything up, until told to stop; then everything down, whatever went wrong on the way."""
    stop = hearing()  # from the first moment on: a desk that still waits for Telegram can be told to stop, too
    with holding(config):
        async with house(config) as rooms:
            serving = asyncio.create_task(_serve(config, rooms))
            told_to = asyncio.create_task(stop.wait())
            try:
                async with hosting(rooms, known_commands, told):
                    await asyncio.wait({serving, told_to}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                told_to.cancel()
                if not serving.done():
                    serving.cancel()
                await asyncio.wait({serving})
                await rooms.withdrawals.close()
                await rooms.connections.close()
                with contextlib.suppress(StoreError):
                    await mark_clean_stop(rooms)
            if not serving.cancelled():
                serving.result()
            _log.info("stopped")


async def _serve(config: Config, rooms: House) -> None:
    """The Telegram side and the clockwork, until cancelled, or until a part of them cannot go on."""
    with jobs.scheduled(rooms):
        async with running(rooms) as work, _updates(config, work) as fetching:
            _log.info("up", extra={"version": __version__, "key": rooms.keys.fingerprint})
            rest = (_moving(rooms, work), _watching(rooms, work), _by_the_clock(rooms, work))
            parts = (*fetching, work.notify(), *rest)
            tasks = [asyncio.create_task(part) for part in parts]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result


async def _by_the_clock(rooms: House, work: Running) -> None:
    """Digests and statements, when they are due."""
    await work.settled()
    await once_there_are(rooms, ("schedules",), "handlers.digests", "bot.operations.schedules.service")
    await work.tell_by_the_clock()


async def _moving(rooms: House, work: Running) -> None:
    """What was approved is sent, and what is open is found out about."""
    await work.settled()
    with contextlib.suppress(StoreError):
        await rooms.database.stretch_journal()
    await once_there_are(rooms, ("requests",), "bot.operations.deciding")
    await rooms.money.run()


async def _watching(rooms: House, work: Running) -> None:
    """What is told by itself, by the providers and by what alert rules make of it."""
    await work.settled()
    if await rooms.database.read(any_in("sealed")):
        await rooms.locking.take_stock(rooms.access.roster, rooms.pulse.started_at)
    await once_there_are(rooms, ("connections", "alert_rules"), "bot.alerts.service", "bot.operations.watch.room")
    await rooms.alerts.start()
    writing, watching = (asyncio.create_task(one) for one in (rooms.alerts.run(), rooms.watch.run()))
    try:
        await asyncio.wait({writing, watching}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for part in (watching, writing):  # what was heard last is still written down
            part.cancel()
            await asyncio.wait([part])
    for part in (writing, watching):
        if not part.cancelled():
            part.result()


async def once_there_are(rooms: House, tables: tuple[str, ...], *modules: str) -> None:
    """A room that looks after rows is opened once there are some, its files imported while everybody is answered."""
    while True:
        with contextlib.suppress(StoreError):  # it is looked again
            if await rooms.database.read(any_in(*tables)):
                break
        await rooms.clock.sleep(_LOOK_SECONDS)
    for module in modules:
        await asyncio.to_thread(import_module, module)


@asynccontextmanager
async def _updates(config: Config, work: Running) -> AsyncIterator[list[Coroutine[Any, Any, None]]]:
    """How updates come in: fetched by a task, or pushed to a server that stands for the length of the block.

    The pages, where there are any, stand for as long.
    """
    if config.webhook is None and config.web is None:
        yield [work.poll()]
        return
    from bot import http  # a server nobody needs otherwise

    sites = [] if config.webhook is None else [http.pushed(config.webhook, work.intake)]
    if config.web is not None:
        sites.append(http.pages(work.desk.services, config.web, failures.sentence))
        sites += http.from_crm(work.desk.services)
    async with http.serving(sites):
        if config.webhook is None:
            yield [work.poll()]
            return
        await work.announce_webhook()
        yield [work.keep_asking()]
