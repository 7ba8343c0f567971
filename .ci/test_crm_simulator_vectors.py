"""The CRM simulator's own signature code against vectors computed elsewhere (not with Python).

The vectors lie in a folder that a user's clone does not have: `COUNTERSIGN_SHARED` names it, else it is looked for
beside the checkout.
"""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from bot.providers.crm.simulator import signature

SHARED = Path(os.environ.get("COUNTERSIGN_SHARED") or Path(__file__).parents[2] / "shared")
VECTORS = SHARED / "protocols" / "data" / "crm" / "sign_vectors.json"


@pytest.fixture(scope="module")
def vectors() -> list[dict[str, Any]]:
    if not VECTORS.is_file():
        pytest.skip("the CRM signature vectors are not here; set COUNTERSIGN_SHARED to the folder that has them")
    document = json.loads(VECTORS.read_text())
    assert len(document["vectors"]) == document["count"] > 0
    found: list[dict[str, Any]] = document["vectors"]
    return found


def test_every_vector_is_signed_as_published(vectors: list[dict[str, Any]]) -> None:
    for vector in vectors:
        body = base64.b64decode(vector["body_base64"])
        assert len(body) == vector["body_bytes"], vector["id"]
        assert signature.v2(vector["api_key"], body) == vector["signature"], vector["id"]


def test_one_changed_byte_is_another_signature(vectors: list[dict[str, Any]]) -> None:
    for vector in vectors:
        body = bytearray(base64.b64decode(vector["body_base64"]))
        for index in (0, len(body) // 2, len(body) - 1):
            changed = bytes(body[:index]) + bytes([body[index] ^ 1]) + bytes(body[index + 1 :])
            assert signature.v2(vector["api_key"], changed) != vector["signature"], vector["id"]
