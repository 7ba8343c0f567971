"""What the approvals room asks about any kind of money movement."""

from collections.abc import Callable

from bot.access.model import Person
from bot.approvals.model import Request, Rule, Stake
from bot.operations.moving.guarding import Guarding
from bot.operations.moving.matters import Matter, Parameters, stake_of
from bot.store import Tables


class Mover:
    """Fits `bot.approvals.carriers.Carrier`."""

    def __init__(
        self,
        matter: Matter,
        guarding: Guarding,
        send: Callable[[Request], None],
        approving: Callable[[Tables, Request], bool] = lambda tables, request: False,
    ) -> None:
        """`send` and `approving`: as of whoever sends."""
        self._matter = matter
        self._guarding = guarding
        self._send = send
        self._approving = approving

    def lines(self, parameters: Parameters) -> tuple[str, ...]:
        return self._matter.lines(parameters)

    def masked(self, parameters: Parameters) -> tuple[str, ...]:
        return self._matter.masked(parameters)

    def rule(self, tables: Tables, asked_by: Person, parameters: Parameters) -> Rule:
        return self._guarding.judged(tables, self._matter, asked_by, parameters).rule

    def stake(self, parameters: Parameters) -> Stake:
        return stake_of(self._matter, parameters)

    def asked(self, tables: Tables, request: Request) -> None:
        self._guarding.asked(tables, self._matter, request)

    def carry(self, tables: Tables, request: Request) -> str:
        raise RuntimeError("a provider does this, not the house")

    def approving(self, tables: Tables, request: Request) -> bool:
        return self._approving(tables, request)

    async def carried(self, request: Request) -> None:
        """It is approved: whoever sends begins now, and not at the next look."""
        self._send(request)
