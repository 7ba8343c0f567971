"""What Deriv wants to know of somebody who opens an account: fields, their shapes, what its refusals mean. Pure.

Which of these fields are asked for is said by the company that serves a country (`Company.signup_fields`).

Source: Deriv WebSocket API v3, new_account_virtual, new_account_real and the codes of refusals.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from bot.errors import (
    BusyError,
    CredentialRefusedError,
    FieldsRefusedError,
    InputError,
    RefusedError,
    ScopeMissingError,
)
from bot.providers.deriv.wire.opening import Residence, State


class Form(StrEnum):
    """How a field is answered."""

    WORDS = "words"
    CHOICE = "choice"
    YES = "yes"
    """A declaration: yes or no."""
    DAY = "day"
    COUNTRY = "country"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Blank:
    """One field of the form."""

    key: str
    title: str
    hint: str = ""
    form: Form = Form.WORDS
    pattern: str = r"[^\x00-\x1f]{1,100}"
    choices: tuple[str, ...] = ()
    secret: bool = False


_L = r"[^\W\d_]"
_ADDRESS = r"'’.,:;()°@#/-"
_NAME = rf"(?!.*\s{{2,}})(?:{_L}|[\s'.-]){{1,50}}"
ADDRESS_STATE: Final = "address_state"
BORN: Final = "date_of_birth"
CURRENCY: Final = "currency"
RESIDENCE: Final = "residence"
SETTLED_ELSEWHERE: Final = frozenset({RESIDENCE, CURRENCY})
"""Fields that are steps of their own."""
EMAIL: Final = re.compile(r"[a-zA-Z0-9_.+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,63}", re.ASCII)
MAILED: Final = re.compile(r"\w{8,128}", re.ASCII)
PASSWORD: Final = re.compile(r"(?=.*[a-z])(?=.*[0-9])(?=.*[A-Z])[ -~]{8,25}", re.ASCII)

_BLANKS: Final = {
    one.key: one
    for one in (
        Blank("salutation", "salutation", form=Form.CHOICE, choices=("Mr", "Ms", "Miss", "Mrs")),
        Blank("first_name", "first name", "as in the passport", pattern=_NAME),
        Blank("last_name", "last name", "as in the passport", pattern=_NAME),
        Blank(BORN, "date of birth", "such as 1984-02-29", form=Form.DAY),
        Blank("citizen", "citizenship", "a country", form=Form.COUNTRY),
        Blank("place_of_birth", "country of birth", "a country", form=Form.COUNTRY),
        Blank("phone", "phone number", "digits, without the country's prefix", pattern=r"[0-9 ()/-]{4,20}"),
        Blank("calling_country_code", "phone prefix of the country", "digits only", pattern=r"[0-9]{1,4}"),
        Blank(
            "address_line_1",
            "street and number",
            "no P.O. box",
            pattern=rf"(?:{_L}|\d|[{_ADDRESS}])(?:{_L}|\d|[\s{_ADDRESS}]){{0,69}}",
        ),
        Blank("address_line_2", "address, second line", pattern=rf"(?:{_L}|\d|[\s{_ADDRESS}]){{1,70}}"),
        Blank("address_city", "town", pattern=rf"{_L}(?:{_L}|[\s'.-]){{0,99}}"),
        Blank("address_postcode", "postcode", pattern=r"[A-Za-z0-9][A-Za-z0-9\s-]{0,20}"),
        Blank(ADDRESS_STATE, "state or province", form=Form.STATE, pattern=rf"(?:{_L}|\d|[\s'.,-]){{1,100}}"),
        Blank("tax_residence", "country in which taxes are paid", "a country", form=Form.COUNTRY),
        Blank("tax_identification_number", "tax number", pattern=r"(?!\s)[A-Za-z0-9./\s-]{1,25}"),
        Blank(
            "account_opening_reason",
            "reason for the account",
            form=Form.CHOICE,
            choices=(
                "Speculative",
                "Income Earning",
                "Hedging",
                "Peer-to-peer exchange",
                "Additional revenue",
                "Savings",
            ),
        ),
        Blank(
            "account_turnover",
            "expected turnover in a year",
            form=Form.CHOICE,
            choices=(
                "Less than $25,000",
                "$25,000 - $50,000",
                "$50,001 - $100,000",
                "$100,001 - $500,000",
                "Over $500,000",
            ),
        ),
        Blank("client_type", "kind of client", form=Form.CHOICE, choices=("retail", "professional")),
        Blank("employment_status", "employment", "such as Employed or Self-Employed"),
        Blank("fatca_declaration", "declaration to be a taxpayer of the United States (FATCA)", form=Form.YES),
        Blank(
            "non_pep_declaration", "declaration to hold no high public office, nor a relative of yours", form=Form.YES
        ),
        Blank("tnc_acceptance", "acceptance of Deriv's terms and conditions", form=Form.YES),
        Blank("tin_skipped", "declaration to have no tax number", form=Form.YES),
        Blank(
            "secret_question",
            "secret question",
            form=Form.CHOICE,
            choices=(
                "Mother's maiden name",
                "Name of your pet",
                "Name of first love",
                "Memorable town/city",
                "Memorable date",
                "Favourite dish",
                "Brand of first car",
                "Favourite artist",
            ),
        ),
        Blank(
            "secret_answer",
            "answer to the secret question",
            "4 to 50 characters",
            pattern=r"(?=.{4,50}\Z)[\w\-,.' ]+.*",
            secret=True,
        ),
    )
}


def blank(key: str) -> Blank:
    """A field by Deriv's name; of one that nobody has described, the name is all there is to say."""
    return _BLANKS.get(key) or Blank(key, key.replace("_", " "))


def written(field: Blank, said: str, today: date, youngest: int | None, states: Sequence[State]) -> str | int:
    """What a person said, as Deriv wants it; countries are another matter (`country_in`).

    Raises:
        InputError: It does not fit; says what would.
    """
    text = said.strip()
    match field.form:
        case Form.CHOICE:
            return _chosen(field, text)
        case Form.YES:
            if text.lower() not in ("yes", "no"):
                raise InputError(f"say yes or no to the {field.title}", "yes")
            return 1 if text.lower() == "yes" else 0
        case Form.DAY:
            return _day(text, today, youngest).isoformat()
        case Form.STATE if states:
            found = [one for one in states if text.casefold() in (one.code.casefold(), one.name.casefold())]
            if not found:
                raise InputError(f"Deriv knows no such {field.title} there", states[0].name)
            return found[0].code
        case _:
            if not re.fullmatch(field.pattern, text):
                hint = f" ({field.hint})" if field.hint else ""
                raise InputError(f"Deriv does not take that as {field.title}{hint}; send it again, or /cancel", "")
            return text


def country_in(residences: Sequence[Residence], said: str) -> Residence:
    """By name or by its two letters.

    Raises:
        InputError: There is none like that, or there are several.
    """
    text = " ".join(said.split()).casefold()
    exact = [one for one in residences if text in (one.code.casefold(), one.name.casefold())]
    begun = [one for one in residences if len(text) > 2 and one.name.casefold().startswith(text)]
    found = exact or begun
    if len(found) > 1:
        names = ", ".join(one.name for one in found[:6])
        raise InputError(f"that may be {names}", found[0].name)
    if not found:
        raise InputError("Deriv knows no such country; send its name in English, or its two letters", "Indonesia")
    return found[0]


def _chosen(field: Blank, text: str) -> str:
    for one in field.choices:
        if one.casefold() == text.casefold():
            return one
    raise InputError(f"please tap one of the buttons for the {field.title}", field.choices[0])


def _day(text: str, today: date, youngest: int | None) -> date:
    form = re.fullmatch(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", text, re.ASCII)
    try:
        born = date(*map(int, form.groups())) if form is not None else None
    except ValueError:
        born = None
    if born is None or not born.year >= 1900 or born > today:
        raise InputError("that is no day; send year, month and day", "1984-02-29")
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    if youngest is not None and age < youngest:
        raise InputError(
            f"Deriv opens accounts for people of {youngest} years or more only; if that day is wrong, send the right "
            "one, else /cancel",
            "",
        )
    return born


# -- refusals ----------------------------------------------------------------------------------------------------


class Trouble(StrEnum):
    """Why an account was not opened, where there is something to do about it."""

    CODE = "code"
    ADDRESS_KNOWN = "address known"
    ADDRESS = "address"
    COUNTRY = "country"
    AGE = "age"
    PASSWORD = "password"  # noqa: S105  # a word
    CURRENCY = "currency"
    HAS_ONE = "has one"
    FIELDS = "fields"
    """Those of the error, or what its code is about."""
    OTHER = "other"


_OF_CODE: Mapping[str, tuple[Trouble, str]] = {
    "InvalidToken": (Trouble.CODE, ""),
    "duplicate email": (Trouble.ADDRESS_KNOWN, ""),
    "InvalidEmail": (Trouble.ADDRESS, ""),
    "InvalidResidence": (Trouble.COUNTRY, ""),
    "NoResidence": (Trouble.COUNTRY, ""),
    "invalid residence": (Trouble.COUNTRY, ""),
    "UnknownLandingCompany": (Trouble.COUNTRY, ""),
    "BelowMinimumAge": (Trouble.AGE, BORN),
    "too young": (Trouble.AGE, BORN),
    "PasswordError": (Trouble.PASSWORD, ""),
    "DuplicateCurrency": (Trouble.CURRENCY, ""),
    "CurrencyNotAllowed": (Trouble.CURRENCY, ""),
    "InvalidCurrency": (Trouble.CURRENCY, ""),
    "CurrencyRequired": (Trouble.CURRENCY, ""),
    "DuplicateAccount": (Trouble.HAS_ONE, ""),
    "duplicate name DOB": (Trouble.HAS_ONE, ""),
    "NewAccountLimitReached": (Trouble.HAS_ONE, ""),
    "InvalidDateOfBirth": (Trouble.FIELDS, BORN),
    "InvalidState": (Trouble.FIELDS, ADDRESS_STATE),
    "InvalidPhone": (Trouble.FIELDS, "phone"),
    "PoBoxInAddress": (Trouble.FIELDS, "address_line_1"),
    "InvalidPlaceOfBirth": (Trouble.FIELDS, "place_of_birth"),
    "NeedBothSecret": (Trouble.FIELDS, "secret_answer"),
}
_OF_FIELD: Mapping[str, Trouble] = {
    "client_password": Trouble.PASSWORD,
    "verification_code": Trouble.CODE,
    "verify_email": Trouble.ADDRESS,
    "email": Trouble.ADDRESS,
    RESIDENCE: Trouble.COUNTRY,
    CURRENCY: Trouble.CURRENCY,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is the matter, and with which fields of the form."""

    trouble: Trouble
    fields: tuple[str, ...] = ()


def refusal_of(error: RefusedError) -> Refusal:
    """What Deriv's refusal of an account means. One of the login itself is about no answer."""
    if isinstance(error, CredentialRefusedError | ScopeMissingError | BusyError):
        return Refusal(Trouble.OTHER)
    trouble, field = _OF_CODE.get(error.code, (Trouble.OTHER, ""))
    fields = error.fields if isinstance(error, FieldsRefusedError) else (field,) if field else ()
    if trouble is Trouble.OTHER and fields:
        steps = {_OF_FIELD[one] for one in fields if one in _OF_FIELD}
        trouble = steps.pop() if len(fields) == 1 and steps else Trouble.FIELDS
    return Refusal(trouble, fields if trouble in (Trouble.FIELDS, Trouble.AGE) else ())
