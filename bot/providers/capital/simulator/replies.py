"""What the broker's memory looks like on the wire. Numbers are exact; an optional field without value is left out."""

from bot.providers.capital.simulator.listings import ACCOUNT_HOURS, Body, local, market
from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.state import (
    Account,
    Activity,
    Confirmation,
    Leverage,
    Position,
    Transaction,
    User,
    WorkingOrder,
)
from bot.providers.capital.simulator.world import World

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}


def balance(world: World, account: Account) -> Body:
    worth = world.worth(account)
    return {
        "balance": worth.balance,
        "deposit": worth.deposit,
        "profitLoss": worth.profit_loss,
        "available": worth.available,
    }


def login(world: World, user: User, active: Account) -> Body:
    return {
        "accountType": "CFD",
        "accountInfo": balance(world, active),
        "currencyIsoCode": active.currency,
        "currencySymbol": SYMBOLS[active.currency],
        "currentAccountId": active.id,
        "streamingHost": streaming(world),
        "accounts": [_account(world, world.state.accounts[one]) for one in user.account_ids],
        "clientId": user.client_id,
        "timezoneOffset": ACCOUNT_HOURS,
        **environment(world),
        "trailingStopsEnabled": True,
    }


def environment(world: World) -> Body:
    only = world.state.options.environments
    return {"hasActiveDemoAccounts": only != "live", "hasActiveLiveAccounts": only != "demo"}


def streaming(world: World) -> str:
    """Its own WebSocket origin, with the closing slash of the reference."""
    return f"{world.switches.origin_ws}/"


def _account(world: World, account: Account) -> Body:
    return {
        "accountId": account.id,
        "accountName": account.name,
        "preferred": account.preferred,
        "accountType": "CFD",
        "currency": account.currency,
        "symbol": SYMBOLS[account.currency],
        "balance": balance(world, account),
    }


def accounts(world: World, user: User) -> Body:
    rows = [_account(world, world.state.accounts[one]) for one in user.account_ids]
    return {"accounts": [{**row, "status": "ENABLED"} for row in rows]}


def session(world: World, user: User, active: Account) -> Body:
    return {
        "clientId": user.client_id,
        "accountId": active.id,
        "timezoneOffset": ACCOUNT_HOURS,
        "locale": "en",
        "currency": active.currency,
        "streamEndpoint": streaming(world),
    }


def preferences(account: Account) -> Body:
    def leverage(one: Leverage) -> Body:
        return {"current": one.current, "available": one.available}

    return {
        "hedgingMode": account.hedging,
        "leverages": {kind: leverage(one) for kind, one in account.leverages.items()},
    }


def position(world: World, row: Position) -> Body:
    """The pair of a position and its market."""
    summary = market(world, row.epic, ACCOUNT_HOURS)
    return {"position": _position(world, row), "market": summary}


def _position(world: World, row: Position) -> Body:
    body: Body = {
        "contractSize": 1,
        "createdDate": local(row.created, ACCOUNT_HOURS),
        "createdDateUTC": local(row.created),
        "dealId": row.deal_id,
        "dealReference": row.reference,
        "workingOrderId": row.order_id,
        "size": row.size,
        "leverage": row.leverage,
        "upl": world.profit(row),
        "direction": row.direction,
        "level": row.level,
        "currency": INSTRUMENTS[row.epic].currency,
        "guaranteedStop": row.bracket.guaranteed,
        "trailingStop": row.bracket.trailing,
        "stopLevel": row.bracket.stop_level,
        "stopDistance": row.bracket.stop_distance,
        "profitLevel": row.bracket.profit_level,
    }
    return _present(body)


def _present(body: Body) -> Body:
    return {key: value for key, value in body.items() if value is not None}


def confirmation(word: Confirmation) -> Body:
    return _present(
        {
            "date": local(word.at),
            "status": word.status,
            "reason": word.reason,
            "rejectReason": None if word.accepted else word.reason,
            "dealStatus": "ACCEPTED" if word.accepted else "REJECTED",
            "epic": word.epic,
            "dealReference": word.reference,
            "dealId": word.deal_id,
            "affectedDeals": [{"dealId": deal_id, "status": status} for deal_id, status in word.affected],
            "level": word.level,
            "size": word.size,
            "direction": word.direction,
            "profit": word.profit,
            "profitCurrency": word.profit_currency,
            "guaranteedStop": word.bracket.guaranteed,
            "trailingStop": word.bracket.trailing,
            "stopLevel": word.bracket.stop_level,
            "profitLevel": word.bracket.profit_level,
        }
    )


def working_order(world: World, row: WorkingOrder) -> Body:
    """The pair of an order and its market; what protects it comes as distances in the direction of the price."""
    sign = row.direction.sign
    till = row.good_till
    data: Body = {
        "dealId": row.deal_id,
        "direction": row.direction,
        "epic": row.epic,
        "orderSize": row.size,
        "leverage": row.leverage,
        "orderLevel": row.level,
        "timeInForce": "GOOD_TILL_DATE" if till else "GOOD_TILL_CANCELLED",
        "goodTillDate": till and local(till, ACCOUNT_HOURS),
        "goodTillDateUTC": till and local(till),
        "createdDate": local(row.created, ACCOUNT_HOURS),
        "createdDateUTC": local(row.created),
        "guaranteedStop": row.guaranteed,
        "orderType": row.kind,
        "stopDistance": None if row.stop_distance is None else -row.stop_distance * sign,
        "profitDistance": None if row.profit_distance is None else row.profit_distance * sign,
        "trailingStop": row.trailing,
        "currencyCode": INSTRUMENTS[row.epic].currency,
    }
    return {"workingOrderData": _present(data), "marketData": market(world, row.epic, ACCOUNT_HOURS)}


def activity(row: Activity, *, detailed: bool) -> Body:
    instrument = INSTRUMENTS[row.epic]
    body: Body = {
        "date": local(row.at, ACCOUNT_HOURS),
        "dateUTC": local(row.at),
        "epic": row.epic,
        "dealId": row.deal_id,
        "source": row.source,
        "type": row.type,
        "status": row.status,
    }
    if detailed:
        details: Body = {
            "dealReference": row.reference or None,
            "marketName": instrument.name,
            "currency": instrument.currency,
            "size": row.size,
            "direction": row.direction,
            "level": row.level,
            "guaranteedStop": row.guaranteed,
            "workingOrderId": row.order_id,
        }
        body["details"] = _present(details)
    return body


def transaction(row: Transaction) -> Body:
    return _present(
        {
            "date": local(row.at, ACCOUNT_HOURS),
            "dateUtc": local(row.at),
            "instrumentName": row.epic,
            "transactionType": row.type,
            "note": row.note,
            "reference": str(row.number),
            "size": str(row.amount),
            "currency": row.currency,
            "status": "PROCESSED",
        }
    )
