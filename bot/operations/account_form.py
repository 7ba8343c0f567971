"""The form behind an account that is being opened at Deriv: what is known, and what is asked next. Pure.

Which question comes next follows from what is missing, so a refused answer is asked for again by taking it away. The
form itself says only which answers there are: the answers are personal, and lie sealed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import msgspec

from bot.providers.deriv.signup import ADDRESS_STATE, CURRENCY, SETTLED_ELSEWHERE, Blank, Form, Refusal, Trouble, blank
from bot.providers.deriv.wire.opening import Company, Residence, Service, State

AGAIN: Final = "again"
MAKE: Final = "make"
SKIP: Final = "skip"
OPEN: Final = "open"
LINK: Final = "link"
NO: Final = "no"


class Kind(StrEnum):
    """What is opened."""

    DEMO = "demo"
    """Play money for somebody who is not at Deriv yet."""
    MORE = "more"
    """Play money for the person of the login."""
    REAL = "real"


class Asking(StrEnum):
    """What is asked."""

    KIND = "kind"
    COUNTRY = "country"
    PASSWORD = "password"  # noqa: S105  # a question
    ADDRESS = "address"
    CODE = "code"
    FIELD = "field"
    CURRENCY = "currency"
    LOOK = "look"
    """All of it is shown; opened is it by a tap."""
    LINK = "link"
    """It is open: is it to be a connection of its own?"""


@dataclass(frozen=True, slots=True)
class Filled:
    """The form so far. Nothing in it is a secret, or says who somebody is."""

    id: str
    connection: int
    name: str
    live: bool
    """Of the login: for a person who has a real account all but the currency is known to Deriv."""
    home: str = ""
    """Where the person of the login lives, "" when that was not told."""
    home_name: str = ""
    kind: Kind | None = None
    country: str = ""
    country_name: str = ""
    given: tuple[str, ...] = ()
    """Which answers lie sealed: "password", "address", "code", and the fields by Deriv's names."""
    skipped: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    states: tuple[tuple[str, str], ...] = ()
    youngest: int | None = None
    company: str = ""
    currencies: tuple[str, ...] = ()
    currency: str = ""
    opened: str = ""
    opened_live: bool = False
    last: str = ""
    """With what the last answer came."""


@dataclass(frozen=True, slots=True)
class Step:
    """The next question."""

    asking: Asking
    form: Filled
    options: tuple[tuple[str, str], ...] = ()
    """What can be tapped: the answer, and what it is called."""
    field: Blank | None = None
    is_optional: bool = False

    @property
    def question(self) -> str:
        """Which question of which form: a button made for another one does not answer it."""
        return f"{self.form.id}/{self.asking}/{self.field.key if self.field else ''}"

    @property
    def asks_secret(self) -> bool:
        return self.asking in (Asking.PASSWORD, Asking.CODE) or (self.field is not None and self.field.secret)


def read(body: Any) -> Filled:
    return msgspec.convert(body, Filled)


def packed(form: Filled) -> Any:
    return msgspec.to_builtins(form)


def next_step(form: Filled) -> Step | None:
    """None when all is there."""
    if form.opened:
        return Step(Asking.LINK, form, ((LINK, "Link it"), (NO, "No")))
    match form.kind:
        case None:
            return Step(Asking.KIND, form, _kinds(form))
        case Kind.MORE:
            return None
        case Kind.DEMO:
            return _next_of_demo(form)
        case Kind.REAL:
            return _next_of_real(form)


def _kinds(form: Filled) -> tuple[tuple[str, str], ...]:
    return (
        (Kind.DEMO.value, "Demo, for somebody new"),
        (Kind.MORE.value, f"Demo, for the person of {form.name}"),
        (Kind.REAL.value, f"Real, for the person of {form.name}"),
    )


def _next_of_demo(form: Filled) -> Step | None:
    if not form.country:
        return _country(form)
    if Asking.PASSWORD not in form.given:  # before the mail: a code could be sent for a password
        return Step(Asking.PASSWORD, form, ((MAKE, "Make one that nobody knows"),))
    if Asking.ADDRESS not in form.given:
        return Step(Asking.ADDRESS, form)
    if Asking.CODE not in form.given:
        return Step(Asking.CODE, form, ((AGAIN, "Mail another one"),))
    return None


def _next_of_real(form: Filled) -> Step:
    if not form.country:
        return _country(form)
    for key in (*form.required, *form.optional):
        if key not in form.given and key not in form.skipped:
            return _field(form, key)
    if not form.currency:
        return Step(Asking.CURRENCY, form, tuple((one, one) for one in form.currencies))
    return Step(Asking.LOOK, form, ((OPEN, "Open it"),))


def _country(form: Filled) -> Step:
    return Step(Asking.COUNTRY, form, ((form.home, form.home_name),) if form.home else ())


def _field(form: Filled, key: str) -> Step:
    field, is_optional = blank(key), key not in form.required
    match field.form:
        case Form.CHOICE:
            options = tuple((one, one) for one in field.choices)
        case Form.YES:
            options = (("yes", "Yes"), ("no", "No"))
        case Form.STATE:
            options = form.states
        case Form.COUNTRY if form.country:
            options = ((form.country, form.country_name),)
        case _:
            options = ()
    if is_optional:
        options = (*options, (SKIP, "Skip"))
    return Step(Asking.FIELD, form, options, field, is_optional)


# -- answers -----------------------------------------------------------------------------------------------------


def with_given(form: Filled, key: str) -> Filled:
    return replace(form, given=tuple(dict.fromkeys((*form.given, key))))


def without(form: Filled, keys: Iterable[str]) -> Filled:
    gone = set(keys)
    return replace(
        form,
        given=tuple(one for one in form.given if one not in gone),
        skipped=tuple(one for one in form.skipped if one not in gone),
    )


def living_in(form: Filled, lives: Residence) -> Filled:
    return replace(form, country=lives.code, country_name=lives.name)


def served_by(form: Filled, service: Service, company: Company, states: Iterable[State]) -> Filled:
    """What this company must be told, and what it may be: the address, which it wants before it pays anything out."""
    known = () if form.live else tuple((one.code, one.name) for one in states)
    required: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    if not form.live:  # else it is copied from the account that is there
        required = tuple(one for one in dict.fromkeys(company.signup_fields) if one not in SETTLED_ELSEWHERE)
        more = (*company.withdrawal_fields, ADDRESS_STATE) if known else company.withdrawal_fields
    optional = tuple(one for one in dict.fromkeys(more) if one not in (*required, *SETTLED_ELSEWHERE))
    codes = company.currencies
    first = (company.default_currency,) if company.default_currency in codes else ()
    return replace(
        form,
        required=required,
        optional=optional,
        states=known,
        youngest=service.minimum_age,
        company=company.name,
        currencies=tuple(dict.fromkeys((*first, *codes))),
        currency="",
    )


def after(form: Filled, refusal: Refusal) -> Filled | None:
    """Without what was refused, so that something is asked for again; None when nothing more can be said to it."""
    left = _after(form, refusal)
    return without(left, [Asking.CODE]) if left is not None and next_step(left) is None else left


def _after(form: Filled, refusal: Refusal) -> Filled | None:
    match refusal.trouble:
        case Trouble.CODE:
            return without(form, [Asking.CODE])
        case Trouble.ADDRESS | Trouble.ADDRESS_KNOWN:
            return without(form, [Asking.ADDRESS, Asking.CODE])
        case Trouble.PASSWORD:
            return without(form, [Asking.PASSWORD])
        case Trouble.COUNTRY:
            return replace(form, country="", country_name="")
        case Trouble.CURRENCY:
            return replace(form, currency="")
        case Trouble.AGE | Trouble.FIELDS:
            named = [one for one in refusal.fields if one not in SETTLED_ELSEWHERE]
            form = replace(form, required=tuple(dict.fromkeys((*form.required, *named))))
            if CURRENCY in refusal.fields:
                form = replace(form, currency="")
            return without(form, named)
        case Trouble.HAS_ONE:
            return None
        case Trouble.OTHER:
            return form
