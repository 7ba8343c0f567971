"""The gate before every vendor path: key, then signature, then JSON, then the duty behind it.

Source: Open API introduction (statuses, error body) and authentication pages. Nothing behind the gate runs for a caller
who fails the first two. GET and DELETE need no signature, nor does a body of no bytes; a superfluous one is ignored.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.network import strictjson
from bot.network.strictjson import Json
from bot.providers.crm.simulator import signature
from bot.providers.crm.simulator.fields import Fields, RefusedError, invalid, writable
from bot.providers.crm.simulator.settings import Settings, SignMode
from bot.providers.crm.simulator.world import Tenant

PREFIX = "/public/v1"
LIMITS_ON_BY_DEFAULT: tuple[str, ...] = ()
"""No rate limit is documented, so none is played and lifting them changes nothing; the repeat rule is no limit."""

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_SIGNED = {"POST", "PUT", "PATCH"}
_ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Call:
    """What passed the gate."""

    path: Mapping[str, str]
    query: Fields
    body: Fields


@dataclass(frozen=True, slots=True)
class Answer:
    """A success; `body` is ignored with status 204."""

    body: object = None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Duty:
    """One vendor call. `open_to` says for which settings it exists; elsewhere it is a 404 like any unknown path."""

    method: str
    path: str
    act: Callable[[Call], Answer]
    open_to: Callable[[Settings], bool] = lambda _: True


def reply(answer: Answer) -> Response:
    """As JSON, Decimals as numbers; no bytes at all with 204."""
    if answer.status == 204:
        return Response(status_code=204)
    return Response(_ENCODER.encode(answer.body), answer.status, media_type="application/json")


class Gate:
    """Lets callers through to the duties."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def routes(self, duties: Sequence[Duty]) -> list[BaseRoute]:
        """A route for each duty and one for all other paths."""
        known = [Route(PREFIX + duty.path, self._door(duty), methods=[duty.method]) for duty in duties]
        return [*known, Route("/{rest:path}", self._door(None), methods=_METHODS)]

    def _door(self, duty: Duty | None) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                return reply(await self._pass(request, duty))
            except RefusedError as error:
                return reply(Answer(error.as_json(), error.status))

        return endpoint

    async def _pass(self, request: Request, duty: Duty | None) -> Answer:
        raw = await request.body()
        settings = self._tenant.world.settings
        key = _known_key(settings, request.headers.get("key", "").encode("latin-1"))
        if duty is None or not duty.open_to(settings) or _is_absent(settings, request):
            raise RefusedError("not_found", 404)
        body = _parsed(raw) if request.method in _SIGNED else None
        if request.method in _SIGNED and raw:
            given = request.headers.get("signature", "").encode("latin-1")
            if not _signed(settings, key, given, raw, body):
                raise RefusedError("invalid_signature", 403)
        call = Call(request.path_params, Fields(dict(request.query_params), from_query=True), _fields(request, body))
        return duty.act(call)


def _is_absent(settings: Settings, request: Request) -> bool:
    asked = f"{request.method} {request.url.path.removeprefix(PREFIX)}"
    return any(asked.startswith(start) for start in settings.absent)


def _known_key(settings: Settings, given: bytes) -> str:
    """The tenant's key that was presented; every key is compared, each in constant time."""
    found = [key for key in settings.api_keys for spelt in _spellings(key) if signature.same(given, spelt)]
    if not found:
        raise RefusedError("invalid_api_key", 403)
    return found[0]


def _spellings(key: str) -> list[bytes]:
    """A header has no declared character set: a key beyond ASCII may come as UTF-8 or as Latin-1."""
    latin = key.encode("latin-1", "ignore")
    return [key.encode(), latin] if latin.decode("latin-1") == key and not key.isascii() else [key.encode()]


def _signed(settings: Settings, key: str, given: bytes, raw: bytes, body: Json) -> bool:
    """Whether `given` signs this body in one of the versions the tenant takes."""
    if "v2" in settings.auth_versions and _v2_signed(settings.sign_mode, key, given, raw, body):
        return True
    if "v1" not in settings.auth_versions or not isinstance(body, Mapping):
        return False
    matches = [signature.same(given, variant.encode()) for variant in signature.v1_variants(key, body)]
    return any(matches)


def _v2_signed(mode: SignMode, key: str, given: bytes, raw: bytes, body: Json) -> bool:
    """A body that cannot be parsed has no canonical form: the raw bytes decide, and JSON refuses it later."""
    over_raw = signature.same(given, signature.v2(key, raw).encode())
    if mode is SignMode.RAW or body is None:
        return over_raw
    over_canonical = signature.same(given, signature.v2(key, signature.canonical(body)).encode())
    return over_canonical and (mode is SignMode.CANONICAL or over_raw)


def _parsed(raw: bytes) -> Json:
    """The body's value; none when it is empty or no JSON this tenant reads."""
    try:
        return strictjson.loads(raw) if raw else None
    except ValueError:
        return None


def _fields(request: Request, body: Json) -> Fields:
    if request.method not in _SIGNED:
        return Fields({})
    if not isinstance(body, Mapping) or not writable(body):
        raise invalid()
    return Fields(body)
