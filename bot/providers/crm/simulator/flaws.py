"""What can be wrong with a webhook, for a receiver that must notice. Pure but for the waits of a slow body.

missing    no signature            wrong      another one            sha1       HMAC-SHA1 with `sha1=`
upper      upper-case hex          reencoded  over other JSON text   twice      a wrong one beside the right one
published  signed with the secret printed on the vendor's page
big        5 MB, signed            endless    chunks without end     slow       a byte at a time, signed
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from enum import StrEnum

from bot.providers.crm.simulator import signature

PUBLISHED_SECRET = "It's a Secret to Everybody"
BIG_BYTES = 5_000_000
_CHUNK = b" " * (1 << 16)
_ENDLESS_CHUNKS = 4096
_DRIP_SECONDS = 0.05


class Flaw(StrEnum):
    """How a delivery is spoilt; `NONE` is as it should be."""

    NONE = ""
    MISSING = "missing"
    WRONG = "wrong"
    SHA1 = "sha1"
    UPPER = "upper"
    REENCODED = "reencoded"
    TWICE = "twice"
    PUBLISHED = "published"
    BIG = "big"
    ENDLESS = "endless"
    SLOW = "slow"


def headers(flaw: Flaw, secret: str, good: str, body: bytes) -> list[str]:
    """The signature headers of a delivery whose right one is `good` (empty without a secret)."""
    plain = good.removeprefix(signature.PREFIX)
    prefix = good[: len(good) - len(plain)]
    match flaw:
        case Flaw.MISSING:
            return []
        case Flaw.WRONG:
            return [prefix + signature.sign(secret + "?", body)]
        case Flaw.SHA1:
            return ["sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()]
        case Flaw.UPPER:
            return [prefix + plain.upper()]
        case Flaw.REENCODED:
            return [prefix + signature.sign(secret, json.dumps(json.loads(body)).encode())]
        case Flaw.PUBLISHED:
            return [prefix + signature.sign(PUBLISHED_SECRET, body)]
        case Flaw.TWICE:
            return [prefix + signature.sign(secret + "?", body), good]
        case _:
            return [good] if good else []


def padded(body: bytes) -> bytes:
    """The same JSON, made large by blanks."""
    return body + b" " * (BIG_BYTES - len(body))


async def stream(flaw: Flaw, body: bytes) -> AsyncIterator[bytes]:
    """A body that does not come in one piece."""
    if flaw is Flaw.SLOW:
        for byte in body:
            yield bytes([byte])
            await asyncio.sleep(_DRIP_SECONDS)
    else:
        yield body
        for _ in range(_ENDLESS_CHUNKS):
            yield _CHUNK
