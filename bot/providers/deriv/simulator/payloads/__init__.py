"""The bodies of replies, field by field as the receive side of the schemas has them.

A body is the reply without its envelope. A stream's id appears twice where the service shows it twice: inside the
payload and as `subscription.id`.
"""

from typing import Any

Payload = dict[str, Any]


def streamed(body: Payload, stream_id: str | None) -> Payload:
    """The body with the id of the stream it belongs to, if it does."""
    return body if stream_id is None else {**body, "subscription": {"id": stream_id}}
