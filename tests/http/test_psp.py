"""A payment provider's callbacks: who may tell, what is kept, who hears of it; nothing is ever moved by one."""

import asyncio
import hashlib
import json
import socket
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.http import body as http_body
from bot.providers.crm.wire import psp
from tests.support.chatting import ADAM, ANNA, OLGA, VERA
from tests.support.crm_hooks import MERCHANT, PSP, TOKEN, Called, called

PATH = "/crm/pay/callback"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Called]:
    async with called(tmp_path, PSP) as one:
        yield one


def callback(**changed: Any) -> dict[str, Any]:
    plain = {"merchant_id": MERCHANT, "order_no": "ord000000001", "amount": 88.5, "currency": "USD"}
    return {**plain, "time": 1763683200000, "status": 1, **changed}


def sign(fields: dict[str, Any], token: str = TOKEN) -> str:
    """By the page: without empty ones, sorted, the token behind them."""
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if fields[name] not in (None, ""))
    return hashlib.sha1((text + token).encode(), usedforsecurity=False).hexdigest().upper()


async def post(
    desk: Called,
    fields: dict[str, Any],
    *,
    signed: str | None = None,
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    raw: bytes | None = None,
) -> tuple[int, str]:
    """The answer's status, and the type of a refusal."""
    body = raw or json.dumps({**fields, "sign": sign(fields) if signed is None else signed}).encode()
    answer = await desk.http.post(PATH, content=body, headers={"crm-pay-token": TOKEN} if headers is None else headers)
    if answer.status_code == 400:
        assert answer.json() == {"error": True, "code": 400, "type": answer.json()["type"]}
        return 400, answer.json()["type"]
    assert answer.content == b""
    return answer.status_code, ""


async def told(desk: Called, chat: int = ANNA) -> list[str]:
    rows = await desk.rows("SELECT chat_id, body FROM outbox WHERE dedupe LIKE 'crm/payment/%' ORDER BY id")
    said = [json.loads(body) for where, body in rows if where == chat]
    return [f"{one['title']}. {one['lines'][0]}" for one in said]


async def kept(desk: Called) -> list[tuple[Any, ...]]:
    return await desk.rows("SELECT order_no, status, amount, currency, times FROM crm_payments ORDER BY order_no")


async def deeds(desk: Called) -> list[str]:
    rows = await desk.rows("SELECT action, object FROM audit WHERE action LIKE 'payment.%' ORDER BY seq")
    return [f"{action} {what}" for action, what in rows]


def test_the_known_answer_of_the_documents_is_a_signature() -> None:
    fields = '"amount":88.5,"currency":"USD","merchant_id":"m-77","order_no":"ord000000001","time":1763683200000'
    good = "2CAF5F3B2463597967936CB6C779A8EB5FECD351"
    for body in (f'{{{fields},"status":1}}', f'{{"status":1,{fields},"user_id":"","sign":"x"}}'):
        assert psp.is_signed(body.encode(), "demo-token-1", good)
        assert not psp.is_signed(body.encode(), "demo-token-2", good)
        assert not psp.is_signed(body.encode(), "demo-token-1", good.lower())
        assert not psp.is_signed(body.replace("88.5", "98.5").encode(), "demo-token-1", good)


async def test_what_the_other_side_signs_is_taken_kept_recorded_and_told(desk: Called) -> None:
    """From the simulator, which writes and signs by its own code."""
    await desk.tell("/merchant", url=f"{desk.origin}/crm", merchant_id=MERCHANT, token=TOKEN)
    order = (await desk.tell("/payment", amount="88.50", currency="USD"))["order_no"]
    before = (await desk.control.get("/ledger")).json()
    for status in (2, 1):
        heard = await desk.tell("/callback", url=f"{desk.origin}/crm", order_no=order, status=status)
        assert (heard["status"], heard["body"]) == (204, "")
    assert await desk.rows("SELECT order_no, status, currency FROM crm_payments") == [(order, 1, "USD")]
    ((amount,),) = await desk.rows("SELECT amount FROM crm_payments")
    assert Decimal(amount) == Decimal("88.50")
    assert await deeds(desk) == [f"payment.told crm/payment/{order}"] * 2
    first, second = await told(desk)
    assert first.startswith(f"Payment {order} is being processed. A deposit of 88.5")
    assert second.startswith(f"Payment {order} succeeded. A deposit of 88.5")
    assert (await desk.control.get("/ledger")).json() == before


@pytest.mark.parametrize("flaw", ["token", "no_token", "sign", "no_sign"])
async def test_what_the_other_side_spoils_is_refused_in_the_documented_words(desk: Called, flaw: str) -> None:
    await desk.tell("/merchant", url=f"{desk.origin}/crm", merchant_id=MERCHANT, token=TOKEN)
    order = (await desk.tell("/payment"))["order_no"]
    heard = await desk.tell("/callback", url=f"{desk.origin}/crm", order_no=order, flaw=flaw)
    assert (heard["status"], json.loads(heard["body"])) == (
        400,
        {"error": True, "code": 400, "type": "psp_token_invalid"},
    )
    assert (await kept(desk), await deeds(desk), await told(desk)) == ([], [], [])


async def test_a_token_that_is_wrong_doubled_or_in_another_place_is_none(desk: Called) -> None:
    fields = callback()
    tries: list[dict[str, str] | list[tuple[str, str]]] = [
        {},
        {"crm-pay-token": ""},
        {"crm-pay-token": TOKEN[:-1]},
        {"crm-pay-token": f"{TOKEN} {TOKEN}"},
        {"authorization": TOKEN},
        [("crm-pay-token", TOKEN), ("crm-pay-token", TOKEN)],
    ]
    answers = [await post(desk, fields, headers=headers) for headers in tries]
    assert answers == [(400, "psp_token_invalid")] * len(tries)
    assert await kept(desk) == []


async def test_a_sign_over_anything_else_is_none(desk: Called) -> None:
    fields = callback()
    for wrong in (
        sign(fields, "another token that is long enough"),
        sign(fields, ""),
        sign(callback(amount=98.5)),
        sign(callback(status=0)),
        sign(fields).lower(),
        "",
    ):
        assert await post(desk, fields, signed=wrong) == (400, "psp_token_invalid")
    nested = callback(more={"a": 1})
    assert await post(desk, nested) == (400, "psp_token_invalid")
    assert await kept(desk) == []


async def test_fields_that_are_not_documented_are_covered_by_the_sign_and_left_alone(desk: Called) -> None:
    assert await post(desk, callback(channel="银行", note="", retry=3)) == (204, "")


async def test_two_signs_and_other_malformed_bodies_are_refused(desk: Called) -> None:
    good = json.dumps({**callback(), "sign": sign(callback())})
    doubled = good[:-1] + f', "sign": "{sign(callback())}"}}'
    for raw in (doubled.encode(), b"[]", b"<html>", b"{", b"[" * 5000, good.replace("88.5", "NaN").encode()):
        assert await post(desk, {}, raw=raw) == (400, "invalid_request")
    for field in ("order_no", "amount", "currency", "time", "status", "merchant_id"):
        without = {name: value for name, value in callback().items() if name != field}
        assert await post(desk, without) == (400, "invalid_request")
    assert await post(desk, callback(order_no="../../etc")) == (400, "invalid_request")
    assert await kept(desk) == []


@pytest.mark.parametrize(
    ("changed", "type_"),
    [
        ({"merchant_id": "m-78"}, "deposit_method_not_found"),
        ({"status": 3}, "payment_status_not_allowed"),
        ({"status": -1}, "payment_status_not_allowed"),
        ({"amount": 0}, "payment_amount_not_allowed"),
        ({"amount": -88.5}, "payment_amount_not_allowed"),
        ({"amount": 10**16}, "invalid_request"),
        ({"currency": "US dollars"}, "payment_currency_not_allowed"),
    ],
)
async def test_what_cannot_be_is_refused_by_its_documented_name(
    desk: Called, changed: dict[str, Any], type_: str
) -> None:
    assert await post(desk, callback(**changed)) == (400, type_)
    assert (await kept(desk), await told(desk)) == ([], [])


async def test_between_processing_and_its_end_amount_and_currency_stay(desk: Called) -> None:
    assert await post(desk, callback(status=2)) == (204, "")
    assert await post(desk, callback(status=2)) == (204, "")
    assert await post(desk, callback(amount=98.5)) == (400, "payment_amount_not_allowed")
    assert await post(desk, callback(currency="EUR")) == (400, "payment_currency_not_allowed")
    assert await kept(desk) == [("ord000000001", 2, "88.50", "USD", 2)]
    assert await post(desk, callback(amount=88.5)) == (204, "")
    assert [line.partition(".")[0] for line in await told(desk)] == [
        "Payment ord000000001 is being processed",
        "Payment ord000000001 succeeded",
    ]


async def test_a_repeat_is_no_longer_pending_and_is_told_nobody(desk: Called) -> None:
    answers = await asyncio.gather(*(post(desk, callback()) for _ in range(50)))
    assert sorted(answers) == [(204, "")] + [(400, "payment_status_not_pending")] * 49
    assert await kept(desk) == [("ord000000001", 1, "88.50", "USD", 50)]
    assert await told(desk) == ["Payment ord000000001 succeeded. A deposit of 88.50 USD."]
    assert len(await deeds(desk)) == 1


async def test_another_end_of_the_same_payment_changes_nothing_and_is_told_once(desk: Called) -> None:
    assert await post(desk, callback()) == (204, "")
    for _ in range(3):
        assert await post(desk, callback(status=0)) == (400, "payment_status_not_pending")
    assert (await kept(desk))[0][:2] == ("ord000000001", 1)
    said = "It succeeded by the first word; now it is said that 88.50 USD failed."
    assert (await told(desk))[1:] == [f"Payment ord000000001: contradiction. {said}"]
    assert (await deeds(desk))[1:] == ["payment.contradicted crm/payment/ord000000001"]


async def test_one_transaction_is_of_one_payment(desk: Called) -> None:
    assert await post(desk, callback(transaction_id="t-1")) == (204, "")
    again = callback(order_no="ord000000002", transaction_id="t-1")
    assert await post(desk, again) == (400, "payment_request_exists")
    assert await post(desk, callback(order_no="ord000000002", transaction_id="t-2")) == (204, "")


async def test_admins_hear_of_it_and_the_approvers_who_may_read_the_crm(desk: Called) -> None:
    assert await post(desk, callback()) == (204, "")
    assert [len(await told(desk, chat)) for chat in (ADAM, ANNA, OLGA, VERA)] == [1, 1, 0, 0]
    await desk.rooms.database.write(
        lambda tables: tables.conn.execute("DELETE FROM shares WHERE party = 'role/approver'")
    )
    assert await post(desk, callback(order_no="ord000000002")) == (204, "")
    assert [len(await told(desk, chat)) for chat in (ADAM, ANNA)] == [2, 1]


async def test_a_body_of_five_megabytes_is_refused_and_so_is_one_that_stalls(
    desk: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = f"crm-pay-token: {TOKEN}\r\n"
    assert (await _head_only(desk, token, announced=5 << 20)).startswith(b"HTTP/1.1 413")
    monkeypatch.setattr(http_body, "BODY_SECONDS", 0.05)
    assert (await _head_only(desk, token)).startswith(b"HTTP/1.1 413")
    assert await post(desk, callback()) == (204, "")


async def test_without_the_token_a_body_is_not_waited_for(desk: Called) -> None:
    assert (await _head_only(desk, "")).startswith(b"HTTP/1.1 400")


async def test_what_cannot_be_kept_is_not_acknowledged(desk: Called) -> None:
    await desk.rooms.database.write(lambda tables: tables.conn.execute("ALTER TABLE crm_payments RENAME TO away"))
    assert await post(desk, callback()) == (503, "")
    await desk.rooms.database.write(lambda tables: tables.conn.execute("ALTER TABLE away RENAME TO crm_payments"))
    assert await post(desk, callback()) == (204, "")


async def test_without_its_table_there_is_no_such_place(tmp_path: Path) -> None:
    async with called(tmp_path) as desk:
        answer = await desk.http.post(PATH, content=b"{}", headers={"crm-pay-token": TOKEN})
        assert answer.status_code == 404


async def _head_only(desk: Called, headers: str, announced: int = 100) -> bytes:
    """The first line of the answer to a request whose body never comes."""
    url = httpx.URL(desk.origin)
    reader, writer = await asyncio.open_connection(url.host, url.port, family=socket.AF_INET)
    writer.write(f"POST {PATH} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {announced}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line
