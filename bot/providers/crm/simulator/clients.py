"""The client calls: get-users, get-user, get-user-details, KYC details, credentials, up- and downlines, bank cards.

KYC details, the check of credentials and uplines have no stored page and take the shape their siblings suggest. Wrong
credentials of a known client are `{"valid": false}`, our choice.
"""

import hmac
from collections.abc import Callable, Iterable, Sequence

from bot.providers.crm.simulator.fields import ID_LENGTH, Fields, RefusedError, invalid
from bot.providers.crm.simulator.gate import Answer, Call, Duty
from bot.providers.crm.simulator.notation import stamp
from bot.providers.crm.simulator.people import Client, digest
from bot.providers.crm.simulator.world import Tenant

_IN_TRADING_ACCOUNTS = ("mt4", "mt5")  # the platforms the page names


class Clients:
    """What the API shows of clients."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def duties(self) -> Sequence[Duty]:
        return (
            Duty("GET", "/users", self.listing),
            Duty("GET", "/users/{id}", self.get),
            Duty("GET", "/users/{id}/details", self.details),
            Duty("GET", "/users/{id}/profile", self.kyc),
            Duty("GET", "/users/{id}/kyc", self.kyc),
            Duty("POST", "/users/validate", self.validate),
            Duty("POST", "/users/uplines", self.uplines),
            Duty("POST", "/users/downlines", self.downlines),
            Duty("GET", "/payments/{id}/bankcards", self.bank_cards),
        )

    def listing(self, call: Call) -> Answer:
        skip, limit = call.query.page()
        kind = call.query.optional_text("type")
        if kind not in (None, "ib", "trader"):
            raise invalid()
        suspended = call.query.flag("suspended")
        found = [
            client
            for client in self._tenant.world.clients.values()
            if client.suspended == suspended and kind in (None, client.type)
        ]
        return Answer({"count": len(found), "records": [self._record(client) for client in found[skip : skip + limit]]})

    def get(self, call: Call) -> Answer:
        client = self._client(call.path["id"])
        shown = self._card(client)
        if call.query.flag("owner"):
            shown["owner"] = self._staff(client.owner_id)
        if call.query.flag("participants"):
            shown["participants"] = [self._staff(staff_id) for staff_id in client.participant_ids]
        return Answer(shown)

    def details(self, call: Call) -> Answer:
        return Answer([item.as_json() for item in self._client(call.path["id"]).details])

    def kyc(self, call: Call) -> Answer:
        return Answer([item.as_json() for item in self._client(call.path["id"]).kyc])

    def validate(self, call: Call) -> Answer:
        email, password = call.body.email(), call.body.text("password", most=64)
        client = self._by_email(email)
        kept = client.password_digest.encode()
        if not hmac.compare_digest(kept, digest(client.id, password).encode()):
            return Answer({"valid": False})
        return Answer({"valid": True, "id": client.id})

    def uplines(self, call: Call) -> Answer:
        clients = self._tenant.world.clients
        client = self._named(call.body)
        return Answer(_tree(client, "uplines", lambda of: [clients[of.referrer_id]] if of.referrer_id else []))

    def downlines(self, call: Call) -> Answer:
        everyone = list(self._tenant.world.clients.values())
        client = self._named(call.body)
        return Answer(
            _tree(client, "downlines", lambda of: (other for other in everyone if other.referrer_id == of.id))
        )

    def bank_cards(self, call: Call) -> Answer:
        client = self._client(call.path["id"])
        return Answer(
            [
                {
                    "id": card.id,
                    "bank_name": card.bank_name,
                    "user_id": card.user_id,
                    "created_at": stamp(card.created_at),
                    "updated_at": stamp(card.updated_at),
                    "status": card.status,
                    "form": [item.as_json() for item in card.form],
                }
                for card in self._tenant.world.cards
                if card.user_id == client.id
            ]
        )

    def _client(self, user_id: str) -> Client:
        client = self._tenant.world.clients.get(user_id)
        if client is None:
            raise RefusedError("user_not_found")
        return client

    def _by_email(self, email: str) -> Client:
        found = (client for client in self._tenant.world.clients.values() if client.email == email)
        client = next(found, None)
        if client is None:
            raise RefusedError("user_not_found")
        return client

    def _named(self, body: Fields) -> Client:
        """By `user_id`, or by `email`; one of them must be there, and both must mean the same client."""
        user_id, email = body.optional_text("user_id", length=ID_LENGTH), body.optional_text("email")
        if user_id is None and email is None:
            raise invalid()
        client = self._by_email(email or "") if user_id is None else self._client(user_id)
        if email not in (None, client.email):
            raise RefusedError("user_not_found")
        return client

    def _staff(self, staff_id: str) -> dict[str, object]:
        staff = self._tenant.world.staff.get(staff_id)
        return {"id": staff.id, "name": staff.name, "email": staff.email} if staff else {}

    def _card(self, client: Client) -> dict[str, object]:
        """What both calls show of a client."""
        return {
            "id": client.id,
            "name": client.name,
            "email": client.email,
            "phone": _phone(client),
            "type": client.type,
            "referral_code": client.referral_code,
            "trading_accounts": [
                {"platform": item.platform, "connection_id": item.connection_id, "trading_id": str(item.login)}
                for item in self._tenant.world.accounts
                if item.user_id == client.id and item.platform in _IN_TRADING_ACCOUNTS
            ],
            "created_at": stamp(client.created_at),
        }

    def _record(self, client: Client) -> dict[str, object]:
        world = self._tenant.world
        opened = [account.created_at for account in world.accounts if account.user_id == client.id]
        referrer = world.clients.get(client.referrer_id)
        return {
            **self._card(client),
            "group_id": client.group_id,
            "group_name": world.groups[client.group_id]["en-us"],
            "kyc_status": client.kyc_status,
            "kyc_processing": client.kyc_processing,
            "referrer_id": client.referrer_id,
            "referrer_name": referrer.name if referrer else "",
            "downline_count": str(sum(other.referrer_id == client.id for other in world.clients.values())),
            "first_open_time": stamp(min(opened)) if opened else "",
            "updated_at": stamp(client.updated_at),
        }


def _phone(client: Client) -> dict[str, str]:
    return {"country_code": client.country_code, "number": client.phone}


def _tree(client: Client, name: str, next_of: Callable[[Client], Iterable[Client]]) -> dict[str, object]:
    """The client with those next to it under `name`, and theirs under them."""
    branches = [_tree(other, name, next_of) for other in next_of(client)]
    return {"id": client.id, "email": client.email, "phone": _phone(client), name: branches}
