"""/payagent and /payout: money to a payment agent's client, and out through a payment agent.

Both are asked for as /transfer is. A payout waits, once it is approved, for the code that is mailed to the owner of the
account: /payout code takes it. It is a secret: it is asked for in the private chat, and deleted there.
"""

from typing import Final

from bot.errors import InputError
from bot.messages.cards import Draft
from bot.providers.acts import PayWay
from bot.secret import Secret
from handlers import pages
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.transfers import walk

CODE: Final = "payout/code"
TO_CLIENT: Final = walk("payagent", lambda money: money.payment_steps[PayWay.AGENT])
OUT: Final = walk("payout", lambda money: money.payment_steps[PayWay.PAYOUT])
_CODE_EXAMPLE = "/payout code k3n7q2xw5z"


async def payout(context: DeskContext, words: Words) -> None:
    if words[:1] != ["code"]:
        await OUT.begin(context, words)
        return
    if len(words) != 2:
        if len(words) > 2:  # the code itself, perhaps
            await context.delete_secret(context.message_id)
        raise InputError("say which request the code is for; the code is asked for then", _CODE_EXAMPLE)
    services = context.services
    request = await services.money.mailed_codes.awaited(context.person, words[1])
    await services.linking.cancel(context.person)  # one thing is asked at a time
    await services.cards.save(Draft(context.person.id, CODE, {"request": request.id}))

    async def say(chat_id: int) -> None:
        question = f"Send the code that was mailed for request <code>{request.id}</code>. (/cancel stops.)"
        await context.say(question, chat_id=chat_id)

    await pages.privately(context, say)


async def code_given(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    """The message is deleted already."""
    services, request_id = context.services, str(draft.body["request"])
    code = text.strip()
    if not (code.isascii() and code.replace("_", "").isalnum() and 8 <= len(code) <= 128):
        raise InputError("a code is eight letters and digits, or more", "")
    await services.money.mailed_codes.give(
        context.person, request_id, Secret(code), telegram_id=context.where.telegram_id
    )
    await services.cards.drop(context.person.id)
    await context.say(f"Taken. Request <code>{request_id}</code> is tried with it now; /request says how it goes.")
