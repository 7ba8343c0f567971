"""What each kind of request means, to the room that keeps them all."""

from collections.abc import Mapping
from typing import Protocol

from bot.access.model import Person
from bot.approvals.model import Request, Rule, Stake
from bot.store import Tables


class Carrier(Protocol):
    """What one kind of request means. Lives in the room whose matter it is; joined in `wiring`."""

    def lines(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        """What is asked for, in plain lines, from the stored parameters alone (M12)."""

    def masked(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        """The same for a group: nothing in it that its members are not to know."""

    def rule(self, tables: Tables, asked_by: Person, parameters: Mapping[str, str]) -> Rule:
        """Who must sign. Raises what makes the wish impossible, before anybody is asked."""

    def stake(self, parameters: Mapping[str, str]) -> Stake | None:
        """The money it is about."""

    def asked(self, tables: Tables, request: Request) -> None:
        """Write what belongs to the new request, inside its transaction."""

    def carry(self, tables: Tables, request: Request) -> str:
        """Do it, inside the transaction of the deciding vote; answers what was done, in a few plain words.

        A `CountersignError` undoes what this call changed, and the request has failed for that reason. Never called
        for a kind that is sent.
        """

    def approving(self, tables: Tables, request: Request) -> bool:
        """Of a kind that is sent, in the transaction that approves it: whether it goes at once.

        Then nothing is drawn here. Whoever sends it sees to it that its cards say how it stands.
        """

    async def carried(self, request: Request) -> None:
        """After the commit: what looks at the tables through a picture of its own takes it anew; what is to be sent
        is picked up."""


class InHouse:
    """What most kinds that stay within this house have in common."""

    def masked(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return ()

    def stake(self, parameters: Mapping[str, str]) -> Stake | None:
        return None

    def asked(self, tables: Tables, request: Request) -> None:
        """Nothing belongs to it."""

    def approving(self, tables: Tables, request: Request) -> bool:
        return False

    async def carried(self, request: Request) -> None:
        """Nothing holds a picture of it."""
