"""What becomes stricter is told in sentences, and what becomes less strict is not among them."""

from bot.approvals.policy.comparing import loosens, tightens
from bot.approvals.policy.model import Policy
from bot.approvals.policy.reading import read
from tests.support.policies import ruled

ONE = 'tier = "quorum"\nneeds = ["1 of role/approver"]\nproof = "code"'
TWO = 'tier = "quorum"\nneeds = ["2 of role/approver"]\nproof = "code"'
FINANCE = 'tier = "quorum"\nneeds = ["1 of group/finance"]\nproof = "code"'
RISK = 'tier = "quorum"\nneeds = ["1 of group/risk"]\nproof = "code"'
LIMIT = '[[limits]]\nname = "a day"\namount = "{}"\ncurrency = "USD"\nper = "desk"\nwindow = "24h"\n'


def test_a_policy_is_no_stricter_than_itself() -> None:
    policy = ruled(ONE, more='life = "1h"')
    assert tightens(policy, policy) == ()
    assert tightens(None, Policy()) == ()


def test_one_more_signature_is_told_with_an_example() -> None:
    old = ruled(f'name = "all"\nacts = ["order"]\n{ONE}')
    new = ruled(f'name = "all"\nacts = ["order"]\n{TWO}')
    words = "one approver signs with a code → two approvers sign with a code. For example “order” on a live account."
    assert tightens(old, new) == (f"Where “all” decided and “all” does now: {words}",)
    assert tightens(new, old) == ()


def test_other_people_are_less_strict_and_so_not_told_as_stricter() -> None:
    old, new = ruled(FINANCE), ruled(RISK)
    assert len(loosens(old, new)) == 1
    assert tightens(old, new) == ()


def test_a_new_limit_and_a_lower_one_are_told_a_higher_one_is_not() -> None:
    none, low, high = read(""), read(LIMIT.format("100")), read(LIMIT.format("200"))
    words = "New. Limit “a day”: anything: at most {}.00 USD within 24 hours for the whole desk."
    assert tightens(none, high) == (words.format(200),)
    assert tightens(high, low) == (words.format(100),)
    assert tightens(low, high) == ()
    assert tightens(high, none) == ()


def test_guards_and_settings_are_told() -> None:
    old = read('beneficiary_cooldown = "1h"\n[guards.thaw]\nneeds = ["1 of role/approver"]\n')
    new = read(
        'beneficiary_cooldown = "2h"\nfirst_payment_hold = "30m"\nloosening_delay = "2d"\n'
        '[guards.thaw]\nneeds = ["2 of role/approver"]\n'
    )
    assert tightens(old, new) == (
        "Thawing the desk: one approver signs → two approvers sign.",
        "A new beneficiary waits 2 h instead of 1 h.",
        "The first payment to a beneficiary waits 30 min instead of 0 s.",
        "A change that makes anything less strict waits 2 days instead of 24 h.",
    )
    assert tightens(new, old) == ()


def test_a_shorter_life_is_stricter() -> None:
    everything = f'name = "all"\n{ONE}'
    told = tightens(ruled(everything, more='life = "1h"'), ruled(everything, more='life = "30m"'))
    assert told[-1] == "A request whose rule does not say otherwise is open for 30 min instead of 1 h."
