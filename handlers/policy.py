"""/policy: who must sign for what, as it stands; another one proposed; a draft tried on what has happened.

A document comes after the command, in a message that the command replies to, or in the next message, as text or as a
file. It is compared and shown before anything is asked for.
"""

import re
from typing import Any, Final

from telegram import InputFile, Message

from bot.access.model import Right
from bot.approvals.model import Kind, State
from bot.approvals.policy.reading import LARGEST
from bot.approvals.policy.reporting import lines as reported
from bot.approvals.service import Wish
from bot.errors import ConfigError, InputError
from bot.messages.cards import Card, Draft
from bot.operations.policies import Proposal, Standing
from bot.operations.policy_trials import USUAL_DAYS
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Words, permit, taste_of
from handlers.files import content_of
from handlers.pages import Reply, paged, privately
from handlers.render import literal
from handlers.render import policy as render

CARD: Final = "policy"
_ASK, _LEAVE = 1, 2
_PROPOSING, _TRYING = "policy/propose", "policy/try"
_EXAMPLE = "/policy, /policy file, /policy propose, /policy try 30, /policy cancel"
_HEAD = re.compile(r"\S+\s+(?:propose|try(?:\s+[0-9]{1,4}d?(?=\s|$))?)\s*", re.ASCII | re.IGNORECASE)
"""What stands before a document in a command."""
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_DAYS = re.compile(r"([0-9]{1,4})d?", re.ASCII)


async def policy(context: DeskContext, words: Words) -> Reply | None:
    match [word.lower() for word in words[:1]]:
        case []:
            standing = await context.services.policy.look()
            return Reply(
                render.standing(standing, taste_of(context)), again="/policy", offers=_offers(context, standing)
            )
        case ["file"] if len(words) <= 2:
            await _give(context, words[1] if len(words) == 2 else None)
            return None
        case ["propose" | "try"] if not context.where.is_private:
            return Reply(["That works in our private chat only."])
        case ["propose"]:
            permit(context, Right.POLICY)
            return await _begun(context, _PROPOSING, {})
        case ["try"]:
            permit(context, Right.POLICY)
            found = _DAYS.fullmatch(words[1]) if len(words) > 1 else None
            return await _begun(context, _TRYING, {"days": int(found[1]) if found else USUAL_DAYS})
        case ["cancel"] if len(words) == 1 or (len(words) == 2 and _NUMBER.fullmatch(words[1])):
            permit(context, Right.FREEZE)
            version = await context.services.policy.call_off(
                context.person, int(words[1]) if len(words) == 2 else None, telegram_id=context.where.telegram_id
            )
            return Reply([f"Version {version.number} was called off. The policy in force stays as it is."])
        case _:
            raise InputError("nothing, or one of file, propose, try and cancel", _EXAMPLE)


def _offers(context: DeskContext, found: Standing) -> list[tuple[str, str]]:
    """What may be done about it."""
    offers = [("Document", "/policy file")] if found.version is not None else []
    if context.person.may(Right.POLICY):
        offers += [("Propose another…", "/policy propose"), ("Try a draft…", f"/policy try {USUAL_DAYS}")]
    if found.waiting is not None and context.person.may(Right.FREEZE):
        offers.append((f"Call version {found.waiting.number} off", f"/policy cancel {found.waiting.number}"))
    return offers


async def _give(context: DeskContext, request_id: str | None) -> None:
    """The document in force, or that of a request with all that it changes."""
    desk = context.services.policy
    document, name = await desk.document(request_id)
    changes = await desk.difference(request_id) if request_id is not None else ()

    async def say(chat_id: int) -> None:
        await context.bot.send_document(chat_id, InputFile(document.encode(), name))
        if changes:
            text = "\n".join(changes) + "\n"
            await context.bot.send_document(
                chat_id, InputFile(text.encode(), f"{name.removesuffix('.toml')}-changes.txt")
            )

    await privately(context, say)


# a document comes in


async def _begun(context: DeskContext, kind: str, body: dict[str, Any]) -> Reply | None:
    """With a document at once; without one it is asked for."""
    draft, document = Draft(context.person.id, kind, body), await _document(context)
    if document is not None:
        await _received(context, draft, document)
        return None
    await context.services.linking.cancel(context.person)  # one thing is asked at a time
    await context.services.cards.save(draft)
    return Reply([f"Send the policy as a TOML file, at most {LARGEST // 1024} KiB, or as text. /cancel stops."])


async def _document(context: DeskContext) -> bytes | None:
    """What follows the command, or what it replies to."""
    rest = _HEAD.sub("", context.said, count=1)
    if rest.strip() and rest != context.said:
        return rest.encode()
    message = context.under
    if message is None or (message.from_user is not None and message.from_user.is_bot and message.document is None):
        return None
    if message.forward_origin is not None:
        raise InputError("forwarded messages are not read; send the document yourself", "/policy propose")
    if message.document is not None:
        return await content_of(context, message.document, LARGEST, "/policy propose")
    return message.text.encode() if message.text else None


async def typed(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    await _received(context, draft, text.encode())


async def taken(context: DeskContext, draft: Draft, message: Message) -> None:
    if message.document is None:
        raise InputError("that is no file; send the policy as one, or as text", "")
    await _received(context, draft, await content_of(context, message.document, LARGEST, "/policy propose"))


async def _received(context: DeskContext, draft: Draft, document: bytes) -> None:
    """After mistakes the question stands, so that a better one can be sent."""
    services = context.services
    try:
        if draft.kind == _TRYING:
            await _try(context, document, int(draft.body["days"]))
        else:
            await _propose(context, document)
    except ConfigError as error:
        await services.cards.save(draft)
        for page in paged(render.problems(error)):
            await context.say(page)
        return
    await services.cards.drop(context.person.id)


async def _try(context: DeskContext, document: bytes, days: int) -> None:
    difference = await context.services.trials.attempt(document, days)
    taste = taste_of(context)
    lines = reported(difference, taste.money, taste.date_time)
    for page in paged(["\n".join(literal(line, 600) for line in lines)])[:2]:
        await context.say(page, protected=True)
    text = "\n".join(lines) + "\n"
    await context.bot.send_document(
        context.where.chat_id,
        InputFile(text.encode(), f"policy-try-{days}-days.txt"),
        caption="Nothing was changed and nothing was asked for.",
        protect_content=True,
    )


# proposing


async def _propose(context: DeskContext, document: bytes) -> None:
    services = context.services
    proposal = await services.policy.plan(context.person, document)
    body = {"parameters": dict(proposal.wish(None).parameters)}
    card = await services.cards.make(CARD, context.person.id, context.where.chat_id, body)
    label = "Ask for it" if proposal.loosened else "Put it in force"
    keys = keyboard(card, [[(label, _ASK), ("Leave it", _LEAVE)]], services.signer)
    await context.say(render.proposal(proposal), keyboard=keys)
    await _send_all(context, proposal)


async def _send_all(context: DeskContext, proposal: Proposal) -> None:
    """The whole difference as a file, where the message had to leave some out."""
    if not render.is_cut(proposal):
        return
    text = "\n".join((*proposal.loosened, *proposal.tightened)) + "\n"
    await context.bot.send_document(context.where.chat_id, InputFile(text.encode(), "policy-changes.txt"))


async def tapped(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    if choice == _LEAVE:
        await context.services.cards.advance(card)
        await context.without_buttons(message_id)
        return "Left as it is. Nothing was asked for."
    wish = Wish(Kind.POLICY, card.body["parameters"], asked_in=f"card/{card.id}")
    request = await context.services.approvals.ask(context.person, wish, telegram_id=context.where.telegram_id)
    await context.services.cards.advance(card)
    await context.without_buttons(message_id)
    if request.state is State.PENDING:
        until = taste_of(context).date_time(request.expires_at)
        number = f"<code>{request.id}</code>"
        await context.say(f"Request {number} waits for signatures until {until}. /pending shows who could sign.")
    return None  # what was done at once is told as every request's end is
