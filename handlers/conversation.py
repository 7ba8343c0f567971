"""What a person says without a command: the answer to something that was asked, and the care for secrets among it.

What is being asked is a draft, a row. While a secret is asked for, and for minutes after it was given up, nothing a
person sends in their private chat stays there, whatever form it comes in.
"""

from typing import Final

from telegram import Message, Update

from bot.access.model import Right
from bot.errors import CountersignError, StoreError
from handlers import completing, failures
from handlers.context import DeskContext
from handlers.corridor import behind
from handlers.doors import AnswerDoor, permit

_ALERT: Final = "alert"
HINT: Final = "I understand commands, for example /balance. /help shows all of them."
_UNASKED: Final = "I did not ask for a file, so I keep nothing of it. /attach adds one to a request."
_IN_WORDS: Final = "Please answer that in words; /cancel stops it."
ANSWERS: Final[tuple[AnswerDoor, ...]] = (
    AnswerDoor("passphrase", Right.LINK, behind("locking:answer"), secret=True),
    AnswerDoor("factor/enrol", Right.TALK, behind("factor:confirm"), secret=True, stop=behind("factor:void")),
    AnswerDoor("factor/replace", Right.TALK, behind("factor:replaced"), secret=True),
    AnswerDoor("factor/remove", Right.TALK, behind("factor:removed"), secret=True),
    AnswerDoor("request/approve", Right.DECIDE, behind("requests:approved_with_code"), secret=True),
    AnswerDoor("transfer", Right.ASK, behind("transfers:WALK.typed")),
    AnswerDoor("deals", Right.ASK, behind("deals:typed")),
    AnswerDoor("deals/change", Right.ASK, behind("deals:changed")),
    AnswerDoor("buy", Right.ASK, behind("deals:BUYING.typed")),
    AnswerDoor("sell", Right.ASK, behind("deals:SELLING.typed")),
    AnswerDoor("payagent", Right.ASK, behind("payments:TO_CLIENT.typed")),
    AnswerDoor("payout", Right.ASK, behind("payments:OUT.typed")),
    AnswerDoor("payout/code", Right.ASK, behind("payments:code_given"), secret=True),
    AnswerDoor("openaccount", Right.ASK, behind("openaccount:typed"), stop=behind("openaccount:stop")),
    AnswerDoor(
        "openaccount/secret", Right.ASK, behind("openaccount:typed"), secret=True, stop=behind("openaccount:stop")
    ),
    AnswerDoor("ask", Right.ASK, behind("asking:typed")),
    AnswerDoor("ask/code", Right.ASK, behind("asking:asked_with_code"), secret=True),
    AnswerDoor("withdrawal/reject", Right.READ, behind("withdrawals:reason_given")),
    AnswerDoor("policy/propose", Right.POLICY, behind("policy:typed"), takes=behind("policy:taken")),
    AnswerDoor("policy/try", Right.POLICY, behind("policy:typed"), takes=behind("policy:taken")),
    AnswerDoor("attach", Right.TALK, behind("enclosing:typed"), takes=behind("enclosing:taken")),
    AnswerDoor("alert/threshold", Right.READ, behind("alert_card:typed")),
    AnswerDoor(_ALERT, Right.READ, behind("alert_steps:typed")),
    AnswerDoor("complete", Right.TALK, behind("reception:completed")),
)
LINKING: Final = "connect"
_linking: Final = behind("linking:typed")
"""What nothing else asked for may be a field of a login that is being linked."""
_BY_KIND: Final = {door.kind: door for door in ANSWERS}


async def typed(update: Update, context: DeskContext) -> bool:
    """Plain text in a private chat. Answers whether it was an answer to something."""
    message = update.message
    if message is None or message.text is None:
        return False
    try:
        draft = await context.services.cards.draft(context.person.id)
        door = _BY_KIND.get(draft.kind) if draft is not None else None
        stopped = context.services.wariness.asked_for(draft)
        if stopped is not None:
            return await _late(context, stopped, message.message_id)
        if draft is None or door is None:
            return bool(await _linking(context, message.text, message.message_id))
    except StoreError:
        await context.delete_secret(message.message_id)  # nobody can say what was asked: it may be a secret
        raise
    if door.secret:
        await context.delete_secret(message.message_id)
    permit(context, door.right)
    context.reply_to = message.reply_to_message.message_id if message.reply_to_message is not None else None
    await door.answer(context, draft, message.text, message.message_id)
    return True


async def _late(context: DeskContext, stopped: str, message_id: int) -> bool:
    """What comes minutes after a secret was asked for and given up: it may be just that."""
    if await context.delete_secret(message_id):
        what = "nothing is being linked. /connect starts again."
        if stopped != LINKING:
            what = "nothing is being asked any more. To go on, begin again."
        await context.say(f"I deleted that, in case it was a secret: {what}")
    return True


async def typed_secret(update: Update, context: DeskContext) -> bool:
    """The same, but only when it may be a secret."""
    return await _may_be_secret(context) and await typed(update, context)


async def delete_secret(context: DeskContext, message_id: int) -> bool:
    """A message in the private chat that is not read: deleted when it may hold a secret. Answers whether it was."""
    return await _perhaps_secret(context) and await context.delete_secret(message_id)


async def stop(context: DeskContext) -> bool:
    """Throw away what is being asked; answers whether something was. After a secret, the next minutes are wary ones."""
    draft = await context.services.cards.draft(context.person.id)
    door = _BY_KIND.get(draft.kind) if draft is not None else None
    if draft is None or door is None:
        return False
    if door.stop is not None:
        await door.stop(context, draft)
    if door.secret:
        await context.services.wariness.begin(context.person, draft.kind)
        return True
    return await context.services.cards.drop(context.person.id)


async def begin_anew(context: DeskContext, command: str) -> None:
    """A command that is said again ends what it had asked before: the next text is no answer to that."""
    if context.services.cards.is_idle(context.person.id):
        return
    draft = await context.services.cards.draft(context.person.id)
    if draft is None or draft.kind not in (completing.KIND, _ALERT):
        return
    if command == (draft.body["line"][0] if draft.kind == completing.KIND else _ALERT):
        await context.services.cards.drop(context.person.id)


async def not_text(update: Update, context: DeskContext) -> None:
    """A picture, a file and the like in a private chat: an answer where a file is asked for, kept nowhere else."""
    if update.message is None:
        return
    try:
        draft = await context.services.cards.draft(context.person.id)
    except StoreError:
        draft = None  # nobody can say what was asked: it may be a secret
    door = _BY_KIND.get(draft.kind) if draft is not None else None
    if draft is None or door is None or door.takes is None:
        await _unwanted(context, update.message, is_asked=door is not None)
        return
    try:
        permit(context, door.right)
        await door.takes(context, draft, update.message)
    except CountersignError as error:
        await context.say(failures.told(error))


async def _unwanted(context: DeskContext, message: Message, *, is_asked: bool) -> None:
    """Something that answers nothing. Of an album each picture comes by itself: it is not talked about."""
    if await _perhaps_secret(context):
        if await context.delete_secret(message.message_id):
            await context.say("I deleted that, in case it held the secret. Please send it as text.")
    elif message.media_group_id is None:
        if is_asked or await context.services.linking.waiting(context.person) is not None:
            await context.say(_IN_WORDS)
        else:
            await context.say(_UNASKED if message.document or message.photo else HINT)


async def _perhaps_secret(context: DeskContext) -> bool:
    """The same where nobody can say what was asked."""
    try:
        return await _may_be_secret(context)
    except StoreError:
        return True


async def _may_be_secret(context: DeskContext) -> bool:
    draft = await context.services.cards.draft(context.person.id)
    door = _BY_KIND.get(draft.kind) if draft is not None else None
    if door is not None:
        return door.secret
    if context.services.wariness.asked_for(draft) is not None:
        return True
    step = await context.services.linking.waiting(context.person)
    return step is not None and step.asks_secret
