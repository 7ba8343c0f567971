"""Where the transfers go that make a key known, as documented.

Source: Crypto Capital End-User API v2.3, section "Account registration".
"""

from collections.abc import Mapping
from typing import Final

PAYEE: Final = "CCAPI, Panama City, Panama"
REGISTRATION_ACCOUNTS: Final[Mapping[str, str]] = {
    "USD": "9120231592",
    "EUR": "9120231638",
    "GBP": "9120231677",
    "CAD": "9120231625",
    "JPY": "9120231773",
    "CNY": "9120231746",
    "AUD": "9120231731",
    "PLN": "9120231707",
}
CAUTION: Final = (
    "Use the account of the same currency: then the sum is sent back by itself. "
    "A new key replaces the one that was registered for an account before."
)
