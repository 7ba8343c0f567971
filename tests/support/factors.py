"""A first second factor, and the admin who confirms it."""

from bot.access.model import Role
from bot.approvals.model import Decision, Request
from bot.approvals.service import Seen
from bot.wiring import House


async def confirmed_by_another(rooms: House, person_id: int) -> Request | None:
    """An admin who is somebody else confirms what that person has set up; None when nothing waits for that."""
    waiting = (await rooms.factors.standing(person_id)).waiting
    if waiting is None:
        return None
    admin = next(one for one in rooms.access.roster.admins if one.id != person_id and Role.ADMIN in one.roles)
    asked = await rooms.approvals.find(waiting)
    return await rooms.approvals.decide(
        admin, waiting, Decision.APPROVE, Seen(asked.hash), telegram_id=min(admin.telegram_ids)
    )
