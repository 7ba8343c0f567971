"""How a control of `/_sim/` is made from a plain function, and how it reads what it is given."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.network import strictjson
from bot.network.strictjson import Json

Given = Mapping[str, Json]
Deed = Callable[[Given], Mapping[str, object]]


def posts(deeds: Mapping[str, Deed]) -> list[Route]:
    """A POST route for each deed, under its name."""
    return [Route(f"/{name}", _posted(deed), methods=["POST"]) for name, deed in deeds.items()]


def gets(sights: Mapping[str, Callable[[], Mapping[str, object]]]) -> list[Route]:
    """A GET route for each sight, under its name."""
    return [Route(f"/{name}", _seen(sight)) for name, sight in sights.items()]


def _posted(deed: Deed) -> Callable[[Request], Awaitable[Response]]:
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


def _seen(sight: Callable[[], Mapping[str, object]]) -> Callable[[Request], Awaitable[Response]]:
    async def route(_: Request) -> Response:
        return JSONResponse(sight())

    return route


def text(given: Given, name: str) -> str:
    """A text that must be there."""
    value = given[name]
    if not isinstance(value, str):
        raise ValueError("a text is expected")
    return value


def switch(given: Given, name: str) -> bool:
    """True or false, that must be there."""
    value = given[name]
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")
    return value


def number(given: Given, name: str, low: Decimal | int, high: Decimal | int) -> Decimal:
    """A number between two bounds, or a text that is one."""
    value = given[name]
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("a number is expected")
    found = Decimal(value)
    if not found.is_finite() or not low <= found <= high:
        raise ValueError("the number is out of bounds")
    return found
