"""/report and /leaderboard: a file, a picture a phone can show, and a sentence where there is none."""

import importlib.util
import re
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.chatting import OLGA, Chat, Desk, Message, at_work_with
from tests.support.desk import GROUP


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Desk]:
    async with at_work_with(tmp_path, chat, "crm") as one:
        await one.link("crm")
        yield one


def picture(desk: Desk, message: Message) -> bytes:
    stored = desk.chat.simulator.world.files[message["photo"][-1]["file_id"]]
    return bytes(stored.content)


@pytest.mark.parametrize("words", ["transactions 80", "commissions"])
async def test_a_report_is_a_file_and_a_picture_that_nobody_can_pass_on(desk: Desk, words: str) -> None:
    file, drawn = await desk.says(OLGA, f"/report {words}")
    kind = words.split()[0]
    assert re.fullmatch(rf"[\d,]+ {kind}", file["caption"])
    assert re.fullmatch(rf"{kind}-\d{{4}}-\d\d-\d\d\.csv", file["document"]["file_name"])
    png = picture(desk, drawn)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    assert (width, height >= 700) == (1080, True)
    assert file["has_protected_content"]
    assert drawn["has_protected_content"]


async def test_asked_for_in_a_group_it_goes_to_the_private_chat(desk: Desk) -> None:
    assert [one.get("text") for one in await desk.says(OLGA, "/report transactions", GROUP)] == [
        "Sent to you privately."
    ]
    assert "document" in desk.chat.from_bot(OLGA)[0]


async def test_without_the_extra_the_file_comes_with_a_sentence(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def without(name: str, *more: Any) -> Any:
        return None if name == "matplotlib" else find(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    (file,) = await desk.says(OLGA, "/report transactions 80")
    assert file["caption"].endswith(
        " transactions. No picture: this installation lacks the extra “charts”; an admin can add it."
    )
