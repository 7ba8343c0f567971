"""One tenant of the CRM, played on loopback: the Open API, the back office behind it, and what it calls.

Played, each from the section of the CRM Open API documentation it is named after: introduction (envelope, errors,
order of checks), authentication V2 and, when switched on, V1, and every call of the REST part: users, leads, trading
connections, MT4, MT5, cTrader, reports, wallets, payments, statistics, requests, account registration, configuration,
forms, account types, prop trading; webhooks (security and every event); the payment-provider pages in both directions
and the call for exchange rates. The back office guide gives the states of a request and the multi-level approval. Both
generations of the pages are there: `generation` A lacks what only the newer pages have.

What has no stored page is a proposal of the notes and is marked so where it is played; calls for which even the notes
propose nothing (MT5 and cTrader trades) are 404 `not_found`, as every unknown path is.

One duty per file. State: `settings`, `world`, `people`, `reviews`, `notation`; at the start `seed`, `furniture`.
Rules: `standing` what accounts are worth, `books` how money moves, `withdrawals` and `petitions` what decisions do,
`archive` a long past, `forms`. Getting in: `signature`, `gate`, `fields`. Calls: `clients`, `registration`, `trading`,
`opening`, `wallets`, `report`, `commissions`, `contests`, `configuration`, `requests`. Calling out: `events`,
`webhooks`, `flaws`, `outgoing`, `psp`. The other side: `controls`, `backoffice`, over `doors` and `desk`. The state
dies with the process unless `dump` is kept; a delivery on its way at that moment is lost, as the vendor promises no
retry.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.clock import Clock, SystemClock
from bot.loopback.simulator import LedgerEntry, Simulator, Switches
from bot.providers.crm.simulator.backoffice import BackOffice
from bot.providers.crm.simulator.books import Books
from bot.providers.crm.simulator.clients import Clients
from bot.providers.crm.simulator.commissions import Commissions
from bot.providers.crm.simulator.configuration import Configuration
from bot.providers.crm.simulator.contests import Contests
from bot.providers.crm.simulator.controls import Controls
from bot.providers.crm.simulator.gate import Gate
from bot.providers.crm.simulator.opening import Opening
from bot.providers.crm.simulator.petitions import Petitions
from bot.providers.crm.simulator.psp import Psp
from bot.providers.crm.simulator.registration import Registration
from bot.providers.crm.simulator.report import Report
from bot.providers.crm.simulator.requests import Requests
from bot.providers.crm.simulator.seed import demo_world
from bot.providers.crm.simulator.trading import Trading
from bot.providers.crm.simulator.wallets import Wallets
from bot.providers.crm.simulator.webhooks import Webhooks
from bot.providers.crm.simulator.withdrawals import Withdrawals
from bot.providers.crm.simulator.world import Tenant, World

__all__ = ["make"]


def make(seed: int = 7, clock: Clock | None = None) -> Simulator:
    """A tenant with its demo clients; equal seeds at equal times give equal worlds."""
    return _CrmSimulator(seed, clock or SystemClock())


class _CrmSimulator:
    name = "crm"

    def __init__(self, seed: int, clock: Clock) -> None:
        self.switches = Switches()
        self._tenant = Tenant(demo_world(seed, clock), clock)
        books = Books(self._tenant)
        webhooks = Webhooks(self._tenant)
        withdrawals = Withdrawals(self._tenant, books, webhooks.announce)
        petitions = Petitions(self._tenant, books, webhooks.announce)
        wallets, commissions = Wallets(self._tenant, books), Commissions(self._tenant, books)
        calls = (
            Clients(self._tenant),
            Registration(self._tenant, petitions, webhooks.announce),
            wallets,
            Trading(self._tenant, books),
            Opening(self._tenant),
            Report(self._tenant),
            commissions,
            Contests(self._tenant),
            Configuration(self._tenant, self.switches),
            Requests(self._tenant, withdrawals, petitions),
        )
        self._duties = [duty for call in calls for duty in call.duties()]
        self._psp = Psp(self._tenant, petitions, self.switches)
        self._controls = (
            Controls(self._tenant, books, withdrawals, petitions, webhooks),
            BackOffice(self._tenant, books, wallets, petitions, commissions),
        )

    def routes(self) -> Sequence[BaseRoute]:
        return [
            *self._psp.routes(),
            Route("/uploads", _upload, methods=["POST"]),
            *Gate(self._tenant).routes(self._duties),
        ]

    def controls(self) -> Sequence[BaseRoute]:
        return [route for controls in self._controls for route in controls.routes()] + [*self._psp.controls()]

    def credentials(self) -> Mapping[str, Any]:
        """The API key, which is the secret of its signatures as well."""
        return {"api_key": self._tenant.world.settings.api_keys[0]}

    def ledger(self) -> Sequence[LedgerEntry]:
        return self._tenant.world.ledger

    def dump(self) -> Mapping[str, Any]:
        dumped: dict[str, Any] = msgspec.to_builtins(self._tenant.world)
        return dumped

    def load(self, state: Mapping[str, Any]) -> None:
        world = msgspec.convert(state, World)
        for delivery in world.deliveries:
            if delivery.state == "waiting":
                delivery.state = "lost"
        self._tenant.world = world


async def _upload(request: Request) -> Response:
    """Where a document goes that an upload signature was given for: taken and forgotten."""
    async for _ in request.stream():
        pass
    return Response(status_code=204)
