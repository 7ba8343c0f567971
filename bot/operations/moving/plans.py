"""A wish, looked at from every side before anybody is asked: what stands against it, and what it takes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bot.access.model import Person
from bot.approvals.model import Kind, Request, Rule
from bot.approvals.prompting import missing_in_words
from bot.approvals.records import packed_rule
from bot.approvals.service import Approvals, Shown, Wish
from bot.errors import ConflictError
from bot.money import Money
from bot.operations.linked import Connection
from bot.operations.moving.guarding import Guarding, Judged
from bot.operations.moving.matters import Matter
from bot.store import Database, Tables


@dataclass(frozen=True, slots=True)
class Plan:
    """Something as it would be asked for, with what stands between it and the money."""

    connection: Connection
    wish: Wish
    lines: tuple[str, ...]
    """What is asked for, in the words that its signers will see."""
    judged: Judged
    signers: tuple[Person, ...] = ()
    """Everybody who could sign it now."""
    held: Money | None = None
    """What the source holds, when it could be read."""
    held_at: datetime | None = None

    @property
    def rule(self) -> Rule:
        return self.judged.rule


class Planning:
    """Makes plans, and asks for what they say."""

    def __init__(
        self, database: Database, guarding: Guarding, approvals: Approvals, matters: Mapping[Kind, Matter]
    ) -> None:
        self._database = database
        self._guarding = guarding
        self._approvals = approvals
        self._matters = matters

    async def plan(self, by: Person, connection: Connection, wish: Wish) -> Plan:
        """Nobody is asked, and nothing is written.

        Raises:
            ConflictError: Nobody could sign it.
            CountersignError: What else stands against it, as `Guarding.judged`.
        """
        matter = self._matters[wish.kind]

        def look(tables: Tables) -> Plan:
            judged = self._guarding.judged(tables, matter, by, wish.parameters)
            signers = self._approvals.signing.who_could(tables, by.id, judged.rule)
            empty = judged.rule.missing(signers)
            if empty:
                raise ConflictError(f"nobody else could sign this: {missing_in_words(empty)} is missing")
            stated = replace(wish, terms=packed_rule(judged.rule))
            return Plan(connection, stated, matter.lines(wish.parameters), judged, tuple(signers))

        return await self._database.read(look)

    async def ask(self, by: Person, wish: Wish, *, telegram_id: int, shown: Shown | None = None) -> Request:
        """Open the request that a plan stands for. As `Approvals.ask`."""
        return await self._approvals.ask(by, wish, telegram_id=telegram_id, shown=shown)
