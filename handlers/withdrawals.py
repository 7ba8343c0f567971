"""/withdrawals: what clients of the CRM ask to be paid, as far as this desk knows of it."""

from bot.access.model import Right
from bot.errors import InputError, NotFoundError, ProviderError
from bot.operations.clients import ClientFile
from bot.providers.crm.wire.requests import Withdrawal
from handlers.context import DeskContext
from handlers.doors import Door, Words, taste_of
from handlers.pages import Audience, Reply
from handlers.render import crm as render

_EXAMPLE = "/withdrawals, /withdrawals all, /withdrawals b7c8d9e0"


async def withdrawals(context: DeskContext, words: Words) -> Reply:
    """Pending ones; `all`; one by its id; or `add` an id that nothing has told us of."""
    inbox, person, taste = context.services.withdrawals, context.person, taste_of(context)
    now = context.services.clock.now()
    match [word.lower() for word in words]:
        case []:
            return Reply(render.listed(await inbox.pending(person), now, taste), again="/withdrawals")
        case ["all"]:
            return Reply(render.listed(await inbox.everything(person), now, taste), again="/withdrawals all")
        case ["add", request_id]:
            known = await inbox.add(person, request_id, telegram_id=context.where.telegram_id)
            return Reply(render.listed([known], now, taste))
        case [request_id] if request_id != "add":
            known, found = await inbox.detail(person, request_id)
            about = await _client_of(context, found)
            return Reply(render.detail(known, found, about, now, taste), again=f"/withdrawals {request_id}")
        case _:
            raise InputError("one request, `all`, or `add` and an id", _EXAMPLE)


async def _client_of(context: DeskContext, found: Withdrawal | None) -> ClientFile | None:
    """What is known of who asks; nothing when that cannot be read just now."""
    if found is None or not found.user_id:
        return None
    try:
        return await context.services.clients.file(context.person, found.user_id)
    except (NotFoundError, ProviderError):
        return None


DOORS = (
    Door(
        "withdrawals",
        "What clients ask to be paid: pending, or one by its id",
        "/withdrawals",
        Right.READ,
        withdrawals,
        Audience.PRIVATE,
    ),
)
