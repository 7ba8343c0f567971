"""A simulator's application: its vendor routes behind the misfortunes, and the control side beside them.

Control side, the same for all (a simulator adds its own beside these):

    GET  /_sim/ledger    {"entries": [{"id","kind","from","to","amount","currency","reference","at_ms"}]}
    POST /_sim/faults    a script of misfortunes, see `faults.py`; answers how many are waiting
    GET  /_sim/faults    the misfortunes still waiting
    POST /_sim/limits    {"lifted": true|false}: pacing and rate limits off, for measuring
    POST /_sim/down      {"down": true|false}: every vendor path is unreachable while down
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from bot.loopback.faults import Misfortunes
from bot.loopback.simulator import Simulator


def build_app(simulator: Simulator, misfortunes: Misfortunes, state: Path | None = None) -> Starlette:
    """The simulator's ASGI application: vendor routes behind the misfortunes, controls beside them."""

    async def asked(request: Request) -> Any:
        try:
            return await request.json()
        except ValueError:
            raise HTTPException(400, "the body is not JSON") from None

    async def ledger(_: Request) -> JSONResponse:
        return JSONResponse({"entries": [entry.as_json() for entry in simulator.ledger()]})

    async def faults(request: Request) -> JSONResponse:
        if request.method == "POST":
            try:
                misfortunes.add(await asked(request))
            except (KeyError, TypeError, ValueError) as error:
                raise HTTPException(400, f"not a script: {error}") from None
        return JSONResponse({"waiting": misfortunes.waiting()})

    async def limits(request: Request) -> JSONResponse:
        simulator.switches.limits_lifted = bool((await asked(request)).get("lifted"))
        return JSONResponse({"lifted": simulator.switches.limits_lifted})

    async def down(request: Request) -> JSONResponse:
        misfortunes.set_down(bool((await asked(request)).get("down")))
        return JSONResponse({"down": misfortunes.down})

    control = [
        Route("/ledger", ledger),
        Route("/faults", faults, methods=["GET", "POST"]),
        Route("/limits", limits, methods=["POST"]),
        Route("/down", down, methods=["POST"]),
        *simulator.controls(),
    ]
    app = Starlette(routes=[Mount("/_sim", routes=control), *simulator.routes()])
    app.add_middleware(_Keeping, simulator=simulator, path=state)
    app.add_middleware(misfortunes.middleware)
    return app


class _Keeping:
    """Writes the simulator's state to its file after each exchange, whole or not at all."""

    def __init__(self, app: Any, simulator: Simulator, path: Path | None) -> None:
        self.app = app
        self.simulator = simulator
        self.path = path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            self.keep()  # before the answer leaves: what was answered is on disk
            await send(message)

        await self.app(scope, receive, send if self.path is None else sending)

    def keep(self) -> None:
        if self.path is None:
            return
        with tempfile.NamedTemporaryFile("w", dir=self.path.parent, delete=False) as file:
            file.write(json.dumps(self.simulator.dump()))  # several times as quick as `json.dump`
        Path(file.name).replace(self.path)
