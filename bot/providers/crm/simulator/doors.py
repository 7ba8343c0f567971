"""A path of the control side: JSON in, JSON out, refusals in the vendor's shape and always with status 400."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.network import strictjson
from bot.providers.crm.simulator.fields import Fields, RefusedError, invalid, writable
from bot.providers.crm.simulator.gate import Answer, reply

Act = Callable[[Fields], object]
Errand = Callable[[Fields], Awaitable[object]]


def posts(acts: Mapping[str, Act]) -> list[BaseRoute]:
    return [Route(f"/{name}", _door(_at_once(act)), methods=["POST"]) for name, act in acts.items()]


def errands(acts: Mapping[str, Errand]) -> list[BaseRoute]:
    """Posts that call somebody and wait for the answer."""
    return [Route(f"/{name}", _door(act), methods=["POST"]) for name, act in acts.items()]


def gets(acts: Mapping[str, Act]) -> list[BaseRoute]:
    return [Route(f"/{name}", _door(_at_once(act)), methods=["GET"]) for name, act in acts.items()]


def amount(fields: Fields, name: str = "amount") -> Decimal:
    """A positive amount, as a JSON number or as a text."""
    if isinstance(fields.values.get(name), str):
        return fields.amount(name)
    given = fields.number(name)
    if given <= 0:
        raise invalid()
    return given


def _at_once(act: Act) -> Errand:
    async def errand(fields: Fields) -> object:
        return act(fields)

    return errand


def _door(act: Errand) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        try:
            parsed = strictjson.loads(raw) if raw else {}
            if not isinstance(parsed, dict) or not writable(parsed):
                raise invalid()
            return reply(Answer(await act(Fields(parsed))))
        except RefusedError as error:
            return reply(Answer(error.as_json(), 400))
        except (ValueError, msgspec.ValidationError):
            return reply(Answer(invalid().as_json(), 400))

    return endpoint
