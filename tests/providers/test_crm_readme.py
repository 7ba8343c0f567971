"""The adapter's README against the tests it names: whatever it says is tested, is."""

from pathlib import Path

import pytest

import bot.providers.crm
from tests.support.claims import TOP, claims, is_there, unfounded

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


CLAIMS = claims(Path(bot.providers.crm.__file__).parent / "README.md")


@pytest.mark.parametrize(("row", "claim"), CLAIMS, ids=[row.strip("`")[:40] for row, _ in CLAIMS])
def test_whatever_is_said_to_be_tested_is(row: str, claim: str) -> None:
    assert claim in OTHERWISE or list(unfounded(claim, FILES)) == [], row


def test_the_readme_claims_much() -> None:
    assert len(CLAIMS) > 60


def test_a_phrase_that_no_test_has_is_found_out() -> None:
    assert is_there(FILES["auth"], "…")
    assert not is_there(FILES["auth"], "…pigs can fly…")


@pytest.mark.parametrize("word", ["approve", "reject", "wallet", "mt4", "mt5"])
def test_each_way_to_move_money_is_examined_at_the_seam(word: str) -> None:
    assert word in (TOP / FILES["seam"]).read_text(encoding="utf-8")
