"""The command line, and the roof where everything is joined."""

import asyncio
import contextlib
import ctypes
import importlib
import logging
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from bot import __version__, jobs, logs
from bot.access.model import Person, Role
from bot.config import Config, load
from bot.errors import (
    ConfigError,
    CountersignError,
    NotFoundError,
    StartRefusedError,
    StoreError,
    StoreNewerError,
    VaultError,
    WrongKeyError,
)
from bot.operations.connections import Wanted
from bot.providers.records import Environment
from bot.providers.registry import PROVIDERS, provider_named
from bot.secret import Secret
from bot.store.database import inspect
from bot.vault.keys import MasterKey
from bot.vault.service import check_key, read_key_file
from bot.wiring import DATABASE, House, holding, house, mark_clean_stop, people_differing, provider_settings

_log = logging.getLogger("countersign")
EX_CONFIG = 78
EX_SOFTWARE = 70
STOP_SECONDS = 25.0
"""After being told to stop for so long the process ends on the spot; everything that matters is a row."""
_CONFIG = click.option(
    "--config", "config_path", type=click.Path(path_type=Path), required=True, help="The TOML configuration."
)


@click.group()
@click.version_option(__version__, prog_name="countersign")
def main() -> None:
    """Countersign: an operations assistant for trading and treasury desks, in Telegram."""
    _harden()


def _harden() -> None:
    """No core dumps, nothing readable by others (SAFETY 4.10)."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE


@main.command()
@_CONFIG
def run(config_path: Path) -> None:
    """Run the bot."""
    config = _loaded(config_path)
    logs.configure(config.log.level, as_json=config.log.format == "json")
    _finish(_run(config))


@main.command()
@_CONFIG
def check(config_path: Path) -> None:
    """Check the configuration; no network, nothing is changed."""
    config = _loaded(config_path)
    try:
        check_key(read_key_file(config.key_file), config.data_dir / DATABASE)
        inspect(config.data_dir / DATABASE)
        differences = people_differing(config)
    except CountersignError as error:
        _refuse(error)
    for difference in differences:
        click.echo(f"note: {difference}")
    click.echo(f"{config_path}: all well")


@main.command()
@click.argument("directory", type=click.Path(path_type=Path), default=Path())
def init(directory: Path) -> None:
    """Write a configuration and a master key, and say what to do next."""
    directory.mkdir(parents=True, exist_ok=True)
    config_file, key_file = directory / "config.toml", directory / "master.key"
    for path in (config_file, key_file):
        if path.exists():
            raise click.ClickException(f"{path} is there already; nothing was changed")
    config_file.write_text(_example().read_text(encoding="utf-8"), encoding="utf-8")
    _write_key(MasterKey.new(), key_file)
    click.echo(
        f"Wrote {config_file} and {key_file}.\n\n"
        f"1. Ask @BotFather for a bot and put its token into {directory / 'telegram.token'} (chmod 600).\n"
        "2. Put your own numeric Telegram id into people.admins in the configuration.\n"
        f"3. Keep a copy of {key_file} on paper: without it no credential can ever be read again.\n"
        f"4. countersign check --config {config_file}\n"
        f"5. countersign run --config {config_file}, then write /start to your bot."
    )


def _example() -> Path:
    beside = Path(__file__).parent
    return next(
        path for path in (beside / "config.example.toml", beside.parent / "config.example.toml") if path.exists()
    )


@main.command()
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
            stop = _hearing()
            click.echo(listening.line())
            sys.stdout.flush()
            await stop.wait()

    _finish(stand())


@main.command()
@click.option("--port", default=8765, help="Of the chat page.")
@click.option("--browser/--no-browser", default=True, help="Open the page.")
def demo(port: int, browser: bool) -> None:
    """Play the whole desk on this machine: simulators, people, and the real bot."""
    from bot.demo.stage import play

    logs.configure("WARNING")
    _finish(play(port, browser))


@main.group()
def key() -> None:
    """The master key."""


@key.command("new")
@click.option("--out", type=click.Path(path_type=Path), help="Write it 0600 instead of printing it.")
def key_new(out: Path | None) -> None:
    """Make a master key."""
    master = MasterKey.new()
    if out is None:
        click.echo(master.to_text())
        return
    if out.exists():
        raise click.ClickException(f"{out} is there already; nothing was changed")
    _write_key(master, out)


@key.command("check")
@_CONFIG
def key_check(config_path: Path) -> None:
    """Say whether the key belongs to the database."""
    config = _loaded(config_path)
    try:
        check_key(read_key_file(config.key_file), config.data_dir / DATABASE)
    except CountersignError as error:
        _refuse(error)
    click.echo("The master key fits.")


def _write_key(master: MasterKey, path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(master.to_text() + "\n")


@main.group()
def credentials() -> None:
    """Provider logins, linked from this terminal so that no secret is typed in a chat."""


@credentials.command("add")
@_CONFIG
@click.option("--owner", type=int, help="The owner's numeric Telegram id.")
@click.option("--provider", type=click.Choice(list(PROVIDERS)))
@click.option("--label", default="main", show_default=True)
@click.option("--environment", type=click.Choice(["live", "demo"]), default="live", show_default=True)
@click.option(
    "--share", multiple=True, type=click.Choice([role.value for role in Role]), help="Roles that may read it."
)
@click.option("--batch", is_flag=True, help="JSON lines on standard input instead of questions.")
def credentials_add(
    config_path: Path,
    owner: int | None,
    provider: str | None,
    label: str,
    environment: str,
    share: tuple[str, ...],
    batch: bool,
) -> None:
    """Link a provider login; it is tried before it is kept."""
    if batch:
        lines = list(_batch(sys.stdin))
    elif owner is None or provider is None:
        raise click.UsageError("--owner and --provider are needed, or --batch")
    else:
        fields = {
            field.key: Secret(
                click.prompt(f"{field.title} ({field.hint})", hide_input=field.secret, default=field.default)
            )
            for field in provider_named(provider).fields
        }
        roles = [Role(role) for role in share]
        lines = [_Line(owner, provider, label, Environment(environment), fields, roles)]
    _finish(_with_house(_loaded(config_path), lambda rooms: _link_all(rooms, lines)))


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One login to link, as `--batch` reads it."""

    owner: int
    provider: str
    label: str
    environment: Environment
    fields: dict[str, Secret]
    share: list[Role] = []


def _batch(text: Iterable[str]) -> Iterator[_Line]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            yield msgspec.json.decode(line, type=_Line, dec_hook=_secret)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise click.UsageError(logs.redact(f"Line {number} cannot be read: {error}")) from None


def _secret(_: type, text: object) -> Secret:
    if not isinstance(text, str):
        raise TypeError("a field is a text")
    return Secret(text)


async def _link_all(rooms: House, lines: Iterable[_Line]) -> None:
    for line in lines:
        wanted = Wanted(line.provider, line.label, line.environment, line.fields, frozenset(line.share))
        connection, found = await rooms.connections.link(
            _owner(rooms, line.owner), wanted, rooms.access.roster, telegram_id=None
        )
        click.echo(f"linked {connection.name}: {found}")


def _owner(rooms: House, telegram_id: int) -> Person:
    person = rooms.access.roster.person(telegram_id)
    if person is None:
        raise NotFoundError("person with the Telegram id", str(telegram_id))
    return person


@credentials.command("list")
@_CONFIG
def credentials_list(config_path: Path) -> None:
    """Name the linked logins."""

    async def show(rooms: House) -> None:
        for one in await rooms.connections.everything():
            owner = await rooms.access.get(one.owner)
            shared = ", ".join(sorted(one.shared_with)) or "nobody"
            click.echo(f"{one.name}  {one.environment}  owner {owner.name}  shared with {shared}")

    _finish(_with_house(_loaded(config_path), show))


@credentials.command("test")
@_CONFIG
@click.argument("name")
def credentials_test(config_path: Path, name: str) -> None:
    """Log in with one (`provider/label`) and say what it sees."""

    async def try_it(rooms: House) -> None:
        for one in await rooms.connections.everything():
            if one.name == name:
                async with rooms.connections.session(one) as provider:
                    click.echo(f"{name}: {await provider.check()}")
                return
        raise NotFoundError("connection", name)

    _finish(_with_house(_loaded(config_path), try_it))


@credentials.command("remove")
@_CONFIG
@click.argument("name")
def credentials_remove(config_path: Path, name: str) -> None:
    """Unlink one (`provider/label`) and erase its credential."""

    async def remove(rooms: House) -> None:
        for one in await rooms.connections.everything():
            if one.name == name:
                owner = await rooms.access.get(one.owner)
                await rooms.connections.unlink(owner, one, rooms.access.roster, telegram_id=None)
                click.echo(f"unlinked {name}. {one.spec.revoke}".strip())
                return
        raise NotFoundError("connection", name)

    _finish(_with_house(_loaded(config_path), remove))


async def _with_house(config: Config, work: Any) -> None:
    logs.configure("WARNING")
    with holding(config):
        async with house(config) as rooms:
            try:
                await work(rooms)
            finally:
                await rooms.connections.close()
                if not rooms.pulse.after_crash:  # the next run shall still say so
                    await mark_clean_stop(rooms)


async def _run(config: Config) -> None:
    """Everything up, until told to stop; then everything down, whatever went wrong on the way."""
    stop = _hearing()  # from the first moment on: a desk that still waits for Telegram can be told to stop, too
    with holding(config):
        async with house(config) as rooms:
            serving = asyncio.create_task(_serve(config, rooms))
            told = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                told.cancel()
                if not serving.done():
                    serving.cancel()
                await asyncio.wait({serving})
                await rooms.connections.close()
                with contextlib.suppress(StoreError):
                    await mark_clean_stop(rooms)
            if not serving.cancelled():
                serving.result()
            _log.info("stopped")


async def _serve(config: Config, rooms: House) -> None:
    """The Telegram side and the clockwork, until cancelled, or until a part of them cannot go on."""
    from handlers.running import running

    with jobs.scheduled(rooms):
        async with running(rooms) as work, _updates(config, work) as fetching:
            _log.info("up", extra={"version": __version__, "key": rooms.keys.fingerprint})
            tasks = [asyncio.create_task(part) for part in (*fetching, work.notify())]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result


@asynccontextmanager
async def _updates(config: Config, work: Any) -> AsyncIterator[list[Coroutine[Any, Any, None]]]:
    """How updates come in: fetched by a task, or pushed to a server that stands for the length of the block."""
    if config.webhook is None:
        yield [work.poll()]
        return
    from bot import http  # a server nobody needs otherwise

    async with http.serving(config.webhook, work.intake):
        await work.announce_webhook()
        yield []


async def _told_to_stop() -> None:
    """Until SIGTERM or SIGINT."""
    await _hearing().wait()


def _hearing() -> asyncio.Event:
    """Set by SIGTERM or SIGINT, from now on. One more a second later, or too long a time, ends the process on the spot.

    Within that second it is the same wish: `timeout` and terminals tell the process and its whole group.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    first = 0.0

    def told() -> None:
        nonlocal first
        if stop.is_set():
            if loop.time() - first > 1:
                os._exit(1)
            return
        first = loop.time()
        stop.set()
        loop.call_later(STOP_SECONDS, os._exit, 1)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    return stop


def _loaded(path: Path) -> Config:
    try:
        return load(path, provider_settings())
    except ConfigError as error:
        click.echo(f"{error.source} has {len(error.problems)} problem(s):", err=True)
        for problem in error.problems:
            click.echo(f"  {problem}", err=True)
        sys.exit(EX_CONFIG)


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; our errors become a sentence and an exit code."""
    try:
        asyncio.run(work)
    except CountersignError as error:
        _refuse(error)


def _refuse(error: CountersignError) -> NoReturn:
    if isinstance(error, WrongKeyError):
        click.echo(
            "The master key does not belong to this database "
            f"(expected fingerprint {error.expected}, got {error.got}). Nothing was changed.",
            err=True,
        )
        sys.exit(EX_CONFIG)
    if isinstance(error, StartRefusedError):
        click.echo(error.reason, err=True)
        sys.exit(error.exit_code)
    from handlers.failures import sentence

    click.echo(sentence(error) if not isinstance(error, VaultError) else str(error), err=True)
    sys.exit(EX_CONFIG if isinstance(error, VaultError | StoreNewerError) else EX_SOFTWARE)


if __name__ == "__main__":
    main()
