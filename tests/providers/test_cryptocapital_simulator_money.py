"""Crypto Capital's simulator over real sockets: transfers, conversion, statements, registration."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tests.support.cryptocapital_teller import (
    ASHGROVE,
    EUROS,
    HARBOUR,
    KITANO,
    NOON_MS,
    OPERATING,
    REGISTRATION_EUR,
    REGISTRATION_USD,
    RESERVE,
    Bank,
    Key,
    is_genuine,
    open_bank,
)


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with open_bank() as opened:
        yield opened


# --- transfers -----------------------------------------------------------------------------------------------------


async def test_a_transfer_between_own_accounts_is_told_twice_and_seen_by_every_read(bank: Bank) -> None:
    teller = await bank.teller()
    await teller.pay(OPERATING, RESERVE, "USD", 1250.25, "1250.25", "TB-ABCDEFGHIJ zażółć </b>")
    (kind, first), (_, second) = await teller.next(), await teller.next()
    row = {
        "id": "4796",
        "date": "2026-03-02",
        "sendAccount": OPERATING,
        "receiveAccount": RESERVE,
        "sendCurrency": "USD",
        "receiveCurrency": "USD",
        "sendAmount": "1250.25",
        "receiveAmount": "1250.25",
        "narrative": "TB-ABCDEFGHIJ zażółć </b>",
    }
    assert kind == "transfer"
    assert first["params"] == second["params"] == row
    assert first["signed"] != second["signed"]
    assert is_genuine(bank, "transfer", first, bank.client.public)
    assert is_genuine(bank, "transfer", second, bank.client.public)
    assert await teller.balance(OPERATING) == "247060.30"
    assert await teller.balance(RESERVE) == "63154.45"
    assert (await teller.statement(OPERATING))[-1] == row
    assert (await teller.statement(RESERVE))[-1] == row
    assert row not in await teller.statement(EUROS)
    assert await bank.ledger() == [
        {
            "id": "4796",
            "kind": "transfer",
            "from": OPERATING,
            "to": RESERVE,
            "amount": "1250.25",
            "currency": "USD",
            "reference": "TB-ABCDEFGHIJ zażółć </b>",
            "at_ms": NOON_MS,
        }
    ]


async def test_each_side_of_a_transfer_is_told_under_its_own_key(bank: Bank) -> None:
    sender, other = await bank.teller(), await bank.teller(Key(b"\x07" * 32))
    await bank.post("register", account=HARBOUR, key=other.key.public)
    assert (await other.result())["params"]["sendAccount"] == REGISTRATION_USD
    await sender.pay(OPERATING, HARBOUR, "USD", 10, "10")
    mine, theirs = await sender.result(), await other.result()
    assert is_genuine(bank, "transfer", mine, bank.client.public)
    assert is_genuine(bank, "transfer", theirs, other.key.public)
    assert mine["params"] == theirs["params"]
    assert await other.balance(HARBOUR) == "1904230.75"
    await sender.hears_nothing()


async def test_a_missing_narrative_is_empty(bank: Bank) -> None:
    teller = await bank.teller()
    params = {"accountNumber": OPERATING, "beneficiary": RESERVE, "currency": "USD", "amount": 5}
    await teller.acked("transfer", params, f"{OPERATING}{RESERVE}USD5")
    assert (await teller.result())["params"]["narrative"] == ""


@pytest.mark.parametrize(
    ("source", "target", "currency", "amount", "text", "reason"),
    [
        (HARBOUR, OPERATING, "USD", 5, "5", "account is not linked to this key"),
        ("9120999999", OPERATING, "USD", 5, "5", "account is not linked to this key"),
        (OPERATING, "9120999999", "USD", 5, "5", "unknown beneficiary"),
        (OPERATING, OPERATING, "USD", 5, "5", "beneficiary is the sending account"),
        (OPERATING, RESERVE, "USD", 0, "0", "amount is not above zero"),
        (OPERATING, RESERVE, "USD", -5, "-5", "amount is not above zero"),
        (OPERATING, RESERVE, "USD", 1.005, "1.005", "amount has more than two decimals"),
        (OPERATING, RESERVE, "USD", 1e-7, "1e-7", "amount has more than two decimals"),
        (OPERATING, RESERVE, "USD", 248310.56, "248310.56", "insufficient available funds"),
        (OPERATING, RESERVE, "USD", 1e21, "1e+21", "insufficient available funds"),
        (OPERATING, RESERVE, "USD", "9e999", "9e999", "insufficient available funds"),
        (OPERATING, RESERVE, "EUR", 5, "5", "currency is of neither account"),
        (OPERATING, EUROS, "GBP", 5, "5", "currency is of neither account"),
        (OPERATING, KITANO, "JPY", 0.01, "0.01", "amount is not above zero"),
    ],
)
async def test_a_refused_transfer_is_acked_then_told_by_a_signed_error_and_moves_nothing(
    bank: Bank, source: str, target: str, currency: str, amount: float | str, text: str, reason: str
) -> None:
    teller = await bank.teller()
    await teller.pay(source, target, currency, amount, text)
    failed = teller.nonce
    kind, message = await teller.next()
    assert kind == "error"
    assert message["params"] == {"nonce": str(failed), "msg": reason}
    assert is_genuine(bank, "error", message, bank.client.public)
    assert await teller.balance(OPERATING) == "248310.55"
    assert await bank.ledger() == []


@pytest.mark.parametrize(("op", "number"), [("account", HARBOUR), ("statement", HARBOUR), ("account", "nothing")])
async def test_what_is_not_linked_is_refused_by_a_signed_error(bank: Bank, op: str, number: str) -> None:
    teller = await bank.teller()
    await teller.acked(op, {"accountNumber": number}, number)
    kind, message = await teller.next()
    assert kind == "error"
    assert message["params"] == {"nonce": str(teller.nonce), "msg": "account is not linked to this key"}
    assert is_genuine(bank, "error", message, bank.client.public)


async def test_everything_may_be_sent_and_not_a_cent_more(bank: Bank) -> None:
    teller = await bank.teller()
    await teller.pay(OPERATING, HARBOUR, "USD", 248310.55, "248310.55")
    assert (await teller.next())[0] == "transfer"
    assert await teller.balance(OPERATING) == "0.00"
    await teller.pay(OPERATING, HARBOUR, "USD", 0.01, "0.01")
    assert (await teller.result())["params"]["msg"] == "insufficient available funds"


async def test_a_hold_lowers_what_is_available_and_what_may_be_sent(bank: Bank) -> None:
    teller = await bank.teller()
    await bank.post("hold", account=RESERVE, amount="61900")
    account = await teller.account(RESERVE)
    assert (account["balance"], account["available"]) == ("61904.20", "4.20")
    await teller.pay(RESERVE, HARBOUR, "USD", 4.21, "4.21")
    assert (await teller.result())["params"]["msg"] == "insufficient available funds"


# --- conversion ----------------------------------------------------------------------------------------------------


async def test_an_amount_in_the_senders_currency_leaves_and_is_converted_on_arrival(bank: Bank) -> None:
    teller = await bank.teller()
    await teller.pay(OPERATING, EUROS, "USD", 100, "100")
    params = (await teller.result())["params"]
    await teller.result()
    assert (params["sendCurrency"], params["sendAmount"]) == ("USD", "100.00")
    assert (params["receiveCurrency"], params["receiveAmount"]) == ("EUR", "90.55")  # 100 / 1.1044 = 90.546…
    assert await teller.balance(OPERATING) == "248210.55"
    assert await teller.balance(EUROS) == "137652.73"
    assert [(entry["amount"], entry["currency"]) for entry in await bank.ledger()] == [("100.00", "USD")]


async def test_an_amount_in_the_beneficiarys_currency_arrives_and_costs_what_it_costs(bank: Bank) -> None:
    teller = await bank.teller()
    await teller.pay(OPERATING, EUROS, "EUR", 100, "100")
    params = (await teller.result())["params"]
    await teller.result()
    assert (params["sendCurrency"], params["sendAmount"]) == ("USD", "110.44")
    assert (params["receiveCurrency"], params["receiveAmount"]) == ("EUR", "100.00")
    assert await teller.balance(OPERATING) == "248200.11"
    assert await teller.balance(EUROS) == "137662.18"


async def test_half_a_cent_is_rounded_up_at_the_rate_in_force(bank: Bank) -> None:
    teller = await bank.teller()
    await bank.post("rate", currency="EUR", usd="1.25")
    await teller.pay(EUROS, OPERATING, "EUR", 0.5, "0.5")  # 0.625
    assert (await teller.result())["params"]["receiveAmount"] == "0.63"


async def test_without_a_rate_there_is_no_conversion(bank: Bank) -> None:
    teller = await bank.teller()
    await bank.post("rate", currency="EUR", usd=None)
    await teller.pay(OPERATING, EUROS, "USD", 100, "100")
    assert (await teller.result())["params"]["msg"] == "no exchange rate"
    assert await bank.ledger() == []


# --- statement -----------------------------------------------------------------------------------------------------


async def test_a_statement_without_filter_has_everything_of_both_directions_oldest_first(bank: Bank) -> None:
    teller = await bank.teller()
    rows = await teller.statement(OPERATING)
    assert [(row["id"], row["date"]) for row in rows] == [
        ("4790", "2026-02-03"),
        ("4791", "2026-02-09"),
        ("4793", "2026-02-21"),
        ("4795", "2026-03-01"),
    ]
    assert {row["sendAccount"] for row in rows} == {OPERATING, HARBOUR}


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({"limit": 2}, ["4793", "4795"]),
        ({"limit": "1"}, ["4795"]),
        ({"limit": 0}, []),
        ({"limit": 50}, ["4790", "4791", "4793", "4795"]),
        ({"transactionId": "4791"}, ["4791"]),
        ({"transactionId": 4792}, []),
        ({"fromTime": 1772380500}, ["4795"]),  # the very second it was booked: 2026-03-01 15:55
        ({"fromTime": "1772380501"}, []),
        ({"fromTime": 1772380499.75}, ["4795"]),
        ({"limit": None}, ["4790", "4791", "4793", "4795"]),
    ],
)
async def test_a_filter_chooses_rows(bank: Bank, filters: Mapping[str, Any], ids: list[str]) -> None:
    teller = await bank.teller()
    assert [row["id"] for row in await teller.statement(OPERATING, **filters)] == ids


async def test_the_older_name_of_the_account_is_understood_in_a_statement_only(bank: Bank) -> None:
    teller = await bank.teller()
    await teller.acked("statement", {"accountId": RESERVE, "limit": 1}, RESERVE)
    assert (await teller.result())["params"]["id"] == "4794"
    await teller.send("account", teller.operation("account", {"accountId": RESERVE}, RESERVE))
    assert (await teller.next())[0] == "err"


# --- registration --------------------------------------------------------------------------------------------------


async def test_a_transfer_of_one_with_a_key_links_it_in_place_of_the_old_one_and_is_refunded(bank: Bank) -> None:
    old, new = await bank.teller(), await bank.teller(Key(b"\x08" * 32))
    await old.pay(RESERVE, REGISTRATION_USD, "USD", 1, "1", new.key.public)
    assert (await old.result())["params"]["receiveAccount"] == REGISTRATION_USD
    refund = (await new.result())["params"]
    assert (refund["sendAccount"], refund["receiveAccount"], refund["receiveAmount"]) == (
        REGISTRATION_USD,
        RESERVE,
        "1.00",
    )
    assert await new.balance(RESERVE) == "61904.20"
    await old.acked("account", {"accountNumber": RESERVE}, RESERVE)
    assert (await old.next())[0] == "error"
    assert [row["id"] for row in await new.statement(RESERVE, limit=2)] == ["4796", "4797"]
    assert [(entry["kind"], entry["from"]) for entry in await bank.ledger()] == [
        ("transfer", RESERVE),
        ("refund", REGISTRATION_USD),
    ]
    keys = {row["key"]: row["accounts"] for row in (await bank.get("keys"))["keys"]}
    assert keys[new.key.public] == [RESERVE]
    assert keys[old.key.public] == [OPERATING, EUROS]


async def test_registering_across_currencies_links_without_refund(bank: Bank) -> None:
    old, new = await bank.teller(), await bank.teller(Key(b"\x08" * 32))
    await old.pay(RESERVE, REGISTRATION_EUR, "EUR", 1, "1", new.key.public)
    assert (await old.result())["params"]["sendAmount"] == "1.10"
    assert await new.balance(RESERVE) == "61903.10"
    assert len(await bank.ledger()) == 1


@pytest.mark.parametrize(("amount", "narrative"), [("2", None), ("1", "not a key"), ("1", "")])
async def test_any_other_transfer_to_the_registration_account_links_nothing(
    bank: Bank, amount: str, narrative: str | None
) -> None:
    old, new = await bank.teller(), Key(b"\x08" * 32)
    await old.pay(RESERVE, REGISTRATION_USD, "USD", int(amount), amount, new.public if narrative is None else narrative)
    await old.result()
    assert (await old.account(RESERVE))["accountNumber"] == RESERVE
    assert len(await bank.ledger()) == 1


async def test_the_web_interface_registers_an_account_nobody_could_see(bank: Bank) -> None:
    teller = await bank.teller(Key(b"\x0a" * 32))
    await teller.acked("account", {"accountNumber": ASHGROVE}, ASHGROVE)
    assert (await teller.next())[0] == "error"
    await bank.post("register", account=ASHGROVE, key=teller.key.public)
    assert (await teller.next())[0] == "transfer"
    assert await teller.balance(ASHGROVE) == "412006.33"
