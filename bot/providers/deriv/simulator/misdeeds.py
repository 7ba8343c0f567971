"""Misfortunes that are this service's own, below `/_sim/`; those of the wire are `/_sim/faults`.

POST /_sim/cut    {"every"?}   every line breaks without a close frame: now, or each so many real seconds, counted from
                               the first line there is; 0 ends that
POST /_sim/twist  {"call","when"?,"times"?,"carry_out"?,"lose"?,"late"?,"cut"?,"hold"?,"set"?,"drop"?}   another answer
POST /_sim/twist  {"call": ""}   no more twists
POST /_sim/doors  {"seconds"}    a connection so soon after another is answered 503 (0: none is; the service: 1)
GET  /_sim/twist  the twists that wait, and how many answers are held back

Of a twist: `when` are fields the request must have with these values (null: must not have); `times` how many answers
(1; 0 for ever); `carry_out` false: nothing is done; `lose`: no answer; `late`: it comes so many seconds later, others
overtake it; `cut`: the line breaks after it; `hold`: the answer comes after the next login, wherever; `set` is laid
over the answer, top-level fields, `req_id` and `error` included; `drop` are fields left out. With P for
"paymentagent_transfer":

    a dry run answered 1         {"call": P, "when": {"dry_run": 1}, "set": {P: 1}}
    a success answered 2         {"call": P, "when": {"dry_run": null}, "set": {P: 2}}
    executed, answer lost        {"call": P, "when": {"dry_run": null}, "lose": true, "cut": true}
    not executed, answer lost    {"call": "buy", "carry_out": false, "lose": true}
    another req_id               {"call": "buy", "set": {"req_id": 987654}}
    late, after a reconnect      {"call": "buy", "hold": true, "cut": true}
    overtaken by the next        {"call": "balance", "late": 0.2}
    any code of the reference    {"call": "buy", "carry_out": false, "set": {"error": {"code": …, "message": …}}}
    error and result together    {"call": "buy", "set": {"error": {"code": "WrongResponse", "message": "…"}}}
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

import msgspec
from starlette.routing import Route

from bot.providers.deriv.simulator import doors
from bot.providers.deriv.simulator.doors import Given, number, text
from bot.providers.deriv.simulator.hub import Hub
from bot.providers.deriv.simulator.twists import Twist

_HOUR = 3600


class Cutting(Protocol):
    """Whoever breaks lines again and again."""

    def cut_every(self, seconds: float) -> None:
        """From now on each so many seconds; 0 stops that."""

    def open_every(self, seconds: float) -> None:
        """From now on new connections have to be so far apart."""


class Misdeeds:
    """The control routes about broken lines and answers."""

    def __init__(self, hub: Hub, cutting: Cutting) -> None:
        self.hub = hub
        self.cutting = cutting

    def routes(self) -> list[Route]:
        return [
            *doors.posts({"cut": self.cut, "twist": self.twist, "doors": self.doors}),
            *doors.gets({"twist": self.twists}),
        ]

    def cut(self, given: Given) -> Mapping[str, object]:
        if "every" in given:
            seconds = float(number(given, "every", Decimal(0), _HOUR))
            self.cutting.cut_every(seconds)
            return {"every": seconds}
        return {"cut": self.hub.cut()}

    def doors(self, given: Given) -> Mapping[str, object]:
        seconds = float(number(given, "seconds", Decimal(0), _HOUR))
        self.cutting.open_every(seconds)
        return {"seconds": seconds}

    def twist(self, given: Given) -> Mapping[str, object]:
        if text(given, "call") == "":
            self.hub.twists.waiting.clear()
        elif given["call"] not in self.hub.plays:
            raise ValueError("no such call")
        else:
            try:
                self.hub.twists.waiting.append(msgspec.convert(given, Twist))
            except msgspec.ValidationError:
                raise ValueError("not a twist") from None
        return self.twists()

    def twists(self) -> Mapping[str, object]:
        waiting = [{"call": twist.call, "times": twist.times} for twist in self.hub.twists.waiting]
        return {"waiting": waiting, "held": len(self.hub.twists.held)}
