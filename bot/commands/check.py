"""`countersign check`: whether `run` could."""

from collections.abc import Iterator
from pathlib import Path

import click

from bot.access.differing import people_differing
from bot.commands.ending import CONFIG, loaded, refuse
from bot.config import Config
from bot.errors import ConnectionLockedError, CountersignError
from bot.operations.beginning import policy_differing
from bot.store.file import inspect
from bot.vault.install import check_key
from bot.vault.service import unreadable
from bot.vault.sources import read_master, unread
from bot.wiring import DATABASE


@click.command()
@CONFIG
def check(config_path: Path) -> None:
    """Check the configuration; no network, nothing is changed."""
    config = loaded(config_path)
    try:
        notes = list(_notes(config))
    except CountersignError as error:
        refuse(error)
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(f"{config_path}: all well")


def _notes(config: Config) -> Iterator[str]:
    """What `run` can live with, in sentences; an error is what it could not."""
    path = config.data_dir / DATABASE
    inspect(path)
    unasked = unread(config.key)
    if unasked is not None:
        yield unasked
    else:
        master = read_master(config.key)
        check_key(master, path)
        for error in unreadable(master, path):
            if not isinstance(error, ConnectionLockedError):
                yield (
                    f"the sealed credential of {error.label} does not open; its bytes are kept, the others open. "
                    "/disconnect it and link it anew"
                )
    yield from people_differing(config.data_dir / DATABASE, config.people)
    yield from policy_differing(config.data_dir / DATABASE, config.policy)
