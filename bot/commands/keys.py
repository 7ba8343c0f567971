"""`countersign key …`: the master key."""

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from bot import logs
from bot.commands.ending import CONFIG, loaded, refuse
from bot.commands.host import perform
from bot.config import Config, KeySource
from bot.errors import ConflictError, CountersignError, StartRefusedError, WrongKeyError
from bot.hosting import HostCommand, Say
from bot.operations.exchanging import move
from bot.operations.leaks import doubt_all
from bot.operations.linked import Connection
from bot.store import Tables
from bot.store.file import peek
from bot.vault.install import keys_of
from bot.vault.keys import KeyTree, MasterKey
from bot.vault.rotation import Rotated, Rotation, Standing, standing
from bot.vault.sources import read_master
from bot.wiring import DATABASE, House, holding, house


@click.command("new")
@click.option("--out", type=click.Path(path_type=Path), help="Write it 0600 instead of printing it.")
def key_new(out: Path | None) -> None:
    """Make a master key."""
    master = MasterKey.new()
    if out is None:
        click.echo(master.to_text())
        return
    if out.exists():
        raise click.ClickException(f"{out} is there already; nothing was changed")
    write_key(master, out)


def write_key(master: MasterKey, path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(master.to_text() + "\n")


@click.command("check")
@CONFIG
def key_check(config_path: Path) -> None:
    """Say whether the key belongs to the database, and how far the data keys are rotated."""
    config = loaded(config_path)
    try:
        master = read_master(config.key)
        found = peek(config.data_dir / DATABASE, lambda tables: _found(master, tables))
    except CountersignError as error:
        refuse(error)
    click.echo("The master key fits.")
    if found is None:
        click.echo("There is no database yet: the first start takes this key.")
        return
    keys, rotation = found
    click.echo(f"Fingerprint {keys.fingerprint}, generation {rotation.generation}.")
    for line in _lagging(rotation):
        click.echo(line)


def _found(master: MasterKey, tables: Tables) -> tuple[KeyTree, Standing] | None:
    found = keys_of(master, tables)
    return None if found is None else (found[0], standing(tables))


def _lagging(rotation: Standing) -> list[str]:
    lines = [f"A rotation was interrupted: `countersign {command}` finishes it." for command in rotation.unfinished]
    if rotation.behind:
        lines.append(f"Data keys still under an earlier generation: {rotation.behind}.")
    if rotation.waiting:
        lines.append(f"Of these, waiting for their owner's passphrase (/unlock): {rotation.waiting}.")
    lines = lines or ["Every data key is under this generation."]
    if rotation.kept:
        kept = ", ".join(map(str, rotation.kept))
        lines.append(
            f"Kept until a backup was made and verified (countersign backup), though nothing needs it: {kept}."
        )
    return lines


class WhatToRotate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which keys."""

    data_keys: bool
    leaked: bool = False


@click.command("rotate")
@CONFIG
@click.option("--data-keys", is_flag=True, help="Seal every record anew under fresh data keys.")
@click.option("--leaked", is_flag=True, help="Every credential may have been copied: ask for new ones until they are.")
@click.option("--to", type=click.Path(path_type=Path), help="Exchange the master key for the one in this file.")
def key_rotate(config_path: Path, data_keys: bool, leaked: bool, to: Path | None) -> None:
    """Wrap every data key anew, also while the bot runs. Interrupted, it is finished by asking again.

    After a suspected leak this is not enough, because copies exist: it ends with what to revoke at the providers. With
    --to the bot must be stopped, and the configuration has to name the other key's file afterwards.
    """
    config, what = loaded(config_path), WhatToRotate(data_keys, leaked)
    if to is None:
        perform(config, ROTATE, what)
        return
    if data_keys:
        raise click.UsageError("--to and --data-keys are two rotations: one after the other")
    logs.configure("WARNING")
    try:
        other = dataclasses.replace(config, key=KeySource(config.key.folder, file=to.absolute()))
        asyncio.run(_exchange(config, other, what))
    except CountersignError as error:
        refuse(error)
    click.echo(f"From now on the desk opens with {to} alone: name it as `file` under [key] in {config_path}.")
    click.echo("Keep the key before for backups that were made before. Buttons from before do not work.")


async def _exchange(config: Config, other: Config, what: WhatToRotate) -> None:
    """Begin, unless it was begun before; then wrap what is left."""

    async def say(line: str) -> None:
        click.echo(line)

    to, place = read_master(other.key), other.key.file
    if place is not None and config.data_dir.resolve() in place.resolve().parents:
        raise StartRefusedError(
            f"{place} lies in data_dir: a key is kept, and backed up, apart. Nothing was changed.", 78
        )
    with holding(config):
        found = _found_with(to, config.data_dir / DATABASE)
        if found is None:
            async with house(config) as rooms:
                await move(rooms.database, rooms.keys, to, rooms.audit, rooms.clock)
        elif "key rotate" not in found.unfinished:
            raise ConflictError("that is the master key the desk has; nothing was changed")
        async with house(other) as rooms:
            rotated = await Rotation(rooms.database, rooms.vault.safe, rooms.audit).renew_wrapping(say)
            rotated.resumed = found is not None
            for line in _told(rotated, *_wrapped(rotated)):
                await say(line)
            for line in await _if_leaked(rooms, what):
                await say(line)


def _found_with(master: MasterKey, database: Path) -> Standing | None:
    """How far the rotation is, if the database is that key's already."""
    with contextlib.suppress(WrongKeyError):
        found = peek(database, lambda tables: _found(master, tables))
        return None if found is None else found[1]
    return None


async def _rotate(house: House, arguments: WhatToRotate, say: Say) -> int:
    rotation = Rotation(house.database, house.vault.safe, house.audit)
    if arguments.data_keys:
        rotated = await rotation.renew_data_keys(say)
        done = f"Records sealed anew under fresh data keys: {rotated.done}."
        waiting = "Connections left as they were, because they are under their owner's passphrase"
    else:
        rotated = await rotation.renew_wrapping(say)
        done, waiting = _wrapped(rotated)
    for line in _told(rotated, done, waiting):
        await say(line)
    for line in await _if_leaked(house, arguments) or await _leak(house):
        await say(line)
    return 0


def _wrapped(rotated: Rotated) -> tuple[str, str]:
    """What was done, and what the number behind it waits for."""
    done = f"Data keys wrapped anew under generation {rotated.generation}: {rotated.done}."
    return done, "Data keys that follow when their owner gives the passphrase (/unlock)"


def _told(rotated: Rotated, done: str, waiting: str) -> list[str]:
    lines = ["This finished a rotation that had been interrupted."] if rotated.resumed else []
    lines.append(done)
    if rotated.waiting:
        lines.append(f"{waiting}: {rotated.waiting}.")
    lines += [f"Does not open, and was left as it is: {name}." for name in rotated.unreadable]
    return lines


async def _if_leaked(house: House, what: WhatToRotate) -> list[str]:
    """Write down that every credential may have been copied, when that was said."""
    if not what.leaked:
        return []
    doubted = await doubt_all(house.database, house.audit, house.outbox, house.clock)
    lines = [
        "Every credential counts as copied now. Its owner was told, and /connections shows it until it is replaced.",
        *(["Revoke these at the providers:"] if doubted else []),
    ]
    return lines + _to_revoke(doubted)


def _to_revoke(connections: Iterable[Connection]) -> list[str]:
    return [f"  {one.name} ({one.environment}): {one.spec.revoke}".rstrip(": ") for one in connections]


async def _leak(house: House) -> list[str]:
    """What a rotation cannot do: call back what somebody has copied."""
    connections = await house.connections.everything()
    lines = ["The master key is the same as before, and whoever copied it with the database can open that copy."]
    if connections:
        lines.append("If that may have happened, make new credentials at the providers and revoke these:")
    return lines + _to_revoke(connections)


ROTATE = HostCommand("key rotate", WhatToRotate, _rotate)
HOST_COMMANDS = (ROTATE,)
