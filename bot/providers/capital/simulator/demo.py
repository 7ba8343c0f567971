"""The opening state: who banks here, with what, and at which prices. All of it is invented."""

from datetime import datetime, timedelta
from decimal import Decimal

from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.state import (
    Account,
    Bracket,
    Confirmation,
    Direction,
    Filed,
    Leverage,
    Position,
    Quote,
    State,
    User,
)

API_KEY = "k7Qm2ZtX9pLw4RbC"
IDENTIFIER = "desk@harbourfield.example"
PASSWORD = "Lantern-Quay-58"  # invented, opens nothing but this simulator

FOREIGN_API_KEY = "live0nlyV3hT8sNd"
"""Known, but its owner has no account in this environment."""
FOREIGN_IDENTIFIER = "elsewhere@harbourfield.example"
FOREIGN_PASSWORD = "Other-Shore-11"  # as above

USD_ACCOUNT = "310441870023915201"
EUR_ACCOUNT = "310441870023915202"

_PRICES = """
GOLD      4112.30   4112.80   4088.60   4121.90   4079.40
SILVER    51.204    51.236    50.870    51.480    50.655
OIL_CRUDE 58.94     58.97     59.62     59.80     58.71
US100     24980.4   24982.2   24871.0   25033.6   24822.5
US500     6712.4    6713.0    6690.8    6721.9    6684.1
DE40      23844.5   23846.0   23790.2   23901.7   23761.3
EURUSD    1.15820   1.15826   1.15542   1.15907   1.15488
GBPUSD    1.31244   1.31252   1.31010   1.31390   1.30954
BTCUSD    91240.00  91290.00  92415.50  92880.00  90612.25
AAPL      268.40    268.52    266.95    269.30    266.10
"""
"""epic, bid, offer, the day's first bid, high, low."""

_POSITIONS = """
EURUSD    BUY  50000 1.15340  -       1.17500  9 05:12
BTCUSD    BUY  0.2   92610.00 -       -        6 21:40
US100     SELL 1.5   25120.5  25480.0 -        4 14:33
GOLD      BUY  5     4068.25  4010.00 4200.00  2 09:07
OIL_CRUDE SELL 200   59.41    -       -        1 16:20
"""
"""epic, direction, size, entry, stop, take-profit, days ago, time of day."""


def opening(seed: int, now: datetime) -> State:
    """The broker's memory on its first day."""
    state = State(
        seed=seed,
        next_deal=0xAA0000 + (seed % 0x1000) * 0x10,
        users={
            IDENTIFIER: User(IDENTIFIER, "40317765", PASSWORD, [USD_ACCOUNT, EUR_ACCOUNT]),
            FOREIGN_IDENTIFIER: User(FOREIGN_IDENTIFIER, "40317766", FOREIGN_PASSWORD),
        },
        api_keys={API_KEY: IDENTIFIER, FOREIGN_API_KEY: FOREIGN_IDENTIFIER},
        accounts={
            USD_ACCOUNT: Account(USD_ACCOUNT, "Trading USD", "USD", Decimal("48250.00"), True, _leverages()),
            EUR_ACCOUNT: Account(EUR_ACCOUNT, "Reserve EUR", "EUR", Decimal("12480.55"), False, _leverages()),
        },
        quotes=dict(_quote(line, now) for line in _PRICES.strip().splitlines()),
    )
    for line in _POSITIONS.strip().splitlines():
        _hold(state, line, now)
    return state


def _leverages() -> dict[str, Leverage]:
    return {
        "SHARES": Leverage(5, [1, 2, 3, 4, 5]),
        "CURRENCIES": Leverage(30, [1, 2, 3, 4, 5, 10, 20, 30]),
        "INDICES": Leverage(20, [1, 2, 3, 4, 5, 10, 20]),
        "CRYPTOCURRENCIES": Leverage(2, [1, 2]),
        "COMMODITIES": Leverage(10, [1, 2, 3, 4, 5, 10, 20]),
    }


def _quote(line: str, now: datetime) -> tuple[str, Quote]:
    epic, *prices = line.split()
    bid, offer, opened, high, low = map(Decimal, prices)
    return epic, Quote(bid, offer, opened, high, low, now)


def _hold(state: State, line: str, now: datetime) -> None:
    epic, direction, size, level, stop, profit, days, time = line.split()
    hour, minute = map(int, time.split(":"))
    day = (now - timedelta(days=int(days))).replace(hour=hour, minute=minute, second=11, microsecond=408000)
    order_id, deal_id = deal_ids(state, epic)
    bracket = Bracket(_price(stop), _price(profit))
    account = state.accounts[USD_ACCOUNT]
    leverage = account.leverages[INSTRUMENTS[epic].kind].current
    position = Position(
        deal_id, order_id, account.id, epic, Direction(direction), Decimal(size), Decimal(level), leverage, day, bracket
    )
    state.positions[deal_id] = position
    state.confirmations[position.reference] = Filed(_opened(position))


def _opened(position: Position) -> Confirmation:
    return Confirmation(
        at=position.created,
        reference=position.reference,
        deal_id=position.deal_id,
        epic=position.epic,
        direction=position.direction,
        size=position.size,
        accepted=True,
        status="OPEN",
        level=position.level,
        affected=[(position.deal_id, "OPENED")],
        bracket=position.bracket,
    )


def _price(text: str) -> Decimal | None:
    return None if text == "-" else Decimal(text)


def deal_ids(state: State, epic: str) -> tuple[str, str]:
    """A new order's id and the id of the position it may open, two further on as in the reference's samples."""
    first = state.next_deal
    state.next_deal += 4
    code = INSTRUMENTS[epic].code
    return f"{code}-0055-311e-0000-00008{first:07x}", f"{code}-0055-311e-0000-00008{first + 2:07x}"
