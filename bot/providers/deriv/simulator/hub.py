"""From a frame to its replies, and from a change of the world to the streams.

The order of examination is the one the service is known for: frame, object, sanity, call name, app, shape, login,
scope, rate, handler. Everything here runs to its end without waiting, so a frame is carried out whole.
"""

import asyncio
import decimal
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from uuid import UUID

from bot.loopback.simulator import Switches
from bot.network import strictjson
from bot.network.strictjson import Json
from bot.providers.deriv.simulator import telling
from bot.providers.deriv.simulator.connection import Body, Connection, Grant, Stream
from bot.providers.deriv.simulator.limits import Counters
from bot.providers.deriv.simulator.rules import Arguments, RefusalError, read
from bot.providers.deriv.simulator.shapes import Call
from bot.providers.deriv.simulator.state import Account
from bot.providers.deriv.simulator.twists import Twist, Twists
from bot.providers.deriv.simulator.world import World

_KEY = re.compile(r"[A-Za-z0-9_-]{1,50}")
_LONGEST_SCALAR = 300
_OUTSIDE = {"Cn", "Co", "Cs"}
"""Unassigned, private and half characters."""
_HIDDEN = "<not shown>"
_WORD_BITS = 63


@dataclass(slots=True)
class Request:
    """One call on its way through."""

    hub: "Hub"
    connection: Connection
    call: Call
    arguments: Arguments
    frame: Mapping[str, Json] = field(repr=False)
    envelope: Body = field(repr=False)
    grant: Grant | None = None

    @property
    def world(self) -> World:
        return self.hub.world

    @property
    def account(self) -> Account:
        """The account it acts on; only calls that need a login ask."""
        if self.grant is None:
            raise RefusalError("AuthorizationRequired", "Please log in.")
        return self.world.state.accounts[self.grant.loginid]

    def subscribe(self, kind: str, subject: str, *, public: bool = False, msg_type: str = "") -> Stream:
        """Start a stream on this request; `AlreadySubscribed` when it runs already."""
        envelope = {**self.envelope, "msg_type": msg_type or self.call.msg_type}
        stream = Stream(self.hub.new_id(), kind, subject, envelope, None if public else self.grant)
        self.connection.subscribe(stream)
        return stream


Handler = Callable[[Request], Sequence[Body]]
Play = tuple[Call, Handler]
"""A call, and what is done when it comes."""


class Hub:
    """All connections of one simulator, and the world they share."""

    def __init__(self, world: World, switches: Switches, plays: Sequence[Play]) -> None:
        self.world = world
        self.switches = switches
        self.plays = {call.name: (call, handler) for call, handler in plays}
        self.connections: set[Connection] = set()
        self.counters = Counters()
        self.twists = Twists()
        self.asked: Counter[str] = Counter()
        """How often each call came."""
        self.refused: Counter[str] = Counter()
        """How often each code was answered."""
        self._ids = 0

    def new_id(self) -> str:
        """A subscription id: a UUID drawn from the seed."""
        self._ids += 1
        return str(UUID(bytes=sha256(f"{self.world.seed}/{self._ids}".encode()).digest()[:16], version=4))

    def take(self, connection: Connection, raw: str | bytes) -> None:
        """Carry out one frame; replies and stream messages are in the outboxes afterwards."""
        self.world.settle()
        try:
            frame = _object(raw)
        except RefusalError as refusal:
            connection.send({"echo_req": {}, "msg_type": "error"}, refusal.body())
        else:
            self._answer(connection, frame)
        self.announce()

    def _answer(self, connection: Connection, frame: Mapping[str, Json]) -> None:
        envelope = _envelope(frame, self._hidden(frame))
        twist: Twist | None = None
        try:
            _sanity(frame)
            name = next((name for name in self.plays if name in frame), None)
            if name is None:
                raise RefusalError("UnrecognisedRequest", "Unrecognised request.")
            self.asked[name] += 1
            envelope["msg_type"] = self.plays[name][0].msg_type
            twist = self.twists.next(name, frame)
            bodies = self._carry_out(connection, name, frame, envelope) if twist is None or twist.carry_out else [{}]
        except RefusalError as refusal:
            self.refused[refusal.code] += 1
            bodies = [refusal.body()]
        for body in bodies:
            self._send(connection, {**envelope, **body}, twist)
        if "authorize" in bodies[-1]:
            for late in self.twists.take_held():
                connection.send(late, {})

    def _send(self, connection: Connection, reply: Mapping[str, object], twist: Twist | None) -> None:
        if twist is None:
            connection.send(reply, {})
            return
        reply = twist.changed(reply)
        if twist.hold:
            self.twists.held.append(reply)
        elif twist.late:
            asyncio.get_running_loop().call_later(twist.late, connection.send, reply, {})
        elif not twist.lose:
            connection.send(reply, {})
        if twist.cut:
            connection.hang_up()

    def _hidden(self, frame: Mapping[str, Json]) -> set[str]:
        """Names of the fields that are never shown, by the rules of every call the frame could be."""
        return {
            field for name, (call, _) in self.plays.items() if name in frame
            for field, rule in call.fields.items() if rule.sensitive
        }  # fmt: skip

    def _carry_out(
        self, connection: Connection, name: str, frame: Mapping[str, Json], envelope: Body
    ) -> Sequence[Body]:
        call, handler = self.plays[name]
        if connection.app_id not in self.world.state.apps:
            raise RefusalError("InvalidAppID", "Your app_id is invalid.")
        request = Request(self, connection, call, read(frame, call.fields), frame, envelope)
        if call.scopes:
            request.grant = self._grant(connection, request.arguments, call)
        self._count(connection, call, request.grant)
        return handler(request)

    def _grant(self, connection: Connection, arguments: Arguments, call: Call) -> Grant:
        """The login this call acts under: the one its `loginid` names, else the main one."""
        grant = connection.main
        if "loginid" in arguments and connection.grants:
            grant = connection.grants.get(arguments.text("loginid").upper())
            if grant is None:
                raise RefusalError("PermissionDenied", "Permission denied, no token was given for this loginid.")
        if grant is None:
            raise RefusalError("AuthorizationRequired", "Please log in.")
        self.world.usable(grant.token, connection.app_id, connection.ip)
        if not set(call.scopes) & set(grant.scopes):
            wanted = " or ".join(call.scopes)
            raise RefusalError("PermissionDenied", f"Permission denied, requires {wanted} scope.")
        return grant

    def _count(self, connection: Connection, call: Call, grant: Grant | None) -> None:
        if self.switches.limits_lifted:
            return
        who = grant or connection.main
        now = self.world.clock.monotonic()
        for bucket in call.buckets:
            if not self.counters.take(who.loginid if who else connection.name, bucket, now):
                raise RefusalError("RateLimit", f"You have reached the rate limit for {call.name}.")

    def pulse(self) -> None:
        """What happens by itself: contracts expire, prices tick."""
        self.world.settle()
        self.announce()
        self.tick()

    def announce(self) -> None:
        """Tell the streams about movements nobody has heard of yet."""
        fresh, self.world.fresh = self.world.fresh, []
        for movement in fresh:
            telling.movement(self.world, self.connections, movement)
        if fresh:
            telling.contracts(self.world, self.connections)

    def tick(self) -> None:
        """Send what is due on price and contract streams."""
        telling.prices(self.world, self.connections)
        telling.contracts(self.world, self.connections)

    def cut(self) -> int:
        """Break every line, as a network does it; how many that were."""
        for connection in list(self.connections):
            connection.drop()
        return len(self.connections)

    def website_changed(self) -> None:
        telling.website(self.world, self.connections, lifted=self.switches.limits_lifted)

    def token_expired(self, token: str) -> None:
        """Account streams that live on this token end."""
        refusal = RefusalError("InvalidToken", "The token is invalid.")
        for connection in self.connections:
            for stream in list(connection.streams.values()):
                if stream.grant is not None and stream.grant.token == token:
                    connection.end(stream, refusal)

    def left(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self.counters.drop(connection.name)


def _object(raw: str | bytes) -> Mapping[str, Json]:
    """The JSON object in a frame; binary frames and trailing newlines pass, as they do from some official clients.

    Raises:
        RefusalError: `BadRequest`.
    """
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        frame = _tame(strictjson.loads(unicodedata.normalize("NFC", text)))
    except (ValueError, decimal.InvalidOperation):
        frame = None
    if not isinstance(frame, Mapping):
        raise RefusalError("BadRequest", "Request must be a JSON object.")
    return frame


def _tame(value: Json) -> Json:
    """The same value in forms that can be written again: whole numbers beyond a machine word become decimals.

    Raises:
        ValueError: Half of a surrogate pair somewhere.
    """
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, int) and value.bit_length() > _WORD_BITS:
        return Decimal(value)
    elif isinstance(value, Mapping):
        return {str(_tame(name)): _tame(inner) for name, inner in value.items()}
    elif isinstance(value, list):
        return [_tame(inner) for inner in value]
    return value


def _envelope(frame: Mapping[str, Json], hidden: Container[str]) -> dict[str, object]:
    """What every reply to this frame carries; fields the schemas call sensitive are not shown."""
    envelope: dict[str, object] = {
        "echo_req": {name: _HIDDEN if name in hidden else value for name, value in frame.items()},
        "msg_type": "error",
    }
    req_id = frame.get("req_id")
    if isinstance(req_id, str) and re.fullmatch(r"-?[0-9]{1,18}", req_id):
        req_id = int(req_id)
    if isinstance(req_id, int) and not isinstance(req_id, bool):
        envelope["req_id"] = req_id
    if isinstance(frame.get("passthrough"), Mapping):
        envelope["passthrough"] = frame["passthrough"]
    return envelope


def _sanity(frame: Mapping[str, Json]) -> None:
    """Rules that come before any schema: plain short keys, and plain short values on the first two levels.

    Raises:
        RefusalError: `SanityCheckFailed`.
    """
    for name, value in frame.items():
        nested = value.items() if isinstance(value, Mapping) else ()
        items = value if isinstance(value, list) else ()
        names = [name, *(inner for inner, _ in nested)]
        scalars = [value, *(inner for _, inner in nested), *items]
        if not all(_KEY.fullmatch(each) for each in names) or not all(map(_sane, scalars)):
            raise RefusalError("SanityCheckFailed", "Parameters sanity check failed.")


def _sane(value: Json) -> bool:
    if isinstance(value, Mapping | list) or value is None:
        return True
    text = str(value)
    return len(text) <= _LONGEST_SCALAR and not any(unicodedata.category(letter) in _OUTSIDE for letter in text)
