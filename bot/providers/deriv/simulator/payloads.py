"""The bodies of replies, field by field as the receive side of the schemas has them.

A body is the reply without its envelope. A stream's id appears twice where the service shows it twice: inside the
payload and as `subscription.id`.
"""

from decimal import Decimal
from typing import Any

from bot.providers.deriv.simulator import contracts, limits
from bot.providers.deriv.simulator.connection import Grant
from bot.providers.deriv.simulator.prices import SYMBOLS, Symbol
from bot.providers.deriv.simulator.world import CURRENCIES, Account, Contract, Movement, World

_LANGUAGES = ["EN", "ID", "RU", "ES", "FR", "IT", "PT", "PL", "DE", "ZH_CN", "ZH_TW", "VI", "TH"]
_STATUS_NOTES = {"down": "The site is down for maintenance.", "updating": "The site is being updated."}
_LOCAL_CURRENCIES = {"id": "IDR", "br": "BRL"}

Payload = dict[str, Any]


def _streamed(body: Payload, stream_id: str | None) -> Payload:
    return body if stream_id is None else {**body, "subscription": {"id": stream_id}}


def authorize(world: World, account: Account, grant: Grant) -> Payload:
    """Who the connection is now."""
    user = world.state.users[account.user_id]
    local = _LOCAL_CURRENCIES[user.country]
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
            "upgradeable_landing_companies": [],
            "user_id": user.user_id,
        }
    }


def _listed(account: Account) -> Payload:
    return {
        "account_category": "trading",
        "account_type": "binary",
        "broker": account.broker,
        "created_at": account.created_at,
        "currency": account.currency,
        "currency_type": CURRENCIES[account.currency].kind,
        "is_disabled": 0,
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
            "status": 1,
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
    if described:
        row["longcode"] = contract.longcode if contract else movement.remark
        row["shortcode"] = contract.shortcode if contract else None
    return row


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
            "barrier": contracts.BARRIER,
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
    middle = world.quote(symbol, second)
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
        second = symbol.awake(now)
        row |= {
            "delay_amount": 0,
            "intraday_interval_minutes": 1,
            "quoted_currency_symbol": symbol.quoted_in,
            "spot": world.quote(symbol),
            "spot_age": str(now - second),
            "spot_time": str(second),
        }
    return row


def website_status(world: World, stream_id: str | None = None) -> Payload:
    """Health, limits, currencies, languages."""
    state = world.state.site_status
    inner: Payload = {
        "api_call_limits": limits.published(),
        "broker_codes": ["CR", "VRTC"],
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
    least = Decimal(1).scaleb(-currency.digits) * 100
    return {
        "fractional_digits": currency.digits,
        "is_deposit_suspended": 0,
        "is_suspended": 0,
        "is_withdrawal_suspended": 0,
        "name": currency.name,
        "stake_default": currency.stake_default,
        "transfer_between_accounts": {
            "fees": {other: 2 for other in CURRENCIES if CURRENCIES[other].kind != currency.kind},
            "limits": {"min": least},
        },
        "type": currency.kind,
    }
