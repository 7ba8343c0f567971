"""People in the CRM's simulator: how they come in, what they fill in, who stands above and below them."""

import json
from collections.abc import AsyncIterator

import pytest

from bot.providers.crm.simulator import make
from tests.support.crm_desk import Desk, HandClock, Receiver, desk_at, receiving, refused, settled


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = HandClock()
    async with desk_at(make(clock=clock), clock) as found:
        yield found


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


async def registration_form(desk: Desk) -> str:
    return str((await desk.get("/form/registration/trader")).json()["id"])


async def kyc_form(desk: Desk) -> str:
    return str((await desk.get("/form/kyc/collections")).json()[0]["form_id"])


async def newcomer(desk: Desk, **more: object) -> dict[str, object]:
    """A body that creates a client."""
    return {
        "email": "new@example.test",
        "password": "first-password",
        "repeat_password": "first-password",
        "update_password": True,
        "form_id": await registration_form(desk),
        **more,
    }


async def record(desk: Desk, user_id: str) -> dict[str, object]:
    records: list[dict[str, object]] = (await desk.get("/users", skip=0, limit=500)).json()["records"]
    return next(item for item in records if item["id"] == user_id)


# --- creating clients


async def test_a_created_client_shows_in_every_call_about_clients(desk: Desk) -> None:
    referrer = await desk.client(0)
    before = (await record(desk, referrer))["downline_count"]
    body = await newcomer(
        desk,
        phone={"country_code": "65", "number": "81234567"},
        referrer_id=referrer,
        language="zh-cn",
        mail=True,
        name="新客户",
        nationality="sg",
    )
    answer = await desk.post("/users/create", body)
    assert answer.status_code == 201
    user = answer.json()["id"]
    assert len(user) == 8
    shown = await record(desk, user)
    assert (shown["name"], shown["email"], shown["type"]) == ("新客户", "new@example.test", "trader")
    assert (shown["kyc_status"], shown["kyc_processing"], shown["trading_accounts"]) == ("pending", False, [])
    assert (shown["referrer_name"], shown["created_at"]) == ("Harbour IB Partners", "2025-11-20 08:15:02")
    assert (await desk.get(f"/users/{user}")).json()["phone"] == {"country_code": "65", "number": "81234567"}
    details = (await desk.get(f"/users/{user}/details")).json()
    assert [(item["key"], item["value"]) for item in details] == [("name", "新客户"), ("nationality", "sg")]
    assert details[1]["label"] == {"en-us": "Nationality", "zh-cn": "国籍"}
    assert (await desk.get(f"/users/{user}/profile")).json() == []
    assert await desk.wallet(user) == {"USD": 0}
    assert (await desk.get(f"/payments/{user}/bankcards")).json() == []
    assert int(str((await record(desk, referrer))["downline_count"])) == int(str(before)) + 1
    below = (await desk.post("/users/downlines", {"user_id": referrer})).json()
    assert below["downlines"][-1]["email"] == "new@example.test"
    above = (await desk.post("/users/uplines", {"email": "new@example.test"})).json()
    assert [item["id"] for item in above["uplines"]] == [referrer]


async def test_credentials_are_checked_against_what_was_set(desk: Desk) -> None:
    user = (await desk.post("/users/create", await newcomer(desk))).json()["id"]
    good = {"email": "new@example.test", "password": "first-password"}
    assert (await desk.post("/users/validate", good)).json() == {"valid": True, "id": user}
    assert (await desk.post("/users/validate", good | {"password": "other"})).json() == {"valid": False}
    stranger = good | {"email": "nobody@example.test"}
    assert refused(await desk.post("/users/validate", stranger), 400, "user_not_found")
    assert refused(await desk.post("/users/validate", {"email": "new@example.test"}), 400, "invalid_request")
    assert "first-password" not in json.dumps(desk.simulator.dump(), default=str), "a password is never kept"


async def test_a_client_can_be_given_an_id_but_none_twice(desk: Desk) -> None:
    answer = await desk.post("/users/create", await newcomer(desk, id="k3m9x2qd"))
    assert answer.json() == {"id": "k3m9x2qd"}
    again = await newcomer(desk, email="other@example.test", id="k3m9x2qd")
    assert refused(await desk.post("/users/create", again), 400, "id_exists")
    same = await newcomer(desk)
    assert refused(await desk.post("/users/create", same), 400, "email_exists")


async def test_clients_that_cannot_be_created(desk: Desk) -> None:
    wrong: tuple[dict[str, object], ...] = (
        {"email": "no address"}, {"email": None}, {"password": ""}, {"repeat_password": "another"},
        {"update_password": None}, {"update_password": "yes"}, {"form_id": "zzzzzzzz"}, {"form_id": None},
        {"id": "short"}, {"phone": "8000"}, {"nationality": "atlantis"}, {"mail": 1}, {"custom_fields": []},
    )  # fmt: skip
    for part in wrong:
        answer = await desk.post("/users/create", await newcomer(desk, **part))
        assert refused(answer, 400, "invalid_request"), part
    lost = await newcomer(desk, referrer_id="zzzzzzzz")
    assert refused(await desk.post("/users/create", lost), 400, "user_not_found")
    assert (await desk.get("/users", skip=0, limit=0)).json()["count"] == 7


async def test_custom_fields_may_be_nested_or_lie_at_the_top(desk: Desk) -> None:
    nested = await newcomer(desk, custom_fields={"nationality": "cn", "experience": "much", "unknown": 1})
    user = (await desk.post("/users/create", nested)).json()["id"]
    details = (await desk.get(f"/users/{user}/details")).json()
    assert [(item["key"], item["value"]) for item in details] == [("nationality", "cn"), ("experience", "much")]


async def test_a_new_client_is_told_of_on_newer_tenants_only(desk: Desk, receiver: Receiver) -> None:
    await desk.control("webhook", {"url": receiver.url})
    user = (await desk.post("/users/create", await newcomer(desk))).json()["id"]
    await settled(desk, 1)
    body = json.loads(receiver.came[0][1])
    assert body["source"] == {
        "service": "admin-api",
        "group": "crm.webhooks.groups.users.create",
        "event": "crm.webhooks.users.create",
    }
    assert body["data"] == {
        "client_id": user,
        "client_name": "new",
        "email": "new@example.test",
        "phone": {"country_code": "", "number": ""},
        "create_time": 1763626502000,
        "creation_type": "admin_created",
    }
    await desk.control("settings", {"generation": "A"})
    await desk.post("/users/create", await newcomer(desk, email="late@example.test"))
    assert len((await desk.look("deliveries"))["deliveries"]) == 1


# --- up- and downlines


async def test_lines_are_trees_and_name_a_client_by_id_or_address(desk: Desk) -> None:
    root = await desk.client(0)
    child = (await desk.post("/users/create", await newcomer(desk, referrer_id=await desk.client(1)))).json()["id"]
    tree = (await desk.post("/users/downlines", {"user_id": root})).json()
    assert set(tree) == {"id", "email", "phone", "downlines"}
    assert [item["id"] for item in tree["downlines"]] == [await desk.client(number) for number in (1, 3, 5)]
    assert [item["id"] for item in tree["downlines"][0]["downlines"]] == [child]
    chain = (await desk.post("/users/uplines", {"user_id": child})).json()
    assert chain["uplines"][0]["uplines"][0]["id"] == root
    assert chain["uplines"][0]["uplines"][0]["uplines"] == []
    assert (await desk.post("/users/downlines", {"email": "user0@example.test"})).json() == tree
    for line in ("uplines", "downlines"):
        assert refused(await desk.post(f"/users/{line}", {"user_id": "zzzzzzzz"}), 400, "user_not_found")
        mixed = {"user_id": root, "email": "user1@example.test"}
        assert refused(await desk.post(f"/users/{line}", mixed), 400, "user_not_found")
        assert refused(await desk.post(f"/users/{line}", {"language": "en-us"}), 400, "invalid_request")


# --- KYC


async def test_a_kyc_form_goes_under_review_and_a_yes_verifies(desk: Desk, receiver: Receiver) -> None:
    await desk.control("settings", {"levels": 2})
    await desk.control("webhook", {"url": receiver.url})
    user = await desk.client(1)
    form = {"form_id": await kyc_form(desk), "id_type": "id_card", "id_number": "S1234", "address": "1 Road"}
    answer = await desk.post(f"/users/{user}/profile/submit", form | {"phone": {"country_code": "1", "number": "555"}})
    assert answer.status_code == 200
    request_id = answer.json()["id"]
    assert refused(await desk.post(f"/users/{user}/profile/submit", form), 400, "kyc_duplicate_error")
    shown = await record(desk, user)
    assert (shown["kyc_processing"], shown["phone"]) == (True, {"country_code": "1", "number": "555"})
    for path in ("profile", "kyc"):
        filled = (await desk.get(f"/users/{user}/{path}")).json()
        assert [(item["key"], item["value"]) for item in filled] == [
            ("id_type", "id_card"), ("id_number", "S1234"), ("address", "1 Road"),
        ]  # fmt: skip
    request = (await desk.get(f"/requests/kyc/{request_id}")).json()
    assert (request["type"], request["status"], request["address"]) == ("kyc", "pending", "1 Road")
    assert request["flow"] == {"current": 1, "total": 2}
    assert refused(await desk.get(f"/requests/withdrawal/{request_id}"), 400, "request_not_found")
    assert refused(await desk.get(f"/requests/deposit/{request_id}"), 400, "request_not_found")
    await desk.post("/requests/kyc/approve", {"id": request_id})
    assert (await record(desk, user))["kyc_processing"] is True
    await desk.control("approve", {"id": request_id, "admin": "Desk B"})
    shown = await record(desk, user)
    assert (shown["kyc_processing"], shown["kyc_status"]) == (False, "verified")
    logs = (await desk.get(f"/requests/kyc/{request_id}")).json()["logs"]
    assert [(log["event"], log["admin"]) for log in logs] == [
        ("create", user), ("approve", "open-api"), ("approve", "Desk B"),
    ]  # fmt: skip
    await settled(desk, 2)
    events = receiver.events()
    assert events == [
        ("crm.webhooks.requests.kyc.approve.node.1", "pending"),
        ("crm.webhooks.requests.kyc.approve.node.2", "approved"),
    ]
    data = json.loads(receiver.came[0][1])["data"]
    assert data["kyc_fields"][0]["group_id"] == "identity"
    assert data["kyc_flow"] == {"total_steps": 2, "current_steps": 1}


async def test_a_refused_kyc_form_can_be_handed_in_anew(desk: Desk) -> None:
    user = await desk.client(2)
    form = {"form_id": await kyc_form(desk), "id_type": "passport", "id_number": "P1"}
    first = (await desk.post(f"/users/{user}/profile/submit", form)).json()["id"]
    assert refused(await desk.post("/requests/kyc/reject", {"id": first}), 400, "invalid_request")
    await desk.post("/requests/kyc/reject", {"id": first, "comment": "blurred"})
    assert (await record(desk, user))["kyc_status"] == "rejected"
    assert refused(await desk.post("/requests/kyc/approve", {"id": first}), 400, "request_status_not_pending")
    again = await desk.post(f"/users/{user}/profile/submit", form)
    assert again.status_code == 200


async def test_the_demo_client_under_review_has_a_request_that_can_be_decided(desk: Desk) -> None:
    waiting = [item for item in (await desk.look("petitions"))["petitions"] if item["type"] == "kyc"]
    assert [item["user"]["email"] for item in waiting] == ["user6@example.test"]
    await desk.control("approve", {"id": waiting[0]["id"]})
    assert (await record(desk, waiting[0]["user_id"]))["kyc_status"] == "verified"


async def test_kyc_forms_that_cannot_be_taken(desk: Desk) -> None:
    user, form_id = await desk.client(1), await kyc_form(desk)
    good: dict[str, object] = {"form_id": form_id, "id_type": "passport", "id_number": "P1"}
    for part in ({"form_id": "zzzzzzzz"}, {"id_number": ""}, {"id_type": None}, {"id_type": "ticket"}):
        answer = await desk.post(f"/users/{user}/profile/submit", good | part)
        assert refused(answer, 400, "invalid_request"), part
    assert refused(await desk.post("/users/zzzzzzzz/profile/submit", good), 400, "account_not_found")
    await desk.control("settings", {"generation": "A"})
    assert refused(await desk.post(f"/users/{user}/profile/submit", good), 404, "not_found")


# --- leads and registration


async def test_a_lead_is_created_and_shows_on_the_other_side(desk: Desk) -> None:
    lead = {"email": "maybe@example.test", "name": "Perhaps", "referrer_id": await desk.client(0), "nationality": "se"}
    answer = await desk.post("/leads/create", lead)
    assert answer.status_code == 201
    kept = (await desk.look("leads"))["leads"][0]
    assert (kept["id"], kept["email"], kept["details"][1]["value"]) == (answer.json()["id"], "maybe@example.test", "se")
    assert refused(await desk.post("/leads/create", {"name": "Nobody"}), 400, "invalid_request")
    assert refused(await desk.post("/leads/create", lead | {"referrer_id": "zzzzzzzz"}), 400, "user_not_found")


async def registering(desk: Desk) -> dict[str, object]:
    return {
        "email": "walk@example.test",
        "type": "trader",
        "name": "Walk In",
        "password": "walking-password",
        "repeat_password": "walking-password",
        "form_id": await registration_form(desk),
    }


async def in_steps(desk: Desk, code: str, **more: object) -> dict[str, object]:
    register = {**await registering(desk), "email_code": code, "name": "Walk In", **more}
    kyc = {"form_id": await kyc_form(desk), "id_type": "passport", "id_number": "P9"}
    return {"trader_register": "trader_register", "register": register, "kyc": kyc}


async def test_registration_in_steps_needs_the_code_that_was_sent(desk: Desk, receiver: Receiver) -> None:
    await desk.control("webhook", {"url": receiver.url})
    early = await desk.post("/account/register/multistep", await in_steps(desk, "000000"))
    assert refused(early, 400, "invalid_validation_code")
    sent = await desk.post("/account/register/request", await registering(desk))
    assert (sent.status_code, sent.content) == (204, b"")
    code = (await desk.look("codes"))["codes"][0]
    assert (code["email"], code["channel"], len(code["code"])) == ("walk@example.test", "email", 6)
    assert (await desk.get("/users", skip=0, limit=0)).json()["count"] == 7, "a code alone makes no client"
    other = await in_steps(desk, code["code"], email="thief@example.test")
    assert refused(await desk.post("/account/register/multistep", other), 400, "invalid_validation_code")
    done = await desk.post("/account/register/multistep", await in_steps(desk, code["code"]))
    assert (done.status_code, done.content) == (204, b"")
    validated = {"email": "walk@example.test", "password": "walking-password"}
    user = (await desk.post("/users/validate", validated)).json()["id"]
    shown = await record(desk, user)
    assert (shown["name"], shown["kyc_processing"]) == ("Walk In", True)
    assert (await desk.get(f"/users/{user}/profile")).json()[1]["value"] == "P9"
    again = await in_steps(desk, code["code"])
    assert refused(await desk.post("/account/register/multistep", again), 400, "email_exists")
    assert (await desk.look("codes"))["codes"] == [], "a code works once"
    await settled(desk, 1)
    assert json.loads(receiver.came[0][1])["data"]["creation_type"] == "self_registration"


async def test_codes_that_cannot_be_sent(desk: Desk) -> None:
    good = await registering(desk)
    path = "/account/register/request"
    wrong: tuple[dict[str, object], ...] = (
        {"type": "ib"}, {"repeat_password": "x"}, {"form_id": "zzzzzzzz"}, {"otp_type": "pigeon"},
        {"otp_type": "phone"}, {"name": ""}, {"email": ""},
    )  # fmt: skip
    for part in wrong:
        assert refused(await desk.post(path, good | part), 400, "invalid_request"), part
    assert refused(await desk.post(path, good | {"email": "user1@example.test"}), 400, "email_exists")
    await desk.control("settings", {"generation": "A"})
    assert (await desk.post(path, good | {"name": ""})).status_code == 204, "the older page knows no name"
    by_phone = good | {"otp_type": "phone", "phone": {"country_code": "65", "number": "8"}}
    assert (await desk.post(path, by_phone)).status_code == 204


# --- suspending, cards


async def test_a_suspended_client_moves_to_the_other_list(desk: Desk) -> None:
    user = await desk.client(3)
    desk.clock.pass_by(60)
    await desk.control("suspend", {"user_id": user})
    suspended = (await desk.get("/users", skip=0, limit=9, suspended="true")).json()["records"]
    assert user in [item["id"] for item in suspended]
    assert suspended[0]["updated_at"] == "2025-11-20 08:16:02"
    await desk.control("suspend", {"user_id": user, "suspended": False})
    assert (await record(desk, user))["id"] == user


async def test_bank_cards_are_a_bare_array_and_grow(desk: Desk) -> None:
    user = await desk.client(1)
    cards = (await desk.get(f"/payments/{user}/bankcards")).json()
    assert [(card["user_id"], card["status"]) for card in cards] == [(user, "approved")]
    assert set(cards[0]) == {"id", "bank_name", "user_id", "created_at", "updated_at", "status", "form"}
    assert cards[0]["form"][0]["key"] == "account_no"
    filed = await desk.control("card", {"user_id": user, "bank_name": "New Bank", "account_no": "000000001"})
    cards = (await desk.get(f"/payments/{user}/bankcards")).json()
    assert (cards[1]["id"], cards[1]["status"], cards[1]["form"][0]["value"]) == (filed["id"], "pending", "000000001")
    assert refused(await desk.get("/payments/zzzzzzzz/bankcards"), 400, "user_not_found")


# --- what the tenant has set up


async def test_places_forms_and_account_types(desk: Desk) -> None:
    countries = (await desk.get("/configuration/countries")).json()
    assert {"code": "sg", "name": "Singapore"} in countries
    assert (await desk.get("/configuration/states", country="sg")).json()[0] == {
        "code": "01", "name": "Central Singapore",
    }  # fmt: skip
    cities = (await desk.get("/configuration/cities", country="cn", state="gd")).json()
    assert [city["name"] for city in cities] == ["广州", "深圳"]
    assert (await desk.get("/configuration/states", country="se")).json() == []
    assert refused(await desk.get("/configuration/states", country="xx"), 400, "invalid_request")
    form = (await desk.get("/form/registration/trader")).json()
    field = form["groups"][0]["fields"][1]
    assert (field["key"], field["type"], field["required"]) == ("nationality", "select", False)
    assert "sg" in field["options"]
    collection = (await desk.get("/form/kyc/collections")).json()[0]["id"]
    kyc = (await desk.get("/form/kyc", collection_id=collection)).json()
    assert (kyc["id"], kyc["collection_id"]) == (await kyc_form(desk), collection)
    assert [field["key"] for field in kyc["groups"][0]["fields"] if field["required"]] == ["id_type", "id_number"]
    assert refused(await desk.get("/form/kyc", collection_id="zzzzzzzz"), 400, "invalid_request")
    servers = (await desk.get("/connections")).json()
    types = (await desk.get("/tradingAccounts/types")).json()
    assert [(item["platform"], item["connection_id"]) for item in types] == [
        (server["platform"], server["id"]) for server in servers
    ]


async def test_an_upload_is_signed_for_and_taken(desk: Desk) -> None:
    query = {"document": "face.png", "content_type": "image/png", "form_id": await kyc_form(desk)}
    signed = (await desk.get("/form/s3/signature", id="doc1", **query)).json()
    assert signed["fields"]["key"].endswith("/doc1/face.png")
    assert (await desk.http.post(signed["url"], content=b"png")).status_code == 204
    for part in ({"id": "document"}, {"content_type": "text/html"}, {"form_id": "zzzzzzzz"}, {"document": ""}):
        answer = await desk.get("/form/s3/signature", **{"id": "doc1", **query, **part})
        assert refused(answer, 400, "invalid_request"), part
    await desk.control("settings", {"generation": "A"})
    assert (await desk.get("/form/s3/signature", id="document", **query)).status_code == 200
