"""What a person may hand over to link a login: its label and the fields of its SPEC."""

import re
from collections.abc import Mapping

from bot.errors import InputError
from bot.providers.base import LoginField, Spec
from bot.providers.registry import PROVIDERS
from bot.secret import Secret

_LABEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,23}", re.ASCII)


def check_label(label: str) -> None:
    """`InputError` unless it is a label a person can type without thinking."""
    if not _LABEL.fullmatch(label) or label in PROVIDERS:
        raise InputError("a label is one short word of small letters, digits, - or _, and no provider's name", "main")


def check_fields(spec: Spec, fields: Mapping[str, Secret]) -> None:
    """`InputError` unless exactly the SPEC's fields are there and each has the right shape."""
    known = {field.key: field for field in spec.fields}
    if set(fields) != set(known):
        raise InputError(f"{spec.title} needs exactly: {', '.join(known)}", ", ".join(known))
    for key, value in fields.items():
        check_field(known[key], value.reveal())


def check_field(field: LoginField, text: str) -> None:
    """`InputError` unless the text has the field's shape."""
    if not fits(field, text):
        raise InputError(f"that does not look like the {field.title} ({field.hint}); send it again, or /cancel", "")


def fits(field: LoginField, text: str) -> bool:
    """Whether the whole text has the field's shape."""
    return re.fullmatch(field.pattern, text, re.ASCII | re.DOTALL) is not None
