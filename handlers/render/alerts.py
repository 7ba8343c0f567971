"""Rules, as people see them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from bot.alerts.book import Entry
from bot.alerts.model import Counted, Measure, Occasion, Phase, Rule, Target, Test
from bot.alerts.wording import condition, number, subject_of, terms
from bot.operations.alert_subjects import MOST_OFFERED
from bot.operations.alerting import Proposal
from handlers.render.text import Taste, ago, bold, literal

_STANDS = {
    Phase.NEW: "waits for the first value",
    Phase.ARMED: "armed",
    Phase.HELD: "is so now",
    Phase.DONE: "has come",
}


def line(rule: Rule, connection: str) -> str:
    """What it waits for, on one line."""
    return f"{literal(subject_of(rule.source, connection), 120)}: {literal(condition(rule), 120)}"


def proposal(one: Proposal, hearer: str, taste: Taste) -> str:
    """What was understood, and how it stands now."""
    rule = one.rule
    said = [f"{bold('Understood')}: {line(rule, one.connection)}", literal(f"Comes {terms(rule, taste.zone)}.", 200)]
    if hearer:
        said.append(f"Told: {literal(hearer)}")
    if one.now is not None:
        name = f"{one.name} now" if one.name else "Now"
        now = f"{name}: {number(rule.source, one.now, rule.currency)}"
        said.append(
            literal(now + (". It is so already: it comes with the next value." if _is_so(rule, one.now) else ""), 240)
        )
    elif one.name:
        said.append(literal(one.name, 120))
    return "\n".join(said)


def proposals(found: Sequence[Proposal]) -> str:
    """Several things that may be meant, by number."""
    lines = [
        f"{place}. {line(one.rule, one.connection)}{f' · {literal(one.name)}' if one.name else ''}"
        for place, one in enumerate(found, 1)
    ]
    more = ["Not among them? Name the connection, the account or the market more exactly."]
    return "\n".join([bold("Which one is meant?"), *lines, *(more if len(found) == MOST_OFFERED else [])])


def listing(entries: Sequence[Entry], first: int, names: Mapping[int, str], now: datetime) -> str:
    """Some of a person's rules, numbered from `first` on."""
    lines = [
        f"{place}. <code>{entry.rule.id}</code> {line(entry.rule, names.get(entry.rule.source.connection, ''))}"
        f" · {_standing(entry, now)}"
        for place, entry in enumerate(entries, first)
    ]
    return "\n".join([bold("Your alerts"), *lines])


def one(entry: Entry, connection: str, counted: Counted, hearer: str, taste: Taste, now: datetime) -> str:
    """A rule with everything there is to say of it."""
    rule = entry.rule
    lines = [
        f"{bold('Alert')} <code>{rule.id}</code>: {line(rule, connection)}",
        literal(f"Comes {terms(rule, taste.zone)}.", 200),
        f"Now: {_standing(entry, now)}.",
        _came(entry, counted, now),
    ]
    if hearer:
        lines.append(f"Told: {literal(hearer)}")
    return "\n".join(lines)


def _came(entry: Entry, counted: Counted, now: datetime) -> str:
    """How often, and when last; with another number it begins anew, and has not come since."""
    if not counted.times:
        return "It has not come yet."
    silent = f", {counted.silent} of them silent" if counted.silent else ""
    since = "" if entry.state.told_at is not None else ", not since it began anew"
    times = f"{counted.times} time{'' if counted.times == 1 else 's'}"
    return f"It has come {times}{silent}; last {ago(now, counted.last)}{since}."


def hearer(target: Target, names: Mapping[int, str]) -> str:
    """Who else is told; empty for the owner alone."""
    whom = place(target, names)
    return f"you, and {whom} (without what is private)" if target.person is None and whom else whom


def place(target: Target, names: Mapping[int, str]) -> str:
    """A person, a group or a topic of one, by `names` of people and groups; empty for the owner."""
    if target.person is not None:
        return names.get(target.person, "somebody who left")
    if target.chat is None:
        return ""
    group = f"the group {names.get(target.chat) or f'…{str(target.chat)[-4:]}'}"
    return group if target.thread is None else f"topic {target.thread} of {group}"


def _standing(entry: Entry, now: datetime) -> str:
    state = entry.state
    if entry.rule.is_paused:
        return "paused"
    stands = (
        "waits" if isinstance(entry.rule.source.what, Occasion) and state.phase is Phase.NEW else _STANDS[state.phase]
    )
    is_muted = state.muted_while_held or (state.muted_until is not None and state.muted_until > now)
    return f"{stands}, muted" if is_muted else stands


def _is_so(rule: Rule, now: Decimal) -> bool:
    if not isinstance(rule.source.what, Measure):
        return False
    return (rule.test is Test.ABOVE and now > rule.threshold) or (rule.test is Test.BELOW and now < rule.threshold)
