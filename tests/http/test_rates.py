"""Exchange rates, as the CRM asks for them: the operator's own, and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.config import load
from bot.errors import ConfigError
from bot.wiring import provider_settings
from tests.support.crm_hooks import PSP, RATES, RATES_KEY, Called, called
from tests.support.desk import write_desk, write_secret

PATH = "/crm/rates"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Called]:
    async with called(tmp_path, RATES) as one:
        yield one


async def test_the_other_side_hears_the_rate_that_was_set_digit_for_digit(desk: Called) -> None:
    for source, target, said in (("USD", "EUR", '{"rate":"0.920"}'), ("EUR", "USD", '{"rate":"1.08"}')):
        query = {"url": desk.origin + PATH, "key": RATES_KEY, "source_currency": source, "target_currency": target}
        heard = await desk.tell("/rate", **query)
        assert (heard["status"], heard["body"]) == (200, said)


async def test_a_key_that_is_wrong_missing_or_doubled_is_refused(desk: Called) -> None:
    query = {"source_currency": "USD", "target_currency": "EUR"}
    tries: list[dict[str, str] | list[tuple[str, str]]] = [
        {},
        {"key": ""},
        {"key": RATES_KEY[:-1]},
        {"key": str(desk.sim.credentials["api_key"])},
        [("key", RATES_KEY), ("key", RATES_KEY)],
    ]
    for headers in tries:
        answer = await desk.http.get(PATH, params=query, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "invalid_api_key")


@pytest.mark.parametrize(
    ("query", "status", "type_"),
    [
        ("source_currency=USD&target_currency=JPY", 404, "rate_not_found"),
        ("source_currency=USD&target_currency=USD", 404, "rate_not_found"),
        ("source_currency=USD", 400, "invalid_request"),
        ("source_currency=USD&source_currency=EUR&target_currency=EUR", 400, "invalid_request"),
        ("", 400, "invalid_request"),
    ],
)
async def test_no_rate_is_made_up(desk: Called, query: str, status: int, type_: str) -> None:
    answer = await desk.http.get(f"{PATH}?{query}", headers={"key": RATES_KEY})
    assert answer.status_code == status
    assert answer.json() == {"error": True, "code": status, "type": type_}


async def test_without_its_table_there_is_no_such_place(tmp_path: Path) -> None:
    async with called(tmp_path) as desk:
        assert (await desk.http.get(PATH, headers={"key": RATES_KEY})).status_code == 404


def problems(folder: Path, table: str, *, secret: str = "long enough for a secret", web: bool = True) -> list[str]:
    for name in ("psp.token", "rates.key"):
        write_secret(folder / name, secret)
    more = '\n[web]\npublic_url = "http://127.0.0.1:8089"' if web else ""
    with pytest.raises(ConfigError) as wrong:
        load(write_desk(folder, more=table + more), provider_settings(), {})
    return [str(problem) for problem in wrong.value.problems]


@pytest.mark.parametrize(
    "line", ["USD/EUR", "USD-EUR 0.92", "usd/eur 0.92", "USD/EUR 0", "USD/EUR 0.00", "USD/EUR -1", "USD/EUR 1e3", ""]
)
def test_a_rate_that_is_none_is_a_problem(tmp_path: Path, line: str) -> None:
    (problem,) = problems(tmp_path, f'[providers.crm.rates]\nkey_file = "rates.key"\npairs = ["{line}"]')
    assert problem.startswith("providers.crm.rates.pairs[0]: ")


def test_a_pair_that_stands_there_twice_is_a_problem(tmp_path: Path) -> None:
    table = '[providers.crm.rates]\nkey_file = "rates.key"\npairs = ["USD/EUR 0.92", "USD/EUR 0.93"]'
    (problem,) = problems(tmp_path, table)
    assert "a pair stands there twice" in problem


@pytest.mark.parametrize(
    ("table", "where"), [(PSP, "providers.crm.psp.token_file"), (RATES, "providers.crm.rates.key_file")]
)
def test_a_secret_that_protects_nothing_and_a_place_nobody_can_come_to_are_problems(
    tmp_path: Path, table: str, where: str
) -> None:
    for secret in ("", "It's a Secret to Everybody", "fifteen-letters"):
        (problem,) = problems(tmp_path, table, secret=secret)
        assert problem.startswith(f"{where}: found ")
        assert not secret or secret not in problem
    (problem,) = problems(tmp_path, table, web=False)
    assert problem == f"{where}: found no table [web], expected one, for webhooks to come in"
