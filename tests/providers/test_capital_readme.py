"""The adapter's README against the tests it names, and against the calls that there are."""

import re
from pathlib import Path

import pytest

import bot.providers.capital
from tests.support.claims import claims, is_there, unfounded

FOLDER = Path(bot.providers.capital.__file__).parent
FILES = {
    name: f"tests/providers/test_capital_{name}.py"
    for name in ("auth", "calls", "client", "seam", "sessions", "streaming", "streaming_wire", "wire")
}
CLAIMS = claims(FOLDER / "README.md")
OPERATIONS = """
GET /time · GET /ping · GET /session/encryptionKey · GET /session · POST /session · PUT /session · DELETE /session
GET /accounts · POST /accounts/topUp · GET /accounts/preferences · PUT /accounts/preferences
GET /history/activity · GET /history/transactions · GET /confirms/{dealReference}
GET /positions · POST /positions · GET /positions/{dealId} · PUT /positions/{dealId} · DELETE /positions/{dealId}
GET /workingorders · POST /workingorders · PUT /workingorders/{dealId} · DELETE /workingorders/{dealId}
GET /marketnavigation · GET /marketnavigation/{nodeId} · GET /markets · GET /markets/{epic} · GET /prices/{epic}
GET /clientsentiment · GET /clientsentiment/{marketId}
GET /watchlists · POST /watchlists · GET /watchlists/{watchlistId} · PUT /watchlists/{watchlistId}
DELETE /watchlists/{watchlistId} · DELETE /watchlists/{watchlistId}/{epic}
"""
"""The thirty-six of the reference."""


@pytest.mark.parametrize(("row", "claim"), CLAIMS, ids=[row.strip("`")[:40] for row, _ in CLAIMS])
def test_whatever_is_said_to_be_tested_is(row: str, claim: str) -> None:
    assert list(unfounded(claim, FILES)) == [], row


def test_every_call_of_the_reference_has_its_row() -> None:
    documented = {one.strip() for line in OPERATIONS.strip().splitlines() for one in line.split("·")}
    assert len(documented) == 36
    rows = {call for row, _ in CLAIMS for call in re.findall(r"`([A-Z]+ /[^`]*)`", row)}
    assert rows == documented


def test_a_phrase_that_no_test_has_is_found_out() -> None:
    assert is_there(FILES["auth"], "…")
    assert not is_there(FILES["auth"], "…pigs can fly…")
