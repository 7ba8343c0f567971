"""The house keeps its order: what import-linter cannot say, or must be told anew with every provider."""

import ast
import itertools
import re
import tomllib
from pathlib import Path

import pytest

from bot.providers.registry import PROVIDERS

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("bot/**/*.py"), *ROOT.glob("handlers/**/*.py")])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {contract["name"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> set[str]:
    """The dotted names of everything a file calls."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 50


def test_every_provider_is_a_stranger_to_every_other() -> None:
    contract = CONTRACTS["Providers are strangers to one another"]
    assert contract["type"] == "independence"
    assert sorted(contract["modules"]) == sorted(f"bot.providers.{name}" for name in PROVIDERS)


def test_the_folders_of_the_providers_are_the_registered_ones() -> None:
    folders = {path.parent.name for path in ROOT.glob("bot/providers/*/__init__.py")}
    assert folders == set(PROVIDERS)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_has_all_its_parts(name: str) -> None:
    folder = ROOT / "bot" / "providers" / name
    for part in ("__init__.py", "README.md", "auth.py"):
        assert (folder / part).stat().st_size > 0, part
    for part in ("wire", "client", "simulator"):
        assert (folder / f"{part}.py").exists() or (folder / part / "__init__.py").exists(), part
    assert any((folder / "samples").iterdir())


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_contracts_know_every_part_of_a_provider(name: str) -> None:
    """A simulator that becomes a folder must not slip out of the contract that keeps it from its adapter."""
    folder = ROOT / "bot" / "providers" / name
    adapter = re.compile(rf"bot\.providers\.{name}(?:\.(?:wire|auth|client|body|sign\w*))?$|^\.+(?:wire|auth|client)?$")
    for path in (*folder.glob("simulator.py"), *folder.glob("simulator/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                wanted = "." * node.level + (node.module or "")
                assert not adapter.search(wanted), f"{relative(path)} imports {wanted}"
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    assert not adapter.search(alias.name), f"{relative(path)} imports {alias.name}"


def test_no_file_has_failed_to_find_its_room() -> None:
    homeless = re.compile(r"(?:^|_)(?:utils?|helpers?|common|managers?|misc)(?:_|$)")
    found = [relative(path) for path in SOURCES if homeless.search(path.stem) or homeless.search(path.parent.name)]
    assert found == []


def test_checks_and_writes_go_through_the_store_and_never_through_a_deferred_transaction() -> None:
    for path in SOURCES:
        deferred = {name for name in calls(path) if name.endswith((".atomic", ".commit", ".rollback"))}
        assert not deferred, relative(path)


def test_the_database_is_opened_in_one_place_only() -> None:
    openers = {relative(path) for path in SOURCES if "sqlite3.connect" in calls(path)}
    assert openers == {"bot/store/file.py"}
    wrappers = {relative(path) for path in SOURCES if "sqlite_utils.Database" in calls(path)}
    assert wrappers == {"bot/store/tables.py"}


def test_money_knows_no_float() -> None:
    for name in ("bot/money.py", "bot/store/columns.py", "bot/network/strictjson.py"):
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        assert "float" not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}, name


def test_nothing_is_evaluated_unpickled_or_run_through_a_shell() -> None:
    forbidden = {
        "eval",
        "exec",
        "pickle.loads",
        "pickle.load",
        "yaml.load",
        "os.system",
        "marshal.loads",
        "shelve.open",
    }
    for path in SOURCES:
        assert not forbidden & calls(path), relative(path)
        assert "shell=True" not in path.read_text(encoding="utf-8"), relative(path)


def test_the_layers_are_those_of_the_plan_from_roof_to_ground() -> None:
    layers = CONTRACTS["The house, from roof to ground"]["layers"]
    heights = ["bot.__main__", "bot.demo", "handlers", "bot.jobs", "bot.wiring", "bot.operations", "bot.vault",
               "bot.access", "bot.store", "bot.network", "bot.config", "bot.money"]  # fmt: skip
    place = {name: height for height, layer in enumerate(layers) for name in re.findall(r"[\w.]+", layer)}
    for upper, lower in itertools.pairwise(heights):
        assert place[upper] < place[lower], f"{upper} above {lower}"


def test_every_room_and_every_file_of_the_ground_has_its_place_in_the_layers() -> None:
    layers = " ".join(CONTRACTS["The house, from roof to ground"]["layers"])
    placed = set(re.findall(r"[\w.]+", layers))
    here = {f"bot.{path.parent.name}" for path in ROOT.glob("bot/*/__init__.py")}
    here |= {f"bot.{path.stem}" for path in ROOT.glob("bot/*.py") if path.stem != "__init__"}
    assert here - placed == set()
