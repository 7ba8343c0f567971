"""A prepared deal as bytes that can be stored, and back. Pure.

POST /api/v1/positions              the request
{"epic": …}                         its body, byte for byte
{"at": …, "deals": […], …}          how things stood before: what is found later is new, or changed, against it
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from bot.providers.acts import Prepared
from bot.providers.capital.wire.grammar import Request, from_millis


class Before(msgspec.Struct, frozen=True, omit_defaults=True):
    """How things stood when a deal was prepared."""

    at: int
    """By the provider's clock, in epoch milliseconds."""
    deals: tuple[str, ...] = ()
    """Positions and orders that were there already, of the same market and account."""
    against: tuple[str, ...] = ()
    """Of these the positions that go the other way: an order may consume them, instead of opening one."""
    level: Decimal | None = None
    stop: Decimal | None = None
    limit: Decimal | None = None
    till: str = ""

    @property
    def moment(self) -> datetime:
        return from_millis(self.at)


def wired(request: Request, before: Before) -> bytes:
    head = f"{request.method} {request.path}".encode()
    return b"\n".join((head, request.body or b"", msgspec.json.encode(before)))


def unwired(prepared: Prepared) -> tuple[Request, Before]:
    """What was prepared, byte for byte, and how things stood."""
    head, body, before = prepared.wire.split(b"\n")
    method, _, path = head.decode().partition(" ")
    return Request(method, path, body or None), msgspec.json.decode(before, type=Before)
