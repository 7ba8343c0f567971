"""The bank a newcomer finds: a desk with three accounts, the parties it deals with, and a few weeks of history."""

from decimal import Decimal

from bot.providers.cryptocapital.simulator.bank import REGISTRATION_ACCOUNTS, Account, Bank, Kind, Movement
from bot.providers.cryptocapital.simulator.signatures import KeyPair

DESK_ACCOUNTS = ("9120004471", "9120004488", "9120004495")
"""What the credentials' key may see: two in dollars, one in euros."""
USUAL_SENDER = "9120007013"
"""Who pays when nobody is named."""

_FIRST_ID = 4790
_DAY_MS = 86_400_000
_MINUTE_MS = 60_000

_WORTH_IN_DOLLARS = {
    "USD": Decimal("1"),
    "EUR": Decimal("1.1044"),
    "GBP": Decimal("1.5587"),
    "CAD": Decimal("0.7712"),
    "JPY": Decimal("0.00807"),
    "CNY": Decimal("0.1610"),
    "AUD": Decimal("0.7356"),
    "PLN": Decimal("0.2656"),
}

_DESK = (
    ("9120004471", "Treasury Operating", "USD", "248310.55"),
    ("9120004488", "Settlement Reserve", "USD", "61904.20"),
    ("9120004495", "Euro Settlement", "EUR", "137562.18"),
)
_PARTIES = (
    ("9120007013", "Harbour Freight Forwarding Ltd", "USD", "1904220.75"),
    ("9120007020", "Nordlicht Handels GmbH", "EUR", "880415.90"),
)
_UNREGISTERED = (
    ("9120007037", "Ashgrove Brokers LLP", "GBP", "412006.33"),
    ("9120007044", "Kitano Trading KK", "JPY", "96500000.00"),
)
_HISTORY = (  # days ago, minute of that moment, from, to, what left, what arrived, narrative
    (27, 611, "9120007013", "9120004471", "84000.00", "84000.00", "Invoice 20418"),
    (21, 552, "9120004471", "9120004488", "25000.00", "25000.00", "Reserve top-up"),
    (16, 873, "9120007020", "9120004495", "41250.00", "41250.00", "Rahmenvertrag Q2, 2. Rate"),
    (9, 706, "9120004471", "9120007020", "11044.00", "10000.00", "Refund of overpayment"),
    (4, 498, "9120004488", "9120007013", "3150.40", "3150.40", "Demurrage, container 7731"),
    (1, 955, "9120007013", "9120004471", "18999.99", "18999.99", "Invoice 20533"),
)


def client_pair(seed: int) -> KeyPair:
    """The key in the credentials."""
    return KeyPair.derived(seed, "client")


def server_pair(seed: int) -> KeyPair:
    """The bank's own key; the one of the former live service is nobody's to have."""
    return KeyPair.derived(seed, "server")


def outsider_pair(seed: int) -> KeyPair:
    """A key that has no business here: it signs and is addressed when results misbehave."""
    return KeyPair.derived(seed, "outsider")


def party_pair(seed: int) -> KeyPair:
    """The key of the parties the desk deals with."""
    return KeyPair.derived(seed, "party")


def furnished(seed: int, now_ms: int) -> Bank:
    """A bank in the middle of its life at `now_ms`."""
    desk_key, party_key = client_pair(seed).public_text, party_pair(seed).public_text
    accounts = [_account(row, desk_key) for row in _DESK]
    accounts += [_account(row, party_key) for row in _PARTIES]
    accounts += [_account(row, "") for row in _UNREGISTERED]
    office = "CCAPI, Panama City, Panama"
    accounts += [_account((number, office, code, "0.00"), "") for code, number in REGISTRATION_ACCOUNTS.items()]
    bank = Bank(accounts, _WORTH_IN_DOLLARS, _FIRST_ID)
    _remember(bank, now_ms)
    return bank


def _account(row: tuple[str, str, str, str], key: str) -> Account:
    number, name, currency, balance = row
    return Account(number, name, currency, Decimal(balance), key=key)


def _remember(bank: Bank, now_ms: int) -> None:
    """Lay down the history; the balances above already contain it."""
    today = now_ms - now_ms % _DAY_MS
    for days, minute, source, target, left, arrived, narrative in _HISTORY:
        currencies = (bank.accounts[source].currency, bank.accounts[target].currency)
        at_ms = today - days * _DAY_MS + minute * _MINUTE_MS
        sums = (Decimal(left), Decimal(arrived))
        bank.movements.append(
            Movement(bank.next_id, Kind.HISTORY, at_ms, source, target, *currencies, *sums, narrative)
        )
        bank.next_id += 1
