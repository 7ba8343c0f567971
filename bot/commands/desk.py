"""`countersign init`: what a new desk needs on disk."""

from pathlib import Path

import click

from bot.commands.keys import write_key
from bot.vault.keys import MasterKey


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), default=Path())
def init(directory: Path) -> None:
    """Write a configuration and a master key, and say what to do next."""
    directory.mkdir(parents=True, exist_ok=True)
    config_file, key_file = directory / "config.toml", directory / "master.key"
    for path in (config_file, key_file):
        if path.exists():
            raise click.ClickException(f"{path} is there already; nothing was changed")
    config_file.write_text(_example().read_text(encoding="utf-8"), encoding="utf-8")
    write_key(MasterKey.new(), key_file)
    click.echo(
        f"Wrote {config_file} and {key_file}.\n\n"
        f"1. Ask @BotFather for a bot and put its token into {directory / 'telegram.token'} (chmod 600).\n"
        "2. Put your own numeric Telegram id into people.admins in the configuration.\n"
        f"3. Keep a copy of {key_file} on paper: without it no credential can ever be read again.\n"
        f"4. countersign check --config {config_file}\n"
        f"5. countersign run --config {config_file}, then write /start to your bot."
    )


def _example() -> Path:
    beside = Path(__file__).parents[1]
    return next(
        path for path in (beside / "config.example.toml", beside.parent / "config.example.toml") if path.exists()
    )
