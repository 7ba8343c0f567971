"""What an alert is called, when names run short."""

import pytest
import sqlite_utils

from bot.alerts import telling
from bot.alerts.model import Firing, Side, Test
from tests.alerts.making import NINE, rule


def test_an_id_that_was_given_is_not_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = sqlite_utils.Database(memory=True)
    row = {"id": "aaaaaa", "rule_id": "r9", "bucket": "1", "direction": "up", "happened_at": 1, "told_at": 1}
    tables["alert_firings"].insert(row)
    drawn = iter(["aaaaaa", "aaaaaa", "bbbbbb"])
    monkeypatch.setattr(telling, "short_id", lambda length: next(drawn))
    firing = Firing(rule(Test.ABOVE, 2), "1", Side.UP, NINE)
    assert telling._beside(tables, firing) == ("bbbbbb", False, None)
    tables.conn.close()
