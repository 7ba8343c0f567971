"""Registering traders, the forms for it, countries, and prop trading. Pure."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from bot.providers.crm import body as bodies
from bot.providers.crm.wire.grammar import Request, Text, fit, get, send

Place = Literal["countries", "states", "cities"]


class Option(msgspec.Struct, frozen=True):
    """A country, state or city. [N]"""

    code: Text
    name: Text | None = None


class FormField(msgspec.Struct, frozen=True):
    """A field to fill in. `required` comes as a boolean or as 0 and 1: both are read as text."""

    key: Text
    label: Text | None = None
    required: Text | None = None
    type: Text | None = None
    options: Text | None = None

    @property
    def is_required(self) -> bool:
        return self.required in ("yes", "1", "true")


class FormGroup(msgspec.Struct, frozen=True):
    """Fields that stand together."""

    key: Text | None = None
    label: Text | None = None
    fields: tuple[FormField, ...] | None = None


class Form(msgspec.Struct, frozen=True):
    """A form of the tenant's own."""

    id: Text | None = None
    type: Text | None = None
    groups: tuple[FormGroup, ...] | None = None


class Upload(msgspec.Struct, frozen=True):
    """Where a document may be posted to, and the fields that prove it."""

    url: Text
    fields: dict[str, Text] = {}

    def __repr__(self) -> str:
        return "Upload(…)"


def build_places(what: Place, chosen: Mapping[str, str]) -> Request:
    """[N]"""
    return get(f"/configuration/{what}", **chosen)


def build_registration_form() -> Request:
    return get("/form/registration/trader")


def build_kyc_forms() -> Request:
    """[N]"""
    return get("/form/kyc/collections")


def build_kyc_form(collection_id: str) -> Request:
    """[N]"""
    return get("/form/kyc", collection_id=collection_id)


def build_upload(document_id: str, form_id: str, document: str, content_type: str) -> Request:
    chosen = {"id": document_id, "form_id": form_id, "document": document, "content_type": content_type}
    return get("/form/s3/signature", **chosen)


def build_code(fields: bodies.Fields) -> Request:
    return send("POST", "/account/register/request", {"type": "trader", **fields})


def build_registration(register: Mapping[str, bodies.Value], kyc: Mapping[str, bodies.Value] | None) -> Request:
    whole: bodies.Value = {"type": "trader", **register}
    fields: bodies.Fields = {"trader_register": "trader_register", "register": whole, "kyc": kyc}
    return send("POST", "/account/register/multistep", fields)


def build_prop_step(what: Literal["upgrade", "failed"], fields: bodies.Fields) -> Request:
    return send("POST", f"/propTrading/users/{what}", fields)


def parse_places(reply: bytes) -> tuple[Option, ...]:
    return fit("places", reply, tuple[Option, ...])


def parse_form(reply: bytes) -> Form:
    return fit("form", reply, Form)


def parse_forms(reply: bytes) -> tuple[Form, ...]:
    return fit("forms", reply, tuple[Form, ...])


def parse_upload(reply: bytes) -> Upload:
    return fit("upload", reply, Upload)
