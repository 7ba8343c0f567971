"""What is said of a request that was just asked for."""

from bot.approvals.model import Request
from handlers.context import DeskContext
from handlers.doors import taste_of
from handlers.pages import Reply
from handlers.render import literal


async def asked_for(context: DeskContext, request: Request) -> Reply:
    """Who could sign it, and until when."""
    could = ", ".join(one.name for one in await context.services.approvals.could_sign(request))
    until = taste_of(context).date_time(request.expires_at)
    lines = [
        f"Asked for: request <code>{request.id}</code>.",
        f"Asked to sign: {literal(could, 200)}. Open until {until}; /pending shows it.",
    ]
    return Reply(["\n".join(lines)])
