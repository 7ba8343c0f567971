"""What comes between the bank and its clients when a test says so: spoiled, held, repeated and invented messages."""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bot.providers.cryptocapital.simulator.desk import Desk
from bot.providers.cryptocapital.simulator.fields import Fields, asked, decimal, flag, posted, text
from bot.providers.cryptocapital.simulator.misbehaviour import Misbehaviour, Mode, touchable
from bot.providers.cryptocapital.simulator.results import FIELDS
from bot.providers.cryptocapital.simulator.sessions import Manner

_MAX_SECONDS = 86_400
_MAX_TIMES = 1_000_000
_SPOKEN = ("as_text", "ascii_only", "errors", "upgrades")
_TIMED = ("ping_interval_ms", "ping_timeout_ms")


class Interference:
    """The routes below `/_sim` that are about messages and connections. The books never show anything of them."""

    def __init__(self, desk: Callable[[], Desk], manner: Manner) -> None:
        self._desk = desk
        self._manner = manner

    def routes(self) -> Sequence[BaseRoute]:
        posts = {
            "/misbehave": self._misbehave,
            "/release": self._release,
            "/tell": self._tell,
            "/forge": self._forge,
            "/say": self._say,
            "/hangup": self._hang_up,
            "/socketio": self._speak,
        }
        return [
            *(Route(path, posted(act), methods=["POST"]) for path, act in posts.items()),
            Route("/misbehave", asked(self._waiting), methods=["GET"]),
            Route("/misbehave", asked(self._forget), methods=["DELETE"]),
            Route("/socketio", asked(self._spoken), methods=["GET"]),
        ]

    def _misbehave(self, fields: Fields) -> Response:
        times = decimal(fields, "times", default=Decimal(1), highest=_MAX_TIMES)
        if times != int(times):
            raise ValueError("times is not a whole number")
        spoiled = self._spoiled(fields)
        spoiled.times = int(times)
        spoiled.seconds = float(decimal(fields, "seconds", default=Decimal(2), highest=_MAX_SECONDS))
        spoiled.narrative = text(fields, "narrative", default="")
        spoiled.to = self._desk().key_of(text(fields, "to")) if "to" in fields else ""
        self._desk().notary.script.waiting.append(spoiled)
        return self._waiting()

    def _waiting(self) -> Response:
        desk = self._desk()
        waiting = [one.as_json() for one in desk.notary.script.waiting]
        return JSONResponse({"waiting": waiting, "held": len(desk.held)})

    def _forget(self) -> Response:
        self._desk().notary.script.waiting.clear()
        return self._waiting()

    def _release(self, fields: Fields) -> Response:
        return JSONResponse({"released": self._desk().release(reverse=flag(fields, "reverse", default=False))})

    def _tell(self, fields: Fields) -> Response:
        """Say a booked transfer once more, signed anew."""
        desk, number = self._desk(), text(fields, "id")
        notices = desk.bank.told_of(number)
        if not notices:
            raise ValueError("no such transfer")
        desk.deliver(desk.announce(notices))
        return JSONResponse({"told": len(notices)})

    def _forge(self, fields: Fields) -> Response:
        """Sign what never happened."""
        desk, kind, params = self._desk(), text(fields, "kind"), fields["params"]
        if not isinstance(params, Mapping) or set(params) != set(FIELDS.get(kind, ())):
            raise ValueError("params are not those of its kind")
        wanted = {name: text(params, name) for name in FIELDS[kind]}
        spoiled = self._spoiled({**fields, "kind": kind}) if "mode" in fields else None
        key = desk.key_of(text(fields, "to"))
        result = desk.notary.result(kind, key, wanted, desk.now_ms(), spoiled)
        desk.deliver([result])
        return JSONResponse({"message": result.body})

    def _say(self, fields: Fields) -> Response:
        """Any message as it stands, signed by nobody."""
        kind, data = text(fields, "msg"), fields["data"]
        if not isinstance(data, Mapping):
            raise ValueError("data is not an object")
        try:
            json.dumps(data).encode()
        except TypeError:
            raise ValueError("a number in data is not an integer") from None
        listening = self._desk().listening(self._desk().key_of(text(fields, "to")))
        for link in listening:
            link.send(kind, data)
        return JSONResponse({"told": len(listening)})

    def _hang_up(self, fields: Fields) -> Response:
        links = list(self._desk().listeners)
        if "to" in fields:
            links = self._desk().listening(self._desk().key_of(text(fields, "to")))
        for link in links:
            link.hang_up()
        return JSONResponse({"ended": len(links)})

    def _speak(self, fields: Fields) -> Response:
        unknown = set(fields) - {*_SPOKEN, *_TIMED}
        if unknown:
            raise ValueError(f"no such manner: {min(unknown)}")
        wanted: dict[str, bool | int] = {name: flag(fields, name) for name in _SPOKEN if name in fields}
        wanted |= {name: int(decimal(fields, name, lowest=1, highest=10**8)) for name in _TIMED if name in fields}
        self._manner.adopt(wanted)
        return self._spoken()

    def _spoken(self) -> Response:
        return JSONResponse(self._manner.as_json())

    def _spoiled(self, fields: Fields) -> Misbehaviour:
        mode, field = Mode(text(fields, "mode")), text(fields, "field", default="")
        kind = text(fields, "kind", default="")
        if kind and kind not in FIELDS:
            raise ValueError("no such kind")
        if field and not any(field in touchable(mode, one) for one in ([kind] if kind else FIELDS)):
            raise ValueError("field is none that can be touched")
        return Misbehaviour(mode, field=field, kind=kind)
