"""New accounts: demo ones with a mailed code, real ones by a form; topping up a demo account."""

import string
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from bot.providers.deriv.simulator.connection import Body
from bot.providers.deriv.simulator.geography import COMPANIES, COUNTRIES
from bot.providers.deriv.simulator.hub import Play, Request
from bot.providers.deriv.simulator.rules import Arguments, Kind, RefusalError, Rule
from bot.providers.deriv.simulator.shapes import (
    AFFILIATE,
    AFFILIATE_KIND,
    CAMPAIGN,
    CLICK,
    CONTACT,
    COOKIES,
    CURRENCY,
    DEVICE,
    EMAIL_PATTERN,
    LOGIN_ID,
    ONE,
    RESIDENCE,
    SCOPES,
    SWITCH,
    TEXT,
    VERIFICATION_PATTERN,
    call,
)
from bot.providers.deriv.simulator.state import CURRENCIES, Account, User

DEMO_BALANCE, TOP_UP_BELOW = Decimal(10000), Decimal(1000)
_ADULT_YEARS = 18
_FIRST_NEW_NUMBER = 900100
_TOLD = (
    "account_opening_reason",
    "address_city",
    "address_line_1",
    "address_line_2",
    "address_postcode",
    "address_state",
    "citizen",
    "date_of_birth",
    "employment_status",
    "first_name",
    "last_name",
    "phone",
    "place_of_birth",
    "salutation",
    "tax_identification_number",
    "tax_residence",
)


def new_account_virtual(request: Request) -> Sequence[Body]:
    """A demo account: with a mailed code for somebody new, without for who is logged in and has none."""
    asked, state = request.arguments, request.world.state
    main = request.connection.main
    if main is not None and "verification_code" not in asked:
        user, first = state.users[main.user_id], False
        if any(account.is_virtual for account in request.world.accounts_of(user.user_id)):
            raise RefusalError("DuplicateAccount", "You already have a demo account.")
    else:
        user, first = _new_user(request), True
    account = _open(request, user, "virtual", "USD")
    request.world.deposit(account, DEMO_BALANCE, "Virtual money credit to account")
    token = request.world.session_token(account.loginid, list(SCOPES), request.connection.app_id)
    body: dict[str, object] = {
        "balance": account.balance,
        "client_id": account.loginid,
        "currency": account.currency,
        "currency_type": CURRENCIES[account.currency].kind,
        "email": user.email,
        "oauth_token": token,
        "type": "trading",
    }
    if first:
        body["refresh_token"] = f"r1-{request.world.drawn('refresh', 29)}"
    return [{"new_account_virtual": body}]


def _new_user(request: Request) -> User:
    asked, state = request.arguments, request.world.state
    mail = request.world.code(asked.text("verification_code"), "account_opening")
    if any(user.email.lower() == mail.address.lower() for user in state.users.values()):
        raise RefusalError("duplicate email", "Your provided email address is already in use.")
    _resident(asked.text("residence"))
    password = asked.text("client_password")
    if not password or password == mail.address:
        raise RefusalError("PasswordError", "Please provide a password that is not your email address.")
    mail.used = True
    user = User(max(state.users) + 1, mail.address, "", asked.text("residence"), "EN")
    state.users[user.user_id] = user
    return user


def _resident(country: str) -> None:
    if country not in COUNTRIES or not COUNTRIES[country].company:
        raise RefusalError("InvalidResidence", "Sorry, our service is not available for your country of residence.")


def new_account_real(request: Request) -> Sequence[Body]:
    """A real account with the entity of the residence; who has one already only chooses another currency."""
    user, asked = request.world.state.users[request.account.user_id], request.arguments
    company = COUNTRIES[user.country].company
    siblings = [account for account in request.world.accounts_of(user.user_id) if not account.is_virtual]
    if not siblings:
        _personal(asked, user, COMPANIES[company].signup, request.world.moment().date())
    currency = asked.text("currency", "USD")
    _fits(currency, company, siblings)
    if not siblings:
        user.profile = {name: asked.text(name) for name in _TOLD if name in asked}
        salutation = asked.text("salutation", "Ms")
        user.full_name = f"{salutation} {asked.text('first_name')} {asked.text('last_name')}"
    account = _open(request, user, company, currency)
    token = request.world.session_token(account.loginid, list(SCOPES), request.connection.app_id)
    return [
        {
            "new_account_real": {
                "client_id": account.loginid,
                "currency": currency,
                "currency_type": CURRENCIES[currency].kind,
                "landing_company": account.company_name,
                "landing_company_short": company,
                "landing_company_shortcode": company,
                "oauth_token": token,
            }
        }
    ]


def _personal(asked: Arguments, user: User, needed: Sequence[str], today: date) -> None:
    """What a person tells of himself is complete and plausible."""
    missing = [name for name in needed if not asked.text(name)]
    if missing:
        raise RefusalError(
            "InsufficientAccountDetails",
            "Please provide complete details for your account.",
            {"missing": ", ".join(missing), "field": missing[0]},
        )
    if asked.text("residence") != user.country:
        _refuse("InvalidResidence", "residence", "Your residence is not the one of your demo account.")
    try:
        year, month, day = map(int, asked.text("date_of_birth").split("-"))
        born = date(year, month, day)
    except ValueError:
        _refuse("InvalidDateOfBirth", "date_of_birth", "Your date of birth is invalid.")
    if (today.year - born.year) - ((today.month, today.day) < (born.month, born.day)) < _ADULT_YEARS:
        _refuse("BelowMinimumAge", "date_of_birth", "Value of date of birth is below the minimum age required.")
    states = COUNTRIES[user.country].states
    if asked.text("address_state") and states and asked.text("address_state") not in states:
        _refuse("InvalidState", "address_state", "Sorry, the provided state is not valid for your country.")
    if "address_line_1" in asked and "p.o. box" in asked.text("address_line_1").lower():
        _refuse("PoBoxInAddress", "address_line_1", "P.O. Box is not accepted in address.")
    phone = asked.text("phone").removeprefix("+")
    if phone and not (phone.replace(" ", "").isdecimal() and len(phone) <= 15):
        _refuse("InvalidPhone", "phone", "Please enter a valid phone number.")
    if asked.text("place_of_birth") and asked.text("place_of_birth") not in COUNTRIES:
        _refuse("InvalidPlaceOfBirth", "place_of_birth", "Please enter a valid place of birth.")
    if ("secret_question" in asked) != ("secret_answer" in asked):
        _refuse("NeedBothSecret", "secret_answer", "Need both secret question and secret answer.")


def _refuse(code: str, field: str, message: str) -> None:
    raise RefusalError(code, message, {"field": field})


def _fits(currency: str, company: str, siblings: Sequence[Account]) -> None:
    if currency not in COMPANIES[company].currencies:
        raise RefusalError("CurrencyNotAllowed", f"The currency {currency} is not applicable for this account.")
    kind = CURRENCIES[currency].kind
    for account in siblings:
        if account.currency == currency or kind == CURRENCIES[account.currency].kind == "fiat":
            raise RefusalError("DuplicateCurrency", "Please note that you are limited to one account per currency.")


def _open(request: Request, user: User, company: str, currency: str) -> Account:
    state, entity = request.world.state, COMPANIES[company]
    number = max([_FIRST_NEW_NUMBER, *(int(loginid.lstrip(string.ascii_uppercase)) + 1 for loginid in state.accounts)])
    loginid = f"{entity.broker}{number}"
    virtual = company == "virtual"
    account = Account(loginid, user.user_id, currency, virtual, company, entity.name, request.world.now())
    state.accounts[loginid] = account
    return account


def topup_virtual(request: Request) -> Sequence[Body]:
    """Bring a demo account back to its first balance, once it has fallen far enough."""
    account = request.account
    if not account.is_virtual:
        raise RefusalError("InvalidAccount", "Sorry, this feature is available to demo accounts only.")
    if account.balance >= TOP_UP_BELOW:
        raise RefusalError(
            "DemoTopupBalance", f"You can only request additional funds if your balance is below {TOP_UP_BELOW}.00 USD."
        )
    movement = request.world.deposit(account, DEMO_BALANCE - account.balance, "Virtual money credit to account")
    return [{"topup_virtual": {"amount": movement.amount, "currency": account.currency}}]


_EMAIL = Rule(Kind.STRING, pattern=EMAIL_PATTERN)
_LETTER = r"[^\W\d_]"
_NAME = Rule(Kind.STRING, sensitive=True, pattern=rf"(?!.*\s{{2,}})(?:{_LETTER}|[\s'.-]){{1,50}}")
_LINE = r"'.,:;()\u00b0@#/-"
_FIRST_LINE = Rule(Kind.STRING, pattern=rf"(?:{_LETTER}|\d|[{_LINE}])(?:{_LETTER}|\d|[\s\u2019{_LINE}]){{0,69}}")
_SECOND_LINE = Rule(Kind.STRING, pattern=rf"(?:{_LETTER}|\d|[\s\u2019{_LINE}]){{0,70}}")
_REASONS = (
    "Speculative",
    "Income Earning",
    "Hedging",
    "Peer-to-peer exchange",
    "Additional revenue",
    "Savings",
)
_TURNOVERS = ("Less than $25,000", "$25,000 - $50,000", "$50,001 - $100,000", "$100,001 - $500,000", "Over $500,000")
_QUESTIONS = (
    "Mother's maiden name",
    "Name of your pet",
    "Name of first love",
    "Memorable town/city",
    "Memorable date",
    "Favourite dish",
    "Brand of first car",
    "Favourite artist",
)

PLAYS: tuple[Play, ...] = (
    (
        call(
            "new_account_virtual",
            {
                "new_account_virtual": ONE,
                "ad_platform_cookies": COOKIES,
                "affiliate_token": AFFILIATE,
                "affiliate_token_type": AFFILIATE_KIND,
                "client_password": Rule(
                    Kind.STRING, sensitive=True, pattern=r"(?=.*[a-z])(?=.*[0-9])(?=.*[A-Z])[ -~]{8,25}"
                ),
                "date_first_contact": CONTACT,
                "email": _EMAIL,
                "email_consent": SWITCH,
                "gclid_url": CLICK,
                "residence": RESIDENCE,
                "signup_device": DEVICE,
                "type": Rule(Kind.STRING, one_of=("trading", "wallet", "dynamic")),
                "verification_code": Rule(Kind.STRING, pattern=VERIFICATION_PATTERN),
                **CAMPAIGN,
                **LOGIN_ID,
            },
        ),
        new_account_virtual,
    ),
    (
        call(
            "new_account_real",
            {
                "new_account_real": ONE,
                "account_opening_reason": Rule(Kind.STRING, one_of=_REASONS),
                "account_turnover": Rule(Kind.STRING, one_of=_TURNOVERS),
                "address_city": Rule(Kind.STRING, pattern=rf"{_LETTER}(?:{_LETTER}|[\s'.-]){{0,99}}"),
                "address_line_1": _FIRST_LINE,
                "address_line_2": _SECOND_LINE,
                "address_postcode": Rule(Kind.STRING, pattern=r"([A-Za-z0-9][A-Za-z0-9\s-]{0,20})?"),
                "address_state": Rule(Kind.STRING, pattern=rf"(?:{_LETTER}|\d|[\s'.,-]){{0,100}}"),
                "affiliate_token": Rule(Kind.STRING, pattern=r"[\w-]{0,32}"),
                "calling_country_code": Rule(Kind.STRING, sensitive=True, or_null=True, pattern=r"\d{1,4}"),
                "citizen": Rule(Kind.STRING, or_null=True, pattern=r"([a-z]{2})?"),
                "client_type": Rule(Kind.STRING, one_of=("professional", "retail")),
                "currency": CURRENCY,
                "date_of_birth": Rule(Kind.STRING, pattern=r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"),
                "employment_status": TEXT,
                "fatca_declaration": SWITCH,
                "financial_information_version": TEXT,
                "first_name": _NAME,
                "last_name": _NAME,
                "non_pep_declaration": Rule(Kind.INTEGER, low=0, high=1),
                "phone": Rule(Kind.STRING, sensitive=True, or_null=True),
                "place_of_birth": RESIDENCE,
                "residence": RESIDENCE,
                "salutation": Rule(Kind.STRING, one_of=("Mr", "Ms", "Miss", "Mrs")),
                "secret_answer": Rule(Kind.STRING, sensitive=True, pattern=r"(?=.{4,50}\Z)[\w\-\,\.\' ]+.*"),
                "secret_question": Rule(Kind.STRING, one_of=_QUESTIONS),
                "tax_identification_number": Rule(Kind.STRING, pattern=r"(?!^$|\s+)[A-Za-z0-9.\/\s-]{0,25}"),
                "tax_residence": Rule(Kind.STRING, pattern=r"[a-z]{0,2}(?:,[a-z]{2})*"),
                "tin_skipped": SWITCH,
                "tnc_acceptance": SWITCH,
                **LOGIN_ID,
            },
            scopes=("admin",),
        ),
        new_account_real,
    ),
    (call("topup_virtual", {"topup_virtual": ONE, **LOGIN_ID}, scopes=("trade",)), topup_virtual),
)
