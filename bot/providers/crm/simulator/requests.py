"""The request calls: get-request, approve and reject a withdrawal, and a list that only a switch opens.

The vendor documents no list of requests; `list_requests` adds one of ours for a client that wants to see what it would
be like. KYC and deposit requests are looked for and never found.
"""

from collections.abc import Sequence

from bot.providers.crm.simulator.fields import ID_LENGTH, Fields, RefusedError, invalid
from bot.providers.crm.simulator.gate import Answer, Call, Duty
from bot.providers.crm.simulator.withdrawals import Withdrawals, payout
from bot.providers.crm.simulator.world import WALLET, Client, Log, Status, Tenant, Withdrawal, World, stamp

API_ADMIN = "open-api"
MAX_COMMENT = 500
_FLAGS = ("mail", "email", "pop_up", "notify")


class Requests:
    """What callers of the API see and decide."""

    def __init__(self, tenant: Tenant, withdrawals: Withdrawals) -> None:
        self._tenant = tenant
        self._withdrawals = withdrawals

    def duties(self) -> Sequence[Duty]:
        return (
            Duty("GET", "/requests/{type}/{id}", self.get, lambda settings: settings.generation == "B"),
            Duty("GET", "/requests/withdrawal", self.listing, lambda settings: settings.list_requests),
            Duty("POST", "/requests/withdrawal/approve", self.approve),
            Duty("POST", "/requests/withdrawal/reject", self.reject),
        )

    def get(self, call: Call) -> Answer:
        if call.path["type"] not in ("kyc", "withdrawal", "deposit"):
            raise invalid()
        if call.path["type"] != "withdrawal":
            raise RefusedError("request_not_found")
        return Answer(view(self._tenant.world, self._withdrawals.find(call.path["id"])))

    def listing(self, call: Call) -> Answer:
        skip, limit = call.query.page(0, 10)
        status = call.query.optional_text("status")
        if status is not None and status not in tuple(Status):
            raise invalid()
        world = self._tenant.world
        found = [request for request in world.withdrawals.values() if status in (None, request.status.value)]
        return Answer(
            {"count": len(found), "records": [view(world, request) for request in found[skip : skip + limit]]}
        )

    def approve(self, call: Call) -> Answer:
        """One node says yes, whatever the number of nodes."""
        request_id = _read_target(call.body)
        self._withdrawals.approve(request_id, API_ADMIN)
        return Answer({})

    def reject(self, call: Call) -> Answer:
        settings = self._tenant.world.settings
        request_id = _read_target(call.body)
        comment = call.body.optional_text("comment", most=MAX_COMMENT)
        if comment is None and settings.generation == "B":
            raise invalid()
        self._withdrawals.reject(
            request_id, API_ADMIN, comment or "", even_approved=settings.allow_post_approval_reject
        )
        return Answer({})


def _read_target(body: Fields) -> str:
    """The request's id; the optional fields change nothing here, yet a wrong type is refused."""
    for name in _FLAGS:
        body.flag(name)
    body.optional_text("language")
    return body.text("id", length=ID_LENGTH)


def view(world: World, request: Withdrawal) -> dict[str, object]:
    """A request as get-request shows it."""
    place, client = request.place, world.clients[request.place.user_id]
    return {
        "id": request.id,
        "type": "withdrawal",
        "status": request.status.value,
        "user_id": client.id,
        "ip": "127.0.0.1",
        "language": client.language,
        "user_type": client.type,
        "created_at": stamp(request.created_at),
        "created_by": client.id,
        "timestamp": stamp(request.updated_at),
        "auto": False,
        "pre_step": request.previous_node,
        "pre_event": request.logs[-1].event,
        "user": _user(world, client),
        "flow": {"current": min(request.approved + 1, request.total_nodes), "total": request.total_nodes},
        "logs": [_log(log) for log in request.logs],
        "trading_id": WALLET if place.login is None else str(place.login),
        **payout(world, request),
    }


def _user(world: World, client: Client) -> dict[str, object]:
    referrer = world.clients.get(client.referrer_id)
    return {
        "id": client.id,
        "name": client.name,
        "email": client.email,
        "phone": {"country_code": client.country_code, "number": client.phone},
        "group_id": client.group_id,
        "group_name": world.groups[client.group_id],
        "referrer_id": client.referrer_id,
        "referrer_name": referrer.name if referrer else "",
        "rank_id": "",
        "status": "suspended" if client.suspended else "active",
        "tier": 1,
    }


def _log(log: Log) -> dict[str, object]:
    shown: dict[str, object] = {"event": log.event, "timestamp": stamp(log.at), "admin": log.admin}
    if log.before is not None and log.after is not None:
        shown |= {"prevData": log.before, "newData": log.after}
    return shown
