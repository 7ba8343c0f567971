"""Deriv's simulator over real sockets, with plain websockets and httpx; expected figures are worked out by hand.

The opening: CR900001 with 12,500.00 + 4,200.50 paid in and 600.00 staked, CR900002 with 0.185 − 0.002 BTC, and the demo
account VRTC900001 with 10,000.00 − 65.00; what was won in between depends on the seed, so the tests count from what
they read first. The clock stands on a Wednesday noon.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import websockets

from bot.providers.deriv.simulator import make
from tests.support.deriv_desk import NOON, RISE, Desk, HandClock, Line, a_desk, balance_of


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with a_desk(HandClock()) as one:
        yield one


# The door


async def test_without_an_app_number_the_handshake_is_401(desk: Desk) -> None:
    for query in ("", "l=EN", "app_id=0", "app_id=", "app_id=abc", "app_id=-1", "app_id=٣"):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await desk.line(query)
        assert refused.value.response.status_code == 401, query


async def test_an_unknown_app_is_let_in_and_every_call_refused(desk: Desk) -> None:
    line = await desk.line("app_id=999999")
    assert await line.code(ping=1) == "InvalidAppID"
    assert await line.code(authorize=desk.key["token"]) == "InvalidAppID"


async def test_a_silent_connection_is_closed_and_a_talking_one_kept(desk: Desk) -> None:
    assert (await desk.post("idle", {"seconds": 0.4})).status_code == 200
    silent, talking = await desk.line(), await desk.line()
    closing = asyncio.create_task(silent.socket.wait_closed())
    async with asyncio.timeout(5):
        while not closing.done():
            assert (await talking.ask(ping=1))["ping"] == "pong"
            await asyncio.sleep(0.05)
    assert silent.socket.close_code == 1000
    assert (await talking.ask(ping=1))["ping"] == "pong"


# Frames


UNREADABLE: list[tuple[str | bytes, str]] = [
    ("", "BadRequest"),
    ("{", "BadRequest"),
    ("[]", "BadRequest"),
    ('"ping"', "BadRequest"),
    ("null", "BadRequest"),
    ('{"ping":1,"ping":1}', "BadRequest"),
    ('{"ping":NaN}', "BadRequest"),
    ('{"ping":1e9999999999999999999}', "BadRequest"),
    ("[" * 5000, "BadRequest"),
    ('{"ping":1,"passthrough":{"a":"\\ud800"}}', "BadRequest"),
    (b"\xff\xfe", "BadRequest"),
    ("{}", "UnrecognisedRequest"),
    ('{"proposal_array":1}', "UnrecognisedRequest"),
    ('{"pi ng":1}', "SanityCheckFailed"),
    ('{"passthrough":{"a b":1},"ping":1}', "SanityCheckFailed"),
    ('{"ping":1,"passthrough":{"a":"' + "x" * 301 + '"}}', "SanityCheckFailed"),
    ('{"ping":1,"passthrough":{"a":"\\ue000"}}', "SanityCheckFailed"),
]


async def test_a_frame_that_cannot_be_read_is_refused_and_the_connection_lives(desk: Desk) -> None:
    line = await desk.line()
    for frame, code in UNREADABLE:
        reply = await line.raw(frame)
        assert (reply["msg_type"], reply["error"]["code"]) == ("error", code), frame
        assert (await line.ask(ping=1))["ping"] == "pong", frame


async def test_binary_frames_trailing_newlines_and_numeric_texts_pass(desk: Desk) -> None:
    line = await desk.line()
    assert (await line.raw(b'{"ping":1}'))["ping"] == "pong"
    assert (await line.raw('{"ping":1}\n'))["ping"] == "pong"
    assert (await line.raw('{"ping":"1","req_id":"9"}'))["req_id"] == 9


async def test_the_reply_carries_the_request_its_number_and_what_was_passed_through(desk: Desk) -> None:
    line = await desk.line()
    reply = await line.ask(time=1, req_id=31, passthrough={"who": "desk", "n": 1.5})
    assert reply == {
        "echo_req": {"time": 1, "req_id": 31, "passthrough": {"who": "desk", "n": Decimal("1.5")}},
        "msg_type": "time",
        "req_id": 31,
        "passthrough": {"who": "desk", "n": Decimal("1.5")},
        "time": NOON,
    }


async def test_two_call_names_are_read_the_same_way_in_either_order(desk: Desk) -> None:
    line = await desk.line()
    first, second = await line.raw('{"ping":1,"time":1}'), await line.raw('{"time":1,"ping":1}')
    assert first["msg_type"] == second["msg_type"]
    assert first["error"]["code"] == second["error"]["code"] == "InputValidationFailed"


MISSHAPEN = [
    ('{"ping":2}', "ping"),
    ('{"ping":true}', "ping"),
    ('{"ping":1.0}', "ping"),
    ('{"ping":null}', "ping"),
    ('{"ping":[1]}', "ping"),
    ('{"ping":1,"req_id":"x"}', "req_id"),
    ('{"ping":1,"req_id":99999999999999999999}', "req_id"),
    ('{"ping":1,"passthrough":7}', "passthrough"),
    ('{"forget":"short"}', "forget"),
    ('{"forget_all":"everything"}', "forget_all"),
    ('{"forget_all":["ticks","everything"]}', "forget_all"),
    ('{"ticks":"R-100"}', "ticks"),
    ('{"ticks":"R_100","subscribe":0}', "subscribe"),
    ('{"transaction":1}', "subscribe"),
    ('{"balance":1,"account":"everyone"}', "account"),
    ('{"balance":1,"loginid":"123"}', "loginid"),
    ('{"portfolio":1,"contract_type":["CALL","CALL"]}', "contract_type"),
    ('{"statement":1,"limit":1000}', "limit"),
    ('{"statement":1,"date_from":-1}', "date_from"),
    ('{"authorize":"no spaces"}', "authorize"),
    ('{"buy":1,"price":-1}', "price"),
    ('{"buy":"abc","price":1}', "buy"),
    ('{"buy":1,"price":1,"parameters":{"symbol":"R_100","currency":"USD"}}', "parameters/contract_type"),
    ('{"sell":"x","price":0}', "sell"),
]


async def test_a_field_of_the_wrong_shape_is_named(desk: Desk) -> None:
    line = await desk.line()
    for frame, name in MISSHAPEN:
        error = (await line.raw(frame))["error"]
        assert error["code"] == "InputValidationFailed", frame
        assert name in error["details"], frame
        assert name in error["message"], frame


async def test_a_key_the_call_does_not_know_is_refused(desk: Desk) -> None:
    error = (await (await desk.line()).ask(ping=1, subscribe=1))["error"]
    assert error == {
        "code": "InputValidationFailed",
        "message": "Input validation failed: Properties not allowed: subscribe.",
        "details": {},
    }


async def test_shape_is_examined_before_login(desk: Desk) -> None:
    line = await desk.line()
    assert await line.code(balance=5) == "InputValidationFailed"
    assert await line.code(balance=1) == "AuthorizationRequired"


# Logging in


async def test_authorize_tells_who_one_is_and_hides_the_token(desk: Desk) -> None:
    line = await desk.line()
    reply = await line.ask(authorize=desk.key["token"], req_id=1)
    assert reply["echo_req"] == {"authorize": "<not shown>", "req_id": 1}
    assert desk.key["token"] not in json.dumps(reply, default=str)
    who = reply["authorize"]
    assert (who["loginid"], who["currency"], who["is_virtual"]) == ("CR900001", "USD", 0)
    assert who["scopes"] == ["read", "trade", "trading_information", "payments", "admin"]
    assert [a["loginid"] for a in who["account_list"]] == ["CR900001", "CR900002", "VRTC900001"]
    assert who["balance"] == await balance_of(line)


async def test_a_wrong_token_is_refused_unseen_and_the_connection_lives(desk: Desk) -> None:
    line = await desk.line()
    reply = await line.ask(authorize="NotAToken123456")
    assert (reply["error"]["code"], reply["msg_type"]) == ("InvalidToken", "authorize")
    assert "NotAToken123456" not in json.dumps(reply)
    assert "NotA Token" not in json.dumps(await line.ask(authorize="NotA Token"))
    assert await line.code(balance=1) == "AuthorizationRequired"


async def test_the_reading_token_reads_and_may_not_trade(desk: Desk) -> None:
    line = await desk.login("token_read")
    assert "error" not in await line.ask(portfolio=1)
    error = (await line.ask(buy=1, price=10, parameters=RISE))["error"]
    assert error == {"code": "PermissionDenied", "message": "Permission denied, requires trade scope."}


async def test_a_token_without_reading_scopes_may_not_read(desk: Desk) -> None:
    tokens = (await desk.get("tokens"))["tokens"]
    line = await desk.line()
    await line.ask(authorize=next(t["token"] for t in tokens if t["scopes"] == ["payments"]))
    error = (await line.ask(balance=1))["error"]
    assert error["message"] == "Permission denied, requires read or trading_information scope."


async def test_an_oauth_token_is_bound_to_its_app_and_an_api_token_is_not(desk: Desk) -> None:
    line = await desk.line("app_id=1089")
    assert await line.code(authorize=desk.key["token_oauth"]) == "InvalidToken"
    assert "error" not in await line.ask(authorize=desk.key["token"])


async def test_several_tokens_open_several_accounts_by_loginid(desk: Desk) -> None:
    line = await desk.line()
    reply = await line.ask(authorize=desk.key["token"], tokens=[await desk.token_of("CR900002")])
    assert reply["echo_req"]["tokens"] == "<not shown>"
    assert (await line.ask(balance=1))["balance"]["loginid"] == "CR900001"
    assert (await line.ask(balance=1, loginid="CR900002"))["balance"]["currency"] == "BTC"
    assert await line.code(balance=1, loginid="VRTC900001") == "PermissionDenied"


async def test_multi_opens_accounts_without_a_main_one(desk: Desk) -> None:
    line = await desk.line()
    bitcoin = await desk.token_of("CR900002")
    assert (await line.ask(authorize="MULTI", tokens=[bitcoin]))["authorize"]["loginid"] == "CR900002"
    assert await line.code(balance=1) == "AuthorizationRequired"
    assert (await line.ask(balance=1, loginid="CR900002"))["balance"]["loginid"] == "CR900002"
    assert await (await desk.line()).code(authorize="MULTI") == "InvalidToken"


async def test_tokens_of_different_people_do_not_mix(desk: Desk) -> None:
    line = await desk.line()
    assert await line.code(authorize=desk.key["token"], tokens=[await desk.token_of("CR900777")]) == "InvalidToken"
    assert await line.code(authorize=desk.key["token"], tokens=["x"] * 26) == "InputValidationFailed"


async def test_another_token_switches_the_account_and_ends_account_streams_only(desk: Desk) -> None:
    line = await desk.login()
    await line.ask(balance=1, subscribe=1)
    ticks = await line.ask(ticks="R_100", subscribe=1)
    await line.ask(authorize=await desk.token_of("VRTC900001"))
    assert (await line.ask(balance=1))["balance"]["loginid"] == "VRTC900001"
    await desk.post("deposit", {"loginid": "CR900001", "amount": "5"})
    assert (await line.ask(forget_all=["balance", "ticks"]))["forget_all"] == [ticks["subscription"]["id"]]


async def test_logout_makes_anonymous_and_spends_only_an_oauth_token(desk: Desk) -> None:
    for which, still_good in (("token", True), ("token_oauth", False)):
        line = await desk.login(which)
        await line.ask(balance=1, subscribe=1)
        assert (await line.ask(logout=1))["logout"] == 1
        assert await line.code(balance=1) == "AuthorizationRequired"
        assert (await line.ask(forget_all="balance"))["forget_all"] == []
        assert ("error" not in await line.ask(authorize=desk.key[which])) is still_good
    assert (await (await desk.line()).ask(logout=1))["logout"] == 1


async def test_a_token_expired_from_outside_stops_calls_streams_and_logins(desk: Desk) -> None:
    line = await desk.login()
    await line.ask(balance=1, subscribe=1, req_id=8)
    assert (await desk.post("expire-token", {"token": desk.key["token"]})).status_code == 200
    ended = await line.next()
    assert (ended["req_id"], ended["error"]["code"]) == (8, "InvalidToken")
    assert await line.code(balance=1) == "InvalidToken"
    assert await (await desk.line()).code(authorize=desk.key["token"]) == "InvalidToken"
    assert "error" not in await (await desk.line()).ask(authorize=desk.key["token_read"])


async def test_connections_and_logins_are_counted(desk: Desk) -> None:
    assert await desk.get("connections") == {"count": 0, "authorizations": 0, "streams": 0}
    line = await desk.login()
    await line.ask(authorize="wrong")
    await line.ask(ticks="R_100", subscribe=1)
    assert await desk.get("connections") == {"count": 1, "authorizations": 1, "streams": 1}
    await line.socket.close()

    async with asyncio.timeout(5):
        while (await desk.get("connections"))["count"]:
            pass


# Balances


async def test_only_the_oauth_token_sees_all_balances_or_another_accounts(desk: Desk) -> None:
    plain, oauth = await desk.login(), await desk.login("token_oauth")
    assert await plain.code(balance=1, account="all") == "PermissionDenied"
    assert await plain.code(balance=1, account="CR900002") == "PermissionDenied"
    assert (await plain.ask(balance=1, account="CR900001"))["balance"]["loginid"] == "CR900001"
    assert (await oauth.ask(balance=1, account="CR900002"))["balance"]["loginid"] == "CR900002"
    assert await oauth.code(balance=1, account="CR900777") == "PermissionDenied"


async def test_all_balances_are_summed_real_and_demo_apart(desk: Desk) -> None:
    line = await desk.login("token_oauth")
    rate = (await line.ask(ticks="cryBTCUSD"))["tick"]["quote"]
    whole = (await line.ask(balance=1, account="all"))["balance"]
    accounts, total = whole["accounts"], whole["total"]
    assert set(accounts) == {"CR900001", "CR900002", "VRTC900001"}
    assert accounts["CR900002"]["balance"] == Decimal("0.183")
    assert accounts["CR900002"]["converted_amount"] == (Decimal("0.183") * rate).quantize(Decimal("0.01"))
    assert accounts["VRTC900001"]["demo_account"] == 1
    assert total["deriv"]["amount"] == whole["balance"] + accounts["CR900002"]["converted_amount"]
    assert total["deriv_demo"] == {"amount": accounts["VRTC900001"]["balance"], "currency": "USD"}
    assert (whole["loginid"], total["mt5"]["amount"]) == ("CR900001", 0)


async def test_a_deposit_shows_in_balance_statement_ledger_and_on_every_stream(desk: Desk) -> None:
    line, all_line = await desk.login(), await desk.login("token_oauth")
    before = await balance_of(line)
    first = await line.ask(balance=1, subscribe=1, req_id=2)
    assert first["balance"]["id"] == first["subscription"]["id"]
    opened = await line.ask(transaction=1, subscribe=1, req_id=3, passthrough={"a": 1})
    assert opened["transaction"] == {"id": opened["subscription"]["id"]}
    await all_line.ask(balance=1, account="all", subscribe=1)

    answer = (await desk.post("deposit", {"loginid": "CR900001", "amount": "250.75"})).json()

    told = {message["msg_type"]: message for message in (await line.next(), await line.next())}
    assert told["balance"]["balance"]["balance"] == before + Decimal("250.75")
    assert (told["balance"]["req_id"], told["balance"]["subscription"]) == (2, first["subscription"])
    moved = told["transaction"]
    assert (moved["req_id"], moved["passthrough"]) == (3, {"a": 1})
    assert moved["transaction"] == {
        "action": "deposit",
        "amount": Decimal("250.75"),
        "balance": before + Decimal("250.75"),
        "currency": "USD",
        "id": opened["subscription"]["id"],
        "transaction_id": answer["transaction_id"],
        "transaction_time": NOON,
    }
    assert (await all_line.next())["balance"]["accounts"]["CR900001"]["balance"] == before + Decimal("250.75")
    assert await balance_of(line) == before + Decimal("250.75")
    row = (await line.ask(statement=1, limit=1, description=1))["statement"]["transactions"][0]
    assert (row["action_type"], row["amount"], row["longcode"]) == ("deposit", Decimal("250.75"), "Bank wire")
    assert (row["transaction_id"], row["balance_after"]) == (answer["transaction_id"], before + Decimal("250.75"))
    (entry,) = (await desk.get("ledger"))["entries"]
    assert entry == {
        "id": str(answer["transaction_id"]),
        "kind": "deposit",
        "from": "cashier",
        "to": "CR900001",
        "amount": "250.75",
        "currency": "USD",
        "reference": str(answer["transaction_id"]),
        "at_ms": NOON * 1000,
    }


async def test_a_deposit_that_makes_no_sense_changes_nothing(desk: Desk) -> None:
    line = await desk.login()
    before = await balance_of(line)
    for amount in ("0", "-1", "1.005", "NaN", "Infinity", "1e30", "x", True, None, {"a": 1}):
        assert (await desk.post("deposit", {"loginid": "CR900001", "amount": amount})).status_code == 400, amount
    assert (await desk.post("deposit", {"loginid": "CR000000", "amount": "1"})).status_code == 400
    assert await balance_of(line) == before
    assert (await desk.get("ledger"))["entries"] == []


async def test_the_same_stream_twice_is_refused_and_the_first_goes_on(desk: Desk) -> None:
    line = await desk.login("token_oauth")
    await line.ask(balance=1, subscribe=1, req_id=1)
    assert await line.code(balance=1, subscribe=1, req_id=2) == "AlreadySubscribed"
    assert "error" not in await line.ask(balance=1, account="all", subscribe=1)
    assert "error" not in await line.ask(balance=1)
    await desk.post("deposit", {"loginid": "CR900001", "amount": "1"})
    assert {(await line.next()).get("req_id"), (await line.next()).get("req_id")} == {1, None}


async def test_forget_ends_a_stream_once_and_only_ones_own(desk: Desk) -> None:
    line, other = await desk.login(), await desk.login()
    stream = (await line.ask(transaction=1, subscribe=1))["subscription"]["id"]
    assert (await other.ask(forget=stream))["forget"] == 0
    assert (await line.ask(forget=stream))["forget"] == 1
    assert (await line.ask(forget=stream))["forget"] == 0
    await desk.post("deposit", {"loginid": "CR900001", "amount": "1"})
    assert (await line.ask(ping=1))["msg_type"] == "ping"


# The statement


async def test_the_statement_is_newest_first_paged_and_adds_up(desk: Desk) -> None:
    line = await desk.login()
    whole = (await line.ask(statement=1))["statement"]
    rows = whole["transactions"]
    assert whole["count"] == len(rows) == 8
    assert [r["transaction_id"] for r in rows] == sorted((r["transaction_id"] for r in rows), reverse=True)
    assert [r["transaction_time"] for r in rows] == sorted((r["transaction_time"] for r in rows), reverse=True)
    assert rows[0]["balance_after"] == await balance_of(line) == sum(r["amount"] for r in rows)
    assert "longcode" not in rows[0]
    page = (await line.ask(statement=1, limit=3, offset=6))["statement"]
    assert (page["count"], page["transactions"]) == (2, rows[6:])
    assert (await line.ask(statement=1, limit=0))["statement"] == {"count": 0, "transactions": []}


async def test_the_statement_is_filtered_by_action_and_half_open_time(desk: Desk) -> None:
    line = await desk.login()
    deposits = (await line.ask(statement=1, action_type="deposit"))["statement"]["transactions"]
    assert [r["amount"] for r in deposits] == [Decimal("4200.50"), Decimal("12500.00")]
    at = deposits[0]["transaction_time"]
    assert at == NOON - 12 * 86400
    assert (await line.ask(statement=1, date_from=at, date_to=at + 1))["statement"]["transactions"] == [deposits[0]]
    before = (await line.ask(statement=1, date_to=at))["statement"]["transactions"]
    assert [r["amount"] for r in before] == [Decimal("12500.00")]
    assert (await line.ask(statement=1, action_type="escrow"))["statement"]["count"] == 0


# Contracts


async def test_a_purchase_shows_everywhere_at_once(desk: Desk) -> None:
    line = await desk.login()
    before = await balance_of(line)
    held = (await line.ask(portfolio=1))["portfolio"]["contracts"]
    assert [(c["symbol"], c["buy_price"]) for c in held] == [("R_100", 250), ("R_50", 120)]
    stream = (await line.ask(transaction=1, subscribe=1))["subscription"]["id"]

    await line.send(buy=1, price=10, parameters=RISE)
    bought = (await line.until("buy"))["buy"]

    assert (bought["buy_price"], bought["payout"]) == (10, Decimal("19.54"))
    assert (bought["balance_after"], bought["purchase_time"]) == (before - 10, NOON)
    assert bought["shortcode"] == f"CALL_R_100_19.54_{NOON}_{NOON + 300}_S0P_0"
    told = (await line.until("transaction"))["transaction"]
    assert (told["id"], told["action"], told["amount"], told["balance"]) == (stream, "buy", -10, before - 10)
    assert (told["contract_id"], told["symbol"], told["barrier"]) == (bought["contract_id"], "R_100", "S0P")
    assert await balance_of(line) == before - 10
    newest = (await line.ask(portfolio=1))["portfolio"]["contracts"][-1]
    assert (newest["contract_id"], newest["expiry_time"]) == (bought["contract_id"], NOON + 300)
    assert (newest["transaction_id"], newest["app_id"]) == (bought["transaction_id"], int(desk.key["app_id"]))
    row = (await line.ask(statement=1, limit=1))["statement"]["transactions"][0]
    assert (row["action_type"], row["contract_id"], row["amount"]) == ("buy", bought["contract_id"], -10)
    (entry,) = (await desk.get("ledger"))["entries"]
    assert (entry["kind"], entry["from"], entry["amount"]) == ("buy", "CR900001", "10.00")
    assert entry["reference"] == str(bought["contract_id"])


async def test_a_payout_can_be_named_instead_of_a_stake(desk: Desk) -> None:
    line = await desk.login()
    wanted = {**RISE, "amount": "100", "basis": "payout", "contract_type": "PUT"}
    bought = (await line.ask(buy="1", price=60, parameters=wanted))["buy"]
    assert (bought["payout"], bought["buy_price"]) == (100, Decimal("51.18"))
    puts = (await line.ask(portfolio=1, contract_type=["PUT"]))["portfolio"]["contracts"]
    assert [c["contract_type"] for c in puts] == ["PUT", "PUT"]


NOT_OFFERED: list[tuple[dict[str, Any], str]] = [
    ({"symbol": "R_999"}, "InvalidSymbol"),
    ({"currency": "EUR"}, "NotDefaultCurrency"),
    ({"contract_type": "DIGITODD"}, "OfferingsValidationError"),
    ({"multiplier": 10}, "OfferingsValidationError"),
    ({"barrier": "+0.555"}, "BarrierValidationError"),
    ({"barrier": "-1000"}, "BarrierValidationError"),
    ({"amount": 0}, "InvalidAmount"),
    ({"amount": "10.005"}, "InvalidAmount"),
    ({"amount": "0.1"}, "ContractBuyValidationError"),
    ({"amount": 40000}, "ContractBuyValidationError"),
    ({"amount": "9" * 18}, "ContractBuyValidationError"),
    ({"duration": 1, "duration_unit": "s"}, "ContractBuyValidationError"),
    ({"duration": 11, "duration_unit": "t"}, "ContractBuyValidationError"),
    ({"duration": 99999999, "duration_unit": "d"}, "ContractBuyValidationError"),
    ({"date_start": NOON + 60}, "ContractBuyValidationError"),
    ({"date_expiry": NOON - 60}, "ContractBuyValidationError"),
    ({"amount": 11}, "PriceMoved"),
]


async def test_what_is_not_offered_is_refused_and_costs_nothing(desk: Desk) -> None:
    line = await desk.login()
    before = await balance_of(line)
    for change, code in NOT_OFFERED:
        assert await line.code(buy=1, price=10, parameters={**RISE, **change}) == code, change
    assert await balance_of(line) == before
    assert (await desk.get("ledger"))["entries"] == []


async def test_more_than_the_balance_cannot_be_spent(desk: Desk) -> None:
    line = await desk.login()
    spent = Decimal(0)
    while (reply := await line.ask(buy=1, price=5000, parameters={**RISE, "amount": 5000})).get("buy"):
        spent += reply["buy"]["buy_price"]
    assert reply["error"]["code"] == "InsufficientBalance"
    assert spent > 0
    assert 0 <= await balance_of(line) < 5000


async def test_other_ways_to_buy_are_refused(desk: Desk) -> None:
    line = await desk.login()
    assert await line.code(buy="a" * 36, price=10) == "InvalidContractProposal"
    assert await line.code(buy=1, price=10) == "InputValidationFailed"
    assert await line.code(buy=1, price="10.001", parameters=RISE) == "InvalidPrice"
    assert await line.code(buy=1, price=10, parameters=RISE, subscribe=0) == "InputValidationFailed"


async def test_a_contract_is_sold_back_once_at_a_price_that_follows_the_market(desk: Desk) -> None:
    line = await desk.login()
    contract = (await line.ask(buy=1, price=10, parameters=RISE))["buy"]
    before = await balance_of(line)
    await desk.post("move", {"symbol": "R_100", "percent": "0.1"})
    # spot 0.1 % above entry: chance 0.5 + 0.001 * 250 = 0.75, of 19.54 and less the margin: 14.2153…
    assert await line.code(sell=contract["contract_id"], price=15) == "PriceMoved"
    sold = (await line.ask(sell=contract["contract_id"], price=0))["sell"]
    assert abs(sold["sold_for"] - Decimal("14.21")) <= Decimal("0.02")  # the spot is rounded to its pip
    assert (sold["balance_after"], sold["reference_id"]) == (before + sold["sold_for"], contract["transaction_id"])
    assert await line.code(sell=contract["contract_id"], price=0) == "NoOpenPosition"
    held = (await line.ask(portfolio=1))["portfolio"]["contracts"]
    assert contract["contract_id"] not in [c["contract_id"] for c in held]
    row = (await line.ask(statement=1, limit=1))["statement"]["transactions"][0]
    assert (row["action_type"], row["reference_id"]) == ("sell", contract["transaction_id"])
    assert [e["kind"] for e in (await desk.get("ledger"))["entries"]] == ["buy", "sell"]


async def test_what_cannot_be_sold(desk: Desk) -> None:
    line = await desk.login()
    assert await line.code(sell=1, price=0) == "InvalidSellContractProposal"
    demo = await desk.line()
    await demo.ask(authorize=await desk.token_of("VRTC900001"))
    foreign = (await demo.ask(portfolio=1))["portfolio"]["contracts"][0]["contract_id"]
    assert await line.code(sell=foreign, price=0) == "InvalidSellContractProposal"
    own = (await line.ask(buy=1, price=10, parameters=RISE))["buy"]["contract_id"]
    desk.clock.pass_by(290)
    assert await line.code(sell=own, price=0) == "InvalidOfferings"


@pytest.mark.parametrize(("percent", "paid"), [("2", "19.54"), ("-2", "0.00")])
async def test_a_contract_ends_on_the_clock_and_pays_all_or_nothing(desk: Desk, percent: str, paid: str) -> None:
    line = await desk.login()
    contract = (await line.ask(buy=1, price=10, parameters=RISE))["buy"]
    before = await balance_of(line)
    await line.ask(transaction=1, subscribe=1)
    await desk.post("move", {"symbol": "R_100", "percent": percent})
    desk.clock.pass_by(302)
    held = (await line.ask(portfolio=1))["portfolio"]["contracts"]
    assert contract["contract_id"] in [c["contract_id"] for c in held]
    desk.clock.pass_by(1)
    told = (await line.until("transaction"))["transaction"]  # by itself: nothing was asked
    assert (told["action"], told["amount"], told["contract_id"]) == ("sell", Decimal(paid), contract["contract_id"])
    assert told["purchase_time"] == NOON
    assert await balance_of(line) == before + Decimal(paid)
    held = (await line.ask(portfolio=1))["portfolio"]["contracts"]
    assert contract["contract_id"] not in [c["contract_id"] for c in held]
    assert (await desk.get("ledger"))["entries"][-1]["amount"] == paid


async def test_a_purchase_whose_answer_is_lost_was_made_all_the_same(desk: Desk) -> None:
    line, other = await desk.login(), await desk.login()
    await desk.post("faults", {"match": {"contains": '"buy"'}, "action": "reset"})
    await line.send(buy=1, price=10, parameters=RISE)
    with pytest.raises(websockets.ConnectionClosedError):
        await line.next()
    (entry,) = (await desk.get("ledger"))["entries"]
    newest = (await other.ask(portfolio=1))["portfolio"]["contracts"][-1]
    assert (entry["kind"], entry["reference"]) == ("buy", str(newest["contract_id"]))


# Prices and the site


async def test_a_moved_price_shows_once_and_streamed(desk: Desk) -> None:
    line = await desk.line()
    first = await line.ask(ticks="1HZ100V", subscribe=1, req_id=5)
    assert first["tick"]["id"] == first["subscription"]["id"]
    moved = (await desk.post("move", {"symbol": "1HZ100V", "percent": 10})).json()
    told = await line.next()
    assert (told["msg_type"], told["req_id"], told["subscription"]) == ("tick", 5, first["subscription"])
    assert told["tick"]["quote"] == Decimal(moved["quote"]) > first["tick"]["quote"] * Decimal("1.09")
    assert (await line.ask(ticks="1HZ100V"))["tick"]["quote"] == Decimal(moved["quote"])
    assert told["tick"]["epoch"] == NOON + 1  # a second of its own: that of the tick before is taken
    desk.clock.pass_by(2)
    assert (await line.next())["tick"]["epoch"] == NOON + 2
    for bad in ({"symbol": "X", "percent": 1}, {"symbol": "R_100", "percent": "NaN"}, {"symbol": "R_100"}, []):
        assert (await desk.post("move", bad)).status_code == 400


async def test_a_list_of_symbols_starts_a_stream_each_and_fails_each(desk: Desk) -> None:
    line = await desk.line()
    await line.send(ticks=["R_100", "NOPE", "R_50"], subscribe=1, req_id=6)
    replies = [await line.next() for _ in range(3)]
    assert [r["req_id"] for r in replies] == [6, 6, 6]
    assert [r.get("tick", {}).get("symbol") for r in replies] == ["R_100", None, "R_50"]
    assert replies[1]["error"]["code"] == "InvalidSymbol"
    assert await line.code(ticks="R_50", subscribe=1) == "AlreadySubscribed"
    assert await line.code(ticks=[]) == "NoSymbolProvided"
    ended = (await line.ask(forget_all=["ticks"]))["forget_all"]
    assert ended == [replies[0]["subscription"]["id"], replies[2]["subscription"]["id"]]
    assert (await line.ask(forget_all="ticks"))["forget_all"] == []


async def test_currency_pairs_rest_at_weekends(desk: Desk) -> None:
    line = await desk.login()
    assert "error" not in await line.ask(ticks="frxEURUSD", subscribe=1, req_id=1)
    desk.clock.pass_by(2 * 86400 + 9 * 3600)  # Friday 21:00
    while "error" not in (told := await line.next()):
        pass
    assert (told["req_id"], told["error"]["code"]) == (1, "MarketIsClosed")
    assert await line.code(ticks="frxEURUSD", subscribe=1) == "MarketIsClosed"
    assert (await line.ask(ticks="frxEURUSD"))["tick"]["epoch"] == NOON + 2 * 86400 + 9 * 3600 - 1
    assert await line.code(buy=1, price=10, parameters={**RISE, "symbol": "frxEURUSD"}) == "MarketIsClosed"
    listed = {s["symbol"]: s["exchange_is_open"] for s in (await line.ask(active_symbols="brief"))["active_symbols"]}
    assert (listed["frxEURUSD"], listed["R_100"]) == (0, 1)


async def test_symbols_are_listed_brief_full_and_by_contract(desk: Desk) -> None:
    line = await desk.line()
    brief = (await line.ask(active_symbols="brief"))["active_symbols"]
    full = (await line.ask(active_symbols="full"))["active_symbols"]
    assert [s["symbol"] for s in brief] == [s["symbol"] for s in full]
    assert "spot" not in brief[0]
    assert full[2]["symbol"] == "R_100"
    assert full[2]["spot"] == (await line.ask(ticks="R_100"))["tick"]["quote"]
    assert (await line.ask(active_symbols="brief", contract_type=["ACCU"]))["active_symbols"] == []
    assert (await line.ask(active_symbols="brief", contract_type=["CALL"]))["active_symbols"] == brief


async def test_the_site_status_changes_and_streams(desk: Desk) -> None:
    line = await desk.line()
    first = await line.ask(website_status=1, subscribe=1, req_id=4)
    assert first["website_status"]["site_status"] == "up"
    assert "message" not in first["website_status"]
    assert first["website_status"]["currencies_config"]["BTC"]["fractional_digits"] == 8
    assert (await desk.post("site", {"status": "updating"})).status_code == 200
    told = await line.next()
    assert (told["req_id"], told["website_status"]["site_status"]) == (4, "updating")
    assert told["website_status"]["message"]
    assert (await desk.post("site", {"status": "gone"})).status_code == 400
    assert (await line.ask(website_status=1))["website_status"]["site_status"] == "updating"


# How often


async def test_the_published_ceiling_holds_per_account_and_can_be_lifted(desk: Desk) -> None:
    line, other = await desk.login(), await desk.login()
    limits = (await line.ask(website_status=1))["website_status"]["api_call_limits"]
    assert limits["max_requests_outcome"] == {
        "applies_to": "portfolio, statement and proposal",
        "minutely": 25,
        "hourly": 1500,
    }
    assert (limits["max_requestes_general"]["minutely"], limits["max_proposal_subscription"]["max"]) == (180, 5)
    for _ in range(25):
        assert "error" not in await line.ask(portfolio=1)
    reply = await other.ask(statement=1)
    assert (reply["msg_type"], reply["error"]["code"]) == ("statement", "RateLimit")
    assert reply["error"]["message"] == "You have reached the rate limit for statement."
    assert "error" not in await line.ask(balance=1)
    await desk.post("limits", {"lifted": True})
    assert "error" not in await line.ask(portfolio=1)
    told = (await line.ask(website_status=1))["website_status"]["api_call_limits"]
    assert told["max_requests_outcome"]["minutely"] == 10**9  # who keeps to what is told need not wait
    await desk.post("limits", {"lifted": False})
    assert await line.code(portfolio=1) == "RateLimit"
    desk.clock.pass_by(61)
    assert "error" not in await line.ask(portfolio=1)


async def test_ping_and_time_do_not_count(desk: Desk) -> None:
    line = await desk.line()
    for _ in range(200):
        assert "error" not in await line.ask(ping=1)
    for _ in range(180):
        assert "error" not in await line.ask(logout=1)
    assert await line.code(logout=1) == "RateLimit"
    assert (await line.ask(time=1))["time"] == NOON


# The same world again


async def test_equal_seeds_give_equal_worlds_and_others_differ() -> None:
    seen = []
    for seed in (7, 7, 8):
        async with a_desk(HandClock(), seed=seed) as desk:
            line = await desk.login("token_oauth")
            replies = [
                await line.ask(balance=1, account="all"),
                await line.ask(statement=1),
                await line.ask(portfolio=1),
            ]
            seen.append((dict(desk.key), replies))
    assert seen[0] == seen[1]
    assert seen[0][0]["token"] != seen[2][0]["token"]


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    clock, file = HandClock(), tmp_path / "deriv.json"

    async def look(desk: Desk, line: Line) -> list[Any]:
        asked: list[dict[str, Any]] = [
            {"balance": 1, "account": "all"},
            {"portfolio": 1},
            {"statement": 1, "description": 1},
            {"ticks": "R_100"},
            {"website_status": 1},
        ]
        return [await line.ask(**request) for request in asked] + [await desk.get("ledger")]

    async with a_desk(clock, file) as desk:
        line = await desk.login("token_oauth")
        await line.ask(buy=1, price=10, parameters=RISE)
        await desk.post("deposit", {"loginid": "CR900002", "amount": "0.00000001"})
        await desk.post("move", {"symbol": "R_100", "percent": 2})
        await desk.post("site", {"status": "down"})
        await desk.post("expire-token", {"token": desk.key["token_read"]})
        before = await look(desk, line)
    async with a_desk(clock, file, seed=99) as desk:
        assert await (await desk.line()).code(authorize=desk.key["token_read"]) == "InvalidToken"
        line = await desk.login("token_oauth")
        assert await look(desk, line) == before
        clock.pass_by(303)
        assert (await line.ask(statement=1, limit=1))["statement"]["transactions"][0]["amount"] == Decimal("19.54")


def test_no_token_shows_in_a_repr() -> None:
    simulator: Any = make()
    token = simulator.credentials()["token"]
    assert token in simulator.dump()["tokens"]
    for thing in (simulator, simulator.world, simulator.world.state, simulator.hub):
        assert token not in repr(thing)
