"""Requests: the buttons on a prompt, and what waits.

The prompts themselves are notices; the approvals room keeps them as the request stands, in place.
"""

from collections.abc import Mapping
from typing import Any

from bot.access.model import Person, Right
from bot.approvals.model import Decision, Request, State
from bot.approvals.service import APPROVE, CARD, DENY
from bot.errors import InputError
from bot.messages.cards import Card
from bot.operations.factor_reset import needs_code
from bot.secret import Secret
from handlers import factor
from handlers.context import DeskContext
from handlers.doors import Door, TapDoor, Words, taste_of
from handlers.pages import Audience, Reply
from handlers.render import bold, literal

_WITH_CODE = "request/approve"
_DECISIONS = {APPROVE: Decision.APPROVE, DENY: Decision.DENY}


async def decided(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A tap on Approve or Deny. What was shown is what the card remembers, not what the request says now."""
    decision = _DECISIONS.get(choice)
    if decision is None:
        return "This button belongs to something that no longer exists."
    number, seen = str(card.body["request"]), str(card.body["hash"])
    if decision is Decision.APPROVE and await _needs_code(context, number):
        purpose = f"approve request {number}, hash {seen[:8]}"
        await factor.ask(context, _WITH_CODE, purpose, {"request": number, "hash": seen, "message": message_id})
        return None
    await context.services.approvals.decide(
        context.person,
        number,
        decision,
        seen,
        telegram_id=context.where.telegram_id,
        proof=context.services.timekeeping.looking() if decision is Decision.APPROVE else None,
        message_id=message_id,
    )
    return None  # the prompt itself says what became of it


async def _needs_code(context: DeskContext, number: str) -> bool:
    """Whether this vote is to be authorised by the person's second factor; one that cannot count needs none."""
    request = await context.services.approvals.find(number)
    if not needs_code(request.kind) or request.state is not State.PENDING:
        return False
    return (await context.services.factors.standing(context.person.id)).is_active


async def _approved_with_code(context: DeskContext, about: Mapping[str, Any], code: Secret) -> str:
    number, telegram_id = str(about["request"]), context.where.telegram_id
    proof = context.services.factors.checking(
        context.person.id, code, purpose=f"approve request/{number}", telegram_id=telegram_id
    )
    request = await context.services.approvals.decide(
        context.person,
        number,
        Decision.APPROVE,
        str(about["hash"]),
        telegram_id=telegram_id,
        proof=proof,
        message_id=about.get("message"),
    )
    return f"Recorded: you approved request {request.id}."


async def pending(context: DeskContext, words: Words) -> Reply:
    if words:
        raise InputError("it takes no words", "/pending")
    approvals = context.services.approvals
    people = {person.id: person for person in context.services.access.roster.people}
    mine = [one for one in await approvals.pending() if _concerns(context.person, one)]
    if not mine:
        return Reply(["Nothing waits for a decision."], again="/pending")
    blocks = [await _described(context, one, people) for one in mine]
    return Reply([bold("Waiting for a decision"), *blocks], again="/pending")


def _concerns(person: Person, request: Request) -> bool:
    return request.asked_by == person.id or request.rule.concerns(person) or person.may(Right.READ_AUDIT)


async def _described(context: DeskContext, request: Request, people: dict[int, Person]) -> str:
    approvals, taste = context.services.approvals, taste_of(context)
    asker = people.get(request.asked_by)
    could = ", ".join(one.name for one in await approvals.could_sign(request))
    said = [
        f"{people[vote.person_id].name if vote.person_id in people else 'somebody who left'}: {vote.decision}"
        for vote in request.votes
    ]
    by = literal(asker.name if asker else "somebody who left")
    lines = [
        f"<code>{request.id}</code> · {by} · until {taste.date_time(request.expires_at)}",
        *(literal(line) for line in approvals.lines(request)),
        *(literal(line) for line in said),
        f"Could still sign: {literal(could) if could else 'nobody'}",
    ]
    return "\n    ".join(lines)


DOORS = (Door("pending", "What waits for a decision", "/pending", Right.TALK, pending, Audience.PRIVATE),)
TAPS = (TapDoor(CARD, Right.DECIDE, decided),)
ANSWERS = (factor.code_door(_WITH_CODE, Right.DECIDE, _approved_with_code),)
