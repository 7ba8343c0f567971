"""A policy's text → `Policy`, or one report of everything that is wrong with it. Pure.

The text is what is kept and shown again; what is read here is only what it means. Unknown keys are problems: a mistyped
condition would be one that is not there.
"""

import tomllib
from collections.abc import Collection
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.approvals.policy.document import Document, EscalationTable, GuardsTable, LimitTable, RuleTable
from bot.approvals.policy.model import (
    GUARDS,
    UTC,
    Escalation,
    Guard,
    Guarded,
    Limit,
    Per,
    Policy,
    PolicyRule,
    Proof,
    Tier,
    Window,
)
from bot.approvals.policy.words import DAY, LONGEST_LIFE, SHORTEST_LIFE, WEEK, Words
from bot.config.reading import Partial, table
from bot.errors import ConfigError, Problem
from bot.logs import redact

LARGEST = 64 * 1024
LONGEST_LINE = 2000
"""A key of 30,000 dotted parts on one line would keep the parser busy for a quarter of a minute."""
MOST_RULES = 200
MOST_PROBLEMS = 50
_SOURCE = "policy"


def read(document: bytes | str, providers: Collection[str] | None = None) -> Policy:
    """Read and check a policy.

    Args:
        document: TOML in UTF-8, at most 64 KiB.
        providers: The names there are; others are problems. None takes any.
    Raises:
        ConfigError: Everything that is wrong, in one list (of which no more than the first 50).
    """
    problems: list[Problem] = []
    raw = _parsed(document)
    file: Partial = table(Document, raw, "", problems)
    _nothing_in_them(raw, problems)
    words = Words(problems, providers)
    policy = Policy(
        zone=_zone(file.zone, problems),
        life=words.duration("life", file.life, SHORTEST_LIFE, LONGEST_LIFE),
        rules=_rules(file.rules, words),
        limits=_limits(file.limits, words),
        guards=_guards(file.guards, words),
        beneficiary_cooldown=words.duration("beneficiary_cooldown", file.beneficiary_cooldown, most=WEEK),
        first_payment_hold=words.duration("first_payment_hold", file.first_payment_hold, most=WEEK),
        loosening_delay=words.duration("loosening_delay", file.loosening_delay, most=WEEK),
        remind_at_percent=_reminders(file.remind_at_percent, problems),
        escalations=_escalations(file.escalate, words),
    )
    if problems:
        raise ConfigError(_SOURCE, problems[:MOST_PROBLEMS])
    return policy


def _parsed(document: bytes | str) -> dict[str, Any]:
    raw = document.encode(errors="replace") if isinstance(document, str) else document
    if len(raw) > LARGEST:
        raise ConfigError(_SOURCE, [Problem("document", f"{len(raw):,} bytes", f"at most {LARGEST:,}")])
    longest = max(map(len, raw.splitlines()), default=0)
    if longest > LONGEST_LINE:
        raise ConfigError(_SOURCE, [Problem("document", f"a line of {longest:,} bytes", f"at most {LONGEST_LINE:,}")])
    try:
        return tomllib.loads(raw.decode())
    except UnicodeDecodeError:
        problem = Problem("document", "something else", "a text in UTF-8")
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError, and so is a number of 5,000 digits
        problem = Problem("document", f"not TOML: {redact(str(error))[:200]}", "valid TOML")
    raise ConfigError(_SOURCE, [problem])


def _nothing_in_them(raw: dict[str, Any], problems: list[Problem]) -> None:
    """A condition that is left out always holds; one that lists nothing would too, and looks as if it never did."""
    for kind in ("rules", "limits"):
        tables = raw.get(kind)
        for number, one in enumerate(tables if isinstance(tables, list) else []):
            for key, value in one.items() if isinstance(one, dict) else ():
                if value == [] and key != "needs":
                    problems.append(
                        Problem(f"{kind}[{number}].{key}", "an empty list", "something in it, or no such key")
                    )


def _zone(name: str, problems: list[Problem]) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.append(Problem("zone", repr(name[:60]), "an IANA name such as Europe/Zurich"))
        return UTC


def _rules(tables: list[RuleTable | None], words: Words) -> tuple[PolicyRule, ...]:
    words.few("rules", tables, MOST_RULES)
    rules = [_rule(f"rules[{number}]", one, words) for number, one in enumerate(tables) if one is not None]
    words.differ("rules", [rule.name for rule in rules])
    return tuple(rules)


def _rule(path: str, said: Partial, words: Words) -> PolicyRule:
    tier = Tier(said.tier or Tier.REFUSE)
    needs = words.seats(f"{path}.needs", said.needs)
    proof = Proof(said.proof)
    if said.tier == Tier.QUORUM and not said.needs:
        words.wrong(f"{path}.needs", "nothing", 'who must sign, such as ["2 of role/approver"]')
    if said.tier is not None and tier is not Tier.QUORUM:
        for name, is_there in (
            ("needs", bool(said.needs)),
            ("hold", said.hold != "0"),
            ("life", said.life is not None),
        ):
            if is_there:
                words.wrong(f"{path}.{name}", f"one beside tier {tier}", 'none, or tier "quorum"')
    if said.tier in (Tier.FREE, Tier.REFUSE) and proof is not Proof.NONE:
        words.wrong(f"{path}.proof", f"one beside tier {tier}", 'none, or tier "confirm" or "quorum"')
    return PolicyRule(
        name=words.name(f"{path}.name", said.name),
        scope=words.scope(path, said),
        tier=tier,
        needs=needs,
        proof=proof,
        hold=words.duration(f"{path}.hold", said.hold, most=WEEK),
        life=None if said.life is None else words.duration(f"{path}.life", said.life, SHORTEST_LIFE, LONGEST_LIFE),
        reason=words.reason(f"{path}.reason", said.reason),
    )


def _limits(tables: list[LimitTable | None], words: Words) -> tuple[Limit, ...]:
    words.few("limits", tables, MOST_RULES)
    limits = [_limit(f"limits[{number}]", one, words) for number, one in enumerate(tables) if one is not None]
    words.differ("limits", [limit.name for limit in limits])
    return tuple(limits)


def _limit(path: str, said: Partial, words: Words) -> Limit:
    return Limit(
        name=words.name(f"{path}.name", said.name),
        scope=words.scope(path, said),
        most=words.money(path, said.amount, said.currency),
        per=Per(said.per or Per.DESK),
        window=Window(said.window or Window.ROLLING),
        every_currency=bool(said.every_currency),
    )


def _guards(said: GuardsTable, words: Words) -> dict[Guarded, Guard]:
    guards = dict(GUARDS)
    for guarded in Guarded:
        one: Partial = getattr(said, guarded.value, None)
        if one is None:
            continue
        path = f"guards.{guarded.value}"
        if one.needs is not None and not one.needs:
            words.wrong(f"{path}.needs", "nobody", 'who must sign, such as ["1 of role/admin"]')
        guards[guarded] = Guard(words.seats(f"{path}.needs", one.needs or []), Proof(one.proof))
    return guards


def _reminders(said: list[int | None], problems: list[Problem]) -> tuple[int, ...]:
    percents = [one for one in said if one is not None]
    if any(not 0 < one < 100 for one in percents) or sorted(set(percents)) != percents or len(percents) > 10:
        problems.append(Problem("remind_at_percent", str(said)[:60], "up to ten rising numbers between 1 and 99"))
    return tuple(percents)


def _escalations(tables: list[EscalationTable | None], words: Words) -> tuple[Escalation, ...]:
    words.few("escalate", tables, 10)
    steps = []
    for number, one in enumerate(tables):
        said: Partial = one
        if said is None or said.after is None or said.to is None:
            continue
        path = f"escalate[{number}]"
        after = words.duration(f"{path}.after", said.after, most=DAY)
        steps.append(Escalation(after, words.circle(f"{path}.to", said.to)))
    return tuple(sorted(steps, key=lambda step: (step.after, step.to)))
