"""Countries with their states, and the legal entities that serve them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Country:
    """One country of the sign-up form."""

    name: str
    phone: str
    company: str = "svg"
    """The entity that opens real accounts for its residents; empty when none does."""
    states: Mapping[str, str] = field(default_factory=dict)
    local_currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Company:
    """One legal entity."""

    name: str
    country: str
    broker: str
    currencies: tuple[str, ...]
    markets: tuple[str, ...]
    signup: tuple[str, ...]


COUNTRIES = {
    "id": Country(
        "Indonesia",
        "62",
        states={"AC": "Aceh", "BA": "Bali", "BT": "Banten", "JB": "Jawa Barat", "JK": "Jakarta Raya"},
        local_currency="IDR",
    ),
    "br": Country("Brazil", "55", states={"RJ": "Rio de Janeiro", "SP": "São Paulo"}, local_currency="BRL"),
    "ng": Country("Nigeria", "234", states={"FC": "Abuja Capital Territory", "LA": "Lagos"}, local_currency="NGN"),
    "ke": Country("Kenya", "254", states={"30": "Nairobi City"}, local_currency="KES"),
    "za": Country("South Africa", "27", states={"GP": "Gauteng", "WC": "Western Cape"}, local_currency="ZAR"),
    "al": Country("Albania", "355", states={"11": "Tiranë"}, local_currency="ALL"),
    "de": Country("Germany", "49", company="maltainvest", states={"BE": "Berlin"}, local_currency="EUR"),
    "aq": Country("Antarctica", "672"),
    "us": Country("United States", "1", company="", states={"NY": "New York"}),
}

_ALL_MARKETS = ("commodities", "cryptocurrency", "forex", "indices", "synthetic_index")
_NAMES = ("first_name", "last_name", "residence", "date_of_birth")

COMPANIES = {
    "svg": Company(
        "Deriv (SVG) LLC", "Saint Vincent and the Grenadines", "CR", ("USD", "EUR", "BTC", "ETH"), _ALL_MARKETS, _NAMES
    ),
    "maltainvest": Company(
        "Deriv Investments (Europe) Limited",
        "Malta",
        "MF",
        ("USD", "EUR"),
        ("forex", "synthetic_index"),
        (*_NAMES, "address_line_1", "address_city", "phone", "salutation", "citizen", "tax_residence"),
    ),
    "virtual": Company("Deriv Limited", "Isle of Man", "VRTC", ("USD",), _ALL_MARKETS, ()),
    "vanuatu": Company("Deriv (V) Ltd", "Vanuatu", "CR", ("USD", "EUR"), ("forex",), _NAMES),
    "bvi": Company("Deriv (BVI) Ltd", "British Virgin Islands", "CR", ("USD",), ("forex",), _NAMES),
    "labuan": Company("Deriv (FX) Ltd", "Malaysia", "CR", ("USD",), ("forex",), _NAMES),
}
