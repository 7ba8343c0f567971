"""What balances, statements, portfolios and the profit table answer, and their streams."""

from decimal import Decimal

from bot.providers.deriv.simulator import contracts
from bot.providers.deriv.simulator.payloads import Payload, streamed
from bot.providers.deriv.simulator.state import CURRENCIES, Account, Contract, Movement
from bot.providers.deriv.simulator.symbols import SYMBOLS
from bot.providers.deriv.simulator.world import World


def balance(account: Account, amount: Decimal, stream_id: str | None = None) -> Payload:
    """One account's balance."""
    inner: Payload = {"balance": amount, "currency": account.currency, "loginid": account.loginid}
    if stream_id is not None:
        inner["id"] = stream_id
    return streamed({"balance": inner}, stream_id)


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
    return streamed({"transaction": inner}, stream_id)


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
