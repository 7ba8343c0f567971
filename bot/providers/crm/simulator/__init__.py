"""One tenant of the CRM, played on loopback: the Open API, the back office behind it, and its webhooks.

Played, each from the section of the CRM Open API documentation it is named after: introduction (envelope, errors,
order of checks), authentication V2 and, when switched on, V1, users (list, get), wallets (read, update, order status),
trading connections, MT4 and MT5 accounts, deposits and withdrawals, MT4 trades, reports/get-transactions, requests
(get, approve, reject), webhooks for withdrawals (security, approve, reject). The back office guide gives the states of
a request and the multi-level approval.

Left out for now: creating clients and accounts, details and KYC, up- and downlines, leads, cTrader, commissions, bank
cards, forms, competitions, prop trading, transfers, the payment-provider API and the exchange-rate calls. Those paths
are 404 `not_found`, as every unknown path is.

One duty per file: `settings` what can be set, `world` the state, `seed` the state at the start, `standing` what
accounts are worth, `books` how money moves, `withdrawals` the request machine, `webhooks` the sender, `signature` and
`gate` who gets in, `fields` how input is read; then the calls: `clients`, `trading`, `report`, `requests`, and
`controls` for the other side. The state dies with the process unless `dump` is kept; a delivery on its way at that
moment is lost, as the vendor promises no retry.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.routing import BaseRoute

from bot.clock import Clock, SystemClock
from bot.loopback.server import LedgerEntry, Simulator, Switches
from bot.providers.crm.simulator.books import Books
from bot.providers.crm.simulator.clients import Clients
from bot.providers.crm.simulator.controls import Controls
from bot.providers.crm.simulator.gate import Gate
from bot.providers.crm.simulator.report import Report
from bot.providers.crm.simulator.requests import Requests
from bot.providers.crm.simulator.seed import demo_world
from bot.providers.crm.simulator.trading import Trading
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
        calls = (
            Clients(self._tenant, books),
            Trading(self._tenant, books),
            Report(self._tenant),
            Requests(self._tenant, withdrawals),
        )
        self._duties = [duty for call in calls for duty in call.duties()]
        self._controls = Controls(self._tenant, books, withdrawals, webhooks)

    def routes(self) -> Sequence[BaseRoute]:
        return Gate(self._tenant).routes(self._duties)

    def controls(self) -> Sequence[BaseRoute]:
        return self._controls.routes()

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
