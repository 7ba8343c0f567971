"""The CRM's webhooks: what is let in, what is kept, what is told (SAFETY F41, F42, M52, M53)."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot import http
from bot.access.model import Role
from bot.config import load
from bot.errors import ConfigError, NotFoundError, ProviderError
from bot.loopback.ports import free_port
from bot.loopback.server import Listening, serving
from bot.operations.credentials import Wanted
from bot.operations.decisions import Decision, Seen
from bot.operations.requested import Known, Source
from bot.providers.records import Environment
from bot.secret import Secret
from bot.wiring import House, provider_settings
from tests.support.chatting import ADAM, ANNA, MEMBERS, OLGA, VERA, WalkingClock
from tests.support.desk import GROUP, opened, write_desk, write_secret

SECRET = "invented for this test only"
NODE, REJECT = "crm.webhooks.requests.withdrawal.approve.node.1", "crm.webhooks.requests.withdrawal.reject"


def sign(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def event(request_id: str, slug: str = NODE, status: str = "pending", **more: Any) -> bytes:
    data = {
        "id": request_id,
        "type": "withdrawal",
        "status": status,
        "user_id": "u7h2k9d0",
        "request_time": "2025-11-20 08:15:02",
        "trading_id": 500123,
        "trading_platform": "mt5",
        "trading_connection_id": "conn0001",
        "trading_currency": "USD",
        "trading_amount": "250.00",
        "withdrawal_method": "银行转账",
        "converted_amount": 1775,
        "withdrawal_flow": {"total_steps": 2, "current_steps": 1},
        **more,
    }
    whole = {"source": {"service": "requests", "event": slug}, "target": {"name": "出金通知"}, "version": "1.0.0"}
    return json.dumps({**whole, "data": data}, ensure_ascii=False).encode()


@dataclass
class Hook:
    """The endpoint, served; and the tenant that is asked."""

    rooms: House
    http: httpx.AsyncClient
    control: httpx.AsyncClient
    sim: Listening

    async def post(self, body: bytes, headers: Mapping[str, str] | list[tuple[str, str]] | None = None) -> int:
        sent = {"x-crm-signature": sign(body)} if headers is None else headers
        answer = await self.http.post("/crm/webhook", content=body, headers=sent)
        return answer.status_code

    async def tell(self, path: str, **body: Any) -> Any:
        answer = await self.control.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def asked(self) -> str:
        """A client asks for 40.25 USD; the request's id."""
        state = await self.users()
        return str((await self.tell("/withdrawal", user_id=state, amount="40.25", currency="USD"))["id"])

    async def users(self) -> str:
        key = {"key": self.sim.credentials["api_key"]}
        async with httpx.AsyncClient(base_url=self.sim.http, trust_env=False) as client:
            records = (await client.get("/public/v1/users", params={"skip": 0, "limit": 9}, headers=key)).json()
        return str(records["records"][1]["id"])

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return await self.rooms.database.read(lambda tables: tables.conn.execute(sql).fetchall())

    async def read(self) -> None:
        """Until nothing that was heard of is unread."""
        async with asyncio.timeout(10):
            while await self.rows("SELECT 1 FROM crm_withdrawals WHERE unread > 0"):
                await asyncio.sleep(0.01)

    async def known(self, request_id: str) -> Known:
        person = self.rooms.access.roster.person(OLGA)
        assert person is not None
        return await self.rooms.withdrawals.one(person, request_id)

    async def told(self) -> list[str]:
        """Titles and first lines of what waits for the approver."""
        return [f"{body['title']}. {body['lines'][0]}" for body in await self.notices()]

    async def notices(self, chat: int = ANNA) -> list[dict[str, Any]]:
        rows = await self.rows("SELECT chat_id, body FROM outbox WHERE dedupe LIKE 'crm/%' ORDER BY id")
        return [json.loads(body) for where, body in rows if where == chat]


@pytest.fixture
async def hook(tmp_path: Path) -> AsyncIterator[Hook]:
    async with hooked(tmp_path) as one:
        yield one


@asynccontextmanager
async def hooked(folder: Path) -> AsyncIterator[Hook]:
    port = free_port()
    write_secret_at(folder / "hook.secret", SECRET)
    async with serving(import_module("bot.providers.crm.simulator").make()) as sim:
        table = {"url": sim.http, "webhook_secret_file": "hook.secret"}
        web = f'[web]\npublic_url = "http://127.0.0.1:{port}"\nlisten = "127.0.0.1:{port}"'
        path = write_desk(folder, admins=[ADAM], members=MEMBERS, providers={"crm": table}, more=web)
        async with opened(path, WalkingClock()) as rooms:
            olga = rooms.access.roster.person(OLGA)
            assert olga is not None
            assert rooms.config.web is not None
            fields = {"api_key": Secret(str(sim.credentials["api_key"]))}
            wanted = Wanted("crm", "main", Environment.DEMO, fields, frozenset({Role.APPROVER, Role.OPERATOR}))
            await rooms.credentials.link(olga, wanted, rooms.access.roster, telegram_id=OLGA)
            site = http.events(rooms.withdrawals, rooms.config.web, rooms.config.hooks["crm.webhook_secret_file"])
            async with (
                http.serving([site]),
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client,
                httpx.AsyncClient(base_url=sim.control, trust_env=False, timeout=20) as control,
            ):
                yield Hook(rooms, client, control, sim)
            await rooms.withdrawals.close()


def write_secret_at(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_secret(path, text)


# F41: the door


@pytest.mark.parametrize("prefix", ["", "sha256="])
async def test_both_documented_forms_of_the_signature_are_taken(hook: Hook, prefix: str) -> None:
    body = event("b7c8d9e0")
    assert await hook.post(body, {"x-crm-signature": prefix + sign(body)}) == 200
    assert await hook.rows("SELECT request_id, times FROM crm_events") == [("b7c8d9e0", 1)]


async def test_whatever_is_not_signed_is_refused_and_nothing_is_kept(hook: Hook) -> None:
    body = event("b7c8d9e0")
    good = sign(body)
    again = json.dumps(json.loads(body)).encode()
    tries: list[Mapping[str, str] | list[tuple[str, str]]] = [
        {},
        {"x-crm-signature": ""},
        {"x-crm-signature": good.upper()},
        {"x-crm-signature": f"sha1={good[:40]}"},
        {"x-crm-signature": f"SHA256={good}"},
        {"x-crm-signature": good[:-1] + ("0" if good[-1] != "0" else "1")},
        {"x-crm-signature": sign(again)},
        {"x-crm-signature": sign(body, "It's a Secret to Everybody")},
        {"x-crm-signature": sign(body, "")},
        {"x-crm-signature": sign(body, str(hook.sim.credentials["api_key"]))},
        [("x-crm-signature", good), ("x-crm-signature", good)],
    ]
    assert [await hook.post(body, headers) for headers in tries] == [401] * len(tries)
    assert await hook.rows("SELECT 1 FROM crm_events") == []


async def test_a_changed_byte_is_refused(hook: Hook) -> None:
    body = event("b7c8d9e0")
    assert await hook.post(body.replace(b"250.00", b"950.00"), {"x-crm-signature": sign(body)}) == 401


async def test_a_body_above_256_kib_is_refused_announced_or_not(hook: Hook) -> None:
    large = b" " * (256 << 10) + b"{}"
    assert await hook.post(large) == 413

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    with contextlib.suppress(httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        answer = await hook.http.post("/crm/webhook", content=endless(), headers={"x-crm-signature": "0" * 64})
        assert answer.status_code == 413
    assert await hook.post(event("b7c8d9e0")) == 200


async def test_an_unsigned_body_is_not_waited_for(hook: Hook) -> None:
    """No signature, and a body that never comes: answered all the same."""
    url = httpx.URL(str(hook.http.base_url))
    reader, writer = await asyncio.open_connection(url.host, url.port, family=socket.AF_INET)
    writer.write(b"POST /crm/webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n")
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"source":{}}', b'{"a":1,"a":2}', b"[" * 5000])
async def test_what_is_signed_and_no_webhook_is_refused_without_harm(hook: Hook, body: bytes) -> None:
    assert await hook.post(body) == 400
    assert await hook.post(event("b7c8d9e0")) == 200


@pytest.mark.parametrize(
    "slug", ["crm.webhooks.users.create", "crm.webhooks.requests.kyc.reject", "crm.webhooks.of.tomorrow"]
)
async def test_events_that_are_not_ours_to_know_are_let_go(hook: Hook, slug: str) -> None:
    assert await hook.post(event("b7c8d9e0", slug)) == 200
    assert await hook.rows("SELECT 1 FROM crm_events") == []


async def test_what_cannot_be_kept_is_not_acknowledged(hook: Hook) -> None:
    async def rename(old: str, new: str) -> None:
        await hook.rooms.database.write(lambda tables: tables.conn.execute(f"ALTER TABLE {old} RENAME TO {new}"))

    bodies = [event(f"b7c8d9{number:02}") for number in range(20)]
    await rename("crm_events", "elsewhere")
    assert set(await asyncio.gather(*map(hook.post, bodies))) == {503}
    await rename("elsewhere", "crm_events")
    assert set(await asyncio.gather(*map(hook.post, bodies))) == {200}
    assert await hook.rows("SELECT count(*), sum(times) FROM crm_events") == [(20, 20)]


def problems(folder: Path, secret: str, *, web: bool = True) -> list[str]:
    write_secret_at(folder / "hook.secret", secret)
    more = '[web]\npublic_url = "http://127.0.0.1:8089"' if web else ""
    path = write_desk(folder, providers={"crm": {"webhook_secret_file": "hook.secret"}}, more=more)
    with pytest.raises(ConfigError) as wrong:
        load(path, provider_settings(), {})
    return [str(problem) for problem in wrong.value.problems]


@pytest.mark.parametrize("secret", ["", "It's a Secret to Everybody", "fifteen-letters"])
def test_a_start_is_refused_with_a_secret_that_protects_nothing(tmp_path: Path, secret: str) -> None:
    (problem,) = problems(tmp_path, secret)
    assert problem.startswith("providers.crm.webhook_secret_file: found ")
    assert not secret or secret not in problem


def test_webhooks_need_a_place_to_come_to(tmp_path: Path) -> None:
    assert problems(tmp_path, SECRET, web=False) == [
        "providers.crm.webhook_secret_file: found no table [web], expected one, for webhooks to come in"
    ]


# F42: the inbox


async def test_an_event_is_only_a_reason_to_read(hook: Hook) -> None:
    request_id = await hook.asked()
    assert await hook.post(event(request_id)) == 200
    await hook.read()
    known = await hook.known(request_id)
    assert (known.source, known.is_read, known.status, str(known.amount)) == (
        Source.WEBHOOK,
        True,
        "pending",
        "40.25 USD",
    )
    assert await hook.told() == [f"Withdrawal {request_id} waits at node 1. 40.25 USD by Bank wire"]


async def test_the_same_event_a_thousand_times_is_told_once_and_read_each_time(hook: Hook) -> None:
    request_id = await hook.asked()
    body = event(request_id)
    for _ in range(10):
        assert set(await asyncio.gather(*(hook.post(body) for _ in range(100)))) == {200}
    await hook.read()
    assert await hook.rows("SELECT times FROM crm_events") == [(1000,)]
    assert len(await hook.told()) == 1
    await hook.tell("/edit", id=request_id, amount="41.25")
    assert await hook.post(body) == 200
    await hook.read()
    assert str((await hook.known(request_id)).amount) == "41.25 USD"
    assert len(await hook.told()) == 2


async def test_events_in_the_wrong_order_end_in_what_is_read(hook: Hook) -> None:
    await hook.tell("/settings", levels=3)
    request_id = await hook.asked()
    await hook.tell("/approve", id=request_id)
    await hook.tell("/approve", id=request_id)
    for node in ("2", "1"):
        assert await hook.post(event(request_id, NODE[:-1] + node)) == 200
        await hook.read()
    known = await hook.known(request_id)
    assert (known.status, known.node) == ("pending", 3)
    assert await hook.told() == [f"Withdrawal {request_id} waits at node 3. 40.25 USD by Bank wire"]


async def test_a_group_hears_of_a_request_without_client_amount_account_or_method(hook: Hook) -> None:
    request_id = await hook.asked()
    assert await hook.post(event(request_id)) == 200
    await hook.read()
    assert [(body["title"], body["lines"], body.get("choices")) for body in await hook.notices(GROUP)] == [
        (f"Withdrawal {request_id} waits at node 1", ["The approvers have the details in their private chats."], None)
    ]
    (private,) = await hook.notices()
    assert private["choices"] == [[["Open", 0]]]


async def test_an_amount_that_was_edited_is_told_with_the_one_before(hook: Hook) -> None:
    request_id = await hook.asked()
    assert await hook.post(event(request_id)) == 200
    await hook.read()
    await hook.tell("/edit", id=request_id, amount="39")
    await hook.rooms.withdrawals.refresh()
    assert (await hook.told())[1:] == [f"Withdrawal {request_id} changed. 39.00 USD by Bank wire; it was 40.25 USD"]


async def test_a_request_that_was_reset_waits_anew_and_that_is_told(hook: Hook) -> None:
    await hook.tell("/settings", levels=3)
    request_id = await hook.asked()
    for step in ("", "approve", "reset"):
        if step:
            await hook.tell(f"/{step}", id=request_id)
        await hook.post(event(request_id))
        await hook.read()
    assert [line.partition(".")[0].rpartition(" ")[2] for line in await hook.told()] == ["1", "2", "1"]


async def test_a_rejection_after_the_approval_is_noticed(hook: Hook) -> None:
    await hook.tell("/settings", allow_post_approval_reject=True)
    request_id = await hook.asked()
    await hook.tell("/approve", id=request_id)
    await hook.post(event(request_id, status="approved"))
    await hook.read()
    await hook.tell("/reject", id=request_id, comment="returned by the bank")
    await hook.post(event(request_id, REJECT, "rejected"))
    await hook.read()
    assert [line.partition(".")[0] for line in await hook.told()] == [
        f"Withdrawal {request_id} approved",
        f"Withdrawal {request_id} rejected after it was approved",
    ]


async def test_an_event_about_an_unknown_request_is_told_to_nobody(hook: Hook) -> None:
    assert await hook.post(event("zzzzzzz9")) == 200
    await hook.read()
    assert (await hook.known("zzzzzzz9")).trouble == "the CRM knows no such request"
    assert await hook.told() == []


async def test_an_event_that_the_read_denies_alerts_once_and_the_read_counts(hook: Hook) -> None:
    request_id = await hook.asked()
    body = event(request_id, status="approved")
    for _ in range(3):
        await hook.post(body)
        await hook.read()
    assert (await hook.known(request_id)).status == "pending"
    said = "A webhook says approved; the CRM itself says pending, and that counts."
    alerts = [line for line in await hook.told() if "contradiction" in line]
    assert alerts == [f"Withdrawal {request_id}: contradiction. {said}"]


async def test_a_tenant_without_the_read_call_is_believed_and_that_is_said(hook: Hook) -> None:
    await hook.tell("/settings", generation="A")
    await hook.post(event("b7c8d9e0"))
    await hook.read()
    known = await hook.known("b7c8d9e0")
    assert (known.is_read, known.status, known.node, str(known.amount), known.account) == (
        False,
        "pending",
        2,
        "250.00 USD",
        "conn0001/500123",
    )
    (notice,) = await hook.notices()
    assert "As a webhook told it; this tenant does not let requests be read." in notice["lines"]


async def test_there_a_decision_is_made_ready_from_what_was_told_and_says_so(hook: Hook) -> None:
    await hook.tell("/settings", generation="A")
    await hook.post(event("b7c8d9e0"))
    await hook.read()
    olga = hook.rooms.access.roster.person(OLGA)
    assert olga is not None
    look = await hook.rooms.withdrawals.look(olga, "b7c8d9e0")
    assert look.may_decide
    assert look.found is not None
    ready = await hook.rooms.withdrawals.prepare_decision(olga, "b7c8d9e0", Decision.APPROVE, "", Seen.of(look.found))
    assert (ready.source, ready.node, ready.amount) == ("webhook", "2", "250.00")


async def test_what_cannot_be_read_now_is_read_later(hook: Hook) -> None:
    request_id = await hook.asked()
    await hook.tell("/down", down=True)
    assert await hook.post(event(request_id)) == 200
    async with asyncio.timeout(20):
        while not (await hook.known(request_id)).trouble:
            await asyncio.sleep(0.01)
    assert (await hook.known(request_id)).status is None
    await hook.tell("/down", down=False)
    async with asyncio.timeout(40):
        while (await hook.known(request_id)).status is None:
            with contextlib.suppress(ProviderError):  # it rests for a while after failures
                await hook.rooms.withdrawals.refresh()
            await asyncio.sleep(0.05)


async def test_the_bank_details_of_a_webhook_do_not_lie_open(hook: Hook, tmp_path: Path) -> None:
    fields = [{"key": "iban", "type": "text", "label": {"en-us": "IBAN"}, "value": "XX00CANARY0000"}]
    assert await hook.post(event("b7c8d9e0", custom_fields=fields)) == 200
    written = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("countersign.sqlite*"))
    assert b"crm.webhooks" in written
    assert b"XX00CANARY0000" not in written


# by hand


async def test_a_person_may_add_a_request_by_its_id(hook: Hook) -> None:
    olga = hook.rooms.access.roster.person(OLGA)
    assert olga is not None
    request_id = await hook.asked()
    known = await hook.rooms.withdrawals.add(olga, request_id.upper(), telegram_id=OLGA)
    assert (known.source, known.status, known.is_read) == (Source.OPERATOR, "pending", True)
    assert ("withdrawal.noted", f"crm/{request_id}") in await hook.rows("SELECT action, object FROM audit")
    with pytest.raises(NotFoundError):
        await hook.rooms.withdrawals.add(olga, "zzzzzzz9", telegram_id=OLGA)


async def test_who_may_not_read_the_connection_sees_nothing(hook: Hook) -> None:
    vera = hook.rooms.access.roster.person(VERA)
    assert vera is not None
    with pytest.raises(NotFoundError):
        await hook.rooms.withdrawals.everything(vera)


async def test_an_approver_who_may_not_read_the_connection_is_told_nothing(hook: Hook) -> None:
    await hook.rooms.database.write(
        lambda tables: tables.conn.execute("DELETE FROM shares WHERE party = 'role/approver'")
    )
    request_id = await hook.asked()
    await hook.post(event(request_id))
    await hook.read()
    assert (await hook.known(request_id)).status == "pending"
    assert await hook.told() == []
