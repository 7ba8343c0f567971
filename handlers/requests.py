"""Requests: the buttons on a prompt, and what waits.

The prompts themselves are notices; the approvals room keeps them as the request stands, in place.
"""

from collections.abc import Mapping
from typing import Any

from bot.access.model import Person
from bot.approvals.matching import LOWEST_TO_HIGHEST, choices_of
from bot.approvals.model import Decision, Proof, Request
from bot.approvals.prompting import APPROVE, CALL_OFF, DENY, FREEZE, state_in_words
from bot.approvals.service import Seen, Shown
from bot.approvals.wording import words_of
from bot.errors import InputError
from bot.messages.cards import Card
from bot.operations.dossiers import concerns
from bot.operations.freezing import DESK
from bot.secret import Secret
from handlers import factor, freezing
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply
from handlers.render import bold, literal

WITH_CODE = "request/approve"


async def decided(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A tap on a prompt. What was shown is what the card remembers, not what the request says."""
    services, number = context.services, str(card.body["request"])
    seen = Seen(str(card.body["hash"]), str(card.body.get("shown", "")), message_id)
    if choice == DENY:
        await services.approvals.decide(
            context.person, number, Decision.DENY, seen, telegram_id=context.where.telegram_id
        )
        return None  # the prompt itself says what became of it
    if choice == CALL_OFF:
        return await withdrawn(context, card, choice, message_id)
    request = await services.approvals.find(number)
    if choice == FREEZE:
        await freezing.offer(context, request.parameters.get("provider", DESK))
        return None
    if choice != APPROVE and choice not in LOWEST_TO_HIGHEST:
        return "This button belongs to something that no longer exists."
    match await services.approvals.proof_needed(request, context.person):
        case Proof.CODE | Proof.CODE_IF_SET_UP:
            about = {"request": number, "hash": seen.hash, "shown": seen.text, "message": message_id}
            await factor.ask(context, WITH_CODE, purpose(request, seen), about)
        case Proof.NUMBER if choice == APPROVE:
            await show_numbers(context, card, request, message_id)
            return "Tap the number on the asker's screen."
        case Proof.NUMBER:
            await approve(context, number, seen, services.money.matching.picking(context.person, request, choice))
        case _:
            await approve(context, number, seen, Shown(Proof.NONE, services.timekeeping.looking()))
    return None


async def approve(context: DeskContext, number: str, seen: Seen, shown: Shown) -> Request:
    return await context.services.approvals.decide(
        context.person, number, Decision.APPROVE, seen, telegram_id=context.where.telegram_id, shown=shown
    )


def purpose(request: Request, seen: Seen) -> str:
    return f"approve request {request.id}, {words_of(seen.hash)}, {seen.hash[:8]}"


async def show_numbers(context: DeskContext, card: Card, request: Request, message_id: int) -> None:
    row = [(str(one), one) for one in choices_of(request)]
    keys = keyboard(card, [row, [("Deny", DENY)]], context.services.signer)
    await context.bot.edit_message_reply_markup(context.where.chat_id, message_id, reply_markup=keys)


async def _approved_with_code(context: DeskContext, about: Mapping[str, Any], code: Secret) -> str:
    number, telegram_id = str(about["request"]), context.where.telegram_id
    seen = Seen(str(about["hash"]), str(about.get("shown", "")), about.get("message"))
    use = context.services.factors.checking(
        context.person.id, code, purpose=f"approve request/{number}", telegram_id=telegram_id
    )
    request = await approve(context, number, seen, Shown(Proof.CODE, use))
    return f"Recorded: you approved request {request.id}."


async def withdrawn(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A tap on one's own card, or that of somebody who may call it off."""
    number = str(card.body["request"])
    await context.services.approvals.withdraw(context.person, number, telegram_id=context.where.telegram_id)
    return None


async def pending(context: DeskContext, words: Words) -> Reply:
    if words:
        raise InputError("it takes no words", "/pending")
    approvals = context.services.approvals
    people = {person.id: person for person in context.services.access.roster.people}
    mine = [one for one in await approvals.pending() if await may_see(context, one)]
    going = [_going(context, one, people) for one in await context.services.dossiers.on_the_way(context.person)]
    on_the_way = [bold("Approved, and not over yet"), *going] if going else []
    if not mine:
        return Reply(["Nothing waits for a decision.", *on_the_way], again="/pending")
    blocks = [await _described(context, one, people) for one in mine]
    return Reply([bold("Waiting for a decision"), *blocks, *on_the_way], again="/pending")


async def may_see(context: DeskContext, request: Request) -> bool:
    """Whether it is this person's business, be it for somebody they stand in for."""
    if concerns(context.person, request):
        return True
    return context.person.id in {one.id for one in await context.services.approvals.could_decide(request)}


def _going(context: DeskContext, request: Request, people: dict[int, Person]) -> str:
    asker = people.get(request.asked_by)
    by = literal(asker.name if asker else "somebody who left")
    lines = [literal(line, 300) for line in context.services.approvals.lines(request)]
    return "\n    ".join([f"<code>{request.id}</code> · {by} · {state_in_words(request.state)}", *lines])


async def _described(context: DeskContext, request: Request, people: dict[int, Person]) -> str:
    approvals, taste = context.services.approvals, taste_of(context)
    asker = people.get(request.asked_by)
    waiting = await approvals.waits_for(request)
    said = [
        f"{people[vote.person_id].name if vote.person_id in people else 'somebody who left'}: {vote.decision}"
        for vote in request.votes
    ]
    by = literal(asker.name if asker else "somebody who left")
    lines = [
        f"<code>{request.id}</code> · {by} · until {taste.date_time(request.expires_at)}",
        *(literal(line) for line in approvals.lines(request)),
        *(literal(line) for line in said),
        literal(waiting),
    ]
    return "\n    ".join(lines)


approved_with_code = factor.with_code(_approved_with_code)
