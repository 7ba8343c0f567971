"""The Capital.com adapter over real sockets, against the simulator and its misfortunes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest

from bot.errors import (
    BusyError,
    CredentialRefusedError,
    EnvironmentMismatchError,
    FaultError,
    ProviderError,
    RefusedError,
    ReplyError,
    SilentError,
    UnreachableError,
)
from bot.loopback.server import Listening, serving
from bot.money import Currency, Money
from bot.providers.base import Login, Surroundings
from bot.providers.capital import SPEC
from bot.providers.capital.client import Capital, Settings
from bot.providers.capital.simulator import make
from bot.providers.markets import ReckonsNights
from bot.providers.records import Direction, Environment, Power
from bot.secret import Secret
from tests.providers.test_capital_wire import sample
from tests.support.clock import PassingClock

LOGIN, KEY, ACCOUNTS, POSITIONS = "/api/v1/session", "/api/v1/session/encryptionKey", "/accounts", "/positions"
START = datetime(2024, 5, 14, 12, 0, tzinfo=UTC)
TOKENS = {"CST": "c-1", "X-SECURITY-TOKEN": "s-1"}


class HandClock(PassingClock):
    def __init__(self) -> None:
        super().__init__(START)


@dataclass
class Desk:
    """A simulator, a clock it shares with the adapters, and the adapters made here."""

    sim: Listening
    clock: HandClock
    control: httpx.AsyncClient
    made: list[Capital] = field(default_factory=list)
    opened: int = 0

    def link(
        self, credential: Mapping[str, str] | None = None, environment: Environment = Environment.DEMO, **settings: Any
    ) -> Capital:
        login: Login = {key: Secret(text) for key, text in {**self.sim.credentials, **(credential or {})}.items()}

        @asynccontextmanager
        async def lend() -> AsyncIterator[Login]:
            self.opened += 1
            yield login

        table = Settings(**{"demo_url": self.sim.http, "live_url": "http://127.0.0.1:9", **settings})
        provider = SPEC.build(lend, Surroundings(environment, table, self.clock))
        assert isinstance(provider, Capital)
        self.made.append(provider)
        return provider

    async def tell(self, path: str, body: Any) -> Any:
        return (await self.control.post(path, json=body)).raise_for_status().json()

    async def misfortune(self, action: str, path: str, method: str = "GET", **options: Any) -> None:
        await self.tell("/faults", {"action": action, "match": {"path": path, "method": method}, **options})

    async def count(self, path: str, method: str) -> Callable[[], Awaitable[int]]:
        """From now on, count the requests to `path` that meet no misfortune told before."""
        await self.misfortune("delay", path, method, seconds=0, times=0)

        async def counted() -> int:
            waiting = (await self.control.get("/faults")).json()["waiting"]
            (one,) = [step for step in waiting if step["match"] == {"path": path, "method": method}]
            return int(one["seen"])

        return counted

    async def struck(self) -> None:
        """Until every misfortune told has happened."""
        for _ in range(500):
            if not (await self.control.get("/faults")).json()["waiting"]:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("a misfortune is still waiting")

    async def sessions(self) -> dict[str, int]:
        counts: dict[str, int] = (await self.control.get("/sessions")).json()
        return counts


@asynccontextmanager
async def desk_at() -> AsyncIterator[Desk]:
    clock = HandClock()
    async with serving(make(clock=clock)) as sim, httpx.AsyncClient(base_url=sim.control, trust_env=False) as control:
        one = Desk(sim, clock, control)
        yield one
        for provider in one.made:
            await provider.close()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_at() as one:
        yield one


async def test_a_check_says_what_it_found(desk: Desk) -> None:
    assert (await desk.link().check()).summary == "2 accounts, USD and EUR"


async def test_the_password_travels_encrypted(desk: Desk) -> None:
    keys = await desk.count(KEY, "GET")
    await desk.tell("/options", {"raw_password": False})
    await desk.link().check()
    assert await keys() == 1


async def test_the_password_travels_plain_when_the_desk_says_so(desk: Desk) -> None:
    keys = await desk.count(KEY, "GET")
    await desk.link(encrypted_password=False).check()
    assert await keys() == 0


async def test_accounts_carry_their_environment(desk: Desk) -> None:
    live = desk.link(environment=Environment.LIVE, live_url=desk.sim.http, demo_url="http://127.0.0.1:9")
    reading = await live.accounts()
    assert [account.currency for account in reading.items] == [Currency("USD"), Currency("EUR")]
    assert {account.environment for account in reading.items} == {Environment.LIVE}
    assert reading.as_of == desk.clock.now()


async def test_balances_show_money_that_arrived(desk: Desk) -> None:
    provider = desk.link()
    before = (await provider.balances()).items[1]
    desk.clock.seconds += 60
    await desk.tell("/cash", {"account": before.account, "amount": "1000.25"})
    after = (await provider.balances()).items[1]
    assert after.amount == before.amount + Money(Decimal("1000.25"), Currency("EUR"))
    assert after.as_of == before.as_of + timedelta(seconds=60)


async def test_positions_show_the_price_they_would_be_closed_at(desk: Desk) -> None:
    provider = desk.link()
    await desk.tell("/price", {"epic": "GOLD", "bid": "4100.10", "offer": "4100.60"})
    await desk.tell("/price", {"epic": "US100", "bid": "25000.0", "offer": "25002.5"})
    now = {position.symbol: position for position in (await provider.positions()).items}
    assert (now["GOLD"].direction, now["GOLD"].now) == (Direction.LONG, Decimal("4100.10"))
    assert (now["US100"].direction, now["US100"].now) == (Direction.SHORT, Decimal("25002.5"))


async def test_what_the_next_night_costs_is_told_of_each_position(desk: Desk) -> None:
    provider = desk.link()
    positions = await provider.positions()
    assert isinstance(provider, ReckonsNights)
    told = {one.id: one.overnight for one in (await provider.with_nights(positions)).items}
    booked = (await desk.tell("/overnight", {}))["booked"]
    assert len(told) > 1
    for number, money in told.items():
        assert money == Money(Decimal(booked[number]), Currency("USD"))


async def test_positions_are_told_without_nights_when_markets_are_not(desk: Desk) -> None:
    provider = desk.link()
    positions = await provider.positions()
    assert isinstance(provider, ReckonsNights)
    await desk.misfortune("status", "/markets", status=500, body={}, times=2)
    assert await provider.with_nights(positions) == positions


async def test_positions_belong_to_the_active_account_and_say_so(desk: Desk) -> None:
    provider = desk.link()
    active, other = (await provider.accounts()).items
    reading = await provider.positions()
    assert {position.account for position in reading.items} == {active.id}
    (note,) = reading.notes
    assert active.id in note
    assert other.id not in note
    assert "this login has 2" in note


async def test_a_login_with_one_account_needs_no_such_note(desk: Desk) -> None:
    body = sample("post_session_2023.json").decode()
    await desk.misfortune("replace", LOGIN, "POST", body=body, headers=TOKENS)
    await desk.misfortune("replace", POSITIONS, body=sample("get_positions.json").decode())
    reading = await desk.link().positions()
    assert reading.notes == ()
    assert {position.account for position in reading.items} == {"227700000000000081"}


async def test_one_login_serves_many_reads_and_the_credential_is_opened_once(desk: Desk) -> None:
    provider = desk.link()
    for _ in range(3):
        await provider.balances()
        await provider.positions()
    assert (await desk.sessions())["logins"] == 1
    assert desk.opened == 1


async def test_tokens_that_change_with_every_reply_are_followed(desk: Desk) -> None:
    await desk.tell("/options", {"rotate_tokens": True})
    provider = desk.link()
    for _ in range(4):
        await provider.balances()
    assert (await desk.sessions())["logins"] == 1


async def test_a_dead_session_is_replaced_and_the_read_repeated_once(desk: Desk) -> None:
    provider = desk.link()
    before = await provider.balances()
    await desk.tell("/expire", {})
    reads = await desk.count(ACCOUNTS, "GET")
    assert (await provider.balances()).items[0].amount == before.items[0].amount
    assert (await desk.sessions())["logins"] == 2
    assert await reads() == 2


async def test_a_session_in_use_outlives_ten_minutes(desk: Desk) -> None:
    provider = desk.link()
    for _ in range(4):
        await provider.check()
        desk.clock.seconds += 530
    assert (await desk.sessions())["logins"] == 1


async def test_a_session_that_lay_still_is_not_even_tried(desk: Desk) -> None:
    provider = desk.link()
    await provider.check()
    desk.clock.seconds += 541
    reads = await desk.count(ACCOUNTS, "GET")
    await provider.check()
    assert (await desk.sessions())["logins"] == 2
    assert await reads() == 1


async def test_many_askers_share_one_login(desk: Desk) -> None:
    provider = desk.link()
    await asyncio.gather(*(provider.balances() for _ in range(5)))
    assert (await desk.sessions())["logins"] == 1
    await desk.tell("/expire", {})
    await asyncio.gather(*(provider.positions() for _ in range(5)))
    assert (await desk.sessions())["logins"] == 2


async def test_many_askers_share_one_refusal(desk: Desk) -> None:
    provider = desk.link({"password": "wrong-of-course"})
    logins = await desk.count(LOGIN, "POST")
    ends = await asyncio.gather(*(provider.balances() for _ in range(4)), return_exceptions=True)
    assert {type(end) for end in ends} == {CredentialRefusedError}
    assert await logins() == 1


async def test_an_asker_who_gives_up_does_not_end_the_login_of_the_others(desk: Desk) -> None:
    provider = desk.link()
    impatient, patient = asyncio.create_task(provider.check()), asyncio.create_task(provider.check())
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).summary == "2 accounts, USD and EUR"
    assert (await desk.sessions())["logins"] == 1


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"password": "wrong-of-course"}, "error.invalid.details"),
        ({"identifier": "nobody@quay.example"}, "error.invalid.details"),
        ({"api_key": "no-such-key-here"}, "error.invalid.api.key"),
    ],
)
async def test_a_wrong_login_is_refused_by_name(desk: Desk, wrong: dict[str, str], code: str, encrypted: bool) -> None:
    with pytest.raises(CredentialRefusedError) as caught:
        await desk.link(wrong, encrypted_password=encrypted).check()
    assert caught.value.code == code
    assert not any(text in str(caught.value) for text in wrong.values())


async def test_a_key_for_the_other_environment_is_explained(desk: Desk) -> None:
    await desk.misfortune("status", LOGIN, "POST", status=401, body={"errorCode": "error.null.accountId"})
    with pytest.raises(EnvironmentMismatchError) as refused:
        await desk.link().check()
    assert (refused.value.wanted, refused.value.found) == ("demo", "live")


async def test_a_login_without_an_account_here_belongs_to_the_other_environment(desk: Desk) -> None:
    foreign = {
        "api_key": "live0nlyV3hT8sNd",
        "identifier": "elsewhere@harbourfield.example",
        "password": "Other-Shore-11",
    }
    with pytest.raises(EnvironmentMismatchError) as refused:
        await desk.link(foreign).check()
    assert (refused.value.code, refused.value.found) == ("error.null.accountId", "live")


@pytest.mark.parametrize(
    ("told", "environment"), [("both", None), ("live", Environment.LIVE), ("demo", Environment.DEMO)]
)
async def test_a_check_finds_out_accounts_environment_and_powers(
    desk: Desk, told: str, environment: Environment | None
) -> None:
    await desk.tell("/options", {"environments": told})
    found = await desk.link().check()
    assert found.accounts == ("310441870023915201", "310441870023915202")
    assert found.environment is environment
    assert (found.powers, found.untold) == ({Power.READ, Power.TRADE}, set())


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "error.invalid.session.token"),
        (400, "error.null.client.token"),
        (403, "error.anything"),
    ],
)
async def test_a_session_refused_again_and_again_is_not_asked_for_ever(desk: Desk, status: int, code: str) -> None:
    await desk.misfortune("status", ACCOUNTS, status=status, body={"errorCode": code}, times=0)
    with pytest.raises(CredentialRefusedError) as caught:
        await desk.link().check()
    assert caught.value.code == code
    assert (await desk.sessions())["logins"] == 2


async def test_a_plain_refusal_costs_no_login(desk: Desk) -> None:
    provider = desk.link()
    await desk.misfortune("status", ACCOUNTS, status=404, body={"errorCode": "error.not-found.accountId"})
    with pytest.raises(RefusedError) as caught:
        await provider.check()
    assert type(caught.value) is RefusedError
    assert caught.value.code == "error.not-found.accountId"
    assert (await desk.sessions())["logins"] == 1


@pytest.mark.parametrize(("path", "method"), [(KEY, "GET"), (LOGIN, "POST")])
async def test_nothing_of_a_login_is_repeated(desk: Desk, path: str, method: str) -> None:
    await desk.misfortune("status", path, method, status=503)
    provider = desk.link()
    with pytest.raises(FaultError):
        await provider.check()
    assert (await desk.sessions())["logins"] == 0
    assert await provider.check()


@pytest.mark.parametrize(
    ("action", "options"),
    [("status", {"status": 503}), ("refuse", {}), ("reset", {}), ("close", {"bytes": 40})],
)
async def test_a_read_survives_one_mishap(desk: Desk, action: str, options: dict[str, Any]) -> None:
    await desk.misfortune(action, ACCOUNTS, **options)
    assert (await desk.link().check()).summary == "2 accounts, USD and EUR"


async def test_two_mishaps_are_told(desk: Desk) -> None:
    provider = desk.link()
    body = {"errorCode": "java.util.concurrent.TimeoutException"}
    await desk.misfortune("status", ACCOUNTS, status=500, body=body, times=2)
    with pytest.raises(FaultError, match=r"java\.util\.concurrent\.TimeoutException"):
        await provider.balances()
    assert await provider.check()


TOO_MANY: dict[str, Any] = {"status": 429, "body": {"errorCode": "error.too-many.requests"}}


async def test_a_limit_that_was_hit_is_waited_for_as_long_as_it_says(desk: Desk) -> None:
    provider = desk.link()
    await provider.check()
    await desk.misfortune("status", ACCOUNTS, **TOO_MANY, headers={"Retry-After": "3"})
    before = desk.clock.seconds
    assert (await provider.balances()).items
    assert desk.clock.seconds - before >= 3


async def test_a_wait_that_is_too_long_is_told_and_nothing_is_asked_meanwhile(desk: Desk) -> None:
    provider = desk.link()
    await provider.check()
    await desk.misfortune("status", ACCOUNTS, **TOO_MANY, headers={"Retry-After": "60"})
    with pytest.raises(BusyError) as caught:
        await provider.balances()
    assert caught.value.retry_after_seconds == pytest.approx(60, abs=1)
    asked = await desk.count(POSITIONS, "GET")
    desk.clock.seconds += 30
    with pytest.raises(BusyError) as caught:
        await provider.positions()
    assert caught.value.retry_after_seconds == pytest.approx(30, abs=1)
    assert await asked() == 0
    desk.clock.seconds += 30
    await provider.positions()
    assert await asked() == 1


async def test_each_refusal_in_a_row_is_rested_on_for_longer_and_a_success_ends_that(desk: Desk) -> None:
    provider = desk.link()
    await provider.check()
    await desk.misfortune("status", ACCOUNTS, **TOO_MANY, times=4)
    rests = []
    for _ in range(2):
        with pytest.raises(BusyError):
            await provider.balances()
        before = desk.clock.seconds
        desk.clock.seconds += 8  # longer than anybody waits by themselves
        rests.append(before)
    assert rests[1] - rests[0] == pytest.approx(8 + 4, abs=0.5)  # after 1 and 2 seconds came 4
    await provider.balances()
    await desk.misfortune("status", ACCOUNTS, **TOO_MANY)
    before = desk.clock.seconds
    await provider.balances()
    assert desk.clock.seconds - before == pytest.approx(1, abs=0.5)


async def test_a_provider_that_is_down_is_unreachable_and_then_back(desk: Desk) -> None:
    provider = desk.link()
    await provider.check()
    await desk.tell("/down", {"down": True})
    with pytest.raises((UnreachableError, SilentError)):
        await provider.check()
    await desk.tell("/down", {"down": False})
    assert await provider.check()


async def test_after_five_failures_nobody_asks_for_a_quarter_minute(desk: Desk) -> None:
    provider = desk.link()
    await desk.misfortune("status", KEY, status=500, times=5)
    for _ in range(5):
        with pytest.raises(FaultError):
            await provider.check()
    asked = await desk.count(KEY, "GET")
    with pytest.raises(UnreachableError):
        await provider.check()
    assert await asked() == 0
    desk.clock.seconds += 15
    assert await provider.check()


async def test_f06_answers_that_are_too_large_are_failures_as_well(desk: Desk) -> None:
    provider = desk.link()
    await desk.misfortune("replace", KEY, body=" " * (1 << 20) + "{}", times=5)
    for _ in range(5):
        with pytest.raises(ReplyError):
            await provider.check()
    with pytest.raises(UnreachableError, match="not asked"):
        await provider.check()


NAN = '{"accounts": [{"accountId": "1", "balance": {"balance": NaN}}]}'


@pytest.mark.parametrize(
    "body",
    [
        NAN,
        "null",
        "[]",
        "{}",
        "",
        "<html>maintenance</html>",
        '{"accounts": null}',
        '{"accounts": [null]}',
        '{"accounts": [], "accounts": []}',
        "[" * 100_000,
        "9" * 100_000,
        " " * (1 << 20) + "{}",
    ],
)
async def test_a_reply_that_cannot_be_read_fails_alone(desk: Desk, body: str) -> None:
    provider = desk.link()
    await desk.misfortune("replace", ACCOUNTS, body=body)
    with pytest.raises(ReplyError):
        await provider.balances()
    assert len((await provider.balances()).items) == 2


@pytest.mark.parametrize("body", ["null", "[]", "{}", '{"positions": [{"position": null, "market": {}}]}'])
async def test_positions_that_cannot_be_read_fail_alone(desk: Desk, body: str) -> None:
    provider = desk.link()
    await desk.misfortune("replace", POSITIONS, body=body)
    with pytest.raises(ReplyError):
        await provider.positions()
    assert (await provider.positions()).items


@pytest.mark.parametrize(
    "answer",
    [
        {"body": "{}", "headers": TOKENS},
        {"body": "null", "headers": TOKENS},
        {"body": sample("post_session.json").decode()},
        {"body": sample("post_session.json").decode(), "headers": {"CST": "c-1"}},
        {"body": sample("post_session.json").decode(), "headers": {**TOKENS, "CST": ""}},
    ],
)
async def test_a_login_that_cannot_be_read_fails_alone(desk: Desk, answer: dict[str, Any]) -> None:
    provider = desk.link()
    await desk.misfortune("replace", LOGIN, "POST", **answer)
    with pytest.raises(ReplyError):
        await provider.balances()
    assert (await provider.balances()).items


@pytest.mark.parametrize("body", ["{}", '{"encryptionKey": "AAAA", "timeStamp": 1}', '{"encryptionKey": null}'])
async def test_an_encryption_key_that_is_none_fails_alone(desk: Desk, body: str) -> None:
    provider = desk.link()
    await desk.misfortune("replace", KEY, body=body)
    with pytest.raises(ReplyError):
        await provider.check()
    assert await provider.check()


async def test_a_redirect_is_not_followed(desk: Desk) -> None:
    provider = desk.link()
    await desk.misfortune("status", ACCOUNTS, status=302, headers={"Location": f"{desk.sim.http}/api/v1/time"})
    with pytest.raises(ReplyError, match="redirect"):
        await provider.check()


async def read_thirty_times(provider: Capital) -> None:
    for _ in range(30):
        await provider.balances()


async def test_ten_requests_a_second_are_not_exceeded(desk: Desk) -> None:
    await desk.tell("/rates", {"enabled": True})
    await read_thirty_times(desk.link())
    assert (await desk.sessions())["logins"] == 1


async def test_without_pacing_the_simulator_objects_and_is_given_a_rest(desk: Desk) -> None:
    await desk.tell("/rates", {"enabled": True})
    before = desk.clock.seconds
    await read_thirty_times(desk.link(requests_per_second=1000.0))
    assert desk.clock.seconds - before >= 2


async def test_logins_are_a_second_apart(desk: Desk) -> None:
    await desk.tell("/rates", {"enabled": True})
    provider = desk.link()
    for _ in range(3):
        await provider.check()
        await desk.tell("/expire", {})
    assert (await desk.sessions())["logins"] == 3
    assert desk.clock.seconds >= 2.0


async def test_close_logs_out_and_a_second_one_does_nothing(desk: Desk) -> None:
    provider = desk.link()
    await provider.check()
    assert (await desk.sessions())["live"] == 1
    logouts = await desk.count(LOGIN, "DELETE")
    await provider.close()
    await provider.close()
    assert (await desk.sessions())["live"] == 0
    assert await logouts() == 1
    with pytest.raises(UnreachableError):
        await provider.check()


async def test_close_without_a_session_asks_nothing(desk: Desk) -> None:
    logouts = await desk.count(LOGIN, "DELETE")
    await desk.link().close()
    assert await logouts() == 0


async def test_close_of_a_provider_that_is_down_is_quiet(desk: Desk) -> None:
    provider = desk.link()
    await provider.check()
    await desk.tell("/down", {"down": True})
    await provider.close()


async def test_close_during_a_login_tells_those_who_wait(desk: Desk) -> None:
    await desk.misfortune("stall", KEY)
    provider = desk.link()
    asking = asyncio.create_task(provider.check())
    await desk.struck()
    await provider.close()
    with pytest.raises(UnreachableError, match="closed"):
        await asking


async def test_close_before_a_login_began_tells_those_who_wait(desk: Desk) -> None:
    provider = desk.link()
    asking = asyncio.create_task(provider.check())
    await asyncio.sleep(0)
    await provider.close()
    with pytest.raises(UnreachableError, match="closed"):
        await asking


async def test_close_during_a_read_ends_it(desk: Desk) -> None:
    provider = desk.link()
    await provider.check()
    await desk.misfortune("stall", ACCOUNTS)
    asking = asyncio.create_task(provider.check())
    await desk.struck()
    await provider.close()
    with pytest.raises(SilentError):
        await asking


async def test_the_simulators_certificate_is_trusted_when_named(desk: Desk) -> None:
    async with serving(make(clock=desk.clock), tls=True) as sim:
        ca_file = str(sim.credentials["ca_file"])
        assert (await desk.link(demo_url=sim.http, ca_file=ca_file).check()).summary == "2 accounts, USD and EUR"
        with pytest.raises(UnreachableError):
            await desk.link(demo_url=sim.http).check()
        for provider in desk.made:
            await provider.close()


async def test_no_secret_is_seen(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider = desk.link(encrypted_password=False)
    await provider.check()
    await desk.misfortune("status", ACCOUNTS, status=503, times=2)
    with pytest.raises(ProviderError) as caught:
        await provider.check()
    seen = caplog.text + repr(provider) + repr(vars(provider)) + repr(caught.value)
    assert not any(str(text) in seen for text in desk.sim.credentials.values())


def test_the_settings_default_to_the_real_hosts() -> None:
    table = msgspec.convert({}, Settings)
    assert table.live_url == "https://api-capital.backend-capital.com"
    assert table.demo_url == "https://demo-api-capital.backend-capital.com"
    assert (table.encrypted_password, table.requests_per_second, table.logins_per_second) == (True, 10.0, 1.0)
    assert table.ca_file is None


@pytest.mark.parametrize(
    "table",
    [
        {"live_urll": "https://a.example"},
        {"live_url": "http://api-capital.backend-capital.com"},
        {"demo_url": "http://127.0.0.1.example"},
        {"demo_url": "https://user:word@a.example"},
        {"demo_url": "https://a.example/api/v1"},
        {"requests_per_second": 0},
        {"logins_per_second": -1},
    ],
)
def test_settings_that_would_leak_or_stall_are_refused(table: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table, Settings)
