"""What the bot serves: Telegram's webhook and a health page.

The webhook's secret is compared in constant time before a byte of the body is read; a body may have 256 KiB. 200 is
answered once the update lies in the inbox; when it cannot be kept Telegram is told to come again.
"""

import hmac
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.config import WebhookConfig
from bot.errors import StartRefusedError, StoreError
from bot.loopback.server import running
from bot.ports import Intake

MAX_BODY_BYTES = 256 << 10
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105  # a header's name
PATH = "/telegram"
EX_UNAVAILABLE = 69
_log = logging.getLogger(__name__)


def build_app(webhook: WebhookConfig, intake: Intake) -> Starlette:
    """The ASGI application."""

    async def telegram(request: Request) -> Response:
        presented = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(presented.encode(), webhook.secret.reveal().encode()):
            return _goodbye(401)
        body = await _capped(request)
        if body is None:
            return _goodbye(413)
        try:
            await intake.take([body])
        except StoreError as error:
            _log.warning("update not kept", extra={"error": type(error).__name__})
            return Response(status_code=503)
        return Response(status_code=200)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(routes=[Route(PATH, telegram, methods=["POST"]), Route("/health", health)])


def _goodbye(status: int) -> Response:
    """The connection ends with this: what else was to come is not read, not even to be thrown away."""
    return Response(status_code=status, headers={"connection": "close"})


async def _capped(request: Request) -> bytes | None:
    """The body, or None as soon as it is larger than allowed, announced or not."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
        return None
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)


@asynccontextmanager
async def serving(webhook: WebhookConfig, intake: Intake) -> AsyncIterator[int]:
    """Listen for the length of the block; gives the port. `StartRefusedError` when that cannot be; exit 69."""
    try:
        listener = socket.create_server((webhook.host, webhook.port))
    except OSError as error:
        where = f"{webhook.host}:{webhook.port}"
        raise StartRefusedError(f"cannot listen on {where}: {error.strerror}", EX_UNAVAILABLE) from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio leaves it off; answers would wait 40 ms
    config = uvicorn.Config(
        build_app(webhook, intake),
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=16 << 10,
        server_header=False,
    )
    async with running(config, listener):
        yield listener.getsockname()[1]
