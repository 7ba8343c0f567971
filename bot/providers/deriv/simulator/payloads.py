"""The bodies of replies, field by field as the receive side of the schemas has them.

A body is the reply without its envelope. A stream's id appears twice where the service shows it twice: inside the
payload and as `subscription.id`.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bot.providers.deriv.simulator import contracts, limits, tariff
from bot.providers.deriv.simulator.connection import Grant
from bot.providers.deriv.simulator.geography import COMPANIES, COUNTRIES, Country
from bot.providers.deriv.simulator.prices import Candle, Feed, Symbol
from bot.providers.deriv.simulator.state import CURRENCIES, Account, Agent, App, Contract, Movement, Token
from bot.providers.deriv.simulator.symbols import SYMBOLS
from bot.providers.deriv.simulator.world import World

_LANGUAGES = ["EN", "ID", "RU", "ES", "FR", "IT", "PT", "PL", "DE", "ZH_CN", "ZH_TW", "VI", "TH"]
_STATUS_NOTES = {"down": "The site is down for maintenance.", "updating": "The site is being updated."}

Payload = dict[str, Any]


def _streamed(body: Payload, stream_id: str | None) -> Payload:
    return body if stream_id is None else {**body, "subscription": {"id": stream_id}}


def authorize(world: World, account: Account, grant: Grant) -> Payload:
    """Who the connection is now."""
    user = world.state.users[account.user_id]
    local = COUNTRIES[user.country].local_currency
    return {
        "authorize": {
            "account_list": [_listed(each) for each in world.accounts_of(user.user_id)],
            "balance": account.balance,
            "country": user.country,
            "currency": account.currency,
            "email": user.email,
            "fullname": "" if account.is_virtual else user.full_name,
            "is_virtual": int(account.is_virtual),
            "landing_company_fullname": account.company_name,
            "landing_company_name": account.company,
            "linked_to": [],
            "local_currencies": {local: {"fractional_digits": 2}},
            "loginid": account.loginid,
            "preferred_language": user.language,
            "scopes": list(grant.scopes),
            "upgradeable_landing_companies": _upgrades(world, account),
            "user_id": user.user_id,
        }
    }


def _upgrades(world: World, account: Account) -> list[str]:
    """The entity of the residence, as long as the person has no account there."""
    company = COUNTRIES[world.state.users[account.user_id].country].company
    held = {each.company for each in world.accounts_of(account.user_id)}
    return [company] if company and company not in held else []


def _listed(account: Account) -> Payload:
    return {
        "account_category": "trading",
        "account_type": "binary",
        "broker": account.broker,
        "created_at": account.created_at,
        "currency": account.currency,
        "currency_type": CURRENCIES[account.currency].kind,
        "is_disabled": int(account.disabled),
        "is_virtual": int(account.is_virtual),
        "landing_company_name": account.company,
        "linked_to": [],
        "loginid": account.loginid,
    }


def balance(account: Account, amount: Decimal, stream_id: str | None = None) -> Payload:
    """One account's balance."""
    inner: Payload = {"balance": amount, "currency": account.currency, "loginid": account.loginid}
    if stream_id is not None:
        inner["id"] = stream_id
    return _streamed({"balance": inner}, stream_id)


def all_balances(world: World, current: Account, stream_id: str | None = None) -> Payload:
    """All accounts of one client, real and demo summed apart, in the current account's currency or else in dollars."""
    currency = current.currency if CURRENCIES[current.currency].kind == "fiat" else "USD"
    body = balance(current, current.balance, stream_id)
    sums = {False: Decimal(0), True: Decimal(0)}
    body["balance"]["accounts"] = {}
    for account in world.accounts_of(current.user_id):
        converted = world.convert(account.balance, account.currency, currency)
        sums[account.is_virtual] += converted
        body["balance"]["accounts"][account.loginid] = {
            "balance": account.balance,
            "converted_amount": converted,
            "currency": account.currency,
            "demo_account": int(account.is_virtual),
            "status": int(not account.disabled),
            "type": "deriv",
        }
    amounts = {"deriv": sums[False], "deriv_demo": sums[True], "mt5": Decimal(0), "mt5_demo": Decimal(0)}
    body["balance"]["total"] = {name: {"amount": each, "currency": currency} for name, each in amounts.items()}
    return body


def position(contract: Contract) -> Payload:
    """One row of the portfolio."""
    return {
        "app_id": contract.app_id,
        "buy_price": contract.buy_price,
        "contract_id": contract.contract_id,
        "contract_type": contract.contract_type,
        "currency": contract.currency,
        "date_start": contract.start,
        "expiry_time": contract.expiry,
        "longcode": contract.longcode,
        "payout": contract.payout,
        "purchase_time": contract.start,
        "shortcode": contract.shortcode,
        "symbol": contract.symbol,
        "transaction_id": contract.transaction_id,
    }


def statement_row(world: World, movement: Movement, *, described: bool) -> Payload:
    """One row of the statement; texts only when described."""
    contract = world.state.contracts.get(movement.contract_id or 0)
    row: Payload = {
        "action_type": movement.action,
        "amount": movement.amount,
        "app_id": movement.app_id,
        "balance_after": movement.balance_after,
        "contract_id": movement.contract_id,
        "payout": contract.payout if contract else None,
        "reference_id": movement.reference_id,
        "transaction_id": movement.transaction_id,
        "transaction_time": movement.at,
    }
    if contract and movement.action == "sell":
        row["purchase_time"] = contract.start
    if movement.action == "transfer":
        row |= _ends(movement)
    if described:
        row["longcode"] = contract.longcode if contract else movement.remark
        row["shortcode"] = contract.shortcode if contract else None
    return row


def _ends(movement: Movement) -> Payload:
    """From where to where, and what it cost; the fee is in the giver's currency."""
    ends = (movement.other, movement.loginid) if movement.mirrors else (movement.loginid, movement.other)
    shown: Payload = {"from": {"loginid": ends[0]}, "to": {"loginid": ends[1]}}
    if movement.fee and not movement.mirrors:
        step = Decimal(1).scaleb(-CURRENCIES[movement.currency].digits)
        percent = (movement.fee / -movement.amount * 100).quantize(Decimal(1))
        shown["fees"] = {
            "amount": movement.fee,
            "currency": movement.currency,
            "minimum": step,
            "percentage": percent,
        }
    return shown


def transaction(world: World, movement: Movement, stream_id: str) -> Payload:
    """One movement on the transaction stream; payments have no contract fields."""
    inner: Payload = {
        "action": movement.action,
        "amount": movement.amount,
        "balance": movement.balance_after,
        "currency": movement.currency,
        "id": stream_id,
        "transaction_id": movement.transaction_id,
        "transaction_time": movement.at,
    }
    contract = world.state.contracts.get(movement.contract_id or 0)
    if contract is not None:
        inner |= {
            "barrier": contracts.AT_THE_MONEY if contract.barrier is None else contract.barrier,
            "contract_id": contract.contract_id,
            "date_expiry": contract.expiry,
            "display_name": SYMBOLS[contract.symbol].title,
            "longcode": contract.longcode,
            "symbol": contract.symbol,
        }
        if movement.action == "sell":
            inner["purchase_time"] = contract.start
    return _streamed({"transaction": inner}, stream_id)


def tick(world: World, symbol: Symbol, second: int, stream_id: str | None = None) -> Payload:
    """One price; bid and ask lie a pip to either side of it."""
    middle = world.feed(symbol).quote(second)
    inner: Payload = {
        "ask": middle + symbol.pip,
        "bid": max(middle - symbol.pip, symbol.pip),
        "epoch": second,
        "pip_size": symbol.digits,
        "quote": middle,
        "symbol": symbol.name,
    }
    if stream_id is not None:
        inner["id"] = stream_id
    return _streamed({"tick": inner}, stream_id)


def active_symbol(world: World, symbol: Symbol, order: int, *, full: bool) -> Payload:
    """One underlying of the catalogue."""
    now = world.now()
    row: Payload = {
        "allow_forward_starting": 0,
        "display_name": symbol.title,
        "display_order": order,
        "exchange_is_open": int(symbol.is_open(now)),
        "is_trading_suspended": 0,
        "market": symbol.market[0],
        "market_display_name": symbol.market[1],
        "pip": symbol.pip,
        "subgroup": symbol.subgroup[0],
        "subgroup_display_name": symbol.subgroup[1],
        "submarket": symbol.submarket[0],
        "submarket_display_name": symbol.submarket[1],
        "symbol": symbol.name,
        "symbol_type": symbol.kind,
    }
    if full:
        second = world.feed(symbol).latest(now)
        row |= {
            "delay_amount": 0,
            "intraday_interval_minutes": 1,
            "quoted_currency_symbol": symbol.quoted_in,
            "spot": world.quote(symbol),
            "spot_age": str(max(now - second, 0)),
            "spot_time": str(second),
        }
    return row


def website_status(world: World, stream_id: str | None = None) -> Payload:
    """Health, limits, currencies, languages."""
    state = world.state.site_status
    inner: Payload = {
        "api_call_limits": limits.published(),
        "broker_codes": ["CR", "MF", "VRTC"],
        "clients_country": "id",
        "currencies_config": {code: _currency(code) for code in CURRENCIES},
        "site_status": state,
        "supported_languages": _LANGUAGES,
        "terms_conditions_version": "Version 48 2019-05-10",
    }
    if state in _STATUS_NOTES:
        inner["message"] = _STATUS_NOTES[state]
    return _streamed({"website_status": inner}, stream_id)


def _currency(code: str) -> Payload:
    currency = CURRENCIES[code]
    least, most = tariff.transfer_bounds(code)
    return {
        "fractional_digits": currency.digits,
        "is_deposit_suspended": 0,
        "is_suspended": 0,
        "is_withdrawal_suspended": 0,
        "name": currency.name,
        "stake_default": currency.stake_default,
        "transfer_between_accounts": {
            "fees": tariff.fees(code),
            "limits": {"max": most, "min": least},
        },
        "type": currency.kind,
    }


def profit(contract: Contract, *, described: bool) -> Payload:
    """One row of the profit table."""
    seconds = contract.expiry - contract.start
    unit = "ticks" if contract.ticks else "days" if seconds >= 86400 else "minutes" if seconds >= 60 else "seconds"
    row: Payload = {
        "app_id": contract.app_id,
        "buy_price": contract.buy_price,
        "contract_id": contract.contract_id,
        "contract_type": contract.contract_type,
        "duration_type": unit,
        "payout": contract.payout,
        "purchase_time": contract.start,
        "sell_price": contract.sold_for,
        "sell_time": contract.sold_at,
        "transaction_id": contract.transaction_id,
        "underlying_symbol": contract.symbol,
    }
    if described:
        row |= {"longcode": contract.longcode, "shortcode": contract.shortcode}
    return row


def candle(candle: Candle) -> Payload:
    """One row of a history of candles."""
    return {
        "close": candle.close,
        "epoch": candle.opening,
        "high": candle.high,
        "low": candle.low,
        "open": candle.open,
    }


def ohlc(feed: Feed, second: int, width: int, stream_id: str) -> Payload:
    """The candle that runs at that second, as it stands; prices are texts here."""
    opening = second - second % width
    running = feed.candle(opening, second, width)
    if running is None:
        raise ValueError("no tick fell in this second")
    inner: Payload = {
        "close": f"{running.close:f}",
        "epoch": second,
        "granularity": width,
        "high": f"{running.high:f}",
        "id": stream_id,
        "low": f"{running.low:f}",
        "open": f"{running.open:f}",
        "open_time": opening,
        "pip_size": feed.symbol.digits,
        "symbol": feed.symbol.name,
    }
    return _streamed({"ohlc": inner}, stream_id)


def contracts_for(world: World, symbol: Symbol, currency: str) -> Payload:
    """What can be bought on one symbol, by type, barrier and kind of duration."""
    least, most = contracts.BOUNDS[currency]
    available = [
        {
            "barrier_category": category,
            "barriers": barriers,
            "contract_category": "callput" if kind in ("CALL", "PUT") else "callputequal",
            "contract_category_display": "Up/Down" if kind in ("CALL", "PUT") else "Rise/Fall Equal",
            "contract_display": "Higher" if direction > 0 else "Lower",
            "contract_type": kind,
            "default_stake": CURRENCIES[currency].stake_default,
            "exchange_name": "RANDOM" if symbol.market[0] == "synthetic_index" else symbol.market[0].upper(),
            "expiry_type": expiry,
            "market": symbol.market[0],
            "max_contract_duration": longest,
            "max_stake": most,
            "min_contract_duration": shortest,
            "min_stake": least,
            "sentiment": "up" if direction > 0 else "down",
            "start_type": "spot",
            "submarket": symbol.submarket[0],
            "underlying_symbol": symbol.name,
            **({"barrier": f"+{symbol.pip * 10:f}"} if barriers else {}),
        }
        for kind, (_, direction) in contracts.OFFERED.items()
        for category, barriers in (("euro_atm", 0), ("euro_non_atm", 1))
        for expiry, shortest, longest in (("tick", "1t", "10t"), ("intraday", "15s", "1d"), ("daily", "1d", "365d"))
    ]
    day = world.now() - world.now() % 86400
    return {
        "available": available,
        "close": day + 86399,
        "feed_license": "realtime",
        "hit_count": len(available),
        "open": day,
        "spot": world.quote(symbol),
    }


def proposal(world: World, proposal_id: str, terms: contracts.Terms, digits: int, *, streamed: bool) -> Payload:
    """A price and the id to buy it under."""
    feed = world.feed(terms.symbol)
    latest = feed.latest(world.now())
    body: Payload = {
        "proposal": {
            "ask_price": terms.ask,
            "date_expiry": terms.expiry,
            "date_start": terms.start,
            "display_value": f"{terms.ask:.{digits}f}",
            "id": proposal_id,
            "longcode": terms.longcode,
            "payout": terms.payout,
            "spot": feed.quote(latest),
            "spot_time": latest,
        }
    }
    return _streamed(body, proposal_id if streamed else None)


def bought(contract: Contract, movement: Movement) -> Payload:
    """What a purchase answers."""
    return {
        "balance_after": movement.balance_after,
        "buy_price": contract.buy_price,
        "contract_id": contract.contract_id,
        "longcode": contract.longcode,
        "payout": contract.payout,
        "purchase_time": movement.at,
        "shortcode": contract.shortcode,
        "start_time": contract.start,
        "transaction_id": movement.transaction_id,
    }


def no_contract(stream_id: str | None) -> Payload:
    """The answer of an account with nothing open."""
    return _streamed({"proposal_open_contract": {}}, stream_id)


def open_contract(world: World, contract: Contract, stream_id: str | None = None) -> Payload:
    """One contract's state: what it is worth now, or how it ended."""
    symbol, sold = SYMBOLS[contract.symbol], contract.sold_at is not None
    feed = world.feed(symbol)
    expired = contract.expiry <= world.now()
    at = min(feed.latest(world.now()), contract.exit_at or contract.sold_at or feed.latest(world.now()))
    spot = feed.quote(feed.last(at))
    bid = contract.sold_for if contract.sold_for is not None else world.bid(contract)
    profit_now = bid - contract.buy_price
    closing = contract.expiry - world.now() < contracts.NO_RESALE_SECONDS
    sellable = not sold and not closing and symbol.is_open(world.now())
    inner: Payload = {
        "account_id": int(contract.loginid.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
        "barrier": f"{contract.target:f}",
        "barrier_count": 1,
        "bid_price": bid,
        "buy_price": contract.buy_price,
        "contract_id": contract.contract_id,
        "contract_type": contract.contract_type,
        "currency": contract.currency,
        "current_spot": spot,
        "current_spot_display_value": f"{spot:f}",
        "current_spot_time": feed.last(at),
        "date_expiry": contract.expiry,
        "date_settlement": contract.expiry,
        "date_start": contract.start,
        "display_name": symbol.title,
        "entry_spot": contract.entry_spot,
        "entry_spot_display_value": f"{contract.entry_spot:f}",
        "entry_tick": contract.entry_spot,
        "entry_tick_display_value": f"{contract.entry_spot:f}",
        "entry_tick_time": contract.start,
        "expiry_time": contract.expiry,
        "is_expired": int(expired),
        "is_forward_starting": 0,
        "is_intraday": int(contract.expiry - contract.start <= 86400),
        "is_path_dependent": 0,
        "is_settleable": int(expired and not sold),
        "is_sold": int(sold),
        "is_valid_to_cancel": 0,
        "is_valid_to_sell": int(sellable),
        "longcode": contract.longcode,
        "payout": contract.payout,
        "profit": profit_now,
        "profit_percentage": (profit_now / contract.buy_price * 100).quantize(Decimal("0.01")),
        "purchase_time": contract.start,
        "shortcode": contract.shortcode,
        "status": contract.status,
        "transaction_ids": {"buy": contract.transaction_id},
        "underlying": contract.symbol,
    }
    if contract.ticks:
        inner["tick_count"] = contract.ticks
    if sold:
        inner["sell_price"], inner["sell_time"] = bid, contract.sold_at
        inner["sell_spot"], inner["sell_spot_time"] = spot, feed.last(at)
        inner["transaction_ids"]["sell"] = contract.sale_id
        if contract.exit_at is not None:
            inner["exit_tick"], inner["exit_tick_time"] = contract.exit_spot, contract.exit_at
            inner["exit_tick_display_value"] = f"{contract.exit_spot:f}"
    elif not sellable:
        inner["validation_error"] = "Resale of this contract is not offered."
        inner["validation_error_code"] = "General"
    if stream_id is not None:
        inner["id"] = stream_id
    return _streamed({"proposal_open_contract": inner}, stream_id)


def worth(body: Payload) -> tuple[object, ...]:
    """What has to change before a stream hears of a contract again."""
    inner = body["proposal_open_contract"]
    names = ("bid_price", "current_spot", "current_spot_time", "is_sold", "is_expired", "is_valid_to_sell")
    return tuple(inner[name] for name in names)


def agent(loginid: str, agent: Agent) -> Payload:
    """One row of the list of payment agents."""
    return {
        "currencies": agent.currency,
        "deposit_commission": f"{agent.deposit_percent:f}",
        "email": agent.email,
        "further_information": "Transfers within the hour",
        "max_withdrawal": None if agent.most is None else f"{agent.most:f}",
        "min_withdrawal": None if agent.least is None else f"{agent.least:f}",
        "name": agent.name,
        "paymentagent_loginid": loginid,
        "phone_numbers": [{"phone_number": agent.phone}],
        "summary": agent.summary,
        "supported_payment_methods": [{"payment_method": method} for method in agent.methods],
        "urls": [{"url": agent.url}],
        "withdrawal_commission": f"{agent.withdrawal_percent:f}",
    }


def agent_details(agent: Agent) -> Payload:
    """An agent's own profile."""
    return {
        "can_apply": 0,
        "code_of_conduct_approval": 1,
        "commission_deposit": agent.deposit_percent,
        "commission_withdrawal": agent.withdrawal_percent,
        "currency_code": agent.currency,
        "email": agent.email,
        "information": agent.summary,
        "newly_authorized": 0,
        "payment_agent_name": agent.name,
        "phone_numbers": [{"phone_number": agent.phone}],
        "status": "authorized",
        "supported_payment_methods": [{"payment_method": method} for method in agent.methods],
        "target_country": agent.country,
        "urls": [{"url": agent.url}],
        **({} if agent.least is None else {"min_withdrawal": agent.least}),
        **({} if agent.most is None else {"max_withdrawal": agent.most}),
    }


def transferable(account: Account) -> Payload:
    """One account among those money can go between; its balance is a text here."""
    return {
        "account_category": "trading",
        "account_type": "binary",
        "balance": f"{account.balance:f}",
        "currency": account.currency,
        "demo_account": int(account.is_virtual),
        "landing_company_short": account.company,
        "loginid": account.loginid,
        "transfers": "none" if account.is_virtual else "all",
    }


def settings(world: World, account: Account) -> Payload:
    """The profile; names, birth and address only of who has a real account."""
    user = world.state.users[account.user_id]
    country = COUNTRIES[user.country]
    shown: Payload = {
        "country": country.name,
        "country_code": user.country,
        "email": user.email,
        "email_consent": 0,
        "feature_flag": {"wallet": 0},
        "has_secret_answer": 0,
        "is_authenticated_payment_agent": int(account.loginid in world.state.agents),
        "preferred_language": user.language,
        "residence": country.name,
        "trading_hub": 0,
    }
    if account.is_virtual:
        return shown
    birth = user.profile.get("date_of_birth")
    return {
        **shown,
        **{name: value for name, value in user.profile.items() if name != "date_of_birth"},
        "allow_copiers": 0,
        "client_tnc_status": "Version 48 2019-05-10",
        "date_of_birth": None if birth is None else _midnight(birth),
        "immutable_fields": ["residence"],
        "non_pep_declaration": 1,
        "request_professional_status": 0,
    }


def _midnight(day: str) -> int:
    year, month, of_month = map(int, day.split("-"))
    return int(datetime(year, month, of_month, tzinfo=UTC).timestamp())


def account_limits(world: World, account: Account) -> Payload:
    """Limits of trading, and of withdrawal where there is any."""
    today = world.now() - world.now() % 86400
    made = sum(
        (movement.act, movement.loginid) == ("transfer_between_accounts", account.loginid)
        and not movement.mirrors
        and movement.at >= today
        for movement in world.state.movements
    )
    shown: Payload = {
        "account_balance": 300000,
        "daily_transfers": {
            "internal": {"allowed": tariff.TRANSFERS_A_DAY, "available": tariff.TRANSFERS_A_DAY - made}
        },
        "daily_turnover": 50000,
        "market_specific": {
            "synthetic_index": [
                {
                    "level": "market",
                    "name": "Synthetic Indices",
                    "payout_limit": 50000,
                    "profile_name": "low_risk",
                    "turnover_limit": 500000,
                }
            ]
        },
        "open_positions": 100,
        "payout": 50000,
        "payout_per_symbol_and_contract_type": 50000,
    }
    if account.is_virtual:
        return shown
    gone = -sum(
        (
            movement.amount
            for movement in world.state.movements
            if movement.loginid == account.loginid and movement.action == "withdrawal"
        ),
        Decimal(0),
    )
    most = world.convert(Decimal(10000), "USD", account.currency)
    return {
        **shown,
        "lifetime_limit": most,
        "num_of_days": 30,
        "num_of_days_limit": most,
        "remainder": max(most - gone, Decimal(0)),
        "withdrawal_for_x_days_monetary": gone,
        "withdrawal_since_inception_monetary": gone,
    }


def token_row(text: str, token: Token) -> Payload:
    """One row of the list of tokens."""
    used = "" if token.used_at is None else datetime.fromtimestamp(token.used_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return {
        "display_name": token.display_name,
        "last_used": used,
        "scopes": token.scopes,
        "token": text,
        "valid_for_ip": token.ip,
    }


def app(app: App) -> Payload:
    """A registered app."""
    return {
        "active": 1,
        "app_id": app.app_id,
        "app_markup_percentage": app.markup,
        "name": app.name,
        "scopes": app.scopes,
        **app.addresses,
    }


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
