"""After a refused login every field is asked for again; what is no secret can be kept with one tap."""

from pathlib import Path

from tests.support.chatting import (
    OLGA,
    Chat,
    Desk,
    Message,
    at_work_with,
    buttons,
    login_of,
    texts,
)


async def _refused(desk: Desk, provider: str, environment: str, *fields: str) -> Message:
    """All fields are given, and the login is refused; the question that follows."""
    await desk.says(OLGA, f"/connect {provider} {environment} main")
    await desk.says(OLGA, "only me")
    last: list[Message] = []
    for field in fields:
        last = await desk.says(OLGA, field)
    told, question = last
    assert "does not accept this login" in told["text"]
    return question


async def test_a_wrong_e_mail_is_given_anew_without_cancelling(tmp_path: Path, chat: Chat) -> None:
    async with at_work_with(tmp_path, chat, "capital") as desk:
        login = login_of("capital", desk.sides["capital"].credentials)
        question = await _refused(desk, "capital", "demo", login["api_key"], "typo@desk.example", login["password"])
        assert question["text"].startswith("Capital.com: please send the API key.")
        (question,) = await desk.says(OLGA, login["api_key"])
        assert question["text"] == (
            "Capital.com: please send the Login e-mail. The address you sign in with. Or keep the one you gave before."
        )
        assert list(buttons(question)) == ["Keep typo@desk.example"]
        (question,) = await desk.says(OLGA, login["identifier"])
        assert question["text"].startswith("Capital.com: please send the API key password.")
        assert (await desk.said(OLGA, login["password"])).startswith("Linked Capital.com capital/main")


async def test_an_app_id_is_kept_or_the_default_taken(tmp_path: Path, chat: Chat) -> None:
    async with at_work_with(tmp_path, chat, "deriv") as desk:
        login = login_of("deriv", desk.sides["deriv"].credentials)
        question = await _refused(desk, "deriv", "live", login["app_id"], "canarytoken1234")
        assert question["text"].endswith("Or keep the one you gave before.")
        assert next(iter(buttons(question))) == f"Keep {login['app_id']}"
        told, question = await desk.taps(OLGA, question, f"Keep {login['app_id']}")
        assert told["text"] == f"→ Keep {login['app_id']}"
        assert question["text"].startswith("Deriv: please send the API token.")
        assert (await desk.said(OLGA, login["token"])).startswith("Linked Deriv deriv/main")


async def test_a_wrong_list_of_accounts_is_given_anew_and_a_long_one_fits_its_button(
    tmp_path: Path, chat: Chat
) -> None:
    async with at_work_with(tmp_path, chat, "cryptocapital") as desk:
        login = login_of("cryptocapital", desk.sides["cryptocapital"].credentials)
        wrong = ", ".join(f"91200099{number}" for number in range(10, 20))
        question = await _refused(desk, "cryptocapital", "live", login["private_key"], wrong)
        assert question["text"].startswith("Crypto Capital: please send the Private key.")
        (question,) = await desk.says(OLGA, login["private_key"])
        assert list(buttons(question)) == ["Keep 9120009910, 9120009911, 9120009912, 912…"]
        assert (await desk.said(OLGA, login["accounts"])).startswith("Linked Crypto Capital cryptocapital/main")


async def test_the_first_time_there_is_nothing_to_keep(desk: Desk) -> None:
    await desk.says(OLGA, "/connect deriv live main")
    question = await desk.says(OLGA, "only me")
    assert "keep" not in texts(question)[0]
    assert list(buttons(question[0])) == ["1089"]


async def test_a_button_from_before_the_refusal_answers_nothing_after_it(tmp_path: Path, chat: Chat) -> None:
    async with at_work_with(tmp_path, chat, "deriv") as desk:
        await desk.says(OLGA, "/connect deriv live main")
        (before,) = await desk.says(OLGA, "only me")
        await desk.says(OLGA, desk.sides["deriv"].credentials["app_id"])
        await desk.says(OLGA, "canarytoken1234")
        assert texts(await desk.taps(OLGA, before, "1089")) == ["That question is closed. /connect starts again."]


async def test_the_only_environment_there_is_may_be_said_all_the_same(desk: Desk) -> None:
    for words in ("cryptocapital live main", "cryptocapital main"):
        assert await desk.said(OLGA, f"/connect {words}") == "Crypto Capital: who may read it?"
