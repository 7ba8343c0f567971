"""Sites → listeners. Two sites at the same address share one server."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.errors import StartRefusedError
from bot.loopback.server import running

HEAD_SECONDS = 10.0
"""A request's first line and headers have arrived by then, or the connection ends."""
MOST_CONNECTIONS = 200
EX_UNAVAILABLE = 69


@dataclass(frozen=True, slots=True)
class Site:
    """Routes, and where they are listened for."""

    host: str
    port: int
    routes: Sequence[BaseRoute]


@asynccontextmanager
async def serving(sites: Iterable[Site]) -> AsyncIterator[list[int]]:
    """Listen for the length of the block; gives the ports.

    Raises:
        StartRefusedError: An address cannot be had; exit 69.
    """
    routes: dict[tuple[str, int], list[BaseRoute]] = {}
    for site in sites:
        routes.setdefault((site.host, site.port), []).extend(site.routes)
    async with AsyncExitStack() as stack:
        ports = []
        for (host, port), those in routes.items():
            listener = _claimed(host, port)
            await stack.enter_async_context(running(_config(those), listener))
            ports.append(listener.getsockname()[1])
        yield ports


def _claimed(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise StartRefusedError(f"cannot listen on {host}:{port}: {error.strerror}", EX_UNAVAILABLE) from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio leaves it off; answers would wait 40 ms
    return listener


def _config(routes: Sequence[BaseRoute]) -> uvicorn.Config:
    site = Starlette(routes=[*routes, Route("/health", _health)])
    site.router.redirect_slashes = False
    return uvicorn.Config(
        site,
        http=HurriedHTTP,
        ws="none",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        lifespan="off",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=16 << 10,
        server_header=False,
    )


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


class HurriedHTTP(H11Protocol):
    """uvicorn's HTTP, with an end to the patience for a request's head."""

    _head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._await_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
        self._head_due = self.loop.call_later(HEAD_SECONDS, self._too_late)

    def _too_late(self) -> None:
        being_answered = bool(self.cycle) and not self.cycle.response_complete
        if not being_answered or self.flow.write_paused:
            self.transport.abort()
        else:
            self._await_head()
