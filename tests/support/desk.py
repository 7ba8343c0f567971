"""A desk's files in a folder of its own, and the house opened on them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bot.clock import Clock
from bot.config import Config, load
from bot.vault.keys import MasterKey
from bot.wiring import House, holding, house, provider_settings, read_policy

TOKEN = "123456789:AAcanaryTokenThatMustNotBeSeen-0123456"
ADMIN = 1001
GROUP = -1_001_234_567_890


def write_desk(
    folder: Path,
    *,
    admins: Sequence[int] = (ADMIN,),
    members: Sequence[tuple[int, str, Sequence[str]]] = (),
    telegram_url: str = "",
    providers: Mapping[str, Mapping[str, str]] | None = None,
    token: str = TOKEN,
    more: str = "",
) -> Path:
    """Write config, token and a new master key; answers where the config is.

    Args:
        members: Telegram id, name, roles.
        telegram_url: The origin of a simulated Telegram.
        providers: Text settings of `[providers.<name>]`, such as base addresses.
        more: Further lines at the end of the file.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_secret(folder / "telegram.token", token)
    if not (folder / "master.key").exists():
        write_secret(folder / "master.key", MasterKey.new().to_text())
    lines = ["[desk]", 'data_dir = "data"', "[telegram]", 'token_file = "telegram.token"']
    if telegram_url:
        lines.append(f'base_url = "{telegram_url}/bot"')
    lines += ["[people]", f"admins = {list(admins)}", f"groups = [{GROUP}]"]
    for telegram_id, name, roles in members:
        lines += ["[[people.members]]", f"id = {telegram_id}", f'name = "{name}"', f"roles = {list(roles)}"]
    lines += ["[key]", 'file = "master.key"']
    for provider, settings in (providers or {}).items():
        lines += [f"[providers.{provider}]", *(f'{name} = "{value}"' for name, value in settings.items())]
    path = folder / "config.toml"
    path.write_text("\n".join([*lines, more, ""]), encoding="utf-8")
    return path


def write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text + "\n", encoding="utf-8")


def loaded(path: Path) -> Config:
    return load(path, provider_settings(), {}, read_policy)


@asynccontextmanager
async def opened(path: Path, clock: Clock | None = None) -> AsyncIterator[House]:
    """The house of that configuration, with its data directory held; sessions are closed at the end."""
    config = loaded(path)
    with holding(config):
        async with house(config, clock) as rooms:
            try:
                yield rooms
            finally:
                await rooms.connections.close()
