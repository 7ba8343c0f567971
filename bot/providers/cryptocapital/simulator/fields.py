"""What a request under `/_sim` says: its fields, read strictly.

A wrong request is answered 400 with a reason, a refused act 409; neither changes anything.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.network.strictjson import Json, loads
from bot.providers.cryptocapital.simulator.operations import check_encodable

Fields = Mapping[str, Json]


def posted(act: Callable[[Fields], Response]) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        try:
            fields = loads(await request.body())
            if not isinstance(fields, Mapping):
                raise ValueError("not an object")
            return act(fields)
        except KeyError as missing:
            return JSONResponse({"error": f"{missing.args[0]} is missing"}, 400)
        except (ValueError, RecursionError) as problem:
            return JSONResponse({"error": str(problem)}, 400)

    return endpoint


def asked(tell: Callable[[], Response]) -> Callable[[Request], object]:
    async def endpoint(_: Request) -> Response:
        return tell()

    return endpoint


def text(fields: Fields, name: str, default: str | None = None) -> str:
    value = fields[name] if default is None else fields.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")
    return check_encodable(value, name)


def flag(fields: Fields, name: str, default: bool | None = None) -> bool:
    value = fields[name] if default is None else fields.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is neither true nor false")
    return value


def decimal(
    fields: Fields,
    name: str,
    default: Decimal | None = None,
    lowest: Decimal | int = 0,
    highest: int = 10**12,
) -> Decimal:
    """A number, or text that holds one, between the bounds."""
    value = fields[name] if default is None else fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{name} is not a number")
    try:
        number = Decimal(value)
    except ArithmeticError:
        raise ValueError(f"{name} is not a number") from None
    if not number.is_finite() or not lowest <= number <= highest:
        raise ValueError(f"{name} is out of bounds")
    return number
