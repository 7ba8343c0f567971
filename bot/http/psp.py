"""What a payment provider tells of clients' deposits: `/crm/pay/callback`.

The token in the header is compared before a byte of the body is read; a body may have 16 KiB; `sign` is checked over
its fields. 204 is answered once it is kept, and every refusal is one the documents name, with status 400.
"""

import logging

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.config import WebConfig
from bot.errors import StoreError
from bot.http.body import capped, goodbye
from bot.http.listeners import Site
from bot.operations.payments import Payments
from bot.providers.crm.wire import psp
from bot.providers.crm.wire.psp import Refusal
from bot.secret import Secret

MAX_CALLBACK_BYTES = 16 << 10
PATH = "/crm/pay/callback"
_log = logging.getLogger(__name__)


def callbacks(payments: Payments, web: WebConfig, token: Secret, merchant_id: str) -> Site:
    """Where a payment provider says what became of a payment."""

    async def callback(request: Request) -> Response:
        if not psp.is_token(token.reveal(), request.headers.getlist(psp.TOKEN_HEADER)):
            return refused(400, Refusal.TOKEN, unread=True)
        body = await capped(request, MAX_CALLBACK_BYTES)
        if body is None:
            return goodbye(413)
        found = psp.read(body, token.reveal(), merchant_id)
        if isinstance(found, Refusal):
            _log.warning("payment callback refused", extra={"found": found.value})
            return refused(400, found)
        try:
            refusal = await payments.take(found)
        except StoreError as error:
            _log.warning("payment callback not kept", extra={"error": type(error).__name__})
            return Response(status_code=503)
        return Response(status_code=204) if refusal is None else refused(400, refusal)

    return Site(web.host, web.port, (Route(PATH, callback, methods=["POST"]),))


def refused(status: int, type_: str, *, unread: bool = False) -> Response:
    """The envelope of every failure. `unread`: something may still be on its way, and is not waited for."""
    headers = {"connection": "close"} if unread else None
    return JSONResponse({"error": True, "code": status, "type": type_}, status, headers)
