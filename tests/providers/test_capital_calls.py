"""Every call of Capital.com's that does not deal, over the wire. What is expected is read off the simulator's opening:

a USD account with five positions, an EUR account with 12,480.55; GOLD at 4112.30/4112.80; one list of its owner's.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import InputError, NotFoundError, RefusedError, ReplyError, SilentError
from bot.money import Currency, Money
from bot.providers.capital.client import Capital
from bot.providers.records import Direction, Environment, Market, Quote, Way
from tests.providers.test_capital_client import START, Desk, desk_at
from tests.providers.test_capital_sessions import EUR_ACCOUNT, USD_ACCOUNT

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_at() as one:
        yield one


@pytest.fixture
def capital(desk: Desk) -> Capital:
    return desk.link()


def euro(amount: str) -> Money:
    return Money(Decimal(amount), Currency("EUR"))


# accounts


async def test_the_session_tells_which_account_is_active(capital: Capital) -> None:
    assert (await capital.account.session()).account_id == USD_ACCOUNT
    await capital.account.switch(EUR_ACCOUNT)
    assert (await capital.account.session()).account_id == EUR_ACCOUNT


async def test_an_account_that_is_not_there_is_answered_with_those_that_are(capital: Capital) -> None:
    with pytest.raises(NotFoundError) as caught:
        await capital.account.switch("1")
    assert caught.value.known == (USD_ACCOUNT, EUR_ACCOUNT)


async def test_preferences_are_changed_one_by_one(capital: Capital) -> None:
    before = await capital.account.preferences()
    assert (before.hedging_mode, before.leverages["CURRENCIES"].current) == (False, 30)
    await capital.account.switch(EUR_ACCOUNT)  # where nothing is open
    await capital.account.prefer({"SHARES": 2})
    await capital.account.prefer(hedging=True)
    after = await capital.account.preferences()
    assert (after.hedging_mode, after.leverages["SHARES"].current, after.leverages["CURRENCIES"].current) == (
        True,
        2,
        30,
    )


@pytest.mark.parametrize(
    ("leverages", "said"), [({"SHARES": 7}, "SHARES can have a leverage of 1, 2, 3, 4, 5"), ({"TULIPS": 2}, "CURRENC")]
)
async def test_a_leverage_that_is_not_to_be_had_is_answered_with_those_that_are(
    capital: Capital, leverages: dict[str, int], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        await capital.account.prefer(leverages)


async def test_a_demo_account_is_given_money_though_it_is_not_the_active_one(capital: Capital) -> None:
    assert (await capital.top_up(EUR_ACCOUNT, euro("1000"))).amount == euro("13480.55")
    assert (await capital.positions()).items, "what is read is still the other account"


async def test_without_an_amount_a_demo_account_is_filled_up(capital: Capital) -> None:
    assert (await capital.top_up(EUR_ACCOUNT, None)).amount == euro("100000")
    with pytest.raises(InputError, match="no such amount"):
        await capital.top_up(EUR_ACCOUNT, euro("0.01"))
    with pytest.raises(InputError, match="already"):
        await capital.top_up(EUR_ACCOUNT, None)


@pytest.mark.parametrize("amount", ["0", "400000.01", "-400000.01"])
async def test_an_amount_that_nobody_gives_is_not_asked_for(capital: Capital, amount: str) -> None:
    with pytest.raises(InputError, match="at most 400000"):
        await capital.top_up(EUR_ACCOUNT, euro(amount))
    with pytest.raises(InputError, match="holds USD"):
        await capital.top_up(USD_ACCOUNT, euro("5"))


async def test_real_money_is_not_topped_up(desk: Desk) -> None:
    live = desk.link(environment=Environment.LIVE, live_url=desk.sim.http)
    with pytest.raises(InputError, match="only a demo account"):
        await live.top_up(USD_ACCOUNT, None)


async def test_what_changes_something_is_not_repeated_blindly(desk: Desk, capital: Capital) -> None:
    await capital.check()
    await desk.misfortune("reset", "/accounts/topUp", "POST")
    asked = await desk.count("/accounts/topUp", "POST")
    with pytest.raises(SilentError):
        await capital.top_up(EUR_ACCOUNT, euro("1000"))
    assert await asked() == 0  # the one that was reset, and no other


async def test_what_was_refused_for_its_tokens_only_is_sent_again(desk: Desk, capital: Capital) -> None:
    await capital.top_up(EUR_ACCOUNT, euro("1"))
    refusal = {"errorCode": "error.invalid.session.token"}
    await desk.misfortune("status", "/accounts/topUp", "POST", status=401, body=refusal)
    assert (await capital.top_up(EUR_ACCOUNT, euro("1000"))).amount == euro("13481.55")


async def test_the_time_and_a_ping(desk: Desk, capital: Capital) -> None:
    assert abs(await capital.time() - desk.clock.now()) < timedelta(seconds=1)
    await capital.ping()


# deals, read


async def test_one_position_and_all_of_them(capital: Capital) -> None:
    rows = await capital.deals.positions()
    assert [row.market.epic for row in rows] == ["EURUSD", "BTCUSD", "US100", "GOLD", "OIL_CRUDE"]
    one = await capital.deals.position(rows[3].position.deal_id)
    assert (one.position.size, one.position.stop_level) == (5, 4010)
    with pytest.raises(NotFoundError):
        await capital.deals.position("00000000-0055-311e-0000-000080aa0000")


async def test_orders_that_wait_are_ours_with_prices_for_what_is_attached(desk: Desk, capital: Capital) -> None:
    tokens = (await capital.sessions.ticket()).tokens.headers()
    order = {"epic": "GOLD", "direction": "SELL", "size": 2, "level": 4200, "type": "LIMIT", "stopLevel": 4250}
    order |= {"profitLevel": 4100, "goodTillDate": "2024-05-20T10:00:00"}
    reply = await desk.control.post(f"{desk.sim.http}/api/v1/workingorders", json=order, headers=tokens)
    assert reply.status_code == 200, reply.text
    (one,) = (await capital.orders()).items
    assert (one.symbol, one.direction, one.kind, one.size) == ("GOLD", Direction.SHORT, "limit", 2)
    assert (one.level, one.stop, one.limit) == (4200, 4250, 4100)
    assert one.good_till is not None
    assert one.good_till.isoformat() == "2024-05-20T10:00:00+00:00"


async def test_a_confirmation_that_is_not_there_is_none_yet(capital: Capital) -> None:
    assert await capital.deals.confirmation("o_00000000-0000-4000-8000-000000000000") is None


# history


async def test_a_statement_is_what_was_booked_oldest_first(capital: Capital) -> None:
    reading = await capital.statement(limit=3)
    assert [(one.way, str(one.amount), one.kind) for one in reading.items] == [
        (Way.IN, "310.40 USD", "trade, GOLD"),
        (Way.OUT, "37.20 USD", "trade, SILVER"),
        (Way.OUT, "23.20 USD", "swap, EURUSD"),
    ]
    assert reading.items[0].at == datetime.fromisoformat("2024-05-02T15:41:03.214+00:00")
    (note,) = reading.notes
    assert USD_ACCOUNT in note


async def test_a_statement_goes_back_to_where_it_is_asked_from(desk: Desk, capital: Capital) -> None:
    asked = await desk.count("/history/transactions", "GET")
    whole = await capital.statement(since=START - timedelta(days=200))
    assert [str(one.amount) for one in whole.items][:2] == ["48000.00 USD", "310.40 USD"]
    assert await asked() == 7  # windows of thirty days
    part = await capital.statement(since=datetime.fromisoformat("2024-05-06T00:00:00+00:00"))
    assert [str(one.amount) for one in part.items] == ["37.20 USD", "23.20 USD"]


async def test_bookings_of_a_span_that_is_over_are_within_it(capital: Capital) -> None:
    begin, end = (datetime.fromisoformat(f"2024-05-{text}+00:00") for text in ("02T15:41:03.214", "06T09:58:03.214"))
    rows = await capital.history.transactions(begin, end)
    assert [row.reference for row in rows] == ["55500003"]  # the later one is where the span ends


async def test_activity_of_days_is_told_in_one_go(desk: Desk, capital: Capital) -> None:
    asked = await desk.count("/history/activity", "GET")
    rows = await capital.history.activities(START - timedelta(days=5))
    opened = [(row.epic, row.told.direction, row.told.size) for row in rows if row.type == "POSITION"]
    assert opened == [("US100", "SELL", Decimal("1.5")), ("GOLD", "BUY", 5), ("OIL_CRUDE", "SELL", 200)]
    assert await asked() == 6
    assert rows == tuple(sorted(rows, key=lambda row: row.at))


async def test_an_answer_that_is_too_large_is_asked_for_in_halves(desk: Desk, capital: Capital) -> None:
    whole = await capital.statement(since=START - timedelta(days=20))
    await desk.misfortune("replace", "/history/transactions", body=" " * (1 << 20) + "{}", times=2)
    assert (await capital.statement(since=START - timedelta(days=20))).items == whole.items


async def test_what_two_windows_tell_is_booked_once(desk: Desk, capital: Capital) -> None:
    row = {"dateUtc": "2024-04-14T12:00:30.000", "transactionType": "TRADE", "reference": "1", "currency": "USD"}
    body = {"transactions": [{**row, "size": "5.00"}]}
    await desk.misfortune("replace", "/history/transactions", body=body, times=0)
    assert len((await capital.statement(since=START - timedelta(days=70))).items) == 1


@pytest.mark.parametrize("size", ["", "NaN", "1_000", "1e5", "١٢", "--1"])
async def test_an_amount_that_is_none_is_not_booked(desk: Desk, capital: Capital, size: str) -> None:
    row = {"dateUtc": "2024-05-13T00:00:00.000", "transactionType": "TRADE", "reference": "1", "currency": "USD"}
    await desk.misfortune("replace", "/history/transactions", body={"transactions": [{**row, "size": size}]})
    with pytest.raises(Exception, match="amount that is none"):
        await capital.statement(since=START - timedelta(days=2))


# markets


async def test_markets_are_navigated_from_the_top(capital: Capital) -> None:
    assert "hierarchy_v1.commodities_group" in [node.id for node in await capital.markets.tree()]
    nodes, _ = await capital.markets.node("hierarchy_v1.commodities_group")
    (metals,) = [node for node in nodes if node.name.lower() == "metals"]
    below, leaves = await capital.markets.node(metals.id)
    assert below == ()
    assert "GOLD" in [leaf.epic for leaf in leaves]
    with pytest.raises(NotFoundError):
        await capital.markets.node("hierarchy_v1.tulips")


async def test_markets_are_found_by_word_the_symbol_itself_first(desk: Desk, capital: Capital) -> None:
    reading = await capital.find_markets("gold")
    assert reading.items[0] == Market(
        "GOLD", "Gold", "commodities", is_open=True, quote=Quote("GOLD", Decimal("4112.30"), Decimal("4112.80"), START)
    )
    assert (await capital.find_markets("  ")).items == ()
    bodies = [{"epic": epic, "instrumentName": epic} for epic in ("GOLDMINES", "OLDGOLD", "GOLD")]
    await desk.misfortune("replace", "/markets", body={"markets": bodies})
    found = await capital.find_markets("gold", most=2)
    assert [one.symbol for one in found.items] == ["GOLD", "GOLDMINES"]
    assert not found.is_whole


async def test_a_market_is_told_whole(capital: Capital) -> None:
    market = await capital.market("GOLD")
    assert market.hours[0] == "Mon 00:00-22:00, 23:05-24:00 UTC"
    assert market.hours[5] == "Sat closed"
    assert "A deal has at least 0.01 units, at most 1000." in market.facts
    assert "Over night -0.0192% for a long, +0.0058% for a short, next at 2024-05-14 22:00 UTC." in market.facts
    assert market.facts[-1].startswith("Of the clients who hold it ")
    with pytest.raises(NotFoundError):
        await capital.market("TULIPS")


async def test_a_market_that_is_closed_says_so_and_one_without_sentiment_is_told_all_the_same(
    desk: Desk, capital: Capital
) -> None:
    await desk.tell("/market", {"epic": "GOLD", "status": "CLOSED"})
    body = {"errorCode": "error.not-found.epic"}
    await desk.misfortune("status", "/clientsentiment/GOLD", status=404, body=body)
    market = await capital.market("GOLD")
    assert market.is_open is False
    assert not [fact for fact in market.facts if "clients" in fact]


async def test_many_markets_are_asked_for_fifty_at_a_time(desk: Desk, capital: Capital) -> None:
    asked = await desk.count("/markets", "GET")
    found = await capital.markets.several(["GOLD", "US100", *(f"TULIP{number}" for number in range(60))])
    assert [one.instrument.epic for one in found] == ["GOLD", "US100"]
    assert await asked() == 2


async def test_the_old_names_of_rules_and_the_other_name_of_the_list_are_read(desk: Desk, capital: Capital) -> None:
    details: dict[str, Any] = {"instrument": {"epic": "OLD", "name": "Old"}, "snapshot": {}}
    details["dealingRules"] = {"minDealSize": {"unit": "POINTS", "value": 2}, "minNormalStopOrLimitDistance": None}
    await desk.misfortune("replace", "/markets", body={"markets": [details]})
    (one,) = await capital.markets.several(["OLD"])
    assert one.dealing_rules.size_step == 2


async def test_a_quote_is_what_it_is_bought_and_sold_at_now(desk: Desk, capital: Capital) -> None:
    await desk.tell("/price", {"epic": "GOLD", "bid": "4100.10", "offer": "4100.60"})
    quote = await capital.quote("GOLD")
    assert (quote.bid, quote.ask, quote.at) == (Decimal("4100.10"), Decimal("4100.60"), desk.clock.now())
    with pytest.raises(NotFoundError):
        await capital.quote("TULIPS")


async def test_sentiment_of_several(capital: Capital) -> None:
    gold, index = await capital.markets.sentiments(["GOLD", "US100"])
    assert (gold.market_id, index.market_id) == ("GOLD", "US100")
    assert gold.long_position_percentage + gold.short_position_percentage == 100
    with pytest.raises(NotFoundError):
        await capital.markets.sentiments(["GOLD", "TULIPS"])


# prices


async def test_a_long_span_of_prices_is_cut_into_windows_the_provider_allows(desk: Desk, capital: Capital) -> None:
    asked = await desk.count("/prices/GOLD", "GET")
    reading = await capital.candles("GOLD", MINUTE, START - 2500 * MINUTE, START + timedelta(days=1))
    assert await asked() == 3
    times = [one.at for one in reading.items]
    assert times == sorted(set(times))
    assert times[0] == datetime.fromisoformat("2024-05-12T23:05:00+00:00"), "a Sunday evening: it was closed before"
    assert times[-1] == START
    assert datetime.fromisoformat("2024-05-13T22:30:00+00:00") not in times, "it is closed for an hour each night"


async def test_prices_lie_halfway_between_bid_and_ask_and_within_the_span(desk: Desk, capital: Capital) -> None:
    two = {"bid": 10, "ask": 11}
    names = ("openPrice", "closePrice", "highPrice", "lowPrice")
    bars = [
        {"snapshotTimeUTC": f"2024-05-14T10:{minute:02}:00", **dict.fromkeys(names, two)} for minute in (0, 15, 30, 45)
    ]
    await desk.misfortune("replace", "/prices/GOLD", body={"prices": bars, "instrumentType": "COMMODITIES"})
    since = datetime.fromisoformat("2024-05-14T10:15:00+00:00")
    quarter = timedelta(minutes=15)
    reading = await capital.candles("GOLD", quarter, since, since + 2 * quarter)
    assert [(one.at, one.close) for one in reading.items] == [
        (since, Decimal("10.5")),
        (since + quarter, Decimal("10.5")),
    ]


async def test_where_nothing_was_traded_there_are_no_prices_and_no_error(desk: Desk, capital: Capital) -> None:
    saturday = datetime.fromisoformat("2024-05-11T10:00:00+00:00")
    assert (await capital.candles("GOLD", MINUTE, saturday, saturday + 100 * MINUTE)).items == ()
    assert (await capital.candles("GOLD", MINUTE, START + timedelta(days=2), START + timedelta(days=3))).items == ()


@pytest.mark.parametrize("minutes", [1, 5, 15, 30, 60, 240, 1440, 10080])
async def test_each_step_is_known(capital: Capital, minutes: int) -> None:
    step = timedelta(minutes=minutes)
    assert len((await capital.candles("US100", step, START - 20 * step, START)).items) >= 3


async def test_other_steps_and_other_markets_are_refused_in_words(capital: Capital) -> None:
    with pytest.raises(InputError, match="steps are 1, 5, 15 or 30 minutes"):
        await capital.candles("GOLD", timedelta(minutes=2), START - timedelta(hours=1), START)
    with pytest.raises(NotFoundError):
        await capital.candles("TULIPS", MINUTE, START - timedelta(hours=1), START)


# watchlists


async def test_a_watchlist_is_made_changed_and_deleted(capital: Capital) -> None:
    assert [one.name for one in await capital.watchlists.lists()] == ["Popular", "Metals"]
    made = await capital.watchlists.make("Mine", ["GOLD", "TULIPS"])
    assert not made.is_whole
    await capital.watchlists.add(made.watchlist_id, "US100")
    await capital.watchlists.take_off(made.watchlist_id, "GOLD")
    assert [one.epic for one in await capital.watchlists.markets(made.watchlist_id)] == ["US100"]
    await capital.watchlists.delete(made.watchlist_id)
    assert len(await capital.watchlists.lists()) == 2


async def test_what_is_not_on_a_watchlist_or_none_is_said(capital: Capital) -> None:
    for wrong, what, name in (
        (capital.watchlists.markets("999"), "watchlist", "999"),
        (capital.watchlists.delete("999"), "watchlist", "999"),
        (capital.watchlists.add("502", "TULIPS"), "market", "TULIPS"),
        (capital.watchlists.take_off("502", "TULIPS"), "market", "TULIPS"),
    ):
        with pytest.raises(NotFoundError) as raised:
            await wrong
        assert (raised.value.what, raised.value.name) == (what, name)
    for name in ("", "x" * 21):
        with pytest.raises(InputError, match="20 characters"):
            await capital.watchlists.make(name)


async def test_a_list_of_the_providers_own_is_not_ours_to_change(desk: Desk, capital: Capital) -> None:
    await desk.misfortune("status", "/watchlists/501", "DELETE", status=400, body={"errorCode": "error.invalid.name"})
    with pytest.raises(RefusedError, match=r"error\.invalid\.name"):
        await capital.watchlists.delete("501")


READS: dict[str, Any] = {
    "/session": lambda one: one.account.session(),
    "/accounts": lambda one: one.accounts(),
    "/accounts/preferences": lambda one: one.account.preferences(),
    "/time": lambda one: one.time(),
    "/ping": lambda one: one.ping(),
    "/positions": lambda one: one.positions(),
    "/positions/1": lambda one: one.deals.position("1"),
    "/workingorders": lambda one: one.orders(),
    "/confirms/o_1": lambda one: one.deals.confirmation("o_1"),
    "/history/activity": lambda one: one.history.activities(START - MINUTE),
    "/history/transactions": lambda one: one.statement(since=START - MINUTE),
    "/marketnavigation": lambda one: one.markets.tree(),
    "/marketnavigation/1": lambda one: one.markets.node("1"),
    "/markets": lambda one: one.find_markets("gold"),
    "/markets/GOLD": lambda one: one.quote("GOLD"),
    "/prices/GOLD": lambda one: one.candles("GOLD", MINUTE, START - 5 * MINUTE, START),
    "/clientsentiment": lambda one: one.markets.sentiments(["GOLD"]),
    "/clientsentiment/GOLD": lambda one: one.markets.sentiment("GOLD"),
    "/watchlists": lambda one: one.watchlists.lists(),
    "/watchlists/501": lambda one: one.watchlists.markets("501"),
}
HOSTILE = ("null", "[]", '{"a": NaN}', '{"status": 1, "status": 2}', "<html>", "[" * 1000)


@pytest.mark.parametrize("path", READS)
async def test_a_reply_that_is_none_costs_its_own_call_only(desk: Desk, capital: Capital, path: str) -> None:
    await capital.check()
    for body in HOSTILE:
        await desk.misfortune("replace", f"/api/v1{path}", body=body)
        with pytest.raises(ReplyError):
            await READS[path](capital)
        await desk.struck()
    assert await capital.check()
