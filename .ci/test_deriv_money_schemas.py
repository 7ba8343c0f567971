"""What moves money at Deriv fits the vendor's own schemas, or the words of its reference where there is none."""

import json
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from test_deriv_adapter_schemas import SCHEMAS, validate

from bot.money import Currency, Money
from bot.providers.acts import Act, ActKind
from bot.providers.deriv.client import payments
from bot.providers.deriv.wire import Request

pytestmark = pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"Deriv's schemas are not at {SCHEMAS}")

USD = Currency("USD")
REFERENCE = "CS-ABCDEFGHJK"
_AMOUNT = {"amount": {"type": "number", "minimum": 0}, "currency": {"type": "string", "pattern": "^[a-zA-Z0-9]{2,20}$"}}
_COMMON = {"req_id": {"type": "integer"}, "loginid": {"type": "string", "pattern": "^[A-Za-z]+[0-9]+$"}}
DESCRIBED: dict[str, dict[str, Any]] = {
    "paymentagent_transfer": {
        "paymentagent_transfer": {"enum": [1]},
        "description": {"type": "string", "pattern": "^[0-9A-Za-z .,'-]{0,250}$"},
        "dry_run": {"enum": [0, 1]},
        "transfer_to": {"type": "string", "pattern": "^[A-Za-z]+[0-9]+$"},
        **_AMOUNT,
    },
    "transfer_between_accounts": {
        "transfer_between_accounts": {"enum": [1]},
        "account_from": {"type": "string"},
        "account_to": {"type": "string"},
        **_AMOUNT,
    },
}


def moving(kind: ActKind, target: str, **words: str) -> Request:
    act = Act("abcdefghjk", kind, "CR900001", Money.parse("1250.50", USD), target, words)
    return payments.request_of(act, REFERENCE, by_proposal="proposal" in words)


def paying(way: str, target: str, **words: str) -> Request:
    return moving(ActKind.TRANSFER, target, way=way, **words)


OPTION = {"contract_type": "CALL", "symbol": "R_100"}
AGENT = paying("agent", "CR900010", narrative="Invoice 44, Jean-Luc's")
PAYOUT = payments.with_code(paying("payout", "CR900073"), "uoJvVuQ6")
REQUESTS = [
    AGENT,
    AGENT.of("CR900002"),
    payments.dry(AGENT),
    PAYOUT,
    payments.dry(PAYOUT),
    paying("own", "CR900002"),
    moving(ActKind.ORDER, "R_100", **OPTION, duration="5m", barrier="+0.1"),
    moving(ActKind.ORDER, "R_100", **OPTION, expiry="1760000300", barrier="100", barrier2="90.5", basis="payout"),
    moving(ActKind.ORDER, "R_100", contract_type="MULTUP", multiplier="100"),
    moving(ActKind.ORDER, "R_100", **OPTION, proposal="042922fe-5664-49e4-83bf-b3bbe98f31db", price="10.25"),
    moving(ActKind.CLOSE, "270000001"),
    moving(ActKind.CLOSE, "270000001", least="11.60").of("CR900002"),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda made: made.call.value)
def test_what_moves_money_fits_its_schema(request_: Request) -> None:
    frame = request_.frame(2**31)
    sent, call = json.loads(frame), request_.call.value
    if call not in DESCRIBED:
        validate(call, "send", sent)
        return
    fields = {**DESCRIBED[call], **_COMMON}
    jsonschema.validate(sent, {"type": "object", "properties": fields, "additionalProperties": False})
    assert json.loads(frame, parse_float=Decimal)["amount"] == Decimal("1250.50")
    assert '"amount":1250.50,' in frame
