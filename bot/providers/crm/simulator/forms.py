"""Forms that clients fill in, as this tenant has set them up, and how a filled one is read. Pure.

The pages do not say whether a form's own fields travel at the top level of a body or nested in `custom_fields`; both
are read here. A key the form does not have is ignored.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bot.network.strictjson import Json
from bot.providers.crm.simulator.fields import Fields, invalid
from bot.providers.crm.simulator.people import Filled, FilledField

NESTED = "custom_fields"


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a form; `options` for those that choose."""

    key: str
    type: str
    english: str
    chinese: str
    required: bool = False
    options: tuple[str, ...] = ()

    @property
    def label(self) -> dict[str, str]:
        return {"en-us": self.english, "zh-cn": self.chinese}

    def as_json(self) -> dict[str, object]:
        return {
            "key": self.key,
            "label": self.label,
            "required": self.required,
            "type": self.type,
            "options": list(self.options),
            "disabled": False,
            "readonly": False,
            "docs": [],
        }

    def filled(self, value: Json, group_id: str = "") -> FilledField:
        if self.options and value not in self.options:
            raise invalid()
        return FilledField(self.key, self.type, self.label, _kept(value), group_id)


REGISTRATION = (
    FormField("name", "text", "Name", "姓名"),
    FormField("nationality", "select", "Nationality", "国籍", options=("sg", "cn", "gb", "es", "se", "th", "lv", "ae")),
    FormField("city", "text", "City", "城市"),
    FormField("experience", "radio", "Experience", "经验", options=("none", "some", "much")),
)
KYC = (
    FormField("id_type", "select", "Document", "证件", required=True, options=("passport", "id_card", "licence")),
    FormField("id_number", "text", "Document no.", "证件号码", required=True),
    FormField("id_front", "file", "Front", "正面"),
    FormField("address", "text", "Address", "地址"),
)
KYC_GROUP = "identity"


def form(form_id: str, type_: str, group: str, fields: Sequence[FormField]) -> dict[str, object]:
    """A form as the form calls show it."""
    shown = {"key": group, "label": {"en-us": group.capitalize()}, "fields": [field.as_json() for field in fields]}
    return {"id": form_id, "type": type_, "groups": [shown]}


def read(fields: Sequence[FormField], body: Fields, group_id: str = "", *, whole: bool = False) -> list[FilledField]:
    """What `body` fills in; with `whole` a missing required field is refused."""
    given = {**body.values, **body.part(NESTED).values}
    if whole and any(field.required and given.get(field.key) in (None, "") for field in fields):
        raise invalid()
    return [field.filled(given[field.key], group_id) for field in fields if given.get(field.key) is not None]


def _kept(value: Json) -> Filled:
    """A text, a list of texts or an object of texts; whatever is nested deeper is kept as its JSON text."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {name: _text(item) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [_text(item) for item in value]
    return _text(value)


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    return json.dumps(value, ensure_ascii=False, default=str)
