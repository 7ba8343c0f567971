"""What is said of a login that was looked at."""

import pytest

from bot.operations.findings import told
from bot.providers.records import Findings, Power
from bot.providers.registry import PROVIDERS

R, T, P, D, M = Power.READ, Power.TRADE, Power.PAY_OUT, Power.DECIDE, Power.MANAGE


@pytest.mark.parametrize(
    ("provider", "powers", "untold", "said"),
    [
        ("deriv", {R}, set(), "1 account, USD. It can only read."),
        (
            "deriv",
            {R, P},
            set(),
            "1 account, USD. It can also pay out; a token with the scope Read alone is enough for balances.",
        ),
        (
            "deriv",
            {M, P, T, R},
            set(),
            (
                "1 account, USD. It can also trade, pay out and manage the account; "
                "a token with the scope Read alone is enough for balances."
            ),
        ),
        ("capital", {R, T}, set(), "1 account, USD. It can also trade, as every login of Capital.com can."),
        (
            "crm",
            {R},
            {D, M},
            (
                "1 account, USD. Whether it can also decide on withdrawals or manage the account, "
                "Broctagon CRM does not tell: assume so."
            ),
        ),
    ],
)
def test_powers_beyond_reading_are_told_with_what_would_do(
    provider: str, powers: set[Power], untold: set[Power], said: str
) -> None:
    findings = Findings("1 account, USD", powers=frozenset(powers), untold=frozenset(untold))
    assert told(PROVIDERS[provider], findings) == said


def test_facts_come_last() -> None:
    findings = Findings("1 account.", facts=("One is restricted.", "Another is closed."))
    assert told(PROVIDERS["crm"], findings) == "1 account. It can only read. One is restricted. Another is closed."
