"""What the bank tells by itself: each transfer of each account, as its line in the statement. `Streams`' words for it.

Nothing is subscribed to: whoever has greeted hears of every transfer of the key. The live message is not repeated, and
the line of a statement has the same form: whoever listens hears those that others ask for, too, and tells them apart by
their ids. So a gap is filled by asking for the statement, and only by a whole one.
"""

import asyncio
from datetime import datetime
from typing import Protocol

from bot.errors import SilentError
from bot.providers.base import Ability, Spec, unsupported
from bot.providers.cryptocapital.hearing import NAME
from bot.providers.cryptocapital.keyline import KeyLine
from bot.providers.cryptocapital.wire import Transfer
from bot.providers.records import Entry, Reading, Way
from bot.providers.streams import Ear, Subject, Told, Topic, Wish


class Login(Protocol):
    """What of the login is needed."""

    spec: Spec
    numbers: tuple[str, ...]

    async def key_line(self) -> KeyLine: ...

    async def statement(self, *, limit: int | None = None, since: datetime | None = None) -> Reading[Entry]: ...


class Streaming:
    """What one login hears on the line of its key."""

    topics = frozenset({Topic.ENTRY})

    def __init__(self, login: Login) -> None:
        self._login = login

    async def stream(self, wish: Wish, ear: Ear) -> None:
        key = await self._login.key_line()

        def hear(transfer: Transfer) -> None:
            for number in {transfer.target, transfer.source}.intersection(self._login.numbers):
                entry = entry_of(number, transfer)
                for subject in wish.subjects:
                    if _covers(subject, entry):
                        ear.heard(subject, entry)

        key.listeners.append(hear)
        key.signs_of_life.append(ear.alive)
        answering: asyncio.Task[None] | None = None
        try:
            await key.open()
            ear.connected()
            answering = asyncio.create_task(self._answer(wish, ear))
            await key.line.until_broken()
        finally:
            key.listeners.remove(hear)
            key.signs_of_life.remove(ear.alive)
            if answering is not None:
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)

    async def _answer(self, wish: Wish, ear: Ear) -> None:
        known = frozenset[Subject]()
        while True:
            wanted = await wish.other_than(known)
            for subject in sorted(wanted - known):
                if subject.topic in self.topics:
                    ear.acknowledged(subject)
                else:
                    ear.refused(subject, unsupported(self._login.spec, Ability.STREAMS))
            known = wanted

    async def missed(self, subject: Subject, since: datetime, until: datetime) -> Reading[Told]:
        """
        Raises:
            SilentError: The end of a statement was not seen, so that nobody knows what was left out.
        """
        if subject.topic not in self.topics:
            raise unsupported(self._login.spec, Ability.STREAMS)
        reading = await self._login.statement(since=since)
        if not reading.is_whole:
            raise SilentError(NAME, "statement")
        return Reading(tuple(one for one in reading.items if _covers(subject, one)), reading.as_of, reading.notes)


def entry_of(number: str, transfer: Transfer) -> Entry:
    """A transfer as the account `number` sees it."""
    came = transfer.target == number
    here, there = (transfer.received, transfer.sent) if came else (transfer.sent, transfer.received)
    return Entry(
        account=number,
        id=transfer.id,
        on=transfer.on,
        way=Way.IN if came else Way.OUT,
        amount=here,
        other=transfer.source if came else transfer.target,
        narrative=transfer.narrative,
        other_amount=there if there.currency != here.currency else None,
    )


def _covers(subject: Subject, entry: Entry) -> bool:
    return subject.topic is Topic.ENTRY and subject.name in ("", entry.account)
