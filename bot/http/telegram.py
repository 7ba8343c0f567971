"""Telegram's webhook.

Its secret is compared in constant time before a byte of the body is read; a body may have 256 KiB. 200 is answered once
the update lies in the inbox; when it cannot be kept Telegram is told to come again.
"""

import hmac
import logging

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.config import WebhookConfig
from bot.errors import StoreError
from bot.http.body import capped, goodbye
from bot.http.listeners import Site
from bot.ports import Intake

MAX_UPDATE_BYTES = 256 << 10
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105  # a header's name
PATH = "/telegram"
_log = logging.getLogger(__name__)


def pushed(webhook: WebhookConfig, intake: Intake) -> Site:
    """Where Telegram pushes its updates."""

    async def telegram(request: Request) -> Response:
        presented = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(presented.encode(), webhook.secret.reveal().encode()):
            return goodbye(401)
        body = await capped(request, MAX_UPDATE_BYTES)
        if body is None:
            return goodbye(413)
        try:
            await intake.take([body])
        except StoreError as error:
            _log.warning("update not kept", extra={"error": type(error).__name__})
            return Response(status_code=503)
        return Response(status_code=200)

    return Site(webhook.host, webhook.port, (Route(PATH, telegram, methods=["POST"]),))
