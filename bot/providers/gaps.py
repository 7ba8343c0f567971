"""What nobody listened to: when that was, what to ask the history about it, and what to make of its answer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.providers.news import KEPT, moment_of
from bot.providers.records import Candle, Entry, Quote, Reading
from bot.providers.streams import Subject, Told, Topic

AHEAD = timedelta(seconds=30)
"""What is dated further ahead of our clock is not believed: everything after it would count as older."""
_OVERLAP = {Topic.ENTRY: timedelta(days=2)}
_OVERLAP_AT_FIRST = {Topic.ENTRY: KEPT + timedelta(days=1)}
"""Where the feed begins all that could be taken for news later is to be known."""


@dataclass(frozen=True, slots=True)
class Outage:
    """When nobody was listening."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Handed:
    """One event on its way to whoever listens; with when nobody was, if it was only learnt of afterwards."""

    subject: Subject
    told: Told
    outage: Outage | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """What is to be asked of the provider's history. `outage` None: this is where the feed begins."""

    subject: Subject
    since: datetime
    until: datetime
    outage: Outage | None


@dataclass(frozen=True, slots=True)
class Hole:
    """A gap that stays: nobody knows any more what came within it (R06)."""

    subject: Subject
    since: datetime
    until: datetime


def overlap(topic: Topic, outage: Outage | None, usual: timedelta) -> timedelta:
    """From how long before a gap the history is asked for."""
    at_least = _OVERLAP.get(topic, usual)
    return _OVERLAP_AT_FIRST.get(topic, at_least) if outage is None else at_least


def handed_on(subject: Subject, news: Sequence[tuple[Told, bool]], outage: Outage | None) -> list[Handed]:
    """What is told of what the history and the line together brought; each with whether only the history had it."""
    if outage is None:
        return _beginning(subject, news)
    return [Handed(subject, told, outage if is_late or _is_echo(told, outage) else None) for told, is_late in news]


def _beginning(subject: Subject, news: Sequence[tuple[Told, bool]]) -> list[Handed]:
    """What came by itself; where nothing did, where the price stands, and not how it got there."""
    live = [Handed(subject, told) for told, is_late in news if not is_late]
    if live or not news or subject.topic is not Topic.QUOTE:
        return live
    last = news[-1][0]
    if isinstance(last, Candle):
        last = replace(last, open=last.close, high=last.close, low=last.close)
    return [Handed(subject, last)]


def is_over(told: Told, gap: Gap) -> bool:
    """A candle that is followed as such is an event when it is over; and history is not of the future."""
    if isinstance(told, Candle) and gap.subject.topic is Topic.CANDLE:
        return told.at + told.step <= gap.until
    return isinstance(told, Entry) or moment_of(told) <= gap.until + AHEAD


def hole_in(gap: Gap, reading: Reading[Told]) -> Hole | None:
    """What the history could not tell of a gap; where the feed begins nothing is missing."""
    outage = gap.outage
    if outage is None or reading.is_whole:
        return None
    known_from = min((moment_of(one) for one in reading.items), default=gap.until)
    return Hole(gap.subject, outage.since, known_from) if known_from > outage.since else None


def _is_echo(told: Told, outage: Outage) -> bool:
    """A new line may begin with the price as it stands, which is of the time when nothing was heard."""
    return type(told) is Quote and told.at < outage.until
