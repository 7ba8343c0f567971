"""Who is in the CRM and what they filled in: clients, leads, staff, bank cards, one-time codes.

A password is kept as a digest only, so that neither a dump nor a representation holds one.
"""

import hashlib
from datetime import datetime

from msgspec import Struct, field

Filled = str | list[str] | dict[str, str]


class FilledField(Struct):
    """One field of a form as somebody filled it in."""

    key: str
    type: str
    label: dict[str, str]
    value: Filled
    group_id: str = ""

    def as_json(self) -> dict[str, object]:
        return {"key": self.key, "type": self.type, "label": self.label, "value": self.value}


class Client(Struct, kw_only=True):
    """A person or introducing broker in the CRM."""

    id: str
    name: str
    email: str
    country_code: str
    phone: str
    type: str = "trader"
    group_id: str = "grp00001"
    kyc_status: str = "verified"
    kyc_processing: bool = False
    suspended: bool = False
    language: str = "en-us"
    referral_code: str = ""
    referrer_id: str = ""
    owner_id: str = ""
    participant_ids: list[str] = field(default_factory=list)
    created_at: datetime
    updated_at: datetime
    password_digest: str = ""
    must_change_password: bool = False
    details: list[FilledField] = field(default_factory=list)
    """What was filled in at registration."""
    kyc: list[FilledField] = field(default_factory=list)
    """What was filled in for the KYC form last."""

    @property
    def country(self) -> str:
        """Two lower-case letters, or nothing when the registration does not say."""
        found = (str(item.value) for item in self.details if item.key == "nationality")
        return next(found, "")


class Lead(Struct, kw_only=True):
    """Somebody who may become a client."""

    id: str
    email: str
    name: str = ""
    country_code: str = ""
    phone: str = ""
    form_id: str = ""
    referrer_id: str = ""
    language: str = ""
    details: list[FilledField] = field(default_factory=list)
    created_at: datetime


class Staff(Struct):
    """Somebody in the back office."""

    id: str
    name: str
    email: str


class BankCard(Struct, kw_only=True):
    """A client's bank card or account, as filed for payouts."""

    id: str
    user_id: str
    bank_name: str
    status: str
    form: list[FilledField]
    created_at: datetime
    updated_at: datetime


class Code(Struct, kw_only=True):
    """A one-time code that was sent to somebody who registers; it works once."""

    email: str
    channel: str
    code: str
    form_id: str
    at: datetime


def digest(user_id: str, password: str) -> str:
    """What is kept of a password; the client's id is its salt, which is enough for invented people."""
    return hashlib.sha256(f"{user_id}:{password}".encode()).hexdigest()
