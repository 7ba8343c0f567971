"""What the CRM tells when something was decided (webhooks introduction and the pages of each event). Pure.

The older generation of the pages knows withdrawals and prop trading; transfers, KYC and new clients are the newer's. No
event tells of a newly submitted request: the vendor has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.clock import to_millis
from bot.providers.crm.simulator.notation import Place, plain, stamp, written
from bot.providers.crm.simulator.people import Client
from bot.providers.crm.simulator.reviews import Challenge, Kind, Kyc, Petition, Review, Status, Transfer
from bot.providers.crm.simulator.world import World

SLUG = "crm.webhooks."
GROUP = "crm.webhooks.groups."
_WORDS = {
    Kind.KYC: "kyc",
    Kind.TRANSFER: "transfer",
    Kind.PROP_TRADING: "propTrading",
    Kind.PROP_LIVE: "propTradingLive",
}
_NEWER = {Kind.KYC, Kind.TRANSFER}


@dataclass(frozen=True, slots=True)
class Announcement:
    """One event; `subject` is the id it is about."""

    event: str
    group: str
    subject: str
    data: Mapping[str, object]
    service: str = "requests"

    def payload(self, name: str) -> dict[str, object]:
        """The body sent to the webhook of that name."""
        return {
            "source": {"service": self.service, "group": self.group, "event": self.event},
            "target": {"name": name},
            "version": "1.0.0",
            "data": self.data,
        }


def decided(word: str, review: Review, data: Mapping[str, object]) -> Announcement:
    """The event of the decision just made on a request of the kind that `word` names."""
    act = "reject" if review.status is Status.REJECTED else f"approve.node.{review.approved}"
    return Announcement(f"{SLUG}requests.{word}.{act}", f"{GROUP}requests.{word}", review.id, data)


def of_petition(world: World, petition: Petition) -> Announcement | None:
    """None for a kind without an event, or without one on this tenant's generation."""
    word = _WORDS.get(petition.kind)
    if word is None or (petition.kind in _NEWER and world.settings.generation == "A"):
        return None
    return decided(word, petition, petition_data(world, petition))


def new_client(client: Client, creation_type: str) -> Announcement:
    data = {
        "client_id": client.id,
        "client_name": client.name,
        "email": client.email,
        "phone": {"country_code": client.country_code, "number": client.phone},
        "create_time": to_millis(client.created_at),
        "creation_type": creation_type,
    }
    return Announcement(f"{SLUG}users.create", f"{GROUP}users.create", client.id, data, "admin-api")


def petition_data(world: World, petition: Petition) -> dict[str, object]:
    data: dict[str, object] = {
        "id": petition.id,
        "type": petition.kind.value,
        "status": petition.status.value,
        "user_id": petition.user_id,
        "request_time": stamp(petition.created_at),
    }
    flow = {}
    if petition.kyc is not None:
        data |= _kyc(petition.kyc)
        flow = {"kyc_flow": petition.steps()}
    elif petition.transfer is not None:
        data |= _transfer(world, petition.user_id, petition.transfer)
        flow = {"transfer_flow": petition.steps()}
    elif petition.challenge is not None:
        live = petition.kind is Kind.PROP_LIVE
        data |= _live(petition.challenge) if live else _participation(petition.challenge)
        flow = {} if live else {"prop_trading_flow": petition.steps()}
        if live and petition.status is Status.REJECTED:
            data["status"] = Status.PENDING.value  # as the vendor's own sample has it: the slug decides
    return data | ({} if petition.status is Status.REJECTED else flow)


def _kyc(kyc: Kyc) -> dict[str, object]:
    fields = [item.as_json() | {"group_id": item.group_id} for item in kyc.fields]
    return {"form_id": kyc.form_id, "collection_id": kyc.collection_id, "kyc_fields": fields}


def _end(prefix: str, place: Place, amount: str) -> dict[str, object]:
    return {
        f"{prefix}_trading_id": place.trading_id,
        f"{prefix}_platform": place.platform,
        f"{prefix}_connection_id": place.connection_id,
        f"{prefix}_amount": amount,
        f"{prefix}_currency": place.currency,
    }


def _transfer(world: World, user_id: str, transfer: Transfer) -> dict[str, object]:
    data = _end("source", transfer.source, written(transfer.amount))
    data |= _end("target", transfer.target, written(transfer.target_amount))
    data |= {"rate": plain(transfer.rate), "rate2": 1, "source_input": True, "transfer_type": "oneself"}
    if transfer.target.user_id != user_id:
        other = world.clients[transfer.target.user_id]
        data |= {
            "transfer_type": "others",
            "beneficiary_name": other.name,
            "beneficiary_email": other.email,
            "beneficiary_phone": f"+{other.country_code} {other.phone}",
            "beneficiary_user_id": other.id,
        }
    return data


def _participation(challenge: Challenge) -> dict[str, object]:
    place = challenge.place
    return {
        "package_name": challenge.package,
        "registration_fee": plain(challenge.fee),
        "fee_type": "balance_deduct",
        "payment_total": plain(challenge.fee),
        "payment_fee": 0,
        "payment_platform": place.platform,
        "payment_currency": place.currency,
        "payment_trading_id": str(place.trading_id),
        "payment_connection_id": place.connection_id,
    }


def _live(challenge: Challenge) -> dict[str, object]:
    """The vendor's table says text, its sample has numbers; these are numbers."""
    return {
        "package_name": challenge.package,
        "platform": challenge.place.platform,
        "connection_id": challenge.place.connection_id,
        "group": challenge.group,
        "leverage": challenge.leverage,
        "initial_balance": plain(challenge.initial_balance),
        "max_daily_loss_percent": 5,
        "max_loss_percent": 10,
        "profit_target_percent": 8,
    }
