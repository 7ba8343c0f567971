"""What the broker's memory looks like on the wire. Numbers are exact; an optional field without value is left out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zlib import crc32

from bot.clock import from_millis, to_millis
from bot.providers.capital.simulator.market import HOURS, INSTRUMENTS, Instrument
from bot.providers.capital.simulator.past import MINUTE_MS
from bot.providers.capital.simulator.state import (
    Account,
    Activity,
    Bar,
    Confirmation,
    Leverage,
    Position,
    Quote,
    Transaction,
    User,
    Watchlist,
    WorkingOrder,
)
from bot.providers.capital.simulator.world import World

Body = dict[str, object]

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
ACCOUNT_HOURS = 3
"""What the account endpoints call local time runs this far ahead of UTC, the market endpoints' less far."""
MARKET_HOURS = 2
_SECONDS = len("2026-03-01T12:00:00")


def local(moment: datetime, hours: int = 0) -> str:
    """Milliseconds and no zone, as everywhere in this API; 0 hours is UTC."""
    return (moment.astimezone(UTC) + timedelta(hours=hours)).replace(tzinfo=None).isoformat(timespec="milliseconds")


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


def market(world: World, epic: str, hours: int = MARKET_HOURS) -> Body:
    """The market summary, as lists and positions show it."""
    instrument, quote = INSTRUMENTS[epic], world.state.quotes[epic]
    return {
        "instrumentName": instrument.name,
        "expiry": "-",
        "epic": epic,
        "symbol": instrument.name,
        "instrumentType": instrument.kind,
        "lotSize": 1,
        "streamingPricesAvailable": True,
        "pipPosition": instrument.digits,
        "tickSize": instrument.tick,
        "updateTimeUTC": local(quote.updated),
        **_prices(quote, hours),
    }


def _prices(quote: Quote, hours: int) -> Body:
    change = quote.bid - quote.opened
    return {
        "marketStatus": quote.status,
        "netChange": change,
        "percentageChange": (change / quote.opened * 100).quantize(Decimal("0.01")),
        "updateTime": local(quote.updated, hours),
        "delayTime": 0,
        "bid": quote.bid,
        "offer": quote.offer,
        "high": quote.high,
        "low": quote.low,
        "scalingFactor": 1,
        "marketModes": ["REGULAR"],
    }


def details(world: World, account: Account, epic: str) -> Body:
    """One market in full; the margin is that of the account's own leverage."""
    instrument, quote = INSTRUMENTS[epic], world.state.quotes[epic]
    leverage = account.leverages[instrument.kind].current
    return {
        "instrument": _instrument(instrument, leverage, world.now()),
        "dealingRules": _rules(instrument),
        "snapshot": {**_prices(quote, MARKET_HOURS), "decimalPlacesFactor": instrument.digits},
    }


def _instrument(instrument: Instrument, leverage: int, now: datetime) -> Body:
    return {
        "epic": instrument.epic,
        "symbol": instrument.name,
        "expiry": "-",
        "name": instrument.name,
        "lotSize": 1,
        "type": instrument.kind,
        "guaranteedStopAllowed": instrument.guaranteed_allowed,
        "streamingPricesAvailable": True,
        "currency": instrument.currency,
        "marginFactor": (Decimal(100) / leverage).quantize(Decimal("0.01")),
        "marginFactorUnit": "PERCENTAGE",
        "openingHours": {**HOURS[instrument.kind], "zone": "UTC"},
        "country": instrument.country,
        "overnightFee": {
            "longRate": instrument.overnight(True),
            "shortRate": instrument.overnight(False),
            "swapChargeTimestamp": to_millis(_next_swap(now)),
            "swapChargeInterval": 1440,
        },
    }


def _next_swap(now: datetime) -> datetime:
    today = now.replace(hour=22, minute=0, second=0, microsecond=0)
    return today if now < today else today + timedelta(days=1)


def _rules(instrument: Instrument) -> Body:
    def points(value: Decimal) -> Body:
        return {"unit": "POINTS", "value": value}

    def percent(value: Decimal) -> Body:
        return {"unit": "PERCENTAGE", "value": value}

    return {
        "minStepDistance": points(instrument.tick),
        "minDealSize": points(instrument.min_size),
        "maxDealSize": points(instrument.max_size),
        "minSizeIncrement": points(instrument.size_step),
        "minGuaranteedStopDistance": percent(instrument.min_guaranteed),
        "minStopOrProfitDistance": percent(instrument.min_distance),
        "maxStopOrProfitDistance": percent(instrument.max_distance),
        "marketOrderPreference": "AVAILABLE_DEFAULT_ON",
        "trailingStopsPreference": "AVAILABLE",
    }


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


def price(start: int, bar: Bar) -> Body:
    """One bar; `start` is the epoch minute in which it opens."""
    opens = from_millis(start * MINUTE_MS)
    sides: Body = {
        f"{name}Price": {"bid": bid, "ask": ask}
        for name, bid, ask in (
            ("open", bar.bid.opened, bar.ask.opened),
            ("close", bar.bid.closed, bar.ask.closed),
            ("high", bar.bid.high, bar.ask.high),
            ("low", bar.bid.low, bar.ask.low),
        )
    }
    return {
        "snapshotTime": local(opens, MARKET_HOURS)[:_SECONDS],
        "snapshotTimeUTC": local(opens)[:_SECONDS],
        **sides,
        "lastTradedVolume": bar.ticks,
    }


def sentiment(epic: str) -> Body:
    """Invented, the same at all times."""
    long = Decimal(2000 + crc32(epic.encode()) % 6001) / 100
    return {"marketId": epic, "longPositionPercentage": long, "shortPositionPercentage": 100 - long}


def watchlist(row: Watchlist) -> Body:
    return {
        "id": row.id,
        "name": row.name,
        "editable": row.editable,
        "deleteable": row.editable,
        "defaultSystemWatchlist": row.system,
    }
