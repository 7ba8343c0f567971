"""The whole process takes what the CRM sends and asks, and writes none of what it holds to its log."""

import hashlib
import hmac
import json
from pathlib import Path

import httpx

from bot.loopback.ports import free_port
from tests.support.chatting import NO_PACING, configured, providers, telegram
from tests.support.desk import write_secret
from tests.support.process import run

SECRET = "invented for this test only"
TOKEN, KEY = "an invented token of a payment provider", "an invented key for exchange rates"
TABLES = """
[providers.crm.psp]
merchant_id = "m-77"
token_file = "psp.token"
[providers.crm.rates]
key_file = "rates.key"
pairs = ["USD/EUR 0.92"]
"""
PAYMENT_TEXT = "amount=88.5&currency=USD&merchant_id=m-77&order_no=ord000000001&status=1&time=1763683200000"
PAYMENT_SIGN = hashlib.sha1((PAYMENT_TEXT + TOKEN).encode(), usedforsecurity=False).hexdigest().upper()
PAYMENT = json.dumps(
    {
        "amount": 88.5,
        "currency": "USD",
        "merchant_id": "m-77",
        "order_no": "ord000000001",
        "status": 1,
        "time": 1763683200000,
        "sign": PAYMENT_SIGN,
    }
).encode()


async def test_a_run_serves_webhooks_beside_its_pages_and_logs_nothing_of_them(tmp_path: Path) -> None:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    data = {"id": "b7c8d9e0", "status": "pending", "custom_fields": [{"key": "iban", "value": "XX00CANARY0000"}]}
    source = {"event": "crm.webhooks.requests.withdrawal.approve.node.1"}
    body = json.dumps({"source": source, "data": data}).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    async with telegram() as chat, providers("crm") as sides:
        for name, text in {"hook.secret": SECRET, "psp.token": TOKEN, "rates.key": KEY}.items():
            write_secret(tmp_path / name, text)
        web = f'[web]\npublic_url = "{origin}"\nlisten = "127.0.0.1:{port}"\n'
        more = f'{TABLES}\n{NO_PACING}\n[log]\nlevel = "DEBUG"\n{web}'
        config = configured(tmp_path, chat, sides, more=more)
        hook = '[providers.crm]\nwebhook_secret_file = "hook.secret"'
        config.write_text(config.read_text().replace("[providers.crm]\n", f"{hook}\n"))
        async with run(config) as bot, httpx.AsyncClient(base_url=origin, trust_env=False) as crm:
            answer = await crm.post("/crm/webhook", content=body, headers={"x-crm-signature": signature})
            assert (answer.status_code, answer.json()) == (200, {})
            assert (await crm.post("/crm/webhook", content=body)).status_code == 401
            told_of = {"crm-pay-token": TOKEN}
            assert (await crm.post("/crm/pay/callback", content=PAYMENT, headers=told_of)).status_code == 204
            assert (await crm.post("/crm/pay/callback", content=PAYMENT)).status_code == 400
            pair = {"source_currency": "USD", "target_currency": "EUR"}
            assert (await crm.get("/crm/rates", params=pair, headers={"key": KEY})).json() == {"rate": "0.92"}
            assert (await crm.get("/crm/rates", params=pair)).status_code == 403
            assert await bot.stop() == 0
            told = bot.told()
    assert [word for word in (SECRET, signature, "XX00CANARY0000", TOKEN, PAYMENT_SIGN, KEY) if word in told] == []
