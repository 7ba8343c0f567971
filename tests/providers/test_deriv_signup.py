"""What Deriv wants to know of somebody, and what its refusals mean."""

from datetime import date

import pytest

from bot.errors import CredentialRefusedError, FieldsRefusedError, InputError, RefusedError
from bot.providers.deriv.signup import Refusal, Trouble, blank, country_in, refusal_of, written
from bot.providers.deriv.wire.opening import Residence, State

TODAY = date(2026, 3, 4)
STATES = [State("BA", "Bali"), State("JB", "Jawa Barat")]
COUNTRIES = [Residence(code, name, "", can_sign_up=True) for code, name in (("gn", "Guinea"), ("gw", "Guinea-Bissau"))]


@pytest.mark.parametrize(
    ("key", "said", "sent"),
    [
        ("first_name", " Żółć ", "Żółć"),
        ("last_name", "O'Tieno-Smith", "O'Tieno-Smith"),
        ("date_of_birth", "2008-3-4", "2008-03-04"),  # eighteen today
        ("salutation", "ms", "Ms"),
        ("tnc_acceptance", "Yes", 1),
        ("non_pep_declaration", "no", 0),
        ("address_state", "jawa barat", "JB"),
        ("address_state", "ba", "BA"),
        ("something_new", "whatever", "whatever"),
    ],
)
def test_an_answer_is_sent_as_deriv_writes_it(key: str, said: str, sent: str | int) -> None:
    assert written(blank(key), said, TODAY, 18, STATES) == sent


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("first_name", "A1"),
        ("last_name", "x  y"),
        ("date_of_birth", "2008-03-05"),  # eighteen tomorrow
        ("date_of_birth", "1990-02-30"),
        ("date_of_birth", "4 March 1990"),
        ("date_of_birth", "2027-01-01"),
        ("salutation", "Dr"),
        ("tnc_acceptance", "perhaps"),
        ("address_state", "Texas"),
        ("address_city", "1st"),
        ("secret_answer", "abc"),
    ],
)
def test_what_cannot_be_is_not_sent(key: str, said: str) -> None:
    with pytest.raises(InputError):
        written(blank(key), said, TODAY, 18, STATES)


def test_a_country_is_found_by_name_by_letters_and_by_how_it_begins_when_that_is_one() -> None:
    for said, code in (("guinea", "gn"), ("GW", "gw"), ("Guinea-B", "gw")):
        assert country_in(COUNTRIES, said).code == code
    with pytest.raises(InputError, match="that may be Guinea, Guinea-Bissau"):
        country_in(COUNTRIES, "guin")
    with pytest.raises(InputError, match="no such country"):
        country_in(COUNTRIES, "g")


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (RefusedError("deriv", "InvalidToken"), Refusal(Trouble.CODE)),
        (RefusedError("deriv", "too young"), Refusal(Trouble.AGE, ("date_of_birth",))),
        (
            FieldsRefusedError("deriv", "InvalidResidence", ["residence"]),
            Refusal(Trouble.COUNTRY),
        ),
        (FieldsRefusedError("deriv", "InputValidationFailed", ["client_password"]), Refusal(Trouble.PASSWORD)),
        (
            FieldsRefusedError("deriv", "InsufficientAccountDetails", ["phone", "citizen"]),
            Refusal(Trouble.FIELDS, ("phone", "citizen")),
        ),
        (RefusedError("deriv", "InvalidPhone"), Refusal(Trouble.FIELDS, ("phone",))),
        (RefusedError("deriv", "Whatever"), Refusal(Trouble.OTHER)),
        (CredentialRefusedError("deriv", "InvalidToken"), Refusal(Trouble.OTHER)),  # the login's own
    ],
)
def test_a_refusal_says_what_to_ask_again(error: RefusedError, meaning: Refusal) -> None:
    assert refusal_of(error) == meaning
