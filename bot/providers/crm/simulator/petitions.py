"""Requests other than withdrawals: KYC forms, deposits, transfers, prop-trading participations and live steps.

The API shows KYC and deposits (get-request); KYC is handed in over it, and decided over it too, as the reject page's
list of types suggests. All else happens in the back office and shows in webhooks and balances. Money of a transfer or a
fee leaves when the client asks, arrives with the last yes and goes back with a no, once each.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from bot.providers.crm.simulator import forms
from bot.providers.crm.simulator.books import Books
from bot.providers.crm.simulator.events import Announcement, of_petition
from bot.providers.crm.simulator.fields import ID_LENGTH, Fields, RefusedError, invalid
from bot.providers.crm.simulator.notation import Place
from bot.providers.crm.simulator.people import Client
from bot.providers.crm.simulator.reviews import Challenge, Kind, Kyc, Payment, Petition, Status, Transfer
from bot.providers.crm.simulator.standing import CENT
from bot.providers.crm.simulator.world import Challenger, Tenant

RATE_STEP = Decimal("0.000001")


class Petitions:
    """Makes these requests and carries out what is decided about them."""

    def __init__(self, tenant: Tenant, books: Books, announce: Callable[[Announcement], None]) -> None:
        self._tenant = tenant
        self._books = books
        self._announce = announce

    def find(self, request_id: str, kind: Kind | None = None) -> Petition:
        petition = self._tenant.world.petitions.get(request_id)
        if petition is None or kind not in (None, petition.kind):
            raise RefusedError("request_not_found")
        return petition

    def read_kyc(self, body: Fields) -> Kyc:
        """A filled KYC form; `invalid_request` for another form or a missing required field."""
        world = self._tenant.world
        form_id = body.text("form_id", length=ID_LENGTH)
        if form_id != world.form_ids.get("kyc"):
            raise invalid()
        filled = forms.read(forms.KYC, body, forms.KYC_GROUP, whole=True)
        return Kyc(form_id=form_id, collection_id=world.form_ids["collection"], fields=filled)

    def submit_kyc(self, client: Client, kyc: Kyc) -> Petition:
        """A client's form is under review; one at a time."""
        if client.kyc_processing:
            raise RefusedError("kyc_duplicate_error")
        client.kyc_processing, client.kyc, client.updated_at = True, kyc.fields, self._tenant.now()
        return self._open(msgspec.structs.replace(self._new(client.id, Kind.KYC), kyc=kyc))

    def ask_deposit(self, payment: Payment) -> Petition:
        """A client begins to pay in; the payment provider's word decides, not the back office."""
        return self._open(msgspec.structs.replace(self._new(payment.place.user_id, Kind.DEPOSIT), payment=payment))

    def ask_transfer(self, source: Place, target: Place, amount: Decimal) -> Petition:
        rates = self._tenant.world.usd_rates
        rate = (rates[source.currency] / rates[target.currency]).quantize(RATE_STEP, ROUND_HALF_EVEN)
        arriving = (amount * rate).quantize(CENT, ROUND_HALF_EVEN)
        if source == target or not arriving:
            raise invalid()
        self._books.require(source, amount)
        transfer = Transfer(source=source, target=target, amount=amount, target_amount=arriving, rate=rate)
        petition = self._open(msgspec.structs.replace(self._new(source.user_id, Kind.TRANSFER), transfer=transfer))
        self._move(source, -amount, petition, "transfer_out", "transfer_requested")
        return petition

    def ask_challenge(self, kind: Kind, challenge: Challenge) -> Petition:
        """A client wants to join a package (its fee leaves now), or has earned a live account."""
        self._books.require(challenge.place, challenge.fee)
        petition = self._open(msgspec.structs.replace(self._new(challenge.place.user_id, kind), challenge=challenge))
        if challenge.fee:
            self._move(challenge.place, -challenge.fee, petition, "withdrawal", "fee_requested")
        return petition

    def approve(self, request_id: str, admin: str) -> Petition:
        """The current node says yes; the last one carries it out."""
        petition = self.find(request_id)
        if petition.pass_node(admin, self._tenant.now()):
            self._carry_out(petition)
        self._tell(petition)
        return petition

    def reject(self, request_id: str, admin: str, comment: str) -> Petition:
        petition = self.find(request_id)
        petition.refuse(admin, comment, self._tenant.now())
        self._take_back(petition)
        self._tell(petition)
        return petition

    def reset(self, request_id: str, admin: str) -> Petition:
        petition = self.find(request_id)
        petition.start_over(admin, self._tenant.now())
        return petition

    def _new(self, user_id: str, kind: Kind) -> Petition:
        world, now = self._tenant.world, self._tenant.now()
        nodes = 1 if kind is Kind.DEPOSIT else max(1, world.settings.levels)
        request_id = world.new_id("petition")
        return Petition(id=request_id, user_id=user_id, kind=kind, created_at=now, updated_at=now, total_nodes=nodes)

    def _open(self, petition: Petition) -> Petition:
        petition.log("create", petition.user_id, petition.created_at)
        self._tenant.world.petitions[petition.id] = petition
        return petition

    def _carry_out(self, petition: Petition) -> None:
        """What the last yes means, by kind."""
        if petition.kyc is not None:
            self._settle_kyc(petition, "verified")
        elif petition.payment is not None:
            payment = petition.payment
            reference = payment.transaction_id or payment.order_no
            self._books.book(payment.place, payment.amount, payment.order_no, method="PSP", ref_id=reference)
            self._record("psp_deposit", "psp", payment.place.label, payment.amount, payment.place, payment.order_no)
        elif petition.transfer is not None:
            transfer = petition.transfer
            self._move(transfer.target, transfer.target_amount, petition, "transfer_in", "transfer_carried_out")
        elif petition.kind is Kind.PROP_TRADING and petition.challenge is not None:
            self._admit(petition, petition.challenge.place)

    def _take_back(self, petition: Petition) -> None:
        """What a no means, by kind."""
        if petition.kyc is not None:
            self._settle_kyc(petition, "rejected")
        elif petition.transfer is not None:
            source = petition.transfer.source
            self._move(source, petition.transfer.amount, petition, "transfer_in", "transfer_returned")
        elif petition.challenge is not None and petition.challenge.fee:
            self._move(petition.challenge.place, petition.challenge.fee, petition, "deposit", "fee_returned")

    def _settle_kyc(self, petition: Petition, status: str) -> None:
        client = self._tenant.world.clients[petition.user_id]
        client.kyc_status, client.kyc_processing, client.updated_at = status, False, self._tenant.now()

    def _admit(self, petition: Petition, place: Place) -> None:
        self._tenant.world.challengers.append(
            Challenger(
                init_request_id=petition.id,
                user_id=petition.user_id,
                platform=place.platform,
                connection_id=place.connection_id,
                login=place.login or 0,
            )
        )

    def _move(self, place: Place, amount: Decimal, petition: Petition, row: str, entry: str) -> None:
        """Book the signed `amount` as a row of that type, and record it."""
        self._books.book(place, amount, f"R-{petition.id}", kind=row)
        ends = (place.label, f"held:{petition.id}")
        source, target = ends if amount < 0 else ends[::-1]
        self._record(entry, source, target, abs(amount), place, petition.id)

    def _record(self, kind: str, source: str, target: str, amount: Decimal, place: Place, reference: str) -> None:
        self._books.record(kind, source, target, amount, place.currency, reference)

    def _tell(self, petition: Petition) -> None:
        announcement = of_petition(self._tenant.world, petition)
        if announcement is not None:
            self._announce(announcement)


def deposit_fields(payment: Payment, status: Status) -> dict[str, object]:
    """What get-request adds for a deposit, in the words of the payment pages; the vendor's own are past the cut."""
    place = payment.place
    return {
        "trading_id": str(place.trading_id),
        "trading_platform": place.platform,
        "trading_connection_id": place.connection_id,
        "trading_currency": place.currency,
        "trading_amount": f"{payment.amount:f}",
        "payment_method": "PSP",
        "payment_currency": place.currency,
        "payment_total": f"{payment.amount:f}",
        "order_no": payment.order_no,
        "transaction_id": payment.transaction_id,
        "payment_status": status.value,
    }
