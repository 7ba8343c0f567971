"""The frames of Engine.IO 3 and Socket.io 4, as far as this API uses them. Pure.

A packet is a figure and text: 0 open, 1 close, 2 ping, 3 pong, 4 message, 5 upgrade, 6 noop. A message carries a
Socket.io packet: 0 connect, 1 disconnect, 2 event, 4 error. An event is an array of its name and its arguments; ours
has one, the operation as JSON in a text. Everything we send is ASCII, so that no layer has a say in its encoding.

Inside the house both transports look alike: `{"op", "data"}` goes out, `{"msg", "data"}` comes in.

Source: Crypto Capital End-User API v2.3, section "Socket.io"; engine.io-protocol, revision 3.
"""

import json
import re
from dataclasses import dataclass

import msgspec

PING, PONG, UPGRADE, NOOP, CLOSE = "2", "3", "5", "6", "1"
PROBE, PROBED = "2probe", "3probe"
CONNECTED, DISCONNECTED = "40", "41"
_EVENT = re.compile(r"42(?:/[^,\[]*,)?[0-9]*(\[.*)", re.ASCII | re.DOTALL)
_MAX_PACKETS = 64


class _Opening(msgspec.Struct, frozen=True, rename="camel"):
    sid: str
    upgrades: list[str]
    ping_interval: int
    ping_timeout: int


@dataclass(frozen=True, slots=True)
class Opening:
    """What a session begins with."""

    sid: str
    upgrades: tuple[str, ...]
    ping_seconds: float
    """So often the client pings."""
    pong_seconds: float
    """So long it waits for the answer."""


class _Outgoing(msgspec.Struct, frozen=True):
    op: str
    data: msgspec.Raw


def parse_opening(packet: str) -> Opening:
    """The first packet of a session; `ValueError` when it is none, or none one can live with."""
    if not packet.startswith("0"):
        raise ValueError("a session that does not begin with open")
    try:
        said = msgspec.json.decode(packet[1:], type=_Opening)
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("an open packet that is not as documented") from None
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", said.sid, re.ASCII):
        raise ValueError("a session id that could change an address")
    if not (0 < said.ping_interval <= 3_600_000 and 0 < said.ping_timeout <= 3_600_000):
        raise ValueError("a heartbeat that cannot be kept")
    return Opening(said.sid, tuple(said.upgrades), said.ping_interval / 1000, said.ping_timeout / 1000)


def parse_payload(body: bytes) -> list[str]:
    """The packets of one polling answer in its text form: each after its length in bytes, and UTF-8 twice.

    Raises:
        ValueError: A length that does not fit, or more packets than anybody needs.
    """
    rest = body.decode("utf-8").encode("latin-1")  # errors of both are ValueErrors
    packets: list[str] = []
    while rest:
        length, colon, behind = rest.partition(b":")
        if not (colon and re.fullmatch(rb"[1-9][0-9]{0,6}", length)) or len(behind) < int(length):
            raise ValueError("a payload whose lengths do not fit")
        if len(packets) == _MAX_PACKETS:
            raise ValueError("too many packets at once")
        packets.append(behind[: int(length)].decode("utf-8"))
        rest = behind[int(length) :]
    return packets


def event_from(frame: str) -> str:
    """An operation's frame as an event. The operation's text stays as it is, inside a text."""
    operation = msgspec.json.decode(frame, type=_Outgoing)
    return "42" + json.dumps([operation.op, bytes(operation.data).decode()], separators=(",", ":"))


def frame_from(packet: str) -> str:
    """A packet that is neither heartbeat nor farewell, as a frame: its event's name and first argument, untouched.

    Over this transport the library's own errors come under the name of the bank's. An `error` without a key is the
    library's; it, and whatever else is no event, becomes a message of an unknown type.

    Raises:
        ValueError: An event that is not an array with a name.
    """
    event = _EVENT.fullmatch(packet)
    if event is None:
        return _frame("engine", b"null")
    try:
        name, *arguments = msgspec.json.decode(event[1], type=list[msgspec.Raw])
        kind = msgspec.json.decode(name, type=str)
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise ValueError("an event that is not as documented") from None
    data = bytes(arguments[0]) if arguments else b"null"
    if kind == "error" and b"key" not in data:
        return _frame("library error", b"null")
    return _frame(kind, data)


def _frame(kind: str, data: bytes) -> str:
    return f'{{"msg":{json.dumps(kind)},"data":{data.decode()}}}'
