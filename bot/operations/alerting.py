"""From a sentence to a rule: which connection is meant, which market, account or position, and how that stands now.

What could mean several things comes back as several; a person picks.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from itertools import zip_longest
from typing import Final
from zoneinfo import ZoneInfo

from bot.access.model import Person, Right, Role, Roster
from bot.alerts.figures import EXAMPLE
from bot.alerts.model import Measure, Occasion, Rule, Source, Target
from bot.alerts.sentences import Sentence
from bot.clock import Clock
from bot.errors import (
    InputError,
    NotAllowedError,
    NotFoundError,
    OwnerSuspendedError,
    ProviderError,
    RecordUnreadableError,
    UnsupportedError,
)
from bot.ids import short_id
from bot.operations.alert_subjects import MOST_OFFERED, OF_LINES, OF_POSITIONS, called
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.operations.sharing import party_named
from bot.providers.base import Ability

ANSWER_SECONDS: Final = 20.0
MOST_HEARERS: Final = 40
_TAKES: Final = {
    Occasion.WITHDRAWAL_NEW: Ability.REQUESTS,
    Occasion.WITHDRAWAL_WAITING: Ability.REQUESTS,
    Occasion.FILLED: Ability.POSITIONS,
    Occasion.OPENED: Ability.POSITIONS,
    Occasion.CLOSED: Ability.POSITIONS,
    Occasion.STOPPED: Ability.POSITIONS,
}
"""What a provider must have for it: a rule for it at another would wait for ever."""


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
            said, subjects = await called(provider, said, rest)
        return [
            Proposal(
                self._rule(person, said, Source(one.id, said.what, subject.subject), target, subject.currency),
                one.name,
                subject.name,
                subject.now,
            )
            for subject in subjects
        ]

    async def could_tell(self, person: Person, what: Measure | Occasion | None) -> list[Connection]:
        """The connections at which this can happen."""
        visible = await self._connections.visible_to(person)
        ability = _TAKES.get(what) if isinstance(what, Occasion) else None
        return [one for one in visible if ability is None or ability in one.spec.abilities]

    async def _chosen(self, person: Person, said: Sentence) -> tuple[list[Connection], tuple[str, ...]]:
        """The connections that are meant, and the words that name none."""
        visible = await self.could_tell(person, said.what)
        if not visible:
            raise NotFoundError("connection", " ".join(said.names))
        for word in said.names:
            named = _named(visible, word)
            if named:
                at = said.names.index(word)
                return named, (*said.names[:at], *said.names[at + 1 :])
        if isinstance(said.what, Occasion) and said.what in _TAKES:
            every = await self._connections.visible_to(person)
            for other in (one for word in said.names for one in _named(every, word)):
                raise UnsupportedError(other.provider, _TAKES[said.what].value)
        if isinstance(said.what, Occasion) and said.names and said.what not in (*OF_POSITIONS, *OF_LINES):
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


_NO_ANSWER = (ProviderError, RecordUnreadableError, OwnerSuspendedError, NotFoundError)


def _named(visible: Iterable[Connection], word: str) -> list[Connection]:
    return [one for one in visible if word.lower() in (one.label, one.provider, one.name)]


def _in_turn(answers: Sequence[Sequence[Proposal]]) -> list[Proposal]:
    """The first of each connection, then the second of each: one with much does not hide the others."""
    return [one for row in zip_longest(*answers) for one in row if one is not None]


def _check_said(occasion: Occasion, rest: tuple[str, ...]) -> None:
    """`InputError` when these words name a part of what has none: a rule for it would wait for ever."""
    if rest and occasion not in (*OF_POSITIONS, *OF_LINES):
        raise InputError(f"{occasion.value} is not about {' '.join(rest)}", f"/alert {occasion.value}")
