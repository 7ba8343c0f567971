"""What a tenant has set up and shows: countries, states, cities, forms, upload signatures, account types.

Only the registration form and the upload signature have a stored page; the others take the shapes these suggest. The
list of countries is short on purpose and not the world's.
"""

from collections.abc import Sequence

from bot.loopback.simulator import Switches
from bot.providers.crm.simulator import forms
from bot.providers.crm.simulator.fields import ID_LENGTH, invalid
from bot.providers.crm.simulator.gate import Answer, Call, Duty
from bot.providers.crm.simulator.world import Tenant

_COUNTRIES = {
    "sg": "Singapore", "cn": "China", "gb": "United Kingdom", "es": "Spain", "se": "Sweden", "th": "Thailand",
    "lv": "Latvia", "ae": "United Arab Emirates",
}  # fmt: skip
_STATES = {
    "sg": {"01": "Central Singapore", "02": "North East"},
    "cn": {"bj": "北京", "sh": "上海", "gd": "广东"},
    "es": {"md": "Madrid", "ct": "Catalunya"},
}
_CITIES = {
    ("sg", "01"): {"sgp": "Singapore"},
    ("cn", "gd"): {"can": "广州", "szx": "深圳"},
    ("es", "ct"): {"bcn": "Barcelona", "gro": "Girona"},
}
_UPLOADED_TYPES = {
    "image/png", "image/jpeg", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon", "application/pdf",
    "application/vnd.ms-excel", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "text/csv",
    "application/msword", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "text/plain",
    "application/gzip", "application/x-gzip",
}  # fmt: skip


class Configuration:
    """What the API shows of the tenant's own set-up."""

    def __init__(self, tenant: Tenant, switches: Switches) -> None:
        self._tenant = tenant
        self._switches = switches

    def duties(self) -> Sequence[Duty]:
        return (
            Duty("GET", "/configuration/countries", lambda _: Answer(_named(_COUNTRIES))),
            Duty("GET", "/configuration/states", self.states),
            Duty("GET", "/configuration/cities", self.cities),
            Duty("GET", "/form/registration/trader", self.registration_form),
            Duty("GET", "/form/kyc/collections", self.kyc_collections),
            Duty("GET", "/form/kyc", self.kyc_form),
            Duty("GET", "/form/s3/signature", self.upload_signature),
            Duty("GET", "/tradingAccounts/types", self.account_types),
        )

    def states(self, call: Call) -> Answer:
        return Answer(_named(_STATES.get(_country(call), {})))

    def cities(self, call: Call) -> Answer:
        return Answer(_named(_CITIES.get((_country(call), call.query.text("state")), {})))

    def registration_form(self, _: Call) -> Answer:
        form_id = self._tenant.world.form_ids["registration"]
        return Answer(forms.form(form_id, "trader_register", "personal", forms.REGISTRATION))

    def kyc_collections(self, _: Call) -> Answer:
        ids = self._tenant.world.form_ids
        return Answer([{"id": ids["collection"], "name": {"en-us": "Individuals"}, "form_id": ids["kyc"]}])

    def kyc_form(self, call: Call) -> Answer:
        ids = self._tenant.world.form_ids
        if call.query.text("collection_id", length=ID_LENGTH) != ids["collection"]:
            raise invalid()
        shown = forms.form(ids["kyc"], "kyc", forms.KYC_GROUP, forms.KYC)
        return Answer({**shown, "collection_id": ids["collection"]})

    def upload_signature(self, call: Call) -> Answer:
        """Where and with which fields a document may be uploaded; its id is made by the caller."""
        query, world = call.query, self._tenant.world
        id_length = 4 if world.settings.generation == "B" else 8
        document_id, form_id = query.text("id", length=id_length), query.text("form_id", length=ID_LENGTH)
        name, content_type = query.text("document", most=255), query.text("content_type")
        if content_type not in _UPLOADED_TYPES or form_id not in world.form_ids.values():
            raise invalid()
        fields = {"key": f"{form_id}/{document_id}/{name}", "Content-Type": content_type}
        return Answer({"url": f"{self._switches.origin_http}/uploads", "fields": fields})

    def account_types(self, _: Call) -> Answer:
        return Answer(
            [
                {"id": item.id, "name": item.name, "platform": item.platform, "connection_id": item.connection_id}
                for item in self._tenant.world.account_types
            ]
        )


def _country(call: Call) -> str:
    country = call.query.text("country")
    if country not in _COUNTRIES:
        raise invalid()
    return country


def _named(names: dict[str, str]) -> list[dict[str, str]]:
    return [{"code": code, "name": name} for code, name in names.items()]
