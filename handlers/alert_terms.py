"""A rule's terms as buttons: until when, who is told, how far back it is armed again, how often it comes.

Opens nothing. An answer is a plain value that a card can keep; it is put on the rule as that is then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Any, Final, assert_never
from zoneinfo import ZoneInfo

from bot.alerts.figures import number
from bot.alerts.model import Occasion, Repeat, Rule, Target, Test, stays
from bot.alerts.wording import number as said
from bot.alerts.wording import time_said
from bot.errors import InputError
from handlers.render import alerts as render

Answer = tuple[str, Any]
"""A label, and what it stands for."""


class Term(IntEnum):
    """What can be changed by a further question. The number is the button's."""

    ENDS = 21
    TOLD = 22
    BACK = 23
    OFTEN = 24


LABELS: Final[Mapping[Term, str]] = {
    Term.ENDS: "Until…",
    Term.TOLD: "Tell…",
    Term.BACK: "Armed again…",
    Term.OFTEN: "How often…",
}
_LIVES: Final = tuple(timedelta(days=days) for days in (1, 7, 30))
_OFTEN: Final = tuple(timedelta(minutes=minutes) for minutes in (15, 60, 240, 1440))
_PARTS: Final = (Decimal("0.001"), Decimal("0.005"), Decimal("0.01"))
_PLACES: Final = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a rule, with the answers that are buttons; others may be typed where `typed` says how."""

    text: str
    answers: tuple[Answer, ...]
    typed: str = ""


def terms_of(rule: Rule) -> list[Term]:
    """What of this rule can be asked."""
    if isinstance(rule.source.what, Occasion):
        return [Term.ENDS, Term.TOLD, *([Term.OFTEN] if rule.source.what.lasts else [])]
    return [Term.ENDS, Term.TOLD, Term.OFTEN, *([Term.BACK] if rule.test is not Test.CHANGES else [])]


def asked(term: Term, rule: Rule, hearers: Iterable[Target], names: Mapping[int, str]) -> Asked:
    """The question. `hearers`: who could be told of it; `names`: those of people and groups."""
    match term:
        case Term.ENDS:
            lives = tuple((time_said(life), life.total_seconds()) for life in _LIVES)
            return Asked("Until when is it watched?", (*lives, ("No end", None)), "the last day, like 2027-01-31")
        case Term.TOLD:
            whom = tuple((render.place(one, names) or "Only me", [one.person, one.chat, one.thread]) for one in hearers)
            return Asked("Who is told? A group hears nothing that is private; you always do.", whom)
        case Term.BACK:
            parts = {round(abs(rule.threshold) * part, _PLACES).normalize() for part in _PARTS} - {Decimal(0)}
            slacks = tuple((said(rule.source, one, rule.currency), f"{one:f}") for one in sorted(parts))
            return Asked("How far must it go back before it comes again?", (("Not at all", "0"), *slacks), "a number")
        case Term.OFTEN:
            spans = _OFTEN if stays(rule.source.what, rule.test) else ()
            every = tuple((f"Every {time_said(span)} while it is so", span.total_seconds()) for span in spans)
            return Asked("How often does it come?", (("Once", Repeat.ONCE), ("Each time", Repeat.EACH), *every))
        case _:
            assert_never(term)


def changed(term: Term, rule: Rule, value: Any, now: datetime) -> Rule:
    """The rule with that answer."""
    match term:
        case Term.ENDS:
            return replace(rule, expires_at=None if value is None else now + timedelta(seconds=value))
        case Term.TOLD:
            return replace(rule, target=Target(*value))
        case Term.BACK:
            return replace(rule, hysteresis=Decimal(value))
        case Term.OFTEN if isinstance(value, str):
            return replace(rule, repeat=Repeat(value), every=timedelta())
        case Term.OFTEN:
            return replace(rule, repeat=Repeat.EVERY, every=timedelta(seconds=value))
        case _:
            assert_never(term)


def typed(term: Term, rule: Rule, text: str, now: datetime, zone: ZoneInfo) -> Rule:
    """The rule with what was typed. `InputError`."""
    if term is Term.BACK:
        slack = number(text.strip().rstrip("%").strip())
        if slack is None or slack < 0:
            raise InputError("send how far it must go back, as a number", "5")
        return replace(rule, hysteresis=slack)
    try:
        last = datetime.combine(date.fromisoformat(text.strip()), time.max, zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError("send its last day", "2027-01-31") from None
    if last <= now:
        raise InputError("that day is over", f"{now.year + 1}-01-31")
    return replace(rule, expires_at=last.replace(microsecond=0))
