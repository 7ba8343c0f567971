"""What was understood of a rule, shown before it is set: Set, Cancel, and how often and how urgent by a press."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from telegram.error import TelegramError

from bot.alerts.model import Repeat, Rule, Severity, Target
from bot.alerts.records import row_of, rule_of
from bot.alerts.sentences import parse
from bot.messages.cards import Card
from bot.operations.alerting import Place, Proposal
from handlers import groups, pages
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import taste_of
from handlers.render import alerts as render

KIND: Final = "alert/set"
SET, CANCEL, REPEAT, SEVERITY = 1, 2, 3, 4
_FIRST = 10
Rows = list[list[tuple[str, int]]]


async def propose(context: DeskContext, words: Sequence[str]) -> None:
    """Say privately what these words mean, with buttons."""
    services, where = context.services, context.where
    place = Place(None, None) if where.is_private else Place(where.chat_id, where.thread_id)
    async with context.typing(where.chat_id):
        found = await services.alerting.propose(context.person, parse(words), services.access.roster, place)

    async def say(chat_id: int) -> None:
        card = await services.cards.make(KIND, context.person.id, chat_id, _body(found))
        keys = keyboard(card, _rows(found), services.signer)
        await context.say(await _text(context, found), chat_id=chat_id, keyboard=keys, protected=True)

    await pages.privately(context, say)


async def tapped(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """Set it, leave it, or say it a little differently."""
    services, found = context.services, _found(card.body)
    if choice >= _FIRST + len(found) or (choice in (SET, REPEAT, SEVERITY) and len(found) != 1):
        return "This button belongs to something that no longer exists."
    if choice == CANCEL:
        if await services.cards.advance(card):
            await redraw(context, card, "Stopped; no alert was set.", [], message_id)
        return None
    if choice == SET:
        if not await services.cards.advance(card):
            return None  # a second tap: the first one was taken
        rule = replace(found[0].rule, created_at=services.clock.now())
        await services.alerts.set(context.person, rule, telegram_id=context.where.telegram_id)
        said = f"Set: {render.line(rule, found[0].connection)}. Alert <code>{rule.id}</code>; /alerts shows yours."
        await redraw(context, card, said, [], message_id)
        return None
    chosen = [found[choice - _FIRST]] if choice >= _FIRST else [replace(found[0], rule=turned(found[0].rule, choice))]
    if await services.cards.advance(card, _body(chosen)):
        await redraw(context, card, await _text(context, chosen), _rows(chosen), message_id)
    return None


def turned(rule: Rule, choice: int) -> Rule:
    """The same, once or each time; normal or critical."""
    if choice == REPEAT:
        return replace(rule, repeat=Repeat.EACH if rule.repeat is Repeat.ONCE else Repeat.ONCE)
    return replace(rule, severity=Severity.CRITICAL if rule.severity is Severity.NORMAL else Severity.NORMAL)


def turns(rule: Rule) -> list[tuple[str, int]]:
    """The buttons that do so."""
    often = "Each time" if rule.repeat is Repeat.ONCE else "Only once"
    urgent = "Critical" if rule.severity is Severity.NORMAL else "Not critical"
    return [(often, REPEAT), (urgent, SEVERITY)]


async def redraw(context: DeskContext, card: Card, text: str, rows: Rows, message_id: int) -> None:
    """The card as it is from now on; it has moved one version."""
    keys = keyboard(card, rows, context.services.signer, card.version + 1) if rows else None
    with contextlib.suppress(TelegramError):
        await context.redraw(message_id, text, keys)


async def _text(context: DeskContext, found: Sequence[Proposal]) -> str:
    if len(found) > 1:
        return render.proposals(found)
    target = found[0].rule.target
    return render.proposal(found[0], render.hearer(target, await called(context, [target])), taste_of(context))


async def called(context: DeskContext, targets: Iterable[Target]) -> Mapping[int, str]:
    """The names of people by their ids, and of these groups by theirs, which are below nought."""
    people = {person.id: person.name for person in context.services.access.roster.people}
    return people | await groups.titles(context.desk, [one.chat for one in targets if one.chat is not None])


def _rows(found: Sequence[Proposal]) -> Rows:
    if len(found) > 1:
        return [[(str(place + 1), _FIRST + place) for place in range(len(found))], [("Cancel", CANCEL)]]
    return [[("Set", SET), ("Cancel", CANCEL)], turns(found[0].rule)]


def _body(found: Sequence[Proposal]) -> dict[str, Any]:
    return {
        "found": [
            [row_of(one.rule), one.connection, one.name, None if one.now is None else str(one.now)] for one in found
        ]
    }


def _found(body: Any) -> list[Proposal]:
    return [
        Proposal(rule_of(row), connection, name, None if now is None else Decimal(now))
        for row, connection, name, now in body["found"]
    ]
