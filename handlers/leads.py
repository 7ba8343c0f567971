"""/lead: makes a lead in the CRM, after one look at what will be made."""

from bot.messages.cards import Card
from bot.operations.leads import Lead, parse
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply
from handlers.render import literal

KIND = "lead"
MAKE, LEAVE = 1, 2


async def lead(context: DeskContext, words: Words) -> Reply | None:
    wanted = parse(words)
    through = await context.services.leads.through(context.person)
    body = {"email": wanted.email, "name": wanted.name}
    card = await context.services.cards.make(KIND, context.person.id, context.where.chat_id, body)
    who = f"{literal(wanted.name)}, {literal(wanted.email, 200)}" if wanted.name else literal(wanted.email, 200)
    await context.say(
        f"Make a lead in <code>{literal(through.name)}</code>: {who}?",
        keyboard=keyboard(card, [[("Make it", MAKE), ("No", LEAVE)]], context.services.signer),
        protected=True,
    )
    return None


async def tapped(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """One tap counts: the buttons go before anything is asked of the CRM."""
    if choice not in (MAKE, LEAVE):
        return "This button belongs to something that no longer exists."
    if not await context.services.cards.advance(card):
        return None  # a second tap: the first one was taken
    await context.without_buttons(message_id)
    if choice == LEAVE:
        return "No lead was made."
    wanted = Lead(str(card.body["email"]), str(card.body["name"]))
    async with context.typing(card.chat_id):
        lead_id = await context.services.leads.make(context.person, wanted, telegram_id=context.where.telegram_id)
    return f"The lead is made{f': {lead_id}' if lead_id else ''}."
