"""The adapter's signatures agree with the published vectors, which were not made with Python."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from bot.providers.crm import auth, body

SHARED = Path(os.environ.get("COUNTERSIGN_SHARED", Path(__file__).parents[2] / "shared"))
VECTORS = SHARED / "protocols/data/crm/sign_vectors.json"

pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason=f"no vectors at {VECTORS}")


def vectors() -> list[dict[str, Any]]:
    if not VECTORS.exists():
        return []
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
    return found


def test_there_are_vectors() -> None:
    assert len(vectors()) == json.loads(VECTORS.read_text(encoding="utf-8"))["count"] > 0


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["id"])
def test_the_signature_over_the_exact_bytes_is_the_vectors(vector: dict[str, Any]) -> None:
    sent = base64.b64decode(vector["body_base64"])
    assert len(sent) == vector["body_bytes"]
    assert auth.sign_v2(vector["api_key"], sent) == vector["signature"]


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["id"])
def test_one_changed_byte_changes_it(vector: dict[str, Any]) -> None:
    sent = bytearray(base64.b64decode(vector["body_base64"]))
    sent[len(sent) // 2] ^= 1
    assert auth.sign_v2(vector["api_key"], bytes(sent)) != vector["signature"]


def test_bodies_are_written_as_the_compact_vectors_are() -> None:
    compact = [one for one in vectors() if isinstance(json.loads(one["body"]), dict) and ": " not in one["body"]]
    assert [one["id"] for one in compact] == ["p01", "p03", "p04"]
    for one in compact:
        assert body.encode(json.loads(one["body"])) == base64.b64decode(one["body_base64"])
