"""Every call of Deriv's reference that reads, or opens something, asked of the simulator by its typed method."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.clock import SystemClock
from bot.errors import (
    BusyError,
    FieldsRefusedError,
    InputError,
    NotFoundError,
    RefusedError,
    ScopeMissingError,
    UnreachableError,
)
from bot.money import Currency, Money
from bot.providers.deriv.client import Deriv
from bot.providers.deriv.wire.agents import Counter
from bot.providers.deriv.wire.books import Action
from bot.providers.deriv.wire.opening import NewUser, Purpose
from bot.providers.deriv.wire.profile import Scope
from bot.providers.deriv.wire.proposals import Basis, Terms, Unit
from bot.providers.deriv.wire.service import Stream
from bot.providers.records import Environment, Fate, Way
from bot.secret import Secret
from tests.support.deriv_login import Desk, a_desk, buy, until

USD, BTC = Currency("USD"), Currency("BTC")
MINUTE = timedelta(minutes=1)
CALL = Terms("CALL", "R_100", USD, Decimal(10), lasts=5, unit=Unit.MINUTES)
MOVING = Terms("CALL", "R_100", USD, Decimal(10), lasts=5, unit=Unit.MINUTES, barrier="+2.00")
"""Without a barrier, this one's price stands still and is told once only."""


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with a_desk() as desk:
        yield desk


async def code_of(desk: Desk, address: str) -> Secret:
    mails = (await desk.ask("mailbox"))["mails"]
    return Secret(next(str(mail["code"]) for mail in reversed(mails) if mail["to"] == address))


async def demo(desk: Desk) -> Deriv:
    return desk.link(token=await desk.token_of("VRTC900001"), environment=Environment.DEMO)


# -- the service --


async def test_the_service_says_how_it_is_and_how_often_it_may_be_asked(desk: Desk) -> None:
    provider = desk.link()
    status = await provider.site.status()
    assert (status.status, status.message) == ("up", "")
    assert {limit.applies_to: (limit.minutely, limit.at_once) for limit in status.limits} == {
        "subscribing to proposal concurrently": (None, 5),
        "rest of calls": (180, None),
        "portfolio, statement and proposal": (25, None),
        "proposal and proposal_open_contract": (80, None),
    }
    dollars = status.rules_of("USD")
    assert dollars is not None
    assert (dollars.digits, dollars.is_suspended) == (2, False)
    await desk.tell("site", status="updating")
    assert (await provider.site.status()).status == "updating"


async def test_their_clock_is_told_against_ours(desk: Desk) -> None:
    await desk.tell("clock", seconds=600)
    reckoned = await desk.link().site.time()
    assert reckoned.theirs - SystemClock().now() > timedelta(minutes=9)
    assert reckoned.ahead == reckoned.theirs - desk.clock.now()
    await desk.link().site.ping()


async def test_streams_can_be_ended_one_by_one_and_kind_by_kind(desk: Desk) -> None:
    provider = desk.link()
    assert await provider.site.forget("0f3c0f7e-5f0e-4d0a-9f6b-3a1f2c4d5e60") is False
    async with provider.options.watch(MOVING) as watched:
        assert len(watched.subscription) == 36
        assert await provider.site.forget_all(Stream.PROPOSAL) == (watched.subscription,)
        assert await provider.site.forget(watched.subscription) is False


async def test_logging_out_ends_a_session_token_for_good_and_an_api_token_not(desk: Desk) -> None:
    session, api = desk.link("token_oauth"), desk.link("token")
    await session.site.log_out()
    await api.site.log_out()
    with pytest.raises(RefusedError):
        await session.balances()
    assert (await api.balances()).items


# -- settings, limits, tokens, apps --


async def test_what_the_user_told_of_themselves_stays_out_of_every_repr(desk: Desk) -> None:
    profile = await desk.link().own.settings()
    assert (profile.country_code, profile.is_payment_agent) == ("id", True)
    assert profile.told["email"]
    assert profile.told["email"] not in repr(profile)


async def test_limits_are_in_the_accounts_currency(desk: Desk) -> None:
    limits = await desk.link().own.limits()
    assert limits.payout == Money(Decimal(50000), USD)
    assert limits.open_positions == 100
    assert "internal" in limits.transfers_a_day


async def test_a_token_is_made_listed_and_deleted(desk: Desk) -> None:
    provider = desk.link()
    before = len(await provider.own.tokens())
    made = {token.name: token for token in await provider.own.make_token("our bot", [Scope.READ])}
    assert made["our bot"].scopes == ("read",)
    assert (await desk.link(token=made["our bot"].token.reveal()).balances()).items
    assert made["our bot"].token.reveal() not in repr(made)
    assert len(await provider.own.delete_token(made["our bot"].token)) == before


async def test_an_app_is_registered_unless_the_service_takes_no_new_ones(desk: Desk) -> None:
    provider = desk.link()
    app = await provider.own.register_app("Our app", [Scope.READ], redirect_uri="https://desk.example.org/back")
    assert (app.name, app.scopes, app.is_active) == ("Our app", ("read",), True)
    await desk.tell("registering", open=False)
    with pytest.raises(RefusedError):
        await provider.own.register_app("Another", [])


# -- opening accounts --


async def test_a_new_user_is_opened_with_the_code_from_the_mail(desk: Desk) -> None:
    opening = desk.link().opening
    assert await opening.send_code("new@example.org", Purpose.ACCOUNT_OPENING)
    code = await code_of(desk, "new@example.org")
    user = NewUser(code, Secret("Abcdefg1"), "id")
    opened = await opening.open_virtual(user, affiliate_token="some_affiliate-1")
    assert opened.account.startswith("VRTC")
    assert opened.token.reveal() not in repr(opened)
    found = await desk.link(token=opened.token.reveal(), environment=Environment.DEMO).balances()
    assert found.items[0].amount == Money(Decimal(10000), USD)
    with pytest.raises(RefusedError) as caught:  # a code serves once, and its refusal is not the login's
        await opening.open_virtual(user)
    assert (type(caught.value), caught.value.code) == (RefusedError, "InvalidToken")


async def test_what_a_real_account_needs_is_told_by_residence_state_and_company(desk: Desk) -> None:
    opening = desk.link().opening
    residences = {one.code: one for one in await opening.residences()}
    assert residences["id"].can_sign_up
    assert any(not one.can_sign_up for one in residences.values())
    assert "BA" in {state.code for state in await opening.states("id")}
    served = await opening.service("id")
    assert served.real is not None
    assert served.real == await opening.company(served.real.code)
    assert "date_of_birth" in served.real.signup_fields


async def test_a_real_account_is_opened_and_refused_fields_are_named(desk: Desk) -> None:
    opening = (await demo(desk)).opening
    with pytest.raises(FieldsRefusedError) as caught:
        await opening.open_real({"first_name": "Ann0", "phone": "81234567"}, BTC)
    assert caught.value.fields == ("first_name",)
    told = {"first_name": "Client", "last_name": "One", "residence": "id", "date_of_birth": "1980-01-31"}
    opened = await opening.open_real(told, Currency("ETH"), affiliate_token="some_affiliate-1")
    assert (opened.account[:2], opened.currency) == ("CR", Currency("ETH"))
    found = await desk.link(token=opened.token.reveal()).balances()
    assert opened.account in {item.account for item in found.items}


async def test_a_demo_account_is_filled_up_and_nothing_else_is(desk: Desk) -> None:
    provider = await demo(desk)
    for account, amount in (("VRTC900001", Money(Decimal(5), USD)), ("CR900001", None)):
        with pytest.raises(InputError):
            await provider.top_up(account, amount)
    with pytest.raises(InputError, match="real money"):
        await desk.link().top_up("CR900001", None)
    with pytest.raises(RefusedError) as caught:
        await provider.top_up("VRTC900001", None)
    assert caught.value.code == "DemoTopupBalance"  # there is enough


# -- what was booked --


async def test_the_statement_is_read_page_by_page_each_row_once_and_oldest_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = desk.link()
    for cents in range(1, 8):
        await desk.tell("deposit", loginid="CR900001", amount=f"0.0{cents}")
    whole = await provider.statement()
    monkeypatch.setattr("bot.providers.deriv.client.books.MOST_ROWS", 3)
    assert (await provider.statement()).items == whole.items
    assert whole.is_whole
    assert [entry.amount.text() for entry in whole.items[-7:]] == [f"0.0{cents}" for cents in range(1, 8)]
    newest = await provider.statement(limit=2)
    assert [entry.id for entry in newest.items] == [entry.id for entry in whole.items[-2:]]
    assert newest.items[-1].balance_after == (await provider.balances()).items[0].amount


async def test_rows_tell_ways_kinds_and_times_and_can_be_asked_for_by_them(desk: Desk) -> None:
    bought = await buy(desk, amount=20)
    provider = desk.link()
    (row,) = [row for row in (await provider.books.rows(action=Action.BUY)).items if row.id == bought["transaction_id"]]
    assert (row.amount, row.contract_id) == (Money(Decimal(-20), USD), bought["contract_id"])
    assert (row.entry.way, row.entry.amount, row.entry.kind) == (Way.OUT, Money(Decimal(20), USD), "buy")
    assert row.entry.reference == str(bought["contract_id"])
    everything = (await provider.books.rows()).items
    middle = everything[len(everything) // 2].at
    since = (await provider.books.rows(since=middle)).items
    until_then = (await provider.books.rows(until=middle)).items
    assert {row.id for row in since} | {row.id for row in until_then} == {row.id for row in everything}
    assert all(row.at >= middle for row in since)
    assert all(row.at < middle for row in until_then)


async def test_contracts_that_are_over_are_told_with_what_they_made(desk: Desk) -> None:
    provider = desk.link()
    bought = await buy(desk, amount=20)
    assert bought["contract_id"] not in {one.contract_id for one in (await provider.books.profits()).items}
    await desk.tell("clock", seconds=3700)
    await provider.books.sell_expired()
    closed = {one.contract_id: one for one in (await provider.books.profits()).items}
    over = closed[bought["contract_id"]]
    assert over.paid == Money(Decimal(20), USD)
    assert over.profit == over.received + -over.paid
    assert [one.contract_id for one in (await provider.books.profits(most=1)).items] == [bought["contract_id"]]


async def test_what_became_of_a_contract_is_told_though_it_is_over(desk: Desk) -> None:
    provider, since = desk.link(), desk.clock.now()
    bought = await buy(desk, amount=20)
    number = str(bought["contract_id"])
    await desk.tell("clock", seconds=3700)
    await provider.books.sell_expired()
    assert number not in {one.id for one in (await provider.positions()).items}
    told = [one for one in (await provider.dealings(since)).items if one.id == number]
    assert [(one.fate, one.symbol) for one in told] == [
        (Fate.FILLED, "R_100"),
        (Fate.OPENED, "R_100"),
        (Fate.CLOSED, "R_100"),
    ]
    assert told[0].order == str(bought["transaction_id"])
    assert told[2].profit is not None
    assert told[2].profit.currency == USD


async def test_an_open_contract_tells_what_it_is_worth_and_one_that_is_none_is_not_found(desk: Desk) -> None:
    bought = await buy(desk, amount=20)
    provider = desk.link()
    position = await provider.contracts.one(bought["contract_id"])
    assert position.now is not None
    assert position.worth is not None
    assert position.profit == position.worth + Money(Decimal(-20), USD)
    assert (
        position
        in [one for one in (await provider.positions()).items if one.id == position.id and one.now == position.now]
        or (await provider.positions()).items
    )
    with pytest.raises(NotFoundError):
        await provider.contracts.one(5)


async def test_however_many_contracts_are_open_each_tells_what_it_is_worth(desk: Desk) -> None:
    bought = {str((await buy(desk, amount=1))["contract_id"]) for _ in range(17)}
    provider, one_by_one = desk.link(), desk.count('"contract_id"')
    reading = await provider.positions()
    assert bought <= {one.id for one in reading.items}
    assert [one.id for one in reading.items if one.worth is None or one.now is None] == []
    assert reading.notes == ("Only the contracts of CR900001.",)
    assert one_by_one() == 0


async def test_a_contract_that_does_not_tell_what_it_is_worth_is_listed_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.providers.deriv.client.contracts.MOST_PRICED", 0)
    await buy(desk, amount=20)
    desk.answer_instead('"proposal_open_contract"', '{"req_id": 3, "msg_type": "proposal_open_contract", "error": 7}')
    reading = await desk.link().positions()
    assert {one.worth for one in reading.items} == {None}
    assert any("was not read" in note for note in reading.notes)


# -- markets --


async def test_a_market_is_found_by_symbol_by_name_and_by_pair(desk: Desk) -> None:
    provider = desk.link()
    for text, symbol in (("R_100", "R_100"), ("volatility 50 index", "R_50"), ("EUR/USD", "frxEURUSD")):
        assert (await provider.find_markets(text)).items[0].symbol == symbol
    assert len((await provider.find_markets("index", most=3)).items) == 3
    assert (await provider.find_markets("no such thing")).items == ()


async def test_a_market_tells_its_price_its_day_and_what_can_be_bought(desk: Desk) -> None:
    await desk.tell("price", symbol="R_100", quote="1600.00")
    market = await desk.link().market("R_100")
    assert market.name == "Volatility 100 Index"
    assert market.quote is not None
    assert abs(market.quote.mid - 1600) < 20
    assert market.hours
    assert any("Higher" in fact for fact in market.facts)


@pytest.mark.parametrize("symbol", ["NOPE", "", "R 100", "x" * 31])
async def test_a_symbol_that_is_none_is_not_found_by_any_call(desk: Desk, symbol: str) -> None:
    provider, now = desk.link(), SystemClock().now()
    for asked in (
        provider.market(symbol),
        provider.quote(symbol),
        provider.candles(symbol, MINUTE, now - MINUTE, now),
        provider.markets.prices(symbol, now - MINUTE, now),
        provider.markets.offers(symbol),
    ):
        with pytest.raises(NotFoundError):
            await asked


async def test_candles_begin_within_the_window_and_hold_the_prices_there_were(desk: Desk) -> None:
    provider, now = desk.link(), SystemClock().now()
    since = now.replace(second=0, microsecond=0) - 5 * MINUTE
    candles = (await provider.candles("R_100", MINUTE, since, since + 4 * MINUTE)).items
    assert [candle.at for candle in candles] == [since + n * MINUTE for n in range(4)]
    prices = (await provider.markets.prices("R_100", since, since + MINUTE)).items
    assert candles[0].open == prices[0].mid
    assert candles[0].close == prices[-1].mid
    assert candles[0].high == max(price.mid for price in prices)
    assert candles[0].low == min(price.mid for price in prices)


async def test_a_step_there_is_not_names_those_there_are(desk: Desk) -> None:
    now = SystemClock().now()
    with pytest.raises(InputError, match=r"1 min, 2 min.* and 24 h"):
        await desk.link().candles("R_100", timedelta(seconds=7), now - MINUTE, now)


# -- prices of contracts --


async def test_a_contract_has_a_price_by_stake_and_by_payout(desk: Desk) -> None:
    options = desk.link().options
    by_stake = await options.price(CALL)
    assert by_stake.price == Money(Decimal(10), USD)
    assert by_stake.payout is not None
    by_payout = await options.price(
        Terms("CALL", "R_100", USD, by_stake.payout.amount, Basis.PAYOUT, lasts=5, unit=Unit.MINUTES)
    )
    assert by_payout.payout == by_stake.payout
    assert abs(by_payout.price.amount - 10) < 1
    with pytest.raises(NotFoundError):
        await options.price(Terms("CALL", "NOPE", USD, Decimal(10), lasts=5))


async def test_a_price_is_watched_while_it_moves_and_forgotten_when_nobody_looks(desk: Desk) -> None:
    provider = desk.link()
    async with provider.options.watch(MOVING) as watched:
        first = await watched.change()
        await desk.tell("move", symbol="R_100", percent="1")
        async with asyncio.timeout(5):
            second = await watched.change()
        assert second.spot != first.spot
        assert await desk.streams() == 1
    assert await desk.streams() == 0


async def test_a_watched_price_ends_with_its_connection(desk: Desk) -> None:
    async with desk.link().options.watch(CALL) as watched:
        await desk.tell("cut")
        await until(lambda: watched.is_over)


# -- payment agents, cashier --


async def test_agents_are_listed_by_country_and_currency(desk: Desk) -> None:
    counters = desk.link().counters
    found = await counters.agents("id", "USD")
    one = next(agent for agent in found.items if agent.name == "Agent One")
    assert (one.currencies, one.least, one.most) == (("USD",), Decimal(10), Decimal(2000))
    assert one.phones
    assert ("id", "Indonesia") in found.countries
    assert (await counters.own_agency()).status == "authorized"


async def test_the_cashier_gives_an_address_or_says_what_is_to_be_done_first(desk: Desk) -> None:
    provider = desk.link()
    address = await provider.counters.cashier()
    assert address.reveal().startswith("https://")
    with pytest.raises(RefusedError) as caught:
        await provider.counters.cashier(Counter.WITHDRAW)
    assert caught.value.code == "ASK_EMAIL_VERIFY"
    email = (await provider.own.settings()).told["email"]
    await provider.opening.send_code(email, Purpose.CASHIER)
    assert (await provider.counters.cashier(Counter.WITHDRAW, await code_of(desk, email))).reveal()


# -- manners --


async def test_a_missing_scope_is_known_before_anybody_is_asked(desk: Desk) -> None:
    asked = [desk.count(f'"{call}"') for call in ("topup_virtual", "api_token", "cashier")]
    provider = desk.link("token_read")
    for question, scope in (
        (provider.books.sell_expired(), "trade"),
        (provider.own.tokens(), "admin"),
        (provider.counters.cashier(), "payments"),
    ):
        with pytest.raises(ScopeMissingError) as caught:
            await question
        assert caught.value.scope == scope
    assert [count() for count in asked] == [0, 0, 0]


async def test_exact_bytes_go_out_once_and_only_on_a_connection_that_is_logged_in(desk: Desk) -> None:
    line, sent = desk.link().line, desk.count('"time"')
    number = line.number()
    frame = f'{{"time":1,"req_id":{number},"passthrough":{{"ours":"7"}}}}'.encode()
    with pytest.raises(UnreachableError):
        await line.send(frame, number)
    await line.logged_in()
    assert (await line.send(frame, number))["passthrough"] == {"ours": "7"}
    assert sent() == 1


async def test_what_changes_something_is_never_asked_twice(desk: Desk) -> None:
    provider = desk.link(answer_seconds=1.0)
    await provider.balances()
    desk.misfortune("drop", '"sell_expired"')
    asked = desk.count('"sell_expired"')
    with pytest.raises(Exception, match="deriv"):
        await provider.books.sell_expired()
    assert asked() == 0  # the one that was asked is the one that was lost


async def test_the_accounts_of_further_tokens_are_read_on_the_same_connection(desk: Desk) -> None:
    tokens = [str(desk.sim.credentials["token"]), await desk.token_of("CR900002")]
    provider = desk.link(token=" ".join(tokens))
    assert {item.account for item in (await provider.balances()).items} == {"CR900001", "CR900002"}
    rows = await provider.books.rows(account="CR900002")
    assert all(row.amount.currency == BTC for row in rows.items)
    assert (await desk.ask("connections"))["count"] == 1


async def test_the_limits_the_service_tells_are_kept_to(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.providers.deriv.client.line.LONGEST_PACING_SECONDS", 0.5)
    provider = desk.link()
    await provider.site.status()
    asked = await asyncio.gather(*(provider.books.rows(most=1) for _ in range(5)), return_exceptions=True)
    assert [isinstance(one, BusyError) for one in asked] == [False, False, False, False, True]  # 25 a minute
