"""Money through Deriv's seam: what leaves, what an answer proves, and what the statement says of it afterwards."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import (
    CodeAwaitedError,
    ConflictError,
    InputError,
    OutcomeUnknownError,
    ProviderError,
    ScopeMissingError,
)
from bot.money import Currency, Money
from bot.providers.acts import Act, ActKind, Evidence, Outcome, Prepared, Receipt
from bot.providers.deriv.client import Deriv
from bot.providers.deriv.client.seam import Seam
from bot.secret import Secret
from tests.support.deriv_cashier import (
    ACCOUNT,
    ADDRESS,
    AGENT,
    AGENT_NAME,
    MAILED,
    NAME,
    SIBLING,
    USD,
    Cashier,
    a_cashier,
    payment,
    refusing,
    saying,
)

REFERENCE = "CS-ABCDEFGHJK"
PAY = "paymentagent_transfer"


@pytest.fixture
async def both() -> AsyncIterator[tuple[Cashier, Deriv]]:
    async with a_cashier() as opened:
        yield opened


def seam_of(deriv: Deriv) -> Seam:
    seam = deriv.money
    assert isinstance(seam, Seam)
    return seam


async def made(deriv: Deriv, act: Act) -> tuple[Prepared, Receipt]:
    seam = seam_of(deriv)
    async with seam.turn():
        prepared = await seam.prepare(act)
        return prepared, await seam.send(prepared)


def order(**words: str) -> Act:
    said = {"contract_type": "CALL", "symbol": "R_100", "duration": "5m", "barrier": "+0.1", **words}
    return Act("abcdefghjk", ActKind.ORDER, ACCOUNT, Money.parse("10.00", USD), "R_100", said)


def closing(contract: str = "270000001", **words: str) -> Act:
    return Act("abcdefghjk", ActKind.CLOSE, ACCOUNT, None, contract, words)


# -------- the plain way


async def test_a_payment_is_rehearsed_sent_once_and_done_with_its_transaction(both: tuple[Cashier, Deriv]) -> None:
    cashier, deriv = both
    prepared, receipt = await made(deriv, payment("10.00", narrative="Invoice 44, March"))
    assert (receipt.outcome, receipt.reference) == (Outcome.SUCCEEDED, "540000001")
    assert [row["amount"] for row in cashier.ledger] == [Decimal("-10.00")]
    assert [call for one in cashier.raw if (call := PAY) in one] == [PAY, PAY]
    rehearsed, paid = [one for one in cashier.heard if PAY in one]
    assert (rehearsed.pop("dry_run"), paid["description"]) == (1, f"{REFERENCE} Invoice 44, March")
    assert {key: value for key, value in rehearsed.items() if key != "req_id"} == {
        key: value for key, value in paid.items() if key != "req_id"
    }
    assert prepared.wire.partition(b"\n")[2].decode() == cashier.raw[-1]


@pytest.mark.parametrize("amount", ["10.00", "0.01", "1250.50", "999999999999.99"])
async def test_an_amount_leaves_digit_for_digit_as_it_was_approved(both: tuple[Cashier, Deriv], amount: str) -> None:
    cashier, deriv = both
    await made(deriv, payment(amount))
    assert f'"amount":{amount},' in cashier.raw[-1]


async def test_the_payee_is_named_before_anybody_is_asked_and_nothing_moves(both: tuple[Cashier, Deriv]) -> None:
    cashier, deriv = both
    seam = seam_of(deriv)
    assert await seam.payee(payment()) == NAME
    assert await seam.payee(payment(target=AGENT, way="payout")) == AGENT_NAME
    assert await seam.payee(payment(target=SIBLING, way="own")) == ""
    assert [one.id for one in await seam.own(ACCOUNT)] == [SIBLING]
    assert cashier.ledger == []


async def test_an_account_of_the_same_person_needs_a_token_of_its_own_to_pay_from(both: tuple[Cashier, Deriv]) -> None:
    """It is listed at login all the same; and a permission is not what is missing."""
    cashier, deriv = both
    seam = seam_of(deriv)
    assert await seam.payers() == {ACCOUNT}
    heard = len(cashier.heard)
    for asked in (seam.own(SIBLING), seam.payee(replace(payment(target=ACCOUNT, way="own"), account=SIBLING))):
        with pytest.raises(InputError, match=r"for CR900001, and speaks for no CR900002; link that with a token"):
            await asked
    assert len(cashier.heard) == heard  # nobody was asked


async def test_another_name_at_the_time_of_sending_stops_it(both: tuple[Cashier, Deriv]) -> None:
    cashier, deriv = both
    cashier.name = "Mr Somebody Else"
    with pytest.raises(ConflictError, match="Mr Somebody Else, and not Mr Client Two as signed"):
        await made(deriv, payment())
    assert (cashier.count(PAY), cashier.ledger) == (0, [])


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (payment(narrative="Rechnung für März"), "letters A to Z"),
        (payment(narrative="x" * 250), "letters A to Z"),
        (payment(target=ACCOUNT), "two different accounts"),
        (payment(target="12345"), "letters, then digits"),
        (payment("0.00"), "above nought"),
        (payment(target="CR900099", way="own"), "there are: CR900002"),
        (payment(target=SIBLING, way="own", narrative="Tip"), "no note"),
        (replace(payment(), parameters={}), "which way"),
        (replace(payment(), account=SIBLING), "speaks for no CR900002"),
        (replace(payment(), amount=Money.parse("10.00", Currency("EUR"))), "holds USD"),
        (replace(payment(), request_id="not-an-id"), "ten letters"),
        (replace(payment(), kind=ActKind.CHANGE), "nothing else"),
        (order(duration="5 weeks"), "days, hours"),
        (order(barrier="high"), "a barrier"),
        (closing("27 or so"), "digits only"),
    ],
)
async def test_what_would_not_be_done_as_meant_is_refused_before_it_is_sent(
    both: tuple[Cashier, Deriv], wanted: Act, why: str
) -> None:
    cashier, deriv = both
    with pytest.raises(InputError, match=why):
        await made(deriv, wanted)
    assert cashier.ledger == []


@pytest.mark.parametrize(
    ("scopes", "act", "missing"),
    [
        (["read", "trade"], payment(), "payments"),
        (["read", "payments"], order(), "trade"),
        (["payments"], payment(), "read or trading_information"),
    ],
)
async def test_what_a_token_may_not_do_is_known_before_it_is_asked_for(
    scopes: list[str], act: Act, missing: str
) -> None:
    async with a_cashier(scopes=scopes) as (cashier, deriv):
        with pytest.raises(ScopeMissingError) as refused:
            await made(deriv, act)
        assert refused.value.scope == missing
        assert [sorted(one)[0] for one in cashier.heard] == ["authorize"]


async def test_what_a_dry_run_refuses_is_not_sent(both: tuple[Cashier, Deriv]) -> None:
    cashier, deriv = both
    cashier.instead[f"dry {PAY}"] = refusing(PAY, "AmountExceedsBalance")
    with pytest.raises(InputError, match="the account holds less"):
        await made(deriv, payment())
    with pytest.raises(InputError, match="the account holds less"):
        await seam_of(deriv).payee(payment())
    assert cashier.count(PAY) == 0


async def test_nothing_is_prepared_or_sent_outside_its_turn_and_nothing_twice(both: tuple[Cashier, Deriv]) -> None:
    cashier, deriv = both
    seam = seam_of(deriv)
    with pytest.raises(RuntimeError):
        await seam.prepare(payment())
    async with seam.turn():
        prepared = await seam.prepare(payment())
        await seam.send(prepared)
        with pytest.raises(RuntimeError):
            await seam.send(prepared)
    assert len(cashier.ledger) == 1


async def test_a_line_that_broke_before_the_first_byte_is_dialled_anew_and_it_leaves_once(
    both: tuple[Cashier, Deriv],
) -> None:
    cashier, deriv = both
    seam = seam_of(deriv)
    async with seam.turn():
        prepared = await seam.prepare(payment())
        await deriv.line.forget_login()
        receipt = await seam.send(prepared)
    assert (receipt.outcome, cashier.connections, cashier.count(PAY)) == (Outcome.SUCCEEDED, 2, 1)


async def test_what_finds_nobody_there_was_not_sent() -> None:
    async with a_cashier() as (cashier, deriv):
        seam = seam_of(deriv)
        async with seam.turn():
            prepared = await seam.prepare(payment())
            await deriv.line.close()
            receipt = await seam.send(prepared)
        assert (receipt.outcome, cashier.count(PAY)) == (Outcome.NOT_SENT, 0)


# -------- what an answer proves


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (saying(PAY, paymentagent_transfer=2, client_to_full_name=NAME), Outcome.UNKNOWN),
        (saying(PAY, paymentagent_transfer=1), Outcome.UNKNOWN),
        (saying(PAY, paymentagent_transfer=True, transaction_id=540000001), Outcome.UNKNOWN),
        (saying(PAY, paymentagent_transfer="1", transaction_id=540000001), Outcome.UNKNOWN),
        (saying(PAY, paymentagent_transfer=Decimal("1.0"), transaction_id=540000001), Outcome.UNKNOWN),
        (saying(PAY, paymentagent_transfer=1, transaction_id="540000001"), Outcome.UNKNOWN),
        (saying("paymentagent_withdraw", paymentagent_withdraw=1, transaction_id=540000001), Outcome.UNKNOWN),
        (refusing(PAY, "AmountExceedsBalance"), Outcome.FAILED),
        (refusing(PAY, "PermissionDenied"), Outcome.FAILED),
        (refusing(PAY, "RateLimit"), Outcome.FAILED),
        (refusing(PAY, "AuthorizationRequired"), Outcome.NOT_SENT),
        (refusing(PAY, "WrongResponse"), Outcome.UNKNOWN),
        (refusing(PAY, "InternalServerError"), Outcome.UNKNOWN),
        (refusing(PAY, "PaymentAgentTransferError"), Outcome.UNKNOWN),
        (refusing(PAY, "SomethingNew"), Outcome.UNKNOWN),
        (refusing(PAY, "AmountExceedsBalance", paymentagent_transfer=1, transaction_id=540000001), Outcome.UNKNOWN),
        (refusing(PAY, "not a code"), Outcome.UNKNOWN),
        (lambda asked: f'{{"req_id": {asked["req_id"]}, "msg_type": "{PAY}", "{PAY}": NaN}}', Outcome.UNKNOWN),
        (lambda asked: "<html>Bad gateway</html>", Outcome.UNKNOWN),
    ],
)
async def test_only_what_is_documented_settles_and_nothing_is_sent_again(
    both: tuple[Cashier, Deriv], answer: Any, outcome: Outcome
) -> None:
    cashier, deriv = both
    cashier.instead[PAY] = answer
    prepared, receipt = await made(deriv, payment())
    assert (receipt.outcome, cashier.count(PAY)) == (outcome, 1)
    if outcome is Outcome.UNKNOWN:
        evidence = await seam_of(deriv).find(prepared)
        assert (evidence.outcome, evidence.detail) == (Outcome.UNKNOWN, "not in the statement")
        assert evidence.absence is not None
        assert evidence.absence.balance == Money.parse("1250.50", USD)


@pytest.mark.parametrize(
    ("told", "differing"),
    [({"client_to_full_name": "Mr Somebody Else"}, "payee"), ({"client_to_loginid": "CR900011"}, "target")],
)
async def test_a_success_for_somebody_else_is_an_incident(
    both: tuple[Cashier, Deriv], told: dict[str, str], differing: str
) -> None:
    cashier, deriv = both
    cashier.instead[PAY] = saying(PAY, paymentagent_transfer=1, transaction_id=540000001, **told)
    prepared, receipt = await made(deriv, payment())
    evidence = await seam_of(deriv).find(prepared)
    assert (receipt.outcome, evidence.outcome, evidence.differing) == (Outcome.UNKNOWN, Outcome.UNKNOWN, (differing,))


async def test_f18_an_answer_to_another_question_settles_nothing_and_no_token_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    def late(asked: dict[str, Any]) -> str:
        echo = f'"echo_req": {{"authorize": "token-of-the-test", "req_id": {asked["req_id"]}}}'
        return f'{{{echo}, "req_id": {asked["req_id"] - 1}, "msg_type": "{PAY}", "{PAY}": 1, "transaction_id": 7}}'

    async with a_cashier(answer_seconds=1.0, instead={PAY: late}) as (_, deriv):
        prepared, receipt = await made(deriv, payment())
        assert receipt.outcome is Outcome.UNKNOWN
        assert (await seam_of(deriv).find(prepared)).outcome is Outcome.UNKNOWN
    assert "token-of-the-test" not in caplog.text


# -------- answers that are lost


@pytest.mark.parametrize("executed", [True, False])
async def test_a_lost_answer_is_settled_from_the_statement(both: tuple[Cashier, Deriv], executed: bool) -> None:
    cashier, deriv = both
    (cashier.lost if executed else cashier.ignored).add(PAY)
    prepared, receipt = await made(deriv, payment())
    assert receipt.outcome is Outcome.UNKNOWN
    evidence = await seam_of(deriv).find(prepared)
    if executed:
        assert (evidence.outcome, evidence.reference) == (Outcome.SUCCEEDED, "540000001")
    else:
        assert (evidence.outcome, evidence.absence is not None) == (Outcome.UNKNOWN, True)
    assert (len(cashier.ledger), cashier.count(PAY)) == (int(executed), 1)


async def test_a_dry_run_that_was_carried_out_is_found_and_never_repeated(both: tuple[Cashier, Deriv]) -> None:
    cashier, deriv = both
    cashier.dry_runs_count = True
    prepared, receipt = await made(deriv, payment())
    assert (receipt.outcome, cashier.count(PAY)) == (Outcome.UNKNOWN, 0)
    evidence = await seam_of(deriv).find(prepared)
    assert (evidence.outcome, len(cashier.ledger)) == (Outcome.SUCCEEDED, 1)


async def test_a_dry_run_that_was_carried_out_and_not_answered_is_not_asked_for_again(
    both: tuple[Cashier, Deriv],
) -> None:
    cashier, deriv = both
    cashier.dry_runs_count = True
    cashier.lost.add(f"dry {PAY}")
    with pytest.raises(ProviderError):
        await made(deriv, payment())
    prepared, receipt = await made(deriv, payment())  # as the money room does with what was not sent
    assert (receipt.outcome, len(cashier.ledger)) == (Outcome.UNKNOWN, 1)
    assert (await seam_of(deriv).find(prepared)).outcome is Outcome.SUCCEEDED


async def test_a_dry_run_carried_out_before_anybody_asked_is_told_as_that(both: tuple[Cashier, Deriv]) -> None:
    cashier, deriv = both
    cashier.dry_runs_count = True
    with pytest.raises(OutcomeUnknownError):
        await seam_of(deriv).payee(payment())


@pytest.mark.parametrize(
    ("row", "differing"),
    [
        ({"amount": Decimal("-11.00")}, ("amount",)),
        ({"action_type": "adjustment"}, ("kind",)),
    ],
)
async def test_what_was_booked_otherwise_than_approved_is_an_incident(
    both: tuple[Cashier, Deriv], row: dict[str, Any], differing: tuple[str, ...]
) -> None:
    cashier, deriv = both
    cashier.lost.add(PAY)
    prepared, _ = await made(deriv, payment())
    cashier.ledger[0] |= row
    evidence = await seam_of(deriv).find(prepared)
    assert (evidence.outcome, evidence.differing) == (Outcome.UNKNOWN, differing)


async def test_what_somebody_else_writes_about_our_reference_is_not_our_payment(both: tuple[Cashier, Deriv]) -> None:
    cashier, deriv = both
    cashier.ignored.add(PAY)
    prepared, _ = await made(deriv, payment())
    cashier.book("deposit", Decimal("10.00"), longcode=REFERENCE)  # it came in
    cashier.book("withdrawal", Decimal("-10.00"), longcode=f"CS-ZZZZZZZZZZ for {REFERENCE}")  # another act of ours
    cashier.book("withdrawal", Decimal("-10.00"), longcode="by hand")
    evidence = await seam_of(deriv).find(prepared)
    assert (evidence.outcome, evidence.differing, evidence.alike) == (Outcome.UNKNOWN, (), ("540000003",))


# -------- what carries no mark


async def lost(cashier: Cashier, deriv: Deriv, act: Act, call: str, *, executed: bool = True) -> Prepared:
    (cashier.lost if executed else cashier.ignored).add(call)
    prepared, receipt = await made(deriv, act)
    assert receipt.outcome is Outcome.UNKNOWN
    return prepared


OWN = payment(target=SIBLING, way="own")


@pytest.mark.parametrize(("act", "call"), [(OWN, "transfer_between_accounts"), (order(), "buy"), (closing(), "sell")])
async def test_the_only_one_like_it_since_it_was_prepared_is_it(
    both: tuple[Cashier, Deriv], act: Act, call: str
) -> None:
    cashier, deriv = both
    sides = {"from": {"loginid": ACCOUNT}, "to": {"loginid": SIBLING}}
    cashier.book("transfer", Decimal("-10.00"), **sides)  # before it
    cashier.book("buy", Decimal("-10.00"), contract_id=7, shortcode="CALL_R_100_19.54_1_2_S0P_0")
    evidence = await seam_of(deriv).find(await lost(cashier, deriv, act, call))
    assert (evidence.outcome, evidence.reference) == (Outcome.SUCCEEDED, "540000003")


@pytest.mark.parametrize(("act", "call"), [(OWN, "transfer_between_accounts"), (order(), "buy"), (closing(), "sell")])
async def test_what_was_not_executed_is_absent_and_no_more(both: tuple[Cashier, Deriv], act: Act, call: str) -> None:
    cashier, deriv = both
    evidence = await seam_of(deriv).find(await lost(cashier, deriv, act, call, executed=False))
    assert (evidence.outcome, evidence.alike, evidence.absence is not None) == (Outcome.UNKNOWN, (), True)


@pytest.mark.parametrize("app", [1, None])
async def test_one_that_another_program_may_have_made_settles_nothing(
    both: tuple[Cashier, Deriv], app: int | None
) -> None:
    cashier, deriv = both
    prepared = await lost(cashier, deriv, OWN, "transfer_between_accounts")
    cashier.ledger[0]["app_id"] = app
    evidence = await seam_of(deriv).find(prepared)
    alike = () if app is not None else ("540000001",)
    assert (evidence.outcome, evidence.alike) == (Outcome.UNKNOWN, alike)


async def test_one_that_was_booked_much_later_settles_nothing(both: tuple[Cashier, Deriv]) -> None:
    cashier, deriv = both
    prepared = await lost(cashier, deriv, OWN, "transfer_between_accounts")
    cashier.ledger[0]["transaction_time"] += 3600
    evidence = await seam_of(deriv).find(prepared)
    assert (evidence.outcome, evidence.alike) == (Outcome.UNKNOWN, ("540000001",))


async def test_of_two_alike_none_is_taken(both: tuple[Cashier, Deriv]) -> None:
    cashier, deriv = both
    prepared = await lost(cashier, deriv, OWN, "transfer_between_accounts")
    cashier.ledger.append({**cashier.ledger[0], "transaction_id": 540000009})
    evidence = await seam_of(deriv).find(prepared)
    assert (evidence.outcome, set(evidence.alike)) == (Outcome.UNKNOWN, {"540000001", "540000009"})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"shortcode": "CALL_R_100_19.54_1760000000_1760000300_S0P_0"}, "ran out, and was settled for 11.60 USD"),
        ({"app_id": 1}, "was sold otherwise, for 11.60 USD"),
    ],
)
async def test_a_contract_that_ended_without_us_was_not_sold_by_us(
    both: tuple[Cashier, Deriv], row: dict[str, Any], said: str
) -> None:
    cashier, deriv = both
    prepared = await lost(cashier, deriv, closing(), "sell")
    cashier.ledger[0] |= row
    evidence = await seam_of(deriv).find(prepared)
    assert (evidence.outcome, evidence.detail) == (Outcome.ALREADY_DECIDED, said)


async def test_a_sale_below_what_was_approved_is_an_incident(both: tuple[Cashier, Deriv]) -> None:
    _, deriv = both
    prepared, receipt = await made(deriv, closing(least="12.00"))
    assert receipt.outcome is Outcome.UNKNOWN
    evidence = await seam_of(deriv).find(prepared)
    assert evidence.differing == ("price",)


async def test_a_price_is_bought_by_its_id_while_it_holds_and_by_its_terms_afterwards(
    both: tuple[Cashier, Deriv],
) -> None:
    cashier, deriv = both
    bound = {"proposal": "042922fe-5664-49e4-83bf-b3bbe98f31db", "price": "10.25"}
    fresh = deriv.line.clock.now().isoformat()
    _, receipt = await made(deriv, order(**bound, proposed_at=fresh))
    assert (receipt.outcome, cashier.heard[-1]["buy"]) == (Outcome.SUCCEEDED, bound["proposal"])
    assert receipt.detail == "contract 270000001, bought for 10.25 USD, transaction 540000001"
    await made(deriv, order(**bound, proposed_at="2026-03-04T12:00:00+00:00"))
    said = cashier.heard[-1]
    assert (said["buy"], said["price"]) == ("1", Decimal("10.25"))
    assert said["parameters"] == {
        "amount": Decimal("10.00"),
        "basis": "stake",
        "contract_type": "CALL",
        "currency": "USD",
        "symbol": "R_100",
        "barrier": "+0.1",
        "duration": 5,
        "duration_unit": "m",
    }


# -------- several accounts


async def test_money_leaves_the_account_that_was_named_and_is_looked_for_there() -> None:
    wanted = replace(payment(), account=SIBLING, amount=Money.parse("0.00100000", Currency("BTC")))
    async with a_cashier(tokens="token-of-the-test, token-of-the-other", lost={PAY}) as (cashier, deriv):
        prepared, receipt = await made(deriv, wanted)
        assert receipt.outcome is Outcome.UNKNOWN
        assert (await seam_of(deriv).find(prepared)).outcome is Outcome.SUCCEEDED
        asked = [one for one in cashier.heard if "authorize" not in one and "ping" not in one]
        assert {one.get("loginid") for one in asked} == {SIBLING}
        assert (len(cashier.ledger), cashier.count(PAY)) == (1, 1)


# -------- payouts


@pytest.mark.parametrize(("amount", "why"), [("9.99", "at least 10"), ("2000.01", "at most 2000")])
async def test_what_an_agent_does_not_pay_out_is_said_before_anybody_is_asked(
    both: tuple[Cashier, Deriv], amount: str, why: str
) -> None:
    _, deriv = both
    with pytest.raises(InputError, match=f"Corner Exchange pays out {why}"):
        await seam_of(deriv).payee(payment(amount, AGENT, "payout"))


async def test_a_payout_waits_for_the_code_from_the_mail_which_is_kept_nowhere(both: tuple[Cashier, Deriv]) -> None:
    cashier, deriv = both
    seam, act = seam_of(deriv), payment(target=AGENT, way="payout")
    for _ in range(2):
        with pytest.raises(CodeAwaitedError):
            await made(deriv, act)
    assert [one["verify_email"] for one in cashier.heard if "verify_email" in one] == [ADDRESS]
    seam.take_code(act.request_id, Secret("wrongone"))
    with pytest.raises(CodeAwaitedError) as wrong:
        await made(deriv, act)
    assert wrong.value.is_wrong
    seam.take_code(act.request_id, Secret(MAILED))
    prepared, receipt = await made(deriv, act)
    assert (receipt.outcome, len(cashier.ledger)) == (Outcome.SUCCEEDED, 1)
    assert MAILED not in prepared.wire.decode()
    assert cashier.heard[-1]["verification_code"] == MAILED


async def test_a_statement_of_many_pages_is_read_whole(both: tuple[Cashier, Deriv]) -> None:
    cashier, deriv = both
    cashier.lost.add(PAY)
    prepared, _ = await made(deriv, payment())
    for _ in range(1300):
        cashier.book("buy", Decimal("-1.00"))
    evidence: Evidence = await seam_of(deriv).find(prepared)
    assert (evidence.outcome, evidence.reference) == (Outcome.SUCCEEDED, "540000001")
