"""Crypto Capital's simulator over real sockets: Engine.IO 3 and Socket.io 4, as the documents describe the wire."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets

from bot.loopback.server import serving
from bot.providers.cryptocapital.simulator import make
from tests.support.cryptocapital_lines import (
    POLLING,
    WEBSOCKET,
    Poller,
    dialled,
    frame,
    heard,
    polled,
    spoken,
    teller_by,
    upgraded,
)
from tests.support.cryptocapital_teller import OPERATING, RESERVE, Bank, Teller, open_bank

UNKNOWN_TRANSPORT = {"code": 0, "message": "Transport unknown"}
UNKNOWN_SESSION = {"code": 1, "message": "Session ID unknown"}
BAD_METHOD = {"code": 2, "message": "Bad handshake method"}
BAD_REQUEST = {"code": 3, "message": "Bad request"}


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with open_bank() as opened:
        yield opened


def written(bank: Bank) -> Teller:
    """Somebody who writes operations of the client's key; they are sent by hand."""
    return Teller(None, bank.client)  # type: ignore[arg-type]  # has no connection


async def refused(bank: Bank, address: str, method: str = "GET") -> Any:
    reply = await bank.http.request(method, f"{bank.listening.http}{address}")
    assert reply.status_code == 400
    return reply.json()


async def is_over(bank: Bank, poller: Poller) -> bool:
    reply = await bank.http.post(poller.address, content="1:2")
    return reply.status_code == 400 and reply.json() == UNKNOWN_SESSION


async def asleep(bank: Bank, sleepers: int) -> None:
    async with asyncio.timeout(5):
        while len(bank.clock.sleepers) < sleepers:
            await asyncio.sleep(0.002)


# --- polling -------------------------------------------------------------------------------------------------------


async def test_the_first_poll_opens_a_session_and_the_next_one_joins(bank: Bank) -> None:
    poller = Poller(bank.http, bank.listening.http)
    await poller.open()
    assert set(poller.hello) == {"sid", "upgrades", "pingInterval", "pingTimeout"}
    assert len(poller.hello["sid"]) == 20
    assert poller.hello["upgrades"] == ["websocket"]
    assert (poller.hello["pingInterval"], poller.hello["pingTimeout"]) == (25000, 60000)
    assert await poller.get() == ["40"]


async def test_an_operation_is_posted_and_its_answers_are_polled(bank: Bank) -> None:
    poller, teller = await polled(bank), written(bank)
    await poller.post(spoken("auth", teller.operation("auth")))
    assert [heard(packet) for packet in await poller.get()] == [("ack", {"nonce": teller.nonce})]
    await poller.post(spoken("account", teller.operation("account", {"accountNumber": RESERVE}, RESERVE)))
    acked, told = [heard(packet) for packet in await poller.get()]
    assert acked == ("ack", {"nonce": teller.nonce})
    assert (told[0], told[1]["params"]["balance"]) == ("account", "61904.20")


async def test_several_packets_in_one_body_are_acted_upon_in_order(bank: Bank) -> None:
    poller, teller = await polled(bank), written(bank)
    first, second = teller.operation("auth"), teller.operation("ping")
    await poller.post(spoken("auth", first), "2", spoken("ping", second))
    packets = await poller.get()
    assert [packets[0], packets[2]] == [f'42["ack","{{\\"nonce\\":{op["nonce"]}}}"]' for op in (first, second)]
    assert packets[1] == "3"


async def test_a_poll_waits_until_there_is_something(bank: Bank) -> None:
    poller = await polled(bank)
    polling = asyncio.create_task(poller.get())
    other = await polled(bank)
    await other.post("2")
    assert await other.get() == ["3"]
    assert not polling.done()
    await poller.post("2")
    assert await polling == ["3"]


async def test_without_b64_bodies_come_in_binary_form_and_are_read_in_it(bank: Bank) -> None:
    address = f"{bank.listening.http}{POLLING}"
    reply = await bank.http.get(address)
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.content[:5] == b"\x00\x09\x07\xff0"
    address += f"&sid={json.loads(reply.content[5:])['sid']}"
    assert (await bank.http.get(address)).content == b"\x00\x02\xff40"
    octets = {"content-type": "application/octet-stream"}
    sent = await bank.http.post(address, content=b"\x00\x01\xff2", headers=octets)
    assert (sent.status_code, sent.text) == (200, "ok")
    assert (await bank.http.get(address)).content == b"\x00\x01\xff3"


async def test_what_is_not_ascii_is_understood_in_a_post_and_answered_in_ascii(bank: Bank) -> None:
    poller, teller = await polled(bank), written(bank)
    params = {"accountNumber": OPERATING, "beneficiary": RESERVE, "currency": "USD", "amount": 1, "narrative": "żółć €"}
    data = teller.operation("transfer", params, f"{OPERATING}{RESERVE}USD1")
    await poller.post("42" + json.dumps(["transfer", json.dumps(data, ensure_ascii=False)], ensure_ascii=False))
    assert heard((await poller.get())[0]) == ("ack", {"nonce": teller.nonce})
    assert (await bank.ledger())[0]["reference"] == "żółć €"
    await poller.post(
        spoken("auth", teller.operation("auth")),
        spoken("statement", teller.operation("statement", {"accountNumber": RESERVE, "limit": 1}, RESERVE)),
    )
    packets = await poller.get()
    assert all(packet.isascii() for packet in packets)
    assert heard(packets[-1])[1]["params"]["narrative"] == "żółć €"


async def test_asked_for_it_answers_are_not_ascii_and_encoded_twice(bank: Bank) -> None:
    await bank.post("socketio", ascii_only=False)
    teller = await teller_by(bank, "polling")
    await bank.post("deposit", account=OPERATING, amount=5, narrative="zażółć €")
    assert (await teller.result())["params"]["narrative"] == "zażółć €"
    await bank.post("deposit", account=OPERATING, amount=5, narrative="é")
    reply = await bank.http.get(teller.poller.address)  # type: ignore[attr-defined]
    assert b"\xc3\x83\xc2\xa9" in reply.content


async def test_closing_ends_the_session_and_lets_a_waiting_poll_go(bank: Bank) -> None:
    poller = await polled(bank)
    polling = asyncio.create_task(poller.get())
    other = await polled(bank)  # the waiting poll has arrived before this one was answered
    await poller.post("1")
    assert await polling == ["6"]
    assert await is_over(bank, poller)
    assert not await is_over(bank, other)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "text/plain"),
        (b"9:2", "text/plain"),
        (b"\xff\xfe", "text/plain"),
        (b"1:x", "text/plain"),
        (b"3:451", "text/plain"),
        (b"1:2", "application/octet-stream"),
        (b"\x01\x02\xff4x", "application/octet-stream"),
    ],
)
async def test_a_malformed_body_is_still_ok_and_ends_the_session(bank: Bank, body: bytes, kind: str) -> None:
    poller = await polled(bank)
    reply = await bank.http.post(poller.address, content=body, headers={"content-type": kind})
    assert (reply.status_code, reply.text) == (200, "ok")
    assert await is_over(bank, poller)


async def test_a_body_beyond_all_measure_is_cut_off(bank: Bank) -> None:
    poller = await polled(bank)
    reply = await bank.http.post(poller.address, content=b"1" * 1_100_000)
    assert reply.status_code == 413
    assert await is_over(bank, poller)


async def test_two_polls_of_one_session_at_once_end_it(bank: Bank) -> None:
    poller = await polled(bank)
    polling = asyncio.create_task(poller.get())
    await polled(bank)
    assert (await bank.http.get(poller.address)).status_code == 500
    assert await polling == ["1"]
    assert await is_over(bank, poller)


async def test_a_poller_that_hangs_up_has_left(bank: Bank) -> None:
    teller = await teller_by(bank, "polling")
    polling = asyncio.create_task(teller.poller.get())  # type: ignore[attr-defined]
    await bank.teller()
    polling.cancel()
    async with asyncio.timeout(5):
        while {row["connections"] for row in (await bank.get("keys"))["keys"]} != {1, 0}:
            await asyncio.sleep(0.005)
    assert await is_over(bank, teller.poller)  # type: ignore[attr-defined]


async def test_a_poll_that_waits_when_the_bank_ends_is_answered() -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        async with open_bank() as ending:
            poller = Poller(http, ending.listening.http)
            await poller.open()
            await poller.get()
            polling = asyncio.create_task(poller.get())
            await polled(ending)
        assert await polling == ["1"]


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "method", "answer"),
    [
        ("/socket.io/", "GET", UNKNOWN_TRANSPORT),
        ("/socket.io/?EIO=3&transport=flashsocket", "GET", UNKNOWN_TRANSPORT),
        (f"{POLLING}&sid=nobody", "GET", UNKNOWN_SESSION),
        (f"{POLLING}&sid=nobody", "POST", UNKNOWN_SESSION),
        (POLLING, "POST", BAD_METHOD),
        (f"{POLLING}&j=0", "GET", BAD_REQUEST),
        (WEBSOCKET, "GET", BAD_REQUEST),
    ],
)
async def test_a_request_of_another_protocol_is_refused_with_its_code(
    bank: Bank, address: str, method: str, answer: Any
) -> None:
    assert await refused(bank, address, method) == answer


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("/socket.io/?EIO=3", UNKNOWN_TRANSPORT),
        (POLLING, BAD_REQUEST),
        (f"{WEBSOCKET}&sid=nobody", UNKNOWN_SESSION),
    ],
)
async def test_a_websocket_of_another_protocol_is_refused_before_it_opens(
    bank: Bank, address: str, answer: Any
) -> None:
    with pytest.raises(websockets.InvalidStatus) as refusal:
        await dialled(bank, address)
    assert refusal.value.response.status_code == 400
    assert json.loads(refusal.value.response.body) == answer


# --- the WebSocket -------------------------------------------------------------------------------------------------


async def test_a_websocket_is_greeted_unasked_and_joined_without_a_connect(bank: Bank) -> None:
    socket = await dialled(bank, WEBSOCKET)
    hello = await frame(socket)
    assert hello.startswith('0{"sid":"')
    assert hello.endswith('","upgrades":[],"pingInterval":25000,"pingTimeout":60000}')
    assert await frame(socket) == "40"
    teller = written(bank)
    await socket.send(spoken("auth", teller.operation("auth")))
    assert await frame(socket) == f'42["ack","{{\\"nonce\\":{teller.nonce}}}"]'


@pytest.mark.parametrize("ping", ["2", "2hello", "2probe"])
async def test_the_client_pings_and_the_server_answers_bare(bank: Bank, ping: str) -> None:
    teller = await teller_by(bank, "websocket")
    await teller.socket.send(ping)
    assert await frame(teller.socket) == "3"


@pytest.mark.parametrize("ignored", ["0{}", "3", "5", "6", "43[1]", '44"x"', '42/chat,["auth","{}"]'])
async def test_packets_that_ask_for_nothing_are_passed_over(bank: Bank, ignored: str) -> None:
    teller = await teller_by(bank, "websocket")
    await teller.socket.send(ignored)
    await teller.hears_nothing()


@pytest.mark.parametrize("packet", ["", "x", "4", "47", "451-[]", b"4", "1"])
async def test_a_malformed_or_closing_packet_ends_the_connection(bank: Bank, packet: str | bytes) -> None:
    teller = await teller_by(bank, "websocket")
    await teller.socket.send(packet)
    async with asyncio.timeout(5):
        await teller.socket.wait_closed()
    assert teller.socket.close_code == 1000
    assert {row["connections"] for row in (await bank.get("keys"))["keys"]} == {0}


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        ("42", "not JSON"),
        ("42[", "not JSON"),
        ("42{}", "not an event"),
        ("42[]", "not an event"),
        ("42[7]", "unknown operation"),
        ('42["auth"]', "data is not an object"),
        ('42["auth",7]', "data is not an object"),
        ('42["auth","oops"]', "not JSON"),
        ('42["AUTH","{}"]', "unknown operation"),
        ('42["auth","{\\"nonce\\":1,\\"nonce\\":2}"]', "not JSON"),
        ("42" + "[" * 50_000, "nested too deeply"),
    ],
)
async def test_an_event_that_is_no_operation_gets_an_err(bank: Bank, packet: str, reason: str) -> None:
    teller = await teller_by(bank, "websocket")
    await teller.socket.send(packet)
    assert await teller.next() == ("err", {"nonce": None, "msg": reason})
    await teller.hears_nothing()


async def test_an_acknowledgement_id_changes_nothing_and_is_not_answered(bank: Bank) -> None:
    teller = await teller_by(bank, "websocket")
    await teller.socket.send(spoken("ping", teller.operation("ping")).replace("42", "4217", 1))
    assert await teller.next() == ("ack", {"nonce": teller.nonce})
    await teller.hears_nothing()


async def test_an_argument_may_be_an_object_in_both_directions(bank: Bank) -> None:
    teller = await teller_by(bank, "websocket")
    await bank.post("socketio", as_text=False)
    await teller.socket.send("42" + json.dumps(["ping", teller.operation("ping")]))
    assert await frame(teller.socket) == f'42["ack",{{"nonce":{teller.nonce}}}]'


async def test_the_reserved_name_error_can_be_lost_as_it_was(bank: Bank) -> None:
    teller = await teller_by(bank, "websocket")
    await bank.post("socketio", errors=False)
    await teller.pay(OPERATING, "9120999999", "USD", 5, "5")
    await teller.hears_nothing()
    await bank.post("socketio", errors=True)
    await teller.pay(OPERATING, "9120999999", "USD", 5, "5")
    assert (await teller.next())[0] == "error"


async def test_whoever_leaves_the_namespace_hears_nothing_until_joining_again(bank: Bank) -> None:
    teller = await teller_by(bank, "websocket")
    await teller.socket.send("41")
    await teller.socket.send(spoken("ping", teller.operation("ping")))
    await bank.post("deposit", account=OPERATING, amount=5)
    await teller.socket.send("2")
    assert await frame(teller.socket) == "3"
    await teller.socket.send("40")
    assert await frame(teller.socket) == "40"
    await teller.acked("auth")
    await bank.post("deposit", account=OPERATING, amount=6)
    assert (await teller.result())["params"]["receiveAmount"] == "6.00"


async def test_there_is_no_other_namespace(bank: Bank) -> None:
    teller = await teller_by(bank, "websocket")
    await teller.socket.send("40/chat")
    assert await frame(teller.socket) == '44/chat,"Invalid namespace"'
    await teller.hears_nothing()


# --- the upgrade ---------------------------------------------------------------------------------------------------


async def test_an_upgrade_lets_the_waiting_poll_go_and_carries_the_session_on(bank: Bank) -> None:
    poller, teller = await polled(bank), written(bank)
    await poller.post(spoken("auth", teller.operation("auth")))
    assert len(await poller.get()) == 1
    polling = asyncio.create_task(poller.get())
    socket = await dialled(bank, f"{WEBSOCKET}&sid={poller.hello['sid']}")
    await socket.send("2probe")
    assert await frame(socket) == "3probe"
    assert await polling == ["6"]
    await socket.send("5")
    await socket.send("2")
    assert await frame(socket) == "3"
    await bank.post("deposit", account=OPERATING, amount=5)
    assert heard(await frame(socket))[1]["params"]["receiveAmount"] == "5.00"
    for method in ("GET", "POST"):
        reply = await bank.http.request(method, poller.address)
        assert (reply.status_code, reply.json()) == (400, BAD_REQUEST)


async def test_nothing_is_lost_between_poll_and_websocket(bank: Bank) -> None:
    poller, teller = await polled(bank), written(bank)
    await poller.post(spoken("auth", teller.operation("auth")))
    await poller.get()
    socket = await dialled(bank, f"{WEBSOCKET}&sid={poller.hello['sid']}")
    await socket.send("2probe")
    assert await frame(socket) == "3probe"
    await bank.post("deposit", account=OPERATING, amount=1)
    assert heard((await poller.get())[0])[1]["params"]["receiveAmount"] == "1.00"
    assert await poller.get() == ["6"]
    await bank.post("deposit", account=OPERATING, amount=2)
    await socket.send("5")
    assert heard(await frame(socket))[1]["params"]["receiveAmount"] == "2.00"


@pytest.mark.parametrize("first", ["2", "5", "probe", b"2probe"])
async def test_a_websocket_that_does_not_probe_is_closed_and_polling_goes_on(bank: Bank, first: str | bytes) -> None:
    poller = await polled(bank)
    socket = await dialled(bank, f"{WEBSOCKET}&sid={poller.hello['sid']}")
    await socket.send(first)
    async with asyncio.timeout(5):
        await socket.wait_closed()
    await poller.post("2")
    assert await poller.get() == ["3"]


async def test_a_probe_that_is_not_followed_up_is_given_up_after_ten_seconds(bank: Bank) -> None:
    poller = await polled(bank)
    socket = await dialled(bank, f"{WEBSOCKET}&sid={poller.hello['sid']}")
    await socket.send("2probe")
    assert await frame(socket) == "3probe"
    second = await dialled(bank, f"{WEBSOCKET}&sid={poller.hello['sid']}")
    async with asyncio.timeout(5):
        await second.wait_closed()
    await asleep(bank, 3)  # the session's watch, the wait for the probe, the wait for the upgrade
    bank.clock.advance(10)
    async with asyncio.timeout(5):
        await socket.wait_closed()
    await poller.post("2")
    assert await poller.get() == ["3"]
    await upgraded(bank, poller)


async def test_no_upgrade_is_offered_when_there_is_to_be_none(bank: Bank) -> None:
    await bank.post("socketio", upgrades=False)
    assert (await polled(bank)).hello["upgrades"] == []


# --- the heartbeat -------------------------------------------------------------------------------------------------


async def test_a_client_that_is_silent_for_interval_and_timeout_is_let_go(bank: Bank) -> None:
    silent, lively, poller = await teller_by(bank, "websocket"), await teller_by(bank, "websocket"), await polled(bank)
    polling = asyncio.create_task(poller.get())
    await lively.acked("ping")
    bank.clock.advance(84)
    await lively.acked("ping")
    assert not polling.done()
    bank.clock.advance(1)
    async with asyncio.timeout(5):
        await silent.socket.wait_closed()
    assert await polling == ["1"]
    assert await is_over(bank, poller)
    await lively.acked("ping")
    bank.clock.advance(84)
    await lively.acked("ping")


async def test_the_heartbeat_of_new_sessions_can_be_set(bank: Bank) -> None:
    await bank.post("socketio", ping_interval_ms=300, ping_timeout_ms=700)
    poller = await polled(bank)
    assert (poller.hello["pingInterval"], poller.hello["pingTimeout"]) == (300, 700)
    polling = asyncio.create_task(poller.get())
    await polled(bank)
    bank.clock.advance(1)
    assert await polling == ["1"]


@pytest.mark.parametrize("body", [{"as_text": 1}, {"ping_interval_ms": 0}, {"ping_timeout_ms": "x"}, {"louder": True}])
async def test_a_manner_that_makes_no_sense_is_refused(bank: Bank, body: Any) -> None:
    before = await bank.get("socketio")
    assert "error" in await bank.post("socketio", expect=400, **body)
    assert await bank.get("socketio") == before


# --- TLS -----------------------------------------------------------------------------------------------------------


async def test_all_transports_are_there_over_tls() -> None:
    async with serving(make(7), tls=True) as listening:
        context = ssl.create_default_context(cafile=listening.credentials["ca_file"])
        assert listening.http.startswith("https://")
        async with httpx.AsyncClient(verify=context, trust_env=False) as http:
            poller = Poller(http, listening.http)
            await poller.open()
            assert await poller.get() == ["40"]
        for path, first in ((WEBSOCKET, "0{"), ("/ws", None)):
            async with websockets.connect(f"{listening.ws}{path}", ssl=context, proxy=None) as socket:
                if first is None:
                    await socket.send("{}")
                    assert json.loads(await frame(socket))["msg"] == "err"
                else:
                    assert (await frame(socket)).startswith(first)
