"""From a sentence to a rule: which connection is meant, which market, account or position, and how that stands now.

What could mean several things comes back as several; a person picks.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from decimal import Decimal
from itertools import zip_longest
from typing import Final
from zoneinfo import ZoneInfo

from bot.access.model import Person, Right, Role, Roster
from bot.alerts.model import Measure, Occasion, Rule, Source, Target, Test
from bot.alerts.screening import of_balance, of_position
from bot.alerts.sentences import EXAMPLE, Sentence
from bot.alerts.subjects import ALL
from bot.clock import Clock
from bot.errors import (
    InputError,
    NotAllowedError,
    NotFoundError,
    OwnerSuspendedError,
    ProviderError,
    RecordUnreadableError,
)
from bot.ids import short_id
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.sharing import party_named
from bot.providers.base import Provider
from bot.providers.markets import KeepsOrders, TellsPrices
from bot.providers.records import Balance

ANSWER_SECONDS: Final = 20.0
MOST_OFFERED: Final = 6
MOST_HEARERS: Final = 40
_OF_CRM = (Occasion.WITHDRAWAL_NEW, Occasion.WITHDRAWAL_WAITING)
_OF_ACCOUNTS = (Measure.BALANCE, Measure.FREE_MARGIN, Measure.MARGIN_LEVEL, Measure.MARGIN_DISTANCE)
_OF_POSITIONS = (Occasion.FILLED, Occasion.OPENED, Occasion.CLOSED, Occasion.STOPPED)
_OF_LINES = (Occasion.MONEY_IN, Occasion.MONEY_OUT)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule that nobody has set yet, and what there is to know about it."""

    rule: Rule
    connection: str
    """Empty for what is no connection's."""
    name: str = ""
    """What its subject is called, where that is more than its symbol or number."""
    now: Decimal | None = None
    """How the number stands."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was said: a group of the desk and its topic, or a private chat."""

    chat: int | None = None
    thread: int | None = None


class Alerting:
    """Finds out what people mean."""

    def __init__(self, connections: Connections, clock: Clock, zone: ZoneInfo) -> None:
        self._connections = connections
        self._clock = clock
        self._zone = zone

    async def propose(self, person: Person, said: Sentence, roster: Roster, place: Place) -> list[Proposal]:
        """The rules that this may mean, the likeliest first.

        Raises:
            NotFoundError: No such connection, market, account, position or person.
            NotAllowedError: Telling others takes an operator.
            ProviderError: Nobody who could tell answered.
        """
        if not person.may(Right.READ):
            raise NotAllowedError(Right.READ)
        target = self._target(person, said, roster, place)
        if isinstance(said.what, Occasion) and said.what.of_desk:
            _check_said(said.what, said.names)
            return [Proposal(self._rule(person, said, Source(0, said.what), target), "")]
        chosen, rest = await self._chosen(person, said)
        self._check_reach(target, chosen, roster)
        found = await self._found(person, said, chosen, rest, target)
        if not found:
            what = "market" if said.what is Measure.PRICE else "account or position"
            raise NotFoundError(what, " ".join(rest) or said.currency)
        return found[:MOST_OFFERED]

    async def _found(
        self, person: Person, said: Sentence, chosen: list[Connection], rest: tuple[str, ...], target: Target
    ) -> list[Proposal]:
        if isinstance(said.what, Occasion):
            _check_said(said.what, rest)
            if not rest:
                return [
                    Proposal(self._rule(person, said, Source(one.id, said.what), target), one.name) for one in chosen
                ]
        answers = await asyncio.gather(
            *(self._ask(person, said, one, rest, target) for one in chosen), return_exceptions=True
        )
        troubles = [one for one in answers if isinstance(one, BaseException)]
        found = _in_turn([one for one in answers if not isinstance(one, BaseException)])
        unforeseen = [one for one in troubles if not isinstance(one, _NO_ANSWER)]
        if unforeseen or (troubles and not found):
            raise (unforeseen or troubles)[0]
        exact = [one for one in found if one.rule.source.subject.casefold() == " ".join(rest).casefold()]
        return exact or found

    async def _ask(
        self, person: Person, said: Sentence, one: Connection, rest: tuple[str, ...], target: Target
    ) -> list[Proposal]:
        """What this connection has that goes by these words."""
        async with self._connections.session(one, seconds=ANSWER_SECONDS) as provider:
            if said.what is Measure.PRICE:
                subjects = await _markets(provider, " ".join(rest))
            elif said.what in _OF_ACCOUNTS:
                subjects = await _accounts(provider, said, rest)
            elif said.what in _OF_LINES:
                subjects = await _receiving(provider, said, rest)
            elif said.what in _OF_POSITIONS:
                subjects = await _dealt(provider, said, rest)
            else:
                subjects = await _positions(provider, said, rest)
                if not subjects and said.what is Measure.LIQUIDATION_DISTANCE:
                    said = replace(said, what=Measure.MARGIN_DISTANCE)  # it does not tell at which price it closes
                    subjects = await _accounts(provider, said, rest)
        return [
            Proposal(
                self._rule(person, said, Source(one.id, said.what, subject.subject), target, subject.currency),
                one.name,
                subject.name,
                subject.now,
            )
            for subject in subjects
        ]

    async def _chosen(self, person: Person, said: Sentence) -> tuple[list[Connection], tuple[str, ...]]:
        """The connections that are meant, and the words that name none."""
        visible = await self._connections.visible_to(person)
        if said.what in _OF_CRM:
            visible = [one for one in visible if one.provider == "crm"]
        if not visible:
            raise NotFoundError("connection", " ".join(said.names))
        for word in said.names:
            named = [one for one in visible if word.lower() in (one.label, one.provider, one.name)]
            if named:
                at = said.names.index(word)
                return named, (*said.names[:at], *said.names[at + 1 :])
        if isinstance(said.what, Occasion) and said.names and said.what not in (*_OF_POSITIONS, *_OF_LINES):
            raise NotFoundError("connection", " ".join(said.names), tuple(one.name for one in visible))
        return visible, said.names

    def _target(self, person: Person, said: Sentence, roster: Roster, place: Place) -> Target:
        words = " ".join(said.hearer).casefold()
        if words in ("", "me"):
            return Target()
        if not person.may(Right.ALERT):
            raise NotAllowedError(Right.ALERT)
        if words in ("here", "group", "the group", "this group", "topic"):
            groups = sorted(roster.groups)
            chat = place.chat if place.chat in roster.groups else groups[0] if len(groups) == 1 else None
            if chat is None:
                raise InputError("say that in the group that is to be told", f"{EXAMPLE} to group")
            return Target(chat=chat, thread=place.thread if chat == place.chat else None)
        party = party_named(roster, " ".join(said.hearer))
        if isinstance(party, Role):
            raise InputError("one person or the group can be told", f"{EXAMPLE} to group")
        return Target() if party.id == person.id else Target(person=party.id)

    async def check_target(self, person: Person, rule: Rule, roster: Roster) -> None:
        """Whether its owner may have it told to whom it names. `NotAllowedError`, `NotFoundError`."""
        target = rule.target
        if target.person is None and target.chat is None:
            return
        if not person.may(Right.ALERT):
            raise NotAllowedError(Right.ALERT)
        if target.chat is not None and target.chat not in roster.groups:
            raise NotFoundError("group", str(target.chat))
        self._check_reach(target, await self._looked_at(person, rule), roster)

    async def hearers(self, person: Person, rule: Rule, roster: Roster, known: Iterable[Target] = ()) -> list[Target]:
        """Who could be told of it: its owner, who else may read that, and groups; of their topics those in `known`."""
        if not person.may(Right.ALERT):
            return [Target()]
        linked = await self._looked_at(person, rule)
        others = [one for one in roster.people if one.id != person.id and all(it.may_read(one) for it in linked)]
        people = [Target(person=one.id) for one in sorted(others, key=lambda one: one.name)]
        groups = [Target(chat=chat) for chat in sorted(roster.groups)]
        topics = {one for one in known if one.thread is not None and one.chat in roster.groups}
        named = sorted(topics, key=lambda one: (one.chat or 0, one.thread or 0))
        return [Target(), *groups, *named, *people][:MOST_HEARERS]

    async def _looked_at(self, person: Person, rule: Rule) -> list[Connection]:
        visible = await self._connections.visible_to(person)
        return [one for one in visible if one.id == rule.source.connection]

    @staticmethod
    def _check_reach(target: Target, chosen: Iterable[Connection], roster: Roster) -> None:
        """`NotAllowedError` when somebody is to be told what they may not read."""
        hearer = next((one for one in roster.people if one.id == target.person), None)
        if hearer is not None and not all(one.may_read(hearer) for one in chosen):
            raise NotAllowedError(f"tell {hearer.name} of a connection that is not shared with them")

    def _rule(self, person: Person, said: Sentence, source: Source, target: Target, currency: str = "") -> Rule:
        now = self._clock.now()
        ends = None if said.life is None else now + said.life
        if said.until is not None:
            ends = datetime.combine(said.until, time.max, self._zone).astimezone(UTC).replace(microsecond=0)
            if ends <= now:
                raise InputError(f"{said.until} is over", f"{EXAMPLE} for 7d")
        return Rule(
            id=short_id(5),
            owner=person.id,
            source=source,
            test=said.test,
            created_at=now,
            threshold=said.threshold,
            currency=currency or said.currency if said.what is not Measure.PRICE else "",
            window=said.window,
            repeat=said.repeat,
            every=said.every,
            hysteresis=said.hysteresis,
            expires_at=ends,
            severity=said.severity,
            target=target,
            rest=said.rest,
        )


@dataclass(frozen=True, slots=True)
class _Subject:
    subject: str
    name: str = ""
    currency: str = ""
    now: Decimal | None = None


_NO_ANSWER = (ProviderError, RecordUnreadableError, OwnerSuspendedError, NotFoundError)


def _in_turn(answers: Sequence[Sequence[Proposal]]) -> list[Proposal]:
    """The first of each connection, then the second of each: one with much does not hide the others."""
    return [one for row in zip_longest(*answers) for one in row if one is not None]


def _check_said(occasion: Occasion, rest: tuple[str, ...]) -> None:
    """`InputError` when these words name a part of what has none: a rule for it would wait for ever."""
    if rest and occasion not in (*_OF_POSITIONS, *_OF_LINES):
        raise InputError(f"{occasion.value} is not about {' '.join(rest)}", f"/alert {occasion.value}")


async def _markets(provider: Provider, text: str) -> list[_Subject]:
    if not isinstance(provider, TellsPrices):
        return []
    reading = await provider.find_markets(text, most=MOST_OFFERED)
    return [
        _Subject(one.symbol, one.name if one.name != one.symbol else "", now=one.quote.mid if one.quote else None)
        for one in reading.items
    ]


async def _accounts(provider: Provider, said: Sentence, rest: tuple[str, ...]) -> list[_Subject]:
    """Those of that currency, or that are called so."""
    found = []
    for balance in (await provider.balances()).items:
        measures = of_balance(balance)
        currency = balance.amount.currency.code
        is_meant = said.currency in ("", currency) and _is_called(balance, rest)
        if is_meant and isinstance(said.what, Measure) and (said.what in measures or said.test is Test.CHANGES):
            of = "" if said.what.is_percent else currency
            found.append(_Subject(f"{balance.account} {currency}", balance.name, of, measures.get(said.what)))
    return found


def _is_called(balance: Balance, rest: tuple[str, ...]) -> bool:
    words = " ".join(rest).casefold()
    return not words or words in (balance.account.casefold(), balance.name.casefold(), balance.owner.casefold())


async def _receiving(provider: Provider, said: Sentence, rest: tuple[str, ...]) -> list[_Subject]:
    """The accounts that are called so; a statement names them by their numbers."""
    balances = (await provider.balances()).items
    names = {
        one.account: one.name
        for one in balances
        if said.currency in ("", one.amount.currency.code) and _is_called(one, rest)
    }
    return [_Subject(account, name) for account, name in names.items()]


async def _dealt(provider: Provider, said: Sentence, rest: tuple[str, ...]) -> list[_Subject]:
    """One position or order by its number, or those of a market; whether any is open there or not."""
    words = " ".join(rest).casefold()
    if said.what is Occasion.FILLED and isinstance(provider, KeepsOrders):
        for order in (await provider.orders()).items:
            if words == order.id.casefold():
                return [_Subject(order.id, order.name)]
    for position in (await provider.positions()).items:
        if words == position.id.casefold() and said.what not in (Occasion.FILLED, Occasion.OPENED):
            return [_Subject(position.id, position.name)]
        if words in (position.symbol.casefold(), position.name.casefold()):
            return [_Subject(position.symbol, position.name)]
    return [replace(market, now=None) for market in await _markets(provider, " ".join(rest))]


async def _positions(provider: Provider, said: Sentence, rest: tuple[str, ...]) -> list[_Subject]:
    """One position by its number, all of a market, or all there are."""
    words = " ".join(rest).casefold()
    found: dict[str, _Subject] = {}
    for position in (await provider.positions()).items:
        numbers = of_position(position)
        currency = position.profit.currency.code if position.profit is not None and said.what is Measure.PROFIT else ""
        if said.currency not in ("", currency) or not isinstance(said.what, Measure):
            continue
        if said.what is Measure.LIQUIDATION_DISTANCE and said.what not in numbers:
            continue
        if words and words == position.id.casefold():
            return [_Subject(position.id, position.name, currency, numbers.get(said.what))]
        if words in (position.symbol.casefold(), position.name.casefold()) or not words:
            subject = position.symbol if words else ALL if currency else ""
            subject = f"{subject} {currency}" if currency else subject
            found.setdefault(subject, _Subject(subject, position.name if words else "all positions", currency))
    return list(found.values())
