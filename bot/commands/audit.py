"""`countersign audit …`: whether the log is whole, and files of it."""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click
import msgspec

from bot.audit.anchors import anchor_from, read_lines
from bot.audit.export import Format
from bot.audit.model import Anchor, Selection
from bot.commands.ending import CONFIG, loaded
from bot.commands.host import perform
from bot.config import Config
from bot.errors import StartRefusedError
from bot.hosting import HostCommand, Say
from bot.wiring import DATABASE, House

TAMPERED = 1
CANNOT_SAY = 2


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is remembered of the log outside of it."""

    anchors: list[str] = []
    """Each `seq:hash` or `seq:hash:epoch`."""
    files: list[str] = []
    """Anchor files, as whole paths."""


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rows, and how."""

    format: Format
    since: str | None = None
    until: str | None = None


@click.command("verify")
@CONFIG
@click.option("--anchor", "anchors", multiple=True, help="A row somebody remembers: seq:hash or seq:hash:epoch.")
@click.option("--anchors", "files", multiple=True, type=click.Path(path_type=Path), help="A file of anchors.")
def audit_verify(config_path: Path, anchors: tuple[str, ...], files: tuple[Path, ...]) -> None:
    """Examine the whole audit log: exit 0 when it is whole, 1 when not, 2 when that cannot be said.

    It cannot be said, too, when the configured anchor file is missing or empty although the log is older than an hour:
    rows cut from its end would not show.
    """
    unreadable = [text for text in anchors if anchor_from(text) is None]
    if unreadable:
        raise click.UsageError(f"{unreadable[0][:80]!r} is no anchor; one is written as seq:hash")
    with _two_unless_said():
        config = loaded(config_path)
        if not (config.data_dir / DATABASE).exists():
            raise StartRefusedError(f"There is no database in {config.data_dir}.", CANNOT_SAY)
        perform(config, VERIFY, Known(list(anchors), [str(path.absolute()) for path in files]))


@contextlib.contextmanager
def _two_unless_said() -> Iterator[None]:
    """Whatever ends it other than a verdict is "cannot be said", also what Python or click would end with 1."""
    try:
        yield
    except StartRefusedError as error:
        click.echo(error.reason, err=True)
        sys.exit(CANNOT_SAY)
    except SystemExit as ended:
        if ended.code not in (0, TAMPERED):
            sys.exit(CANNOT_SAY)
        raise
    except KeyboardInterrupt:
        sys.exit(CANNOT_SAY)
    except Exception:  # an accident must not read as a verdict
        logging.getLogger("countersign").exception("not examined")
        sys.exit(CANNOT_SAY)


async def _verify(house: House, arguments: Known, say: Say) -> int:
    known = [anchor for text in arguments.anchors if (anchor := anchor_from(text)) is not None]
    for path in map(Path, arguments.files):
        known += await _anchors_in(path, say)
    own = house.config.audit.anchor_file
    lost = False
    if own is not None and str(own) not in arguments.files:
        try:
            known += await _anchors_in(own, say)
        except StartRefusedError as error:
            await say(f"{error.reason} It was not compared.")
            is_there = await asyncio.to_thread(_has_content, own)
            lost = await house.anchoring.is_due() and not (known and is_there)
    from handlers.render.audit import verdict

    found = await house.auditing.verify(known)
    for line in verdict(found, anchors_lost=lost):
        await say(line)
    if not found.is_whole:
        return TAMPERED
    return CANNOT_SAY if lost else 0


def _has_content(path: Path) -> bool:
    """Whether there is anything in it, be it ours to read or not: it may be kept from us with good reason."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


async def _anchors_in(path: Path, say: Say) -> list[Anchor]:
    """What a file remembers. `StartRefusedError` when there is nothing in it that can be read."""
    try:
        text = await asyncio.to_thread(path.read_text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise StartRefusedError(f"{path} cannot be read ({error.strerror}).", CANNOT_SAY) from None
    anchors, unreadable = read_lines(text.splitlines())
    if not anchors:
        raise StartRefusedError(f"{path} has no anchor in it.", CANNOT_SAY)
    if unreadable:
        await say(f"{path}: {len(unreadable)} line(s) cannot be read and prove nothing, the first is {unreadable[0]}.")
    return anchors


@click.command("export")
@CONFIG
@click.option("--since", metavar="DAY", help="The first day: 2026-11-21, today or yesterday, in the desk's time zone.")
@click.option("--until", metavar="DAY", help="The last day, included.")
@click.option("--format", "format_", type=click.Choice([each.value for each in Format]), default=Format.JSONL.value)
@click.option("--out", type=click.Path(path_type=Path), help="The file to write; it must not be there.")
def audit_export(config_path: Path, since: str | None, until: str | None, format_: str, out: Path | None) -> None:
    """Write the audit log's rows, oldest first; that this was done is a row of its own."""
    config, wanted = loaded(config_path), Wanted(Format(format_), since, until)
    if out is None:
        perform(config, EXPORT, wanted)
    else:
        _to_file(config, wanted, out)


def _to_file(config: Config, wanted: Wanted, out: Path) -> None:
    """All of it or no file."""
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror}; nothing was exported") from None
    done = False
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            perform(config, EXPORT, wanted, lambda line: print(line, file=file))
        done = True
    finally:
        if not done:
            out.unlink(missing_ok=True)


async def _export(house: House, arguments: Wanted, say: Say) -> int:
    selection = Selection(
        since=_first(house, arguments.since),
        until=None if arguments.until is None else house.auditing.day(arguments.until)[1],
    )
    async for line in house.auditing.export_at_host(selection, arguments.format):
        await say(line)
    return 0


def _first(house: House, day: str | None) -> datetime | None:
    return None if day is None else house.auditing.day(day)[0]


VERIFY = HostCommand("audit verify", Known, _verify)
EXPORT = HostCommand("audit export", Wanted, _export)
HOST_COMMANDS = (VERIFY, EXPORT)
