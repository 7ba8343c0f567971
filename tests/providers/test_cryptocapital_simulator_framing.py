"""The simulator's Engine.IO 3 and Socket.io 4 as bytes: documented examples, both forms of a body, and what is none."""

import pytest

from bot.providers.cryptocapital.simulator.framing import (
    Kind,
    Message,
    binary_body,
    event,
    greeting,
    read_binary_body,
    read_message,
    read_text_body,
    text_body,
)

AUTH = '42["auth","{\\"nonce\\":5}"]'


def test_the_greeting_has_the_documented_97_characters() -> None:
    packet = greeting("abcdefghijklmnopqrst", ["websocket"], 25000, 60000)
    assert packet == (
        '0{"sid":"abcdefghijklmnopqrst","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":60000}'
    )
    assert text_body([packet])[:5] == b"97:0{"
    assert binary_body([packet])[:6] == b"\x00\x09\x07\xff0{"


@pytest.mark.parametrize(
    ("packets", "body"),
    [
        (["40"], b"2:40"),
        (["3", "6"], b"1:31:6"),
        ([AUTH], b'26:42["auth","{\\"nonce\\":5}"]'),
        (["4é"], b"3:4\xc3\x83\xc2\xa9"),
        (["4ż", "2"], b"3:4\xc3\x85\xc2\xbc1:2"),
        (["4€"], b"4:4\xc3\xa2\xc2\x82\xc2\xac"),
    ],
)
def test_the_text_form_counts_the_bytes_of_the_first_of_two_encodings(packets: list[str], body: bytes) -> None:
    assert text_body(packets) == body
    assert list(read_text_body(body)) == packets


@pytest.mark.parametrize(
    ("packets", "body"),
    [
        (["40"], b"\x00\x02\xff40"),
        (["3", "6"], b"\x00\x01\xff3\x00\x01\xff6"),
        ([AUTH], b'\x00\x02\x06\xff42["auth","{\\"nonce\\":5}"]'),
        (["4€"], b"\x00\x04\xff4\xe2\x82\xac"),
        (["4" + "x" * 255], b"\x00\x02\x05\x06\xff4" + b"x" * 255),
    ],
)
def test_the_binary_form_is_utf8_once(packets: list[str], body: bytes) -> None:
    assert binary_body(packets) == body
    assert list(read_binary_body(body)) == packets


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"40",
        b":40",
        b"3:40",
        b"1:40",
        b"-1:4",
        b"2:402",
        b"x:40",
        b"99999999999:4",
        b"2:\xc5\xbc4",
        b"3:4\xff",
        b"2:4\xc2\x82",
    ],
)
def test_a_text_body_with_a_wrong_length_or_encoding_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 – the reason is for nobody
        list(read_text_body(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"2:40",
        b"\x00\xff",
        b"\x00\x02\xff4",
        b"\x00\x0a\xff4",
        b"\x00\x02",
        b"\x01\x02\xff40",
        b"\x00\x01\xff40",
        b"\x00\x01\xff\xff",
        b"\x00" + b"\x01" * 20 + b"\xff4",
    ],
)
def test_a_binary_body_with_a_wrong_length_or_a_binary_packet_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 – the reason is for nobody
        list(read_binary_body(body))


def test_what_stands_before_a_fault_is_read() -> None:
    packets = read_text_body(b"1:29:4")
    assert next(packets) == "2"
    with pytest.raises(ValueError, match="shorter than its length"):
        next(packets)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('2["ping","{}"]', Message(Kind.EVENT, "/", '["ping","{}"]')),
        ('20["ping","{}"]', Message(Kind.EVENT, "/", '["ping","{}"]')),
        ('2417["a"]', Message(Kind.EVENT, "/", '["a"]')),
        ('2/chat,7["a"]', Message(Kind.EVENT, "/chat", '["a"]')),
        ("0", Message(Kind.CONNECT, "/", "")),
        ("0/chat", Message(Kind.CONNECT, "/chat", "")),
        ("0/chat?x=1,", Message(Kind.CONNECT, "/chat?x=1", "")),
        ("1", Message(Kind.DISCONNECT, "/", "")),
        ('2["a","/b,c"]', Message(Kind.EVENT, "/", '["a","/b,c"]')),
    ],
)
def test_a_message_is_kind_namespace_and_body(text: str, message: Message) -> None:
    assert read_message(text) == message


@pytest.mark.parametrize("text", ["", "x", "51-[{}]", "61-[]", "7"])
def test_binary_events_and_nonsense_are_no_messages(text: str) -> None:
    with pytest.raises(ValueError, match="not a packet of this protocol"):
        read_message(text)


@pytest.mark.parametrize(
    ("as_text", "ascii_only", "packet"),
    [
        (True, True, r'42["ack","{\"n\":1,\"m\":\"\\u017c\"}"]'),
        (True, False, r'42["ack","{\"n\":1,\"m\":\"ż\"}"]'),
        (False, True, r'42["ack",{"n":1,"m":"\u017c"}]'),
        (False, False, '42["ack",{"n":1,"m":"ż"}]'),
    ],
)
def test_an_event_carries_text_or_an_object_in_ascii_or_not(as_text: bool, ascii_only: bool, packet: str) -> None:
    assert event("ack", {"n": 1, "m": "ż"}, as_text=as_text, ascii_only=ascii_only) == packet
