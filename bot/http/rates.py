"""Exchange rates for the CRM's deposits: `/crm/rates`, as the operator set them, and no others.

The page of this call was not to be had: the address and the names in it are those of the CRM's own form for trying it,
which asks for a source and a target currency. A rate is a text, so that it keeps its digits.
"""

import hmac
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.config import WebConfig
from bot.http.listeners import Site
from bot.http.psp import refused
from bot.secret import Secret

KEY_HEADER = "key"
PATH = "/crm/rates"
_NAMES = ("source_currency", "target_currency")


def rates(pairs: Mapping[str, str], web: WebConfig, key: Secret) -> Site:
    """Where the CRM asks for a rate.

    Args:
        pairs: `USD/EUR` → the rate.
    """

    async def rate(request: Request) -> Response:
        presented = request.headers.getlist(KEY_HEADER)
        if len(presented) != 1 or not hmac.compare_digest(presented[0].encode(), key.reveal().encode()):
            return refused(403, "invalid_api_key", unread=True)
        asked = [request.query_params.getlist(name) for name in _NAMES]
        if any(len(values) != 1 for values in asked):
            return refused(400, "invalid_request", unread=True)
        found = pairs.get("/".join(values[0].strip().upper() for values in asked))
        if found is None:
            return refused(404, "rate_not_found", unread=True)
        return JSONResponse({"rate": found})

    return Site(web.host, web.port, (Route(PATH, rate, methods=["GET"]),))
