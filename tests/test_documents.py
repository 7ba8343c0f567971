"""What the documents say is what the code does: README, the example configuration, the changelog."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
import pytest

from bot.__main__ import main
from bot.approvals.machine import drawn
from bot.config import load, model
from bot.providers.base import Ability
from bot.providers.registry import PROVIDERS
from handlers.rooms import DOORS_IN_ORDER

TOP = Path(__file__).parents[1]
README = (TOP / "README.md").read_text(encoding="utf-8")
EXAMPLE = (TOP / "config.example.toml").read_text(encoding="utf-8")
UNCOMMENTED = re.sub(r"^#(?=[a-z\[])", "", EXAMPLE, flags=re.MULTILINE)
"""The example with every setting switched on: `#key = …` and `#[table]` are settings, `# words` are words."""
SETTINGS: Mapping[str, type[msgspec.Struct]] = {name: spec.settings for name, spec in PROVIDERS.items()}
TABLES: Mapping[str, type[msgspec.Struct]] = {
    "desk": model.Desk,
    "telegram": model.Telegram,
    "telegram.pacing": model.Pacing,
    "telegram.webhook": model.Webhook,
    "people": model.People,
    "people.members": model.Member,
    "key": model.Key,
    "audit": model.Audit,
    "policy": model.Policy,
    "policy.beneficiaries": model.Payee,
    "log": model.Log,
    "backup": model.Backup,
    "streams": model.Streams,
    "alerts": model.Alerts,
    "second_channel": model.SecondChannel,
    "second_channel.email": model.Mail,
    "web": model.Web,
    **{f"providers.{name}": kind for name, kind in SETTINGS.items()},
}
SMALLEST = """
[desk]
data_dir = "data"
[telegram]
token_file = "telegram.token"
[people]
admins = [123456789]
[key]
file = "master.key"
"""


# README


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, its head line first."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [table[0], *table[2:]]


def test_the_readme_names_every_door_and_no_other() -> None:
    commands = [row[0].strip("`").split()[0] for row in rows("What you can ask")[1:]]
    assert sorted(commands) == sorted(f"/{door.command}" for door in DOORS_IN_ORDER)


def test_every_command_mentioned_in_the_readme_is_a_door() -> None:
    mentioned = set(re.findall(r"`/([a-z]+)[ `]", README)) - {"newbot"}  # that one is BotFather's
    assert mentioned <= {door.command for door in DOORS_IN_ORDER}


def test_the_readme_tells_truly_who_may_use_a_door() -> None:
    for command, _, who in rows("What you can ask")[1:]:
        word = command.strip("`").split()[0].removeprefix("/")
        (right,) = {door.right.name for door in DOORS_IN_ORDER if door.command == word}
        roles = {
            "LINK": ("operator, admin", "its owner", "its owner, admin"),
            "INVITE": ("admin",),
            "PEOPLE": ("admin",),
            "SEE_PEOPLE": ("auditor, admin",),
            "ENTER": ("every role", "whoever was given it"),
            "TALK": ("every role", "its asker, approver, admin", "its asker, approver, auditor, admin"),
            "DECIDE": ("approver, admin",),
            "READ": ("every role",),
            "ASK": ("operator",),
            "READ_AUDIT": ("auditor",),
            "POLICY": ("admin",),
            "FREEZE": ("operator, approver, admin",),
            "SETTLE": ("operator, approver, admin",),
        }
        assert who in roles[right], command


def test_the_readme_tells_truly_what_each_provider_can() -> None:
    head, *lines = rows("What each provider can do now")
    told = {}
    for line in lines:
        row = dict(zip(head, line, strict=True))
        title = re.fullmatch(r"\[(.+)\]\(.+\)", row["provider"])
        assert title is not None
        can = {ability.value for ability in Ability if row[ability.value] == "✓"}
        told[row["name"].strip("`")] = (title[1], row["environments"], can)
    assert told == {
        spec.name: (spec.title, ", ".join(spec.environments), {ability.value for ability in spec.abilities})
        for spec in PROVIDERS.values()
    }


def test_the_readme_draws_the_life_of_a_request_as_it_is() -> None:
    assert f"<!-- python -m bot.approvals.machine -->\n```\n{drawn()}\n```\n" in README


@pytest.mark.parametrize("what", ["countersign demo", "pytest"])
def test_the_two_commands_are_word_for_word(what: str) -> None:
    line = f"    python3 -m venv .venv && .venv/bin/pip install -q uv && .venv/bin/uv run {what}"
    assert README.splitlines().count(line) == 1


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))))
def test_what_the_readme_links_to_is_there(target: str) -> None:
    assert (TOP / target).exists()


# The command line


def leaves(command: click.Command, name: str = "countersign") -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            inner = command.get_command(context, word)
            assert inner is not None, word
            yield from leaves(inner, f"{name} {word}")
    else:
        yield name, command


COMMANDS = dict(leaves(main))


def test_the_readme_names_every_command_of_the_command_line() -> None:
    told = [re.split(r" (?=-|\[|[A-Z])", row[0].strip("`"))[0] for row in rows("The command line")[1:]]
    assert sorted(told) == sorted(COMMANDS)


def spoken() -> list[str]:
    """Every line in which a document or the program itself tells somebody to call `countersign …`."""
    files = ("README.md", "CHANGELOG.md", "config.example.toml", "deploy/countersign.service", "deploy/compose.yaml")
    code = [path.relative_to(TOP) for room in ("commands", "config") for path in (TOP / "bot" / room).glob("*.py")]
    texts = [(TOP / name).read_text(encoding="utf-8") for name in (*files, *code)]
    call = re.compile(r"(?:(?<=`)|/|^#\s+|\s{3,}|\d\. |: |uv run )(countersign [a-z][^`\n\"#…(]*)", re.MULTILINE)
    return sorted({found.strip() for text in texts for found in call.findall(text)})


def test_calls_are_found_in_the_documents() -> None:
    assert {"countersign demo", "countersign key new --out /etc/countersign/master.key"} <= set(spoken())


@pytest.mark.parametrize("call", spoken())
def test_every_call_that_a_document_shows_exists(call: str) -> None:
    if call in ("countersign audit", "countersign credentials", "countersign key"):
        return  # the group itself
    known = [name for name in COMMANDS if call == name or call.startswith((f"{name} ", f"{name},"))]
    assert known, "no such command"
    options = {
        option for parameter in COMMANDS[known[0]].params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert set(re.findall(r"--[a-z-]+", call)) <= options


# config.example.toml


def inhabited(folder: Path) -> Path:
    """A folder with the files that the example names."""
    secrets = {
        "telegram.token": "123456:" + "a" * 35,
        "master.key": "not read here",
        "webhook.secret": "s" * 40,
        "policy.toml": "",
        "crm-webhook.secret": "s" * 16,
        "crm-psp.token": "s" * 16,
        "second.webhook": "https://hooks.example.com/desk",
        "smtp.password": "s" * 16,
        "crm-rates.key": "s" * 16,
    }
    (folder / "backups").mkdir(exist_ok=True)
    for name, text in secrets.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text)
    return folder


def loaded(folder: Path, text: str) -> model.Config:
    file = inhabited(folder) / "config.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, SETTINGS)


def without(text: str, *keys: str) -> str:
    return re.sub(rf"^({'|'.join(keys)}) = .*\n", "", text, flags=re.MULTILINE)


def test_the_example_is_the_smallest_configuration_once_an_admin_is_named(tmp_path: Path) -> None:
    filled = EXAMPLE.replace("admins = []", "admins = [123456789]")
    assert loaded(tmp_path, filled) == loaded(tmp_path, SMALLEST)


def test_the_example_names_nobody_as_admin() -> None:
    assert tomllib.loads(EXAMPLE)["people"] == {"admins": []}


def test_the_example_loads_with_every_setting_switched_on(tmp_path: Path) -> None:
    text = without(UNCOMMENTED, "token_env", "ca_file", "credential", "command", "env").replace(
        "admins = []", "admins = [123456788]"
    )
    text = text.replace("/var/backups/countersign", "backups")
    full = loaded(tmp_path, text)
    assert full.webhook is not None
    assert (full.webhook.host, full.webhook.port) == ("127.0.0.1", 8088)
    assert [member.name for member in full.people.members] == ["Olga"]
    assert full.providers["crm"].rates.pairs == ["USD/EUR 0.92"]
    assert set(full.hooks) == {"crm.webhook_secret_file", "crm.psp.token_file", "crm.rates.key_file"}


def table_of(path: str) -> dict[str, Any]:
    table: Any = tomllib.loads(UNCOMMENTED)
    for word in path.split("."):
        table = table[word]
    found: dict[str, Any] = table[0] if isinstance(table, list) else table
    return found


@pytest.mark.parametrize("path", TABLES)
def test_the_example_names_every_key_with_its_default(path: str) -> None:
    told = table_of(path)
    fields = {field.name: field for field in msgspec.structs.fields(TABLES[path])}
    assert set(told) == set(fields)
    for name, field in fields.items():
        default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
        plain = default is not msgspec.NODEFAULT and default is not None and f"{path}.{name}" not in TABLES
        if plain:
            assert told[name] == default, f"{path}.{name}"


def test_no_table_of_the_configuration_is_forgotten() -> None:
    kinds = {kind for kind in vars(model).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)}
    assert {kind for kind in kinds if not kind.__name__.startswith("_")} - {model.File} == set(TABLES.values()) - set(
        SETTINGS.values()
    )


@pytest.mark.parametrize("path", TABLES)
def test_the_example_lists_the_choices_where_there_are_few(path: str) -> None:
    for field in msgspec.structs.fields(TABLES[path]):
        if choices := _choices(field.type):
            (line,) = re.findall(rf"^{field.name} = .*$", _part(path), re.MULTILINE)
            assert [choice for choice in choices if choice not in line] == [], f"{path}.{field.name}"


def _part(path: str) -> str:
    """The lines of one table, in the text with everything switched on."""
    head = re.compile(rf"^\[+{re.escape(path)}\]+$", re.MULTILINE)
    return re.split(r"^\[", head.split(UNCOMMENTED, 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def _choices(kind: Any) -> list[str]:
    inner = [each for one in get_args(kind) for each in (get_args(one) or (one,))]
    return [each for each in inner if isinstance(each, str)]


# CHANGELOG.md


def test_the_changelog_begins_with_the_version_of_the_project_but_for_what_comes_next() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = re.findall(r"^## (\S+)", (TOP / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert next(one for one in versions if one != "Next") == project["version"]
    assert "Next" not in versions[1:]


# requirements.lock


def test_the_lock_has_a_hash_for_everything_and_no_address() -> None:
    text = (TOP / "requirements.lock").read_text(encoding="utf-8")
    pins = re.findall(
        r"^[a-z0-9][a-z0-9.-]*==[^\s;]+(?: ; [^\\\n]+)? \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE
    )
    assert len(pins) == len(re.findall(r"^[^\s#]", text, re.MULTILINE)) > 20
    assert re.findall(r"://|index-url|find-links|trusted-host|file:", text) == []


def test_the_lock_has_every_package_the_project_names() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {re.split(r"[<>=]", dependency)[0] for dependency in project["dependencies"]}
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (TOP / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= locked
    bounded = [dependency for dependency in project["dependencies"] if re.search(r",<\d", dependency)]
    assert bounded == project["dependencies"]
