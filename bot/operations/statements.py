"""Statements of the connections a person may see, side by side; those that keep none are left out unless named."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from bot.access.model import Person
from bot.clock import Clock
from bot.errors import UnsupportedError
from bot.operations.connections import Connections
from bot.operations.sheets import Sheet, Sheets
from bot.providers.base import Ability, FindsEntries, KeepsActivity, KeepsStatements, Provider, unsupported
from bot.providers.records import Entry, Happening, Reading

Item = TypeVar("Item")
ANSWER_SECONDS = 60.0
"""Where a statement has no end mark, its end is a silence, and each account has one of its own."""


class Statements:
    """What came and went."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._sheets = Sheets(connections, clock, seconds=ANSWER_SECONDS)

    async def statement(
        self, person: Person, word: str | None, *, limit: int | None = None, since: datetime | None = None
    ) -> Sheet[Entry]:
        """Of the connections called `word`, or of all: the newest `limit` entries of each account, or all `since`."""

        async def of(provider: Provider) -> Reading[Entry]:
            if not isinstance(provider, KeepsStatements):
                raise unsupported(provider.spec, Ability.STATEMENT)
            return await provider.statement(limit=limit, since=since)

        return await self._asked(person, word, of)

    async def entry(self, person: Person, word: str | None, number: str) -> Sheet[Entry]:
        """The entry a provider calls `number`, as each account of the connections sees it; chosen as for `statement`.

        Raises:
            InputError: No entry has such a number.
        """

        async def of(provider: Provider) -> Reading[Entry]:
            if not isinstance(provider, FindsEntries):
                raise UnsupportedError(provider.spec.name, "search for a single entry")
            return await provider.entry(number)

        sheet = await self._asked(person, word, of)
        return _of_those_that_can(sheet) if word is None else sheet

    async def activity(self, person: Person, word: str | None, since: datetime) -> Sheet[Happening]:
        """What happened since then, at the connections called `word` or at all that keep such a thing."""

        async def of(provider: Provider) -> Reading[Happening]:
            if not isinstance(provider, KeepsActivity):
                raise UnsupportedError(provider.spec.name, "activity")
            return await provider.activity(since)

        sheet = await self._asked(person, word, of)
        return _of_those_that_can(sheet) if word is None else sheet

    async def _asked(
        self, person: Person, word: str | None, question: Callable[[Provider], Awaitable[Reading[Item]]]
    ) -> Sheet[Item]:
        return await self._sheets.ask(await self._sheets.whom(person, word, Ability.STATEMENT), question)


def _of_those_that_can(sheet: Sheet[Item]) -> Sheet[Item]:
    return replace(sheet, answers=tuple(one for one in sheet.answers if not isinstance(one.trouble, UnsupportedError)))
