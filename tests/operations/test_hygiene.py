"""Which keys deserve a word: by age, by use, and by what they can do."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.access.model import Role
from bot.operations.hygiene import Flaw, flaws_of
from bot.operations.linked import Connection, Scope, Share
from bot.providers.records import Environment, Power

NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
STRONG = frozenset({Power.READ, Power.TRADE, Power.PAY_OUT})
OLD, UNUSED, TOO_STRONG = Flaw.OLD, Flaw.UNUSED, Flaw.STRONG


def _linked(provider: str = "deriv", age: int = 1, used: int | None = 0, **more: object) -> Connection:
    used_at = None if used is None else NOW - used * DAY
    made = NOW - age * DAY
    return Connection(1, 1, provider, "main", Environment.LIVE, made, used_at=used_at, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("age", "used", "flaws"),
    [
        (1, 0, ()),
        (90, 0, ()),
        (91, 0, (OLD,)),
        (30, None, ()),
        (31, None, (UNUSED,)),
        (60, 30, ()),
        (60, 31, (UNUSED,)),
        (100, 50, (OLD, UNUSED)),
        (200, None, (OLD, UNUSED)),
    ],
)
def test_age_and_use_are_counted_in_days(age: int, used: int | None, flaws: tuple[Flaw, ...]) -> None:
    assert flaws_of(_linked(age=age, used=used), NOW, is_protected=False) == flaws


def test_a_new_key_is_young_and_is_given_time_to_be_used() -> None:
    replaced = _linked(age=400, used=200, changed_at=NOW - 3 * DAY)
    assert flaws_of(replaced, NOW, is_protected=False) == ()


@pytest.mark.parametrize(
    ("provider", "powers", "share", "protected", "flaws"),
    [
        ("deriv", {Power.READ}, None, False, ()),
        ("deriv", STRONG, None, False, (TOO_STRONG,)),
        ("deriv", STRONG, None, True, (TOO_STRONG,)),  # a weaker token is to be had
        ("deriv", STRONG, Share(Role.VIEWER), False, (TOO_STRONG,)),
        ("deriv", STRONG, Share(Role.OPERATOR, Scope.ACT), False, ()),
        ("deriv", STRONG, Share(7, Scope.ACT), False, ()),
        ("cryptocapital", {Power.READ, Power.PAY_OUT}, None, False, (TOO_STRONG,)),
        ("cryptocapital", {Power.READ, Power.PAY_OUT}, None, True, ()),  # guarded, and there is no weaker one
        ("capital", {Power.READ, Power.TRADE}, None, False, ()),  # there is no weaker one, and it pays nothing out
        ("crm", {Power.READ}, None, False, ()),  # nobody knows
    ],
)
def test_a_key_is_too_strong_when_nobody_was_let_do_what_it_can(
    provider: str, powers: set[Power], share: Share | None, protected: bool, flaws: tuple[Flaw, ...]
) -> None:
    shares = frozenset([share] if share else [])
    linked = _linked(provider, powers=frozenset(powers), shares=shares)
    assert flaws_of(linked, NOW, is_protected=protected) == flaws
