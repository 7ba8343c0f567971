"""`countersign backup` and `countersign restore`."""

import asyncio
from pathlib import Path

import click
import msgspec

from bot import logs
from bot.clock import SystemClock
from bot.commands.ending import CONFIG, loaded, refuse
from bot.commands.host import perform
from bot.config import Config
from bot.errors import CountersignError
from bot.hosting import HostCommand, Say
from bot.operations.backups import Backups
from bot.operations.restoring import Restored
from bot.operations.restoring import restore as restored
from bot.vault.sources import read_master
from bot.wiring import DATABASE, House, holding


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a backup shall lie; a whole path, because the bot has a working directory of its own."""

    path: str


@click.command()
@CONFIG
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to write; it must not be there.")
def backup(config_path: Path, out: Path) -> None:
    """Write an encrypted copy of the desk, also while the bot runs."""
    perform(loaded(config_path), BACKUP, Target(str(out.absolute())))


def backups_of(house: House) -> Backups:
    """What makes backups of a desk. No part of the house itself: a bot that makes none need not carry it."""
    return Backups(house.database, house.keys, house.vault, house.audit, house.clock)


async def _make(house: House, arguments: Target, say: Say) -> int:
    made = await backups_of(house).make(Path(arguments.path))
    await say(f"{made.path}: {made.size} bytes, opened by the master key with the fingerprint {made.key}.")
    if made.dropped:
        await say(
            f"Opened again and compared, so keys that wrap nothing any more were dropped: {_listed(made.dropped)}."
        )
    await say("The master key is not in it: keep that elsewhere, or the backup opens nothing.")
    return 0


@click.command()
@CONFIG
@click.option("--replace", is_flag=True, help="Move the database that is there aside, and keep it.")
@click.argument("file", type=click.Path(path_type=Path))
def restore(config_path: Path, file: Path, replace: bool) -> None:
    """Put a backup in place; the bot must not run. Nothing that was under way goes on by itself."""
    logs.configure("WARNING")
    try:
        done = asyncio.run(_restore(loaded(config_path), file, replace=replace))
    except CountersignError as error:
        refuse(error)
    click.echo(f"Restored {file}, made {done.made_at}: key and audit log fit. Buttons from before do not work.")
    if done.aside is not None:
        click.echo(f"The database that was there is kept as {done.aside}.")
    if done.ended:
        click.echo(f"Ended, to be asked for anew: {', '.join(done.ended)}.")
    if done.unknown:
        click.echo(f"Outcome unknown, look at the provider: {', '.join(done.unknown)}.")
    click.echo("What was changed after the backup is as it was before: go through people and connections.")


async def _restore(config: Config, file: Path, *, replace: bool) -> Restored:
    with holding(config):
        master = read_master(config.key)
        return await restored(master, file, config.data_dir / DATABASE, SystemClock(), replace=replace)


def _listed(generations: tuple[int, ...]) -> str:
    return f"generation{'s' if len(generations) > 1 else ''} {', '.join(map(str, generations))}"


BACKUP = HostCommand("backup", Target, _make)
HOST_COMMANDS = (BACKUP,)
