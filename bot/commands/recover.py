"""`countersign recover`: the desk goes on with a new master key, because the old one is lost."""

import asyncio
from pathlib import Path

import click

from bot import logs
from bot.clock import SystemClock
from bot.commands.ending import CONFIG, loaded, refuse
from bot.config import Config
from bot.errors import CountersignError
from bot.operations.recovering import Loss, Recovered, loss
from bot.operations.recovering import recover as recovered
from bot.vault.sources import read_master
from bot.wiring import DATABASE, holding


@click.command()
@CONFIG
@click.option("--forget-credentials", is_flag=True, required=True, help="What the lost key sealed is erased for good.")
@click.option("--yes", is_flag=True, help="Do not ask for the desk's name.")
def recover(config_path: Path, forget_credentials: bool, yes: bool) -> None:
    """Go on with a new master key when the old one is lost; the bot must not run.

    [key] names the new one, as made by `key new`. Every login and second factor is erased, and the desk is frozen until
    others have signed for the thaw. People, requests, settings and the audit log stay.
    """
    logs.configure("WARNING")
    config = loaded(config_path)
    try:
        done = _recover(config, ask=not yes)
    except CountersignError as error:
        refuse(error)
    for line in _told(done, config_path):
        click.echo(line)


def _recover(config: Config, *, ask: bool) -> Recovered:
    with holding(config):
        master, path = read_master(config.key), config.data_dir / DATABASE
        for line in _warning(loss(master, path)):
            click.echo(line)
        if ask:
            name = click.prompt(f"To go on, type the desk's name ({config.desk.name})", default="", show_default=False)
            if name.strip() != config.desk.name:
                raise click.ClickException("That is not the desk's name. Nothing was changed.")
        return asyncio.run(recovered(master, path, SystemClock()))


def _warning(gone: Loss) -> list[str]:
    names = f": {', '.join(gone.connections)}" if gone.connections else ""
    return [
        f"The key under [key] (fingerprint {gone.new_key}) takes the place of the lost one ({gone.lost_key}).",
        "Erased for good:",
        f"  credentials{names or ': none'}",
        f"  second factors: {gone.factors}",
        f"  forms half filled in: {gone.drafts}",
        f"  messages received and not answered yet: {gone.updates}",
        f"  events of the CRM: {gone.events}",
        "Requests that wait end; the outcome of what was being sent is unknown. Buttons from before do not work.",
        "The desk is frozen: no money leaves until others have signed for the thaw.",
        "If a copy of the lost key may still turn up, on paper or with somebody, look for that first.",
    ]


def _told(done: Recovered, config_path: Path) -> list[str]:
    lines = [
        "Done: the desk opens with the new key. Every admin is told at the next start.",
        f"The database as it was is kept as {done.kept}.",
        "Only the lost key opens what is sealed in it; erase it when nothing of it is needed any more.",
    ]
    if done.flaw is not None:
        lines.append(f"The audit log was not whole before: see `countersign audit verify --config {config_path}`.")
    if done.ended:
        lines.append(f"Ended, to be asked for anew: {', '.join(done.ended)}.")
    if done.unknown:
        lines.append(f"Outcome unknown, look at the provider: {', '.join(done.unknown)}.")
    lines.append("Copy the new key to paper, and make a backup: those from before open with the lost key only.")
    return lines
