"""The signature of webhooks, against the answers that are known; and what a webhook is read as."""

import json

import pytest

from bot.errors import ReplyError
from bot.providers.crm.settings import Settings
from bot.providers.crm.wire import hooks

KNOWN = [
    (
        "It's a Secret to Everybody",
        b"Hello, World!",
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    ),
    (
        "demo-whsec-1",
        '{"version":"1.0.0","data":{"id":"b7c8d9e0","withdrawal_method":"银行转账"}}'.encode(),
        "ecddcfbe88eb574c74b95b50be26a5b9e300d768a115b081d1eb453bb8461599",
    ),
]


@pytest.mark.parametrize(("secret", "body", "signature"), KNOWN, ids=["the vendor's", "ours"])
def test_the_known_answers_are_signatures_in_both_forms(secret: str, body: bytes, signature: str) -> None:
    assert hooks.is_signed(secret, [signature], body)
    assert hooks.is_signed(secret, [f"sha256={signature}"], body)
    assert not hooks.is_signed(secret, [signature], body + b"\n")
    assert not hooks.is_signed("", [signature], body)


def test_the_published_secret_is_none() -> None:
    assert Settings.webhook_flaw("It's a Secret to Everybody")
    assert Settings.webhook_flaw("x" * 15)
    assert not Settings.webhook_flaw("x" * 16)


@pytest.mark.parametrize(
    ("slug", "ours"),
    [
        ("crm.webhooks.requests.withdrawal.approve.node.1", True),
        ("crm.webhooks.requests.withdrawal.approve.node.10", True),
        ("crm.webhooks.requests.withdrawal.reject", True),
        ("crm.webhooks.requests.withdrawal.approve.node.", False),
        ("crm.webhooks.requests.transfer.approve.node.1", False),
        ("x.crm.webhooks.requests.withdrawal.reject", False),
    ],
)
def test_a_slug_says_whether_it_is_about_a_withdrawal(slug: str, ours: bool) -> None:
    body = json.dumps({"source": {"event": slug}, "data": {"id": "b7c8d9e0"}}).encode()
    assert hooks.parse_event(body).is_withdrawal is ours


def test_a_withdrawal_that_is_told_in_part_is_not_believed() -> None:
    whole = {
        "id": "b7c8d9e0",
        "status": "pending",
        "user_id": "u7h2k9d0",
        "trading_id": "WALLET",
        "trading_currency": "USD",
        "trading_amount": "250.00",
        "withdrawal_method": "Bank wire",
        "withdrawal_flow": {"total_steps": 2, "current_steps": 1},
    }
    told = hooks.parse_told(json.dumps({"data": whole}).encode())
    assert (told.account, str(told.amount), told.waits_at) == ("u7h2k9d0", "250.00 USD", 2)
    for missing in ("status", "trading_amount", "trading_currency", "trading_id", "withdrawal_method"):
        part = {name: value for name, value in whole.items() if name != missing}
        with pytest.raises(ReplyError):
            hooks.parse_told(json.dumps({"data": part}).encode())
