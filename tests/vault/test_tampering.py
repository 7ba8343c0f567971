"""A hundred sealed records, every bit flipped, and all they belong to swapped: refused by name, and the others open."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.errors import RecordUnreadableError
from bot.store import Database, Tables
from bot.vault.keys import KeyTree
from bot.vault.records import Safe, Sealed, Subject, rows_of
from bot.vault.service import Vault
from tests.support.clock import HandClock
from tests.vault.conftest import change, fields

SUBJECTS = [
    Subject(
        f"connection/{number}",
        1 + number % 5,
        ("capital", "deriv", "crm", "cryptocapital")[number % 4],
        f"label-{number % 10}",
        ("live", "demo")[number % 2],
    )
    for number in range(25)
]
FIELDS = ("api_key", "identifier", "password", "token")


def text_of(sealed: Sealed) -> str:
    return f"canary of {sealed.subject.name}, {sealed.field}"


@pytest.fixture
async def hundred(vault: Vault) -> list[Sealed]:
    for number, subject in enumerate(SUBJECTS):
        texts = {name: f"canary of {subject.name}, {name}" for name in FIELDS}
        for _ in range(1 + number % 3):  # so that versions differ
            await vault.keep(subject, fields(**texts))
    found = await vault._database.read(rows_of)
    assert len(found) == 100
    return found


def refused(safe: Safe, tables: Tables, changed: Sealed) -> bool:
    """Whether it does not open, and is called what its row says it is."""
    subject = changed.subject
    try:
        safe.take(tables, changed)
    except RecordUnreadableError as error:
        return error.label == f"{subject.provider} {subject.label}, {changed.field}" and "canary" not in repr(error)
    return False


async def test_all_of_them_open(vault: Vault, hundred: list[Sealed], database: Database) -> None:
    opened = await database.read(lambda tables: [vault.safe.take(tables, one).reveal() for one in hundred])
    assert opened == [text_of(one) for one in hundred]


async def test_every_flipped_bit_of_every_record_is_refused_by_name(
    vault: Vault, hundred: list[Sealed], database: Database
) -> None:
    def flip_all(tables: Tables) -> tuple[int, list[tuple[str, int]]]:
        flips, opened = 0, []
        for one in hundred:
            for bit in range(len(one.record) * 8):
                flipped = bytearray(one.record)
                flipped[bit // 8] ^= 1 << bit % 8
                flips += 1
                if not refused(vault.safe, tables, replace(one, record=bytes(flipped))):
                    opened.append((one.subject.name, bit))
        return flips, opened

    flips, opened = await database.read(flip_all)
    assert flips == 100 * (22 + 64 + 16) * 8
    assert opened == []


async def test_one_flipped_bit_in_the_file_costs_one_record_and_no_other(
    vault: Vault, hundred: list[Sealed], database: Database
) -> None:
    for number, one in enumerate(hundred):
        flipped = bytearray(one.record)
        flipped[number] ^= 1 << number % 8  # the first 100 of its 102 bytes
        await change(database, "UPDATE sealed SET record = ? WHERE id = ?", bytes(flipped), one.id)
        subject = one.subject
        assert [error.label for error in await vault.survey()] == [f"{subject.provider} {subject.label}, {one.field}"]
        await change(database, "UPDATE sealed SET record = ? WHERE id = ?", one.record, one.id)
    assert await vault.survey() == []


def with_subject(**changed: Callable[[Sealed], object]) -> Callable[[Sealed, Sealed], Sealed]:
    def swap(one: Sealed, other: Sealed) -> Sealed:
        values = {name: value(other) for name, value in changed.items()}
        return replace(one, subject=replace(one.subject, **values))  # type: ignore[arg-type]

    return swap


SWAPS: dict[str, Callable[[Sealed, Sealed], Sealed]] = {
    "user": with_subject(person_id=lambda other: other.subject.person_id),
    "provider": with_subject(provider=lambda other: other.subject.provider),
    "label": with_subject(label=lambda other: other.subject.label),
    "environment": with_subject(environment=lambda other: other.subject.environment),
    "field": lambda one, other: replace(one, field=other.field),
    "version": lambda one, other: replace(one, version=other.version),
    "record id": lambda one, other: replace(one, id=other.id),
    "sealed bytes": lambda one, other: replace(one, record=other.record),
}


@pytest.mark.parametrize("what", SWAPS)
async def test_every_swap_between_any_two_of_them_is_refused_by_name(
    vault: Vault, hundred: list[Sealed], database: Database, what: str
) -> None:
    def swap_all(tables: Tables) -> tuple[int, list[str]]:
        swapped = [SWAPS[what](one, other) for one in hundred for other in hundred]
        changed = [
            after for after, one in zip(swapped, (one for one in hundred for _ in hundred), strict=True) if after != one
        ]
        return len(changed), [one.id for one in changed if not refused(vault.safe, tables, one)]

    count, opened = await database.read(swap_all)
    assert count >= 100 * 48  # an environment is one of two; everything else differs more often
    assert opened == []


async def test_a_swap_in_the_file_costs_those_two_and_no_other(
    vault: Vault, hundred: list[Sealed], database: Database
) -> None:
    one, other = hundred[3], hundred[77]
    await change(database, "UPDATE sealed SET record = ? WHERE id = ?", other.record, one.id)
    await change(database, "UPDATE sealed SET record = ? WHERE id = ?", one.record, other.id)
    named = [f"{each.subject.provider} {each.subject.label}, {each.field}" for each in (one, other)]
    assert sorted(error.label for error in await vault.survey()) == sorted(named)


async def test_in_another_install_none_of_them_opens(
    vault: Vault, hundred: list[Sealed], database: Database, keys: KeyTree, clock: HandClock
) -> None:
    elsewhere = Vault(database, keys, "another-install", clock)
    assert len(await elsewhere.survey()) == 100
    assert await vault.survey() == []


async def test_rows_of_people_cannot_be_traded(vault: Vault, hundred: list[Sealed], database: Database) -> None:
    """All that is a person's, keys and records, under another person's number."""
    await change(database, "UPDATE sealed SET person_id = 6 - person_id")
    await change(database, "UPDATE data_keys SET person_id = 6 - person_id")
    unmoved = sum(one.subject.person_id == 3 for one in hundred)
    assert unmoved == 20
    assert len(await vault.survey()) == 100 - unmoved
