"""What a client may say on its socket, and what it is answered. Each message carries the two tokens.

An error is a frame of the same destination with `status` ERROR and the code in the payload; the socket stays open. An
epic that does not exist is answered in its place with ERROR instead of PROCESSED; one epic too many refuses them all.
"""

from collections.abc import Callable, Mapping, Sequence

from bot.network.strictjson import Json
from bot.providers.capital.simulator.bars import Resolution
from bot.providers.capital.simulator.calls import Refused, json_object
from bot.providers.capital.simulator.listener import Kept, Listener
from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.sessions import Sessions
from bot.providers.capital.simulator.world import World

MOST_EPICS = 40
TYPES = ("classic", "heikin-ashi")

Payload = Mapping[str, Json]
Body = dict[str, object]


class Dialogue:
    """Answers messages; changes nothing but the listener and the age of its session."""

    def __init__(self, world: World, sessions: Sessions, others: Callable[[], Sequence[Listener]]) -> None:
        self.world = world
        self.sessions = sessions
        self.others = others

    def answer(self, listener: Listener, raw: bytes) -> Body:
        """The reply to one message, whatever it is."""
        message: Payload = {}
        try:
            message = json_object(raw)
            reply: Body = {"status": "OK", "payload": self._served(listener, message)}
        except Refused as refused:
            reply = {"status": "ERROR", "payload": {"errorCode": refused.code}}
        destination, number = message.get("destination"), message.get("correlationId")
        if isinstance(destination, str):
            reply["destination"] = destination
        if number is not None:
            reply["correlationId"] = str(number)
        return reply

    def _served(self, listener: Listener, message: Payload) -> Body:
        serve = {
            "ping": self._ping,
            "marketData.subscribe": self._subscribe,
            "marketData.unsubscribe": self._unsubscribe,
            "OHLCMarketData.subscribe": self._subscribe_bars,
            "OHLCMarketData.unsubscribe": self._unsubscribe_bars,
        }.get(str(message.get("destination")))
        if serve is None:
            raise Refused(400, "error.invalid.destination")
        tokens = {"CST": message.get("cst"), "X-SECURITY-TOKEN": message.get("securityToken")}
        access = self.sessions.admit({name: token for name, token in tokens.items() if isinstance(token, str)})
        listener.session, listener.account_id = self.world.state.sessions[access.cst], access.account.id
        payload = message.get("payload")
        return serve(listener, payload if isinstance(payload, Mapping) else {})

    def _ping(self, _: Listener, __: Payload) -> Body:
        return {}

    def _subscribe(self, listener: Listener, payload: Payload) -> Body:
        epics = _names(payload, "epics")
        self._admit(listener, epics)
        listener.quotes.update(epic for epic in epics if epic in INSTRUMENTS)
        return _told({epic: epic in INSTRUMENTS for epic in epics})

    def _unsubscribe(self, listener: Listener, payload: Payload) -> Body:
        epics = _names(payload, "epics")
        listener.quotes.difference_update(epics)
        return _told({epic: epic in INSTRUMENTS for epic in epics})

    def _subscribe_bars(self, listener: Listener, payload: Payload) -> Body:
        epics = _names(payload, "epics")
        resolutions = _resolutions(payload) or [Resolution.MINUTE]
        kind = payload.get("type") or TYPES[0]
        if kind not in TYPES:
            raise Refused(400, "error.invalid.type")
        self._admit(listener, epics)
        now_ms = self.world.now_ms()
        answers: dict[str, bool] = {}
        for epic in epics:
            for resolution in resolutions:
                key = (epic, resolution, str(kind))
                answers[_spelled(key)] = epic in INSTRUMENTS
                if epic in INSTRUMENTS:
                    listener.bars.setdefault(key, resolution.start(now_ms))
        return _told(answers)

    def _unsubscribe_bars(self, listener: Listener, payload: Payload) -> Body:
        epics, resolutions = _names(payload, "epics"), _resolutions(payload) or list(Resolution)
        kinds = _names(payload, "types") if payload.get("types") else TYPES
        removed = [key for key in listener.bars if key[0] in epics and key[1] in resolutions and key[2] in kinds]
        for key in removed:
            del listener.bars[key]
        return _told({_spelled(key): True for key in removed})

    def _admit(self, listener: Listener, epics: Sequence[str]) -> None:
        if self.world.state.options.one_stream and any(
            one is not listener and one.epics and one.account_id == listener.account_id for one in self.others()
        ):
            raise Refused(429, "error.too-many.requests")
        wanted = listener.epics | {epic for epic in epics if epic in INSTRUMENTS}
        if len(wanted) > MOST_EPICS:
            raise Refused(400, "error.invalid.epics")


def _told(answers: Mapping[str, bool]) -> Body:
    return {"subscriptions": {name: "PROCESSED" if known else "ERROR" for name, known in answers.items()}}


def _spelled(key: Kept) -> str:
    epic, resolution, kind = key
    return f"{epic}:{resolution.name}:{kind}"


def _names(payload: Payload, member: str) -> list[str]:
    names = payload.get(member)
    if not isinstance(names, list) or not names:
        raise Refused(400, f"error.null.{member}")
    if not all(isinstance(name, str) for name in names):
        raise Refused(400, f"error.invalid.{member}")
    return [str(name) for name in names]


def _resolutions(payload: Payload) -> list[Resolution]:
    if not payload.get("resolutions"):
        return []
    names = _names(payload, "resolutions")
    if any(name not in Resolution.__members__ for name in names):
        raise Refused(400, "error.invalid.resolution")
    return [Resolution[name] for name in names]
