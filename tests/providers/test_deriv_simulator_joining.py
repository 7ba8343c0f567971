"""Account opening, settings, tokens and apps of Deriv's simulator, from outside."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from tests.support.deriv_desk import Desk, HandClock, Line, a_desk

PERSON = {
    "first_name": "Akinyi",
    "last_name": "O'Tieno-Smith",
    "residence": "ke",
    "date_of_birth": "1990-3-4",
    "address_line_1": "12/4 Ngong Rd, Fl. 3",
    "address_city": "Nairobi",
    "salutation": "Ms",
}
STRONG = "Aa1" * 4


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with a_desk(HandClock()) as one:
        yield one


async def a_newcomer(desk: Desk, residence: str = "ke", address: str = "new@example.org") -> Line:
    """A line that is logged in with a fresh demo account."""
    line = await desk.line()
    assert (await line.ask(verify_email=address, type="account_opening"))["verify_email"] == 1
    asked = {"verification_code": await desk.mailed(), "client_password": STRONG, "residence": residence}
    opened = await line.ask(new_account_virtual=1, **asked)
    await line.ask(authorize=opened["new_account_virtual"]["oauth_token"])
    return line


async def test_a_mailed_code_opens_a_demo_account_once(desk: Desk) -> None:
    line = await desk.line()
    await line.ask(verify_email="new@example.org", type="account_opening")
    asked = {"verification_code": await desk.mailed(), "client_password": STRONG, "residence": "ke"}
    opened = await line.ask(new_account_virtual=1, **asked)
    assert opened["echo_req"]["client_password"] == "<not shown>"
    told = opened["new_account_virtual"]
    assert (told["balance"], told["currency"], told["email"]) == (10000, "USD", "new@example.org")
    assert told["client_id"].startswith("VRTC")
    assert await line.code(balance=1) == "AuthorizationRequired"  # the answer does not log in
    assert await line.code(new_account_virtual=1, **asked) == "InvalidToken"
    who = (await line.ask(authorize=told["oauth_token"]))["authorize"]
    assert (who["loginid"], who["is_virtual"], who["country"]) == (told["client_id"], 1, "ke")
    assert who["upgradeable_landing_companies"] == ["svg"]
    assert await line.code(new_account_virtual=1) == "DuplicateAccount"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"verification_code": "wrongwrong"}, "InvalidToken"),
        ({"residence": "us"}, "InvalidResidence"),
        ({"residence": "zz"}, "InvalidResidence"),
        ({"client_password": "weak"}, "InputValidationFailed"),
    ],
)
async def test_a_demo_account_that_may_not_be(desk: Desk, change: dict[str, str], code: str) -> None:
    line = await desk.line()
    await line.ask(verify_email="new@example.org", type="account_opening")
    asked = {"verification_code": await desk.mailed(), "client_password": STRONG, "residence": "ke", **change}
    assert await line.code(new_account_virtual=1, **asked) == code


async def test_an_address_is_no_password(desk: Desk) -> None:
    line = await desk.line()
    await line.ask(verify_email="A1new@example.org", type="account_opening")
    asked = {"verification_code": await desk.mailed(), "client_password": "A1new@example.org", "residence": "ke"}
    assert await line.code(new_account_virtual=1, **asked) == "PasswordError"


async def test_an_address_that_is_known_cannot_open_another(desk: Desk) -> None:
    line = await desk.line()
    await line.ask(verify_email="treasury@meridian-desk.example", type="account_opening")
    asked = {"verification_code": await desk.mailed(), "client_password": STRONG, "residence": "id"}
    assert await line.code(new_account_virtual=1, **asked) == "duplicate email"


async def test_a_real_account_is_opened_then_one_more_for_each_currency(desk: Desk) -> None:
    line = await a_newcomer(desk)
    opened = await line.ask(new_account_real=1, currency="USD", **PERSON)
    assert (opened["echo_req"]["first_name"], opened["echo_req"]["residence"]) == ("<not shown>", "ke")
    told = opened["new_account_real"]
    assert (told["landing_company_short"], told["currency"], told["client_id"][:2]) == ("svg", "USD", "CR")
    who = (await line.ask(authorize=told["oauth_token"]))["authorize"]
    assert who["fullname"] == "Ms Akinyi O'Tieno-Smith"
    assert [each["loginid"][:2] for each in who["account_list"]] == ["VR", "CR"]
    assert (await line.ask(get_settings=1))["get_settings"]["date_of_birth"] == 636508800
    for currency, code in (("USD", "DuplicateCurrency"), ("EUR", "DuplicateCurrency"), ("XYZ", "CurrencyNotAllowed")):
        assert await line.code(new_account_real=1, currency=currency) == code
    assert (await line.ask(new_account_real=1, currency="BTC"))["new_account_real"]["currency_type"] == "crypto"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"first_name": None, "date_of_birth": None}, "InsufficientAccountDetails", "first_name"),
        ({"residence": "id"}, "InvalidResidence", "residence"),
        ({"date_of_birth": "2008-03-05"}, "BelowMinimumAge", "date_of_birth"),
        ({"date_of_birth": "1990-02-30"}, "InvalidDateOfBirth", "date_of_birth"),
        ({"address_state": "XX"}, "InvalidState", "address_state"),
        ({"address_line_1": "P.O. Box 7"}, "PoBoxInAddress", "address_line_1"),
        ({"phone": "no number"}, "InvalidPhone", "phone"),
        ({"place_of_birth": "zz"}, "InvalidPlaceOfBirth", "place_of_birth"),
        ({"secret_question": "Memorable date"}, "NeedBothSecret", "secret_answer"),
    ],
)
async def test_a_refused_detail_is_named(desk: Desk, change: dict[str, Any], code: str, field: str) -> None:
    line = await a_newcomer(desk)
    given = {name: value for name, value in {**PERSON, **change}.items() if value is not None}
    error = (await line.ask(new_account_real=1, currency="USD", **given))["error"]
    assert (error["code"], error["details"]["field"]) == (code, field)
    assert "new_account_real" in await line.ask(new_account_real=1, currency="USD", **PERSON)


async def test_what_a_name_or_an_address_may_hold(desk: Desk) -> None:
    line = await a_newcomer(desk)
    for field, bad in (("first_name", "A1"), ("last_name", "x  y"), ("address_city", "1st"), ("secret_answer", "abc")):
        error = (await line.ask(new_account_real=1, **{**PERSON, field: bad}))["error"]
        assert (error["code"], list(error["details"])) == ("InputValidationFailed", [field])
    assert "error" not in await line.ask(new_account_real=1, **{**PERSON, "first_name": "Żółć", "phone": None})


async def test_the_form_is_told_by_countries_states_and_companies(desk: Desk) -> None:
    line = await desk.line()
    countries = {row["value"]: row for row in (await line.ask(residence_list=1))["residence_list"]}
    assert (countries["us"]["disabled"], "disabled" in countries["id"]) == ("DISABLED", False)
    only = (await line.ask(residence_list=1, query=["value"]))["residence_list"]
    assert set().union(*only) == {"value"}
    assert {"text": "Bali", "value": "BA"} in (await line.ask(states_list="ID"))["states_list"]
    assert (await line.ask(states_list="xx"))["states_list"] == []
    company = (await line.ask(landing_company="de"))["landing_company"]
    assert (company["all_company"], company["financial_company"]["shortcode"]) == ("none", "maltainvest")
    assert "financial_company" not in (await line.ask(landing_company="us"))["landing_company"]
    assert await line.code(landing_company="xx") == "UnknownLandingCompany"
    details = (await line.ask(landing_company_details="svg"))["landing_company_details"]
    assert details["requirements"]["signup"] == ["first_name", "last_name", "residence", "date_of_birth"]
    assert await line.code(landing_company_details="costarica") == "InputValidationFailed"


async def test_a_demo_account_is_refilled_once_it_is_low(desk: Desk) -> None:
    line = await a_newcomer(desk)
    assert await line.code(topup_virtual=1) == "DemoTopupBalance"
    bet = {
        "contract_type": "CALL",
        "currency": "USD",
        "symbol": "R_100",
        "amount": 9500,
        "basis": "stake",
        "duration": 60,
    }
    assert "buy" in await line.ask(buy=1, price=9500, parameters=bet)
    await line.ask(transaction=1, subscribe=1)
    assert (await line.ask(topup_virtual=1))["topup_virtual"] == {"amount": 9500, "currency": "USD"}
    told = (await line.next())["transaction"]
    assert (told["action"], told["balance"]) == ("virtual_credit", 10000)
    assert await (await desk.login()).code(topup_virtual=1) == "InvalidAccount"


async def test_tokens_are_made_listed_used_and_deleted(desk: Desk) -> None:
    line = await desk.login("token_oauth")

    async def listed(**asked: Any) -> dict[str, dict[str, Any]]:
        return {row["display_name"]: row for row in (await line.ask(api_token=1, **asked))["api_token"]["tokens"]}

    made = (await listed(new_token="night desk", new_token_scopes=["read"]))["night desk"]
    assert (made["scopes"], made["last_used"], made["valid_for_ip"]) == (["read"], "", "")
    other = await desk.line()
    assert (await other.ask(authorize=made["token"]))["authorize"]["scopes"] == ["read"]
    await other.ask(balance=1, subscribe=1)
    assert (await listed())["night desk"]["last_used"] == "2026-03-04 12:00:00"
    for bad in (
        {"new_token": "x", "new_token_scopes": ["read"]},
        {"new_token": "night desk", "new_token_scopes": ["read"]},
    ):
        assert await line.code(api_token=1, **bad) == "APITokenError"
    assert await line.code(api_token=1, new_token="no scopes") == "APITokenError"
    assert "night desk" not in await listed(delete_token=made["token"])
    assert (await other.next())["error"]["code"] == "InvalidToken"  # its stream ends
    assert await other.code(balance=1) == "InvalidToken"
    assert await (await desk.login("token_read")).code(api_token=1) == "PermissionDenied"


async def test_an_app_is_registered_until_that_is_closed(desk: Desk) -> None:
    line = await desk.login()
    asked = {"name": "Night desk", "scopes": ["read"], "redirect_uri": "https://bot.example.com/oauth/deriv"}
    app = (await line.ask(app_register=1, **asked))["app_register"]
    assert (app["name"], app["redirect_uri"], app["active"]) == ("Night desk", asked["redirect_uri"], 1)
    assert (await (await desk.line(f"app_id={app['app_id']}")).ask(ping=1))["ping"] == "pong"
    assert await line.code(app_register=1, **asked) == "AppRegister"
    assert await line.code(app_register=1, name="Free", scopes=[], redirect_uri="x://y") == "AppRegister"
    assert await line.code(app_register=1, name="Dear", scopes=[], app_markup_percentage=4) == "InputValidationFailed"
    await desk.post("registering", {"open": False})
    assert await line.code(app_register=1, name="Late", scopes=["read"]) == "AppRegister"


async def test_settings_and_limits_of_a_demo_account_say_less(desk: Desk) -> None:
    line, demo = await desk.login(), await desk.line()
    await demo.ask(authorize=await desk.token_of("VRTC900001"))
    settings = (await line.ask(get_settings=1))["get_settings"]
    assert (settings["first_name"], settings["date_of_birth"]) == ("Rina", 446860800)
    assert "first_name" not in (await demo.ask(get_settings=1))["get_settings"]
    assert (await line.ask(get_limits=1))["get_limits"]["remainder"] == Decimal(10000)
    assert "remainder" not in (await demo.ask(get_limits=1))["get_limits"]


async def test_a_disabled_account_cannot_log_in(desk: Desk) -> None:
    await desk.post("account", {"loginid": "CR900001", "disabled": True})
    line = await desk.line()
    assert await line.code(authorize=desk.key["token"]) == "DisabledClient"
    assert (await desk.post("account", {"loginid": "CR1", "disabled": True})).status_code == 400
