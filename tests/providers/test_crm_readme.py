"""The adapter's README against the tests it names: whatever it says is tested, is."""

import ast
import re
from pathlib import Path

import pytest

import bot.providers.crm

TOP = Path(__file__).parents[2]
FILES = {
    "auth": "tests/providers/test_crm_auth.py",
    "body": "tests/providers/test_crm_body.py",
    "calls": "tests/providers/test_crm_calls.py",
    "client": "tests/providers/test_crm_client.py",
    "http": "tests/http/test_crm.py",
    "psp": "tests/http/test_psp.py",
    "rates": "tests/http/test_rates.py",
    "report": "tests/operations/test_report_feed.py",
    "seam": "tests/providers/test_crm_seam.py",
    "sender": "tests/http/test_crm_sender.py",
    "weight": "tests/http/test_crm_weight.py",
    "wire": "tests/providers/test_crm_wire.py",
}
OTHERWISE = {"http; benchmark `crm_webhooks`", "handlers: `test_withdrawals.py`"}


def _claims() -> list[tuple[str, str]]:
    """Which row says it, and what it says in its last column; of tables that have the column."""
    found, is_claiming = [], False
    for line in (Path(bot.providers.crm.__file__).parent / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            is_claiming = False
        elif cells[-1] == "tested by":
            is_claiming = True
        elif is_claiming and set(cells[0]) != {"-"}:
            found.append((cells[0], cells[-1]))
    return found


def _tests(file: str) -> list[str]:
    tree = ast.parse((TOP / FILES[file]).read_text(encoding="utf-8"))
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _is_there(file: str, phrase: str) -> bool:
    """Whether a test has these words in its name, in this order; `…` stands for any."""
    parts = [re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_") for part in phrase.split("…")]
    wanted = re.compile("test_.*" + ".*".join(map(re.escape, filter(None, parts))))
    return any(wanted.match(name) for name in _tests(file))


@pytest.mark.parametrize(("row", "claim"), _claims(), ids=[row.strip("`")[:40] for row, _ in _claims()])
def test_whatever_is_said_to_be_tested_is(row: str, claim: str) -> None:
    if claim in OTHERWISE:
        return
    for part in claim.split(";"):
        file, _, phrases = part.strip().partition(":")
        assert file in FILES, row
        assert _tests(file), row
        for phrase in re.findall(r"\*([^*]+)\*", phrases):
            assert _is_there(file, phrase), f"{row}: no test called {phrase}"


def test_the_readme_claims_much() -> None:
    assert len(_claims()) > 60


def test_a_phrase_that_no_test_has_is_found_out() -> None:
    assert _is_there("auth", "…")
    assert not _is_there("auth", "…pigs can fly…")


@pytest.mark.parametrize("word", ["approve", "reject", "wallet", "mt4", "mt5"])
def test_each_way_to_move_money_is_examined_at_the_seam(word: str) -> None:
    assert word in (TOP / FILES["seam"]).read_text(encoding="utf-8")
