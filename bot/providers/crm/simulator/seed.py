"""The tenant a newcomer meets: eight clients, their wallets, three trading servers and a dozen accounts with a history.

Names come in several scripts; one carries markup, one a bidi control, one client's id is all digits, and one login
exists on two servers. Everything follows from the seed and the hour in which the world is made.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from bot.clock import Clock
from bot.providers.crm.simulator.books import Books
from bot.providers.crm.simulator.furniture import furnish
from bot.providers.crm.simulator.notation import ZERO, Place
from bot.providers.crm.simulator.people import Client, Staff
from bot.providers.crm.simulator.settings import Settings
from bot.providers.crm.simulator.standing import BUY, BUY_LIMIT, CENT, SELL, result
from bot.providers.crm.simulator.world import Account, Server, Symbol, Tenant, Trade, World

HOSTILE_NAME = '</b><a href="tg://user?id=1">x</a>'
BIDI_NAME = "Nora \u202eRETROPER\u202c Lind"

_CLIENTS = (
    # name, country code, language, wallets
    ("Harbour IB Partners", "44", "en-us", {"USD": "18250.00", "EUR": "4100.50"}),
    ("陈志明", "65", "zh-cn", {"USD": "12400.25", "CNY": "86000.00", "USDT": "1500"}),
    ("Анна Кузнецова", "371", "en-us", {"EUR": "7320.80", "USD": "950.00"}),
    ("محمد الأحمد", "971", "en-us", {"USD": "22080.00", "USDT": "4000.5"}),
    ("Lucía Fernández", "34", "es", {"EUR": "3115.40", "USD": "640.75"}),
    (HOSTILE_NAME, "1", "en-us", {"USD": "5000.00", "EUR": "125.00"}),
    (BIDI_NAME, "46", "en-us", {"USD": "2750.60", "EUR": "880.00"}),
    ("สมชาย ใจดี", "66", "th", {"USD": "310.00", "USDT": "42.75"}),
)
_DIGITS_ONLY_ID = "77889900"
_SERVERS = (
    ("mt4", "MT4 Live", ["real-USD", "real-EUR"]),
    ("mt4", "MT4 Live 2", ["pro-USD"]),
    ("mt5", "MT5 Live", ["live\\USD", "live\\EUR"]),
)
_ACCOUNTS = (
    # client, server, login, group, currency, leverage, first deposit, credit
    (1, 0, 60132, "real-USD", "USD", 100, 25000, 0),
    (1, 1, 60132, "pro-USD", "USD", 200, 40000, 0),
    (1, 2, 500123, "live\\USD", "USD", 100, 15000, 500),
    (2, 0, 60140, "real-EUR", "EUR", 50, 12000, 0),
    (2, 2, 500131, "live\\EUR", "EUR", 100, 9000, 0),
    (3, 0, 60151, "real-USD", "USD", 200, 60000, 0),
    (3, 1, 71002, "pro-USD", "USD", 100, 35000, 1000),
    (4, 2, 500148, "live\\EUR", "EUR", 30, 8000, 0),
    (5, 0, 60163, "real-USD", "USD", 100, 10000, 0),
    (6, 0, 60170, "real-USD", "USD", 100, 14000, 0),
    (6, 2, 500155, "live\\USD", "USD", 50, 11000, 0),
    (0, 1, 71010, "pro-USD", "USD", 100, 20000, 0),
)
_SYMBOLS = {
    "EURUSD": Symbol(Decimal(100_000), "USD", Decimal("1.08420"), 5),
    "GBPUSD": Symbol(Decimal(100_000), "USD", Decimal("1.26310"), 5),
    "USDJPY": Symbol(Decimal(100_000), "JPY", Decimal("153.940"), 3),
    "XAUUSD": Symbol(Decimal(100), "USD", Decimal("2648.30"), 2),
    "US500": Symbol(Decimal(10), "USD", Decimal("5921.4"), 1),
}
_USD_RATES = {"USD": "1", "EUR": "1.0842", "CNY": "0.1408", "USDT": "1", "JPY": "0.006496"}


def demo_world(seed: int, clock: Clock) -> World:
    """A world as it stands now; nothing in it counts as carried out by the simulator."""
    dice = random.Random(seed)  # a believable past, not a secret
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    world = World(seed=seed, settings=Settings(api_keys=[]))
    world.settings.api_keys.append("crm-demo-" + world.new_id("key") + world.new_id("key"))
    world.symbols = {
        name: Symbol(item.contract, item.quote, item.price, item.digits) for name, item in _SYMBOLS.items()
    }
    world.usd_rates = {currency: Decimal(rate) for currency, rate in _USD_RATES.items()}
    world.groups = {
        "grp00001": {"en-us": "Retail", "zh-cn": "零售"},
        "grp00002": {"en-us": "Partners", "zh-cn": "合作伙伴"},
    }
    books = Books(Tenant(world, clock))
    _people(world, books, dice, now)
    for platform, name, groups in _SERVERS:
        server_id = world.new_id("connection")
        world.servers[server_id] = Server(server_id, platform, name, groups)
    for row in _ACCOUNTS:
        _account(world, books, dice, now, _AccountRow(*row))
    furnish(world, now, lambda row: _account(world, books, random.Random(seed + 1), now, _AccountRow(*row)))
    return world


def _people(world: World, books: Books, dice: random.Random, now: datetime) -> None:
    for name in ("Desk A", "Desk B"):
        staff_id = world.new_id("staff")
        world.staff[staff_id] = Staff(staff_id, name, f"{name.lower().replace(' ', '.')}@example.test")
    staff = list(world.staff)
    for number, (name, country_code, language, wallets) in enumerate(_CLIENTS):
        client_id = _DIGITS_ONLY_ID if number == 4 else world.new_id("client")
        joined = now - timedelta(days=dice.randint(120, 700), hours=dice.randint(0, 23))
        world.clients[client_id] = Client(
            id=client_id,
            name=name,
            email=f"user{number}@example.test",
            country_code=country_code,
            phone=f"8000{number:04}",
            type="trader" if number else "ib",
            group_id="grp00001" if number else "grp00002",
            suspended=number == len(_CLIENTS) - 1,
            kyc_status="pending" if number == 6 else "verified",
            kyc_processing=number == 6,
            language=language,
            referral_code=f"R{number:04}",
            referrer_id=next(iter(world.clients)) if number in (1, 3, 5) else "",
            owner_id=staff[number % 2],
            participant_ids=[staff[1]] if number == 1 else [],
            created_at=joined,
            updated_at=now - timedelta(days=dice.randint(1, 60)),
        )
        for currency, balance in wallets.items():
            at = now - timedelta(days=dice.randint(20, 80))
            books.book(Place(client_id, currency), Decimal(balance), "Wallet deposit", method="Card", at=at)


@dataclass(frozen=True, slots=True)
class _AccountRow:
    client: int
    server: int
    login: int
    group: str
    currency: str
    leverage: int
    first_deposit: int
    credit: int


def _account(world: World, books: Books, dice: random.Random, now: datetime, row: _AccountRow) -> None:
    server = list(world.servers.values())[row.server]
    account = Account(
        connection_id=server.id,
        platform=server.platform,
        login=row.login,
        user_id=list(world.clients)[row.client],
        group=row.group,
        currency=row.currency,
        leverage=row.leverage,
        credit=Decimal(row.credit),
        created_at=now - timedelta(days=85, hours=dice.randint(0, 40)),
    )
    world.accounts.append(account)
    place = Place(account.user_id, account.currency, account.platform, account.connection_id, account.login)
    books.book(place, Decimal(row.first_deposit), "Initial deposit", method="Bank wire", at=account.created_at)
    for _ in range(dice.randint(5, 10)):
        _trade(world, dice, now, account, row.first_deposit, closed=True)
    for _ in range(dice.randint(1, 3)):
        _trade(world, dice, now, account, row.first_deposit, closed=False)
    if row.login == 60151:
        _waiting_order(world, now, account)


def _trade(world: World, dice: random.Random, now: datetime, account: Account, deposit: int, *, closed: bool) -> None:
    """One trade of between half and three times the first deposit, at most 1.8 percent of a move away from now."""
    name = dice.choice(list(world.symbols))
    symbol = world.symbols[name]
    lot_value = symbol.contract * symbol.price * world.usd_rates[symbol.quote]
    volume = max(CENT, (deposit * Decimal(dice.randint(50, 300)) / 100 / lot_value).quantize(CENT, ROUND_HALF_EVEN))
    opened = _weekday(now - timedelta(days=dice.randint(6, 80) if closed else dice.randint(1, 20)), dice, -1)
    trade = Trade(
        connection_id=account.connection_id,
        login=account.login,
        order_id=world.new_order_id(),
        cmd=dice.choice((BUY, SELL)),
        symbol=name,
        volume=volume,
        open_price=_near(dice, symbol.price, symbol.digits, 120),
        open_time=opened,
        commission=-(volume * Decimal("3.5")).quantize(CENT, ROUND_HALF_EVEN),
    )
    nights = dice.randint(0, 2) if closed else (now - opened).days
    trade.swaps = -(volume * nights * Decimal("1.2")).quantize(CENT, ROUND_HALF_EVEN) or ZERO
    if closed:
        trade.close_time = min(_weekday(opened + timedelta(days=nights), dice, 1), now)
        trade.close_time = max(trade.close_time, opened + timedelta(minutes=7))
        trade.close_price = _near(dice, trade.open_price, symbol.digits, 60)
        trade.profit = result(world, account, trade, trade.close_price)
    world.trades.append(trade)


def _waiting_order(world: World, now: datetime, account: Account) -> None:
    world.trades.append(
        Trade(
            connection_id=account.connection_id,
            login=account.login,
            order_id=world.new_order_id(),
            cmd=BUY_LIMIT,
            symbol="XAUUSD",
            volume=Decimal("0.50"),
            open_price=Decimal("2590.00"),
            open_time=now - timedelta(days=2),
            stop_loss=Decimal("2570.00"),
            take_profit=Decimal("2680.00"),
            comment="breakout",
        )
    )


def _near(dice: random.Random, price: Decimal, digits: int, basis_points: int) -> Decimal:
    moved = price * (1 + Decimal(dice.randint(-basis_points, basis_points)) / 10_000)
    return moved.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)


def _weekday(day: datetime, dice: random.Random, step: int) -> datetime:
    """A moment in trading hours on that day, or on the next working day in the direction of `step`."""
    while day.weekday() >= 5:
        day += timedelta(days=step)
    return day.replace(hour=dice.randint(7, 19), minute=dice.randint(0, 59), second=dice.randint(0, 59))
