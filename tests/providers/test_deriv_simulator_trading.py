"""Proposals, purchases and open contracts of Deriv's simulator, from outside; the clock stands on a Wednesday noon."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.deriv_desk import NOON, RISE, Desk, HandClock, Line, a_desk, balance_of

COIN = {**RISE, "symbol": "cryBTCUSD"}
"""Its price moves from tick to tick, unlike that of `RISE`."""


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with a_desk(HandClock()) as one:
        yield one


async def a_contract(line: Line, **more: Any) -> Any:
    return (await line.ask(buy=1, price=10, parameters=RISE, **more))["buy"]["contract_id"]


async def test_a_proposal_is_bought_once_and_for_a_minute(desk: Desk) -> None:
    line = await desk.login()
    offered = (await line.ask(proposal=1, **RISE))["proposal"]
    assert (offered["ask_price"], offered["payout"], offered["display_value"]) == (10, Decimal("19.54"), "10.00")
    assert (offered["date_start"], offered["date_expiry"]) == (NOON, NOON + 300)
    bought = (await line.ask(buy=offered["id"], price=10))["buy"]
    assert (bought["buy_price"], bought["payout"]) == (10, Decimal("19.54"))
    assert await line.code(buy=offered["id"], price=10) == "InvalidContractProposal"
    late = (await line.ask(proposal=1, **RISE))["proposal"]["id"]
    desk.clock.pass_by(60)
    assert await line.code(buy=late, price=10) == "InvalidContractProposal"
    assert await (await desk.login()).code(buy=late, price=10) == "InvalidContractProposal"


async def test_a_price_that_moves_is_streamed_and_buying_ends_its_stream(desk: Desk) -> None:
    line = await desk.login()
    first = await line.ask(proposal=1, **COIN, subscribe=1, req_id=4)
    assert first["proposal"]["id"] == first["subscription"]["id"]
    assert await line.code(proposal=1, **COIN, subscribe=1) == "AlreadySubscribed"
    desk.clock.pass_by(1)
    told = await line.next()
    assert (told["req_id"], told["proposal"]["spot_time"]) == (4, NOON + 1)
    assert told["proposal"]["payout"] != first["proposal"]["payout"]
    desk.clock.pass_by(90)
    assert (await line.until("proposal"))["proposal"]["id"] == first["proposal"]["id"]
    bought = await line.ask(buy=first["proposal"]["id"], price=10)
    assert bought["buy"]["buy_price"] == 10
    assert (await line.ask(forget_all="proposal"))["forget_all"] == []


async def test_at_the_money_on_an_index_the_price_stands_and_nothing_is_streamed(desk: Desk) -> None:
    line = await desk.line()
    assert "subscription" not in await line.ask(proposal=1, **RISE, subscribe=1)
    assert "subscription" in await line.ask(proposal=1, **RISE, barrier="+1.5", subscribe=1)


async def test_five_proposals_are_streamed_at_once(desk: Desk) -> None:
    line = await desk.line()
    for amount in range(1, 6):
        assert "error" not in await line.ask(proposal=1, **{**COIN, "amount": amount}, subscribe=1)
    assert await line.code(proposal=1, **COIN, subscribe=1) == "RateLimit"
    assert "error" not in await line.ask(proposal=1, **COIN)


async def test_a_price_above_what_one_would_pay_has_moved(desk: Desk) -> None:
    line = await desk.login()
    wanted = {**COIN, "basis": "payout", "amount": 100}
    offered = (await line.ask(proposal=1, **wanted))["proposal"]
    assert await line.code(buy=offered["id"], price=str(offered["ask_price"] - Decimal("0.01"))) == "PriceMoved"
    bought = (await line.ask(buy=offered["id"], price=str(offered["ask_price"])))["buy"]
    assert (bought["buy_price"], bought["payout"]) == (offered["ask_price"], 100)


async def test_a_barrier_is_a_price_or_a_distance_and_decides_the_end(desk: Desk) -> None:
    line = await desk.login()
    await desk.post("price", {"symbol": "R_100", "quote": "1500.00"})
    offered = [
        (await line.ask(buy=1, price=10, parameters={**RISE, "barrier": barrier}))["buy"]
        for barrier in ("+3.00", "1503.01")
    ]
    assert all(each["payout"] > Decimal("19.54") for each in offered)  # less likely than at the money
    assert "strictly higher than 1503.00 at 5 minutes" in offered[0]["longcode"]
    desk.clock.pass_by(295)
    await desk.post("hold", {"symbol": "R_100"})
    await desk.post("price", {"symbol": "R_100", "quote": "1503.01"})
    desk.clock.pass_by(10)
    rows = (await line.ask(profit_table=1, description=1, limit=2, sort="DESC"))["profit_table"]["transactions"]
    assert [(row["contract_id"], row["sell_price"]) for row in rows] == [
        (offered[1]["contract_id"], 0),
        (offered[0]["contract_id"], offered[0]["payout"]),
    ]


async def test_a_contract_may_run_for_ticks(desk: Desk) -> None:
    line = await desk.login()
    wanted = {**RISE, "duration": 5, "duration_unit": "t", "contract_type": "PUTE"}
    bought = (await line.ask(buy=1, price=10, parameters=wanted))["buy"]
    assert "lower than or equal to entry spot at 5 ticks" in bought["longcode"]
    told = (await line.ask(proposal_open_contract=1, contract_id=bought["contract_id"]))["proposal_open_contract"]
    assert (told["tick_count"], told["date_expiry"]) == (5, NOON + 12)


async def test_an_open_contract_is_followed_to_its_end(desk: Desk) -> None:
    line = await desk.login()
    contract = await a_contract(line)
    first = await line.ask(proposal_open_contract=1, contract_id=contract, subscribe=1, req_id=6)
    state = first["proposal_open_contract"]
    assert (state["status"], state["is_valid_to_sell"], state["profit"]) == ("open", 1, state["bid_price"] - 10)
    assert await line.code(proposal_open_contract=1, contract_id=contract, subscribe=1) == "AlreadySubscribed"
    await desk.post("move", {"symbol": "R_100", "percent": 5})
    told = await line.next()
    assert (told["req_id"], told["subscription"]) == (6, first["subscription"])
    assert told["proposal_open_contract"]["bid_price"] > state["bid_price"]
    desk.clock.pass_by(304)
    while not (told := await line.next())["proposal_open_contract"]["is_sold"]:
        pass
    last = told["proposal_open_contract"]
    assert (last["status"], last["sell_price"], last["is_expired"]) == ("won", Decimal("19.54"), 1)
    assert last["transaction_ids"]["sell"] > last["transaction_ids"]["buy"]
    assert (await line.ask(forget_all="proposal_open_contract"))["forget_all"] == []  # it ended by itself
    assert "subscription" not in await line.ask(proposal_open_contract=1, contract_id=contract, subscribe=1)


async def test_a_purchase_can_be_followed_at_once(desk: Desk) -> None:
    line = await desk.login()
    reply = await line.ask(buy=1, price=10, parameters=RISE, subscribe=1, req_id=8)
    told = await line.next()
    assert (reply["msg_type"], told["msg_type"], told["req_id"]) == ("buy", "proposal_open_contract", 8)
    assert told["subscription"] == reply["subscription"]
    await line.send(sell=reply["buy"]["contract_id"], price=0, req_id=9)
    sold, last = await line.next(), (await line.next())["proposal_open_contract"]
    assert (last["status"], last["sell_price"]) == ("sold", sold["sell"]["sold_for"])


async def test_all_open_contracts_are_followed_and_new_ones_join(desk: Desk) -> None:
    line, other = await desk.login(), await desk.login()
    opened = [row["contract_id"] for row in (await line.ask(portfolio=1))["portfolio"]["contracts"]]
    await line.send(proposal_open_contract=1, subscribe=1)
    first = [(await line.next())["proposal_open_contract"] for _ in opened]
    assert [each["contract_id"] for each in first] == opened
    refused = await line.ask(proposal_open_contract=1, subscribe=1)
    assert refused["error"] == {"code": "AlreadySubscribed", "message": "proposal_open_contract"}
    joined = await a_contract(other)
    assert (await line.next())["proposal_open_contract"]["contract_id"] == joined
    await other.ask(sell=joined, price=0)
    assert (await line.next())["proposal_open_contract"]["status"] == "sold"
    assert len((await line.ask(forget_all="proposal_open_contract"))["forget_all"]) == 1


async def test_with_nothing_open_the_answer_is_empty_and_strangers_see_nothing(desk: Desk) -> None:
    line, stranger = await desk.login(), await desk.line()
    await stranger.ask(authorize=await desk.token_of("CR900010"))
    reply = await stranger.ask(proposal_open_contract=1, subscribe=1)
    assert reply["proposal_open_contract"] == {}
    assert reply["subscription"]["id"]
    assert await stranger.code(proposal_open_contract=1, contract_id=await a_contract(line)) == "ContractNotFound"


async def test_what_has_expired_is_settled_on_demand(desk: Desk) -> None:
    line = await desk.login()
    await a_contract(line)
    before = await balance_of(line)
    assert (await line.ask(sell_expired=1))["sell_expired"] == {"count": 0}
    await desk.post("price", {"symbol": "R_100", "quote": "9000"})
    desk.clock.pass_by(300)
    assert (await line.ask(sell_expired=1))["sell_expired"] == {"count": 1}
    assert await balance_of(line) == before + Decimal("19.54")


async def test_the_profit_table_pages_sorts_filters_and_agrees_with_the_statement(desk: Desk) -> None:
    line = await desk.login()
    closed = (await line.ask(profit_table=1))["profit_table"]
    assert closed["count"] == 2  # bought eleven and six days ago
    contract = await a_contract(line)
    await line.ask(sell=contract, price=0)
    newest = (await line.ask(profit_table=1, limit=1, description=1))["profit_table"]["transactions"][0]
    rows = (await line.ask(statement=1, limit=2))["statement"]["transactions"]
    assert (newest["contract_id"], newest["sell_price"], -newest["buy_price"]) == (
        contract,
        rows[0]["amount"],
        rows[1]["amount"],
    )
    assert newest["transaction_id"] == rows[0]["reference_id"]

    async def ids(**asked: Any) -> list[int]:
        table = (await line.ask(profit_table=1, **asked))["profit_table"]["transactions"]
        return [row["contract_id"] for row in table]

    every = await ids(sort="ASC")
    assert every == (await ids())[::-1]
    assert await ids(offset=1, limit=1) == [every[1]]
    assert await ids(contract_type=["PUT"]) == [every[1]]
    assert await ids(date_from=str(NOON)) == [contract]
    assert await ids(date_to="2026-03-04") == every[1::-1]  # the day's first second
    assert await line.code(profit_table=1, date_from="2026-02-30") == "InputValidationFailed"


async def test_what_can_be_bought_on_a_symbol_is_told(desk: Desk) -> None:
    line = await desk.line()
    told = (await line.ask(contracts_for="R_100", currency="BTC"))["contracts_for"]
    assert told["hit_count"] == len(told["available"])
    assert {each["contract_type"] for each in told["available"]} == {"CALL", "PUT", "CALLE", "PUTE"}
    assert await line.code(contracts_for="NOPE") == "InvalidSymbol"


async def test_contracts_and_their_end_outlive_a_restart(tmp_path: Path) -> None:
    clock, file = HandClock(), tmp_path / "deriv.json"
    async with a_desk(clock, file) as desk:
        line = await desk.login()
        contract = await a_contract(line)
        await desk.post("price", {"symbol": "R_100", "quote": "9000"})
        ahead = (await desk.post("clock", {"seconds": 100})).json()
        assert ahead == {"ahead": 100.0, "time": NOON + 100}
    async with a_desk(clock, file, seed=99) as desk:
        assert (await (await desk.line()).ask(time=1))["time"] == NOON + 100
        await desk.post("clock", {"seconds": 204})
        line = await desk.login()
        told = (await line.ask(proposal_open_contract=1, contract_id=contract))["proposal_open_contract"]
        assert (told["status"], told["sell_price"]) == ("won", Decimal("19.54"))
