"""What comes before an account: mailed codes, countries, legal entities."""

from collections.abc import Sequence

from bot.providers.deriv.simulator.connection import Body
from bot.providers.deriv.simulator.geography import COMPANIES, COUNTRIES
from bot.providers.deriv.simulator.hub import Play, Request
from bot.providers.deriv.simulator.payloads import joining as shown
from bot.providers.deriv.simulator.rules import Kind, RefusalError, Rule
from bot.providers.deriv.simulator.shapes import (
    AFFILIATE,
    AFFILIATE_KIND,
    CAMPAIGN,
    CLICK,
    CONTACT,
    COOKIES,
    COUNTRY,
    CURRENCY,
    DEVICE,
    EMAIL_PATTERN,
    INTEGER,
    LOGIN_ID,
    NUMBER,
    ONE,
    RESIDENCE,
    TEXT,
    call,
)

_PURPOSES = (
    "account_opening",
    "account_verification",
    "reset_password",
    "paymentagent_withdraw",
    "payment_withdraw",
    "trading_platform_dxtrade_password_reset",
    "trading_platform_mt5_password_reset",
    "trading_platform_investor_password_reset",
    "request_email",
    "phone_number_verification",
)
_RESERVED = ("reset_password", "request_email")
_FOR_MEMBERS = ("paymentagent_withdraw", "payment_withdraw")
_LISTED = (
    "account_opening_self_declaration_required",
    "common_reporting_standard",
    "disabled",
    "identity",
    "jurisdiction_risk_assessment",
    "phone_idd",
    "selected",
    "text",
    "tin_format",
    "value",
    "wallet_signup",
)


def verify_email(request: Request) -> Sequence[Body]:
    """Send a code; one for a member's purpose goes to himself only. The answer is 1 whoever the address belongs to."""
    address, purpose = request.arguments.text("verify_email"), request.arguments.text("type")
    if purpose in _RESERVED:
        raise RefusalError("PermissionDenied", "This kind of mail is for the service's own apps.")
    known = {user.email for user in request.world.state.users.values()}
    if purpose not in _FOR_MEMBERS or address in known & _own_addresses(request):
        request.world.send_code(address, purpose)
    return [{"verify_email": 1}]


def _own_addresses(request: Request) -> set[str]:
    users = request.world.state.users
    return {users[grant.user_id].email for grant in request.connection.grants.values()}


def residence_list(request: Request) -> Sequence[Body]:
    """The countries of the sign-up form, with all keys or those asked for."""
    query = set(request.arguments.texts("query")) or {"disabled", "phone_idd", "selected", "text", "value"}
    rows = [shown.residence(code, country) for code, country in COUNTRIES.items()]
    return [{"residence_list": [{key: row[key] for key in row if key in query} for row in rows]}]


def states_list(request: Request) -> Sequence[Body]:
    """The states of one country; of an unknown one none."""
    country = COUNTRIES.get(request.arguments.text("states_list").lower())
    states = country.states if country else {}
    return [{"states_list": [{"text": text, "value": value} for value, text in states.items()]}]


def landing_company(request: Request) -> Sequence[Body]:
    """The entities that serve a country."""
    code = request.arguments.text("landing_company").lower()
    if code not in COUNTRIES:
        raise RefusalError("UnknownLandingCompany", "Unknown landing company.")
    return [{"landing_company": shown.landing_company(code, COUNTRIES[code])}]


def landing_company_details(request: Request) -> Sequence[Body]:
    """Facts about one entity."""
    code = request.arguments.text("landing_company_details")
    if code not in COMPANIES:
        raise RefusalError("UnknownLandingCompany", "Unknown landing company.")
    details = shown.company(code)
    if "country" in request.arguments:
        details["tin_not_mandatory"] = 1
    return [{"landing_company_details": details}]


PLAYS: tuple[Play, ...] = (
    (
        call(
            "verify_email",
            {
                "verify_email": Rule(Kind.STRING, required=True, pattern=EMAIL_PATTERN),
                "ad_platform_cookies": COOKIES,
                "type": Rule(Kind.STRING, required=True, one_of=_PURPOSES),
                "url_parameters": Rule(
                    Kind.OBJECT,
                    fields={
                        "affiliate_token": AFFILIATE,
                        "affiliate_token_type": AFFILIATE_KIND,
                        "date_first_contact": CONTACT,
                        "gclid_url": CLICK,
                        "pa_amount": NUMBER,
                        "pa_currency": CURRENCY,
                        "pa_loginid": LOGIN_ID["loginid"],
                        "pa_remarks": Rule(Kind.STRING, pattern=r"[0-9A-Za-z .,'-]{0,100}"),
                        "redirect_to": INTEGER,
                        "residence": RESIDENCE,
                        "signup_device": DEVICE,
                        **CAMPAIGN,
                    },
                ),
                **LOGIN_ID,
            },
        ),
        verify_email,
    ),
    (
        call(
            "residence_list",
            {"residence_list": ONE, "query": Rule(Kind.ARRAY, items=Rule(Kind.STRING, one_of=_LISTED))},
        ),
        residence_list,
    ),
    (call("states_list", {"states_list": COUNTRY}), states_list),
    (call("landing_company", {"landing_company": COUNTRY}), landing_company),
    (
        call(
            "landing_company_details",
            {
                "landing_company_details": Rule(
                    Kind.STRING,
                    required=True,
                    one_of=(*COMPANIES, "iom", "malta", "samoa", "samoa-virtual", "dsl", "dml"),
                ),
                "country": TEXT,
            },
        ),
        landing_company_details,
    ),
)
