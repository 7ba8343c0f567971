"""Who may do what with a connection: expectations by hand, for every way it can be shared."""

from datetime import UTC, datetime

import pytest

from bot.access.model import Person, Role
from bot.errors import NotAllowedError
from bot.operations.linked import Connection, Scope, Share
from bot.providers.records import Environment

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
READ, ACT = Scope.READ, Scope.ACT
OWNER = Person(1, "Olga", frozenset({Role.OPERATOR}), frozenset({1001}))
VIEWER = Person(2, "Vera", frozenset({Role.VIEWER}), frozenset({1002}))
OPERATOR = Person(3, "Otto", frozenset({Role.OPERATOR, Role.VIEWER}), frozenset({1003}))
ADMIN = Person(4, "Adam", frozenset({Role.ADMIN}), frozenset({1004}))
NOBODY = Person(5, "Nils", frozenset(), frozenset({1005}))
EVERYBODY = (OWNER, VIEWER, OPERATOR, ADMIN, NOBODY)


def _linked(*shares: Share) -> Connection:
    return Connection(1, OWNER.id, "capital", "main", Environment.LIVE, NOW, frozenset(shares))


@pytest.mark.parametrize(
    ("shares", "readers", "actors"),
    [
        ((), "Olga", "Olga"),
        ((Share(Role.VIEWER),), "Olga Vera Otto", "Olga"),
        ((Share(Role.OPERATOR, ACT),), "Olga Otto", "Olga Otto"),
        ((Share(Role.VIEWER), Share(Role.OPERATOR, ACT)), "Olga Vera Otto", "Olga Otto"),
        ((Share(VIEWER.id),), "Olga Vera", "Olga"),
        ((Share(VIEWER.id, ACT),), "Olga Vera", "Olga Vera"),
        ((Share(Role.VIEWER), Share(VIEWER.id, ACT)), "Olga Vera Otto", "Olga Vera"),
        ((Share(Role.ADMIN),), "Olga Adam", "Olga"),
        ((Share(NOBODY.id),), "Olga Nils", "Olga"),
        (tuple(Share(role) for role in Role), "Olga Vera Otto Adam", "Olga"),
    ],
)
def test_reading_and_acting_follow_from_the_shares_alone(shares: tuple[Share, ...], readers: str, actors: str) -> None:
    linked = _linked(*shares)
    assert " ".join(person.name for person in EVERYBODY if linked.may_read(person)) == readers
    assert " ".join(person.name for person in EVERYBODY if linked.may_act(person)) == actors


def test_its_owner_and_admins_may_take_it_away_and_only_its_owner_owns_it() -> None:
    linked = _linked(*(Share(person.id, ACT) for person in (VIEWER, OPERATOR)))
    assert [person.name for person in EVERYBODY if linked.may_manage(person)] == ["Olga", "Adam"]
    linked.check_own(OWNER, "share")
    for other in (VIEWER, OPERATOR, ADMIN, NOBODY):
        with pytest.raises(NotAllowedError, match="share a connection of somebody else"):
            linked.check_own(other, "share")


def test_the_age_of_a_secret_counts_from_its_last_replacement() -> None:
    later = datetime(2026, 5, 2, 9, 0, tzinfo=UTC)
    assert _linked().secret_since == NOW
    assert Connection(1, 1, "crm", "x", Environment.LIVE, NOW, changed_at=later).secret_since == later
