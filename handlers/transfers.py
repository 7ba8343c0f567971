"""/transfer: on one line, or step by step with buttons. Both end with the same last look.

What is known so far lies in a draft: it outlives a restart, and /cancel ends it.
"""

import contextlib
import secrets
from typing import Any, Final

import msgspec
from telegram.constants import ParseMode
from telegram.error import TelegramError

from bot.access.model import Right
from bot.messages.cards import Card, Draft
from bot.operations.moving.plans import Plan
from bot.operations.transfer_steps import Asking, Sketch, Step
from handlers import asking, pages
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import AnswerDoor, Door, TapDoor, Words, taste_of
from handlers.freshness import check_fresh
from handlers.pages import Audience
from handlers.render import literal
from handlers.render import transfers as render

KIND: Final = "transfer"
EXAMPLE = "/transfer 250.00 USD from main 9120000001 to Harbour for Invoice 4711"
_MOST_BUTTONS = 24
_SKIP = 255


async def transfer(context: DeskContext, words: Words) -> None:
    check_fresh(context)
    steps, where = context.services.money.transfer_steps, context.where
    sketch = await steps.sketched(context.person, words)
    body = {
        "token": secrets.token_hex(8),
        "asked_in": f"m/{where.chat_id}/{context.message_id}",
        "chat_id": None if where.is_private else where.chat_id,
    }
    await _go_on(context, sketch, body, said_whole=bool(words))


async def _go_on(context: DeskContext, sketch: Sketch, body: dict[str, Any], *, said_whole: bool = False) -> None:
    """Ask what is missing; or show what would be asked for. What cannot be leaves everything as it was."""
    services = context.services
    step = await services.money.transfer_steps.next(
        context.person, sketch, asked_in=body["asked_in"], chat_id=body["chat_id"]
    )
    if isinstance(step, Plan):
        await asking.offer(context, step, said_whole=said_whole)
        return
    await services.linking.cancel(context.person)  # one thing is asked at a time
    kept = {**body, "asking": step.asking.value, "sketch": msgspec.to_builtins(step.sketch)}
    await services.cards.save(Draft(context.person.id, KIND, kept))
    await pages.privately(context, lambda chat_id: _put(context, step, kept, chat_id))


async def _put(context: DeskContext, step: Step, body: dict[str, Any], chat_id: int) -> None:
    """The question, with a button for each answer there is."""
    taste = taste_of(context)
    question, labels = render.question(step, taste), render.labels(step, taste)[:_MOST_BUTTONS]
    rows = [[(label, index)] for index, label in enumerate(labels)]
    if step.asking is Asking.NOTE:
        rows = [[("Skip", _SKIP)]]
    if not rows:
        await context.say(question, chat_id=chat_id, protected=True)
        return
    shown = {
        "token": body["token"],
        "asking": body["asking"],
        "values": step.values[:_MOST_BUTTONS],
        "labels": labels,
        "question": question,
    }
    card = await context.services.cards.make(KIND, context.person.id, chat_id, shown)
    keys = keyboard(card, rows, context.services.signer)
    await context.say(question, chat_id=chat_id, keyboard=keys, protected=True)


async def tapped(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A tap on an answer."""
    draft = await context.services.cards.draft(context.person.id)
    shown = (card.body["token"], card.body["asking"])
    if draft is None or draft.kind != KIND or (draft.body["token"], draft.body["asking"]) != shown:
        await _settle(context, message_id, str(card.body["question"]), None)
        return "That question is over. /transfer begins anew."
    skipped = choice == _SKIP
    if not skipped and choice >= len(card.body["values"]):
        return "This button belongs to something that no longer exists."
    await _answer(context, draft, "" if skipped else card.body["values"][choice])
    label = "nothing" if skipped else card.body["labels"][choice]
    await _settle(context, message_id, str(card.body["question"]), label)
    return None


async def typed(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    """An answer in words. One that cannot be is told, and the question stands."""
    await _answer(context, draft, text.strip())


async def _answer(context: DeskContext, draft: Draft, text: str) -> None:
    sketch = msgspec.convert(draft.body["sketch"], Sketch)
    steps = context.services.money.transfer_steps
    async with context.typing(context.where.chat_id):
        sketch = await steps.answered(context.person, sketch, Asking(draft.body["asking"]), text)
        await _go_on(context, sketch, dict(draft.body))


async def _settle(context: DeskContext, message_id: int, question: str, label: str | None) -> None:
    """The question stays in the chat with what was answered, and without its buttons."""
    text = question if label is None else f"{question}\n<b>{literal(label)}</b>"
    with contextlib.suppress(TelegramError):
        await context.bot.edit_message_text(text, context.where.chat_id, message_id, parse_mode=ParseMode.HTML)


DOORS = (
    Door("transfer", "Ask for a transfer, step by step or on one line", EXAMPLE, Right.ASK, transfer, Audience.PRIVATE),
)
TAPS = (TapDoor(KIND, Right.ASK, tapped),)
ANSWERS = (AnswerDoor(KIND, Right.ASK, typed),)
