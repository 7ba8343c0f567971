"""Everything the Deriv adapter can ask fits the vendor's own schemas, and its samples fit them as replies.

Reads the official schemas beside the project (`COUNTERSIGN_SHARED`); without them it says so and skips.
"""

import inspect
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bot.providers.deriv import wire

SHARED = Path(os.environ.get("COUNTERSIGN_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SCHEMAS = SHARED / "protocols" / "data" / "deriv"
SAMPLES = sorted((Path(wire.__file__).parent / "samples").glob("*.json"))

pytestmark = pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"Deriv's schemas are not at {SCHEMAS}")

REQUESTS = {
    "build_authorize": [(1, "abcDEF123456789"), (2**31, "a1-abcdefghijklmnopqrstuvwxyz012"), (1, "x" * 128)],
    "build_balance": [(2, "current"), (3, "all")],
    "build_portfolio": [(4,)],
    "build_ping": [(5,)],
}


def validate(call: str, side: str, message: Any) -> None:
    schema = json.loads((SCHEMAS / call / f"{side}.json").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(message)


def test_no_builder_is_missing_here() -> None:
    builders = {name for name, _ in inspect.getmembers(wire, inspect.isfunction) if name.startswith("build_")}
    assert builders == set(REQUESTS)


@pytest.mark.parametrize(
    ("name", "arguments"), [(name, arguments) for name, cases in REQUESTS.items() for arguments in cases]
)
def test_a_request_fits_its_schema(name: str, arguments: tuple[Any, ...]) -> None:
    request = json.loads(getattr(wire, name)(*arguments))
    validate(name.removeprefix("build_"), "send", request)


def test_a_request_that_does_not_fit_is_noticed() -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate("balance", "send", {**json.loads(wire.build_balance(1, "all")), "surprise": 1})


@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_a_sample_fits_its_schema(path: Path) -> None:
    reply = json.loads(path.read_text(encoding="utf-8"))
    validate(reply["msg_type"], "receive", reply)
    validate(reply["msg_type"], "send", _asked(reply["echo_req"]))


def _asked(echo: dict[str, Any]) -> dict[str, Any]:
    """What was sent, as far as the echo tells: the masked token is one no longer."""
    return {key: "masked" if value == "<not shown>" else value for key, value in echo.items()}
