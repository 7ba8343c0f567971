"""Capital.com's simulator, asked over real sockets with plain httpx; expected figures are worked out by hand."""

import base64
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from bot.providers.capital.simulator import make
from tests.support.capital_broker import EUR, KEY, PASSWORD, PLAIN, USD, Desk, HandClock, opened, refusal


@pytest.fixture
async def stranger() -> AsyncIterator[Desk]:
    """Somebody who has not logged in."""
    async with opened(HandClock()) as desk:
        yield desk


@pytest.fixture
async def desk(stranger: Desk) -> Desk:
    await stranger.login()
    return stranger


async def sealed(desk: Desk, password: str, *, inner: bool = True, stamp: str = "") -> str:
    """The password as ciphertext, by the reference's recipe.

    `inner=False` leaves its base64 step out; `stamp` replaces the server's time.
    """
    key = (await desk.http.get("/api/v1/session/encryptionKey", headers=KEY)).json()
    public = load_der_public_key(base64.b64decode(key["encryptionKey"]))
    assert isinstance(public, rsa.RSAPublicKey)
    plain = f"{password}|{stamp or key['timeStamp']}".encode()
    return base64.b64encode(public.encrypt(base64.b64encode(plain) if inner else plain, padding.PKCS1v15())).decode()


# Logging in


async def test_login_names_the_accounts_and_puts_the_tokens_in_the_headers_only(stranger: Desk) -> None:
    body = await stranger.login()
    assert body["currentAccountId"] == USD
    assert [one["accountId"] for one in body["accounts"]] == [USD, EUR]
    assert body["accountInfo"] == {
        "balance": 48731.70,
        "deposit": 48250.00,
        "profitLoss": 481.70,
        "available": 32568.16,
    }
    assert body["streamingHost"] == str(stranger.http.base_url).rstrip("/").replace("http", "ws", 1) + "/"
    assert stranger.tokens["CST"] not in json.dumps(body)


async def test_the_key_is_a_2048_bit_rsa_key_with_the_time_in_milliseconds(stranger: Desk) -> None:
    key = (await stranger.http.get("/api/v1/session/encryptionKey", headers=KEY)).json()
    der = base64.b64decode(key["encryptionKey"])
    assert len(der) == 294
    assert key["timeStamp"] == 1772625600000


async def test_an_encrypted_password_opens_a_session(stranger: Desk) -> None:
    ciphertext = await sealed(stranger, PASSWORD)
    assert len(ciphertext) == 344
    await stranger.login(password=ciphertext, encryptedPassword=True)
    assert await stranger.get("/ping") == {"status": "OK"}


async def test_ciphertext_without_a_time_in_it_is_refused(stranger: Desk) -> None:
    body = {**PLAIN, "password": await sealed(stranger, PASSWORD, stamp="today"), "encryptedPassword": True}
    reply = await stranger.http.post("/api/v1/session", headers=KEY, json=body)
    assert refusal(reply) == (401, "error.invalid.details")


async def test_ciphertext_without_the_inner_base64_is_taken_until_that_is_switched_off(stranger: Desk) -> None:
    await stranger.login(password=await sealed(stranger, PASSWORD, inner=False), encryptedPassword="true")
    await stranger.sim("options", raw_password=False)
    body = {**PLAIN, "password": await sealed(stranger, PASSWORD, inner=False), "encryptedPassword": True}
    reply = await stranger.http.post("/api/v1/session", headers=KEY, json=body)
    assert refusal(reply) == (401, "error.invalid.details")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"password": "wrong"}, (401, "error.invalid.details")),
        ({"identifier": "nobody@harbourfield.example"}, (401, "error.invalid.details")),
        ({"encryptedPassword": True}, (401, "error.invalid.details")),
        ({"password": "é" * 50, "encryptedPassword": True}, (401, "error.invalid.details")),
        (
            {"password": base64.b64encode(b"x" * 256).decode(), "encryptedPassword": True},
            (401, "error.invalid.details"),
        ),
        ({"password": None}, (400, "error.null.password")),
        ({"identifier": ""}, (400, "error.null.identifier")),
        ({"identifier": ["a"]}, (400, "error.invalid.identifier")),
        ({"encryptedPassword": 1}, (400, "error.invalid.encryptedPassword")),
    ],
)
async def test_wrong_details_are_refused(stranger: Desk, changes: dict[str, Any], expected: tuple[int, str]) -> None:
    reply = await stranger.http.post("/api/v1/session", headers=KEY, json={**PLAIN, **changes})
    assert refusal(reply) == expected
    assert "CST" not in reply.headers


@pytest.mark.parametrize(("method", "path"), [("GET", "/session/encryptionKey"), ("POST", "/session")])
async def test_a_missing_or_unknown_api_key_is_refused(stranger: Desk, method: str, path: str) -> None:
    body = PLAIN if method == "POST" else None
    without = await stranger.http.request(method, f"/api/v1{path}", json=body)
    unknown = await stranger.http.request(method, f"/api/v1{path}", json=body, headers={"X-CAP-API-KEY": "nope"})
    assert refusal(without) == (400, "error.null.api.key")
    assert refusal(unknown) == (401, "error.invalid.api.key")


async def test_a_key_whose_accounts_are_in_the_other_environment_has_no_account_here(stranger: Desk) -> None:
    body = {"identifier": "elsewhere@harbourfield.example", "password": "Other-Shore-11"}
    reply = await stranger.http.post("/api/v1/session", headers={"X-CAP-API-KEY": "live0nlyV3hT8sNd"}, json=body)
    assert refusal(reply) == (401, "error.null.accountId")


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'"x"', b'{"a":1,"a":2}', b'{"size":NaN}', b"[" * 5000, b"\xff\xfe", b'{"a":1e999999}']
)
async def test_a_body_that_is_no_json_object_is_refused_and_crashes_nothing(desk: Desk, raw: bytes) -> None:
    headers = {**KEY, **desk.tokens, "Content-Type": "application/json"}
    for method, path in [("POST", "/session"), ("PUT", "/session"), ("POST", "/positions")]:
        reply = await desk.http.request(method, f"/api/v1{path}", content=raw, headers=headers)
        assert refusal(reply) == (400, "error.invalid.body")


async def test_a_body_without_its_media_type_is_refused(stranger: Desk) -> None:
    reply = await stranger.http.post("/api/v1/session", headers=KEY, content=json.dumps(PLAIN))
    assert refusal(reply) == (415, "error.invalid.contentType")


# Sessions


async def test_time_needs_no_session_and_everything_else_does(stranger: Desk) -> None:
    assert await stranger.get("/time") == {"serverTime": 1772625600000}
    for path in ("/ping", "/session", "/accounts", "/positions", "/confirms/o_1", "/markets", "/markets/GOLD"):
        assert await stranger.refusal("GET", path) == (400, "error.null.client.token")


async def test_one_missing_token_is_null_and_one_wrong_token_is_invalid(desk: Desk) -> None:
    good = desk.tokens
    desk.tokens = {"CST": good["CST"]}
    assert await desk.refusal("GET", "/ping") == (400, "error.null.client.token")
    for name in good:
        desk.tokens = {**good, name: "stolen"}
        assert await desk.refusal("GET", "/ping") == (401, "error.invalid.session.token")


async def test_every_authenticated_answer_carries_the_tokens_again(desk: Desk) -> None:
    for path in ("/ping", "/positions/none"):
        reply = await desk.ask("GET", path)
        assert {name: reply.headers[name] for name in desk.tokens} == desk.tokens


async def test_tokens_live_ten_minutes_after_their_last_use(desk: Desk) -> None:
    for _ in range(3):
        desk.clock.pass_by(599)
        assert await desk.get("/ping") == {"status": "OK"}
    desk.clock.pass_by(600)
    assert await desk.refusal("GET", "/ping") == (401, "error.invalid.session.token")


async def test_logging_out_kills_the_tokens_of_that_session_only(desk: Desk) -> None:
    mine = desk.tokens
    await desk.login()
    reply = await desk.ask("DELETE", "/session")
    assert json.loads(reply.text) == {"status": "SUCCESS"}
    assert await desk.refusal("GET", "/accounts") == (401, "error.invalid.session.token")
    desk.tokens = mine
    assert (await desk.get("/ping"))["status"] == "OK"


async def test_expire_kills_every_session_and_logins_are_counted(desk: Desk) -> None:
    assert await desk.sim("expire") == {"killed": 1}
    assert await desk.refusal("GET", "/ping") == (401, "error.invalid.session.token")
    await desk.login()
    assert (await desk.http.get("/_sim/sessions")).json() == {"logins": 2, "live": 1}


async def test_switching_shows_in_session_positions_and_preferences_and_needs_the_new_token(desk: Desk) -> None:
    old = desk.tokens
    reply = await desk.ask("PUT", "/session", {"accountId": EUR})
    assert reply.json()["dealingEnabled"] is True
    desk.adopt(reply)
    assert desk.tokens["X-SECURITY-TOKEN"] != old["X-SECURITY-TOKEN"]
    session = await desk.get("/session")
    assert (session["accountId"], session["currency"]) == (EUR, "EUR")
    assert await desk.get("/positions") == {"positions": []}
    assert (await desk.get("/accounts/preferences"))["leverages"]["CURRENCIES"]["current"] == 30
    desk.tokens = old
    assert (await desk.get("/session"))["accountId"] == USD


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (USD, (400, "error.not-different.accountId")),
        ("999", (400, "error.invalid.accountId")),
        (999, (400, "error.invalid.accountId")),
        (None, (401, "error.null.accountId")),
    ],
)
async def test_switching_to_nowhere_is_refused(desk: Desk, account: Any, expected: tuple[int, str]) -> None:
    assert await desk.refusal("PUT", "/session", {"accountId": account}) == expected
    assert (await desk.get("/session"))["accountId"] == USD


async def test_rotation_kills_the_old_pair_when_switched_on(desk: Desk) -> None:
    await desk.sim("options", rotate_tokens=True)
    old = desk.tokens
    desk.adopt(await desk.ask("GET", "/ping"))
    assert desk.tokens["CST"] != old["CST"]
    reply = await desk.ask("PUT", "/session", {"accountId": EUR})
    desk.adopt(reply)
    reply = await desk.ask("GET", "/session")
    assert reply.json()["accountId"] == EUR
    desk.tokens = old
    assert await desk.refusal("GET", "/ping") == (401, "error.invalid.session.token")


async def test_a_hard_cap_and_a_single_session_can_be_switched_on(desk: Desk) -> None:
    first = desk.tokens
    await desk.sim("options", session_cap_seconds=3600, one_session=True)
    await desk.login()
    second, desk.tokens = desk.tokens, first
    assert await desk.refusal("GET", "/ping") == (401, "error.invalid.session.token")
    desk.tokens = second
    for _ in range(6):
        desk.clock.pass_by(599)
        await desk.get("/ping")
    desk.clock.pass_by(6)
    assert await desk.refusal("GET", "/ping") == (401, "error.invalid.session.token")


# Reading


async def test_the_accounts_show_cash_profit_and_margin(desk: Desk) -> None:
    first, second = (await desk.get("/accounts"))["accounts"]
    assert (first["currency"], first["symbol"], first["preferred"], first["status"]) == ("USD", "$", True, "ENABLED")
    assert [str(first["balance"][key]) for key in ("balance", "deposit", "profitLoss", "available")] == [
        "48731.70",
        "48250.00",
        "481.70",
        "32568.16",
    ]
    assert (second["currency"], second["preferred"]) == ("EUR", False)
    assert str(second["balance"]["available"]) == "12480.55"


async def test_the_positions_are_complete_and_optional_legs_are_absent(desk: Desk) -> None:
    rows = (await desk.get("/positions"))["positions"]
    assert [(row["market"]["epic"], str(row["position"]["upl"])) for row in rows] == [
        ("EURUSD", "240.00"),
        ("BTCUSD", "-274.00"),
        ("US100", "207.45"),
        ("GOLD", "220.25"),
        ("OIL_CRUDE", "88.00"),
    ]
    gold, oil = rows[3]["position"], rows[4]["position"]
    assert (gold["stopLevel"], gold["profitLevel"]) == (Decimal("4010.00"), Decimal("4200.00"))
    assert "stopLevel" not in oil
    assert "profitLevel" not in oil
    assert gold["createdDateUTC"] == "2026-03-02T09:07:11.408"
    assert gold["createdDate"] == "2026-03-02T12:07:11.408"
    assert gold["dealReference"] == f"p_{gold['dealId']}"
    assert await desk.get(f"/positions/{gold['dealId']}") == rows[3]


@pytest.mark.parametrize("path", ["/positions/", "/accounts/", "/session/", "/markets/GOLD/", "/ping/"])
async def test_a_slash_at_the_end_changes_nothing(desk: Desk, path: str) -> None:
    assert await desk.get(path) == await desk.get(path[:-1])


@pytest.mark.parametrize("path", ["/positions/none", "/positions/%00", "/positions/" + "9" * 3000])
async def test_an_unknown_position_is_not_found(desk: Desk, path: str) -> None:
    assert await desk.refusal("GET", path) == (404, "error.not-found.dealId")
    assert await desk.refusal("DELETE", path) == (404, "error.not-found.dealId")


async def test_a_position_of_the_other_account_is_not_found_and_not_closed(desk: Desk) -> None:
    (gold,) = await desk.rows("GOLD")
    usd = desk.tokens
    desk.adopt(await desk.ask("PUT", "/session", {"accountId": EUR}))
    assert await desk.refusal("GET", f"/positions/{gold['dealId']}") == (404, "error.not-found.dealId")
    assert await desk.refusal("DELETE", f"/positions/{gold['dealId']}") == (404, "error.not-found.dealId")
    desk.tokens = usd
    assert await desk.rows("GOLD") == [gold]


async def test_unknown_paths_and_references_are_not_found(desk: Desk) -> None:
    assert await desk.refusal("GET", "/confirms/o_unknown") == (404, "error.not-found.dealReference")
    assert await desk.refusal("GET", "/workingOrders") == (404, "error.not-found.path")


async def test_markets_answer_by_term_by_epics_and_all(desk: Desk) -> None:
    found = (await desk.get("/markets?searchTerm=us%20tech&epics=GOLD"))["markets"]
    assert [one["epic"] for one in found] == ["US100"]
    details = (await desk.get("/markets?epics=GOLD,NOTHING,EURUSD"))["marketDetails"]
    assert [one["instrument"]["epic"] for one in details] == ["GOLD", "EURUSD"]
    assert len((await desk.get("/markets"))["markets"]) == 42


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/markets?searchTerm=", (400, "error.null.searchTerm")),
        ("/markets?epics=", (400, "error.null.epic")),
        ("/markets?epics=" + ",".join(["GOLD"] * 51), (400, "error.invalid.epics")),
        ("/markets/UNOBTAINIUM", (404, "error.not-found.epic")),
    ],
)
async def test_market_questions_that_cannot_be_answered(desk: Desk, path: str, expected: tuple[int, str]) -> None:
    assert await desk.refusal("GET", path) == expected


async def test_one_market_in_full(desk: Desk) -> None:
    gold = await desk.get("/markets/GOLD")
    assert gold["instrument"]["marginFactor"] == 10
    assert gold["dealingRules"]["minDealSize"] == {"unit": "POINTS", "value": Decimal("0.01")}
    assert (gold["snapshot"]["netChange"], gold["snapshot"]["percentageChange"]) == (Decimal("23.70"), Decimal("0.58"))
    assert "updateTimeUTC" not in gold["snapshot"]


# Dealing


async def test_an_opened_position_shows_everywhere(desk: Desk) -> None:
    word = await desk.order(direction="BUY", epic="SILVER", size=100, stopLevel=50, profitLevel=None, trailingStop=None)
    assert (word["dealStatus"], word["status"], word["reason"]) == ("ACCEPTED", "OPEN", "SUCCESS")
    assert word["level"] == Decimal("51.236")
    assert word["affectedDeals"][0]["status"] == "OPENED"
    deal_id = word["affectedDeals"][0]["dealId"]
    assert deal_id != word["dealId"]
    row = (await desk.get(f"/positions/{deal_id}"))["position"]
    assert (row["size"], row["stopLevel"], row["upl"]) == (100, Decimal("50.000"), Decimal("-3.20"))
    assert row["workingOrderId"] == word["dealId"]
    assert (await desk.get(f"/confirms/p_{deal_id}"))["status"] == "OPEN"
    balance = await desk.balance()
    assert (str(balance["deposit"]), str(balance["profitLoss"])) == ("48250.00", "478.50")
    assert str(balance["available"]) == "32052.92"  # 48728.50 less 16163.54 and 51.204 x 100 / 10
    assert (await desk.login())["accountInfo"]["profitLoss"] == 478.5
    (entry,) = await desk.ledger()
    assert (entry["kind"], entry["from"], entry["to"], entry["amount"]) == ("open", USD, deal_id, "100")


async def test_a_closed_position_is_gone_and_its_profit_is_cash(desk: Desk) -> None:
    (gold,) = await desk.rows("GOLD")
    reply = await desk.ask("DELETE", f"/positions/{gold['dealId']}", {"size": 1})
    assert reply.json() == {"dealReference": f"p_{gold['dealId']}"}
    assert await desk.refusal("GET", f"/positions/{gold['dealId']}") == (404, "error.not-found.dealId")
    assert await desk.rows("GOLD") == []
    word = await desk.get(f"/confirms/p_{gold['dealId']}")
    assert (word["status"], word["direction"], word["level"]) == ("CLOSED", "SELL", Decimal("4112.30"))
    assert (str(word["profit"]), word["profitCurrency"]) == ("220.25", "USD")
    assert word["affectedDeals"] == [{"dealId": gold["dealId"], "status": "FULLY_CLOSED"}]
    balance = await desk.balance()
    assert (str(balance["deposit"]), str(balance["balance"])) == ("48470.25", "48731.70")
    (entry,) = await desk.ledger()
    assert (entry["kind"], entry["from"], entry["to"], entry["amount"]) == ("close", gold["dealId"], USD, "220.25")
    assert await desk.refusal("DELETE", f"/positions/{gold['dealId']}") == (404, "error.not-found.dealId")
    assert len(await desk.ledger()) == 1


async def test_the_same_direction_opens_separate_rows(desk: Desk) -> None:
    await desk.order(direction="BUY", epic="GOLD", size="1.0")
    await desk.order(direction="BUY", epic="GOLD", size=1)
    assert [row["size"] for row in await desk.rows("GOLD")] == [5, 1, 1]


async def test_an_opposite_order_consumes_the_oldest_rows_first(desk: Desk) -> None:
    await desk.order(direction="BUY", epic="GOLD", size=2)  # at 4112.80
    old, new = await desk.rows("GOLD")
    word = await desk.order(direction="SELL", epic="GOLD", size=6)  # at 4112.30
    assert [(one["dealId"], one["status"]) for one in word["affectedDeals"]] == [
        (old["dealId"], "FULLY_CLOSED"),
        (new["dealId"], "PARTIALLY_CLOSED"),
    ]
    assert str(word["profit"]) == "219.75"  # 5 x 44.05 less 1 x 0.50
    (left,) = await desk.rows("GOLD")
    assert (left["dealId"], left["size"], left["upl"]) == (new["dealId"], 1, Decimal("-0.50"))
    assert str((await desk.balance())["deposit"]) == "48469.75"


async def test_what_is_left_of_an_opposite_order_turns_the_position_round(desk: Desk) -> None:
    word = await desk.order(direction="SELL", epic="GOLD", size=7)
    assert [one["status"] for one in word["affectedDeals"]] == ["FULLY_CLOSED", "OPENED"]
    (row,) = await desk.rows("GOLD")
    assert (row["direction"], row["size"], row["level"]) == ("SELL", 2, Decimal("4112.30"))


async def test_an_order_beyond_the_margin_is_taken_and_then_rejected(desk: Desk) -> None:
    word = await desk.order(direction="BUY", epic="BTCUSD", size=1)  # needs 45,620.00 of 32,568.16
    assert (word["dealStatus"], word["rejectReason"], word["reason"]) == (
        "REJECTED",
        "INSUFFICIENT_FUNDS",
        "INSUFFICIENT_FUNDS",
    )
    assert "status" not in word
    assert word["affectedDeals"] == []
    assert len(await desk.rows("BTCUSD")) == 1
    assert await desk.ledger() == []


async def test_nothing_is_dealt_in_a_closed_market(desk: Desk) -> None:
    (gold,) = await desk.rows("GOLD")
    await desk.sim("market", epic="GOLD", status="CLOSED")
    assert (await desk.get("/markets/GOLD"))["snapshot"]["marketStatus"] == "CLOSED"
    assert (await desk.order(direction="BUY", epic="GOLD", size=1))["rejectReason"] == "MARKET_CLOSED"
    await desk.ask("DELETE", f"/positions/{gold['dealId']}")
    assert (await desk.get(f"/confirms/p_{gold['dealId']}"))["rejectReason"] == "MARKET_CLOSED"
    assert await desk.rows("GOLD") == [gold]
    assert await desk.ledger() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"direction": None}, (400, "error.null.direction")),
        ({"direction": "LONG"}, (400, "error.invalid.direction")),
        ({"epic": None}, (400, "error.null.epic")),
        ({"epic": "UNOBTAINIUM"}, (404, "error.not-found.epic")),
        ({"size": None}, (400, "error.null.size")),
        ({"size": 0.001}, (400, "error.invalid.size.minvalue")),
        ({"size": -5}, (400, "error.invalid.size.minvalue")),
        ({"size": 1000.01}, (400, "error.invalid.size.maxvalue")),
        ({"size": 1e59}, (400, "error.invalid.size.maxvalue")),
        ({"size": 1.005}, (400, "error.invalid.size")),
        ({"size": True}, (400, "error.invalid.size")),
        ({"size": "NaN"}, (400, "error.invalid.size")),
        ({"size": "1_000"}, (400, "error.invalid.size")),
        ({"stopLevel": {}}, (400, "error.invalid.stopLevel")),
        ({"stopLevel": 4112}, (400, "error.invalid.stoploss.maxvalue: 4111.89")),  # 0.01 % under the bid
        ({"stopLevel": 1000}, (400, "error.invalid.stoploss.minvalue: 1644.92")),  # 60 % under the bid
        ({"stopDistance": 1e59}, (400, "error.invalid.stoploss.minvalue: 1644.92")),
        ({"profitLevel": 4112.5}, (400, "error.invalid.takeprofit.minvalue: 4112.71")),
        ({"profitLevel": 9000}, (400, "error.invalid.takeprofit.maxvalue: 6579.68")),
        ({"direction": "SELL", "stopLevel": 4100}, (400, "error.invalid.stoploss.minvalue: 4113.21")),
        ({"direction": "SELL", "profitLevel": 4200}, (400, "error.invalid.takeprofit.maxvalue: 4112.39")),
        ({"guaranteedStop": True}, (400, "error.null.stopLevel")),
        ({"guaranteedStop": True, "stopLevel": 4100}, (400, "error.invalid.stoploss.maxvalue: 4071.18")),
        ({"guaranteedStop": True, "trailingStop": True, "stopDistance": 90}, (400, "error.validation.guaranteed.stop")),
        ({"trailingStop": True}, (400, "error.null.stopDistance")),
        ({"trailingStop": "perhaps"}, (400, "error.invalid.trailingStop")),
    ],
)
async def test_orders_that_are_refused_leave_no_trace(
    desk: Desk, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    body = {"direction": "BUY", "epic": "GOLD", "size": 1, **changes}
    assert await desk.refusal("POST", "/positions", body) == expected
    assert [row["size"] for row in await desk.rows("GOLD")] == [5]
    assert await desk.ledger() == []


async def test_distances_and_amounts_become_levels_from_the_fill_price(desk: Desk) -> None:
    body = {"direction": "BUY", "epic": "GOLD", "size": 2}
    await desk.order(**body, stopDistance=50, profitAmount=100)
    row = (await desk.rows("GOLD"))[-1]
    assert (row["stopLevel"], row["profitLevel"]) == (Decimal("4062.80"), Decimal("4162.80"))


async def test_profit_on_another_currencys_account_is_converted(desk: Desk) -> None:
    desk.adopt(await desk.ask("PUT", "/session", {"accountId": EUR}))
    await desk.order(direction="BUY", epic="GOLD", size=2)
    await desk.sim("price", epic="EURUSD", bid=1.25, offer=1.25)
    await desk.sim("price", epic="GOLD", bid=4162.80, offer=4163.30)
    (row,) = await desk.rows("GOLD")
    assert (str(row["upl"]), row["currency"]) == ("100.00", "USD")
    assert str((await desk.balance(EUR))["profitLoss"]) == "80.00"
    await desk.ask("DELETE", f"/positions/{row['dealId']}")
    assert str((await desk.balance(EUR))["deposit"]) == "12560.55"


async def test_a_confirmation_can_be_late_or_stale(desk: Desk) -> None:
    await desk.sim("options", confirm_delay_ms=2000, stale_closes=1)
    reference = (await desk.ask("POST", "/positions", {"direction": "BUY", "epic": "GOLD", "size": 1})).json()
    path = f"/confirms/{reference['dealReference']}"
    assert await desk.refusal("GET", path) == (404, "error.not-found.dealReference")
    desk.clock.pass_by(2)
    deal_id = (await desk.get(path))["affectedDeals"][0]["dealId"]
    await desk.ask("DELETE", f"/positions/{deal_id}")
    assert [(await desk.get(f"/confirms/p_{deal_id}"))["status"] for _ in range(2)] == ["OPEN", "CLOSED"]


# What happens on the broker's side


async def test_a_new_price_shows_in_markets_positions_and_accounts(desk: Desk) -> None:
    await desk.sim("price", epic="GOLD", bid=4122.30, offer=4122.80)
    snapshot = (await desk.get("/markets/GOLD"))["snapshot"]
    assert (snapshot["bid"], snapshot["offer"], snapshot["high"]) == (
        Decimal("4122.30"),
        Decimal("4122.80"),
        Decimal("4122.30"),
    )
    (summary,) = (await desk.get("/markets?searchTerm=GOLD"))["markets"]
    assert summary["bid"] == Decimal("4122.30")
    assert str((await desk.rows("GOLD"))[0]["upl"]) == "270.25"
    assert str((await desk.balance())["profitLoss"]) == "531.70"


async def test_a_move_in_percent_stays_on_the_price_grid(desk: Desk) -> None:
    assert await desk.sim("move", epic="OIL_CRUDE", percent=-10) == {
        "epic": "OIL_CRUDE",
        "bid": "53.05",
        "offer": "53.07",
    }
    assert str((await desk.rows("OIL_CRUDE"))[0]["upl"]) == "1268.00"


async def test_a_reached_stop_or_take_profit_closes_its_position(desk: Desk) -> None:
    (gold,), (euro,) = await desk.rows("GOLD"), await desk.rows("EURUSD")
    await desk.sim("price", epic="GOLD", bid=4009, offer=4009.5)
    await desk.sim("price", epic="EURUSD", bid=1.17500, offer=1.17506)
    assert await desk.rows("GOLD") == []
    assert await desk.rows("EURUSD") == []
    assert str((await desk.get(f"/confirms/p_{gold['dealId']}"))["profit"]) == "-296.25"
    assert str((await desk.get(f"/confirms/p_{euro['dealId']}"))["profit"]) == "1080.00"
    assert str((await desk.balance())["deposit"]) == "49033.75"
    assert [entry["amount"] for entry in await desk.ledger()] == ["-296.25", "1080.00"]


async def test_a_stop_passed_in_a_closed_market_fires_when_it_opens(desk: Desk) -> None:
    (gold,) = await desk.rows("GOLD")
    await desk.sim("market", epic="GOLD", status="CLOSED")
    await desk.sim("price", epic="GOLD", bid=4000, offer=4000.5)
    assert str((await desk.rows("GOLD"))[0]["upl"]) == "-341.25"
    await desk.sim("market", epic="GOLD", status="TRADEABLE")
    assert await desk.rows("GOLD") == []
    assert str((await desk.get(f"/confirms/p_{gold['dealId']}"))["profit"]) == "-341.25"


async def test_a_trailing_stop_follows_only_the_good_way(desk: Desk) -> None:
    await desk.order(direction="BUY", epic="SILVER", size=10, trailingStop=True, stopDistance=1, stopLevel=40)
    assert (await desk.rows("SILVER"))[0]["stopLevel"] == Decimal("50.236")
    await desk.sim("price", epic="SILVER", bid=53, offer=53.03)
    await desk.sim("price", epic="SILVER", bid=52.5, offer=52.53)
    (row,) = await desk.rows("SILVER")
    assert (row["stopLevel"], row["stopDistance"], row["trailingStop"]) == (Decimal("52.000"), 1, True)
    await desk.sim("price", epic="SILVER", bid=51.9, offer=51.93)
    assert await desk.rows("SILVER") == []


async def test_a_guaranteed_stop_fills_at_its_level_through_a_gap(desk: Desk) -> None:
    word = await desk.order(direction="BUY", epic="GOLD", size=1, guaranteedStop=True, stopLevel=4050)
    assert word["guaranteedStop"] is True
    await desk.sim("price", epic="GOLD", bid=3900, offer=3900.5)
    closed = await desk.get(f"/confirms/p_{word['affectedDeals'][0]['dealId']}")
    assert (closed["level"], str(closed["profit"])) == (Decimal("4050.00"), "-62.80")


async def test_cash_shows_in_accounts_login_and_ledger(desk: Desk) -> None:
    await desk.sim("cash", account=EUR, amount="1000.45")
    await desk.sim("cash", account=EUR, amount=-0.45)
    assert str((await desk.balance(EUR))["deposit"]) == "13480.55"
    assert str((await desk.balance(USD))["deposit"]) == "48250.00"
    assert (await desk.login())["accounts"][1]["balance"]["balance"] == 13480.55
    assert [(one["kind"], one["from"], one["to"], one["amount"]) for one in await desk.ledger()] == [
        ("deposit", "bank", EUR, "1000.45"),
        ("withdrawal", EUR, "bank", "0.45"),
    ]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("price", '{"epic": "GOLD", "bid": 2, "offer": 1}'),
        ("price", '{"epic": "GOLD", "bid": 0, "offer": 1}'),
        ("price", '{"epic": "GOLD", "bid": 1e50, "offer": 1e50}'),
        ("price", '{"epic": "NOTHING", "bid": 1, "offer": 1}'),
        ("price", "[]"),
        ("move", '{"epic": "GOLD", "percent": -100}'),
        ("move", '{"epic": "GOLD", "percent": NaN}'),
        ("market", '{"epic": "GOLD", "status": "ASLEEP"}'),
        ("cash", '{"account": "1", "amount": 1}'),
        ("cash", '{"account": "310441870023915201", "amount": 0.001}'),
        ("cash", '{"account": "310441870023915201", "amount": 1e40}'),
        ("options", '{"unknown": true}'),
        ("options", '{"stale_closes": 1.5}'),
        ("rates", '{"enabled": null}'),
        ("rates", '{"enabled": "\\ud800"}'),
    ],
)
async def test_controls_refuse_what_cannot_be_meant(desk: Desk, path: str, body: str) -> None:
    before = await desk.get("/accounts")
    assert (await desk.http.post(f"/_sim/{path}", content=body)).status_code == 400
    assert await desk.get("/accounts") == before


# Limits


async def test_limits_are_off_until_switched_on_and_can_be_lifted(desk: Desk) -> None:
    for _ in range(11):
        await desk.get("/ping")
    assert (await desk.sim("rates", enabled=True))["rates"] is True
    for _ in range(10):
        await desk.get("/ping")
    assert await desk.refusal("GET", "/ping") == (429, "error.too-many.requests")
    await desk.sim("limits", lifted=True)
    await desk.get("/ping")
    await desk.sim("limits", lifted=False)
    desk.clock.pass_by(1)
    await desk.get("/ping")


async def test_one_login_a_second(desk: Desk) -> None:
    await desk.sim("rates", enabled=True)
    await desk.login()
    reply = await desk.http.post("/api/v1/session", headers=KEY, json=PLAIN)
    assert refusal(reply) == (429, "error.too-many.requests")
    desk.clock.pass_by(1)
    await desk.login()


async def test_one_order_in_a_tenth_of_a_second(desk: Desk) -> None:
    await desk.sim("rates", enabled=True)
    body = {"direction": "BUY", "epic": "GOLD", "size": 0.01}
    await desk.ask("POST", "/positions", body)
    assert await desk.refusal("POST", "/positions", body) == (429, "error.too-many.requests")
    desk.clock.pass_by(0.1)
    await desk.ask("POST", "/positions", body)
    assert len(await desk.rows("GOLD")) == 3


async def test_a_thousand_orders_an_hour(desk: Desk) -> None:
    await desk.sim("rates", enabled=True)
    for _ in range(1000):
        desk.clock.pass_by(0.1)
        assert await desk.refusal("POST", "/positions", {}) == (400, "error.null.direction")
    desk.clock.pass_by(1)
    assert await desk.refusal("POST", "/positions", {}) == (429, "error.too-many.requests")
    desk.clock.pass_by(3600 - 101)  # the first was 3,600 s ago by then, less a tenth
    assert await desk.refusal("POST", "/positions", {}) == (401, "error.invalid.session.token")
    await desk.login()
    assert await desk.refusal("POST", "/positions", {}) == (429, "error.too-many.requests")
    desk.clock.pass_by(0.1)
    assert await desk.refusal("POST", "/positions", {}) == (400, "error.null.direction")


# Keeping


async def test_the_whole_state_survives_a_restart(tmp_path: Path) -> None:
    clock, kept = HandClock(), tmp_path / "capital.json"
    async with opened(clock, state=kept) as desk:
        await desk.login()
        word = await desk.order(direction="BUY", epic="GOLD", size=1, stopLevel=4000)
        await desk.sim("cash", account=USD, amount=10)
        await desk.sim("options", confirm_delay_ms=5)
        tokens = desk.tokens
        before = [await desk.get(path) for path in ("/accounts", "/positions", "/session", "/markets/GOLD")]
        ledger = await desk.ledger()
    async with opened(clock, seed=8, state=kept) as desk:
        desk.tokens = tokens
        after = [await desk.get(path) for path in ("/accounts", "/positions", "/session", "/markets/GOLD")]
        assert [without_address(one) for one in after] == [without_address(one) for one in before]
        assert await desk.get(f"/confirms/{word['dealReference']}") == word
        assert await desk.ledger() == ledger
        assert (await desk.sim("options"))["confirm_delay_ms"] == 5
        again = (await desk.ask("POST", "/positions", {"direction": "BUY", "epic": "GOLD", "size": 1})).json()
        assert again["dealReference"] != word["dealReference"]


def without_address(reply: Any) -> Any:
    """The port changes with every start."""
    return {key: value for key, value in reply.items() if key != "streamEndpoint"}


async def test_the_seed_decides_the_ids_and_nothing_in_the_figures() -> None:
    seen = []
    for seed in (7, 7, 8):
        async with opened(HandClock(), seed) as desk:
            await desk.login()
            seen.append((desk.tokens["CST"], (await desk.rows("GOLD"))[0]["dealId"], await desk.balance()))
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[2][0]
    assert seen[0][1] != seen[2][1]
    assert seen[0][2] == seen[2][2]


async def test_credentials_are_what_the_command_line_promises_and_no_repr_shows_them() -> None:
    simulator = make()
    assert simulator.credentials() == {"api_key": KEY["X-CAP-API-KEY"], **PLAIN}
    shown = repr(simulator) + repr(vars(vars(simulator)["world"])["state"])
    assert PASSWORD not in shown
    assert KEY["X-CAP-API-KEY"] not in shown
