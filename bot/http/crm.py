"""The CRM's webhooks: `/crm/webhook`.

The one signature must look like one before a byte of the body is read; a body may have 256 KiB; the signature is
compared in constant time over the bytes as they came, and only then are they read as anything. 200 is answered once the
event is kept; what is told about and is not ours to know is let go with 200, too.
"""

import logging

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.config import WebConfig
from bot.errors import ReplyError, StoreError
from bot.http.body import capped, goodbye
from bot.http.listeners import Site
from bot.http.psp import callbacks
from bot.http.rates import rates
from bot.operations.withdrawals import Withdrawals
from bot.providers.crm.settings import Settings
from bot.providers.crm.wire import NAME
from bot.providers.crm.wire.hooks import HEADER, is_signature, is_signed
from bot.secret import Secret
from bot.wiring import House

MAX_EVENT_BYTES = 256 << 10
PATH = "/crm/webhook"
_log = logging.getLogger(__name__)


def from_crm(rooms: House) -> list[Site]:
    """Everything by which the CRM and what belongs to it may come to this desk, as far as it is switched on."""
    config = rooms.config
    settings = config.providers.get(NAME)
    if config.web is None or not isinstance(settings, Settings):
        return []
    sites = []
    if (secret := config.hooks.get("crm.webhook_secret_file")) is not None:
        sites.append(events(rooms.withdrawals, config.web, secret))
    if settings.psp is not None:
        token = config.hooks["crm.psp.token_file"]
        sites.append(callbacks(rooms.payments, config.web, token, settings.psp.merchant_id))
    if settings.rates is not None:
        sites.append(rates(settings.rates.as_mapping(), config.web, config.hooks["crm.rates.key_file"]))
    return sites


def events(withdrawals: Withdrawals, web: WebConfig, secret: Secret) -> Site:
    """Where the CRM tells what happened."""
    kept = Response(b"{}", media_type="application/json")

    async def webhook(request: Request) -> Response:
        presented = request.headers.getlist(HEADER)
        if not is_signature(presented):
            return goodbye(401)
        body = await capped(request, MAX_EVENT_BYTES)
        if body is None:
            return goodbye(413)
        if not is_signed(secret.reveal(), presented, body):
            return goodbye(401)
        try:
            await withdrawals.take(body)
        except ReplyError as error:
            _log.warning("webhook not understood", extra={"found": error.detail})
            return Response(status_code=400)
        except StoreError as error:
            _log.warning("webhook not kept", extra={"error": type(error).__name__})
            return Response(status_code=503)
        return kept

    return Site(web.host, web.port, (Route(PATH, webhook, methods=["POST"]),))
