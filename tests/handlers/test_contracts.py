"""Contracts at Deriv in the chat: priced, watched, bought once, sold back; and what Deriv tells besides."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bot.approvals.model import Decision, State
from bot.errors import InputError
from bot.money import Currency, Money
from bot.operations import contract_line, deal_line
from bot.operations.contract_line import Line, read
from bot.operations.credentials import Wanted
from bot.operations.deals import Where
from bot.providers.records import Environment, Position, Reading
from bot.secret import Secret
from tests.support.chatting import (
    ANNA,
    OLGA,
    VERA,
    Chat,
    Message,
    at_work_with,
    buttons,
    until,
)
from tests.support.treasury import ONE_APPROVER, Treasury, money_at_work


@pytest.fixture
async def desk(tmp_path: Path, chat: Chat) -> AsyncIterator[Treasury]:
    async with at_work_with(tmp_path, chat, "deriv") as opened:
        one = Treasury(opened, await opened.link("deriv"))
        await one.policy(ONE_APPROVER)
        async with money_at_work(opened):
            yield one


async def with_buttons(desk: Treasury, line: str) -> Message:
    told = await desk.desk.says(OLGA, line)
    return next(one for one in told if "inline_keyboard" in one.get("reply_markup", {}))


async def signed(desk: Treasury, kind: str) -> State:
    ((number,),) = await desk.rows("SELECT id FROM requests WHERE kind = ? AND state = 'pending'", kind)
    request = await desk.rooms.approvals.find(number)
    await desk.says(ANNA, Decision.APPROVE, request)
    return (await desk.comes_to(request, State.SUCCEEDED, State.FAILED, State.UNKNOWN)).state


async def ledger(desk: Treasury) -> list[str]:
    side = desk.desk.sides["deriv"]
    async with httpx.AsyncClient() as http:
        return [one["kind"] for one in (await http.get(f"{side.control}/ledger")).json()["entries"]]


async def test_a_contract_is_priced_bought_for_that_and_sold_back(desk: Treasury) -> None:
    card = await with_buttons(desk, "/price rise R_100 10 USD 15m")
    assert re.search(r"Costs 10\.00 USD, pays 1\d\.\d\d USD\.", card["text"]), card["text"]
    assert list(buttons(card)) == ["Buy for 10.00", "Refresh"]
    before = (await ledger(desk)).count("buy")
    told = await desk.desk.taps(OLGA, card, "Buy for 10.00")
    (last_look,) = [one for one in told if "Ask" in buttons(one)]
    assert last_look["text"].startswith(
        "Deriv · LIVE\nBuy a contract on R_100, at once\nContract: rise (CALL)\nLasts: 15m\n"
        "Price at most: 10.00 USD\nStake 10.00 USD\non account CR900001 (deriv/main · LIVE)\n"
    )
    await desk.desk.taps(OLGA, last_look, "Ask")
    assert await signed(desk, "order") is State.SUCCEEDED
    assert (await ledger(desk)).count("buy") == before + 1

    sold = (await ledger(desk)).count("sell")
    open_ones = await with_buttons(desk, "/positions deriv")
    assert re.search(
        r"▼ Volatility 50 Index .*\n +short · .* → .* if sold now · until .+, 2 d 1\d h left", open_ones["text"]
    )
    assert re.search(r"long · .* · until .+, 1\d min left", open_ones["text"]), open_ones["text"]
    (which,) = await desk.desk.taps(OLGA, open_ones, "Sell…")
    (fall,) = [label for label in buttons(which) if label.startswith("Volatility 50 Index · short")]
    (look,) = await desk.desk.taps(OLGA, which, fall)
    assert re.search(
        r"\nSell contract 270000005 back: Volatility 50 Index \(R_50\), short\nPrice at least: ", look["text"]
    )
    async with httpx.AsyncClient() as http:  # what it is worth walks by itself, and less than that is refused
        await http.post(f"{desk.desk.sides['deriv'].control}/move", json={"symbol": "R_50", "percent": "-1"})
    await desk.desk.taps(OLGA, look, "Ask")
    assert await signed(desk, "close") is State.SUCCEEDED
    assert (await ledger(desk)).count("sell") == sold + 1
    assert "short" not in await desk.desk.said(OLGA, "/positions deriv")


async def test_what_is_asked_for_by_what_it_pays_is_signed_so(desk: Treasury) -> None:
    card = await with_buttons(desk, "/price fall R_100 10 USD 15m payout")  # at the money, its price stands
    (label, _) = buttons(card)
    (look,) = [one for one in await desk.desk.taps(OLGA, card, label) if "Ask" in buttons(one)]
    price = label.removeprefix("Buy for ")
    assert (
        f"Contract: fall (PUT)\nLasts: 15m\nPrice at most: {price} USD\nPays 10.00 USD if it is won\n" in look["text"]
    )


def test_a_kind_of_contract_has_the_word_that_people_say() -> None:
    assert contract_line.word_for("CALL", has_barrier=False) == "rise"
    assert contract_line.word_for("CALL", has_barrier=True) == "higher"
    assert contract_line.word_for("MULTUP", has_barrier=False) == "up"
    assert contract_line.word_for("RESETCALL", has_barrier=False) == ""


async def test_a_market_leads_to_a_contract_by_buttons(desk: Treasury) -> None:
    for command in ("/quote R_100", "/market R_100"):
        told = await with_buttons(desk, command)
        (how_much,) = await desk.desk.taps(OLGA, told, "Fall…")
        assert how_much["text"].startswith("For how much, and for how long? For example: 10 USD 15m")
    card = await with_buttons(desk, "10 15m")
    assert card["text"].startswith("Deriv deriv/main · LIVE\nWin payout if Volatility 100 Index is strictly lower than")
    assert list(buttons(card)) == ["Buy for 10.00", "Refresh"]


async def test_what_was_not_understood_is_asked_for_once_more(desk: Treasury) -> None:
    market = await with_buttons(desk, "/quote R_100")
    await desk.desk.taps(OLGA, market, "Rise…")
    for half in ("abc", "10 USD soon"):
        (mistake,) = await desk.desk.says(OLGA, half)
        assert mistake["text"].endswith("For example: /price rise R_100 10 USD 5m")
    card = await with_buttons(desk, "10 USD 15m")
    assert list(buttons(card)) == ["Buy for 10.00", "Refresh"]


async def play_money(desk: Treasury, label: str = "demo") -> None:
    """The login of the same person's demo account, linked too."""
    tokens = (await desk.control("tokens", "GET"))["tokens"]
    token = next(one["token"] for one in tokens if one["loginid"].startswith("VRTC") and not one["oauth"])
    fields = {"app_id": Secret(str(desk.desk.sides["deriv"].credentials["app_id"])), "token": Secret(token)}
    wanted = Wanted("deriv", label, Environment.DEMO, fields)
    roster = desk.rooms.access.roster
    await desk.rooms.credentials.link(desk.person(OLGA), wanted, roster, telegram_id=OLGA)


async def test_of_two_logins_the_one_that_is_named_prices_and_buys(desk: Treasury) -> None:
    await play_money(desk)
    which = await with_buttons(desk, "/price rise R_100 10 USD 15m")
    assert which["text"] == "Through which login?"
    assert list(buttons(which)) == ["demo · DEMO", "main · LIVE"]
    (card,) = await desk.desk.taps(OLGA, which, "main · LIVE")
    assert card["text"].startswith("Deriv deriv/main · LIVE\n")
    demo = await with_buttons(desk, "/price rise on demo R_100 10 15m")
    assert demo["text"].startswith("Deriv deriv/demo · DEMO\n")
    await play_money(desk, "another")  # comes first in the order of names
    (look,) = [one for one in await desk.desk.taps(OLGA, card, "Buy for 10.00") if "Ask" in buttons(one)]
    assert "on account CR900001 (deriv/main · LIVE)" in look["text"]


async def test_what_is_done_through_one_of_several_logins_is_asked_for_by_name(desk: Treasury) -> None:
    await play_money(desk)
    assert "The cashier of deriv/main." in await desk.desk.said(OLGA, "/cashier")  # nobody pays in play money
    for line in ("/sellexpired", "/profit 5", "/limits deriv", "/openaccount"):
        which = await with_buttons(desk, line)
        assert (which["text"], len(buttons(which))) == ("Through which login?", 2), line
    which = await with_buttons(desk, "/profit 5")
    (told,) = await desk.desk.taps(OLGA, which, "demo · DEMO")
    assert told["text"].startswith("Contracts that are over deriv/demo · ")
    assert "settled at deriv/demo." in await desk.desk.said(OLGA, "/sellexpired demo")
    assert (await desk.desk.said(OLGA, "/ticks deriv/demo R_100")).startswith("Ticks of R_100 deriv/demo\n")


async def test_an_agent_is_told_with_the_line_that_pays_out_there(desk: Treasury) -> None:
    text = await desk.desk.said(OLGA, "/agents deriv/main id")
    assert "Agent One CR900073\n" in text
    assert "By " in text
    assert "Not in the book yet: /beneficiaries add deriv CR900073 Agent One USD" in text
    assert "Not in the book yet: /beneficiaries add deriv CR900076 Coin Agent BTC" in text
    assert text.endswith("That is your own account.")
    assert "Not in the book" not in await desk.desk.said(VERA, "/agents id")
    assert await desk.desk.said(OLGA, "/agents indonesia btc") == await desk.desk.said(OLGA, "/agents id BTC")
    assert "Coin Agent" in await desk.desk.said(OLGA, "/agents id BTC")
    assert (await desk.desk.said(OLGA, "/agents KENYA")).startswith("No payment agent in KE.")
    assert "Deriv knows no such country" in await desk.desk.said(OLGA, "/agents Atlantis")
    await desk.enter_in_book("Agent One", "CR900073", "deriv")
    assert "/payout to CR900073\n" in await desk.desk.said(OLGA, "/agents id")
    (much,) = await desk.desk.says(OLGA, "/payout to CR900073")
    assert "How much, in USD?" in much["text"]


async def test_real_money_is_topped_up_by_nobody(desk: Treasury) -> None:
    assert await desk.desk.said(OLGA, "/topup") == (
        "CR900001 holds real money; Deriv fills up demo accounts only, and /openaccount opens one."
    )


async def test_what_costs_more_than_was_said_is_not_asked_for(desk: Treasury) -> None:
    """The policy weighs what was said; a lookback costs many times that, by its multiplier."""
    olga, contracts = desk.person(OLGA), desk.rooms.contracts
    priced = await contracts.price(olga, read(["rise", "R_100", "10", "USD", "15m"]))
    dear = replace(priced, proposal=replace(priced.proposal, price=Money.parse("10.01", Currency("USD"))))
    with pytest.raises(InputError, match=r"it costs 10\.01 USD, and 10\.00 USD is what would be signed for"):
        await contracts.buying(olga, dear, Where())
    await contracts.buying(olga, priced, Where())


async def test_what_a_contract_is_worth_unread_is_no_leave_to_sell_it_for_anything(
    desk: Treasury, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk.rooms.connections.session(desk.connection) as provider:
        first, *_ = [one for one in (await provider.positions()).items if one.can_be_closed]
        unread = Reading((replace(first, worth=None),), desk.rooms.clock.now())

        async def positions(*_: object) -> Reading[Position]:
            return unread

        monkeypatch.setattr(type(provider), "positions", positions)
    olga, deals = desk.person(OLGA), desk.rooms.deals
    with pytest.raises(InputError, match="say what it must give at least"):
        await deals.closing(olga, deal_line.Line(first.id), Where())
    (plan,), _ = await deals.closing(olga, deal_line.Line(first.id, level="10.00"), Where())
    assert plan.wish.parameters["least"] == "10.00"


async def test_a_price_is_kept_up_to_date_while_it_is_watched(desk: Treasury, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.contracts.EVERY_SECONDS", 0.5)
    rise = await with_buttons(desk, "/price rise R_100 10 USD 15m")
    higher = await with_buttons(desk, "/price higher R_100 10 USD 15m payout +1")
    async with httpx.AsyncClient() as http:
        await http.post(f"{desk.desk.sides['deriv'].control}/move", json={"symbol": "R_100", "percent": "1"})
    await until(lambda: desk.desk.now(rise)["text"] != rise["text"])  # it costs the same, and the market moved
    assert list(buttons(desk.desk.now(rise))) == ["Buy for 10.00", "Refresh"]
    await until(lambda: list(buttons(desk.desk.now(higher))) != list(buttons(higher)))
    (label, _) = buttons(desk.desk.now(higher))
    assert f"Costs {label.removeprefix('Buy for ')} USD" in desk.desk.now(higher)["text"]
    desk.desk.sides["deriv"].misfortunes.set_down(True)
    await until(lambda: "no longer watched" in desk.desk.now(rise)["text"])  # nobody answers any more


async def test_the_newest_prices_as_they_came(desk: Treasury) -> None:
    text = await desk.desk.said(OLGA, "/ticks volatility 100 index")
    head, *lines = text.splitlines()
    assert head == "Ticks of R_100 deriv/main"
    assert 2 < len(lines) <= 15
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d  [\d,]+\.\d\d( [▲▼])?", line) for line in lines), lines
    times = [line[:8] for line in lines]
    assert times == sorted(times, reverse=True)
    assert "R_10" in await desk.desk.said(OLGA, "/ticks volatility")
    desk.desk.clock.ahead_by(600)  # as if no price had come for so long
    told = await desk.desk.said(OLGA, "/ticks R_100")
    assert "None in the last two minutes: the market is closed, or not told live." in told


async def test_what_is_over_is_listed_with_its_sum_and_as_a_file(desk: Treasury) -> None:
    told = await with_buttons(desk, "/profit 5")
    assert "Contracts that are over" in told["text"]
    (file,) = await desk.desk.says(OLGA, "/profit 5 csv")
    assert re.fullmatch(r"profit-\d{4}-\d\d-\d\d\.csv", file["document"]["file_name"])


async def test_a_period_is_told_and_handed_over_as_a_file_by_a_button(desk: Treasury) -> None:
    def ago(days: int) -> str:
        return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}"

    told = await with_buttons(desk, f"/statement deriv since {ago(14)} until {ago(12)}")
    assert f"· since {ago(14)} until {ago(12)}\n" in told["text"]
    assert "«Bank wire»" in told["text"]
    assert " sell\n" not in told["text"]
    (file,) = await desk.desk.taps(OLGA, told, "As a file")
    assert re.fullmatch(r"statement-\d{4}-\d\d-\d\d\.csv", file["document"]["file_name"])

    over = await with_buttons(desk, f"/profit since {ago(14)} until {ago(10)}")
    # how it went, the hour of the day decides
    assert re.search(rf"· bought since {ago(14)} until {ago(10)}\n1 together: [+-]\d+\.\d\d USD", over["text"])
    (file,) = await desk.desk.taps(OLGA, over, "As a file")
    assert file["document"]["file_name"].startswith("profit-")
    nothing = await with_buttons(desk, f"/profit since {ago(1)}")
    assert (nothing["text"].splitlines()[-1], list(buttons(nothing))) == ("None.", ["Refresh"])


async def test_what_deriv_says_of_itself(desk: Treasury) -> None:
    text = await desk.desk.said(OLGA, "/site")
    assert re.search(r"^Deriv is up\.$", text, re.M), text
    assert re.search(r"Its clock shows \d\d:\d\d:\d\d, ", text)
    assert await desk.desk.said(OLGA, "/sellexpired") == "Nothing had run out unsettled at deriv/main."
    assert "Payment agents" in await desk.desk.said(OLGA, "/agents id")
    (limits,) = await desk.desk.taps(OLGA, await with_buttons(desk, "/limits"), "Those at Deriv")
    assert "Limits at Deriv deriv/main" in limits["text"]
    assert "no beneficiary “Harbour” in the book. /beneficiaries shows" in await desk.desk.said(
        OLGA, "/payout 10.00 USD to Harbour"
    )


async def test_the_cashier_is_for_its_owner_in_private(desk: Treasury) -> None:
    text = await desk.desk.said(OLGA, "/cashier")
    head, address = text.splitlines()
    assert head == "The cashier of deriv/main. For a short while the address opens it to anybody:"
    assert address.startswith("https://cashier.")
    await desk.control("account", loginid="CR900001", asks="ASK_TNC_APPROVAL")
    assert await desk.desk.said(OLGA, "/cashier") == (
        "Deriv refused: Deriv has new terms and conditions; its owner accepts them there, then ask again"
        " (ASK_TNC_APPROVAL)."
    )


async def test_coins_are_paid_in_to_an_address_on_their_chain(desk: Treasury) -> None:
    tokens = (await desk.control("tokens", "GET"))["tokens"]
    token = next(one["token"] for one in tokens if one["loginid"] == "CR900002" and not one["oauth"])
    fields = {"app_id": Secret(str(desk.desk.sides["deriv"].credentials["app_id"])), "token": Secret(token)}
    wanted = Wanted("deriv", "coins", Environment.LIVE, fields)
    roster = desk.rooms.access.roster
    await desk.rooms.credentials.link(desk.person(OLGA), wanted, roster, telegram_id=OLGA)
    head, address = (await desk.desk.said(OLGA, "/cashier coins")).splitlines()
    assert head == "BTC sent to this address, and nothing else, is paid in to deriv/coins:"
    assert re.fullmatch(r"\w{20,}", address)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("rise R_100 10 USD 5m", Line("CALL", "R_100", "10", "USD", lasts="5m")),
        ("FALL R_50 2.50 10t payout", Line("PUT", "R_50", "2.50", basis="payout", lasts="10t")),
        ("matches 7 R_10 1 5t", Line("DIGITMATCH", "R_10", "1", lasts="5t", barriers=("7",))),
        ("touch R_100 10 5m +0.5", Line("ONETOUCH", "R_100", "10", lasts="5m", barriers=("+0.5",))),
        ("up R_100 10 x50 on main", Line("MULTUP", "R_100", "10", multiplier="50", on="main")),
        ("EXPIRYRANGE R_100 10 1d +5 -5", Line("EXPIRYRANGE", "R_100", "10", lasts="1d", barriers=("+5", "-5"))),
    ],
)
def test_a_line_comes_apart(words: str, line: Line) -> None:
    assert read(words.split()) == line


@pytest.mark.parametrize("words", ["", "hope R_100 10", "rise 10", "rise R_100", "rise R_100 10 20 30"])
def test_half_a_line_says_what_is_missing(words: str) -> None:
    with pytest.raises(InputError):
        read(words.split())
