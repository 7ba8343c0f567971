"""What Telegram says about who opened a page: believed when it is whole, ours and fresh, and never otherwise."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from bot.http.initdata import InitDataError, user_in
from tests.support.desk import TOKEN
from tests.support.site import init_data

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
OLGA = 1002

# Made on a shell: key=$(printf 42:vector | openssl dgst -sha256 -hmac WebAppData -r), then the lines in their order:
# (printf 'auth_date=…\nquery_id=…\nsignature=…\nuser=…') | openssl dgst -sha256 -mac HMAC -macopt hexkey:$key
VECTOR_TOKEN = "42:vector"
VECTOR = (
    "query_id=AAE1&user=%7B%22id%22%3A1002%2C%22first_name%22%3A%22Olga%22%7D&auth_date=1772625600"
    "&signature=c2ln&hash=b7fed6782f63204305edefdef3719bf7ec559fc761aa06a72a57bb2da29e3d51"
)


def test_a_vector_made_with_openssl_is_believed() -> None:
    assert user_in(VECTOR, VECTOR_TOKEN, NOON) == OLGA


def test_the_user_of_a_fresh_one_is_told() -> None:
    assert user_in(init_data(OLGA, NOON), TOKEN, NOON) == OLGA


def test_further_pairs_belong_to_what_is_signed() -> None:
    raw = init_data(OLGA, NOON, query_id="AA", signature="abc", start_param="x=y&z", chat_type="private")
    assert user_in(raw, TOKEN, NOON) == OLGA
    with pytest.raises(InitDataError):
        user_in(raw.replace("signature=abc", "signature=abd"), TOKEN, NOON)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace("1002", "1001"),
        lambda raw: raw.replace("auth_date=17726", "auth_date=17727"),
        lambda raw: raw + "&more=1",
        lambda raw: raw + "&user=%7B%22id%22%3A1001%7D",
        lambda raw: "user=%7B%22id%22%3A1001%7D&" + raw,
        lambda raw: raw.replace("hash=", "hash=0"),
        lambda raw: raw[:-1],
        lambda raw: raw.upper(),
        lambda raw: raw.split("&hash=")[0],
        lambda raw: raw.split("&hash=")[0] + "&hash=",
        lambda _: "",
        lambda _: "hash=",
        lambda _: "x" * 9000,
        lambda _: "%ff=%ff&hash=%ff",
        lambda _: "&".join(f"a{number}=1" for number in range(40)),
        lambda raw: raw + "&hash=é",
    ],
    ids=range(16),
)
def test_whatever_was_changed_is_refused(change: Callable[[str], str]) -> None:
    with pytest.raises(InitDataError) as refused:
        user_in(change(init_data(OLGA, NOON)), TOKEN, NOON)
    assert not refused.value.is_old


def test_another_bots_data_is_refused() -> None:
    with pytest.raises(InitDataError):
        user_in(init_data(OLGA, NOON, token="987654321:AAanother"), TOKEN, NOON)


@pytest.mark.parametrize(
    ("seconds", "right"), [(0, True), (300, True), (301, False), (86_400, False), (-30, True), (-31, False)]
)
def test_it_lasts_five_minutes_and_comes_from_no_future(seconds: int, right: bool) -> None:
    raw = init_data(OLGA, NOON)
    now = NOON + timedelta(seconds=seconds)
    if right:
        assert user_in(raw, TOKEN, now) == OLGA
        return
    with pytest.raises(InitDataError) as refused:
        user_in(raw, TOKEN, now)
    assert refused.value.is_old == (seconds > 0)


@pytest.mark.parametrize("user", ["", "[]", "1002", '{"id":"1002"}', '{"id":1002', "{}", "[" * 5000])
def test_a_signed_one_without_a_user_is_nobodys(user: str) -> None:
    with pytest.raises(InitDataError):
        user_in(init_data(OLGA, NOON, user=user), TOKEN, NOON)


@pytest.mark.parametrize("date", ["", "-1", "1e9", "١٧٧٢٦٢٥٦٠٠", " 1772625600", "9" * 13])
def test_a_signed_one_without_a_readable_date_is_refused(date: str) -> None:
    with pytest.raises(InitDataError):
        user_in(init_data(OLGA, NOON, auth_date=date), TOKEN, NOON)
