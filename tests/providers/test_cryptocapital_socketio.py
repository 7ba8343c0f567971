"""Crypto Capital inside Socket.io: the frames, and sessions against the simulator."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets

from bot.clock import SystemClock
from bot.errors import UnreachableError
from bot.providers.acts import Outcome
from bot.providers.cryptocapital import socketio
from bot.providers.cryptocapital.auth import Doubt
from bot.providers.cryptocapital.session import EventSocket
from bot.providers.cryptocapital.socketio import Opening
from tests.support.cryptocapital_desk import Branch, act, make_transfer, open_branch, until

OPENING = '0{"sid":"Ab_9-","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":60000}'


@pytest.fixture
async def branch() -> AsyncIterator[Branch]:
    async with open_branch("socketio") as opened:
        yield opened


# -------- frames


def test_an_operation_travels_as_a_text_inside_an_event() -> None:
    frame = '{"op":"auth","data":{"apiVersion":2,"nonce":1437400000257,"signed":"ME=="}}'
    event = '42["auth","{\\"apiVersion\\":2,\\"nonce\\":1437400000257,\\"signed\\":\\"ME==\\"}"]'
    assert socketio.event_from(frame) == event


def test_what_we_send_is_ascii_and_means_the_same() -> None:
    assert socketio.event_from('{"op":"x","data":{"a":"é€"}}') == '42["x","{\\"a\\":\\"\\u00e9\\u20ac\\"}"]'


@pytest.mark.parametrize(
    ("packet", "frame"),
    [
        ('42["ack","{\\"nonce\\":1}"]', '{"msg":"ack","data":"{\\"nonce\\":1}"}'),
        ('42["ack",{"nonce":1}]', '{"msg":"ack","data":{"nonce":1}}'),
        ('4217["ack",{"nonce":1.50},7]', '{"msg":"ack","data":{"nonce":1.50}}'),
        ('42["ack"]', '{"msg":"ack","data":null}'),
        ('42["error","{\\"key\\":\\"B\\"}"]', '{"msg":"error","data":"{\\"key\\":\\"B\\"}"}'),
        ('42["error","xhr poll error"]', '{"msg":"library error","data":null}'),
        ('44"not allowed"', '{"msg":"engine","data":null}'),
        ("9", '{"msg":"engine","data":null}'),
    ],
)
def test_an_event_becomes_a_frame_and_its_argument_stays_as_it_is(packet: str, frame: str) -> None:
    assert socketio.frame_from(packet) == frame


@pytest.mark.parametrize("packet", ["42[]", "42[1]", "42[", '42["a",]', "42" + "[" * 100_000])
def test_an_event_that_is_none_is_refused(packet: str) -> None:
    with pytest.raises(ValueError, match="event"):
        socketio.frame_from(packet)


@pytest.mark.parametrize(
    ("body", "packets"),
    [
        (b"", []),
        (b"2:40", ["40"]),
        (b'25:42["ack","{\\"nonce\\":1}"]2:40', ['42["ack","{\\"nonce\\":1}"]', "40"]),
        ('6:4"Ã©"'.encode(), ['4"é"']),  # UTF-8 twice; the length counts the bytes of the first
    ],
)
def test_a_payload_is_taken_apart_by_its_lengths(body: bytes, packets: list[str]) -> None:
    if packets == ['4"é"']:
        body = b"5" + body[1:]
    assert socketio.parse_payload(body) == packets


@pytest.mark.parametrize("body", [b"3:40", b"40", b":", b"-1:4", b"0:", b"2:40x", b"\xff", b"1:4" * 65, "1:é".encode()])
def test_a_payload_with_wrong_lengths_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of several kinds
        socketio.parse_payload(body)


def test_a_session_begins_with_its_heartbeat() -> None:
    opening = socketio.parse_opening(OPENING)
    assert (opening.sid, opening.upgrades, opening.ping_seconds, opening.pong_seconds) == (
        "Ab_9-",
        ("websocket",),
        25.0,
        60.0,
    )


@pytest.mark.parametrize(
    "packet",
    [
        "",
        "40",
        "0",
        "0[]",
        OPENING.replace("Ab_9-", "a&b=c"),
        OPENING.replace("Ab_9-", ""),
        OPENING.replace("25000", "0"),
        OPENING.replace("60000", "-1"),
        OPENING.replace("25000", '"x"'),
    ],
)
def test_a_session_that_begins_otherwise_is_refused(packet: str) -> None:
    with pytest.raises(ValueError, match=r"session|open|heartbeat"):
        socketio.parse_opening(packet)


# -------- sessions


async def test_a_login_reads_through_a_session(branch: Branch) -> None:
    assert len((await branch.link().balances()).items) == 3


@pytest.mark.parametrize("how", [{"as_text": False}, {"as_text": True}, {"ascii_only": False}])
async def test_arguments_may_be_texts_or_objects_and_need_not_be_ascii(branch: Branch, how: dict[str, Any]) -> None:
    await branch.post("socketio", **how)
    linked = branch.link()
    _, receipt = await make_transfer(linked.money, act(narrative="zażółć € 漢"))
    assert receipt.outcome in (Outcome.ACKNOWLEDGED, Outcome.SUCCEEDED)
    key = await linked.key_line()
    await until(lambda: bool(key.transfers))
    (told,) = key.transfers.values()
    assert told.narrative == "CS-ABCDEFGHJK zażółć € 漢"
    assert not linked.doubts


async def test_our_heart_keeps_a_session_alive_beyond_the_banks_patience(branch: Branch) -> None:
    await branch.post("socketio", ping_interval_ms=60, ping_timeout_ms=120)
    linked = branch.link()
    await linked.balances()
    key = await linked.key_line()
    talk = key.line._talk
    await linked._clock.sleep(0.6)  # three times as long as the bank waits for anything at all
    assert key.line._talk is talk


class Mute:
    """A connection over which nothing ever comes."""

    def __init__(self) -> None:
        self.state = websockets.State.OPEN
        self.sent: list[str] = []

    async def send(self, message: str, /) -> None:
        self.sent.append(message)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        await asyncio.Event().wait()
        yield ""

    async def close(self) -> None:
        self.state = websockets.State.CLOSED


async def test_a_bank_that_answers_no_ping_is_given_up() -> None:
    mute = Mute()
    socket = EventSocket(mute, Opening("sid", ("websocket",), 0.01, 0.01), SystemClock())
    await until(lambda: socket.state is websockets.State.CLOSED)
    assert mute.sent == ["2"]
    await socket.close()


async def test_without_an_upgrade_nobody_is_reached(branch: Branch) -> None:
    await branch.post("socketio", upgrades=False)
    with pytest.raises(UnreachableError, match="no WebSocket"):
        await branch.link().balances()


async def test_a_session_that_was_ended_is_opened_anew_by_the_next_question(branch: Branch) -> None:
    linked = branch.link()
    await linked.balances()
    key = await linked.key_line()
    await branch.post("hangup")
    await until(lambda: not key.line.connected)
    assert len((await linked.balances()).items) == 3


async def test_a_librarys_error_is_nobodys_failure(branch: Branch) -> None:
    linked = branch.link()
    await linked.balances()
    await branch.post("say", to="9120004471", msg="error", data={"message": "transport close"})
    await linked.balances()
    assert linked.doubts == {Doubt.UNFAMILIAR: 1}
    assert (await linked.key_line()).failures == {}
