"""Dealing at Capital.com: what is prepared, what is sent once, and what is told and found of it afterwards.

The simulator's opening: GOLD at 4112.30/4112.80 with a long of 5 (stop 4010, limit 4200), US100 with a short of 1.5.
"""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from bot.clock import to_millis
from bot.errors import BusyError, ConflictError, InputError, SilentError, UnreachableError
from bot.providers.acts import Act, ActKind, Evidence, Outcome, Prepared, Receipt
from bot.providers.capital.client import Capital
from bot.providers.capital.seam.terms import Terms
from bot.providers.capital.seam.verdicts import verdict_in
from bot.providers.capital.seam.wired import Before
from bot.providers.capital.wire.orders import parse_confirm
from tests.providers.test_capital_client import LOGIN, Desk, desk_at
from tests.providers.test_capital_sessions import EUR_ACCOUNT, USD_ACCOUNT

POSITIONS, ORDERS = "/api/v1/positions", "/api/v1/workingorders"
BUY = {"symbol": "GOLD", "direction": "buy", "size": "1", "type": "market"}
LIMIT = {**BUY, "type": "limit", "level": "4000"}


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_at() as one:
        one.link()
        yield one


@pytest.fixture
def capital(desk: Desk) -> Capital:
    return desk.made[0]


def order(said: dict[str, str] = BUY, account: str = USD_ACCOUNT, request: str = "aaaaaaaaaa", **more: str) -> Act:
    return Act(request, ActKind.ORDER, account, None, said["symbol"], {**said, **more})


def close(deal: str, **said: str) -> Act:
    return Act("bbbbbbbbbb", ActKind.CLOSE, USD_ACCOUNT, None, deal, said)


def change(what: str, deal: str, **said: str) -> Act:
    return Act("cccccccccc", ActKind.CHANGE, USD_ACCOUNT, None, deal, {"what": what, **said})


async def prepared(capital: Capital, act: Act) -> Prepared:
    """Prepared, and let be."""
    async with capital.money.turn():
        return await capital.money.prepare(act)


async def sent(capital: Capital, act: Act) -> tuple[Prepared, Receipt]:
    async with capital.money.turn():
        one = await capital.money.prepare(act)
        return one, await capital.money.send(one)


async def done(capital: Capital, act: Act) -> str:
    """Sent, and known to have been done; answers with the deal's number."""
    _, receipt = await sent(capital, act)
    assert receipt.outcome is Outcome.SUCCEEDED, receipt
    return receipt.reference


async def gold(capital: Capital, account: str = USD_ACCOUNT) -> list[tuple[str, Decimal]]:
    rows = await capital.deals.positions(account)
    return [(row.position.direction, row.position.size) for row in rows if row.market.epic == "GOLD"]


async def the_long(capital: Capital) -> str:
    """The long of 5 GOLD that is there from the beginning."""
    return next(row.position.deal_id for row in await capital.deals.positions() if row.market.epic == "GOLD")


async def waiting(capital: Capital) -> list[str]:
    return [row.working_order_data.deal_id for row in await capital.deals.orders()]


def request_of(one: Prepared) -> tuple[str, Any]:
    head, body, _ = one.wire.split(b"\n")
    return head.decode(), json.loads(body, parse_float=Decimal) if body else None


# what is prepared


@pytest.mark.parametrize(
    ("act", "head", "body"),
    [
        (order(), f"POST {POSITIONS}", b'{"epic":"GOLD","direction":"BUY","size":1}'),
        (
            order(size="0.10", stop="4000.50", limit="4300", direction="sell"),
            f"POST {POSITIONS}",
            b'{"epic":"GOLD","direction":"SELL","size":0.10,"stopLevel":4000.50,"profitLevel":4300}',
        ),
        (
            order(LIMIT, good_till="2024-05-20T10:00:00"),
            f"POST {ORDERS}",
            b'{"epic":"GOLD","direction":"BUY","size":1,"type":"LIMIT","level":4000,"goodTillDate":"2024-05-20T10:00:00"}',
        ),
        (
            order(LIMIT, type="stop", level="4200", stop="4100"),
            f"POST {ORDERS}",
            b'{"epic":"GOLD","direction":"BUY","size":1,"type":"STOP","level":4200,"stopLevel":4100}',
        ),
    ],
)
async def test_an_order_goes_out_digit_for_digit(capital: Capital, act: Act, head: str, body: bytes) -> None:
    one = await prepared(capital, act)
    assert one.wire.split(b"\n")[:2] == [head.encode(), body]


async def test_preparing_changes_nothing(desk: Desk, capital: Capital) -> None:
    await prepared(capital, order())
    await prepared(capital, close(await the_long(capital)))
    assert (await desk.control.get("/ledger")).json() == {"entries": []}


async def test_a_bracket_goes_out_whole_with_the_leg_that_stays(capital: Capital) -> None:
    deal = await the_long(capital)
    flags = {"guaranteedStop": False, "trailingStop": False}
    for said, legs in (
        ({"stop": "4050"}, {"stopLevel": 4050, "profitLevel": 4200}),
        ({"limit": "4250.5"}, {"stopLevel": 4010, "profitLevel": Decimal("4250.5")}),
        ({"stop": "none"}, {"stopLevel": None, "profitLevel": 4200}),
    ):
        one = await prepared(capital, change("position", deal, **said))
        assert request_of(one) == (f"PUT {POSITIONS}/{deal}", {**flags, **legs})


async def test_an_order_that_is_changed_keeps_both_flags_and_what_is_not_named(capital: Capital) -> None:
    deal = await done(capital, order(LIMIT))
    flags = {"guaranteedStop": False, "trailingStop": False}
    one = await prepared(capital, change("order", deal, level="3990", limit="4100"))
    assert request_of(one) == (f"PUT {ORDERS}/{deal}", {**flags, "level": 3990, "profitLevel": 4100})
    one = await prepared(capital, change("order", deal, good_till="none"))
    assert request_of(one) == (f"PUT {ORDERS}/{deal}", {**flags, "timeInForce": "GOOD_TILL_CANCELLED"})


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"size": "0"}, "above nought"),
        ({"size": "-1"}, "plain digits"),
        ({"size": "1e3"}, "plain digits"),
        ({"direction": "up"}, "buy or sell"),
        ({"type": "limit"}, "has a price that it waits for"),
        ({"type": "contract"}, "no order of that kind"),
        ({"barrier": "4113"}, "cannot be told barrier"),
        ({"least": "4113"}, "a buy has a price at most"),
        ({"type": "limit", "level": "4000", "price": "4113"}, "cannot be told price"),
        ({"stop": "none"}, "says nothing of one"),
        ({"type": "limit", "level": "4000", "good_till": "tomorrow"}, "UTC, to the second"),
    ],
)
async def test_what_would_not_be_sent_as_it_was_meant_is_not_prepared(
    capital: Capital, said: dict[str, str], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        await prepared(capital, order(**said))


async def test_what_is_not_there_or_is_another_is_not_prepared(capital: Capital) -> None:
    deal, gone = await the_long(capital), "00601567-0055-311e-0000-000080aa0001"
    for act, reason in (
        (close(gone), "not open any more"),
        (close(deal, symbol="US100"), "is of GOLD, not of US100"),
        (close(deal, symbol="GOLD", direction="sell"), "is a buy, not a sell"),
        (change("order", gone, level="4000"), "does not wait any more"),
        (change("withdrawn order", gone), "does not wait any more"),
        (change("position", deal, stop="4010", limit="4200"), "already"),
    ):
        with pytest.raises(ConflictError, match=reason):
            await prepared(capital, act)


@pytest.mark.parametrize(
    ("bid", "offer", "said", "reason"),
    [
        ("4112.30", "4112.80", {"price": "4112.80"}, ""),  # as much as was signed for is not too much
        ("4112.31", "4112.81", {"price": "4112.80"}, r"GOLD costs 4112\.81 now, and at most 4112\.80 was signed for"),
        ("4000.00", "4000.50", {"price": "4112.80"}, ""),
        ("4112.30", "4112.80", {"direction": "sell", "least": "4112.30"}, ""),
        (
            "4112.29",
            "4112.79",
            {"direction": "sell", "least": "4112.30"},
            r"GOLD brings 4112\.29 now, and at least 4112\.30 was signed for",
        ),
        ("4300.00", "4300.50", {"direction": "sell", "least": "4112.30"}, ""),
    ],
)
async def test_an_order_at_market_is_not_prepared_at_a_price_worse_than_was_signed_for(
    desk: Desk, capital: Capital, bid: str, offer: str, said: dict[str, str], reason: str
) -> None:
    await desk.tell("/price", {"epic": "GOLD", "bid": bid, "offer": offer})
    if reason:
        with pytest.raises(ConflictError, match=reason):
            await prepared(capital, order(**said))
    else:
        await prepared(capital, order(**said))


async def test_a_position_is_closed_whole_or_not_at_all(capital: Capital) -> None:
    with pytest.raises(InputError, match=r"has 5 units, and Capital\.com closes positions whole"):
        await prepared(capital, close(await the_long(capital), symbol="GOLD", direction="buy", size="2"))


async def test_transfers_are_not_made_here(capital: Capital) -> None:
    with pytest.raises(InputError):
        await prepared(capital, replace(order(), kind=ActKind.TRANSFER))


# what is done


async def test_a_market_order_is_done_once_and_named_by_its_position(desk: Desk, capital: Capital) -> None:
    one, receipt = await sent(capital, order(stop="4000", limit="4300"))
    assert receipt.outcome is Outcome.SUCCEEDED
    assert receipt.detail == f"done as {receipt.reference} at 4112.80"
    row = await capital.deals.position(receipt.reference)
    assert (row.position.size, row.position.stop_level, row.position.profit_level) == (1, 4000, 4300)
    assert (await capital.money.find(one)).reference == receipt.reference


async def test_a_fill_that_is_told_as_nought_is_not_told(desk: Desk, capital: Capital) -> None:
    await desk.tell("/options", {"zero_levels": True})
    _, receipt = await sent(capital, order())
    assert receipt.detail == f"done as {receipt.reference}"


async def test_orders_wait_are_changed_and_taken_back(capital: Capital) -> None:
    deal = await done(capital, order(LIMIT, stop="3900"))
    assert await waiting(capital) == [deal]
    await done(capital, change("order", deal, symbol="GOLD", direction="buy", size="1", level="3990"))
    (row,) = await capital.deals.orders()
    assert row.working_order_data.order_level == 3990
    _, receipt = await sent(capital, change("withdrawn order", deal))
    assert (receipt.outcome, receipt.detail) == (Outcome.SUCCEEDED, "the order is taken back")
    assert await waiting(capital) == []


async def test_a_bracket_is_changed_and_taken_away(capital: Capital) -> None:
    deal = await the_long(capital)
    await done(capital, change("position", deal, stop="4050"))
    await done(capital, change("position", deal, limit="none"))
    now = (await capital.deals.position(deal)).position
    assert (now.stop_level, now.profit_level) == (4050, None)


async def test_a_close_says_what_it_brought(capital: Capital) -> None:
    deal = await the_long(capital)
    _, receipt = await sent(capital, close(deal, symbol="GOLD", direction="buy", size="5"))
    assert (receipt.outcome, receipt.reference) == (Outcome.SUCCEEDED, deal)
    assert receipt.detail == "closed at 4112.30, +220.25 USD"
    assert await gold(capital) == []


async def test_a_deal_is_done_on_the_account_that_was_approved_and_reading_goes_on_elsewhere(capital: Capital) -> None:
    before = await gold(capital)
    await done(capital, order(account=EUR_ACCOUNT))
    assert await gold(capital, EUR_ACCOUNT) == [("BUY", 1)]
    assert {one.account for one in (await capital.positions()).items} == {USD_ACCOUNT}
    assert await gold(capital) == before


async def test_nothing_is_sent_when_another_account_is_the_active_one(desk: Desk, capital: Capital) -> None:
    body = {"accountId": EUR_ACCOUNT}
    async with capital.money.turn():
        one = await capital.money.prepare(order())
        await desk.misfortune("replace", LOGIN, "GET", body=body)
        posts = await desk.count(POSITIONS, "POST")
        receipt = await capital.money.send(one)
    assert (receipt.outcome, receipt.detail) == (Outcome.NOT_SENT, "another account is the active one")
    assert await posts() == 0
    await done(capital, order())


async def test_what_is_sent_was_prepared_in_the_same_turn_and_goes_once(capital: Capital) -> None:
    one = await prepared(capital, order())
    with pytest.raises(RuntimeError):
        await capital.money.send(one)
    async with capital.money.turn():
        two = await capital.money.prepare(order())
        await capital.money.send(two)
        with pytest.raises(RuntimeError):
            await capital.money.send(two)
    with pytest.raises(RuntimeError):
        await capital.money.prepare(order())
    assert len(await gold(capital)) == 2


async def test_what_took_long_to_get_ready_does_not_leave(desk: Desk, capital: Capital) -> None:
    before = await gold(capital)
    async with capital.money.turn():
        one = await capital.money.prepare(order())
        desk.clock.seconds += 21
        receipt = await capital.money.send(one)
    assert (receipt.outcome, receipt.detail) == (Outcome.NOT_SENT, "it took too long until it could be sent")
    assert await gold(capital) == before


async def test_orders_keep_their_distance_and_the_hours_limit_on_demo(desk: Desk, capital: Capital) -> None:
    await prepared(capital, order())
    kept = capital._line.kept  # the very object: filling it by five hundred orders would take minutes
    began = desk.clock.seconds
    for _ in range(500):
        await kept.order(desk.clock)
    assert desk.clock.seconds - began >= 49.8
    for _ in range(10):  # what came back in the meantime
        await kept.order(desk.clock)
    with pytest.raises(BusyError):
        await prepared(capital, order())
    desk.clock.seconds += 60
    await done(capital, order())


# refused


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (400, "error.invalid.stoploss.minvalue: 4010.5", "the stop is too low: at least 4010.5; ask with such a one"),
        (400, "error.invalid.takeprofit.maxvalue", "the limit is too high; ask with another"),
        (400, "error.invalid.size.minvalue", "the size is less than this market allows; ask for more"),
        (
            400,
            "error.validation.stop.price",
            "the price is on the wrong side of the market, or too near it; look at the price and ask for another",
        ),
        (
            400,
            "error.null.direction",
            "it does not take that as asked (error.null.direction); look at it again, and ask otherwise",
        ),
        (404, "error.not-found.epic", "there is no such market; look for it by a part of its name"),
    ],
)
async def test_a_documented_refusal_is_final_and_told_in_words(
    desk: Desk, capital: Capital, status: int, code: str, said: str
) -> None:
    await desk.misfortune("status", POSITIONS, "POST", status=status, body={"errorCode": code})
    _, receipt = await sent(capital, order())
    assert (receipt.outcome, receipt.code, receipt.detail) == (Outcome.FAILED, code, said)


async def test_f16_what_was_taken_and_then_rejected_has_failed(desk: Desk, capital: Capital) -> None:
    before = await gold(capital)
    await desk.tell("/options", {"confirm_misses": 10})
    await desk.tell("/reject", {"reason": "INSUFFICIENT_FUNDS"})
    one, receipt = await sent(capital, order())
    said = "the account has not enough free money for it; ask for less, close something, or pay in"
    assert (receipt.outcome, receipt.detail) == (Outcome.FAILED, said)
    assert (await capital.money.find(replace(one, answered=receipt.reference))).outcome is Outcome.FAILED
    assert await gold(capital) == before


async def test_a_reason_that_nobody_knows_is_told_in_its_own_words(desk: Desk, capital: Capital) -> None:
    await desk.tell("/reject", {"reason": "CR_SPACING"})
    _, receipt = await sent(capital, order())
    assert (receipt.outcome, receipt.detail) == (
        Outcome.FAILED,
        "it says “cr spacing”; look at the market and the account, then ask anew or ask the broker",
    )


async def test_f16_ten_times_not_known_and_then_accepted_is_one_position(desk: Desk, capital: Capital) -> None:
    await desk.tell("/options", {"confirm_misses": 10})
    await done(capital, order())
    assert await gold(capital) == [("BUY", 5), ("BUY", 1)]


async def test_what_is_not_decided_in_time_is_acknowledged_and_found_by_its_reference(
    desk: Desk, capital: Capital
) -> None:
    await desk.tell("/options", {"confirm_delay_ms": 30_000})
    one, receipt = await sent(capital, order())
    assert (receipt.outcome, receipt.reference[:2]) == (Outcome.ACKNOWLEDGED, "o_")
    desk.clock.seconds += 30
    evidence = await capital.money.find(replace(one, answered=receipt.reference))
    assert (evidence.outcome, evidence.detail.partition(" at ")[0]) == (
        Outcome.SUCCEEDED,
        f"done as {evidence.reference}",
    )


async def test_the_old_confirmation_of_a_position_is_not_that_of_its_close(desk: Desk, capital: Capital) -> None:
    deal = await done(capital, order())
    desk.clock.seconds += 60
    await desk.tell("/options", {"stale_closes": 1})
    _, receipt = await sent(capital, close(deal))
    assert receipt.outcome is Outcome.SUCCEEDED
    assert receipt.detail.startswith("closed at")


NOON = datetime(2024, 5, 14, 12, tzinfo=UTC)
CLOSED = Terms(ActKind.CLOSE, "", "d1", "GOLD", "BUY", None, None, None, None, "")
AMENDED = Terms(ActKind.CHANGE, "position", "d1", "GOLD", "BUY", None, None, Decimal(4000), None, "")


@pytest.mark.parametrize(
    ("terms", "told", "accepted"),
    [
        (CLOSED, {"dealStatus": "ACCEPTED", "status": "CLOSED"}, True),
        (CLOSED, {"dealStatus": "ACCEPTED", "affectedDeals": [{"dealId": "d1", "status": "FULLY_CLOSED"}]}, True),
        (CLOSED, {"dealStatus": "REJECTED"}, False),
        (CLOSED, {"dealStatus": "ACCEPTED", "status": "OPEN"}, None),
        (CLOSED, {"dealStatus": "ACCEPTED", "status": "CLOSED", "date": "2024-05-14T11:59:00.000"}, None),
        (CLOSED, {"dealStatus": "REJECTED", "date": "2024-05-14T11:59:00.000"}, None),
        (CLOSED, {"dealStatus": "REJECTED", "date": None}, None),
        (CLOSED, {"status": "CLOSED"}, None),
        (AMENDED, {"dealStatus": "ACCEPTED", "status": "AMENDED"}, True),
        (AMENDED, {"dealStatus": "ACCEPTED", "status": "AMENDED", "date": "2024-05-14T11:00:00.000"}, None),
        (AMENDED, {"dealStatus": "ACCEPTED", "status": "OPEN"}, None),
    ],
)
def test_what_comes_under_a_positions_reference_counts_when_it_is_new_and_of_the_kind(
    terms: Terms, told: dict[str, Any], accepted: bool | None
) -> None:
    body = json.dumps({"date": "2024-05-14T12:00:01.000", "dealId": "d1", "epic": "GOLD", **told}).encode()
    verdict = verdict_in(parse_confirm(body), terms, Before(to_millis(NOON)), "p_d1")
    assert (None if verdict is None else verdict.accepted) == accepted


# about the session


@pytest.mark.parametrize(("status", "code"), [(401, "error.invalid.session.token"), (400, "error.null.client.token")])
async def test_refused_for_its_tokens_it_is_sent_once_more_after_one_login(
    desk: Desk, capital: Capital, status: int, code: str
) -> None:
    await desk.misfortune("status", POSITIONS, "POST", status=status, body={"errorCode": code})
    await done(capital, order())
    assert await gold(capital) == [("BUY", 5), ("BUY", 1)]
    assert (await desk.sessions())["logins"] == 2


async def test_refused_for_its_tokens_twice_it_was_not_sent(desk: Desk, capital: Capital) -> None:
    body = {"errorCode": "error.invalid.session.token"}
    await desk.misfortune("status", POSITIONS, "POST", status=401, body=body, times=0)
    _, receipt = await sent(capital, order())
    assert receipt.outcome is Outcome.NOT_SENT
    (step,) = (await desk.control.get("/faults")).json()["waiting"]
    assert step["seen"] == 2
    assert (await desk.sessions())["logins"] == 2


async def test_a_session_that_died_meanwhile_is_made_anew_before_the_deal(desk: Desk, capital: Capital) -> None:
    async with capital.money.turn():
        one = await capital.money.prepare(order(account=EUR_ACCOUNT))
        await desk.tell("/expire", {})
        receipt = await capital.money.send(one)
    assert receipt.outcome is Outcome.SUCCEEDED
    assert await gold(capital, EUR_ACCOUNT) == [("BUY", 1)]


async def test_a_provider_that_cannot_be_reached_is_told_before_anything_is_sent(desk: Desk, capital: Capital) -> None:
    await desk.tell("/down", {"down": True})
    with pytest.raises((UnreachableError, SilentError)):
        async with capital.money.turn():
            pass
    await desk.tell("/down", {"down": False})
    await capital.check()
    async with capital.money.turn():
        one = await capital.money.prepare(order())
        await desk.tell("/down", {"down": True})
        receipt = await capital.money.send(one)
    assert receipt.outcome is Outcome.NOT_SENT


# nothing definite


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"errorCode": "error.something.else"}),
        (403, {"errorCode": "error.invalid.session.token"}),
        (429, {"errorCode": "error.too-many.requests"}),
        (400, {"errorCode": "java.util.concurrent.TimeoutException"}),
        (400, "<html>"),
        (500, ""),
        (503, {"errorCode": "error.service.unavailable"}),
        (302, ""),
        (201, {"dealReference": "o_1"}),
    ],
)
async def test_an_answer_that_proves_nothing_is_unknown_and_nothing_is_repeated(
    desk: Desk, capital: Capital, status: int, body: Any
) -> None:
    await desk.misfortune("status", POSITIONS, "POST", status=status, body=body)
    posts = await desk.count(POSITIONS, "POST")
    one, receipt = await sent(capital, order())
    assert receipt.outcome is Outcome.UNKNOWN
    assert await posts() == 0
    assert (await capital.money.find(one)).outcome is Outcome.UNKNOWN
    desk.clock.seconds += 120
    assert (await capital.money.find(one)).outcome is Outcome.NOT_SENT


@pytest.mark.parametrize("body", ["<html>", "{}", '{"dealReference": 7}', '{"dealReference":"a","dealReference":"b"}'])
async def test_f05_an_answer_that_is_none_is_unknown_told_to_the_log_and_then_found(
    desk: Desk, capital: Capital, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.misfortune("replace", POSITIONS, "POST", body=body)
    one, receipt = await sent(capital, order())
    assert receipt.outcome is Outcome.UNKNOWN
    assert "an answer about money cannot be read" in caplog.text
    assert (await capital.money.find(one)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(("field", "value"), [("size", 2), ("direction", "SELL"), ("epic", "SILVER")])
async def test_f07_what_is_confirmed_otherwise_than_approved_is_an_incident(
    desk: Desk, capital: Capital, field: str, value: Any
) -> None:
    told = {"dealStatus": "ACCEPTED", "status": "OPEN", "dealId": "x", "epic": "GOLD", "size": 1, "direction": "BUY"}
    await desk.misfortune("replace", "/confirms/", body={**told, field: value}, times=0)
    one, receipt = await sent(capital, order())
    assert (receipt.outcome, receipt.code) == (Outcome.UNKNOWN, "differs")
    evidence = await capital.money.find(replace(one, answered=receipt.reference))
    assert (evidence.outcome, evidence.differing) == (Outcome.UNKNOWN, (field,))


# the answer is lost


ACTS: dict[str, Callable[[str, str], Act]] = {
    "a market order": lambda deal, waits: order(stop="4000"),
    "an order that waits": lambda deal, waits: order(LIMIT, level="3950", stop="3900", request="dddddddddd"),
    "a close": lambda deal, waits: close(deal, symbol="GOLD", size="5"),
    "a change of a bracket": lambda deal, waits: change("position", deal, stop="4050", limit="none"),
    "a change of an order": lambda deal, waits: change("order", waits, level="3990", good_till="2024-05-20T10:00:00"),
    "an order taken back": lambda deal, waits: change("withdrawn order", waits),
}


@pytest.fixture(params=ACTS)
async def lost(request: pytest.FixtureRequest, capital: Capital) -> Act:
    """Each kind of deal, about things that are there."""
    waits = await done(capital, order(LIMIT))
    return ACTS[request.param](await the_long(capital), waits)


def method_of(act: Act) -> dict[str, str]:
    method = {ActKind.ORDER: "POST", ActKind.CLOSE: "DELETE"}.get(act.kind)
    return {"method": method or ("DELETE" if act.parameters["what"].startswith("withdrawn") else "PUT")}


async def loses(desk: Desk, act: Act, action: str) -> None:
    await desk.tell("/faults", {"action": action, "match": method_of(act)})


async def a_stranger(desk: Desk) -> Capital:
    """The same login after a restart: nothing is remembered."""
    return desk.link()


async def test_a_deal_that_was_done_is_found_after_a_restart(desk: Desk, capital: Capital, lost: Act) -> None:
    await capital.money._sessions.ticket()
    async with capital.money.turn():
        one = await capital.money.prepare(lost)
        await loses(desk, lost, "reset")
        receipt = await capital.money.send(one)
    assert receipt.outcome is Outcome.UNKNOWN
    evidence = await (await a_stranger(desk)).money.find(one)
    assert evidence.outcome is Outcome.SUCCEEDED, evidence


async def test_a_deal_that_was_not_done_is_known_not_to_have_been_after_two_minutes(
    desk: Desk, capital: Capital, lost: Act
) -> None:
    async with capital.money.turn():
        one = await capital.money.prepare(lost)
        await loses(desk, lost, "refuse")
        receipt = await capital.money.send(one)
    assert receipt.outcome is Outcome.UNKNOWN
    later = await a_stranger(desk)
    evidence = await later.money.find(one)
    assert (evidence.outcome, evidence.alike) == (Outcome.UNKNOWN, ())
    desk.clock.seconds += 120
    assert (await later.money.find(one)).outcome is Outcome.NOT_SENT


async def test_f16_the_reply_is_lost_and_the_position_exists_once(desk: Desk, capital: Capital) -> None:
    await desk.misfortune("reset", POSITIONS, "POST")
    one, receipt = await sent(capital, order())
    assert receipt.outcome is Outcome.UNKNOWN
    evidence = await capital.money.find(one)
    assert (evidence.outcome, evidence.detail) == (Outcome.SUCCEEDED, f"found as {evidence.reference}")
    assert await gold(capital) == [("BUY", 5), ("BUY", 1)]
    entries = (await desk.control.get("/ledger")).json()["entries"]
    assert len(entries) == 1


async def test_lists_that_are_late_are_waited_for(desk: Desk, capital: Capital) -> None:
    """Positions half a minute late, and activity a minute: what is not seen yet is not taken for not done."""
    await desk.tell("/options", {"listing_delay_ms": 30_000, "activity_delay_ms": 60_000})
    await desk.misfortune("reset", POSITIONS, "POST")
    one, _ = await sent(capital, order())
    assert (await capital.money.find(one)).outcome is Outcome.UNKNOWN
    desk.clock.seconds += 31
    assert (await capital.money.find(one)).outcome is Outcome.SUCCEEDED


async def test_a_position_that_was_closed_again_is_found_in_activity(desk: Desk, capital: Capital) -> None:
    await desk.misfortune("reset", POSITIONS, "POST")
    one, _ = await sent(capital, order(stop="4100"))
    await desk.tell("/price", {"epic": "GOLD", "bid": "4090.00", "offer": "4090.50"})
    assert await gold(capital) == [("BUY", 5)]
    desk.clock.seconds += 300
    assert (await capital.money.find(one)).outcome is Outcome.SUCCEEDED


async def test_an_order_that_was_filled_meanwhile_is_found_in_activity(desk: Desk, capital: Capital) -> None:
    await desk.misfortune("reset", ORDERS, "POST")
    one, _ = await sent(capital, order(LIMIT))
    await desk.tell("/price", {"epic": "GOLD", "bid": "3999.00", "offer": "3999.50"})
    assert await waiting(capital) == []
    assert (await capital.money.find(one)).outcome is Outcome.SUCCEEDED


async def test_of_two_that_are_alike_neither_is_taken_for_ours(desk: Desk, capital: Capital) -> None:
    await desk.misfortune("reset", POSITIONS, "POST")
    one, _ = await sent(capital, order())
    other = await done(desk.link(), order(request="eeeeeeeeee"))  # by another program, say
    evidence = await capital.money.find(one)
    assert evidence.outcome is Outcome.UNKNOWN
    assert len(evidence.alike) == 2
    assert other in evidence.alike


async def test_what_is_known_to_be_another_act_of_ours_is_not_taken_for_this_one(desk: Desk, capital: Capital) -> None:
    await desk.misfortune("refuse", POSITIONS, "POST")
    one, _ = await sent(capital, order())
    await done(capital, order(request="eeeeeeeeee"))
    evidence = await capital.money.find(one)
    assert (evidence.outcome, evidence.alike) == (Outcome.UNKNOWN, ())


async def test_what_came_long_after_is_not_taken_for_ours(desk: Desk, capital: Capital) -> None:
    await desk.misfortune("refuse", POSITIONS, "POST")
    one, _ = await sent(capital, order())
    desk.clock.seconds += 180
    await done(desk.link(), order(request="eeeeeeeeee"))
    assert (await capital.money.find(one)).outcome is Outcome.NOT_SENT


async def test_an_opposite_order_that_may_have_consumed_a_position_is_for_a_person(
    desk: Desk, capital: Capital
) -> None:
    deal = await the_long(capital)
    await desk.misfortune("reset", POSITIONS, "POST")
    one, _ = await sent(capital, order(direction="sell", size="2"))
    desk.clock.seconds += 300
    evidence = await capital.money.find(one)
    assert evidence.outcome is Outcome.UNKNOWN
    assert deal in evidence.alike


async def test_a_rejection_nobody_heard_of_is_found_in_activity(desk: Desk, capital: Capital) -> None:
    await desk.tell("/reject", {"reason": "RISK_CHECK"})
    await desk.misfortune("reset", POSITIONS, "POST")
    one, _ = await sent(capital, order())
    assert (await capital.money.find(one)).outcome is Outcome.UNKNOWN, "it might be somebody else's"
    desk.clock.seconds += 120
    assert (await capital.money.find(one)).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("bid", "said"), [("4000.00", "was closed by its stop"), ("4300.00", "was closed by its limit")]
)
async def test_a_position_that_its_stop_or_limit_closed_was_not_closed_by_us(
    desk: Desk, capital: Capital, bid: str, said: str
) -> None:
    one, _ = await refused_close(desk, capital)
    await desk.tell("/price", {"epic": "GOLD", "bid": bid, "offer": f"{Decimal(bid) + 1}"})
    evidence = await capital.money.find(one)
    assert (evidence.outcome, evidence.detail) == (Outcome.ALREADY_DECIDED, said)


async def refused_close(desk: Desk, capital: Capital) -> tuple[Prepared, Receipt]:
    deal = await the_long(capital)
    await desk.misfortune("refuse", f"{POSITIONS}/{deal}", "DELETE")
    return await sent(capital, close(deal))


async def test_an_order_that_was_filled_first_was_not_taken_back_by_us(desk: Desk, capital: Capital) -> None:
    deal = await done(capital, order(LIMIT))
    await desk.misfortune("refuse", f"{ORDERS}/{deal}", "DELETE")
    one, _ = await sent(capital, change("withdrawn order", deal))
    await desk.tell("/price", {"epic": "GOLD", "bid": "3999.00", "offer": "3999.50"})
    evidence: Evidence = await capital.money.find(one)
    assert (evidence.outcome, evidence.detail) == (Outcome.ALREADY_DECIDED, "was filled")


async def test_a_bracket_that_somebody_else_changed_since_is_for_a_person(desk: Desk, capital: Capital) -> None:
    deal = await the_long(capital)
    await desk.misfortune("refuse", f"{POSITIONS}/{deal}", "PUT")
    one, _ = await sent(capital, change("position", deal, stop="4050"))
    await done(desk.link(), change("position", deal, stop="4020"))
    desk.clock.seconds += 120
    assert (await capital.money.find(one)).outcome is Outcome.UNKNOWN
