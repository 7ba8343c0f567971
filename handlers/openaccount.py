"""/openaccount: an account at Deriv, a demo one with a code from the mail, or a real one by a form.

Its state lies in rows; here are only its questions, and the care for the password and the code: neither stays in the
chat.
"""

from typing import Final

from bot.errors import CountersignError, InputError, RefusedError, ReplyError, SilentError, StoreError
from bot.messages.cards import Card, Draft
from bot.operations.account_form import Asking, Step
from bot.operations.account_opening import KIND
from bot.providers.deriv import signup
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.derivs import which
from handlers.doors import Words, at_most_one
from handlers.failures import told
from handlers.pages import Reply
from handlers.render import literal
from handlers.render import opening as render

EXAMPLE: Final = "/openaccount deriv/main"
_MOST_BUTTONS = 24
_SHORT = 12
"""Labels up to this stand two in a row."""


async def openaccount(context: DeskContext, words: Words) -> Reply | None:
    word, person = at_most_one(words, EXAMPLE), context.person
    meant = await which(context, word, "/openaccount {}".format, lambda one: one.owner == person.id)
    if isinstance(meant, Reply):
        return meant
    await _ask(context, await context.services.account_opening.begin(person, meant.name))
    return None


async def _ask(context: DeskContext, step: Step) -> None:
    services = context.services
    answered = await services.account_opening.told(context.person) if step.asking is Asking.LOOK else {}
    question = render.question(step, answered)
    if not step.options:
        await context.say(question, protected=True)
        return
    options, skip = list(step.options[:_MOST_BUTTONS]), step.options[-1]
    if skip not in options:
        options.append(skip)
    shown = {"question": step.question, "options": [list(one) for one in options]}
    card = await services.cards.make(KIND, context.person.id, context.where.chat_id, shown)
    await context.say(question, keyboard=keyboard(card, _rows(options), services.signer), protected=True)


def _rows(options: list[tuple[str, str]]) -> list[list[tuple[str, int]]]:
    buttons = [(label, index) for index, (_, label) in enumerate(options)]
    width = 2 if all(len(label) <= _SHORT for label, _ in buttons) else 1
    return [buttons[start : start + width] for start in range(0, len(buttons), width)]


async def chosen(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A tapped answer."""
    step, options = await context.services.account_opening.waiting(context.person), card.body["options"]
    if step is None or step.question != card.body["question"] or choice >= len(options):
        return "That question is closed. /openaccount begins anew."
    if not await context.services.cards.advance(card):
        return None  # a second tap: the first one was taken
    await context.without_buttons(message_id)
    value, label = options[choice]
    await context.say(f"→ {literal(label)}")
    await _take(context, step, value, f"c/{card.id}")
    return None


async def typed(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    step = await context.services.account_opening.waiting(context.person)
    if step is not None:
        tapped = {label.casefold(): value for value, label in step.options}  # buttons grow old
        await _take(context, step, tapped.get(text.strip().casefold(), text), f"m/{message_id}")


async def _take(context: DeskContext, step: Step, text: str, origin: str) -> None:
    """One answer. What Deriv does not take is told, and what was wrong is asked for again."""
    services, telegram_id = context.services, context.where.telegram_id
    refused = None
    try:
        async with context.typing(context.where.chat_id):
            result = await services.account_opening.answer(
                context.person, text, services.access.roster, origin=origin, telegram_id=telegram_id
            )
    except (InputError, StoreError) as error:
        await context.say(told(error))
        if not origin.startswith("c/"):
            return  # the question stands, with its buttons
    except CountersignError as error:
        refused = error
    else:
        if isinstance(result, Step):
            await _ask(context, result)
        elif result is not None:
            await context.say(render.linked(result))
        else:
            await context.say(render.over(step.form))
        return
    again = await services.account_opening.waiting(context.person)
    if refused is not None:
        await context.say(_why(refused, step, is_over=again is None))
    if again is not None:
        await _ask(context, again)


def _why(error: CountersignError, step: Step, *, is_over: bool) -> str:
    if isinstance(error, RefusedError):
        refusal = signup.refusal_of(error)
        said = render.refused(refusal, error.code, step.form.youngest)
        return said or told(error, step.form.name)
    if isinstance(error, SilentError | ReplyError) and is_over:
        return f"{told(error, step.form.name)}\n{render.MAYBE_OPEN}"
    return told(error, step.form.name)


async def stop(context: DeskContext, draft: Draft) -> None:
    await context.services.account_opening.forget(context.person)
