"""What a provider answered to a money call is kept, word for word, and nothing secret in it (N8)."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.approvals.model import State
from bot.network.overhearing import LARGEST, overheard_http, overheard_message, overhearing
from tests.support.chatting import Chat
from tests.support.moving import BOOKING, DEAL, MoneyDesk, money_desk

SAID = {
    "cryptocapital": '"nonce"',
    "crm": "HTTP 200",
    "deriv": '"transaction_id"',
    BOOKING: "HTTP 200",
    DEAL: "dealReference",
}


@pytest.fixture(params=list(SAID))
async def desk(request: pytest.FixtureRequest, tmp_path: Path, chat: Chat) -> AsyncIterator[MoneyDesk]:
    async with money_desk(tmp_path, chat, request.param) as opened:
        yield opened


async def test_it_is_kept_with_the_request_and_holds_no_secret(desk: MoneyDesk) -> None:
    request = await desk.wants()
    await desk.approves(request)
    await desk.comes_to(request, State.SUCCEEDED)
    rows = await desk.rows("SELECT asked, body FROM answers WHERE request_id = ?", request.id)
    assert SAID[desk.call] in "\n".join(body for _, body in rows), rows
    side = desk.desk.sides[desk.connection.provider]
    for secret in side.credentials.values():
        if isinstance(secret, str) and len(secret) > 8 and not secret.isdigit():
            assert not any(secret in body for _, body in rows)


def test_nobody_listens_unless_a_block_says_so() -> None:
    overheard_http(200, b"nothing")
    with overhearing() as heard:
        overheard_http(200, b'{"ok":true}')
        overheard_message({"msg_type": "balance", "echo_req": {"authorize": "…"}})
    overheard_http(500, b"later")
    assert heard.text == 'HTTP 200\n{"ok":true}\n\n{"msg_type":"balance"}'


def test_of_much_the_end_is_kept() -> None:
    with overhearing() as heard:
        for number in range(4):
            overheard_message({"n": number, "filler": "x" * 8000})
    assert len(heard.text) == LARGEST
    assert json.loads("{" + heard.text.rpartition("{")[2])["n"] == 3
