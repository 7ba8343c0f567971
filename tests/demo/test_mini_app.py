"""What the simulated Telegram opens for a Mini App's button, read as a page behind it would."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bot.http.initdata import InitDataError, user_in
from tests.demo.conftest import ANNA, DESK, OLGA, Telegram

PAGE = "https://bot.example.com/enter/x"


async def offered(telegram: Telegram, url: str = PAGE) -> int:
    await telegram.play("send", **{"from": OLGA, "chat": OLGA, "text": "hi"})
    markup = {"inline_keyboard": [[{"text": "Open", "web_app": {"url": url}}]]}
    sent = await telegram.got("sendMessage", chat_id=OLGA, text="look", reply_markup=markup)
    assert sent["reply_markup"] == markup
    return int(sent["message_id"])


async def opened(telegram: Telegram, **query: object) -> httpx.Response:
    return await telegram.http.get(f"{telegram.origin}/_sim/open", params={k: str(v) for k, v in query.items()})


async def test_the_address_says_who_opened_it_signed_for_this_bot(telegram: Telegram) -> None:
    number = await offered(telegram)
    answer = await opened(telegram, **{"from": OLGA, "chat": OLGA, "message_id": number, "url": PAGE})
    assert answer.status_code == 303
    address = urlsplit(answer.headers["location"])
    assert address._replace(fragment="").geturl() == PAGE
    launch = parse_qs(address.fragment)
    assert launch["tgWebAppPlatform"] == ["weba"]
    (data,) = launch["tgWebAppData"]
    now = telegram.clock.now()
    assert user_in(data, telegram.token, now) == OLGA
    assert user_in(data, telegram.token, now + timedelta(minutes=5)) == OLGA
    for token, moment in (("1:another", now), (telegram.token, now + timedelta(minutes=6))):
        with pytest.raises(InitDataError):
            user_in(data, token, moment)


async def test_only_who_was_offered_the_button_opens_it(telegram: Telegram) -> None:
    number = await offered(telegram)
    right = {"from": OLGA, "chat": OLGA, "message_id": number, "url": PAGE}
    for wrong in ({"from": ANNA}, {"url": "https://evil.example/"}, {"message_id": number - 1}, {"chat": DESK}):
        assert (await opened(telegram, **{**right, **wrong})).status_code == 404
    assert (await opened(telegram)).status_code == 404


@pytest.mark.parametrize("url", ["http://bot.example.com/", "ftp://127.0.0.1:1/", "javascript:alert(1)", "", None, 5])
async def test_a_mini_app_without_tls_is_refused(telegram: Telegram, url: object) -> None:
    await telegram.play("send", **{"from": OLGA, "chat": OLGA, "text": "hi"})
    markup = {"inline_keyboard": [[{"text": "Open", "web_app": {"url": url}}]]}
    code, why = await telegram.refused("sendMessage", chat_id=OLGA, text="look", reply_markup=markup)
    assert (code, why.endswith("Only HTTPS links are allowed")) == (400, True)


async def test_a_page_on_this_machine_is_taken_as_by_the_test_servers(telegram: Telegram) -> None:
    assert await offered(telegram, "http://127.0.0.1:8089/enter/x")


async def test_in_a_group_there_are_no_mini_app_buttons(telegram: Telegram) -> None:
    markup = {"inline_keyboard": [[{"text": "Open", "web_app": {"url": PAGE}}]]}
    refused = await telegram.refused("sendMessage", chat_id=DESK, text="look", reply_markup=markup)
    assert refused == (400, "Bad Request: BUTTON_TYPE_INVALID")
