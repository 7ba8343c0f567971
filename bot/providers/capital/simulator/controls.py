"""What happens on the broker's side and cannot be asked for through its API.

    POST /_sim/price     {"epic", "bid", "offer"}     a new quote; reached stops and take-profits close their rows
    POST /_sim/move      {"epic", "percent"}          both sides of the quote by so many percent
    POST /_sim/market    {"epic", "status"}           TRADEABLE, CLOSED, … ; nothing is dealt unless TRADEABLE
    POST /_sim/cash      {"account", "amount"}        money arrives (or leaves, when negative); account by id
    POST /_sim/expire    {}                           every session is dead; the next call must log in again
    GET  /_sim/sessions                               {"logins": made since the start, "live": now}
    POST /_sim/rates     {"enabled": true|false}      the request limits
    POST /_sim/options   any of `state.Options`       behaviour that is disputed or rare

A body that cannot be meant is 400 `{"error": …}` and changes nothing.
"""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from bot.network.strictjson import Json
from bot.providers.capital.simulator.calls import Refused, json_object, number, text
from bot.providers.capital.simulator.dealing import Dealing
from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.sessions import Sessions
from bot.providers.capital.simulator.state import Options
from bot.providers.capital.simulator.world import World, cents

_STATUSES = ("TRADEABLE", "CLOSED", "EDITS_ONLY", "OFFLINE", "ON_AUCTION", "ON_AUCTION_NO_EDITS", "SUSPENDED")
_MOST = Decimal(10) ** 9

Outcome = dict[str, object]
Control = Callable[[Mapping[str, Json]], Outcome]


class Controls:
    """The broker's own part of the control side."""

    def __init__(self, world: World, sessions: Sessions, dealing: Dealing) -> None:
        self.world = world
        self.sessions = sessions
        self.dealing = dealing

    def routes(self) -> list[BaseRoute]:
        posts: dict[str, Control] = {
            "/price": self.price,
            "/move": self.move,
            "/market": self.market,
            "/cash": self.cash,
            "/expire": self.expire,
            "/rates": self.rates,
            "/options": self.options,
        }
        routes: list[BaseRoute] = [Route(path, _endpoint(control), methods=["POST"]) for path, control in posts.items()]
        return [*routes, Route("/sessions", _endpoint(self.counts), methods=["GET"])]

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
        quote = self.dealing.reprice(epic, bid, offer)
        return {"epic": epic, "bid": str(quote.bid), "offer": str(quote.offer)}

    def market(self, body: Mapping[str, Json]) -> Outcome:
        epic, status = _epic(body), text(body, "status")
        if status not in _STATUSES:
            raise Refused(400, "no such market status")
        self.dealing.set_status(epic, status)
        return {"epic": epic, "status": status}

    def cash(self, body: Mapping[str, Json]) -> Outcome:
        account = self.world.state.accounts.get(text(body, "account"))
        amount = number(body, "amount")
        if account is None:
            raise Refused(400, "no such account")
        if not amount or abs(amount) >= _MOST or amount != cents(amount):
            raise Refused(400, "an amount in whole cents is wanted")
        account.deposit = cents(account.deposit + amount)
        if amount > 0:
            self.world.record("deposit", "bank", account.id, amount, account.currency, "")
        else:
            self.world.record("withdrawal", account.id, "bank", -amount, account.currency, "")
        return {"account": account.id, "deposit": str(account.deposit)}

    def expire(self, _: Mapping[str, Json]) -> Outcome:
        killed = self.sessions.live()
        self.world.state.sessions.clear()
        return {"killed": killed}

    def counts(self, _: Mapping[str, Json]) -> Outcome:
        return {"logins": self.world.state.logins, "live": self.sessions.live()}

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


def _endpoint(control: Control) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> JSONResponse:
        try:
            return JSONResponse(control(json_object(await request.body())))
        except Refused as refused:
            return JSONResponse({"error": refused.code}, 400)

    return endpoint
