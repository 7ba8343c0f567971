"""The request calls: get-request, approve and reject, and a list that only a switch opens.

Withdrawals are what these calls are about; KYC forms can be read, and decided as the reject page's list of types
suggests, deposits be read. The vendor documents no list of requests; `list_requests` adds one of ours for a client that
wants to see what it would be like. A race set up on the control side is run here, around the call that it waits for.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from bot.providers.crm.simulator.events import petition_data
from bot.providers.crm.simulator.fields import ID_LENGTH, Fields, RefusedError, invalid
from bot.providers.crm.simulator.gate import Answer, Call, Duty
from bot.providers.crm.simulator.notation import stamp
from bot.providers.crm.simulator.people import Client
from bot.providers.crm.simulator.petitions import Petitions, deposit_fields
from bot.providers.crm.simulator.reviews import Kind, Log, Petition, Review, Status, Withdrawal
from bot.providers.crm.simulator.withdrawals import Withdrawals, payout
from bot.providers.crm.simulator.world import Tenant, World

API_ADMIN = "open-api"
MAX_COMMENT = 500
_FLAGS = ("mail", "email", "pop_up", "notify")


class Requests:
    """What callers of the API see and decide."""

    def __init__(self, tenant: Tenant, withdrawals: Withdrawals, petitions: Petitions) -> None:
        self._tenant = tenant
        self._withdrawals = withdrawals
        self._petitions = petitions

    def duties(self) -> Sequence[Duty]:
        return (
            Duty("GET", "/requests/{type}/{id}", self.get, lambda settings: settings.generation == "B"),
            Duty("GET", "/requests/withdrawal", self.listing, lambda settings: settings.list_requests),
            Duty("POST", "/requests/withdrawal/approve", self.approve),
            Duty("POST", "/requests/withdrawal/reject", self.reject),
            Duty("POST", "/requests/kyc/approve", self.approve_kyc, lambda settings: settings.generation == "B"),
            Duty("POST", "/requests/kyc/reject", self.reject_kyc, lambda settings: settings.generation == "B"),
        )

    def get(self, call: Call) -> Answer:
        world, request_id = self._tenant.world, call.path["id"]
        match call.path["type"]:
            case "withdrawal":
                shown = view(world, self._withdrawals.find(request_id))
                self._run_race("after_read", request_id)
            case "kyc" | "deposit" as kind:
                shown = petition_view(world, self._petitions.find(request_id, Kind(kind)))
            case _:
                raise invalid()
        return Answer(shown)

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
        self._run_race("before_decision", request_id)
        self._withdrawals.approve(request_id, API_ADMIN)
        return Answer({})

    def reject(self, call: Call) -> Answer:
        request_id, comment = _read_target(call.body), self._reason(call.body)
        self._run_race("before_decision", request_id)
        late = self._tenant.world.settings.allow_post_approval_reject
        self._withdrawals.reject(request_id, API_ADMIN, comment, even_approved=late)
        return Answer({})

    def approve_kyc(self, call: Call) -> Answer:
        self._petitions.approve(self._petitions.find(_read_target(call.body), Kind.KYC).id, API_ADMIN)
        return Answer({})

    def reject_kyc(self, call: Call) -> Answer:
        request_id, comment = _read_target(call.body), self._reason(call.body)
        self._petitions.reject(self._petitions.find(request_id, Kind.KYC).id, API_ADMIN, comment)
        return Answer({})

    def _reason(self, body: Fields) -> str:
        settings = self._tenant.world.settings
        comment = body.optional_text("comment", most=MAX_COMMENT)
        if comment is None and settings.generation == "B" and not settings.comments_optional:
            raise invalid()
        return comment or ""

    def _run_race(self, when: str, request_id: str) -> None:
        """The back office's decision that waited for this moment, if there is one and it can still be made."""
        races = self._tenant.world.races
        race = next((item for item in races if item.when == when and item.request_id in ("", request_id)), None)
        if race is None or request_id not in self._tenant.world.withdrawals:
            return
        races.remove(race)
        decide = (
            partial(self._withdrawals.approve, request_id, race.admin)
            if race.decision == "approve"
            else partial(self._withdrawals.reject, request_id, race.admin, race.comment, even_approved=False)
        )
        with suppress(RefusedError):
            decide()


def _read_target(body: Fields) -> str:
    """The request's id; the optional fields change nothing here, yet a wrong type is refused."""
    for name in _FLAGS:
        body.flag(name)
    body.optional_text("language")
    return body.text("id", length=ID_LENGTH)


def view(world: World, request: Withdrawal) -> dict[str, object]:
    """A withdrawal as get-request shows it."""
    shown = _review(world, request, "withdrawal")
    return {**shown, "trading_id": str(request.place.trading_id), **payout(world, request)}


def petition_view(world: World, petition: Petition) -> dict[str, object]:
    """Any other request as get-request shows it."""
    shown = _review(world, petition, petition.kind.value)
    if petition.kyc is not None:
        client = world.clients[petition.user_id]
        address = next((item.value for item in petition.kyc.fields if item.key == "address"), "")
        shown |= {"name": client.name, "address": address}
    if petition.payment is not None:
        return shown | deposit_fields(petition.payment, petition.status)
    return petition_data(world, petition) | shown


def _review(world: World, request: Review, type_: str) -> dict[str, object]:
    """What get-request shows of a request of any kind."""
    client = world.clients[request.user_id]
    return {
        "id": request.id,
        "type": type_,
        "status": request.status.value,
        "user_id": client.id,
        "ip": "127.0.0.1",
        "language": client.language,
        "user_type": client.type,
        "created_at": stamp(request.created_at),
        "created_by": client.id,
        "timestamp": stamp(request.updated_at),
        "auto": request.auto,
        "pre_step": request.previous_node,
        "pre_event": request.logs[-1].event,
        "user": _user(world, client),
        "flow": {"current": min(request.approved + 1, request.total_nodes), "total": request.total_nodes},
        "logs": [_log(log) for log in request.logs],
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
