"""Engine.IO 3 and Socket.io 4 as text: packets, the bodies of polling, the messages inside. Opens nothing.

A packet is a digit and its text. A WebSocket frame holds one packet; a polling body holds several in a row, in one of
two forms. In the text form each is `<length>:<packet>`, and what is not ASCII is encoded twice: the bytes of the first
UTF-8 are taken for characters, counted, and encoded again. In the binary form each is a zero, the digits of the length
as bytes 0 to 9, a byte 255, and the packet in UTF-8 once. `ValueError` means the bytes are none of this.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Engine(StrEnum):
    """The first digit of a packet."""

    OPEN = "0"
    CLOSE = "1"
    PING = "2"
    PONG = "3"
    MESSAGE = "4"
    UPGRADE = "5"
    NOOP = "6"


class Kind(StrEnum):
    """The digit after `MESSAGE`. Binary events (5, 6) are not spoken here."""

    CONNECT = "0"
    DISCONNECT = "1"
    EVENT = "2"
    ACK = "3"
    ERROR = "4"


PROBE = f"{Engine.PING}probe"
PROBED = f"{Engine.PONG}probe"
CONNECTED = f"{Engine.MESSAGE}{Kind.CONNECT}"

_MESSAGE = re.compile(r"([0-4])(/[^,]*)?,?([0-9]*)(.*)", re.DOTALL)
_LENGTH = re.compile(r"([0-9]{1,10}):")
_DIGITS = range(10)
_STRING, _END_OF_LENGTH = 0, 255


@dataclass(frozen=True, slots=True)
class Message:
    """One Socket.io packet. `body` is the JSON text of an event; an acknowledgement id is read and dropped."""

    kind: Kind
    namespace: str
    body: str


def read_message(text: str) -> Message:
    """What stands after the digit of a message packet."""
    found = _MESSAGE.fullmatch(text)
    if found is None:
        raise ValueError("not a packet of this protocol")
    return Message(Kind(found[1]), found[2] or "/", found[4])


def greeting(sid: str, upgrades: list[str], ping_interval_ms: int, ping_timeout_ms: int) -> str:
    """The packet that opens a session."""
    hello = {"sid": sid, "upgrades": upgrades, "pingInterval": ping_interval_ms, "pingTimeout": ping_timeout_ms}
    return Engine.OPEN + json.dumps(hello, separators=(",", ":"))


def event(name: str, data: Mapping[str, Any], *, as_text: bool, ascii_only: bool) -> str:
    """The packet of one event; `as_text` makes its argument a string that holds JSON."""

    def spelled(value: object) -> str:
        return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))

    return f"{Engine.MESSAGE}{Kind.EVENT}{spelled([name, spelled(data) if as_text else data])}"


def invalid_namespace(name: str) -> str:
    """The packet that refuses another namespace than `/`."""
    return f'{Engine.MESSAGE}{Kind.ERROR}{name},"Invalid namespace"'


def text_body(packets: list[str]) -> bytes:
    """The text form."""
    once = [packet.encode() for packet in packets]
    return "".join(f"{len(raw)}:{raw.decode('latin-1')}" for raw in once).encode()


def binary_body(packets: list[str]) -> bytes:
    """The binary form."""
    return b"".join(_binary_part(packet.encode()) for packet in packets)


def _binary_part(raw: bytes) -> bytes:
    return bytes([_STRING, *map(int, str(len(raw))), _END_OF_LENGTH]) + raw


def read_text_body(body: bytes) -> Iterator[str]:
    """Packets of the text form, one by one: those before a fault have counted when it is met."""
    text, at = body.decode(), 0
    if not text:
        raise ValueError("an empty body")
    while at < len(text):
        length = _LENGTH.match(text, at)
        if length is None:
            raise ValueError("no length before the packet")
        end = length.end() + int(length[1])
        if end > len(text):
            raise ValueError("shorter than its length")
        yield text[length.end() : end].encode("latin-1").decode()
        at = end


def read_binary_body(body: bytes) -> Iterator[str]:
    """Packets of the binary form, one by one. A packet that is itself binary is refused."""
    at = 0
    if not body:
        raise ValueError("an empty body")
    while at < len(body):
        mark = body.find(_END_OF_LENGTH, at + 1, at + 12)
        digits = body[at + 1 : max(mark, 0)]
        if body[at] != _STRING or not digits or any(digit not in _DIGITS for digit in digits):
            raise ValueError("no length before the packet")
        start, length = mark + 1, int("".join(map(str, digits)))
        if start + length > len(body):
            raise ValueError("shorter than its length")
        yield body[start : start + length].decode()
        at = start + length
