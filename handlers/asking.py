"""The last look before something is asked for: what, from where, to whom, and what it takes; then Ask, or Cancel.

What is looked at lies in a draft, a row: it outlives a restart, /cancel ends it, and what is asked for is what the row
says. Has the policy changed meanwhile, it is shown anew instead.
"""

import contextlib
import secrets
from collections.abc import Mapping
from typing import Any, Final

from telegram.error import TelegramError

from bot.approvals.model import Kind, Proof, Request, hash_of
from bot.approvals.policy.model import Tier
from bot.approvals.service import Shown, Wish
from bot.errors import InputError
from bot.messages.cards import Card, Draft
from bot.operations.moving.plans import Plan
from bot.secret import Secret
from handlers import factor, pages
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import taste_of
from handlers.render import plans as render

KIND: Final = "ask"
WITH_CODE: Final = "ask/code"
ASK, CANCEL = 1, 2
_NUMBERS = range(10, 100)
_OFFERED = 4
_OVER = "That is over; nothing was asked for. Begin anew if you still want it."


async def offer(context: DeskContext, plan: Plan, *, said_whole: bool = False) -> None:
    """Show what would be asked for, privately, with its buttons.

    Args:
        said_whole: It was all said in one line: what the policy leaves free is done without another question.
    """
    services, rule = context.services, plan.rule
    if said_whole and plan.judged.verdict.tier is Tier.FREE:
        await _ask(context, plan.wish, Shown(Proof.NONE, services.timekeeping.looking()))
        return
    await services.linking.cancel(context.person)  # one thing is asked at a time
    picks = not rule.seats and rule.proof is Proof.NUMBER
    number = secrets.choice(_NUMBERS) if picks else None
    body = {
        "wish": packed(plan.wish),
        "token": secrets.token_hex(8),
        "proof": rule.proof.value if not rule.seats else Proof.NONE.value,
        "number": number,
        "lines": list(plan.lines),
    }
    await services.cards.save(Draft(context.person.id, KIND, body))
    text = render.plan(plan, taste_of(context), number, context.person.id)

    async def say(chat_id: int) -> None:
        card = await services.cards.make(KIND, context.person.id, chat_id, {"token": body["token"]})
        keys = keyboard(card, _rows(number, alone=not rule.seats), services.signer)
        await context.say(text, chat_id=chat_id, keyboard=keys, protected=True)

    await pages.privately(context, say)


def _rows(number: int | None, *, alone: bool) -> list[list[tuple[str, int]]]:
    if number is None:
        return [[("Send it" if alone else "Ask", ASK), ("Cancel", CANCEL)]]
    others = secrets.SystemRandom().sample([one for one in _NUMBERS if one != number], _OFFERED - 1)
    return [[(str(one), one) for one in sorted([number, *others])], [("Cancel", CANCEL)]]


async def chosen(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A tap on one of its buttons."""
    services = context.services
    draft = await services.cards.draft(context.person.id)
    if draft is None or draft.kind != KIND or draft.body["token"] != card.body["token"]:
        await context.without_buttons(message_id)
        return _OVER
    wish, proof = wish_of(draft.body["wish"]), Proof(draft.body["proof"])
    if choice == CANCEL:
        await services.cards.drop(context.person.id)
        await _replace(context, message_id, "Stopped; nothing was asked for.")
        return None
    if proof in (Proof.CODE, Proof.CODE_IF_SET_UP):
        about = {"wish": draft.body["wish"]}
        await factor.ask(context, WITH_CODE, f"do this: {', '.join(draft.body['lines'])}", about)
        await context.without_buttons(message_id)
        return None
    if proof is Proof.NUMBER and choice != draft.body["number"]:
        await services.cards.drop(context.person.id)
        await context.without_buttons(message_id)
        return "That is not the number. Nothing was sent; begin anew if you still want it."
    await _ask(context, wish, Shown(proof, services.timekeeping.looking()))
    await services.cards.drop(context.person.id)
    await context.without_buttons(message_id)
    return None  # the request's own card says the rest


async def _ask(context: DeskContext, wish: Wish, shown: Shown) -> Request:
    return await context.services.money.planning.ask(
        context.person, wish, telegram_id=context.where.telegram_id, shown=shown
    )


async def _asked_with_code(context: DeskContext, about: Mapping[str, Any], code: Secret) -> str:
    wish, telegram_id = wish_of(about["wish"]), context.where.telegram_id
    hashed = hash_of(wish.kind, context.person.id, wish.parameters)
    use = context.services.factors.checking(
        context.person.id, code, purpose=f"ask for {wish.kind} {hashed[:8]}", telegram_id=telegram_id
    )
    request = await _ask(context, wish, Shown(Proof.CODE, use))
    return f"Asked for: request <code>{request.id}</code>."


async def typed(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    raise InputError("nothing is to be typed here: press one of the buttons above, or /cancel", "")


async def _replace(context: DeskContext, message_id: int, html: str) -> None:
    with contextlib.suppress(TelegramError):
        await context.redraw(message_id, html)


def packed(wish: Wish) -> dict[str, Any]:
    return {
        "kind": wish.kind.value,
        "parameters": dict(wish.parameters),
        "asked_in": wish.asked_in,
        "chat_id": wish.chat_id,
        "terms": wish.terms,
    }


def wish_of(body: Mapping[str, Any]) -> Wish:
    return Wish(Kind(body["kind"]), body["parameters"], body["asked_in"], body["chat_id"], body["terms"])


asked_with_code = factor.with_code(_asked_with_code)
