"""From a frame to its replies, and from a change of the world to the streams.

The order of examination is the one the service is known for: frame, object, sanity, call name, app, shape, login,
scope, rate, handler. Everything here runs to its end without waiting, so a frame is carried out whole.
"""

import decimal
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from uuid import UUID

from bot.loopback.server import Switches
from bot.network import strictjson
from bot.network.strictjson import Json
from bot.providers.deriv.simulator import payloads
from bot.providers.deriv.simulator.catalogue import CALLS, Call
from bot.providers.deriv.simulator.connection import Body, Connection, Grant, Stream
from bot.providers.deriv.simulator.limits import Counters
from bot.providers.deriv.simulator.prices import SYMBOLS
from bot.providers.deriv.simulator.rules import Arguments, RefusalError, read
from bot.providers.deriv.simulator.world import Account, Movement, World

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

    def subscribe(self, kind: str, subject: str, *, public: bool = False) -> Stream:
        """Start a stream on this request; `AlreadySubscribed` when it runs already."""
        envelope = {**self.envelope, "msg_type": self.call.msg_type}
        stream = Stream(self.hub.new_id(), kind, subject, envelope, None if public else self.grant)
        self.connection.subscribe(stream)
        return stream


Handler = Callable[[Request], Sequence[Body]]


class Hub:
    """All connections of one simulator, and the world they share."""

    def __init__(self, world: World, switches: Switches, handlers: Mapping[str, Handler]) -> None:
        self.world = world
        self.switches = switches
        self.handlers = handlers
        self.connections: set[Connection] = set()
        self.counters = Counters()
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
        envelope = _envelope(frame)
        try:
            _sanity(frame)
            call = next((call for name, call in CALLS.items() if name in frame), None)
            if call is None:
                raise RefusalError("UnrecognisedRequest", "Unrecognised request.")
            envelope["msg_type"] = call.msg_type
            for body in self._carry_out(connection, call, frame, envelope):
                connection.send(envelope, body)
        except RefusalError as refusal:
            connection.send(envelope, refusal.body())

    def _carry_out(
        self, connection: Connection, call: Call, frame: Mapping[str, Json], envelope: Body
    ) -> Sequence[Body]:
        if connection.app_id not in self.world.state.apps:
            raise RefusalError("InvalidAppID", "Your app_id is invalid.")
        request = Request(self, connection, call, read(frame, call.fields), envelope)
        if call.scopes:
            request.grant = self._grant(connection, request.arguments, call)
        self._count(connection, call, request.grant)
        return self.handlers[call.name](request)

    def _grant(self, connection: Connection, arguments: Arguments, call: Call) -> Grant:
        """The login this call acts under: the one its `loginid` names, else the main one."""
        grant = connection.main
        if "loginid" in arguments and connection.grants:
            grant = connection.grants.get(arguments.text("loginid").upper())
            if grant is None:
                raise RefusalError("PermissionDenied", "Permission denied, no token was given for this loginid.")
        if grant is None:
            raise RefusalError("AuthorizationRequired", "Please log in.")
        self.world.usable(grant.token, connection.app_id)
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
            for connection in self.connections:
                for stream in list(connection.streams.values()):
                    if stream.grant is not None:
                        self._announce(connection, stream, stream.grant, movement)

    def _announce(self, connection: Connection, stream: Stream, grant: Grant, movement: Movement) -> None:
        account = self.world.state.accounts[movement.loginid]
        if stream.kind == "transaction" and stream.subject == account.loginid:
            body = payloads.transaction(self.world, movement, stream.id)
        elif stream.kind == "balance" and stream.subject == account.loginid:
            body = payloads.balance(account, movement.balance_after, stream.id)
        elif stream.kind == "balance" and stream.subject == "all" and account.user_id == grant.user_id:
            body = payloads.all_balances(self.world, self.world.state.accounts[grant.loginid], stream.id)
        else:
            return
        connection.send(stream.envelope, body)

    def tick(self, *, moved: str = "") -> None:
        """Send what is due on price streams; the symbol `moved` is due at once."""
        now = self.world.now()
        for connection in self.connections:
            for stream in list(connection.streams.values()):
                if stream.kind == "ticks":
                    self._tick(connection, stream, now, at_once=stream.subject == moved)

    def _tick(self, connection: Connection, stream: Stream, now: int, *, at_once: bool) -> None:
        symbol = SYMBOLS[stream.subject]
        due = now - now % symbol.interval_seconds
        if not symbol.is_open(now):
            connection.end(stream, RefusalError("MarketIsClosed", "This market is presently closed."))
        elif at_once or due > stream.last_second:
            stream.last_second = now if at_once else due
            connection.send(stream.envelope, payloads.tick(self.world, symbol, stream.last_second, stream.id))

    def website_changed(self) -> None:
        for connection in self.connections:
            for stream in connection.streams.values():
                if stream.kind == "website_status":
                    connection.send(stream.envelope, payloads.website_status(self.world, stream.id))

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


def _envelope(frame: Mapping[str, Json]) -> dict[str, object]:
    """What every reply to this frame carries; fields the schemas call sensitive are not shown."""
    hidden = {
        name for call in CALLS.values() if call.name in frame for name, rule in call.fields.items() if rule.sensitive
    }
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
