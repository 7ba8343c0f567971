"""The adapter's README against the calls that there are, the adapter, and the tests it names."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import attrgetter
from pathlib import Path

import pytest

import bot.providers.deriv
from bot.clock import SystemClock
from bot.providers.base import Login, Surroundings
from bot.providers.deriv import SPEC
from bot.providers.deriv.settings import Settings
from bot.providers.deriv.wire import grammar
from bot.providers.records import Environment

HERE = Path(__file__).parent
CALLS = re.findall(
    r"\w+",
    """
    ping time website_status forget forget_all logout authorize
    get_settings get_limits api_token app_register
    verify_email residence_list states_list landing_company landing_company_details
    new_account_virtual new_account_real topup_virtual
    balance portfolio statement profit_table transaction sell_expired
    active_symbols contracts_for ticks ticks_history
    proposal buy sell proposal_open_contract
    paymentagent_list paymentagent_details paymentagent_transfer paymentagent_withdraw
    transfer_between_accounts cashier
    """,
)
"""The thirty-nine of the reference."""


def rows() -> list[list[str]]:
    """Call, scope, method, tested by."""
    text = (Path(bot.providers.deriv.__file__).parent / "README.md").read_text(encoding="utf-8")
    table = text.split("| call | scope | method | tested by |\n", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]


ROWS = rows()
EACH = pytest.mark.parametrize("row", ROWS, ids=[row[0].strip("`") for row in ROWS])


def test_every_call_of_the_reference_has_its_row() -> None:
    assert len(CALLS) == 39
    assert [row[0].strip("`") for row in ROWS] == CALLS


@EACH
def test_the_scope_that_is_named_is_the_one_that_is_looked_for(row: list[str]) -> None:
    assert row[1] == (grammar.scope_of(grammar.Call(row[0].strip("`"))) or "–")


@EACH
def test_the_methods_that_are_named_are_there(row: list[str]) -> None:
    @asynccontextmanager
    async def lend() -> AsyncIterator[Login]:
        raise AssertionError("nothing is asked here")
        yield {}

    provider = SPEC.build(lend, Surroundings(Environment.LIVE, Settings(url="ws://127.0.0.1:9"), SystemClock()))
    for method in re.findall(r"`([a-z_.]+)`", row[2]):
        attrgetter(method)(provider)


@EACH
def test_what_is_said_to_be_tested_is(row: list[str]) -> None:
    """A file, and of it the parts (their headings) or the words of a test's name."""
    named = re.findall(r"`([a-z_]+\.py)`(?: \(([^)]*)\))?", row[3])
    assert named
    for file, parts in named:
        text = (HERE / file).read_text(encoding="utf-8")
        headings = "\n".join(re.findall(r"^# -- (.*) --$", text, re.MULTILINE))
        tests = "\n".join(re.findall(r"^(?:async )?def test_(\w+)", text, re.MULTILINE)).replace("_", " ")
        for part in filter(None, parts.split(", ")):
            assert part in headings or part in tests, f"{file} has nothing about {part}"
