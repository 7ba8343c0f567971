"""`countersign simulate` and `demo`: everything without the outside world."""

import importlib
import sys
from pathlib import Path

import click

from bot import logs
from bot.commands.ending import finish, hearing
from bot.providers.registry import PROVIDERS


@click.command()
@click.argument("name", type=click.Choice(["telegram", *PROVIDERS]))
@click.option("--port", default=0, help="0 picks a free one.")
@click.option("--seed", default=7)
@click.option("--state", type=click.Path(path_type=Path), help="Keeps the ledger across restarts.")
@click.option("--tls", is_flag=True, help="Serve TLS with a certificate made at start.")
def simulate(name: str, port: int, seed: int, state: Path | None, tls: bool) -> None:
    """Start one simulator; prints one JSON line when it listens."""
    from bot.loopback.server import serving

    logs.configure("WARNING")
    module = "bot.demo.telegram" if name == "telegram" else f"bot.providers.{name}.simulator"

    async def stand() -> None:
        simulator = importlib.import_module(module).make(seed)
        async with serving(simulator, port=port, state=state, tls=tls) as listening:
            stop = hearing()
            click.echo(listening.line())
            sys.stdout.flush()
            await stop.wait()

    finish(stand())


@click.command()
@click.option("--port", default=8765, help="Of the chat page.")
@click.option("--browser/--no-browser", default=True, help="Open the page.")
def demo(port: int, browser: bool) -> None:
    """Play the whole desk on this machine: simulators, people, and the real bot."""
    from bot.demo.stage import play

    logs.configure("WARNING")
    finish(play(port, browser))
