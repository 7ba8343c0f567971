"""The part of /wallet and /mt that moves money: a deposit or a withdrawal is looked at once more, and asked for."""

from typing import Final

from bot.operations import bookings
from bot.operations.moving.plans import Plan
from handlers import asking
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.freshness import check_fresh

WALLET: Final = "/wallet u7h2k9d0 deposit 250.00 USD for bonus"
MT: Final = "/mt conn0001/500123 withdraw 250.00"


async def wallet(context: DeskContext, words: Words) -> bool:
    """Answers whether it was one."""
    wanted = bookings.read(words, WALLET)
    if wanted is None:
        return False
    check_fresh(context)
    asked_in, chat_id = _where(context)
    desk = context.services.booking_desk
    await _offer(context, await desk.wallet(context.person, wanted, asked_in=asked_in, chat_id=chat_id))
    return True


async def trading(context: DeskContext, words: Words) -> bool:
    """Answers whether it was one."""
    wanted = bookings.read(words, MT)
    if wanted is None:
        return False
    check_fresh(context)
    asked_in, chat_id = _where(context)
    desk = context.services.booking_desk
    await _offer(context, await desk.trading(context.person, wanted, asked_in=asked_in, chat_id=chat_id))
    return True


async def _offer(context: DeskContext, plan: Plan) -> None:
    await asking.offer(context, plan, said_whole=True)


def _where(context: DeskContext) -> tuple[str, int | None]:
    """The message it is asked in, and the group, if it is one."""
    where = context.where
    return f"m/{where.chat_id}/{context.message_id}", None if where.is_private else where.chat_id
