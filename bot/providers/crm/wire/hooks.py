"""Webhooks: what the CRM tells by itself, and how it is believed. Pure.

An event is a hint, never the truth: it is kept, and the request is read. Anything can be sent twice, late, and out of
order; the documents name no delivery id and no time.
"""

import hmac
import re

import msgspec

from bot.providers.crm.wire.grammar import Text, decoder_of, fit, glance
from bot.providers.crm.wire.requests import Withdrawal

HEADER = "x-crm-signature"
_DIGEST = re.compile(r"(?:sha256=)?([0-9a-f]{64})", re.ASCII)
_NODE = re.compile(r"crm\.webhooks\.requests\.withdrawal\.approve\.node\.([0-9]{1,2})", re.ASCII)
REJECTED = "crm.webhooks.requests.withdrawal.reject"


class Source(msgspec.Struct, frozen=True):
    """Which event it is."""

    event: str


class Subject(msgspec.Struct, frozen=True):
    """What an event is about, as far as this house asks."""

    id: Text | None = None
    status: Text | None = None


class Event(msgspec.Struct, frozen=True):
    """One webhook."""

    source: Source
    data: Subject

    @property
    def is_withdrawal(self) -> bool:
        return self.source.event == REJECTED or _NODE.fullmatch(self.source.event) is not None


class _Told(msgspec.Struct, frozen=True):
    data: Withdrawal


_EVENT = decoder_of(Event)


def is_signature(presented: list[str]) -> bool:
    """Whether what stands in the header can be a signature at all: one, in one of the two forms."""
    return len(presented) == 1 and _DIGEST.fullmatch(presented[0]) is not None


def is_signed(secret: str, presented: list[str], body: bytes) -> bool:
    """Whether the one signature presented is that of this body: 64 lower-case hex digits, bare or behind `sha256=`."""
    if not is_signature(presented) or not secret:
        return False
    wanted = hmac.digest(secret.encode(), body, "sha256").hex()
    return hmac.compare_digest(presented[0].removeprefix("sha256="), wanted)


def parse_event(body: bytes) -> Event:
    """Which event it is and what it is about: a hint, so more of it is not looked at."""
    return glance("webhook", body, _EVENT)


def parse_told(body: bytes) -> Withdrawal:
    """A withdrawal as the webhook tells it, for tenants on which it cannot be read.

    Raises:
        ReplyError: It is not told whole.
    """
    return fit("webhook", body, _Told).data
