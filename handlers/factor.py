"""/factor: setting up the second factor, and asking for its codes.

What needs a code asks for one with `ask` and takes it `with_code`: the prompt names what the code is for, and the
digits that come back are used for that and for nothing else. What was asked is a draft, so it outlives a restart.
"""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from html import escape
from typing import Any, Final

from telegram import ForceReply
from telegram.constants import ParseMode
from telegram.error import TelegramError

from bot.access import names
from bot.access.model import Person, Right
from bot.clock import from_millis, to_millis
from bot.errors import CodeWrongError, CountersignError, FactorLockedError, FactorMissingError, InputError
from bot.messages.cards import Card, Draft
from bot.operations.enrolling import CONFIRM_WITHIN, Enrolment
from bot.operations.factor_records import Standing
from bot.operations.factor_reset import SIGNERS, wish_to_reset
from bot.secret import Secret
from bot.vault.totp import digits_in
from handlers import failures
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply
from handlers.render import bold, literal
from handlers.render.pictures import qr_code

CARD = "factor"
OPEN_FOR = timedelta(minutes=5)
"""How long a prompt for a code stands."""
_SET_UP, _REPLACE, _REMOVE = 1, 2, 3
_ENROLLING, _REPLACING, _REMOVING = "factor/enrol", "factor/replace", "factor/remove"
_EXAMPLE = "/factor reset"
_log = logging.getLogger(__name__)

Act = Callable[[DeskContext, Mapping[str, Any], Secret], Awaitable[str | None]]
"""What a code is for. It gets what `ask` was told and the code, uses the code up by `Factors`, and answers the HTML
to say, or None when it has said it. A `CountersignError` is told and ends it; the prompt stands after a wrong code.
"""


# asking for a code


async def ask(context: DeskContext, kind: str, purpose: str, about: Mapping[str, Any]) -> None:
    """Ask the person, in their private chat, for the code that lets one act happen.

    Args:
        kind: That of the answer that is taken `with_code`.
        purpose: What it is, as plain words that go on from "To …".
        about: What the act needs to know, as plain JSON; never a secret.
    Raises:
        FactorMissingError, FactorLockedError: No code would help.
    """
    services = context.services
    standing = await services.factors.standing(context.person.id)
    if not standing.is_active:
        raise FactorMissingError
    if standing.locked_until is not None:
        raise FactorLockedError(-(-(standing.locked_until - services.clock.now()) // timedelta(minutes=1)))
    await services.linking.cancel(context.person)  # one thing is asked at a time
    prompt = await context.bot.send_message(
        context.where.telegram_id,
        f"To {literal(purpose, 300)}, reply to this message with the six digits your device shows. I delete your "
        f"message at once, and the code counts for this alone. Open for {OPEN_FOR.seconds // 60} minutes; "
        "/cancel stops.",
        parse_mode=ParseMode.HTML,
        reply_markup=ForceReply(input_field_placeholder="six digits"),
    )
    until = to_millis(services.clock.now() + OPEN_FOR)
    body = {"about": dict(about), "prompt": prompt.message_id, "until": until}
    await services.cards.save(Draft(context.person.id, kind, body))


Answer = Callable[[DeskContext, Draft, str, int], Coroutine[Any, Any, None]]


def with_code(act: Act) -> Answer:
    """What takes the answer to `ask` for one kind of act."""

    async def answer(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
        code = await _code_in(context, draft, text)
        if code is None:
            return
        try:
            said = await act(context, draft.body["about"], code)
        except CodeWrongError:
            raise
        except CountersignError:
            await _answered(context, draft)
            raise
        await _answered(context, draft)
        if said is not None:
            await context.say(said)

    return answer


async def _answered(context: DeskContext, draft: Draft) -> None:
    """The prompt is over; what the act has asked next stands."""
    if await context.services.cards.draft(context.person.id) == draft:
        await context.services.cards.drop(context.person.id)


async def _code_in(context: DeskContext, draft: Draft, text: str) -> Secret | None:
    """The digits, when they answer the prompt that stands; otherwise that is said."""
    if from_millis(draft.body["until"]) <= context.services.clock.now():
        await context.services.cards.drop(context.person.id)
        await context.say("That took too long: I do not ask for a code any more, and nothing was done. Begin again.")
        return None
    if context.reply_to not in (None, draft.body["prompt"]):
        await context.say("You replied to another message. Reply to the last one in which I asked for a code.")
        return None
    digits = digits_in(text)
    if digits is None:
        raise InputError("a code is six digits; /cancel stops", "123 456")
    return Secret(digits)


# the door


async def factor(context: DeskContext, words: Words) -> Reply | None:
    if words and words[0].lower() == "reset":
        return await _reset(context, words[1:])
    if words:
        raise InputError("it takes no words but reset", _EXAMPLE)
    standing = await context.services.factors.standing(context.person.id)
    card = await context.services.cards.make(CARD, context.person.id, context.where.chat_id, {})
    row = [("Replace it", _REPLACE), ("Remove it", _REMOVE)] if standing.is_active else [("Set it up", _SET_UP)]
    if standing.waiting is not None:
        row = [("Set it up anew", _SET_UP)]
    await context.say(_described(context, standing), keyboard=keyboard(card, [row], context.services.signer))
    return None


def _described(context: DeskContext, standing: Standing) -> str:
    taste = taste_of(context)
    if standing.waiting is not None:
        return (
            f"{bold('Your second factor')} waits for an admin to confirm it: request <code>{standing.waiting}</code>. "
            "Until then it proves nothing. Ask an admin to look at /pending."
        )
    if standing.active_since is None:
        return (
            f"{bold('No second factor')} is set up for you. It is an app on your phone that shows six new digits "
            "every half minute; I ask for them before what matters most."
        )
    lines = [f"{bold('Your second factor')} is set up, since {taste.date_time(standing.active_since)}."]
    if standing.locked_until is not None:
        lines.append(f"It is locked until {taste.time(standing.locked_until)}: too many wrong codes.")
    lines.append("Lost your device? /factor reset asks two admins to take it away.")
    return "\n".join(lines)


async def _reset(context: DeskContext, words: Words) -> Reply:
    person = _named(context, words) if words else context.person
    wish = wish_to_reset(person, f"m/{context.where.chat_id}/{context.message_id}")
    request = await context.services.approvals.ask(context.person, wish, telegram_id=context.where.telegram_id)
    whose = "your" if person.id == context.person.id else f"{literal(person.name)}'s"
    asked = f"{SIGNERS} admins are asked to take {whose} second factor away: request <code>{request.id}</code>."
    return Reply([f"{asked} They should talk to its owner first, face to face or by phone."])


def _named(context: DeskContext, words: Words) -> Person:
    if not context.person.may(Right.PEOPLE):
        raise failures.not_allowed(Right.PEOPLE)
    people, name = context.services.access.roster.people, " ".join(words)
    found = names.meant(people, name) or names.perhaps_meant(people, name)
    if len(found) > 1 or found != names.meant(people, name):
        could = ", ".join(f"{one.name} ({one.id})" for one in found)
        raise InputError(f"did you mean {could}? Say the number", f"/factor reset {found[0].id}")
    return found[0]


async def chosen(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A tap on one of its buttons."""
    if not await context.services.cards.advance(card):
        return None  # a second tap: the first one was taken
    await context.without_buttons(message_id)
    if choice == _SET_UP:
        await context.services.linking.cancel(context.person)
        await _show(context, await context.services.enrolling.begin(context.person))
    elif choice == _REPLACE:
        await ask(context, _REPLACING, "replace your second factor by a new one", {})
    elif choice == _REMOVE:
        await ask(context, _REMOVING, "remove your second factor", {})
    return None


# setting up


async def _show(context: DeskContext, enrolment: Enrolment) -> None:
    """The picture, once; and from then on its first code is waited for."""
    services = context.services
    caption = (
        "Scan this with an authenticator app on a device that is not the one you read this on, if you can. Or type the "
        f"key: <tg-spoiler>{escape(enrolment.key.reveal())}</tg-spoiler>\nThen send me the six digits it shows. "
        "After that, or in 10 minutes, I delete this; it is never shown again. /cancel stops."
    )
    try:
        picture = await context.show_picture(qr_code(enrolment.uri.reveal()), caption)
    except TelegramError as error:
        _log.warning("picture not sent", extra={"error": type(error).__name__})
        await services.enrolling.give_up(context.person)  # if it arrived all the same, it is good for nothing
        await context.say("The picture could not be sent, so nothing was set up. /factor begins again.")
        return
    await services.enrolling.void_picture(context.where.chat_id, picture.message_id, enrolment.until)
    body = {"picture": picture.message_id, "until": to_millis(enrolment.until)}
    await services.cards.save(Draft(context.person.id, _ENROLLING, body))


async def confirm(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    """The first code of what is being set up."""
    services = context.services
    if from_millis(draft.body["until"]) <= services.clock.now():
        await void(context, draft)
        await services.cards.drop(context.person.id)
        await context.say("That took more than 10 minutes: nothing was set up. /factor begins again.")
        return
    digits = digits_in(text)
    if digits is None:
        raise InputError("the code is the six digits your app shows; /cancel stops", "123 456")
    request = await services.enrolling.confirm(context.person, Secret(digits), telegram_id=context.where.telegram_id)
    await services.cards.drop(context.person.id)
    gone = {"the picture": await context.delete(draft.body["picture"]), "your code": await context.delete(message_id)}
    kept = " and ".join(what for what, is_gone in gone.items() if not is_gone)
    left = f"I could not delete {kept}: please delete it yourself." if kept else "I deleted the picture and your code."
    if request is None:
        await context.say(f"Your second factor is set up. {left}")
        return
    await context.say(
        f"That was right. An admin must confirm it before it counts: request <code>{request.id}</code>, open for "
        f"{CONFIRM_WITHIN // timedelta(hours=1)} hours. Call one, so that they know it was you. {left}"
    )


async def void(context: DeskContext, draft: Draft) -> None:
    """Nothing is set up; the picture goes."""
    await context.services.enrolling.give_up(context.person)
    await context.delete(draft.body["picture"])


async def _replace(context: DeskContext, about: Mapping[str, Any], code: Secret) -> None:
    enrolment = await context.services.enrolling.begin_anew(context.person, code, telegram_id=context.where.telegram_id)
    await _show(context, enrolment)


async def _remove(context: DeskContext, about: Mapping[str, Any], code: Secret) -> str:
    await context.services.enrolling.remove(context.person, code, telegram_id=context.where.telegram_id)
    return "Your second factor is removed. /factor sets up a new one."


replaced: Final = with_code(_replace)
removed: Final = with_code(_remove)
