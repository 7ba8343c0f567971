"""The button under the news that this machine's clock was set."""

from bot.access.model import Right
from bot.messages.cards import Card
from bot.operations.timekeeping import CARD
from handlers.context import DeskContext
from handlers.doors import TapDoor


async def settled(context: DeskContext, card: Card, choice: int, message_id: int) -> str:
    """An admin says that it is right."""
    at = await context.services.timekeeping.acknowledge(
        context.person, str(card.body["doubt"]), telegram_id=context.where.telegram_id
    )
    return f"Noted: at {at:%H:%M:%S} UTC the clock is right. Codes are accepted again."


TAPS = (TapDoor(CARD, Right.POLICY, settled),)
