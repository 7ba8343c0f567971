"""The button under the news that this machine's clock was set."""

from bot.messages.cards import Card
from handlers.context import DeskContext


async def settled(context: DeskContext, card: Card, choice: int, message_id: int) -> str:
    """An admin says that it is right."""
    at = await context.services.timekeeping.acknowledge(
        context.person, str(card.body["doubt"]), telegram_id=context.where.telegram_id
    )
    return f"Noted: at {at:%H:%M:%S} UTC the clock is right. Codes are accepted again."
