"""`countersign credentials …`: provider logins, linked from this terminal so that no secret is typed in a chat."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from bot import logs
from bot.access.model import Person, Role
from bot.commands.ending import CONFIG, loaded
from bot.commands.host import perform
from bot.errors import NotFoundError, ProviderError, StartRefusedError
from bot.hosting import EX_SOFTWARE, HostCommand, Say, as_secret
from bot.operations.credentials import Wanted
from bot.operations.findings import told
from bot.operations.linked import Connection, Scope, Share
from bot.providers.base import LoginField, Spec
from bot.providers.records import Environment
from bot.providers.registry import PROVIDERS, provider_named
from bot.secret import Secret
from bot.wiring import House

_LARGEST_TEXT = 1 << 16
"""Bytes that `--fd` reads."""


@click.command("add")
@CONFIG
@click.option("--owner", type=int, help="The owner's numeric Telegram id.")
@click.option("--provider", type=click.Choice(list(PROVIDERS)))
@click.option("--label", default="main", show_default=True)
@click.option("--environment", type=click.Choice(["live", "demo"]), default="live", show_default=True)
@click.option(
    "--share", multiple=True, type=click.Choice([role.value for role in Role]), help="Roles that may read it."
)
@click.option("--fd", type=click.IntRange(min=0), help="Read the answers from this file descriptor, one on each line.")
@click.option("--new-key", is_flag=True, help="Make the key here, where the provider knows its clients by public keys.")
@click.option("--batch", is_flag=True, help="JSON lines on standard input instead of questions.")
def credentials_add(
    config_path: Path,
    owner: int | None,
    provider: str | None,
    label: str,
    environment: str,
    share: tuple[str, ...],
    fd: int | None,
    new_key: bool,
    batch: bool,
) -> None:
    """Link a provider login; it is tried before it is kept. A key made here is not: nobody knows it yet."""
    if batch and new_key:
        raise click.UsageError('with --batch, "new_key": true belongs in the lines')
    if batch:
        logins = list(_batch(sys.stdin))
    elif owner is None or provider is None:
        raise click.UsageError("--owner and --provider are needed, or --batch")
    else:
        spec = provider_named(provider)
        if new_key and spec.make_key is None:
            raise click.UsageError(f"{spec.title} has no keys that could be made here")
        asked = [field for field in spec.fields if not (new_key and field.secret)]
        fields = _typed(asked) if fd is None else _from_descriptor(spec, asked, fd)
        roles = [Role(role) for role in share]
        logins = [NewLogin(owner, provider, label, Environment(environment), fields, roles, new_key)]
    perform(loaded(config_path), ADD, Logins(logins))


def _typed(asked: Sequence[LoginField]) -> dict[str, Secret]:
    """Asked for one after the other; what is secret is not shown."""
    return {
        field.key: Secret(click.prompt(f"{field.title} ({field.hint})", hide_input=field.secret, default=field.default))
        for field in asked
    }


def _from_descriptor(spec: Spec, asked: Sequence[LoginField], fd: int) -> dict[str, Secret]:
    """All there is until the end: a line for each field, in the order of the questions; an empty one is the default."""
    try:
        with os.fdopen(fd, "rb", closefd=False) as file:
            lines = file.read(_LARGEST_TEXT).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        raise click.UsageError(f"file descriptor {fd} gives no text that can be read") from None
    if len(lines) != len(asked):
        titles = ", ".join(field.title for field in asked)
        raise click.UsageError(f"{spec.title} takes {len(asked)} line(s): {titles}; there are {len(lines)}")
    return {field.key: Secret(line or field.default or "") for field, line in zip(asked, lines, strict=True)}


class NewLogin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One login to link, as `--batch` reads it."""

    owner: int
    provider: str
    label: str
    environment: Environment
    fields: dict[str, Secret]
    share: list[Role] = []
    new_key: bool = False
    """The secret fields are made here; `fields` has the others."""


class Logins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Logins to link, one after the other; the first that is refused ends it."""

    logins: list[NewLogin]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No arguments."""


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One connection, as `provider/label`."""

    name: str


def _batch(text: Iterable[str]) -> Iterator[NewLogin]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            yield msgspec.json.decode(line, type=NewLogin, dec_hook=as_secret)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise click.UsageError(logs.redact(f"Line {number} cannot be read: {error}")) from None


async def _add(house: House, arguments: Logins, say: Say) -> int:
    for login in arguments.logins:
        wanted = Wanted(login.provider, login.label, login.environment, login.fields, frozenset(login.share))
        if login.new_key:
            await _add_new_key(house, login.owner, wanted, say)
            continue
        with _named(f"{login.provider}/{login.label}", is_new=True):
            connection, findings = await house.credentials.link(
                _owner(house, login.owner), wanted, house.access.roster, telegram_id=None
            )
        await say(f"linked {connection.name}: {told(connection.spec, findings)}")
    return 0


async def _add_new_key(house: House, owner: int, wanted: Wanted, say: Say) -> None:
    connection, key = await house.credentials.link_new_key(
        _owner(house, owner), wanted, house.access.roster, telegram_id=None
    )
    await say(f"linked {connection.name} with a key made here: fingerprint {key.fingerprint}, public key")
    await say(key.text)
    await say("Its private half lies sealed and is shown to nobody; only `countersign backup` keeps a copy of it.")
    await say(f"Next, its owner sends the bot /register {connection.name}: how the accounts come to answer to it.")


def _owner(house: House, telegram_id: int) -> Person:
    person = house.access.roster.person(telegram_id)
    if person is None:
        raise NotFoundError("person with the Telegram id", str(telegram_id))
    return person


@click.command("list")
@CONFIG
def credentials_list(config_path: Path) -> None:
    """Name the linked logins."""
    perform(loaded(config_path), LIST, Nothing())


async def _list(house: House, _: Nothing, say: Say) -> int:
    for one in await house.connections.everything():
        owner = await house.access.get(one.owner)
        shared = ", ".join(sorted([await _shown(house, share) for share in one.shares])) or "nobody"
        await say(f"{one.name}  {one.environment}  owner {owner.name}  shared with {shared}")
    return 0


async def _shown(house: House, share: Share) -> str:
    party = share.party.value if isinstance(share.party, Role) else (await house.access.get(share.party)).name
    return f"{party} to act" if share.scope is Scope.ACT else party


@click.command("test")
@CONFIG
@click.argument("name")
def credentials_test(config_path: Path, name: str) -> None:
    """Log in with one (`provider/label`) and say what it sees."""
    perform(loaded(config_path), TEST, Named(name))


async def _test(house: House, arguments: Named, say: Say) -> int:
    connection = await _connection(house, arguments.name)
    with _named(connection.name):
        findings = await house.connections.look(connection)
    await say(f"{connection.name}: {told(connection.spec, findings)}")
    return 0


@click.command("remove")
@CONFIG
@click.argument("name")
def credentials_remove(config_path: Path, name: str) -> None:
    """Unlink one (`provider/label`) and erase its credential."""
    perform(loaded(config_path), REMOVE, Named(name))


async def _remove(house: House, arguments: Named, say: Say) -> int:
    connection = await _connection(house, arguments.name)
    owner = await house.access.get(connection.owner)
    await house.credentials.unlink(owner, connection, house.access.roster, telegram_id=None)
    await say(f"unlinked {connection.name}. {connection.spec.revoke}".strip())
    return 0


@contextmanager
def _named(name: str, *, is_new: bool = False) -> Iterator[None]:
    """Which of the logins a provider's refusal is about: several may have been given at once."""
    try:
        yield
    except ProviderError as error:
        from handlers.failures import sentence

        kept = " Nothing of it was kept." if is_new else ""
        raise StartRefusedError(f"{sentence(error, name, is_new=is_new)}{kept}", EX_SOFTWARE) from None


async def _connection(house: House, name: str) -> Connection:
    for one in await house.connections.everything():
        if one.name == name:
            return one
    raise NotFoundError("connection", name)


ADD = HostCommand("credentials add", Logins, _add)
LIST = HostCommand("credentials list", Nothing, _list)
TEST = HostCommand("credentials test", Named, _test)
REMOVE = HostCommand("credentials remove", Named, _remove)
HOST_COMMANDS = (ADD, LIST, TEST, REMOVE)
