"""One examination for every registered provider, on its own simulator.

A new provider is examined from the moment it is named in the registry; what it needs here is one line in `LOGINS`,
which turns what its simulator prints into the fields its SPEC asks for, and one in `SETTINGS`.
"""

import importlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from bot.clock import SystemClock
from bot.errors import (
    CredentialRefusedError,
    FaultError,
    ReplyError,
    SilentError,
    UnreachableError,
    UnsupportedError,
)
from bot.loopback.server import Listening, serving
from bot.providers.base import Ability, KeepsStatements, Lend, Login, Provider, Surroundings
from bot.providers.records import Environment, Power
from bot.providers.registry import PROVIDERS
from bot.providers.streams import Streams
from bot.secret import Secret

SETTINGS: Mapping[str, Callable[[Listening], dict[str, Any]]] = {
    "capital": lambda sim: {"demo_url": sim.http, "live_url": sim.http},
    "deriv": lambda sim: {"url": f"{sim.ws}/websockets/v3", "answer_seconds": 2.0},
    "cryptocapital": lambda sim: {
        "url": sim.ws,
        "server_public_key": sim.credentials["server_public_key"],
        "answer_seconds": 2.0,
    },
    "crm": lambda sim: {"url": sim.http},
}
LOGINS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {
    "capital": lambda given: {key: given[key] for key in ("api_key", "identifier", "password")},
    "deriv": lambda given: {key: given[key] for key in ("app_id", "token")},
    "cryptocapital": lambda given: {"private_key": given["private_key"], "accounts": ",".join(given["accounts"])},
    "crm": lambda given: {"api_key": given["api_key"]},
}
WRONG: Mapping[str, dict[str, str]] = {
    "capital": {"password": "not-the-password"},
    "deriv": {"token": "NotAToken123456"},
    "cryptocapital": {"private_key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="},
    "crm": {"api_key": "not-the-key-of-anybody"},
}
TRANSPORT = {"capital": "http", "deriv": "ws", "cryptocapital": "ws", "crm": "http"}
NAMES = sorted(PROVIDERS)


class Desk:
    """One provider's simulator, and adapters for it."""

    def __init__(self, name: str, simulator: Listening, stack: AsyncExitStack) -> None:
        self.spec = PROVIDERS[name]
        self.simulator = simulator
        self.fields = LOGINS[name](simulator.credentials)
        self._settings = SETTINGS[name](simulator)
        self._stack = stack

    def adapter(self, **changed: str) -> Provider:
        fields = {key: Secret(text) for key, text in (self.fields | changed).items()}
        environment = self.spec.environments[0]
        provider = self.spec.build(
            _lender(fields), Surroundings(environment, self.spec.settings(**self._settings), SystemClock())
        )
        self._stack.push_async_callback(provider.close)
        return provider

    async def ledger(self) -> object:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{self.simulator.control}/ledger")).json()

    async def control(self, path: str, body: object) -> None:
        async with httpx.AsyncClient() as client:
            (await client.post(f"{self.simulator.control}/{path}", json=body)).raise_for_status()


def _lender(fields: Login) -> Lend:
    @asynccontextmanager
    async def lend() -> AsyncIterator[Login]:
        yield fields

    return lend


@pytest.fixture(params=NAMES)
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    simulator = importlib.import_module(f"bot.providers.{request.param}.simulator").make()
    async with AsyncExitStack() as stack:
        yield Desk(request.param, await stack.enter_async_context(serving(simulator)), stack)


def test_every_registered_provider_is_examined() -> None:
    assert set(NAMES) == set(SETTINGS) == set(LOGINS) == set(WRONG) == set(POWERS)


async def test_what_it_asks_for_is_what_its_login_consists_of(desk: Desk) -> None:
    assert {field.key for field in desk.spec.fields} == set(desk.fields)
    assert any(field.secret for field in desk.spec.fields)


async def test_a_good_login_is_told_in_plain_words(desk: Desk) -> None:
    found = await desk.adapter().check()
    assert 3 < len(found.summary) < 200
    assert all(3 < len(fact) < 200 and fact.endswith(".") for fact in found.facts)
    assert not any(secret in repr(found) for key, secret in desk.fields.items() if _is_secret(desk, key))


POWERS: Mapping[str, tuple[set[Power], set[Power]]] = {
    "capital": ({Power.READ, Power.TRADE}, set()),
    "deriv": ({Power.READ, Power.TRADE, Power.PAY_OUT, Power.MANAGE}, set()),
    "cryptocapital": ({Power.READ, Power.PAY_OUT}, set()),
    "crm": ({Power.READ}, {Power.DECIDE, Power.MANAGE}),
}
"""What the simulator's first login can do, and what nobody can tell about it."""


async def test_what_a_login_can_do_is_found_out_without_moving_anything(desk: Desk) -> None:
    before = await desk.ledger()
    found = await desk.adapter().check()
    assert (found.powers, found.untold) == POWERS[desk.spec.name]
    assert found.environment in (None, Environment.LIVE)
    held = {balance.account for balance in (await desk.adapter().balances()).items}
    assert set(found.accounts) <= held
    assert await desk.ledger() == before


def test_a_provider_that_tells_scopes_says_which_one_is_enough() -> None:
    assert {name for name, spec in PROVIDERS.items() if spec.enough} == {"deriv"}


async def test_a_wrong_login_is_refused_as_such(desk: Desk) -> None:
    with pytest.raises(CredentialRefusedError) as refused:
        await desk.adapter(**WRONG[desk.spec.name]).check()
    assert refused.value.provider == desk.spec.name
    assert not any(text in str(refused.value) for text in WRONG[desk.spec.name].values())


async def test_balances_carry_their_time_and_are_whole(desk: Desk) -> None:
    reading = await desk.adapter().balances()
    assert reading.items
    assert reading.as_of.utcoffset() is not None
    for balance in reading.items:
        assert balance.as_of.utcoffset() is not None
        assert balance.amount.amount.is_finite()
        assert balance.account
        assert balance.name


async def test_accounts_are_those_that_have_balances(desk: Desk) -> None:
    adapter = desk.adapter()
    accounts = {account.id for account in (await adapter.accounts()).items}
    held = {balance.account for balance in (await adapter.balances()).items}
    assert accounts
    assert held & accounts


async def test_positions_are_there_exactly_when_the_spec_says_so(desk: Desk) -> None:
    adapter = desk.adapter()
    if Ability.POSITIONS in desk.spec.abilities:
        reading = await adapter.positions()
        assert reading.items
        assert len({position.id for position in reading.items}) == len(reading.items)
    else:
        with pytest.raises(UnsupportedError):
            await adapter.positions()


async def test_money_moves_exactly_where_the_spec_says_so(desk: Desk) -> None:
    assert (desk.adapter().money is not None) == bool(desk.spec.acts)


async def test_statements_and_news_are_there_exactly_when_the_spec_says_so(desk: Desk) -> None:
    adapter = desk.adapter()
    assert isinstance(adapter, KeepsStatements) == (Ability.STATEMENT in desk.spec.abilities)
    assert isinstance(adapter, Streams) == (Ability.STREAMS in desk.spec.abilities)
    assert desk.spec.abilities & {Ability.ARRIVALS, Ability.STREAMS} != {Ability.ARRIVALS}


async def test_a_provider_that_is_down_is_an_error_of_ours_and_comes_back(desk: Desk) -> None:
    adapter = desk.adapter()
    await adapter.balances()
    await desk.control("down", {"down": True})
    with pytest.raises((UnreachableError, SilentError, FaultError)):
        await adapter.balances()
    await desk.control("down", {"down": False})
    assert await _until_it_answers(adapter)


async def test_a_reply_that_is_not_what_it_should_be_fails_that_call_alone(desk: Desk) -> None:
    adapter = desk.adapter()
    before = await adapter.balances()
    await desk.control(
        "faults",
        [{"action": "replace", "match": {"kind": TRANSPORT[desk.spec.name]}, "body": '{"balance": NaN', "times": 1}],
    )
    with pytest.raises((ReplyError, SilentError)):
        await adapter.balances()
    await desk.control("faults", [])
    after = await adapter.balances()
    assert {item.account: item.amount for item in after.items} == {item.account: item.amount for item in before.items}


async def test_an_adapter_and_its_spec_show_no_secret(desk: Desk) -> None:
    adapter = desk.adapter()
    await adapter.check()
    shown = repr(adapter) + repr(vars(adapter)) + repr(desk.spec)
    for key, text in desk.fields.items():
        if _is_secret(desk, key):
            assert text not in shown


async def test_closing_twice_is_closing_once(desk: Desk) -> None:
    adapter = desk.adapter()
    await adapter.check()
    await adapter.close()
    await adapter.close()


def _is_secret(desk: Desk, key: str) -> bool:
    return any(field.key == key and field.secret for field in desk.spec.fields)


async def _until_it_answers(adapter: Provider) -> bool:
    """A breaker or a pause may hold the first questions back; it must answer within its documented patience."""
    clock = SystemClock()
    deadline = clock.monotonic() + 20
    while clock.monotonic() < deadline:
        try:
            await adapter.balances()
        except (UnreachableError, SilentError, FaultError):
            await clock.sleep(0.1)
        else:
            return True
    return False
