"""`countersign demo`: the whole desk played on one machine.

The simulators of Telegram and of the providers are served in this process; the bot is a process of its own, with a
configuration written for it, and reaches them through sockets only. The page shows the chats and moves the simulators.
Everything the play wrote lies in one temporary folder, which goes when it ends.
"""

import asyncio
import errno
import importlib
import logging
import secrets
import signal
import socket
import tempfile
import webbrowser
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import click
import httpx
import uvicorn

from bot.clock import SystemClock
from bot.demo.cast import GROUP, PEOPLE
from bot.demo.front import Front
from bot.demo.process import BotProcess
from bot.demo.script import Provider, Script
from bot.demo.seeding import seed
from bot.demo.telegram import make
from bot.demo.telegram.simulator import TelegramSimulator
from bot.errors import StartRefusedError
from bot.loopback.ports import free_port
from bot.loopback.server import Listening, running, serving
from bot.providers.registry import PROVIDERS

WALK_MS = 2000
"""Between two prices at Capital.com; those at Deriv move by themselves."""
CRM_NODES = 2
"""Approval nodes of a withdrawal in the demo: the back office's, then the desk's."""


async def play(port: int, open_browser: bool) -> None:
    """Run the demo until SIGINT, SIGTERM or SIGHUP.

    Prints one line with the address when the page and the bot are ready.

    Args:
        port: Of the page; 0 picks a free one.
    Raises:
        StartRefusedError: The port is taken, or the bot does not come up.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # under nohup a hang-up stays ignored
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stopping = asyncio.create_task(stop.wait())
    performing = asyncio.create_task(_perform(port, open_browser))
    await asyncio.wait({stopping, performing}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not performing.done():
        performing.cancel()
    with suppress(asyncio.CancelledError):
        await performing


async def _perform(port: int, open_browser: bool) -> None:
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_claimed(port))
        telegram = make()
        line = await stack.enter_async_context(serving(telegram))
        providers = {name: await stack.enter_async_context(_provider(name)) for name in PROVIDERS}
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=10))
        web_port = free_port()
        secret = secrets.token_urlsafe(24)
        await _furnish(client, line, providers, web_port, secret)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="countersign-demo-")))
        config = await seed(folder, line, providers, web_port, secret)
        script = _script(telegram, providers, client)
        bot = _bot(config, folder / "bot.log", telegram, script)
        front = Front(script, telegram.world.bot, lambda: bot.state, bot.crash)
        server = _page(front, telegram)
        await stack.enter_async_context(running(server, listener))
        stack.push_async_callback(bot.end)
        await _announce(bot, f"http://127.0.0.1:{listener.getsockname()[1]}/", open_browser)


async def _announce(bot: BotProcess, address: str, open_browser: bool) -> None:
    """Keep the bot alive; say where the page is as soon as the bot is there."""
    keeping = asyncio.create_task(bot.keep())
    ready = asyncio.create_task(bot.ready.wait())
    try:
        await asyncio.wait({keeping, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            click.echo(f"Countersign's demo desk is open at {address}")
            if open_browser:
                await asyncio.to_thread(webbrowser.open, address)
        await keeping
    finally:
        keeping.cancel()
        ready.cancel()
        with suppress(asyncio.CancelledError, StartRefusedError):
            await keeping


def _claimed(port: int) -> socket.socket:
    """The page's listener, taken first: nothing is started for a port that cannot be had."""
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        other = 8766 if port == 8765 else 8765
        why = "is taken" if error.errno == errno.EADDRINUSE else "may not be used"
        reason = f"Port {port} {why}. Choose another one: countersign demo --port {other}"
        raise StartRefusedError(reason, 1) from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


@asynccontextmanager
async def _provider(name: str) -> AsyncIterator[Listening]:
    simulator = importlib.import_module(f"bot.providers.{name}.simulator").make()
    async with serving(simulator) as listening:
        yield listening


async def _furnish(
    client: httpx.AsyncClient, telegram: Listening, providers: Mapping[str, Listening], web_port: int, secret: str
) -> None:
    """The people walk in, prices begin to move, the CRM gets its approval nodes and learns where its webhooks go, and
    Deriv where our app's people come back to."""
    people = [{"id": person.id, "first_name": person.name, "username": person.name.lower()} for person in PEOPLE]
    group = {"id": GROUP.id, "title": GROUP.title, "members": [person.id for person in PEOPLE]}
    answer = await client.post(f"{telegram.control}/people", json={"people": people, "groups": [group]})
    answer.raise_for_status()
    answer = await client.post(f"{providers['capital'].control}/walk", json={"on": True, "step_ms": WALK_MS})
    answer.raise_for_status()
    answer = await client.post(f"{providers['crm'].control}/settings", json={"levels": CRM_NODES})
    answer.raise_for_status()
    hook = {"url": f"http://127.0.0.1:{web_port}/crm/webhook", "secret": secret}
    answer = await client.post(f"{providers['crm'].control}/webhook", json=hook)
    answer.raise_for_status()
    back = f"http://127.0.0.1:{web_port}/oauth/deriv"
    app = {"app_id": providers["deriv"].credentials["app_id"], "redirect_uri": back}
    answer = await client.post(f"{providers['deriv'].control}/app", json=app)
    answer.raise_for_status()


def _script(telegram: TelegramSimulator, providers: Mapping[str, Listening], client: httpx.AsyncClient) -> Script:
    accounts = {"cryptocapital": providers["cryptocapital"].credentials["accounts"][0], "deriv": "CR900001"}
    listed = [Provider(name, each.control, accounts.get(name, "")) for name, each in providers.items()]
    return Script(listed, SystemClock(), client, telegram.stream.publish)


def _bot(config: Path, log_file: Path, telegram: TelegramSimulator, script: Script) -> BotProcess:
    def told(state: str, sentence: str) -> None:
        telegram.stream.publish({"type": "bot", "state": state})
        if sentence:
            script.note(sentence, mood="bad" if state == "down" else "good")

    return BotProcess(config, log_file, telegram.server.updates.polled, told)


def _page(front: Front, telegram: TelegramSimulator) -> uvicorn.Config:
    return uvicorn.Config(
        front.app(telegram.controls()),
        http="h11",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
