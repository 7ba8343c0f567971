"""The policy, a proposal and the limits as HTML. A document's own words are shown literally."""

from collections.abc import Sequence
from datetime import datetime

from bot.approvals.policy.model import DEFAULT, Window
from bot.approvals.policy.sentences import guard_in_words, limit_in_words, sentences, span
from bot.errors import ConfigError, Problem
from bot.operations.allowances import Allowance
from bot.operations.policies import Proposal, Standing
from bot.operations.policy_requests import difference_in_lines
from handlers.render.text import Taste, bold, literal, span_between

_MOST_CHARACTERS = 2400
_SENTENCE = 600


def standing(found: Standing, taste: Taste) -> list[str]:
    """All of it, and what would change it."""
    blocks = [_head(found, taste)]
    blocks += _grouped(found, [_plain(one) for one in sentences(found.policy, taste.money)])
    if found.waiting is not None:
        when = taste.date_time(found.waiting.in_force_from)
        which = f"; /policy file {found.waiting.request_id} shows what changes" if found.waiting.request_id else ""
        blocks.append(
            f"{bold('Coming')}: version {found.waiting.number} takes effect on {when}{which}. "
            "Whoever may freeze can call it off until then: /policy cancel"
        )
    blocks += [
        f"{bold('Asked for')}: request <code>{one.id}</code> would change it; it is open until "
        f"{taste.date_time(one.expires_at)}. Its document: <code>/policy file {one.id}</code>"
        for one in found.asked
    ]
    if found.stuck:
        lines = "\n".join(f"• {_plain(one)}" for one in found.stuck)
        blocks.append(f"{bold('Nobody could bring about just now')}:\n{lines}")
    return blocks


def _grouped(found: Standing, said: list[str]) -> list[str]:
    """Rules with what holds beside them, limits, guards, and the rest: a block for each."""
    policy = found.policy or DEFAULT
    blocks = []
    for count in (len(policy.rules) + 2, len(policy.limits), len(policy.guards), len(said)):
        block, said = said[:count], said[count:]
        blocks += ["\n".join(block)] if block else []
    return blocks


def _head(found: Standing, taste: Taste) -> str:
    version = found.version
    if version is None:
        return f"{bold('This desk has no policy')}. An admin can give it one with /policy propose. Until then:"
    by = f"by request {version.request_id}" if version.request_id is not None else "from the configuration"
    return (
        f"{bold(f'Policy, version {version.number}')}: in force since {taste.date_time(version.in_force_from)}, {by}."
    )


def proposal(found: Proposal) -> str:
    """What it would change, and what it takes."""
    lines = [bold("A policy to be proposed"), *(_plain(one) for one in _shown(found))]
    if found.loosened:
        hours = span(found.wait)
        lines.append(f"It takes: {_plain(guard_in_words(found.guard))}. Then it waits {hours}, and can be called off.")
    else:
        lines.append("It is nowhere less strict, so it takes nobody else and is in force at once.")
    if found.stuck:
        lines.append("As before, there is something that nobody could bring about: /policy says what.")
    lines.append("<code>/policy try</code> shows first what it would have made of the last weeks.")
    return "\n".join(lines)


def is_cut(found: Proposal) -> bool:
    """Whether the message does not hold every change."""
    return len(_shown(found)) < len(difference_in_lines(found.loosened, found.tightened, 10**9))


def _shown(found: Proposal) -> tuple[str, ...]:
    return difference_in_lines(found.loosened, found.tightened, _MOST_CHARACTERS)


def problems(error: ConfigError) -> list[str]:
    """One report of all of them."""
    count = len(error.problems)
    head = f"This cannot be used: {count} {'problem' if count == 1 else 'problems'}."
    return [
        bold(head),
        *(f"<code>{literal(one.path, 120)}</code>: {_found(one)}" for one in error.problems),
        "Nothing was asked for. Send a better one, or /cancel.",
    ]


def _found(problem: Problem) -> str:
    return f"found {literal(problem.found, 300)}, expected {literal(problem.expected, 300)}"


def allowances(found: Sequence[Allowance], now: datetime, taste: Taste) -> list[str]:
    """Each limit once, with a line for each whose amounts it adds up."""
    if not found:
        return ["No limit concerns you. /policy shows who must sign for what."]
    by_limit: dict[str, list[Allowance]] = {}
    for one in found:
        by_limit.setdefault(one.limit.name, []).append(one)
    return [
        "\n".join([_plain(limit_in_words(those[0].limit, taste.money)), *(_used(one, now, taste) for one in those)])
        for those in by_limit.values()
    ]


def _used(one: Allowance, now: datetime, taste: Taste) -> str:
    if one.limit.window is Window.TRANSACTION:
        return "    Each by itself: nothing is added up."
    whose = f"{literal(one.whose)}: " if one.whose else ""
    if one.lacks:
        return f"    {whose}cannot be told: no rate of {one.lacks} is younger than 24 hours; an admin enters it: /rate."
    frees = ""
    if one.frees is not None and one.frees_at is not None:
        when = f"{taste.date_time(one.frees_at)}, in {span_between(now, one.frees_at)}"
        frees = f"; {taste.money(one.frees)} come free at {when}"
    return f"    {whose}{taste.money(one.used)} used, {bold(f'{taste.money(one.left)} left')}{frees}"


def _plain(text: str) -> str:
    return literal(text, _SENTENCE)
