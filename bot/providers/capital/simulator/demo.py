"""The opening state: who banks here, with what, and at which prices. All of it is invented."""

from datetime import datetime, timedelta
from decimal import Decimal

from bot.clock import to_millis
from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.state import (
    Account,
    Activity,
    Bracket,
    Confirmation,
    Direction,
    Filed,
    Leverage,
    Position,
    Quote,
    State,
    Transaction,
    User,
    Watchlist,
)
from bot.providers.capital.simulator.tape import Origin

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
PLATINUM  1548.60   1550.10   1541.20   1556.80   1537.40
PALLADIUM 1402.50   1405.00   1411.30   1418.60   1396.10
COPPER    4.9862    4.9892    4.9710    5.0024    4.9655
NATURALGAS 4.386    4.391     4.352     4.420     4.338
OIL_BRENT 62.81     62.84     63.45     63.70     62.57
COCOA     5120.5    5126.5    5098.0    5170.0    5060.5
US30      47210.0   47213.0   47102.0   47330.0   47050.0
UK100     9688.0    9689.5    9671.0    9702.5    9655.5
FR40      8102.5    8104.0    8090.0    8121.0    8078.5
EU50      5641.0    5642.5    5630.5    5655.0    5622.0
RTY       2462.0    2463.0    2455.5    2470.0    2448.0
EURGBP    0.88245   0.88254   0.88160   0.88320   0.88102
ETHUSD    3012.40   3014.20   3065.10   3090.00   2988.30
SOLUSD    138.420   138.520   141.050   142.600   136.900
XRPUSD    2.18420   2.18640   2.21050   2.24000   2.16030
LTCUSD    92.40     92.62     93.85     94.70     91.55
DOGEUSD   0.15240   0.15262   0.15510   0.15690   0.15080
ADAUSD    0.46130   0.46190   0.47020   0.47600   0.45520
MSFT      478.20    478.45    476.10    480.90    474.30
AMZN      221.10    221.25    219.80    222.60    218.90
GOOGL     289.60    289.80    287.20    291.10    286.40
META      594.30    594.80    590.70    598.20    588.10
NVDA      182.40    182.52    180.10    184.00    179.30
TSLA      402.60    402.90    408.20    411.50    399.80
NFLX      1102.00   1103.20   1095.40   1110.60   1090.10
AMD       214.80    215.00    217.60    219.40    213.20
INTC      36.42     36.46     36.10     36.90     35.95
JPM       301.50    301.75    299.90    303.10    298.80
DIS       104.60    104.72    104.10    105.30    103.80
KO        71.62     71.68     71.40     71.90     71.25
PEP       145.90    146.05    145.20    146.70    144.80
SAP       208.30    208.55    207.10    209.60    206.40
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

_BOOKED = """
USD DEPOSIT Deposit                48000.00 30 10:02 -
EUR DEPOSIT Deposit                12480.55 30 10:04 -
USD TRADE   Trade_closed             310.40 12 15:41 GOLD
USD TRADE   Trade_closed             -37.20  8 09:58 SILVER
USD SWAP    Overnight_funding        -23.20  5 22:00 EURUSD
"""
"""account, type, note, amount, days ago, time of day, epic; together the accounts' cash."""


def opening(seed: int, now: datetime) -> State:
    """The broker's memory on its first day."""
    quotes = dict(_quote(line, now) for line in _PRICES.strip().splitlines())
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
        quotes=quotes,
        origins={epic: Origin(to_millis(now), quote.bid, quote.offer - quote.bid) for epic, quote in quotes.items()},
        watchlists={
            "501": Watchlist("501", IDENTIFIER, "Popular", ["GOLD", "US100", "EURUSD", "BTCUSD"], False, True),
            "502": Watchlist("502", IDENTIFIER, "Metals", ["GOLD", "SILVER"]),
        },
    )
    for line in _POSITIONS.strip().splitlines():
        _hold(state, line, now)
    for number, line in enumerate(_BOOKED.strip().splitlines(), 55_500_001):
        state.transactions.append(_transaction(number, line, now))
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
    state.activities.append(
        Activity(
            day,
            account.id,
            epic,
            deal_id,
            "USER",
            "POSITION",
            "ACCEPTED",
            position.reference,
            position.size,
            position.direction,
            position.level,
            order_id=order_id,
        )
    )


def _transaction(number: int, line: str, now: datetime) -> Transaction:
    currency, kind, note, amount, days, time, epic = line.split()
    account = USD_ACCOUNT if currency == "USD" else EUR_ACCOUNT
    hour, minute = map(int, time.split(":"))
    at = (now - timedelta(days=int(days))).replace(hour=hour, minute=minute, second=3, microsecond=214000)
    told = None if epic == "-" else epic
    return Transaction(at, account, kind, note.replace("_", " "), number, Decimal(amount), currency, told)


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
