"""What countries and legal entities answer."""

from bot.providers.deriv.simulator.geography import COMPANIES, Country
from bot.providers.deriv.simulator.payloads import Payload


def residence(code: str, country: Country) -> Payload:
    """One row of the list of countries."""
    row: Payload = {"phone_idd": country.phone, "text": country.name, "value": code, "wallet_signup": 1}
    if not country.company:
        row["disabled"] = "DISABLED"
    if code == "id":
        row["selected"] = "selected"
    return row


def landing_company(code: str, country: Country) -> Payload:
    """The entities that serve a country; none where nobody may sign up."""
    short = country.company
    shown: Payload = {
        "all_company": short if short == "svg" else "none",
        "id": code,
        "minimum_age": 18,
        "name": country.name,
        "no_province": int(not country.states),
        "virtual_company": "virtual",
    }
    if short:
        shown |= {"financial_company": company(short), "gaming_company": company(short) if short == "svg" else None}
    return shown


def company(code: str) -> Payload:
    """Facts about one entity."""
    entity = COMPANIES[code]
    return {
        "address": ["First Floor", entity.country],
        "changeable_fields": {"only_before_auth": ["first_name", "last_name", "date_of_birth", "citizen"]},
        "country": entity.country,
        "has_reality_check": 0,
        "legal_allowed_contract_categories": ["callput", "callputequal"],
        "legal_allowed_currencies": list(entity.currencies),
        "legal_allowed_markets": list(entity.markets),
        "legal_default_currency": entity.currencies[0],
        "name": entity.name,
        "requirements": {
            "after_first_deposit": {"financial_assessment": []},
            "signup": list(entity.signup),
            "withdrawal": ["address_city", "address_line_1"] if entity.signup else [],
        },
        "shortcode": code,
        "support_professional_client": int(code == "maltainvest"),
    }
