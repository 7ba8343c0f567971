"""The form of an account at Deriv: what is asked next, and what a refusal takes away."""

from dataclasses import replace

import pytest

from bot.operations.account_form import Asking, Filled, Kind, after, next_step
from bot.providers.deriv.signup import Refusal, Trouble

ANSWERED = ("password", "address", "code")
DEMO = Filled("f", 1, "deriv/main", live=True, kind=Kind.DEMO, country="ke", country_name="Kenya", given=ANSWERED)
REAL = Filled(
    "f",
    1,
    "deriv/play",
    live=False,
    kind=Kind.REAL,
    country="ke",
    country_name="Kenya",
    given=("first_name", "date_of_birth"),
    required=("first_name", "date_of_birth"),
    currencies=("USD", "BTC"),
    currency="USD",
)


@pytest.mark.parametrize(
    ("form", "refusal", "asked"),
    [
        (DEMO, Refusal(Trouble.CODE), ["code"]),
        (DEMO, Refusal(Trouble.PASSWORD), ["password"]),
        (DEMO, Refusal(Trouble.ADDRESS_KNOWN), ["address", "code"]),
        (DEMO, Refusal(Trouble.COUNTRY), ["country"]),
        (DEMO, Refusal(Trouble.OTHER), ["code"]),
        (DEMO, Refusal(Trouble.FIELDS, ("utm_source",)), ["code"]),
        (REAL, Refusal(Trouble.AGE, ("date_of_birth",)), ["date_of_birth", "look"]),
        (REAL, Refusal(Trouble.FIELDS, ("phone", "first_name")), ["first_name", "phone", "look"]),
        (REAL, Refusal(Trouble.CURRENCY), ["currency", "look"]),
        (REAL, Refusal(Trouble.OTHER), ["look"]),
    ],
)
def test_only_what_was_refused_is_asked_for_again(form: Filled, refusal: Refusal, asked: list[str]) -> None:
    left = after(form, refusal)
    assert left is not None
    assert questions(left) == asked


def test_nothing_more_is_asked_of_who_has_such_an_account() -> None:
    assert after(REAL, Refusal(Trouble.HAS_ONE)) is None


def questions(form: Filled) -> list[str]:
    """What is asked until all is there, each question answered by anything."""
    asked = []
    while (step := next_step(form)) is not None:
        name = step.field.key if step.field else step.asking.value
        asked.append(name)
        match step.asking:
            case Asking.LOOK:
                break
            case Asking.COUNTRY:
                form = replace(form, country="id")
            case Asking.CURRENCY:
                form = replace(form, currency="BTC")
            case _:
                form = replace(form, given=(*form.given, name))
    return asked
