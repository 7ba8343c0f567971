"""Who could still sign is said by name, and nobody whose signature would not help."""

import pytest

from bot.access.model import Person
from bot.approvals.model import Rule, Seat
from bot.approvals.waiting import helping, needed_in_words
from tests.support.policies import somebody

ANNA = somebody(1, "role/approver")
BEN = somebody(2, "role/approver", "group/finance")
CLEO = somebody(3, "role/approver", "group/risk")
DORA = somebody(4, "role/approver", "group/finance", "group/risk")
BOTH_GROUPS = Rule((Seat("group/finance"), Seat("group/risk")))


@pytest.mark.parametrize(
    ("rule", "signed", "able", "said"),
    [
        (Rule((Seat("role/approver"),)), [], [ANNA], "1 needed: Person 1 (approver)"),
        (Rule((Seat("role/approver"),)), [], [ANNA, BEN], "1 needed: Person 1 or Person 2 (approver)"),
        (Rule((Seat("role/approver", 2),)), [ANNA], [BEN, CLEO], "1 needed: Person 2 or Person 3 (approver)"),
        (Rule((Seat("role/approver", 2),)), [], [ANNA, BEN], "2 needed: Person 1 and Person 2 (approver)"),
        (
            Rule((Seat("role/approver", 2),)),
            [],
            [ANNA, BEN, CLEO],
            "2 needed: 2 of Person 1, Person 2 or Person 3 (approver)",
        ),
        (
            Rule((Seat("role/approver", 3),)),
            [],
            [ANNA, BEN],
            "3 needed: Person 1 and Person 2 (approver), nobody just now (approver)",
        ),
        (  # Ben is named for the first seat that he could fill, and it takes both of them all the same
            Rule((Seat("role/approver"), Seat("group/finance"))),
            [],
            [ANNA, BEN],
            "2 needed: Person 1 and Person 2 (approver)",
        ),
        (BOTH_GROUPS, [], [BEN, DORA, CLEO], "2 needed: Person 2 or Person 4 (group finance), Person 3 (group risk)"),
        (BOTH_GROUPS, [], [BEN, CLEO], "2 needed: Person 2 (group finance), Person 3 (group risk)"),
        (BOTH_GROUPS, [BEN], [ANNA, CLEO], "1 needed: Person 3 (group risk)"),
        (BOTH_GROUPS, [BEN], [DORA], "1 needed: Person 4 (group risk)"),
        (BOTH_GROUPS, [BEN], [ANNA], "1 needed: nobody just now (group risk)"),
        (Rule((Seat("role/approver"),)), [ANNA], [BEN], ""),
        (Rule(()), [], [BEN], ""),
    ],
)
def test_in_words(rule: Rule, signed: list[Person], able: list[Person], said: str) -> None:
    assert needed_in_words(rule, signed, able) == said


def test_somebody_who_lets_another_move_over_helps_too() -> None:
    """Dora sits in finance; when Ben comes she moves to risk, and so either of them is enough."""
    assert helping(BOTH_GROUPS, [DORA], [ANNA, BEN, CLEO]) == [BEN, CLEO]
    said = needed_in_words(BOTH_GROUPS, [DORA], [ANNA, BEN, CLEO])
    assert said == "1 needed: Person 3 (group risk) or Person 2 (group finance)"
