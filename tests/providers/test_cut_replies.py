"""F04: the reply to a money call is cut at every byte. No prefix is a success, and nothing is sent a second time."""

import contextlib
from dataclasses import replace

import pytest

from bot.errors import SilentError, UnreachableError
from bot.providers.acts import Outcome, Prepared
from bot.providers.cryptocapital.client import CryptoCapital
from tests.support.crm_tenant import deciding, tenant_at
from tests.support.cryptocapital_desk import act, make_transfer, open_branch
from tests.support.deriv_cashier import a_cashier, payment
from tests.support.moving import NEVER

APPROVE = "/requests/withdrawal/approve"


async def test_f04_a_reply_of_the_crm_cut_at_any_byte_is_unknown_and_settled_by_a_read() -> None:
    async with tenant_at() as tenant:
        crm = tenant.made[0]
        client = await tenant.client()
        await tenant.misfortune("delay", APPROVE, seconds=0, nth=NEVER)
        for cut in range(1000):
            found = await crm.requests.withdrawal(await tenant.asked(client, "1.00"))
            prepared = await crm.money.prepare(deciding(found))
            await tenant.misfortune("close", APPROVE, bytes=cut)
            receipt = await crm.money.send(prepared)
            if receipt.outcome is not Outcome.UNKNOWN:
                break
            assert (await crm.money.find(prepared)).outcome is Outcome.SUCCEEDED, cut
        assert receipt.outcome is Outcome.SUCCEEDED  # the whole reply
        assert cut > 80  # a status, some headers, and no body
        (watch,) = (await tenant.control.get("/faults")).json()["waiting"]
        paid = [one for one in await tenant.ledger() if one["kind"] == "withdrawal_paid"]
        assert watch["seen"] == len(paid) == cut + 1


async def _found(linked: CryptoCapital, prepared: Prepared) -> Outcome:
    """Asked again where the line is just being lost."""
    for _ in range(20):
        with contextlib.suppress(UnreachableError, SilentError):
            return (await linked.money.find(prepared)).outcome
    raise AssertionError("the line cannot be had")


async def test_f04_a_frame_of_deriv_cut_at_any_byte_is_no_success_and_settled_by_the_statement() -> None:
    async with a_cashier() as (cashier, deriv):
        seam = deriv.money
        assert seam is not None
        for cut in range(1000):
            cashier.cut = cut
            wanted = replace(payment(), request_id="cut" + "".join("abcdefghij"[int(one)] for one in f"{cut:07}"))
            async with seam.turn():
                prepared = await seam.prepare(wanted)
                receipt = await seam.send(prepared)
            if receipt.outcome is not Outcome.UNKNOWN:
                break
            assert (await seam.find(prepared)).outcome is Outcome.SUCCEEDED, cut
        assert receipt.outcome is Outcome.SUCCEEDED  # the whole frame
        assert cut > 126
        assert cashier.count("paymentagent_transfer") == len(cashier.ledger) == cut + 1


ACK = 46
"""The whole frame {"msg":"ack","data":{"nonce":1795264457193}}: 2 bytes of WebSocket's and 44 of the bank's."""


@pytest.mark.parametrize(
    "cuts",
    [
        pytest.param([*range(ACK + 2), *range(ACK, 700, 29)], id="the ack at every byte"),
        pytest.param(range(ACK, 700), id="and its signed end", marks=[pytest.mark.faults, pytest.mark.timeout(300)]),
    ],
)
async def test_f04_a_frame_of_the_bank_cut_at_any_byte_is_no_success(cuts: list[int]) -> None:
    async with open_branch() as branch:
        linked = branch.link(quiet_seconds=0.02)
        await branch.faults({"action": "delay", "seconds": 0, "match": {"contains": "CS-"}, "nth": NEVER})
        outcomes = []
        for number, cut in enumerate(cuts):
            request_id = "cut" + "".join("abcdefghij"[int(digit)] for digit in f"{number:07}")
            await branch.faults({"action": "close", "match": {"contains": "CS-"}, "bytes": cut})
            prepared, receipt = await make_transfer(linked.money, act(request_id, "1.00"))
            outcomes.append(receipt.outcome)
            assert await _found(linked, prepared) is Outcome.SUCCEEDED, cut
        (watch,) = (await branch.control.get("/_sim/faults")).json()["waiting"]
        assert watch["seen"] == len(await branch.executed()) == len(outcomes)
        known = [cut for cut, outcome in zip(cuts, outcomes, strict=True) if outcome is not Outcome.UNKNOWN]
        assert known == [cut for cut in cuts if cut >= ACK]
        assert Outcome.NOT_SENT not in outcomes
        assert Outcome.FAILED not in outcomes
