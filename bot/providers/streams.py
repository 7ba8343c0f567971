"""What a provider with `Ability.STREAMS` tells by itself, and how it is asked to.

An adapter carries one connection through one life: it logs in, subscribes to what is wished, follows the wish as it
changes, and hands on what it hears until the connection is over. Dialling again, comparing what is acknowledged with
what is wished, and filling the gap is the same for all, and done by whoever holds the ear.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from bot.errors import ProviderError
from bot.providers.records import Balance, Candle, Entry, Position, Quote, Reading


class Topic(StrEnum):
    """Something that can be followed."""

    QUOTE = "quote"
    CANDLE = "candle"
    """Steps of one minute."""
    BALANCE = "balance"
    ENTRY = "entry"
    """Lines of the statement, as they are written."""
    CONTRACT = "contract"
    """One open contract."""
    REQUEST = "request"
    """What clients ask for. No stream has it: it is read, and a webhook hastens that."""


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """One thing that is followed. It outlives connections; what the provider calls its subscription does not."""

    topic: Topic
    name: str = ""
    """A symbol, an account or a contract's id; empty: whatever the login sees."""


Told = Quote | Candle | Balance | Entry | Position


class Ear(Protocol):
    """Who is told. Nothing here waits, or raises."""

    def connected(self) -> None:
        """Logged in; nothing is followed yet."""

    def acknowledged(self, subject: Subject) -> None:
        """The provider said that it will tell of it."""

    def refused(self, subject: Subject, error: ProviderError) -> None:
        """The provider will not tell of it. Not asked again on this connection."""

    def heard(self, subject: Subject, told: Told) -> None:
        """As it came: perhaps late, twice, or out of order."""

    def alive(self) -> None:
        """The other side answered a ping: there is a connection, though perhaps nothing to tell.

        Said at least every 30 seconds; a connection that is silent for a minute counts as dead.
        """


class Wish:
    """What is to be followed, by whoever changes their mind."""

    def __init__(self, subjects: Iterable[Subject] = ()) -> None:
        self._subjects = frozenset(subjects)
        self._changed = asyncio.Event()

    @property
    def subjects(self) -> frozenset[Subject]:
        return self._subjects

    def want(self, subjects: Iterable[Subject]) -> None:
        """From now on these, and no others."""
        wanted = frozenset(subjects)
        if wanted != self._subjects:
            self._subjects = wanted
            self._changed.set()
            self._changed = asyncio.Event()

    async def other_than(self, known: frozenset[Subject]) -> frozenset[Subject]:
        """What is wished, as soon as it is not what is known."""
        while self._subjects == known:
            await self._changed.wait()
        return self._subjects


@runtime_checkable
class Streams(Protocol):
    """A provider with `Ability.STREAMS`."""

    @property
    def topics(self) -> frozenset[Topic]:
        """What it can be asked to tell of."""

    @property
    def most_subjects(self) -> int | None:
        """How many one login may follow at once; None where nobody says. Beyond it, `refused` gets a sentence."""

    @property
    def begins_at_once(self) -> frozenset[Topic]:
        """Of what the first frame says how it stands, and history knows each event by itself.

        Nothing need be read from history where such a feed begins.
        """

    async def stream(self, wish: Wish, ear: Ear) -> None:
        """Follow the wish until the connection is over.

        Raises:
            ProviderError: It could not be had, or broke. Returning without an error means the same.
        """

    async def missed(self, subject: Subject, since: datetime, until: datetime) -> Reading[Told]:
        """What the subject would have told within `[since, until)`, from the provider's history; oldest first.

        Quotes come as quotes where the provider keeps them, else as candles of one minute, whose high and low they
        lay between; candles are of the middle between bid and ask, as `Quote.mid` is, and the one that is not over yet
        is among them (of `Topic.CANDLE` only those that are over). The minute in which `since` lies comes whole.
        `is_whole` is False when the provider no longer knows all of it; the notes say from when it does.
        """


@runtime_checkable
class KeepsSteps(Protocol):
    """One that keeps no quotes: what went to and fro within a step of its history is in none of it."""

    @property
    def finest_step(self) -> timedelta:
        """Of the history of prices."""
