"""One rule with its buttons: paused, removed, and each of its terms changed."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from bot.alerts.book import Entry
from bot.alerts.figures import number
from bot.alerts.model import Measure, Occasion, Rule, Target, Test
from bot.errors import InputError
from bot.messages.cards import Card, Draft
from handlers import alert_terms, pages
from handlers.alert_setting import REPEAT, SEVERITY, Rows, called, redraw, turned, turns
from handlers.alert_terms import LABELS, Term
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import taste_of
from handlers.render import alerts as render

ONE: Final = "alert/one"
TYPED: Final = "alert/threshold"
PAUSE, REMOVE, CHANGE = 1, 2, 5
_BACK: Final = 25
_TYPE: Final = 26
_FIRST: Final = 40
_GONE: Final = "This button belongs to something that no longer exists."


async def show(context: DeskContext, entry: Entry) -> None:
    """In its owner's private chat."""
    services, text = context.services, await _text(context, entry)

    async def say(chat_id: int) -> None:
        card = await services.cards.make(ONE, context.person.id, chat_id, {"rule": entry.rule.id})
        await context.say(text, chat_id=chat_id, keyboard=keyboard(card, _rows(entry), services.signer), protected=True)

    await pages.privately(context, say)


async def put(context: DeskContext, entry: Entry, rule: Rule) -> Entry:
    """It is so from now on."""
    services = context.services
    if rule.target != entry.rule.target:
        await services.alerting.check_target(context.person, rule, services.access.roster)
    await services.alerts.set(context.person, rule, telegram_id=context.where.telegram_id)
    return await services.alerts.own(context.person, rule.id)


async def remove(context: DeskContext, entry: Entry) -> str:
    """It is gone; what it was."""
    await context.services.alerts.remove(context.person, entry.rule.id, telegram_id=context.where.telegram_id)
    names = await names_of(context)
    return f"Removed: {render.line(entry.rule, names.get(entry.rule.source.connection, ''))}."


async def names_of(context: DeskContext) -> Mapping[int, str]:
    """The connections that this person sees."""
    return {one.id: one.name for one in await context.services.connections.visible_to(context.person)}


async def tapped(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """Pause it, remove it, or change something of it."""
    services, answers = context.services, list(card.body.get("answers", ()))
    entry = await services.alerts.own(context.person, str(card.body["rule"]))
    is_of_question = choice in (_BACK, _TYPE) or choice >= _FIRST
    if is_of_question:
        known = "term" in card.body and choice < _FIRST + len(answers)
    else:
        known = choice in (PAUSE, REMOVE, REPEAT, SEVERITY, CHANGE, *Term)
    if not known:
        return _GONE
    if choice in tuple(Term):
        return await _ask(context, card, entry, Term(choice), message_id)
    rule = _changed(context, card, entry.rule, choice)
    if not await services.cards.advance(card, {"rule": rule.id}):
        return None  # a second tap: the first one was taken
    if choice == REMOVE:
        await redraw(context, card, await remove(context, entry), [], message_id)
        return None
    if choice in (CHANGE, _TYPE):
        term = int(card.body["term"]) if choice == _TYPE else None
        await services.linking.cancel(context.person)  # one thing is asked at a time
        await services.cards.save(Draft(context.person.id, TYPED, {"rule": rule.id, "term": term}))
        await context.without_buttons(message_id)
        return "Send the new number, or /cancel." if term is None else "Send it, or /cancel."
    if choice != _BACK:
        entry = await put(context, entry, rule)
    await redraw(context, card, await _text(context, entry), _rows(entry), message_id)
    return None


def _changed(context: DeskContext, card: Card, rule: Rule, choice: int) -> Rule:
    if choice >= _FIRST:
        value = card.body["answers"][choice - _FIRST]
        return alert_terms.changed(Term(card.body["term"]), rule, value, context.services.clock.now())
    if choice == PAUSE:
        return replace(rule, is_paused=not rule.is_paused)
    return turned(rule, choice) if choice in (REPEAT, SEVERITY) else rule


async def _ask(context: DeskContext, card: Card, entry: Entry, term: Term, message_id: int) -> str | None:
    services = context.services
    hearers: list[Target] = []
    if term is Term.TOLD:
        before = [one.rule.target for one in await services.alerts.of(context.person)]
        hearers = await services.alerting.hearers(context.person, entry.rule, services.access.roster, before)
    asked = alert_terms.asked(term, entry.rule, hearers, await called(context, hearers))
    body = {"rule": entry.rule.id, "term": int(term), "answers": [value for _, value in asked.answers]}
    if await services.cards.advance(card, body):
        buttons = [(label, _FIRST + place) for place, (label, _) in enumerate(asked.answers)]
        rows = [buttons[start : start + 2] for start in range(0, len(buttons), 2)]
        last = [*([(f"Type {asked.typed}", _TYPE)] if asked.typed else []), ("Back", _BACK)]
        line = render.line(entry.rule, (await names_of(context)).get(entry.rule.source.connection, ""))
        await redraw(context, card, f"{line}\n{asked.text}", [*rows, last], message_id)
    return None


async def typed(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    """The new number was typed, or another term."""
    entry, services = await context.services.alerts.own(context.person, str(draft.body["rule"])), context.services
    term, rule = draft.body.get("term"), entry.rule
    if term is not None:
        rule = alert_terms.typed(Term(term), rule, text, services.clock.now(), taste_of(context).zone)
    else:
        rule = replace(rule, threshold=_threshold(rule, text))
    entry = await put(context, entry, rule)
    await services.cards.drop(context.person.id)
    await show(context, entry)


def _threshold(rule: Rule, text: str) -> Decimal:
    """The new number, perhaps with its unit. `InputError` for what the rule could not have been set with."""
    what, words = rule.source.what, text.replace("%", " % ").split()
    value, unit = number(words[0] if words else ""), " ".join(words[1:]).upper()
    is_percent = rule.test is Test.MOVES or (isinstance(what, Measure) and what.is_percent)
    if value is None or unit not in ("", "%" if is_percent else rule.currency):
        raise InputError("send the new number alone", "3%" if is_percent else "2450")
    if what is Measure.PRICE and value <= 0:
        raise InputError("it must be above nought", "3%" if is_percent else "2450")
    return value


async def _text(context: DeskContext, entry: Entry) -> str:
    services, names = context.services, await names_of(context)
    return render.one(
        entry,
        names.get(entry.rule.source.connection, ""),
        await services.alerts.counted(entry.rule.id),
        render.hearer(entry.rule.target, await called(context, [entry.rule.target])),
        taste_of(context),
        services.clock.now(),
    )


def _rows(entry: Entry) -> Rows:
    rule = entry.rule
    first = [("Resume" if rule.is_paused else "Pause", PAUSE), ("Remove", REMOVE)]
    has_number = not isinstance(rule.source.what, Occasion) and rule.test is not Test.HAPPENS
    terms = [(LABELS[term], int(term)) for term in alert_terms.terms_of(rule)]
    return [
        first,
        turns(rule),
        *(terms[start : start + 2] for start in range(0, len(terms), 2)),
        *([[("Another number", CHANGE)]] if has_number else []),
    ]
