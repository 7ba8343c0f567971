"""A prepared request as bytes that can be stored, and back."""

from bot.providers.acts import Prepared
from bot.providers.crm import wire


def wired(request: wire.Request) -> bytes:
    """`POST /path`, a line's end, the body."""
    return f"{request.method} {request.path}\n".encode() + (request.body or b"")


def request_of(prepared: Prepared) -> wire.Request:
    """What was prepared, byte for byte."""
    head, _, body = prepared.wire.partition(b"\n")
    method, _, path = head.decode().partition(" ")
    return wire.Request(method, path, body=body)
