"""A command that may leave things out: what is missing is asked for, with buttons where there is a choice.

What is known so far lies in a draft: it outlives a restart, and /cancel ends it. The end is the same last look that the
whole line would have had.
"""

import contextlib
import secrets
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from telegram.error import TelegramError

from bot.access.model import Person
from bot.messages.cards import Card, Draft
from bot.operations.moving.plans import Plan
from bot.wiring import House
from handlers import asking, pages
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.freshness import check_fresh
from handlers.render import literal
from handlers.render.text import Taste

_MOST_BUTTONS = 24


class Step(Protocol):
    """The next question."""

    @property
    def asking(self) -> StrEnum: ...

    @property
    def sketch(self) -> object:
        """What is known so far: a dataclass of texts."""

    @property
    def values(self) -> list[str]:
        """What each choice stands for, in order. Empty text: this one is left out."""


SketchT = TypeVar("SketchT")
StepT_co = TypeVar("StepT_co", bound=Step, covariant=True)
StepT = TypeVar("StepT", bound=Step)


class Steps(Protocol[SketchT, StepT_co]):
    """The conversation, without its words."""

    async def sketched(self, by: Person, words: list[str]) -> SketchT:
        """What one line says."""

    async def next(
        self, by: Person, sketch: SketchT, *, asked_in: str | None = None, chat_id: int | None = None
    ) -> StepT_co | Plan:
        """The next question; or, when nothing is missing, the plan."""

    async def answered(self, by: Person, sketch: SketchT, asking: str, text: str) -> SketchT:
        """With one answer more, typed or tapped."""


class Walk(Generic[SketchT, StepT]):
    """One command that ends in a request, by its steps."""

    def __init__(
        self,
        kind: str,
        steps: Callable[[House], Steps[SketchT, StepT]],
        sketch: type[SketchT],
        question: Callable[[StepT, Taste], str],
        labels: Callable[[StepT, Taste], list[str]],
    ) -> None:
        """
        Args:
            kind: Of its cards and drafts, and the command.
            question: As HTML.
            labels: One for each of the step's values.
        """
        self.kind = kind
        self._steps_in = steps
        self._sketch = sketch
        self._question = question
        self._labels = labels

    async def begin(self, context: DeskContext, words: Words) -> None:
        check_fresh(context)
        where = context.where
        sketch = await self._steps(context).sketched(context.person, words)
        body = {
            "token": secrets.token_hex(8),
            "asked_in": context.occasion,
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
        if choice >= len(card.body["values"]):
            return "This button belongs to something that no longer exists."
        await self._answer(context, draft, card.body["values"][choice])
        await _settle(context, message_id, str(card.body["question"]), card.body["labels"][choice])
        return None

    async def typed(self, context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
        """An answer in words. One that cannot be is told, and the question stands."""
        await self._answer(context, draft, text.strip())

    def _steps(self, context: DeskContext) -> Steps[SketchT, StepT]:
        return self._steps_in(context.services)

    async def _go_on(
        self, context: DeskContext, sketch: SketchT, body: dict[str, Any], *, said_whole: bool = False
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

    async def _put(self, context: DeskContext, step: StepT, body: dict[str, Any], chat_id: int) -> None:
        """The question, with a button for each answer there is."""
        taste = taste_of(context)
        question, labels = self._question(step, taste), self._labels(step, taste)[:_MOST_BUTTONS]
        if not labels:
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
        keys = keyboard(card, [[(label, index)] for index, label in enumerate(labels)], context.services.signer)
        await context.say(question, chat_id=chat_id, keyboard=keys, protected=True)

    async def _answer(self, context: DeskContext, draft: Draft, text: str) -> None:
        sketch = msgspec.convert(draft.body["sketch"], self._sketch)
        async with context.typing(context.where.chat_id):
            sketch = await self._steps(context).answered(context.person, sketch, draft.body["asking"], text)
            await self._go_on(context, sketch, dict(draft.body))


async def _settle(context: DeskContext, message_id: int, question: str, label: str | None) -> None:
    """The question stays in the chat with what was answered, and without its buttons."""
    text = question if label is None else f"{question}\n<b>{literal(label)}</b>"
    with contextlib.suppress(TelegramError):
        await context.redraw(message_id, text)
