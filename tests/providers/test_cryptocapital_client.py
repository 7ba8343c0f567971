"""The Crypto Capital adapter against its simulator, and where a peer must lie with a good signature, against frozen
messages, over real sockets."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve

from bot.clock import SystemClock
from bot.errors import (
    CredentialRefusedError,
    OvertakenError,
    ReplyError,
    SilentError,
    UnreachableError,
    UnsupportedError,
)
from bot.loopback.server import Listening, serving
from bot.money import Currency, Money
from bot.providers.acts import ActKind
from bot.providers.base import Ability, Login, Surroundings
from bot.providers.cryptocapital import SPEC, auth, build, client, hearing
from bot.providers.cryptocapital.auth import Doubt
from bot.providers.cryptocapital.client import CryptoCapital
from bot.providers.cryptocapital.settings import Settings
from bot.providers.cryptocapital.simulator import make
from bot.providers.nonces import PROCESS_NONCES, MemoryNonces, Nonces
from bot.providers.records import Environment, Power
from bot.secret import Secret

USD, EUR = Currency("USD"), Currency("EUR")
OPERATING, RESERVE, EUROS = "9120004471", "9120004488", "9120004495"
NOT_OURS = "9120007013"
OTHER_PRIVATE = "pyr/jtgEmeoRefJDS30rNu9VSrZk4F8Exjdm6mhggjY="

SAMPLES = Path(client.__file__).parent / "samples"
SAMPLE_PRIVATE = "ql3fDT/lXdZjm/1f1vtPZYYOCkSTj7zbAq5sfPkY+1c="
SAMPLE_SERVER = "BDEZAFjZOW7Ro9vMqMx9u4eU8tdxGG4SyY2r8h+unXEcYGD5bSxCyf3YngZhLcczKER06A0smrnqXeoWjpffDHY="
SAMPLE_ACCOUNT = "9120004711"
BITCOIN_FORM = "G2abivzsgDoNMj6aF/Pqjmjoq+WieAIKkprb7FJCGtvQbM1yIVRELWGBJV6Otx8aDkt7alytzSHMIdrzWXgGhG0="


class HeldClock(SystemClock):
    """The machine's clock, except that sleepers wait until they are woken and the monotonic hand can be pushed."""

    def __init__(self) -> None:
        self.pushed = 0.0
        self.asked_for: list[float] = []
        self.wake = asyncio.Event()

    def monotonic(self) -> float:
        return super().monotonic() + self.pushed

    async def sleep(self, seconds: float) -> None:
        self.asked_for.append(seconds)
        await self.wake.wait()
        self.wake.clear()


class Purse:
    """Lends one login and keeps count of who has it."""

    def __init__(self, private_key: str, accounts: str) -> None:
        self.login = {"private_key": Secret(private_key), "accounts": Secret(accounts)}
        self.open = 0
        self.lent = 0

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Login]:
        self.open += 1
        self.lent += 1
        try:
            yield self.login
        finally:
            self.open -= 1


def adapter(purse: Purse, settings: Settings, *, clock: SystemClock | None = None, nonces: Nonces | None = None) -> Any:
    surroundings = Surroundings(Environment.LIVE, settings, clock or SystemClock(), nonces or MemoryNonces())
    return build(purse.lend, surroundings)


@dataclass
class Bank:
    """A running simulator, its control side, and adapters for it."""

    listening: Listening
    control: httpx.AsyncClient
    made: list[CryptoCapital]

    def purse(self, private_key: str | None = None, accounts: str = f"{OPERATING},{RESERVE},{EUROS}") -> Purse:
        return Purse(private_key or self.listening.credentials["private_key"], accounts)

    def link(self, purse: Purse | None = None, *, answer_seconds: float = 5.0, **rest: Any) -> CryptoCapital:
        settings = Settings(
            url=self.listening.ws,
            server_public_key=self.listening.credentials["server_public_key"],
            answer_seconds=answer_seconds,
        )
        made: CryptoCapital = adapter(purse or self.purse(), settings, **rest)
        self.made.append(made)
        return made

    async def tell(self, path: str, **body: Any) -> None:
        (await self.control.post(f"/_sim/{path}", json=body)).raise_for_status()

    async def faults(self, *steps: dict[str, Any]) -> None:
        (await self.control.post("/_sim/faults", json=list(steps))).raise_for_status()

    async def nonces(self) -> list[int]:
        """The accepted nonces of our key, in the order of arrival."""
        answer = (await self.control.get("/_sim/nonces")).json()
        accepted: list[int] = answer["accepted"][self.listening.credentials["public_key"]]
        return accepted


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with serving(make()) as listening, httpx.AsyncClient(base_url=listening.http) as control:
        running = Bank(listening, control, [])
        yield running
        for made in running.made:
            await made.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # what is waited for has no event of its own
            await asyncio.sleep(0.005)


# -------- what it can read


async def test_check_names_the_key_and_the_accounts(bank: Bank) -> None:
    found = await bank.link().check()
    said = found.summary
    fingerprint = auth.fingerprint(bank.listening.credentials["public_key"])
    assert said == (
        f"3 accounts (9120004471 USD, 9120004488 USD, 9120004495 EUR), public key fingerprint {fingerprint}"
    )
    assert found.facts == (
        f"Its public key is {bank.listening.credentials['public_key']}: the one registered for these accounts.",
    )
    assert found.powers == {Power.READ, Power.PAY_OUT}


async def test_one_account_is_one_account(bank: Bank) -> None:
    assert (await bank.link(bank.purse(accounts=EUROS)).check()).summary.startswith("1 account (9120004495 EUR), ")


async def test_balances_are_what_the_bank_holds(bank: Bank) -> None:
    before = datetime.now(UTC)
    reading = await bank.link().balances()
    shown = [(one.account, one.name, one.amount, one.available) for one in reading.items]
    operating, reserve, euros = (
        Money(Decimal("248310.55"), USD),
        Money(Decimal("61904.20"), USD),
        Money(Decimal("137562.18"), EUR),
    )
    assert shown == [
        (OPERATING, "Treasury Operating", operating, operating),
        (RESERVE, "Settlement Reserve", reserve, reserve),
        (EUROS, "Euro Settlement", euros, euros),
    ]
    assert reading.notes == ()
    assert {one.environment for one in reading.items} == {Environment.LIVE}
    assert all(before <= one.as_of <= datetime.now(UTC) for one in reading.items)
    assert reading.as_of == min(one.as_of for one in reading.items)


async def test_the_next_reading_shows_what_happened_meanwhile(bank: Bank) -> None:
    linked = bank.link(bank.purse(accounts=OPERATING))
    await linked.balances()
    await bank.tell("deposit", account=OPERATING, amount="100.01")
    await bank.tell("hold", account=OPERATING, amount="8.00")
    (balance,) = (await linked.balances()).items
    assert balance.amount == Money(Decimal("248410.56"), USD)
    assert balance.available == Money(Decimal("248402.56"), USD)


async def test_accounts_are_listed_by_number_and_name(bank: Bank) -> None:
    listed = [(one.id, one.name, one.currency) for one in (await bank.link().accounts()).items]
    assert listed == [
        (OPERATING, "Treasury Operating", USD),
        (RESERVE, "Settlement Reserve", USD),
        (EUROS, "Euro Settlement", EUR),
    ]


async def test_it_has_no_positions_and_makes_transfers_only(bank: Bank) -> None:
    linked = bank.link()
    assert Ability.POSITIONS not in SPEC.abilities
    assert SPEC.acts == {ActKind.TRANSFER}
    with pytest.raises(UnsupportedError):
        await linked.positions()


async def test_an_account_named_twice_is_asked_about_once(bank: Bank) -> None:
    reading = await bank.link(bank.purse(accounts=f"{OPERATING}, {OPERATING} ,{EUROS}")).balances()
    assert [one.account for one in reading.items] == [OPERATING, EUROS]


# -------- refusals


@pytest.mark.parametrize("question", ["check", "accounts", "balances"])
async def test_a_key_that_owns_nothing_is_a_refused_credential(bank: Bank, question: str) -> None:
    linked = bank.link(bank.purse(OTHER_PRIVATE))
    with pytest.raises(CredentialRefusedError) as caught:
        await getattr(linked, question)()
    assert OTHER_PRIVATE not in str(caught.value)


@pytest.mark.parametrize("text", ["", "nonsense", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="])
async def test_what_is_no_key_is_refused_without_being_repeated(bank: Bank, text: str) -> None:
    linked = bank.link(Purse(text, OPERATING))
    with pytest.raises(CredentialRefusedError) as caught:
        await linked.check()
    assert caught.value.code == "private_key"
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("accounts", ["", "912", f"{OPERATING};{RESERVE}", f"{OPERATING},"])
async def test_account_numbers_that_cannot_be_read_are_refused(bank: Bank, accounts: str) -> None:
    with pytest.raises(CredentialRefusedError) as caught:
        await bank.link(bank.purse(accounts=accounts)).check()
    assert caught.value.code == "accounts"


async def test_one_account_that_is_not_ours_costs_one_note(bank: Bank) -> None:
    linked = bank.link(bank.purse(accounts=f"{OPERATING},{NOT_OURS}"))
    reading = await linked.balances()
    assert [one.account for one in reading.items] == [OPERATING]
    (note,) = reading.notes
    assert note.startswith(f"Account {NOT_OURS} was refused")
    assert f"Account {NOT_OURS} was refused" in (await linked.check()).summary


class Stuck(MemoryNonces):
    """Always the same nonce: what a second program with the same key looks like from the other side."""

    async def allocate(self, public_key: str, now_ms: int) -> int:
        return 1792300800000


async def test_an_auth_that_comes_too_late_is_no_refused_credential(bank: Bank) -> None:
    await (await bank.link(nonces=Stuck(), purse=bank.purse(accounts=OPERATING)).key_line()).open()
    with pytest.raises(OvertakenError, match="nonce"):
        await bank.link(nonces=Stuck(), purse=bank.purse(accounts=OPERATING)).check()


@pytest.mark.parametrize("nonce", ["1792300800000", '"1792300800000"'])
async def test_an_err_is_matched_by_its_nonce_as_text(bank: Bank, nonce: str) -> None:
    body = f'{{"msg":"err","data":{{"nonce":{nonce},"error":"go </b> away"}}}}'
    await bank.faults({"match": {"contains": '"op":"auth"'}, "action": "replace", "body": body})
    with pytest.raises(CredentialRefusedError, match="go </b> away"):
        await bank.link(nonces=Stuck()).check()


@pytest.mark.parametrize("nonce", ["1792300800001", "null"])
async def test_an_err_for_another_nonce_settles_nothing(bank: Bank, nonce: str) -> None:
    body = f'{{"msg":"err","data":{{"nonce":{nonce},"msg":"no"}}}}'
    await bank.faults({"match": {"contains": '"op":"auth"'}, "action": "replace", "body": body})
    with pytest.raises(SilentError):
        await bank.link(nonces=Stuck(), answer_seconds=1.0).check()


# -------- answers not to be believed


@pytest.mark.parametrize(
    ("mode", "doubt"),
    [
        ("unsigned", Doubt.GRAMMAR),
        ("bad_signature", Doubt.SIGNATURE),
        ("altered_field", Doubt.SIGNATURE),
        ("other_key", Doubt.KEY),
        ("wrong_rcpt", Doubt.ADDRESSEE),
    ],
)
async def test_a_doubtful_answer_fails_its_question_is_counted_and_leaves_no_content_in_the_log(
    bank: Bank, mode: str, doubt: Doubt, caplog: pytest.LogCaptureFixture
) -> None:
    linked = bank.link(bank.purse(accounts=OPERATING))
    await bank.tell("misbehave", mode=mode)
    with caplog.at_level(logging.DEBUG), pytest.raises(ReplyError):
        await linked.balances()
    assert linked.doubts == {doubt: 1}
    assert [record.levelname for record in caplog.records if record.name == hearing.__name__] == ["WARNING"]
    said = "".join(str(vars(record)) for record in caplog.records if record.name.startswith("bot."))
    assert OPERATING not in said
    assert "248310" not in said
    (balance,) = (await linked.balances()).items
    assert balance.amount == Money(Decimal("248310.55"), USD)


async def test_one_doubtful_answer_among_several_fails_the_whole_reading(bank: Bank) -> None:
    linked = bank.link()
    await bank.tell("misbehave", mode="altered_field")
    with pytest.raises(ReplyError):
        await linked.balances()
    assert len((await linked.balances()).items) == 3


def _account_body(**params: Any) -> str:
    data = {"key": "K", "nonce": 1792300800000, "rcpt": "R", "params": params, "signed": "MEUC"}
    return json.dumps({"msg": "account", "data": data})


_PLAUSIBLE = {"accountNumber": OPERATING, "name": "x", "currency": "USD", "balance": "1.00", "available": "1.00"}


@pytest.mark.parametrize(
    "body",
    [
        "garbage",
        "",
        "[]",
        "null",
        '{"msg":"account","data":null}',
        '{"msg":"account","data":[]}',
        '{"msg":"account","data":{"nonce":NaN}}',
        '{"msg":"account","data":' + "[" * 50_000 + "]" * 50_000 + "}",
        _account_body(**_PLAUSIBLE | {"balance": None}),
        _account_body(**_PLAUSIBLE | {"balance": 248310.55}),
        _account_body(**_PLAUSIBLE | {"balance": float("nan")}),
        _account_body(**_PLAUSIBLE | {"balance": "NaN"}),
        _account_body(**_PLAUSIBLE | {"balance": "1_000.00"}),
        _account_body(**_PLAUSIBLE),
        _account_body(**_PLAUSIBLE)[:-20],
        _account_body(**_PLAUSIBLE).replace('"balance"', '"balance": "2.00", "balance"'),
    ],
)
async def test_a_hostile_answer_fails_that_call_and_the_next_one_works(bank: Bank, body: str) -> None:
    linked = bank.link(bank.purse(accounts=OPERATING))
    await bank.faults({"match": {"contains": '"op":"account"'}, "action": "replace", "body": body})
    with pytest.raises(ReplyError):
        await linked.balances()
    (balance,) = (await linked.balances()).items
    assert balance.amount == Money(Decimal("248310.55"), USD)


async def test_an_oversized_answer_fails_that_call_and_the_next_one_works(bank: Bank) -> None:
    linked = bank.link(bank.purse(accounts=OPERATING))
    body = json.dumps({"msg": "account", "data": {"more": "x" * (1 << 20)}})
    await bank.faults({"match": {"contains": '"op":"account"'}, "action": "replace", "body": body})
    with pytest.raises(ReplyError):
        await linked.balances()
    assert len((await linked.balances()).items) == 1


async def test_f06_answers_that_are_too_large_lead_to_a_rest(bank: Bank) -> None:
    linked = bank.link(bank.purse(accounts=OPERATING))
    body = json.dumps({"msg": "account", "data": {"more": "x" * (1 << 20)}})
    await bank.faults({"match": {"contains": '"op":"account"'}, "action": "replace", "body": body, "times": 5})
    for _ in range(5):
        with pytest.raises(ReplyError):
            await linked.balances()
    with pytest.raises(UnreachableError, match="resting"):
        await linked.balances()


async def test_an_unknown_type_is_counted_and_changes_nothing(bank: Bank) -> None:
    linked = bank.link(answer_seconds=1.0)
    await bank.faults({"match": {"contains": '"op":"auth"'}, "action": "replace", "body": '{"msg":"news","data":{}}'})
    with pytest.raises(SilentError):
        await linked.balances()
    assert linked.doubts == {Doubt.UNFAMILIAR: 1}


# -------- silence, the order of things, and breakage


async def test_a_bank_that_never_sends_the_result_is_silent(bank: Bank) -> None:
    linked = bank.link(answer_seconds=1.0)
    await bank.tell("misbehave", mode="silent", times=0)
    with pytest.raises(SilentError):
        await linked.balances()
    assert not (await linked.key_line())._asked  # a question without an answer is not remembered for ever


async def test_one_silent_account_costs_one_note(bank: Bank) -> None:
    linked = bank.link(answer_seconds=1.0)
    await bank.tell("misbehave", mode="silent")
    reading = await linked.balances()
    assert [one.account for one in reading.items] == [RESERVE, EUROS]
    assert reading.notes == (f"Account {OPERATING} did not answer.",)


async def test_a_result_before_its_ack_is_as_good(bank: Bank) -> None:
    await bank.tell("misbehave", mode="before_ack", times=0)
    assert len((await bank.link().balances()).items) == 3


async def test_a_duplicate_cannot_answer_the_next_question(bank: Bank) -> None:
    linked = bank.link(bank.purse(accounts=OPERATING))
    await bank.tell("misbehave", mode="duplicate")
    await linked.balances()
    await bank.tell("deposit", account=OPERATING, amount="1.00")
    (balance,) = (await linked.balances()).items
    assert balance.amount == Money(Decimal("248311.55"), USD)
    assert linked.doubts == {Doubt.REPEATED: 1}


async def test_money_arriving_unasked_disturbs_no_question(bank: Bank) -> None:
    linked = bank.link()
    await linked.balances()
    await bank.tell("deposit", account=RESERVE, amount="5.00")
    assert (await linked.balances()).items[1].amount == Money(Decimal("61909.20"), USD)
    assert not linked.doubts


class Dawdling(MemoryNonces):
    """A durable allocator writes before it answers, and later ones may be quicker than earlier ones."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = 40

    async def allocate(self, public_key: str, now_ms: int) -> int:
        nonce = await super().allocate(public_key, now_ms)
        self.turns = max(0, self.turns - 5)
        for _ in range(self.turns):
            await asyncio.sleep(0)
        return nonce


async def test_questions_asked_at_once_share_one_login_and_arrive_in_the_order_of_their_nonces(bank: Bank) -> None:
    linked = bank.link(nonces=Dawdling())
    readings = await asyncio.gather(*(linked.balances() for _ in range(6)))
    assert {len(reading.items) for reading in readings} == {3}
    nonces = await bank.nonces()
    assert len(nonces) == 1 + 6 * 3
    assert nonces == sorted(set(nonces))


async def test_a_login_that_was_just_tested_can_be_used_at_once(bank: Bank) -> None:
    """Two clients of one key in one process draw from one source, even where the clock stands still."""

    class Standing(SystemClock):
        def now(self) -> datetime:
            return datetime(2026, 3, 2, tzinfo=UTC)

    shared = MemoryNonces()
    for _ in range(3):
        linked = bank.link(clock=Standing(), nonces=shared)
        await linked.check()
        await linked.close()


def test_without_an_allocator_all_clients_of_the_process_share_one() -> None:
    first, second = (Surroundings(Environment.LIVE, Settings(), SystemClock()) for _ in range(2))
    assert first.nonces is second.nonces is PROCESS_NONCES


async def test_the_key_is_lent_for_signing_only(bank: Bank) -> None:
    purse = bank.purse()
    linked = bank.link(purse, answer_seconds=5.0)
    await bank.tell("delay", seconds=0.2)
    asking = asyncio.create_task(linked.balances())
    await until(lambda: purse.lent == 3)  # once to know the key, once for auth, once for the three accounts
    await until(lambda: purse.open == 0)
    assert not asking.done()
    await asking
    assert purse.lent == 3
    assert purse.login["private_key"].reveal() not in "".join(repr(value) for value in vars(linked).values())


async def test_a_ping_of_its_own_goes_out_every_thirty_seconds(bank: Bank) -> None:
    clock = HeldClock()
    linked = bank.link(bank.purse(accounts=OPERATING), clock=clock)
    await linked.balances()
    await until(lambda: clock.asked_for == [30.0])
    clock.wake.set()
    await until(lambda: clock.asked_for == [30.0, 30.0])
    assert len(await bank.nonces()) == 3  # auth, account, ping
    assert (await linked.key_line()).line.connected


async def test_a_bank_that_is_down_is_unreachable_and_is_found_again(bank: Bank) -> None:
    linked = bank.link()
    await linked.balances()
    await bank.tell("down", down=True)
    with pytest.raises((UnreachableError, SilentError)):
        await linked.balances()
    with pytest.raises(UnreachableError):
        await linked.balances()
    await bank.tell("down", down=False)
    assert len((await linked.balances()).items) == 3


async def test_a_connection_that_breaks_under_a_question_is_made_anew_by_the_next(bank: Bank) -> None:
    linked = bank.link()
    await bank.faults({"match": {"contains": '"op":"account"'}, "action": "disconnect", "code": 1011})
    with pytest.raises(SilentError):
        await linked.balances()
    assert len((await linked.balances()).items) == 3


@pytest.mark.parametrize("transport", ["websocket", "socketio"])
async def test_over_tls_only_a_trusted_certificate_is_talked_to(transport: Any) -> None:
    async with serving(make(), tls=True) as listening:
        given = listening.credentials
        for ca_file in (given["ca_file"], None):
            settings = Settings(listening.ws, given["server_public_key"], ca_file=ca_file, transport=transport)
            linked: CryptoCapital = adapter(Purse(given["private_key"], OPERATING), settings)
            if ca_file is None:
                with pytest.raises(UnreachableError):
                    await linked.balances()
            else:
                assert len((await linked.balances()).items) == 1
            await linked.close()


async def test_after_five_failures_it_rests_a_while_without_knocking(bank: Bank) -> None:
    clock = HeldClock()
    linked = bank.link(clock=clock)
    await bank.tell("down", down=True)
    for _ in range(5):
        with pytest.raises(UnreachableError):
            await linked.balances()
    await bank.tell("down", down=False)
    with pytest.raises(UnreachableError, match="resting"):
        await linked.balances()
    clock.pushed += timedelta(seconds=16).total_seconds()
    assert len((await linked.balances()).items) == 3


async def test_closing_twice_is_closing_once_and_nothing_is_asked_afterwards(bank: Bank) -> None:
    linked = bank.link()
    await linked.balances()
    await linked.close()
    await linked.close()
    with pytest.raises(UnreachableError):
        await linked.balances()


async def test_closing_what_was_never_opened_is_fine(bank: Bank) -> None:
    await bank.link().close()


# -------- a peer that plays frozen, signed messages


class Peer:
    """Acknowledges everything, and answers each `account` with the next of `answers`, placeholders filled in."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    async def __call__(self, socket: ServerConnection) -> None:
        async for frame in socket:
            asked = json.loads(frame)
            await socket.send(json.dumps({"msg": "ack", "data": {"nonce": asked["data"]["nonce"]}}))
            if asked["op"] == "account" and self.answers:
                await socket.send(self.answers.pop(0))


@asynccontextmanager
async def peered(peer: Peer, **settings: Any) -> AsyncIterator[CryptoCapital]:
    """An adapter with the samples' keys, linked to `peer`."""
    async with serve(peer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        linked: CryptoCapital = adapter(
            Purse(SAMPLE_PRIVATE, SAMPLE_ACCOUNT),
            Settings(url=f"ws://127.0.0.1:{port}", server_public_key=SAMPLE_SERVER, **settings),
            nonces=FromSample(),
        )
        try:
            yield linked
        finally:
            await linked.close()


class FromSample(MemoryNonces):
    """Gives out the nonces of the sample requests: auth …123, account …124 and so on."""

    def __init__(self) -> None:
        super().__init__()
        self.next = 1792300800123

    async def allocate(self, public_key: str, now_ms: int) -> int:
        self.next += 1
        return self.next - 1


def sample(name: str, **changed: Any) -> str:
    frame = json.loads((SAMPLES / f"{name}.json").read_text())
    frame["data"] |= changed
    return json.dumps(frame)


async def test_the_documented_form_with_a_high_s_is_believed() -> None:
    async with peered(Peer(sample("account"))) as linked:
        (balance,) = (await linked.balances()).items
    assert balance.name == "Caisse «Été»"
    assert balance.amount == Money(Decimal("1204567.80"), EUR)
    assert balance.available == Money(Decimal("1204000.05"), EUR)


async def test_a_data_object_inside_a_string_is_opened() -> None:
    frame = json.loads(sample("account"))
    async with peered(Peer(json.dumps({"msg": "account", "data": json.dumps(frame["data"])}))) as linked:
        assert len((await linked.balances()).items) == 1


async def test_an_older_form_is_refused_unless_the_desk_is_tolerant() -> None:
    older = sample("account", signed=BITCOIN_FORM)
    async with peered(Peer(older)) as linked:
        with pytest.raises(ReplyError):
            await linked.balances()
    async with peered(Peer(older), tolerant=True) as linked:
        assert "older form: Bitcoin signed message" in (await linked.check()).summary


async def test_a_recorded_answer_does_not_settle_a_later_question() -> None:
    async with peered(Peer(sample("account"), sample("account")), answer_seconds=1.0) as linked:
        await linked.balances()
        with pytest.raises(SilentError):
            await linked.balances()
        assert linked.doubts == {Doubt.REPEATED: 1}


async def test_a_signed_error_is_matched_by_the_nonce_inside_it() -> None:
    async with peered(Peer(sample("error"))) as linked:
        with pytest.raises(CredentialRefusedError, match="account is not linked to this key"):
            await linked.balances()


async def test_an_error_that_was_not_signed_by_the_bank_refuses_nothing() -> None:
    async with peered(Peer(sample("error", nonce=1792300801467))) as linked:
        with pytest.raises(ReplyError):
            await linked.balances()
        assert linked.doubts == {Doubt.SIGNATURE: 1}


async def test_a_forged_transfer_is_counted_and_a_genuine_one_is_not() -> None:
    async with peered(Peer(sample("transfer")), answer_seconds=1.0) as linked:
        with pytest.raises(SilentError):
            await linked.balances()
        assert not linked.doubts
    async with peered(Peer(sample("transfer", nonce=1792300801477)), answer_seconds=1.0) as linked:
        with pytest.raises(SilentError):
            await linked.balances()
        assert linked.doubts == {Doubt.SIGNATURE: 1}


# -------- SPEC, settings


@pytest.mark.parametrize(
    ("table", "good"),
    [
        ({}, True),
        ({"url": "wss://bank.example:8443/base/"}, True),
        ({"url": "ws://127.0.0.1:8000"}, True),
        ({"url": "ws://[::1]:8000"}, True),
        ({"url": "ws://bank.example"}, False),
        ({"url": "ws://127.0.0.1.example"}, False),
        ({"url": "https://api.cryptocapital.co"}, False),
        ({"url": "wss://user@bank.example"}, False),
        ({"url": "wss://"}, False),
        ({"server_public_key": SAMPLE_SERVER}, True),
        ({"server_public_key": "abc"}, False),
        ({"server_public_key": ""}, False),
        ({"answer_seconds": 0}, False),
        ({"answer_seconds": 900}, False),
        ({"tolerant": "yes"}, False),
        ({"transport": "socket.io"}, False),
    ],
)
def test_the_configuration_table_is_checked_when_it_is_read(table: dict[str, Any], good: bool) -> None:
    if good:
        msgspec.convert(table, Settings)
        return
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table, Settings)


def test_by_default_only_the_documented_key_is_believed() -> None:
    default = Settings()
    assert default.url == "wss://api.cryptocapital.co"
    assert default.server_public_key == (
        "BLmiS8rOACxx3WQfZp/xXyeqjtyrJE6VhMN4gVtpu/RQioE38MXYWxlRF4ONIYI2l9npoSXK1gVcyoB2+VRima0="
    )
    assert not default.tolerant


def test_only_the_private_key_is_a_secret() -> None:
    assert {field.key: field.secret for field in SPEC.fields} == {"private_key": True, "accounts": False}
