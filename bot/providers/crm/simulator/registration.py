"""How people come into the CRM: users/create-user, leads, one-time codes, registration in steps, submit-user-kyc.

Creating a lead has no stored page. Our choices: `email_exists` and `id_exists` for what is there already; one of the
two codes of the multi-step registration is enough, each works once; a name comes from the form's field of that key,
else from the address. The codes the tenant sent by mail or phone show on the control side.
"""

from collections.abc import Callable, Sequence

from bot.providers.crm.simulator import forms
from bot.providers.crm.simulator.events import Announcement, new_client
from bot.providers.crm.simulator.fields import ID_LENGTH, Fields, RefusedError, invalid
from bot.providers.crm.simulator.gate import Answer, Call, Duty
from bot.providers.crm.simulator.notation import ZERO
from bot.providers.crm.simulator.people import Client, Code, Lead, digest
from bot.providers.crm.simulator.petitions import Petitions
from bot.providers.crm.simulator.world import Tenant, Wallet

CODE_LENGTH = 6


class Registration:
    """What the API does for people who are not clients yet."""

    def __init__(self, tenant: Tenant, petitions: Petitions, announce: Callable[[Announcement], None]) -> None:
        self._tenant = tenant
        self._petitions = petitions
        self._announce = announce

    def duties(self) -> Sequence[Duty]:
        return (
            Duty("POST", "/users/create", self.create),
            Duty("POST", "/leads/create", self.create_lead),
            Duty("POST", "/account/register/request", self.send_code),
            Duty("POST", "/account/register/multistep", self.register),
            Duty("POST", "/users/{id}/profile/submit", self.submit_kyc, lambda settings: settings.generation == "B"),
        )

    def create(self, call: Call) -> Answer:
        body = call.body
        body.flag("mail")
        must_change = body.boolean("update_password")
        client = self._new_client(body, body.optional_text("id", length=ID_LENGTH))
        client.must_change_password = must_change
        self._join(client, "admin_created")
        return Answer({"id": client.id}, 201)

    def create_lead(self, call: Call) -> Answer:
        body, world = call.body, self._tenant.world
        country_code, number = body.phone()
        lead = Lead(
            email=body.email(),
            name=body.optional_text("name") or "",
            country_code=country_code,
            phone=number,
            form_id=self._form(body.optional_text("form_id", length=ID_LENGTH)),
            referrer_id=self._referrer(body),
            language=body.optional_text("language") or "",
            details=forms.read(forms.REGISTRATION, body),
            created_at=self._tenant.now(),
            id=world.new_id("lead"),  # last: what is refused above uses no number up
        )
        world.leads.append(lead)
        return Answer({"id": lead.id}, 201)

    def send_code(self, call: Call) -> Answer:
        """Send somebody a one-time code; nothing else happens until it comes back."""
        body = call.body
        email, channel = body.email(), body.optional_text("otp_type") or "email"
        self._require_trader(body)
        body.new_password()
        if self._tenant.world.settings.generation == "B":
            body.text("name")
        form_id = self._form(body.text("form_id", length=ID_LENGTH))
        self._referrer(body)
        if channel not in ("email", "phone") or (channel == "phone" and not body.phone()[1]):
            raise invalid()
        self._require_new(email)
        code = f"{int(self._tenant.world.new_id('code'), 36) % 10**CODE_LENGTH:0{CODE_LENGTH}}"
        self._tenant.world.codes.append(
            Code(email=email, channel=channel, code=code, form_id=form_id, at=self._tenant.now())
        )
        return Answer(status=204)

    def register(self, call: Call) -> Answer:
        """Make a client of somebody who shows a code, and hand in their KYC form."""
        if call.body.text("trader_register") != "trader_register":
            raise invalid()
        person, kyc = call.body.part("register"), call.body.part("kyc")
        self._require_trader(person)
        person.optional_text("link_id", length=ID_LENGTH)
        client = self._new_client(person, None)
        form = self._petitions.read_kyc(kyc)
        self._use_code(person)
        self._join(client, "self_registration")
        self._petitions.submit_kyc(client, form)
        return Answer(status=204)

    def submit_kyc(self, call: Call) -> Answer:
        """A client's KYC form goes under review; a phone number that comes with it is theirs from now on."""
        client = self._tenant.world.clients.get(call.path["id"])
        form = self._petitions.read_kyc(call.body)
        country_code, number = call.body.phone()
        if client is None:
            raise RefusedError("account_not_found")
        petition = self._petitions.submit_kyc(client, form)
        client.country_code, client.phone = country_code or client.country_code, number or client.phone
        return Answer({"id": petition.id})

    def _new_client(self, body: Fields, wanted_id: str | None) -> Client:
        """The client that `body` describes; not yet in the world."""
        world, now = self._tenant.world, self._tenant.now()
        email, password = body.email(), body.new_password()
        self._form(body.text("form_id", length=ID_LENGTH))
        details = forms.read(forms.REGISTRATION, body)
        country_code, number = body.phone()
        referrer_id = self._referrer(body)
        self._require_new(email)
        if wanted_id is not None and wanted_id in world.clients:
            raise RefusedError("id_exists")
        user_id = wanted_id or world.new_id("client")
        named = next((str(item.value) for item in details if item.key == "name"), "")
        return Client(
            id=user_id,
            name=named or email.partition("@")[0],
            email=email,
            country_code=country_code,
            phone=number,
            kyc_status="pending",
            language=body.optional_text("language") or "en-us",
            referral_code=f"R{len(world.clients):04}",
            referrer_id=referrer_id,
            created_at=now,
            updated_at=now,
            password_digest=digest(user_id, password),
            details=details,
        )

    def _join(self, client: Client, creation_type: str) -> None:
        world = self._tenant.world
        world.clients[client.id] = client
        world.wallets[client.id] = {"USD": Wallet(world.new_id("wallet"), ZERO)}
        if world.settings.generation == "B":
            self._announce(new_client(client, creation_type))

    def _use_code(self, person: Fields) -> None:
        """One of the codes sent to that address must be shown; it is spent by that."""
        given = {person.optional_text("email_code"), person.optional_text("phone_code")}
        codes, email = self._tenant.world.codes, person.email()
        spent = next((code for code in codes if code.email == email and code.code in given), None)
        if spent is None:
            raise RefusedError("invalid_validation_code")
        codes.remove(spent)

    def _require_new(self, email: str) -> None:
        if any(client.email == email for client in self._tenant.world.clients.values()):
            raise RefusedError("email_exists")

    def _require_trader(self, body: Fields) -> None:
        if body.text("type") != "trader":
            raise invalid()

    def _form(self, form_id: str | None) -> str:
        if form_id not in (None, self._tenant.world.form_ids.get("registration")):
            raise invalid()
        return form_id or ""

    def _referrer(self, body: Fields) -> str:
        referrer_id = body.optional_text("referrer_id", length=ID_LENGTH)
        if referrer_id is not None and referrer_id not in self._tenant.world.clients:
            raise RefusedError("user_not_found")
        return referrer_id or ""
