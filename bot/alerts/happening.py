"""Something that happened, and which rules wait for it. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal

from bot.alerts.model import Occasion, Rule
from bot.providers.records import Entry, Way


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened, or began and lasts. `key` is the same whenever it is told again."""

    occasion: Occasion
    key: str
    detail: str
    """What happened, in plain words; they may be somebody else's."""
    since: datetime
    connection: int = 0
    subject: str = ""
    number: str = ""
    """Of the position it is about."""
    until: datetime | None = None
    """When it will be over by itself, such as a request that expires."""
    amount: Decimal | None = None
    currency: str = ""
    audience: frozenset[int] | None = None
    """Whose business it is, by their ids; None: everybody's who may read its connection."""


def of_line(connection: int, line: Entry, now: datetime) -> Happening:
    """Money that came or left, as a statement has it."""
    came = line.way is Way.IN
    other = f" {'from' if came else 'to'} {line.other}" if line.other else ""
    return Happening(
        Occasion.MONEY_IN if came else Occasion.MONEY_OUT,
        f"line/{line.account}/{line.id}",
        f"{line.amount} {'came to' if came else 'left'} {line.account}{other}",
        line.at or min(datetime.combine(line.on, time.max, UTC), now),  # some statements know days only
        connection,
        line.account,
        amount=abs(line.amount.amount),
        currency=line.amount.currency.code,
    )


def fits(rule: Rule, what: Happening, now: datetime) -> bool:
    """Whether this is what the rule waits for, and has lasted, or is yet to last, as long as it says."""
    if (rule.source.subject and rule.source.subject not in (what.subject, what.number)) or rule.currency not in (
        "",
        what.currency,
    ):
        return False
    if what.amount is not None and what.amount < rule.threshold:
        return False
    if what.until is not None:
        return what.until - now <= rule.window
    if rule.window:
        return now - what.since >= rule.window
    return what.since >= rule.created_at.replace(microsecond=0) or what.occasion.lasts  # many tell whole seconds
