"""/transfer: on one line, or step by step with buttons. Both end with the same last look.

What is known so far lies in a draft: it outlives a restart, and /cancel ends it.
"""

import contextlib
import secrets
from collections.abc import Callable
from typing import Any, Final

import msgspec
from telegram.constants import ParseMode
from telegram.error import TelegramError

from bot.access.model import Right
from bot.messages.cards import Card, Draft
from bot.operations.moving.plans import Plan
from bot.operations.moving.room import MoneyRoom
from bot.operations.transfer_steps import Asking, Sketch, Step, TransferSteps
from handlers import asking, pages
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import AnswerDoor, Door, TapDoor, Words, taste_of
from handlers.freshness import check_fresh
from handlers.pages import Audience
from handlers.render import literal
from handlers.render import transfers as render

EXAMPLE = "/transfer 250.00 USD from main 9120000001 to Harbour for Invoice 4711"
_MOST_BUTTONS = 24
_SKIP = 255


class Walk:
    """One command that ends in a transfer, by one of its ways."""

    def __init__(self, kind: str, steps: Callable[[MoneyRoom], TransferSteps]) -> None:
        """`kind`: of its cards and drafts, and the command."""
        self.kind = kind
        self._steps_in = steps

    async def begin(self, context: DeskContext, words: Words) -> None:
        check_fresh(context)
        where = context.where
        sketch = await self._steps(context).sketched(context.person, words)
        body = {
            "token": secrets.token_hex(8),
            "asked_in": f"m/{where.chat_id}/{context.message_id}",
            "chat_id": None if where.is_private else where.chat_id,
        }
        await self._go_on(context, sketch, body, said_whole=bool(words))

    async def tapped(self, context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
        """A tap on an answer."""
        draft = await context.services.cards.draft(context.person.id)
        shown = (card.body["token"], card.body["asking"])
        if draft is None or draft.kind != self.kind or (draft.body["token"], draft.body["asking"]) != shown:
            await _settle(context, message_id, str(card.body["question"]), None)
            return f"That question is over. /{self.kind} begins anew."
        skipped = choice == _SKIP
        if not skipped and choice >= len(card.body["values"]):
            return "This button belongs to something that no longer exists."
        await self._answer(context, draft, "" if skipped else card.body["values"][choice])
        label = "nothing" if skipped else card.body["labels"][choice]
        await _settle(context, message_id, str(card.body["question"]), label)
        return None

    async def typed(self, context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
        """An answer in words. One that cannot be is told, and the question stands."""
        await self._answer(context, draft, text.strip())

    def _steps(self, context: DeskContext) -> TransferSteps:
        return self._steps_in(context.services.money)

    async def _go_on(
        self, context: DeskContext, sketch: Sketch, body: dict[str, Any], *, said_whole: bool = False
    ) -> None:
        """Ask what is missing; or show what would be asked for. What cannot be leaves everything as it was."""
        services = context.services
        step = await self._steps(context).next(
            context.person, sketch, asked_in=body["asked_in"], chat_id=body["chat_id"]
        )
        if isinstance(step, Plan):
            await asking.offer(context, step, said_whole=said_whole)
            return
        await services.linking.cancel(context.person)  # one thing is asked at a time
        kept = {**body, "asking": step.asking.value, "sketch": msgspec.to_builtins(step.sketch)}
        await services.cards.save(Draft(context.person.id, self.kind, kept))
        await pages.privately(context, lambda chat_id: self._put(context, step, kept, chat_id))

    async def _put(self, context: DeskContext, step: Step, body: dict[str, Any], chat_id: int) -> None:
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
        card = await context.services.cards.make(self.kind, context.person.id, chat_id, shown)
        keys = keyboard(card, rows, context.services.signer)
        await context.say(question, chat_id=chat_id, keyboard=keys, protected=True)

    async def _answer(self, context: DeskContext, draft: Draft, text: str) -> None:
        sketch = msgspec.convert(draft.body["sketch"], Sketch)
        async with context.typing(context.where.chat_id):
            sketch = await self._steps(context).answered(context.person, sketch, Asking(draft.body["asking"]), text)
            await self._go_on(context, sketch, dict(draft.body))


async def _settle(context: DeskContext, message_id: int, question: str, label: str | None) -> None:
    """The question stays in the chat with what was answered, and without its buttons."""
    text = question if label is None else f"{question}\n<b>{literal(label)}</b>"
    with contextlib.suppress(TelegramError):
        await context.bot.edit_message_text(text, context.where.chat_id, message_id, parse_mode=ParseMode.HTML)


WALK: Final = Walk("transfer", lambda money: money.transfer_steps)
DOORS = (
    Door(
        "transfer",
        "Ask for a transfer, step by step or on one line",
        EXAMPLE,
        Right.ASK,
        WALK.begin,
        Audience.PRIVATE,
    ),
)
TAPS = (TapDoor(WALK.kind, Right.ASK, WALK.tapped),)
ANSWERS = (AnswerDoor(WALK.kind, Right.ASK, WALK.typed),)
