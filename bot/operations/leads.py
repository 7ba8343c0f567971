"""Leads: people who may become clients. The CRM lets them be made; no call of its is known that reads them.

A lead costs nobody money, so one person's word is enough: an operator who may act through the connection. But it
changes something there, so a freeze stops it like everything that does.
"""

import re
from dataclasses import dataclass

from bot.access.model import Person, Right
from bot.audit.service import Audit
from bot.errors import InputError, NotAllowedError, NotFoundError, OutcomeUnknownError, ReplyError, SilentError
from bot.operations.adapters import crm_meant_by
from bot.operations.connections import Connections
from bot.operations.freezing import Freezing, check
from bot.operations.linked import Connection
from bot.ports import Deed
from bot.providers.crm import wire
from bot.store import Database, Tables

EXAMPLE = "/lead ines@example.com Ines Example"
ANSWER_SECONDS = 20.0
_MOST_NAME = 100
_EMAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s<>.]{1,63}(\.[^@\s<>.]{1,63}){1,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Lead:
    """Somebody to be made a lead."""

    email: str
    name: str


def parse(words: list[str]) -> Lead:
    """An e-mail address, then a name. `InputError`."""
    email, name = (words[0], " ".join(words[1:]).strip()) if words else ("", "")
    if not _EMAIL.fullmatch(email):
        raise InputError("an e-mail address, then a name", EXAMPLE)
    if len(name) > _MOST_NAME:
        raise InputError(f"a name has at most {_MOST_NAME} characters", EXAMPLE)
    return Lead(email, name)


class Leads:
    """Making leads."""

    def __init__(self, database: Database, connections: Connections, audit: Audit, freezing: Freezing) -> None:
        self._database = database
        self._connections = connections
        self._audit = audit
        self._freezing = freezing

    async def through(self, person: Person) -> Connection:
        """The connection by which this person may make a lead.

        Raises:
            NotFoundError: They can see none.
            NotAllowedError: They may not act through any they can see.
        """
        if not person.may(Right.ASK):
            raise NotAllowedError(Right.ASK)
        through = await crm_meant_by(self._connections, person)
        if not through.may_act(person):
            raise NotAllowedError(f"act through {through.name}")
        return through

    async def make(self, person: Person, lead: Lead, *, telegram_id: int) -> str:
        """Make a lead, once; answers its id in the CRM, empty where none is told.

        Raises:
            FrozenError: Nothing may leave there just now.
            OutcomeUnknownError: It was sent, and nobody knows what became of it.
            ProviderError: It was not made.
        """
        from bot.providers.crm.client import Crm  # with the first login: most starts ask nobody

        through = await self.through(person)
        async with self._freezing.stopping(through.provider):
            await self._database.write(lambda tables: self._begin(tables, person, telegram_id, through))
            async with self._connections.session(through, seconds=ANSWER_SECONDS) as provider:
                if not isinstance(provider, Crm):
                    raise NotFoundError("connection", wire.NAME)
                more = {"name": lead.name} if lead.name else {}
                try:
                    made = await provider.clients.create_lead(lead.email, **more)
                except (SilentError, ReplyError) as error:
                    raise OutcomeUnknownError(error.provider, error.detail) from None
        lead_id = str(made.id or "")
        made_as = _deed("lead.made", person, telegram_id, through, lead_id)
        await self._database.write(lambda tables: self._audit.record(tables, made_as))
        return lead_id

    def _begin(self, tables: Tables, person: Person, telegram_id: int, through: Connection) -> None:
        check(tables, through.provider)
        self._audit.record(tables, _deed("lead.asked", person, telegram_id, through, ""))


def _deed(action: str, person: Person, telegram_id: int, through: Connection, lead_id: str) -> Deed:
    """Nobody's name or address belongs into a log that nothing is ever taken out of."""
    return Deed(action, f"crm/lead/{lead_id or '?'}", person.id, telegram_id, {"connection": through.name})
