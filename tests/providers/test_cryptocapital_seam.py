"""Money through Crypto Capital's seam, against the simulator: SAFETY F07 to F12, and what is refused before."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.errors import CredentialRefusedError, InputError, OvertakenError, ProviderError, SilentError, UnreachableError
from bot.money import Money
from bot.operations.nonces import StoredNonces
from bot.providers.acts import ActKind, Outcome, Prepared
from bot.providers.cryptocapital.auth import Doubt
from bot.providers.cryptocapital.client import CryptoCapital
from bot.providers.cryptocapital.seam import Seam
from bot.store import Database
from tests.support.cryptocapital_desk import (
    EUR,
    EUROS,
    HARBOUR,
    NORDLICHT,
    OPERATING,
    RESERVE,
    USD,
    Branch,
    act,
    make_transfer,
    open_branch,
    until,
)

REFERENCE = "CS-ABCDEFGHJK"


@pytest.fixture(params=["websocket", "socketio"])
async def branch(request: pytest.FixtureRequest) -> AsyncIterator[Branch]:
    async with open_branch(request.param) as opened:
        yield opened


async def told_of(linked: CryptoCapital, count: int = 1) -> None:
    """Until so many transfers were believed."""
    key = await linked.key_line()
    await until(lambda: len(key.transfers) >= count)


# -------- the plain way


async def test_money_sent_back_with_our_words_in_it_is_no_second_transfer(branch: Branch) -> None:
    linked = branch.link()
    prepared, _ = await make_transfer(linked.money, act())
    await told_of(linked)
    back = {"account": OPERATING, "amount": "10.00", "sender": HARBOUR, "narrative": REFERENCE}
    await branch.post("deposit", **back)
    await told_of(linked, 2)
    assert (await linked.money.find(prepared)).outcome is Outcome.SUCCEEDED


async def test_a_transfer_is_acknowledged_and_settled_by_its_signed_end(branch: Branch) -> None:
    linked = branch.link()
    await branch.post("misbehave", mode="late", seconds=0.05, kind="transfer")
    prepared, receipt = await make_transfer(linked.money, act(narrative="Invoice 44 – thanks"))
    assert (receipt.outcome, receipt.reference) == (Outcome.ACKNOWLEDGED, REFERENCE)
    await told_of(linked)
    evidence = await linked.money.find(prepared)
    (entry,) = await branch.executed()
    assert (evidence.outcome, evidence.reference, evidence.differing) == (Outcome.SUCCEEDED, entry["id"], ())
    assert (entry["from"], entry["to"], entry["amount"], entry["currency"]) == (OPERATING, HARBOUR, "10.00", "USD")
    assert entry["reference"] == f"{REFERENCE} Invoice 44 – thanks"


async def test_what_is_stored_before_it_leaves_is_what_leaves(branch: Branch) -> None:
    seam = branch.link().money
    async with seam.turn():
        prepared = await seam.prepare(act(amount="150.50"))
        assert await branch.executed() == []
        await seam.send(prepared)
    assert prepared.reference == REFERENCE
    assert b'"amount":150.5,' in prepared.wire
    assert prepared.nonce == (await branch.accepted())[-1]


async def test_another_act_of_ours_is_neither_this_one_nor_like_it_and_one_without_a_mark_is(branch: Branch) -> None:
    linked = branch.link()
    await branch.post("misbehave", mode="silent", kind="transfer")
    prepared, _ = await make_transfer(linked.money, act())
    other = replace(prepared, act=act("zzzzzzzzzz"), reference="CS-ZZZZZZZZZZ", nonce=1)
    evidence = await linked.money.find(other)
    assert evidence.outcome is Outcome.UNKNOWN
    assert evidence.alike == ()
    assert evidence.absence is not None

    statement = await linked.statement_of(OPERATING, since=prepared.prepared_at - timedelta(minutes=5))
    unmarked = [replace(one, narrative="Invoice 4711") for one in statement.transfers]
    evidence = Seam._not_there(other, replace(statement, transfers=tuple(unmarked)))
    assert evidence.alike == ((await branch.executed())[0]["id"],)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (act(currency=EUR), "9120004471 holds USD"),
        (act(target=EUROS), "9120004495 holds EUR"),
        (act(source=NORDLICHT), "not an account of this login"),
        (act(target="912"), "ten digits"),
        (act(target=OPERATING), "two different accounts"),
        (act(amount="0.00"), "above nought"),
        (act(amount="-5.00"), "above nought"),
        (act(amount="1.005"), "two decimals"),
        (act(narrative="a\nb"), "cannot be seen"),
        (act(narrative="x" * 200), "200 characters"),
        (act("not-an-id"), "letters and digits"),
        (act(amount="99999999999999999.25"), "so many figures"),
        (replace(act(), kind=ActKind.ORDER), "nothing else"),
        (replace(act(), amount=None), "nothing else"),
    ],
)
async def test_what_would_not_be_done_as_meant_is_refused_before_a_number_is_used(
    branch: Branch, wanted: Any, why: str
) -> None:
    seam = branch.link().money
    async with seam.turn():
        before = await branch.accepted()
        with pytest.raises(InputError, match=why):
            await seam.prepare(wanted)
        prepared = await seam.prepare(act())
        await seam.send(prepared)
    assert len(await branch.accepted()) == len(before) + 1
    assert len(await branch.executed()) == 1


async def test_nothing_is_prepared_or_sent_outside_its_turn_and_nothing_twice(branch: Branch) -> None:
    seam = branch.link().money
    with pytest.raises(RuntimeError):
        await seam.prepare(act())
    async with seam.turn():
        prepared = await seam.prepare(act())
        await seam.send(prepared)
        with pytest.raises(RuntimeError):
            await seam.send(prepared)
    async with seam.turn():
        with pytest.raises(RuntimeError):
            await seam.send(prepared)
    assert len(await branch.executed()) == 1


async def test_a_turn_that_ends_without_sending_frees_the_way(branch: Branch) -> None:
    linked = branch.link()
    async with linked.money.turn():
        await linked.money.prepare(act())
    assert len((await linked.balances()).items) == 3
    assert await branch.executed() == []


async def test_a_send_that_waits_for_its_ack_holds_up_nobody(branch: Branch) -> None:
    linked = branch.link()
    await linked.balances()
    await branch.faults({"match": {"contains": REFERENCE}, "action": "delay", "seconds": 1.5})
    sending = asyncio.create_task(make_transfer(linked.money, act()))
    await until(lambda: bool(linked._key and linked._key.awaited))
    assert len((await linked.balances()).items) == 3
    assert (await sending)[1].outcome in (Outcome.ACKNOWLEDGED, Outcome.SUCCEEDED)


# -------- classes: by whether a byte may have left


async def test_a_bank_that_cannot_be_reached_gives_no_turn(branch: Branch) -> None:
    linked = branch.link()
    await branch.post("down", down=True)
    with pytest.raises(UnreachableError):
        async with linked.money.turn():
            pytest.fail("nothing can be prepared")


async def test_a_key_that_is_not_let_in_gives_no_turn(branch: Branch) -> None:
    linked = branch.link(accounts=NORDLICHT)
    with pytest.raises(CredentialRefusedError):
        async with linked.money.turn():
            pytest.fail("nothing can be prepared")


async def test_a_line_that_breaks_between_preparing_and_sending_has_sent_nothing(branch: Branch) -> None:
    linked = branch.link()
    async with linked.money.turn():
        prepared = await linked.money.prepare(act())
        key = await linked.key_line()
        await branch.post("hangup")
        await until(lambda: not key.line.connected)
        receipt = await linked.money.send(prepared)
    assert receipt.outcome is Outcome.NOT_SENT
    assert await branch.executed() == []
    again, second = await make_transfer(linked.money, act())
    assert again.nonce is not None
    assert prepared.nonce is not None
    assert again.nonce > prepared.nonce
    assert second.outcome in (Outcome.ACKNOWLEDGED, Outcome.SUCCEEDED)


@pytest.mark.parametrize("action", ["reset", "disconnect"])
async def test_a_line_that_breaks_under_a_transfer_leaves_it_unknown_and_it_is_found(
    branch: Branch, action: str
) -> None:
    linked = branch.link()
    await linked.balances()
    await branch.faults({"match": {"contains": REFERENCE}, "action": action})
    prepared, receipt = await make_transfer(linked.money, act())
    assert receipt.outcome is Outcome.UNKNOWN
    evidence = await linked.money.find(prepared)
    executed = await branch.executed()
    assert evidence.outcome is (Outcome.SUCCEEDED if executed else Outcome.UNKNOWN)
    assert len(executed) <= 1


async def test_silence_is_unknown(branch: Branch) -> None:
    linked = branch.link(answer_seconds=1.0)
    await linked.balances()
    await branch.faults({"match": {"contains": REFERENCE}, "action": "drop"})
    _, receipt = await make_transfer(linked.money, act())
    assert receipt.outcome is Outcome.UNKNOWN


# -------- F07


async def test_f07_after_an_ack_and_nothing_more_it_is_found_by_statement_and_never_sent_again(branch: Branch) -> None:
    linked = branch.link()
    await branch.post("misbehave", mode="silent", kind="transfer")
    prepared, receipt = await make_transfer(linked.money, act())
    assert receipt.outcome is Outcome.ACKNOWLEDGED
    assert (await linked.key_line()).transfers == {}
    assert (await linked.money.find(prepared)).outcome is Outcome.SUCCEEDED
    assert len(await branch.executed()) == 1


async def test_f07_what_is_not_in_the_statement_stays_unknown_however_often_it_is_looked_for(branch: Branch) -> None:
    linked = branch.link(answer_seconds=1.0)
    await linked.balances()
    await branch.faults({"match": {"contains": REFERENCE}, "action": "drop"})
    prepared, receipt = await make_transfer(linked.money, act())
    assert receipt.outcome is Outcome.UNKNOWN
    assert await branch.executed() == []
    old = replace(prepared, prepared_at=prepared.prepared_at - timedelta(hours=24))
    for _ in range(2):
        evidence = await linked.money.find(old)
        assert evidence.outcome is Outcome.UNKNOWN
        assert evidence.absence is not None
        assert evidence.absence.answered_later
        assert evidence.absence.since_prepared > timedelta(hours=24)
        assert evidence.absence.balance == Money(Decimal("248310.55"), USD)


# -------- F08


async def failing(branch: Branch, linked: CryptoCapital, **how: Any) -> Any:
    """An acknowledged transfer without an end, then a forged `error`."""
    await branch.post("misbehave", mode="silent", kind="transfer")
    prepared, receipt = await make_transfer(linked.money, act())
    assert receipt.outcome is Outcome.ACKNOWLEDGED
    nonce = prepared.nonce or 0
    params = {"nonce": str(nonce + how.pop("off", 0)), "msg": "insufficient funds"}
    await branch.post("forge", to=OPERATING, kind="error", params=params, **how)
    await linked.balances()  # whatever was under way before has been heard now
    return prepared


async def test_f08_a_signed_error_that_names_our_nonce_is_a_failure(branch: Branch) -> None:
    linked = branch.link()
    prepared = await failing(branch, linked)
    evidence = await linked.money.find(prepared)
    assert (evidence.outcome, evidence.detail) == (Outcome.FAILED, "insufficient funds")


async def test_f08_a_real_refusal_is_a_failure_too(branch: Branch) -> None:
    linked = branch.link()
    prepared, receipt = await make_transfer(linked.money, act(amount="999999999.00"))
    if receipt.outcome is Outcome.ACKNOWLEDGED:
        key = await linked.key_line()
        await until(lambda: bool(key.failures))
        assert (await linked.money.find(prepared)).outcome is Outcome.FAILED
    else:
        assert receipt.outcome is Outcome.FAILED
    assert await branch.executed() == []


@pytest.mark.parametrize(
    ("how", "doubt"),
    [
        ({"off": 1}, None),
        ({"mode": "unsigned"}, Doubt.GRAMMAR),
        ({"mode": "bad_signature"}, Doubt.SIGNATURE),
        ({"mode": "other_key"}, Doubt.KEY),
    ],
)
async def test_f08_an_error_for_another_nonce_or_by_nobody_settles_nothing(
    branch: Branch, how: dict[str, Any], doubt: Doubt | None
) -> None:
    linked = branch.link()
    prepared = await failing(branch, linked, **how)
    assert (await linked.money.find(prepared)).outcome is Outcome.SUCCEEDED  # by statement: it had been done
    assert linked.doubts == ({} if doubt is None else {doubt: 1})


async def test_f08_an_err_that_nobody_signed_is_no_failure(branch: Branch) -> None:
    linked = branch.link()
    await linked.balances()
    async with linked.money.turn():
        prepared = await linked.money.prepare(act())
        body = f'{{"msg":"err","data":{{"nonce":{prepared.nonce},"msg":"no such account"}}}}'
        if branch.transport == "socketio":
            body = f'42["err","{{\\"nonce\\":{prepared.nonce},\\"msg\\":\\"no such account\\"}}"]'
        await branch.faults({"match": {"contains": REFERENCE}, "action": "replace", "body": body})
        receipt = await linked.money.send(prepared)
    assert (receipt.outcome, receipt.code) == (Outcome.UNKNOWN, "err")
    assert "no such account" in receipt.detail


# -------- F09


async def test_f09_an_end_before_its_ack_is_the_end(branch: Branch) -> None:
    linked = branch.link()
    await branch.post("misbehave", mode="before_ack", kind="transfer")
    prepared, receipt = await make_transfer(linked.money, act())
    (entry,) = await branch.executed()
    assert (receipt.outcome, receipt.reference) == (Outcome.SUCCEEDED, entry["id"])
    assert (await linked.money.find(prepared)).outcome is Outcome.SUCCEEDED


async def test_f09_an_end_that_comes_twice_is_one(branch: Branch) -> None:
    linked = branch.link()
    await branch.post("misbehave", mode="duplicate", kind="transfer")
    prepared, _ = await make_transfer(linked.money, act())
    await told_of(linked)
    await linked.balances()
    evidence = await linked.money.find(prepared)
    assert (evidence.outcome, evidence.differing) == (Outcome.SUCCEEDED, ())


async def test_f09_an_end_after_hours_is_the_end(branch: Branch) -> None:
    linked = branch.link()
    await branch.post("misbehave", mode="held", kind="transfer")
    prepared, _ = await make_transfer(linked.money, act())
    old = replace(prepared, prepared_at=prepared.prepared_at - timedelta(hours=6))
    await branch.post("release")
    await told_of(linked)
    assert (await linked.money.find(old)).outcome is Outcome.SUCCEEDED


async def test_f09_an_end_on_a_new_connection_after_a_restart_is_the_end(branch: Branch) -> None:
    linked = branch.link()
    await branch.post("misbehave", mode="held", kind="transfer")
    prepared, _ = await make_transfer(linked.money, act())
    await linked.close()
    again = branch.link()
    await again.balances()
    await branch.post("release")
    await told_of(again)
    assert (await again.money.find(prepared)).outcome is Outcome.SUCCEEDED


async def test_f09_an_end_for_nothing_we_sent_settles_nothing_of_ours(branch: Branch) -> None:
    linked = branch.link()
    await branch.post("misbehave", mode="silent", kind="transfer")
    prepared, _ = await make_transfer(linked.money, act())
    await branch.post("deposit", account=OPERATING, amount="10.00", sender="9120555555", narrative="CS-OTHERONE")
    await told_of(linked)
    assert (await linked.key_line()).awaited == {}
    assert (await linked.money.find(prepared)).reference == (await branch.executed())[0]["id"]


# -------- F10

FORGED = [
    ({"mode": "unsigned"}, Doubt.GRAMMAR),
    ({"mode": "bad_signature"}, Doubt.SIGNATURE),
    ({"mode": "other_key"}, Doubt.KEY),
    ({"mode": "borrowed_key"}, Doubt.SIGNATURE),
    ({"mode": "wrong_rcpt"}, Doubt.ADDRESSEE),
    ({"mode": "field_order"}, Doubt.SIGNATURE),
    ({"mode": "recut"}, Doubt.GRAMMAR),
    ({"mode": "recut", "field": "id"}, Doubt.GRAMMAR),
    ({"mode": "recut", "field": "nonce"}, Doubt.GRAMMAR),
    ({"mode": "recut", "field": "sendAccount"}, Doubt.GRAMMAR),
    ({"mode": "raw"}, Doubt.SIGNATURE),
    ({"mode": "compact"}, Doubt.SIGNATURE),
    ({"mode": "bitcoin"}, Doubt.SIGNATURE),
    ({"mode": "trailing_byte"}, Doubt.SIGNATURE),
    ({"mode": "rcpt_order"}, Doubt.SIGNATURE),
    *(
        ({"mode": "altered_field", "field": field}, None)
        for field in (
            "id",
            "date",
            "sendAccount",
            "receiveAccount",
            "sendCurrency",
            "receiveCurrency",
            "sendAmount",
            "receiveAmount",
            "narrative",
        )
    ),
]


@pytest.mark.parametrize(("how", "doubt"), FORGED)
async def test_f10_an_end_that_is_not_to_be_believed_settles_nothing_and_is_counted(
    branch: Branch, how: dict[str, Any], doubt: Doubt | None
) -> None:
    linked = branch.link()
    await linked.balances()
    await branch.post("misbehave", kind="transfer", **how)
    _, receipt = await make_transfer(linked.money, act())
    assert receipt.outcome is Outcome.ACKNOWLEDGED
    await until(lambda: bool(linked.doubts))
    assert (await linked.key_line()).transfers == {}
    assert sum(linked.doubts.values()) == 1
    if doubt is not None:
        assert linked.doubts == {doubt: 1}
    assert len((await linked.balances()).items) == 3


@pytest.mark.parametrize("mode", ["high_s", "low_s"])
async def test_f10_the_height_of_s_is_no_reason_to_doubt(branch: Branch, mode: str) -> None:
    linked = branch.link()
    await branch.post("misbehave", kind="transfer", mode=mode)
    prepared, _ = await make_transfer(linked.money, act())
    await told_of(linked)
    assert (await linked.money.find(prepared)).outcome is Outcome.SUCCEEDED
    assert not linked.doubts


@pytest.mark.parametrize("mode", ["raw", "compact", "bitcoin", "rcpt_order"])
async def test_f10_a_tolerant_desk_takes_older_forms(branch: Branch, mode: str) -> None:
    linked = branch.link(tolerant=True)
    await branch.post("misbehave", kind="transfer", mode=mode)
    prepared, _ = await make_transfer(linked.money, act())
    await told_of(linked)
    assert (await linked.money.find(prepared)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("changed", "differing"),
    [
        ({"sendAmount": "11.00", "receiveAmount": "11.00"}, ("sent", "received")),
        ({"receiveAccount": NORDLICHT}, ("target",)),
        ({"sendAccount": RESERVE}, ("source",)),
        ({"receiveCurrency": "EUR", "receiveAmount": "9.05"}, ("received",)),
        ({"sendCurrency": "EUR"}, ("sent",)),
    ],
)
async def test_f10_a_good_end_that_is_not_what_was_approved_is_an_incident(
    branch: Branch, changed: dict[str, str], differing: tuple[str, ...]
) -> None:
    linked = branch.link()
    await branch.post("misbehave", mode="silent", kind="transfer")
    prepared, _ = await make_transfer(linked.money, act())
    params = {
        "id": "99001",
        "date": "2026-03-02",
        "sendAccount": OPERATING,
        "receiveAccount": HARBOUR,
        "sendCurrency": "USD",
        "receiveCurrency": "USD",
        "sendAmount": "10.00",
        "receiveAmount": "10.00",
        "narrative": REFERENCE,
    }
    await branch.post("forge", to=OPERATING, kind="transfer", params=params | changed)
    await told_of(linked)
    evidence = await linked.money.find(prepared)
    assert (evidence.outcome, evidence.differing) == (Outcome.UNKNOWN, differing)


async def test_f10_a_transfer_booked_twice_is_an_incident(branch: Branch) -> None:
    linked = branch.link()
    prepared, _ = await make_transfer(linked.money, act())
    await told_of(linked)
    booked = (await branch.executed())[0]["id"]
    params = {"id": "99001", "date": "2026-03-02", "sendAccount": OPERATING, "receiveAccount": HARBOUR}
    params |= {"sendCurrency": "USD", "receiveCurrency": "USD", "sendAmount": "10.00", "receiveAmount": "10.00"}
    await branch.post("forge", to=OPERATING, kind="transfer", params=params | {"narrative": REFERENCE})
    await told_of(linked, 2)
    evidence = await linked.money.find(prepared)
    assert (evidence.outcome, evidence.differing) == (Outcome.UNKNOWN, ("id",))
    assert booked in evidence.reference


# -------- F11


async def test_f11_fifty_at_once_among_reads_and_broken_lines_are_fifty(branch: Branch, tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "desk.sqlite")
    branch.nonces = StoredNonces(database)
    first, second = branch.link(), branch.link()  # two logins, one key

    async def pay(number: int) -> Outcome:
        wanted = act(f"r{number:09d}", f"{number + 1}.25")
        for _ in range(20):
            try:
                prepared, receipt = await make_transfer((first, second)[number % 2].money, wanted)
            except UnreachableError:
                continue
            if receipt.outcome is not Outcome.NOT_SENT:
                break
        if receipt.outcome is Outcome.SUCCEEDED:
            return receipt.outcome
        return await found(prepared)

    async def found(prepared: Prepared) -> Outcome:
        for _ in range(20):
            try:
                evidence = await second.money.find(prepared)
            except (UnreachableError, SilentError):
                continue
            if evidence.outcome is Outcome.SUCCEEDED:
                break
        return evidence.outcome

    async def disturb() -> None:
        for turn in range(3):
            with contextlib.suppress(ProviderError):
                await first.balances()
                await second.statement(limit=3)
                await (await first.key_line())._ping((await first.key_line()).line)
            if turn:
                await branch.post("hangup", to=OPERATING)

    *outcomes, _ = await asyncio.gather(*(pay(number) for number in range(50)), disturb())
    executed = await branch.executed()
    nonces = await branch.accepted()
    assert outcomes == [Outcome.SUCCEEDED] * 50
    assert len(executed) == len({entry["reference"] for entry in executed}) == 50
    assert nonces == sorted(set(nonces))
    assert first.overtaken == second.overtaken == 0
    assert await first.key_line() is await second.key_line()
    await first.close()
    await second.close()
    await database.close()


# -------- F12


async def test_f12_a_nonce_that_another_client_has_passed_leaves_it_unknown_and_the_next_goes_ahead(
    branch: Branch,
) -> None:
    linked = branch.link()
    await linked.balances()
    taken = int(datetime.now(UTC).timestamp() * 1000) + 30_000
    await branch.post("nonces", to=OPERATING, nonce=taken)
    prepared, receipt = await make_transfer(linked.money, act())
    assert receipt.outcome is Outcome.UNKNOWN
    assert linked.overtaken == 1
    evidence = await linked.money.find(prepared)
    assert evidence.outcome is Outcome.UNKNOWN
    assert evidence.absence is not None
    again, second = await make_transfer(linked.money, act("bbbbbbbbbb"))
    assert second.outcome in (Outcome.ACKNOWLEDGED, Outcome.SUCCEEDED)
    assert again.nonce is not None
    assert again.nonce > taken
    assert [entry["reference"] for entry in await branch.executed()] == ["CS-BBBBBBBBBB"]


async def test_f12_each_refusal_in_a_row_steps_further(branch: Branch) -> None:
    linked = branch.link()
    await linked.balances()
    await branch.post("nonces", to=OPERATING, nonce=int(datetime.now(UTC).timestamp() * 1000) + 400_000)
    for number in range(4):
        with pytest.raises(OvertakenError):
            await linked.balances()
        assert linked.overtaken == number + 1
        if number == 2:
            break
    assert len((await linked.balances()).items) == 3


# -------- nonces on disk


async def test_nonces_grow_over_restarts_and_clocks_set_back(tmp_path: Path) -> None:
    given = []
    for start in range(4):
        database = await Database.open(tmp_path / "desk.sqlite")
        nonces = StoredNonces(database)
        now = 1_772_452_800_000 - 60_000 * start
        given += await asyncio.gather(*(nonces.allocate("key", now) for _ in range(25)))
        await database.close()
    assert given == list(range(1_772_452_800_000, 1_772_452_800_100))


async def test_nonces_begin_above_the_floor_of_a_restored_database(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "desk.sqlite")
    await database.write(lambda tables: tables.conn.execute("INSERT INTO meta VALUES ('nonce_floor', '5000')"))
    nonces = StoredNonces(database)
    assert await nonces.allocate("key", 7) == 5000
    assert await nonces.allocate("key", 7) == 5001
    await nonces.pass_over("key", 6000)
    await nonces.pass_over("key", 5500)
    assert await nonces.allocate("key", 7) == 6001
    assert await nonces.allocate("other", 7) == 5000
    await database.close()
