"""What an alert is called, when names run short."""

import pytest
import sqlite_utils

from bot.alerts import telling


def test_an_id_that_was_given_is_not_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = sqlite_utils.Database(memory=True)
    tables["alert_firings"].insert({"id": "aaaaaa"})
    drawn = iter(["aaaaaa", "aaaaaa", "bbbbbb"])
    monkeypatch.setattr(telling, "short_id", lambda length: next(drawn))
    assert telling._unused_id(tables) == "bbbbbb"
    tables.conn.close()
