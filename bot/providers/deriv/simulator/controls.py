"""What happens on the other side, by hand: `/_sim/…`.

POST /_sim/move          {"symbol","percent"}   a price moves for good; price streams hear of it at once
POST /_sim/deposit       {"loginid","amount"}   money arrives
POST /_sim/site          {"status"}             up, down or updating; `website_status` streams hear of it
POST /_sim/expire-token  {"token"}              refused from now on, also where it is in use
POST /_sim/app           {"app_id","redirect_uri"}   where the login page sends people who let this app in
POST /_sim/idle          {"seconds"}            how long a silent connection is kept (120), on real time
GET  /_sim/connections                          open sockets and streams, and logins ever made
GET  /_sim/tokens                               every token with its account, kind and scopes
"""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.network import strictjson
from bot.network.strictjson import Json
from bot.providers.deriv.simulator import contracts
from bot.providers.deriv.simulator.hub import Hub
from bot.providers.deriv.simulator.prices import SYMBOLS
from bot.providers.deriv.simulator.world import CURRENCIES

_SITE = ("up", "down", "updating")
_LARGEST_DEPOSIT = Decimal(10**9)
_HALF, _TENFOLD = Decimal(-50), Decimal(1000)

_Deed = Callable[[Mapping[str, Json]], Mapping[str, object]]


class Controls:
    """The control routes over one hub."""

    def __init__(self, hub: Hub, idle: Callable[[float], None]) -> None:
        self.hub = hub
        self.idle = idle

    def routes(self) -> list[Route]:
        return [
            Route("/move", _posted(self.move), methods=["POST"]),
            Route("/deposit", _posted(self.deposit), methods=["POST"]),
            Route("/site", _posted(self.site), methods=["POST"]),
            Route("/expire-token", _posted(self.expire_token), methods=["POST"]),
            Route("/app", _posted(self.app), methods=["POST"]),
            Route("/idle", _posted(self.set_idle), methods=["POST"]),
            Route("/connections", self.connections),
            Route("/tokens", self.tokens),
        ]

    def move(self, given: Mapping[str, Json]) -> Mapping[str, object]:
        symbol, percent = SYMBOLS[_text(given, "symbol")], _number(given, "percent")
        if not _HALF <= percent <= _TENFOLD:
            raise ValueError("percent must lie between -50 and 1000")
        quote = self.hub.world.move(symbol, percent)
        self.hub.tick(moved=symbol.name)
        return {"symbol": symbol.name, "quote": str(quote)}

    def deposit(self, given: Mapping[str, Json]) -> Mapping[str, object]:
        account = self.hub.world.state.accounts[_text(given, "loginid")]
        amount = _number(given, "amount")
        if not 0 < amount <= _LARGEST_DEPOSIT or not contracts.fits(amount, CURRENCIES[account.currency].digits):
            raise ValueError("amount must be positive, with the currency's decimals at most")
        movement = self.hub.world.deposit(account, amount, "Bank wire")
        self.hub.announce()
        return {
            "loginid": account.loginid,
            "balance": str(account.balance),
            "transaction_id": movement.transaction_id,
        }

    def site(self, given: Mapping[str, Json]) -> Mapping[str, object]:
        status = _text(given, "status")
        if status not in _SITE:
            raise ValueError("status is up, down or updating")
        self.hub.world.state.site_status = status
        self.hub.website_changed()
        return {"status": status}

    def expire_token(self, given: Mapping[str, Json]) -> Mapping[str, object]:
        token = _text(given, "token")
        self.hub.world.expire(token)
        self.hub.token_expired(token)
        return {"expired": True}

    def app(self, given: Mapping[str, Json]) -> Mapping[str, object]:
        app_id, address = int(_text(given, "app_id")), _text(given, "redirect_uri")
        if app_id not in self.hub.world.state.apps or not address.startswith(("https://", "http://")):
            raise ValueError("an app that is known, and an address")
        self.hub.world.state.redirects[app_id] = address
        return {"app_id": str(app_id), "redirect_uri": address}

    def set_idle(self, given: Mapping[str, Json]) -> Mapping[str, object]:
        seconds = _number(given, "seconds")
        if not 0 < seconds <= 86400:
            raise ValueError("seconds must be positive, a day at most")
        self.idle(float(seconds))
        return {"seconds": float(seconds)}

    async def connections(self, _: Request) -> Response:
        connections = self.hub.connections
        return JSONResponse(
            {
                "count": len(connections),
                "authorizations": self.hub.world.state.authorizations,
                "streams": sum(len(connection.streams) for connection in connections),
            }
        )

    async def tokens(self, _: Request) -> Response:
        return JSONResponse(
            {
                "tokens": [
                    {"token": text, "loginid": token.loginid, "oauth": token.oauth, "scopes": token.scopes}
                    for text, token in self.hub.world.state.tokens.items()
                ]
            }
        )


def _posted(deed: _Deed) -> Callable[[Request], Awaitable[Response]]:
    """A deed as a route; what it cannot read or find is a 400, and nothing was changed."""

    async def route(request: Request) -> Response:
        try:
            given = strictjson.loads(await request.body())
            if not isinstance(given, Mapping):
                raise ValueError("a JSON object is expected")
            return JSONResponse(deed(given))
        except (ValueError, KeyError, InvalidOperation) as problem:
            return JSONResponse({"error": type(problem).__name__}, status_code=400)

    return route


def _text(given: Mapping[str, Json], name: str) -> str:
    value = given[name]
    if not isinstance(value, str):
        raise ValueError("a text is expected")
    return value


def _number(given: Mapping[str, Json], name: str) -> Decimal:
    """A number, or a text that is one."""
    value = given[name]
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("a number is expected")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("a finite number is expected")
    return number
