"""/approve and /reject: what the buttons of a prompt do, typed. The same proofs are asked for.

What follows the id of an approval is a code or a number, so it does not stay in the chat.
"""

import re
from collections.abc import Awaitable, Callable

from bot.access.model import Person
from bot.approvals.model import Decision, Proof, Request
from bot.approvals.service import Seen, Shown
from bot.errors import InputError, NotFoundError
from bot.secret import Secret
from bot.vault.totp import digits_in
from handlers import choosing, dossiers, factor, requests
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.freshness import check_fresh
from handlers.pages import Reply
from handlers.render import literal

MOST_REASON = 500
_APPROVE = "/approve abcdefghij"
_REJECT = "/reject abcdefghij the account is not theirs"
_NUMBER = re.compile(r"[1-9][0-9]", re.ASCII)


async def approve(context: DeskContext, words: Words) -> Reply | None:
    if not words:
        return await _which(context, context.services.approvals.could_sign)
    if len(words) > 1 or any(word.isdecimal() for word in words):
        await context.delete_secret(context.message_id)
    check_fresh(context)
    found = await _found(context, dossiers.id_in(words, _APPROVE))
    proof = await context.services.approvals.proof_needed(found, context.person)
    typed = "".join(words[1:])
    seen = Seen(found.hash, message_id=context.message_id)
    match proof:
        case Proof.CODE | Proof.CODE_IF_SET_UP if not typed:
            about = {"request": found.id, "hash": found.hash, "shown": "", "message": context.message_id}
            await factor.ask(context, requests.WITH_CODE, requests.purpose(found, seen), about)
            return None
        case Proof.CODE | Proof.CODE_IF_SET_UP:
            shown = await _code(context, found, typed)
        case Proof.NUMBER if not typed:
            await dossiers.show(context, found.id)
            return Reply(["Tap Approve, then the number on the asker's screen."])
        case Proof.NUMBER:
            if not _NUMBER.fullmatch(typed):
                raise InputError("the number on the asker's screen has two digits", f"/approve {found.id} 47")
            shown = context.services.money.matching.picking(context.person, found, int(typed))
        case _:
            shown = Shown(Proof.NONE, context.services.timekeeping.looking())
    await requests.approve(context, found.id, seen, shown)
    return Reply([_recorded(context, found, "approved")])


async def _code(context: DeskContext, found: Request, typed: str) -> Shown:
    digits = digits_in(typed)
    if digits is None:
        raise InputError("a code is six digits", f"/approve {found.id} 123456")
    use = context.services.factors.checking(
        context.person.id,
        Secret(digits),
        purpose=f"approve request/{found.id}",
        telegram_id=context.where.telegram_id,
    )
    return Shown(Proof.CODE, use)


async def reject(context: DeskContext, words: Words) -> Reply | None:
    if not words:
        return await _which(context, context.services.approvals.could_decide)
    check_fresh(context)
    found = await _found(context, dossiers.id_in(words, _REJECT))
    reason = " ".join(words[1:])
    if len(reason) > MOST_REASON:
        raise InputError(f"a reason has at most {MOST_REASON} characters, and this one has {len(reason)}", _REJECT)
    await context.services.approvals.decide(
        context.person,
        found.id,
        Decision.DENY,
        Seen(found.hash, message_id=context.message_id),
        telegram_id=context.where.telegram_id,
        reason=reason,
    )
    return Reply([_recorded(context, found, "denied")])


async def _which(context: DeskContext, could: Callable[[Request], Awaitable[list[Person]]]) -> Reply | None:
    """Those that wait for this person; nobody decides on what they have not seen, so its card comes first."""
    pending = await context.services.approvals.pending()
    mine = [one for one in pending if context.person.id in {each.id for each in await could(one)}]
    if not mine:
        return Reply(["Nothing waits for your signature."])
    if len(mine) > 1:
        return choosing.which(context, mine, "Which one? Its buttons come with it.", "/request")
    await dossiers.show(context, mine[0].id)
    return None


async def _found(context: DeskContext, request_id: str) -> Request:
    found = await context.services.approvals.find(request_id)
    if not await requests.may_see(context, found):
        raise NotFoundError("request", request_id)
    return found


def _recorded(context: DeskContext, found: Request, done: str) -> str:
    """What was decided on, in full: who types an id sees here what it was."""
    lines = "\n".join(literal(line, 300) for line in context.services.approvals.lines(found))
    return f"Recorded: you {done} request <code>{found.id}</code>.\n{lines}"
