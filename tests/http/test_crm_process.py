"""The whole process takes the CRM's webhooks, and writes none of what they hold to its log."""

import hashlib
import hmac
import json
from pathlib import Path

import httpx

from tests.support.chatting import NO_PACING, configured, providers, telegram
from tests.support.desk import write_secret
from tests.support.process import run
from tests.support.site import free_port

SECRET = "invented for this test only"


async def test_a_run_serves_webhooks_beside_its_pages_and_logs_nothing_of_them(tmp_path: Path) -> None:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    data = {"id": "b7c8d9e0", "status": "pending", "custom_fields": [{"key": "iban", "value": "XX00CANARY0000"}]}
    source = {"event": "crm.webhooks.requests.withdrawal.approve.node.1"}
    body = json.dumps({"source": source, "data": data}).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    async with telegram() as chat, providers("crm") as sides:
        more = f'{NO_PACING}\n[log]\nlevel = "DEBUG"\n[web]\npublic_url = "{origin}"\nlisten = "127.0.0.1:{port}"\n'
        config = configured(tmp_path, chat, sides, more=more)
        write_secret(tmp_path / "hook.secret", SECRET)
        hook = '[providers.crm]\nwebhook_secret_file = "hook.secret"'
        config.write_text(config.read_text().replace("[providers.crm]", hook))
        async with run(config) as bot, httpx.AsyncClient(base_url=origin, trust_env=False) as crm:
            answer = await crm.post("/crm/webhook", content=body, headers={"x-crm-signature": signature})
            assert (answer.status_code, answer.json()) == (200, {})
            assert (await crm.post("/crm/webhook", content=body)).status_code == 401
            assert await bot.stop() == 0
            told = bot.told()
    assert [word for word in (SECRET, signature, "XX00CANARY0000") if word in told] == []
