"""The broker as the frame serves it: the vendor's paths, each with the few lines that answer it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.loopback.simulator import LedgerEntry, Switches
from bot.providers.capital.simulator import demo, replies
from bot.providers.capital.simulator.banking import Banking
from bot.providers.capital.simulator.calls import Call, Refused, Reply, read
from bot.providers.capital.simulator.controls import Controls
from bot.providers.capital.simulator.dealing import Dealing
from bot.providers.capital.simulator.journal import Journal
from bot.providers.capital.simulator.limits import Limits
from bot.providers.capital.simulator.lists import Lists
from bot.providers.capital.simulator.quotes import Quotes
from bot.providers.capital.simulator.research import Research
from bot.providers.capital.simulator.sessions import Access, Authenticated, Sessions
from bot.providers.capital.simulator.streaming import Streaming
from bot.providers.capital.simulator.trading import Trading
from bot.providers.capital.simulator.waiting import Waiting
from bot.providers.capital.simulator.world import World

BASE = "/api/v1"

_HEADERS = {
    "Vary": "Origin",
    "Content-Security-Policy": "connect-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
    "Pragma": "no-cache",
    "Expires": "0",
    "X-Frame-Options": "DENY",
}

_ENCODER = msgspec.json.Encoder(decimal_format="number")

Open = Callable[[Call], Reply]
Endpoint = Callable[[Request], Awaitable[Response]]


class Broker:
    """Satisfies `bot.loopback.simulator.Simulator`."""

    name = "capital"

    def __init__(self, world: World) -> None:
        self.world = world
        self.limits = Limits(world)
        self.sessions = Sessions(world, self.limits)
        self.quotes = Quotes(world)
        journal = Journal(world)
        self.dealing = Dealing(world, journal)
        self.waiting = Waiting(world, self.dealing, journal)
        self.streaming = Streaming(world, self.sessions, self.catch_up)
        self.quotes.listeners += [self.dealing.hear, self.waiting.hear, self.streaming.hear]
        self._banking = Banking(world, self.limits, journal)
        self._controls = Controls(world, self.sessions, self.quotes, self._banking, self.streaming, self.catch_up)

    @property
    def switches(self) -> Switches:
        return self.world.switches

    @switches.setter
    def switches(self, value: Switches) -> None:
        self.world.switches = value

    def credentials(self) -> Mapping[str, Any]:
        return {"api_key": demo.API_KEY, "identifier": demo.IDENTIFIER, "password": demo.PASSWORD}

    def ledger(self) -> Sequence[LedgerEntry]:
        return self.world.state.ledger

    def dump(self) -> Mapping[str, Any]:
        return self.world.dump()

    def load(self, state: Mapping[str, Any]) -> None:
        self.world.load(state)

    def controls(self) -> Sequence[BaseRoute]:
        return self._controls.routes()

    def routes(self) -> Sequence[BaseRoute]:
        unguarded: list[tuple[str, str, Open]] = [
            ("GET", "/time", self.time),
            ("GET", "/session/encryptionKey", self.encryption_key),
            ("POST", "/session", self.login),
        ]
        guarded: list[tuple[str, str, Authenticated]] = [
            ("GET", "/ping", self.ping),
            ("GET", "/session", self.session),
            ("PUT", "/session", self.switch),
            ("DELETE", "/session", self.logout),
            *self._banking.routes(),
            *Trading(self.world, self.limits, self.dealing, self.waiting).routes(),
            *Research(self.world).routes(),
            *Lists(self.world).routes(),
        ]
        routes: list[BaseRoute] = []
        for method, path, answer in unguarded:
            routes += _both_spellings(method, path, self._endpoint(answer))
        for method, path, serve in guarded:
            routes += _both_spellings(method, path, self._endpoint(self._guarded(serve)))
        everything = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
        routes += self.streaming.routes()
        return [*routes, Route(f"{BASE}/{{rest:path}}", self._endpoint(_unknown), methods=everything)]

    def _endpoint(self, answer: Open) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                call = await read(request)
                self.catch_up()
                reply = answer(call)
            except _RefusedInside as inside:
                return _respond(inside.status, {"errorCode": inside.code}, inside.headers)
            except Refused as refused:
                return _respond(refused.status, {"errorCode": refused.code}, {})
            return _respond(200, reply.body, reply.headers, reply.media)

        return endpoint

    def catch_up(self) -> None:
        """Whatever the clock has brought since the last time anybody looked."""
        self.waiting.expire()
        self.quotes.catch_up()
        self.streaming.beat()

    def _guarded(self, serve: Authenticated) -> Open:
        """Tokens first; every answer carries them again, a refusal too."""

        def answer(call: Call) -> Reply:
            access = self.sessions.admit(call.headers)
            if self.world.state.options.rotate_tokens:
                access = self.sessions.rotate(access)
            try:
                self.limits.any_call(access.user.identifier)
                reply = serve(call, access)
            except Refused as refused:
                raise _RefusedInside(refused, access.headers()) from None
            return Reply(reply.body, reply.headers or access.headers(), reply.media)

        return answer

    def time(self, _: Call) -> Reply:
        return Reply({"serverTime": self.world.now_ms()})

    def encryption_key(self, call: Call) -> Reply:
        user = self.sessions.key_owner(call.headers)
        self.limits.any_call(user.identifier)
        return Reply({"encryptionKey": self.sessions.public_key(), "timeStamp": self.world.now_ms()})

    def login(self, call: Call) -> Reply:
        access = self.sessions.login(call.headers, call.body)
        body = replies.login(self.world, access.user, access.account)
        return Reply(body, access.headers(), "text/plain")

    def ping(self, _: Call, __: Access) -> Reply:
        return Reply({"status": "OK"})

    def session(self, _: Call, access: Access) -> Reply:
        return Reply(replies.session(self.world, access.user, access.account))

    def switch(self, call: Call, access: Access) -> Reply:
        account_id = call.body.get("accountId")
        if account_id is None:
            raise Refused(401, "error.null.accountId")
        if not isinstance(account_id, str):
            raise Refused(400, "error.invalid.accountId")
        switched = self.sessions.switch(access, account_id)
        self.streaming.switched(self.world.state.sessions[switched.cst])
        body = {"trailingStopsEnabled": True, "dealingEnabled": True, **replies.environment(self.world)}
        return Reply(body, switched.headers())

    def logout(self, _: Call, access: Access) -> Reply:
        self.sessions.leave(access)
        return Reply({"status": "SUCCESS"}, {}, "text/plain")


class _RefusedInside(Refused):
    """A refusal to an admitted caller; carries the tokens as every authenticated answer does."""

    def __init__(self, refused: Refused, headers: Mapping[str, str]) -> None:
        super().__init__(refused.status, refused.code)
        self.headers = headers


def _both_spellings(method: str, path: str, endpoint: Endpoint) -> list[BaseRoute]:
    """With and without the slash some clients put at the end."""
    return [Route(f"{BASE}{path}{end}", endpoint, methods=[method]) for end in ("", "/")]


def _unknown(_: Call) -> Reply:
    raise Refused(404, "error.not-found.path")


def _respond(
    status: int, body: Mapping[str, object], headers: Mapping[str, str], media: str = "application/json"
) -> Response:
    return Response(_ENCODER.encode(body), status, {**_HEADERS, **headers}, media)
