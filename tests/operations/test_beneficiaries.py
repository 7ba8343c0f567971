"""The book of beneficiaries: a new one is signed by others and waits; anybody who may freeze takes one out at once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.approvals.model import Request, State
from bot.errors import ConflictError, InputError, NotAllowedError, NotFoundError
from tests.support.chatting import ADAM, ANNA, OLGA, VERA, Chat, telegram, texts, until
from tests.support.treasury import ONE_APPROVER, Treasury, treasury

ONE_MORE = '[guards.beneficiary]\nneeds = ["1 of role/approver"]\n'
POLICY = ONE_APPROVER + ONE_MORE
NORDLICHT = "9120008150"


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with telegram() as opened:
        yield opened


async def wanted(
    desk: Treasury,
    account: str = NORDLICHT,
    name: str = "Nordlicht",
    currency: str | None = None,
    provider: str = "cryptocapital",
    who: int = OLGA,
) -> Request:
    book = desk.rooms.money.beneficiaries
    asked: Request = await book.ask(desk.person(who), provider, account, name, currency, telegram_id=who)
    return asked


async def names(desk: Treasury) -> list[str]:
    return [one.name for one in await desk.rooms.money.beneficiaries.listed()]


async def test_another_signs_a_new_one_and_it_waits_a_day_before_it_is_paid(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        asked = await wanted(desk)
        with pytest.raises(NotAllowedError):
            await desk.approves(asked, OLGA)
        assert await names(desk) == ["Harbour"]
        await desk.approves(asked)
        assert await names(desk) == ["Harbour", "Nordlicht"]
        with pytest.raises(ConflictError, match="Nordlicht is new: money may go there from"):
            await desk.asked(to="Nordlicht")
        desk.desk.clock.ahead += timedelta(hours=23, minutes=59)
        with pytest.raises(ConflictError, match="Nordlicht is new"):
            await desk.asked(to="Nordlicht")
        desk.desk.clock.ahead += timedelta(minutes=1, seconds=1)
        assert (await desk.asked(to="Nordlicht")).state is State.PENDING


async def test_the_longer_wait_counts_when_the_policy_changed_in_between(tmp_path: Path, chat: Chat) -> None:
    """F29: what was loosened since is not for what was asked before; what was tightened is."""
    async with treasury(tmp_path, chat, 'beneficiary_cooldown = "48h"\n' + POLICY) as desk:
        first = await wanted(desk)
        await desk.policy('beneficiary_cooldown = "24h"\n' + POLICY, 2)
        second = await wanted(desk, "9120004488", "Reserve")
        await desk.policy('beneficiary_cooldown = "72h"\n' + POLICY, 3)
        await desk.approves(second)
        await desk.write("DELETE FROM policies WHERE version = 3")
        await desk.approves(first)
        waits = {one.name: one.usable_from for one in await desk.rooms.money.beneficiaries.listed()}
        now = desk.rooms.clock.now()
        assert timedelta(hours=47) < waits["Nordlicht"] - now <= timedelta(hours=48)
        assert timedelta(hours=71) < waits["Reserve"] - now <= timedelta(hours=72)


async def test_what_is_signed_shows_the_whole_number_and_the_wait(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        assert desk.rooms.approvals.lines(await wanted(desk, currency="usd")) == (
            "New beneficiary: Nordlicht",
            "account 9120008150 at Crypto Capital, for USD only",
            "Money may go there 24 hours after the last signature.",
        )


async def test_everybody_who_could_take_it_out_again_hears_of_a_new_one(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        await desk.approves(await wanted(desk))

        def told(person: int) -> list[str]:
            return [text for text in texts(chat.from_bot(person)) if text.startswith("A new beneficiary")]

        await until(lambda: told(ADAM) and told(ANNA))
        assert "Nordlicht, 9120008150 (Crypto Capital), asked for by Olga." in told(ADAM)[0]
        assert told(VERA) == []


@pytest.mark.parametrize(
    "account", ["912000815", "91200081500", "912000815O", "９１２０００８１５０", "9120 08150", ""]
)
async def test_an_account_that_is_none_is_not_asked_for(tmp_path: Path, chat: Chat, account: str) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        with pytest.raises(InputError, match="an account of Crypto Capital is ten digits"):
            await wanted(desk, account)


@pytest.mark.parametrize(
    "name", ["harbour", "HARBOUR", "Harb0ur", "Наrbour", "Har bour", "Ｈａｒｂｏｕｒ", "Hárbour", "Harb\u2009our"]
)
async def test_f31_a_name_that_looks_like_another_one_is_refused(tmp_path: Path, chat: Chat, name: str) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        with pytest.raises(InputError):
            await wanted(desk, name=name)
        assert await desk.rows("SELECT * FROM requests") == []


@pytest.mark.parametrize("name", ["", "1234", "/freeze", "Har\u202ebour", "Har\u200dbour", "x" * 65, "two\nlines"])
async def test_f31_what_is_no_name_is_refused(tmp_path: Path, chat: Chat, name: str) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        with pytest.raises(InputError):
            await wanted(desk, name=name)


async def test_of_two_that_look_alike_the_second_fails_when_it_is_signed(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        one, two = await wanted(desk), await wanted(desk, "9120004488", "N0rdlicht")
        same = await wanted(desk, NORDLICHT, "Aurora")
        await desk.approves(one)
        assert (await desk.approves(two)).state is State.FAILED
        refused = await desk.approves(same)
        assert (refused.state, refused.outcome) == (State.FAILED, "9120008150 is listed already, as Nordlicht")
        assert await names(desk) == ["Harbour", "Nordlicht"]


async def test_one_name_may_stand_at_two_providers(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        assert (await wanted(desk, "CR90000012", "Harbour", provider="deriv")).state is State.PENDING


async def test_a_provider_that_sends_no_money_to_others_has_no_book(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        with pytest.raises(InputError, match=r"Capital\.com sends no money to other accounts"):
            await wanted(desk, provider="capital")
        with pytest.raises(NotFoundError):
            await wanted(desk, provider="nobody")


@pytest.mark.parametrize("who", [VERA, ANNA])
async def test_who_may_not_ask_for_money_asks_for_none(tmp_path: Path, chat: Chat, who: int) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        with pytest.raises(NotAllowedError):
            await wanted(desk, who=who)


@pytest.mark.parametrize("who", [OLGA, ANNA, ADAM])
async def test_whoever_may_freeze_takes_one_out_and_what_waits_for_it_fails(
    tmp_path: Path, chat: Chat, who: int
) -> None:
    """F29: taken out between the asking and the sending."""
    async with treasury(tmp_path, chat, POLICY) as desk:
        request = await desk.asked()
        await desk.rooms.money.beneficiaries.remove(desk.person(who), "harbour", telegram_id=who)
        await desk.approves(request)
        failed = await desk.comes_to(request, State.FAILED)
        assert failed.outcome == "it was not sent: Harbour was taken out of the book of beneficiaries"
        assert await desk.executed() == []
        with pytest.raises(NotFoundError):
            await desk.asked("11.00")
        assert await desk.rows("SELECT person_id FROM audit WHERE action = 'beneficiary.removed'") == [
            (desk.person(who).id,)
        ]


async def test_who_only_reads_takes_nobody_out(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        with pytest.raises(NotAllowedError):
            await desk.rooms.money.beneficiaries.remove(desk.person(VERA), "Harbour", telegram_id=VERA)
        with pytest.raises(NotFoundError):
            await desk.rooms.money.beneficiaries.remove(desk.person(OLGA), "Nobody", telegram_id=OLGA)
        assert await names(desk) == ["Harbour"]


async def test_who_was_taken_out_and_comes_back_waits_again(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        await desk.rooms.money.beneficiaries.remove(desk.person(ANNA), "9120007013", telegram_id=ANNA)
        await desk.approves(await wanted(desk, "9120007013", "Harbour"))
        with pytest.raises(ConflictError, match="Harbour is new"):
            await desk.asked()


async def test_what_is_listed_for_one_currency_gets_no_other(tmp_path: Path, chat: Chat) -> None:
    async with treasury(tmp_path, chat, POLICY) as desk:
        await desk.write("UPDATE beneficiaries SET currency = 'EUR'")
        with pytest.raises(InputError, match="Harbour takes EUR only"):
            await desk.asked()
