"""A decision made ready: what was shown is compared, and what comes out are texts that the CRM's seam takes."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bot.approvals.model import Kind, hash_of
from bot.errors import ConflictError, InputError
from bot.operations.decisions import Decision, Seen, check_reason, prepared
from bot.operations.linked import Connection
from bot.operations.moving.withdrawals import WithdrawalMatter
from bot.providers.crm.wire import Number
from bot.providers.crm.wire.grammar import Code, Text
from bot.providers.crm.wire.requests import Applicant, Flow, Log, Withdrawal
from bot.providers.records import Environment

THROUGH = Connection(7, 1, "crm", "main", Environment.LIVE, datetime(2026, 1, 1, tzinfo=UTC))
SHOWN = Seen("conn0001/500123", "250.00", "USD", "Bank wire", "2")


def there(
    status: str = "pending", amount: str = "250", method: str = "Bank wire", node: int = 2, fee: str | None = None
) -> Withdrawal:
    return Withdrawal(
        id="b7c8d9e0",
        status=status,  # type: ignore[arg-type]  # one of the three
        user_id=Text("u7h2k9d0"),
        user=Applicant(name=Text("Ines")),
        flow=Flow(node, 3),
        logs=(Log(Text("reject"), Text(""), Text("Zoe")),),
        trading_id=Text("500123"),
        trading_connection_id=Text("conn0001"),
        trading_currency=Code("USD"),
        trading_amount=Number(Decimal(amount)),
        withdrawal_method=Text(method),
        withdrawal_fee=None if fee is None else Text(fee),
    )


def test_what_is_as_it_was_shown_becomes_plain_texts() -> None:
    ready = prepared(THROUGH, there(), Decision.REJECT, "  not theirs ", SHOWN, is_read=True)
    assert ready.parameters == {
        "connection": "crm/main",
        "connection_id": "7",
        "provider": "crm",
        "environment": "live",
        "target": "b7c8d9e0",
        "client": "Ines (u7h2k9d0)",
        "account": "conn0001/500123",
        "amount": "250.00",
        "currency": "USD",
        "method": "Bank wire",
        "node": "2",
        "decision": "reject",
        "source": "read",
        "comment": "not theirs",
    }
    assert {type(text) for text in ready.parameters.values()} == {str}


def test_the_texts_are_those_the_money_room_sends() -> None:
    ready = prepared(THROUGH, there(), Decision.APPROVE, "", SHOWN, is_read=False)
    act = WithdrawalMatter().act("R1", ready.parameters)
    assert (act.target, act.account, str(act.amount)) == ("b7c8d9e0", "conn0001/500123", "250.00 USD")
    assert act.parameters == {"decision": "approve", "method": "Bank wire", "node": "2", "source": "webhook"}


def test_a_fee_that_the_crm_tells_is_signed_and_shown_and_not_sent() -> None:
    ready = prepared(THROUGH, there(fee="0.40"), Decision.APPROVE, "", SHOWN, is_read=True)
    assert ready.parameters["fee"] == "0.40"
    free = prepared(THROUGH, there(), Decision.APPROVE, "", SHOWN, is_read=True)
    assert hash_of(Kind.WITHDRAWAL, 1, ready.parameters) != hash_of(Kind.WITHDRAWAL, 1, free.parameters)
    assert WithdrawalMatter().lines(ready.parameters) == (*WithdrawalMatter().lines(free.parameters), "Fee: 0.40")
    assert WithdrawalMatter().act("R1", ready.parameters) == WithdrawalMatter().act("R1", free.parameters)


def test_what_was_not_read_says_so_to_whoever_signs() -> None:
    read, told = (
        WithdrawalMatter().lines(
            prepared(THROUGH, there(), Decision.REJECT, "not theirs", SHOWN, is_read=is_read).parameters
        )
        for is_read in (True, False)
    )
    assert told == (*read, "Not read: only the webhook's word is known")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (there(amount="251"), "the amount was 250.00 USD and is 251.00 USD"),
        (there(method="SEPA"), "the method was Bank wire and is SEPA"),
        (there(node=3), "the node was 2 and is 3"),
        (there("rejected"), "request b7c8d9e0 was rejected in the CRM by Zoe"),
        (there("approved"), "request b7c8d9e0 was approved in the CRM by Zoe"),
    ],
)
def test_what_changed_since_is_not_made_ready(now: Withdrawal, said: str) -> None:
    with pytest.raises(ConflictError, match=said):
        prepared(THROUGH, now, Decision.APPROVE, "", SHOWN, is_read=True)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "字" * 501])
def test_a_reason_has_1_to_500_characters(reason: str) -> None:
    assert check_reason("字" * 500) == "字" * 500
    with pytest.raises(InputError):
        prepared(THROUGH, there(), Decision.REJECT, reason, SHOWN, is_read=True)
