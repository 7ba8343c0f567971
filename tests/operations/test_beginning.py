"""An empty desk begins with the configuration's policy and book; afterwards the configuration says nothing any more."""

from pathlib import Path
from typing import Any

import pytest

from bot.errors import ConfigError
from bot.operations.beginning import policy_differing
from bot.wiring import DATABASE, House
from tests.support.desk import loaded, opened, write_desk

ONE = '[[rules]]\nname = "one"\ntier = "quorum"\nneeds = ["1 of role/approver"]\n'
TWO = ONE.replace("1 of", "2 of")
MORE = """
[policy]
file = "policy.toml"
[[policy.beneficiaries]]
provider = "cryptocapital"
account = "9120007013"
name = "{}"
"""


def configured(folder: Path, document: str, payee: str = "Harbour") -> Path:
    config = write_desk(folder, more=MORE.format(payee))
    (folder / "policy.toml").write_text(document, encoding="utf-8")
    return config


async def rows(rooms: House, statement: str) -> list[Any]:
    return await rooms.database.read(lambda tables: tables.conn.execute(statement).fetchall())


async def test_an_empty_desk_takes_over_policy_and_book_and_no_other_desk_does(tmp_path: Path) -> None:
    config = configured(tmp_path, ONE)
    async with opened(config) as rooms:
        assert await rows(rooms, "SELECT version, document, request_id FROM policies") == [(1, ONE, None)]
        assert await rows(rooms, "SELECT provider, account, name FROM beneficiaries") == [
            ("cryptocapital", "9120007013", "Harbour")
        ]
        recorded = [action for (action,) in await rows(rooms, "SELECT action FROM audit ORDER BY seq")]
        assert [one for one in recorded if one.startswith(("policy", "beneficiary"))] == [
            "policy.begun",
            "beneficiary.added",
        ]
    assert policy_differing(tmp_path / "data" / DATABASE, loaded(config).policy) == []

    configured(tmp_path, TWO, "Mallory")
    async with opened(config) as rooms:
        assert await rows(rooms, "SELECT document FROM policies") == [(ONE,)]
        assert await rows(rooms, "SELECT name FROM beneficiaries") == [("Harbour",)]
    (differing,) = policy_differing(tmp_path / "data" / DATABASE, loaded(config).policy)
    assert differing.startswith("the policy in the configuration is not the desk's version 1; ")


async def test_what_is_no_policy_begins_nothing(tmp_path: Path) -> None:
    config = configured(tmp_path, "[[rules]]\ntier = 5\n")
    with pytest.raises(ConfigError):
        async with opened(config):
            raise AssertionError("it must not open")
    assert not (tmp_path / "data").exists()
