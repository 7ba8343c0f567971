"""What happens on the broker's side and cannot be asked for through its API.

    GET  /_sim/                                       this list, and the frame's own controls
    POST /_sim/price     {"epic", "bid", "offer"}     a new quote; reached stops and orders are carried out
    POST /_sim/move      {"epic", "percent"}          both sides of the quote by so many percent
    GET  /_sim/quotes                                 {"<epic>": {"bid", "offer", "status", "at_ms"}} as they stand
    POST /_sim/walk      {"on", "step_ms": 1000}      prices move by themselves, the same way with the same seed
    POST /_sim/step      {"steps": 1}                 so many steps of that walk at once, also while it is off
    POST /_sim/market    {"epic", "status"}           TRADEABLE, CLOSED, … ; nothing is dealt unless TRADEABLE
    POST /_sim/clock     {"seconds"}                  the broker's clock moves ahead: sessions, orders, limits age
    POST /_sim/cash      {"account", "amount"}        money arrives (or leaves, when negative); account by id
    POST /_sim/overnight {}                           the day's funding is booked for every open position
    POST /_sim/reject    {"reason", "times": 1}       the next so many acts are taken and then rejected; 0 times: none
    POST /_sim/expire    {}                           every session is dead; the next call must log in again
    GET  /_sim/sessions                               {"logins": made since the start, "live": now}
    POST /_sim/rates     {"enabled": true|false}      the request limits
    GET  /_sim/streams                                {"accepted": ever, "sockets": what each hears, was sent and said}
    POST /_sim/cut       {} or {"each_seconds"}       every socket is cut, now or each so often; 0 = no longer
    POST /_sim/hold      {"epic", "quotes", "bars"}   true: they change and are not streamed, until false
    POST /_sim/burst     {"quotes"}                   so many to each listener, as fast as it takes them; prices stay
    POST /_sim/options   any of `options.Options`       behaviour that is disputed or rare; {} tells how it stands

A body that cannot be meant is 400 `{"error": …}` and changes nothing.

Money endpoints fail through `/_sim/faults` of the frame, for example:
    refused before it is carried out    {"match": {"method": "POST", "path": "/positions"}, "action": "refuse"}
    carried out, reply lost             {"match": {"method": "POST", "path": "/positions"}, "action": "reset"}
    ten times not indexed yet           option `confirm_misses`: 10; for a time instead: `confirm_delay_ms`
    rejected                            POST /_sim/reject
"""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from bot.clock import to_millis
from bot.loopback import controls as frame
from bot.network.strictjson import Json
from bot.providers.capital.simulator.banking import Banking
from bot.providers.capital.simulator.calls import Refused, flag, json_object, number, text
from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.options import Options
from bot.providers.capital.simulator.quotes import MOST_STEPS, Quotes
from bot.providers.capital.simulator.sessions import Sessions
from bot.providers.capital.simulator.state import Rejecting
from bot.providers.capital.simulator.streaming import Streaming
from bot.providers.capital.simulator.world import World, cents

_STATUSES = ("TRADEABLE", "CLOSED", "EDITS_ONLY", "OFFLINE", "ON_AUCTION", "ON_AUCTION_NO_EDITS", "SUSPENDED")
_MOST = Decimal(10) ** 9
_LONGEST_STEP_MS = 3_600_000
_LONGEST_SKIP = 10 * 366 * 86_400

Outcome = dict[str, object]
Control = Callable[[Mapping[str, Json]], Outcome]
CatchUp = Callable[[], None]


class Controls:
    """The broker's own part of the control side."""

    def __init__(
        self,
        world: World,
        sessions: Sessions,
        quotes: Quotes,
        banking: Banking,
        streaming: Streaming,
        catch_up: CatchUp,
    ) -> None:
        self.world = world
        self.sessions = sessions
        self.quotes = quotes
        self.banking = banking
        self.streaming = streaming
        self.catch_up = catch_up

    def routes(self) -> list[BaseRoute]:
        posts: dict[str, Control] = {
            "/price": self.price,
            "/move": self.move,
            "/walk": self.walk,
            "/step": self.step,
            "/market": self.market,
            "/clock": self.clock,
            "/overnight": self.overnight,
            "/reject": self.reject,
            "/cash": self.cash,
            "/expire": self.expire,
            "/rates": self.rates,
            "/options": self.options,
            "/cut": self.cut,
            "/hold": self.hold,
            "/burst": self.burst,
        }
        gets: dict[str, Control] = {
            "/": self.list,
            "/sessions": self.counts,
            "/quotes": self.tell_quotes,
            "/streams": self.streams,
        }
        return [
            *(Route(path, self._endpoint(control), methods=["POST"]) for path, control in posts.items()),
            *(Route(path, self._endpoint(control), methods=["GET"]) for path, control in gets.items()),
        ]

    def _endpoint(self, control: Control) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> JSONResponse:
            try:
                body = json_object(await request.body())
                self.catch_up()
                return JSONResponse(control(body))
            except Refused as refused:
                return JSONResponse({"error": refused.code}, 400)

        return endpoint

    def list(self, _: Mapping[str, Json]) -> Outcome:
        return {"controls": (__doc__ or "").splitlines(), "frame": (frame.__doc__ or "").splitlines()}

    def price(self, body: Mapping[str, Json]) -> Outcome:
        epic = _epic(body)
        bid, offer = number(body, "bid"), number(body, "offer")
        if bid is None or offer is None or not 0 < bid <= offer < _MOST:
            raise Refused(400, "0 < bid <= offer is wanted")
        return self._reprice(epic, bid, offer)

    def move(self, body: Mapping[str, Json]) -> Outcome:
        epic, percent = _epic(body), number(body, "percent")
        if percent is None or not -100 < percent <= 1000:
            raise Refused(400, "a percent above -100 and up to 1000 is wanted")
        quote, factor = self.world.state.quotes[epic], 1 + percent / 100
        return self._reprice(epic, quote.bid * factor, quote.offer * factor)

    def _reprice(self, epic: str, bid: Decimal, offer: Decimal) -> Outcome:
        tick = INSTRUMENTS[epic].tick
        bid, offer = bid.quantize(tick, ROUND_HALF_EVEN), offer.quantize(tick, ROUND_HALF_EVEN)
        if not 0 < bid <= offer < _MOST:
            raise Refused(400, "no such price on this instrument's grid")
        quote = self.quotes.set(epic, bid, offer)
        return {"epic": epic, "bid": str(quote.bid), "offer": str(quote.offer)}

    def tell_quotes(self, _: Mapping[str, Json]) -> Outcome:
        return {
            epic: {
                "bid": str(quote.bid),
                "offer": str(quote.offer),
                "status": quote.status,
                "at_ms": to_millis(quote.updated),
            }
            for epic, quote in self.world.state.quotes.items()
        }

    def walk(self, body: Mapping[str, Json]) -> Outcome:
        on, step_ms = flag(body, "on"), number(body, "step_ms")
        step_ms = Decimal(self.world.state.walk.step_ms) if step_ms is None else step_ms
        if step_ms % 1 or not 1 <= step_ms <= _LONGEST_STEP_MS:
            raise Refused(400, "whole milliseconds, at most an hour, are wanted")
        self.quotes.start(on, int(step_ms))
        return {"on": on, "step_ms": int(step_ms)}

    def step(self, body: Mapping[str, Json]) -> Outcome:
        steps = number(body, "steps")
        steps = Decimal(1) if steps is None else steps
        if steps % 1 or not 1 <= steps <= MOST_STEPS:
            raise Refused(400, "a whole number of steps is wanted")
        for _ in range(int(steps)):
            self.quotes.step(self.world.now_ms())
        return {"taken": self.world.state.walk.taken}

    def clock(self, body: Mapping[str, Json]) -> Outcome:
        seconds = number(body, "seconds")
        if seconds is None or not 0 <= seconds <= _LONGEST_SKIP:
            raise Refused(400, "seconds ahead, at most ten years, are wanted")
        self.world.state.skipped_ms += int(seconds * 1000)
        self.catch_up()
        return {"now_ms": self.world.now_ms()}

    def overnight(self, _: Mapping[str, Json]) -> Outcome:
        booked: Outcome = {}
        for row in self.world.state.positions.values():
            booked[row.deal_id] = str(self.banking.fund(row))
        return {"booked": booked}

    def reject(self, body: Mapping[str, Json]) -> Outcome:
        reason, times = text(body, "reason"), number(body, "times")
        times = Decimal(1) if times is None else times
        if times % 1 or not 0 <= times <= _MOST:
            raise Refused(400, "a number of times is wanted")
        self.world.state.rejecting = Rejecting(reason, int(times)) if times else None
        return {"reason": reason, "times": int(times)}

    def market(self, body: Mapping[str, Json]) -> Outcome:
        epic, status = _epic(body), text(body, "status")
        if status not in _STATUSES:
            raise Refused(400, "no such market status")
        self.quotes.set_status(epic, status)
        return {"epic": epic, "status": status}

    def cash(self, body: Mapping[str, Json]) -> Outcome:
        account = self.world.state.accounts.get(text(body, "account"))
        amount = number(body, "amount")
        if account is None:
            raise Refused(400, "no such account")
        if not amount or abs(amount) >= _MOST or amount != cents(amount):
            raise Refused(400, "an amount in whole cents is wanted")
        self.banking.move_cash(account, amount)
        return {"account": account.id, "deposit": str(account.deposit)}

    def expire(self, _: Mapping[str, Json]) -> Outcome:
        killed = self.sessions.live()
        self.world.state.sessions.clear()
        return {"killed": killed}

    def counts(self, _: Mapping[str, Json]) -> Outcome:
        return {"logins": self.world.state.logins, "live": self.sessions.live()}

    def streams(self, _: Mapping[str, Json]) -> Outcome:
        sockets = [
            {
                "quotes": sorted(one.quotes),
                "bars": sorted(f"{epic}:{resolution.name}:{kind}" for epic, resolution, kind in one.bars),
                "sent": one.sent,
                "heard": one.heard,
            }
            for one in self.streaming.listeners
        ]
        return {"accepted": self.streaming.accepted, "sockets": sockets}

    def cut(self, body: Mapping[str, Json]) -> Outcome:
        each = number(body, "each_seconds")
        if each is None:
            return {"cut": self.streaming.cut()}
        if not 0 <= each <= _LONGEST_SKIP:
            raise Refused(400, "seconds are wanted")
        self.streaming.cut_each(int(each * 1000))
        return {"each_seconds": str(each)}

    def hold(self, body: Mapping[str, Json]) -> Outcome:
        epic, state = _epic(body), self.world.state
        for held, name in ((state.held_quotes, "quotes"), (state.held_bars, "bars")):
            if body.get(name) is not None and flag(body, name) != (epic in held):
                (held.remove if epic in held else held.append)(epic)
        return {"quotes": list(state.held_quotes), "bars": list(state.held_bars)}

    def burst(self, body: Mapping[str, Json]) -> Outcome:
        quotes = number(body, "quotes")
        if quotes is None or quotes % 1 or not 1 <= quotes <= _MOST:
            raise Refused(400, "a number of quotes is wanted")
        return {"sockets": self.streaming.burst(int(quotes))}

    def rates(self, body: Mapping[str, Json]) -> Outcome:
        return self.options({"rates": body.get("enabled")})

    def options(self, body: Mapping[str, Json]) -> Outcome:
        now: Outcome = msgspec.to_builtins(self.world.state.options)
        if not body.keys() <= now.keys():
            raise Refused(400, "no such option")
        try:
            self.world.state.options = msgspec.convert({**now, **body}, Options)
        except (msgspec.ValidationError, UnicodeError):  # the second for half a surrogate pair
            raise Refused(400, "not a value of this option") from None
        after: Outcome = msgspec.to_builtins(self.world.state.options)
        return after


def _epic(body: Mapping[str, Json]) -> str:
    epic = text(body, "epic")
    if epic not in INSTRUMENTS:
        raise Refused(400, "no such epic")
    return epic
