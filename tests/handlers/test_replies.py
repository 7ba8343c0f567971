"""What a test takes for an answer: replies, and never what the outbox delivers in the same chat."""

import pytest

from bot.messages.notice import Lane, Notice
from tests.support.chatting import ADAM, OLGA, OLGA_IS, Desk, buttons, texts, until


@pytest.fixture
def interrupted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Before anybody hears an answer, news come in that chat."""
    settled = desk.settled

    async def with_news() -> None:
        await settled()
        for chat in (OLGA, ADAM):
            news = Notice(Lane.SECURITY, chat, "News", (str(len(desk.chat.messages(chat))),))
            await desk.rooms.database.write(lambda tables, news=news: desk.rooms.outbox.put(tables, news))
            before = len(desk.chat.from_bot(chat))
            await until(lambda chat=chat, before=before: len(desk.chat.from_bot(chat)) > before)

    monkeypatch.setattr(desk, "settled", with_news)
    return desk


async def test_news_are_no_answer_to_what_is_said(interrupted: Desk) -> None:
    assert await interrupted.said(OLGA, "/whoami") == OLGA_IS
    assert "News" in interrupted.chat.from_bot(OLGA)[-1]["text"]


async def test_news_are_no_answer_to_a_tap(interrupted: Desk) -> None:
    (whom,) = await interrupted.says(ADAM, "/suspend ol")
    (label,) = [label for label in buttons(whom) if "Olga" in label]
    assert texts(await interrupted.taps(ADAM, whom, label)) == [
        "Olga is suspended: nothing of theirs counts any more. /resume Olga ends it."
    ]
