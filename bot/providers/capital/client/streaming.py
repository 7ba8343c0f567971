"""Prices as they move: one socket for a login's quotes and minutes, at most forty epics.

Tokens travel in every message. New ones are told by subscribing again; when another account becomes the active one the
provider ends the streams of the old, and so the connection is over. What the socket could not tell is in the history.
"""

import asyncio
import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from bot.clock import Clock
from bot.errors import CredentialRefusedError, ProviderError, RefusedError, ReplyError, StreamsFullError
from bot.network.talk import Settled
from bot.network.websocket import Line
from bot.providers.capital import wire
from bot.providers.capital.client.sessions import Sessions, Ticket
from bot.providers.capital.settings import Settings
from bot.providers.capital.wire import streaming
from bot.providers.capital.wire.streaming import MOST_EPICS, PROCESSED, Half
from bot.providers.records import Candle, Quote, Reading
from bot.providers.streams import Ear, Subject, Told, Topic, Wish

PING_SECONDS = 25.0
REST_PING_EVERY = 10
"""After so many pings of the socket, one of the session: it dies ten minutes after its last request."""
FURTHEST = timedelta(days=2)
"""History is not looked through further back, a call for every sixteen hours of it."""
_DEFAULT_HOST = "wss://api-streaming-capital.backend-capital.com"
_MINUTE = timedelta(minutes=1)
_RENEW_SECONDS = 1.0
_WORDS = {Topic.QUOTE: "marketData", Topic.CANDLE: "OHLCMarketData"}


class KnowsCandles(Protocol):
    """Where the history is."""

    async def candles(self, symbol: str, step: timedelta, since: datetime, until: datetime) -> Reading[Candle]:
        """As `TellsPrices` says."""


class KeepsAlive(Protocol):
    async def ping(self) -> None:
        """Keep the session alive."""


class Streaming:
    """As `bot.providers.streams.Streams` says."""

    def __init__(self, sessions: Sessions, history: KnowsCandles, rest: KeepsAlive, settings: Settings, clock: Clock):
        self._sessions = sessions
        self._history = history
        self._rest = rest
        self._settings = settings
        self._clock = clock

    async def stream(self, wish: Wish, ear: Ear) -> None:
        """One connection, until it is over."""
        ticket = await self._sessions.ticket()
        url = address_of(ticket.streaming_host, self._settings)
        talk = _Talk(self._sessions, ticket, ear, self._rest)
        talk.line = Line(
            wire.NAME,
            url,
            clock=self._clock,
            hear=talk.hear,
            greet=_no_greeting,
            keep_alive=talk.ping,
            keep_alive_seconds=PING_SECONDS,
            ca_file=self._settings.ca_file,
        )
        try:
            await talk.line.open()
            ear.connected()
            await self._follow(talk, wish)
        finally:
            await talk.line.close()

    async def _follow(self, talk: "_Talk", wish: Wish) -> None:
        over = asyncio.create_task(talk.line.until_broken())
        try:
            while not over.done():
                await talk.follow(wish.subjects)
                changed = asyncio.create_task(wish.other_than(talk.wished))
                renewed = asyncio.create_task(self._sessions.other_than(talk.ticket))
                try:
                    await asyncio.wait({over, changed, renewed}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
                    renewed.cancel()
                if renewed.done() and not over.done():
                    await self._clock.sleep(_RENEW_SECONDS)  # they may come with every answer
                    await talk.renew(await self._sessions.ticket())
        finally:
            over.cancel()

    async def missed(self, subject: Subject, since: datetime, until: datetime) -> Reading[Told]:
        """Candles of a minute, whatever was followed: there is no history of quotes."""
        furthest = until - FURTHEST
        first = max(since, furthest).replace(second=0, microsecond=0)
        reading = await self._history.candles(subject.name, _MINUTE, first, until)
        items = tuple(one for one in reading.items if subject.topic is Topic.QUOTE or one.at + _MINUTE <= until)
        is_whole = reading.is_whole and since >= furthest
        return Reading(items, reading.as_of, reading.notes, is_whole=is_whole)


class _Talk:
    """What is followed on one connection."""

    def __init__(self, sessions: Sessions, ticket: Ticket, ear: Ear, rest: KeepsAlive) -> None:
        self.line: Line
        self.ticket = ticket
        self.wished: frozenset[Subject] = frozenset()
        self._sessions = sessions
        self._ear = ear
        self._rest = rest
        self._numbers = itertools.count(1)
        self._pings = 0
        self._followed: set[Subject] = set()
        self._refused: set[Subject] = set()
        self._quotes: dict[str, Subject] = {}
        self._halves: dict[str, Half] = {}

    # what arrives

    def hear(self, frame: str | bytes) -> Iterable[Settled]:
        heard = streaming.parse(frame)
        if type(heard) is Quote:
            subject = self._quotes.get(heard.symbol)
            if subject is not None:
                self._ear.heard(subject, heard)
            return ()
        if isinstance(heard, Half):
            self._hear_half(heard)
        elif isinstance(heard, streaming.Reply):
            return self._settled(heard)
        return ()

    def _settled(self, reply: streaming.Reply) -> Iterable[Settled]:
        if not reply.number and isinstance(reply.error, CredentialRefusedError):
            raise ReplyError(wire.NAME, "stream: ended by the other side")
        return (Settled(reply.number, reply.subscriptions, reply.error),)

    def _hear_half(self, half: Half) -> None:
        subject = Subject(Topic.CANDLE, half.epic)
        other = self._halves.pop(half.epic, None)
        if subject not in self._followed:
            return
        if other is None or other.at != half.at or other.side == half.side:
            self._halves[half.epic] = half
            return
        bid, ask = (half, other) if half.side == "bid" else (other, half)
        self._ear.heard(subject, streaming.candle_of(bid, ask))

    # what is asked

    async def follow(self, subjects: frozenset[Subject]) -> None:
        """Ask for what is new, and end what is not wished any more."""
        self.wished = subjects
        self._refused &= subjects
        await self._end(self._followed - subjects)
        new: dict[Topic, list[str]] = {topic: [] for topic in _WORDS}
        room = {one.name for one in self._followed}
        for subject in sorted(subjects - self._followed - self._refused):
            if subject.topic not in _WORDS:
                self._refuse(subject, RefusedError(wire.NAME, "no such stream"))
            elif len(room | {subject.name}) > MOST_EPICS:
                self._refuse(subject, StreamsFullError(wire.NAME, MOST_EPICS))
            else:
                room.add(subject.name)
                new[subject.topic].append(subject.name)
        for topic, epics in new.items():
            if epics:
                await self._subscribe(topic, epics)

    async def renew(self, ticket: Ticket) -> None:
        """Go on with other tokens. `ReplyError`: they are those of another account, whose streams these are not."""
        if ticket.account != self.ticket.account:
            raise ReplyError(wire.NAME, "stream: another account is active")
        self.ticket = ticket
        for topic in _WORDS:
            epics = [one.name for one in sorted(self._followed) if one.topic is topic]
            if epics:
                await self._ask(f"{_WORDS[topic]}.subscribe", _payload(topic, epics))

    async def ping(self, _: Line) -> None:
        await self._ask("ping", {})
        self._ear.alive()
        self._pings += 1
        if self._pings % REST_PING_EVERY == 0:
            await self._rest.ping()

    async def _subscribe(self, topic: Topic, epics: list[str]) -> None:
        for epic in epics:
            self._listen(Subject(topic, epic))  # a price may be quicker than the acknowledgement
        try:
            statuses = await self._with_tokens(f"{_WORDS[topic]}.subscribe", _payload(topic, epics))
        except RefusedError as refused:
            if isinstance(refused, CredentialRefusedError) or len(epics) == 1 or refused.code.startswith("error.too"):
                for epic in epics:
                    self._forget(Subject(topic, epic))
                if len(epics) > 1 or isinstance(refused, CredentialRefusedError):
                    raise
                self._refuse(Subject(topic, epics[0]), refused)
                return
            for epic in epics:  # one of them spoilt it for all
                await self._subscribe(topic, [epic])
            return
        said = {streaming.epic_of(key): status for key, status in statuses.items()}
        for epic in epics:
            subject, status = Subject(topic, epic), said.get(epic)
            if status == PROCESSED:
                self._ear.acknowledged(subject)
            elif status is not None:
                self._forget(subject)
                self._refuse(subject, streaming.refusal_of(status))

    async def _end(self, subjects: set[Subject]) -> None:
        for topic, word in _WORDS.items():
            epics = [one.name for one in sorted(subjects) if one.topic is topic]
            if epics:
                for epic in epics:
                    self._forget(Subject(topic, epic))
                await self._ask(f"{word}.unsubscribe", _payload(topic, epics, ending=True))

    async def _with_tokens(self, destination: str, payload: Mapping[str, object]) -> Mapping[str, str]:
        """The same once more with new tokens, when these are refused."""
        try:
            return await self._ask(destination, payload)
        except CredentialRefusedError:
            self.ticket = await self._sessions.ticket(instead_of=self.ticket)
            return await self._ask(destination, payload)

    async def _ask(self, destination: str, payload: Mapping[str, object]) -> Mapping[str, str]:
        number = next(self._numbers)
        message = streaming.build(destination, number, self.ticket.tokens.headers(), payload)
        (said,) = await self.line.ask(message, [str(number)])
        statuses: Mapping[str, str] = said
        return statuses

    def _listen(self, subject: Subject) -> None:
        self._followed.add(subject)
        if subject.topic is Topic.QUOTE:
            self._quotes[subject.name] = subject

    def _forget(self, subject: Subject) -> None:
        self._followed.discard(subject)
        if subject.topic is Topic.QUOTE:
            self._quotes.pop(subject.name, None)

    def _refuse(self, subject: Subject, error: ProviderError) -> None:
        self._refused.add(subject)
        self._ear.refused(subject, error)


def address_of(told: str | None, settings: Settings) -> str:
    """Where the streams are, as the login tells it. Tokens go there, so it must be a place of the same house.

    Raises:
        ReplyError: It is somewhere else, or would be reached in the clear.
    """
    host = (told or _DEFAULT_HOST).rstrip("/")
    try:
        parts = urlsplit(host)
        name, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ReplyError(wire.NAME, "streaming host: not an address") from None
    houses = {_house(urlsplit(one).hostname or "") for one in (settings.live_url, settings.demo_url)}
    is_here = name in ("127.0.0.1", "localhost")
    if _house(name) not in houses or not (parts.scheme == "wss" or (parts.scheme == "ws" and is_here)):
        raise ReplyError(wire.NAME, "streaming host: not one of the provider's")
    return f"{host}/connect"


def _house(name: str) -> str:
    """backend-capital.com, of api-capital.backend-capital.com; an address of numbers is itself."""
    return name if name.replace(".", "").isdigit() else ".".join(name.split(".")[-2:])


def _payload(topic: Topic, epics: list[str], *, ending: bool = False) -> Mapping[str, object]:
    return streaming.quotes_of(epics) if topic is Topic.QUOTE else streaming.minutes_of(epics, ending=ending)


async def _no_greeting(_: Line) -> None:
    """Nobody says anything on connecting."""
