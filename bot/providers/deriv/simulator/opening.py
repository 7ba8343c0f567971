"""The desk as newcomers find it: one client with a dollar, a bitcoin and a demo account, and the people around it.

The desk's dollar account is an approved payment agent. Whom it may pay: CR900010; whom it may not: CR900011 (disabled),
CR900012 (cashier locked), CR900777 (another currency). Agents it may withdraw to: CR900073 and CR900074 in dollars,
CR900076 in bitcoin, all in Indonesia; CR900075 is one in Nigeria.

The history is booked with the world's own verbs at past moments, so that balances, statement and portfolio agree from
the first second. Tokens and the app's number are drawn from the seed.
"""

from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256

from bot.providers.deriv.simulator import contracts
from bot.providers.deriv.simulator.contracts import Terms
from bot.providers.deriv.simulator.state import CURRENCIES, Account, Agent, Token, User
from bot.providers.deriv.simulator.symbols import SYMBOLS
from bot.providers.deriv.simulator.world import SETTLEMENT_SECONDS, PastClock, World

TEST_APP = 1089
"""The vendor's documented number for trying things out; known beside the client's own app."""

ALL_SCOPES = ("read", "trade", "trading_information", "payments", "admin")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_HOUR, _DAY = 3600, 86400


@dataclass(frozen=True, slots=True)
class Purchase:
    """A contract bought `ago` seconds before the start, to expire `span` seconds after that."""

    ago: int
    loginid: str
    contract_type: str
    symbol: str
    stake: str
    span: int


_DEPOSITS = (
    (40 * _DAY, "CR900001", "12500.00", "Bank wire"),
    (39 * _DAY, "CR900002", "0.18500000", "Crypto cashier"),
    (40 * _DAY, "VRTC900001", "10000.00", "Virtual money credit to account"),
    (40 * _DAY, "CR900777", "310.00", "Bank wire"),
    (12 * _DAY, "CR900001", "4200.50", "Bank wire"),
)

_PURCHASES = (
    Purchase(11 * _DAY, "CR900001", "CALL", "R_50", "150.00", _DAY),
    Purchase(6 * _DAY, "CR900001", "PUT", "R_10", "80.00", 2 * _DAY),
    Purchase(5 * _DAY, "VRTC900001", "CALL", "R_100", "25.00", _HOUR),
    Purchase(9 * _HOUR, "CR900001", "CALL", "R_100", "250.00", 5 * _DAY),
    Purchase(7 * _HOUR, "CR900001", "PUT", "R_50", "120.00", 3 * _DAY),
    Purchase(5 * _HOUR, "CR900002", "CALL", "cryBTCUSD", "0.00200000", 14 * _DAY),
    Purchase(2 * _HOUR, "VRTC900001", "PUT", "1HZ100V", "40.00", 7 * _DAY),
)


def furnish(world: World) -> None:
    """Fill an empty world; its clock stays as it is."""
    clock, start = world.clock, world.now()
    past = PastClock(clock.now())
    world.clock = past
    try:
        _people(world, start - 400 * _DAY)
        _history(world, past, start)
    finally:
        world.clock = clock
    for movement in world.state.movements:
        movement.opening = True
    world.fresh.clear()


def app_number(seed: int) -> int:
    """The client's own app."""
    return 20000 + int.from_bytes(_drawn(seed, "app")[:4]) % 60000


def token_text(seed: int, purpose: str) -> str:
    """Fifteen letters and digits, as API tokens have; OAuth session tokens are longer and begin with `a1-`."""
    drawn = "".join(_LETTERS[byte % len(_LETTERS)] for byte in _drawn(seed, purpose))
    return f"a1-{drawn[:29]}" if purpose.startswith("oauth") else drawn[:15]


def _drawn(seed: int, purpose: str) -> bytes:
    return sha256(f"deriv/{seed}/{purpose}".encode()).digest()


def _people(world: World, since: int) -> None:
    state = world.state
    state.users[5551234] = User(5551234, "treasury@meridian-desk.example", "Ms Rina Hartono", "id", "EN")
    state.users[5559876] = User(5559876, "someone.else@example.org", "Mr Tomás Duarte", "br", "PT")
    for loginid, user_id, currency in (
        ("CR900001", 5551234, "USD"),
        ("CR900002", 5551234, "BTC"),
        ("CR900777", 5559876, "EUR"),
    ):
        state.accounts[loginid] = Account(loginid, user_id, currency, False, "svg", "Deriv (SVG) LLC", since)
    _neighbours(world, since)
    state.accounts["VRTC900001"] = Account("VRTC900001", 5551234, "USD", True, "virtual", "Deriv Limited", since - 120)
    _tokens(world)


def _neighbours(world: World, since: int) -> None:
    """Those the desk pays, those it pays out through, and its own standing as an agent."""
    state = world.state
    state.users[5551234].profile = {
        "address_city": "Bandung",
        "address_line_1": "Jalan Contoh 1",
        "address_state": "JB",
        "citizen": "id",
        "date_of_birth": "1984-02-29",
        "first_name": "Rina",
        "last_name": "Hartono",
        "phone": "81234567",
        "salutation": "Ms",
    }
    for number, (loginid, name, currency, country) in enumerate(
        (
            ("CR900010", "Mr Budi Santoso", "USD", "id"),
            ("CR900011", "Ms Dewi Lestari", "USD", "id"),
            ("CR900012", "Mr Adi Nugroho", "USD", "id"),
            ("CR900073", "Mr Wayan Putra", "USD", "id"),
            ("CR900074", "Ms Siti Rahma", "USD", "id"),
            ("CR900075", "Mr Chidi Okafor", "USD", "ng"),
            ("CR900076", "Ms Maya Sari", "BTC", "id"),
        )
    ):
        user_id = 5552001 + number
        state.users[user_id] = User(user_id, f"{loginid.lower()}@example.org", name, country, "EN")
        state.accounts[loginid] = Account(loginid, user_id, currency, False, "svg", "Deriv (SVG) LLC", since)
    state.accounts["CR900011"].disabled = True
    state.accounts["CR900012"].cashier_locked = True
    state.agents = {
        "CR900073": _agent("Agent One", "USD", "id", "10", "2000", "1"),
        "CR900074": _agent("Agent Two", "USD", "id", "5", "10000", "0.5"),
        "CR900075": _agent("Lagos Exchange", "USD", "ng", "10", "2000", "2"),
        "CR900076": _agent("Coin Agent", "BTC", "id", "0.0005", "0.05", "0"),
        "CR900001": _agent("Meridian Desk", "USD", "id", "1", "10000", "0"),
    }


def _agent(name: str, currency: str, country: str, least: str, most: str, percent: str) -> Agent:
    slug = name.lower().replace(" ", "-")
    return Agent(
        name,
        country,
        currency,
        f"{slug}@example.org",
        "+62811000111",
        f"https://{slug}.example.org/",
        "Local bank transfer",
        ["Bank transfer", "Visa"],
        withdrawal_percent=Decimal(percent),
        least=Decimal(least),
        most=Decimal(most),
    )


def _tokens(world: World) -> None:
    state, seed = world.state, world.seed
    state.apps = [app_number(seed), TEST_APP]
    for purpose, loginid, scopes in (
        ("full", "CR900001", ALL_SCOPES),
        ("read", "CR900001", ("read",)),
        ("bitcoin", "CR900002", ALL_SCOPES),
        ("demo", "VRTC900001", ALL_SCOPES),
        ("payments only", "CR900001", ("payments",)),
        ("stranger", "CR900777", ALL_SCOPES),
        ("payee", "CR900010", ALL_SCOPES),
        ("agent", "CR900073", ALL_SCOPES),
    ):
        state.tokens[token_text(seed, purpose)] = Token(loginid, list(scopes), display_name=f"{purpose} of the desk")
    state.tokens[token_text(seed, "oauth")] = Token("CR900001", list(ALL_SCOPES), oauth=True, app_id=app_number(seed))


def _history(world: World, past: PastClock, start: int) -> None:
    """Deposits and purchases in the order of their days; what expired meanwhile was settled in its time."""
    steps: list[tuple[int, tuple[int, str, str, str] | Purchase]] = [(step[0], step) for step in _DEPOSITS]
    steps += [(purchase.ago, purchase) for purchase in _PURCHASES]
    for ago, step in sorted(steps, key=lambda item: -item[0]):
        _settle_until(world, past, start - ago)
        past.put(start - ago)
        if isinstance(step, Purchase):
            _purchase(world, step, start - ago)
        else:
            world.deposit(world.state.accounts[step[1]], Decimal(step[2]), step[3])
    _settle_until(world, past, start)


def _settle_until(world: World, past: PastClock, moment: int) -> None:
    for contract in sorted(world.open_contracts(), key=lambda open_one: open_one.expiry):
        if contract.expiry + SETTLEMENT_SECONDS <= moment:
            past.put(contract.expiry + SETTLEMENT_SECONDS)
            world.settle()


def _purchase(world: World, purchase: Purchase, moment: int) -> None:
    account = world.state.accounts[purchase.loginid]
    stake = Decimal(purchase.stake)
    digits = CURRENCIES[account.currency].digits
    terms = Terms(
        purchase.contract_type,
        SYMBOLS[purchase.symbol],
        stake,
        contracts.payout_for(stake, digits),
        moment,
        moment + purchase.span,
    )
    world.buy(account, terms, TEST_APP)
