"""Deposits through a payment provider (PSP Open API), and the CRM as a caller for exchange rates.

The CRM asks the merchant for a payment page (`/pay/url`, a control sends it), and the merchant reports what became of
the payment (`POST /psp/pay/callback` here, 204). Both carry the token as a header and a `sign` in the body. A wrong
`sign` has no type of its own in the vendor's list and is `psp_token_invalid`; so is a missing one.

Controls, below `/_sim`:

    POST merchant  {"url", "merchant_id", "token"}   sets the provider up; answers where its callbacks go
    POST payment   {"user_id"?, "currency"?, "amount"?, "flaw"?}   a client pays in: calls `{url}/pay/url`
    POST callback  {"url", "order_no", "status"?, "flaw"?}   the callback's body, sent to `{url}/pay/callback`
    POST rate      {"url", "key", "source_currency", "target_currency"}   asks for a rate

`flaw`: token, no_token, sign, no_sign. What was answered comes back as `status` (null: nothing came) and `body`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.clock import to_millis
from bot.loopback.simulator import Switches
from bot.network import strictjson
from bot.network.strictjson import Json
from bot.providers.crm.simulator import doors, signature
from bot.providers.crm.simulator.desk import known_client
from bot.providers.crm.simulator.fields import Fields, RefusedError, invalid, writable
from bot.providers.crm.simulator.gate import Answer, reply
from bot.providers.crm.simulator.notation import Place, plain
from bot.providers.crm.simulator.outgoing import call
from bot.providers.crm.simulator.petitions import Petitions
from bot.providers.crm.simulator.reviews import Kind, Payment, Petition, Status
from bot.providers.crm.simulator.settings import loopback
from bot.providers.crm.simulator.world import Merchant, Tenant

TOKEN_HEADER = "crm-pay-token"
ADMIN = "psp"
FAILED, SUCCEEDED, PROCESSING = 0, 1, 2
_FLAWS = (None, "token", "no_token", "sign", "no_sign")
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Psp:
    """Both directions of a payment."""

    def __init__(self, tenant: Tenant, petitions: Petitions, switches: Switches) -> None:
        self._tenant = tenant
        self._petitions = petitions
        self._switches = switches

    def routes(self) -> list[BaseRoute]:
        return [Route("/psp/pay/callback", self._endpoint, methods=["POST"])]

    def controls(self) -> Sequence[BaseRoute]:
        return [
            *doors.posts({"merchant": self.set_up}),
            *doors.errands({"payment": self.pay, "callback": self.call_back, "rate": self.ask_rate}),
        ]

    def set_up(self, fields: Fields) -> object:
        merchant_id, token = fields.text("merchant_id"), fields.text("token")
        url = loopback(fields.text("url")).rstrip("/")
        self._tenant.world.merchant = Merchant(url=url, merchant_id=merchant_id, token=token)
        return {"callback_url": f"{self._switches.origin_http}/psp"}

    async def pay(self, fields: Fields) -> object:
        merchant, world = self._merchant(), self._tenant.world
        user_id = known_client(self._tenant, fields.optional_text("user_id") or next(iter(world.clients)))
        client, currency = world.clients[user_id], fields.optional_text("currency") or "USD"
        amount = doors.amount(fields) if fields.has("amount") else Decimal("88.50")
        if currency not in world.usd_rates:
            raise RefusedError("payment_currency_not_allowed")
        order_no = f"ord{world.count('payment'):09}"
        payment = Payment(place=Place(user_id, currency), order_no=order_no, amount=amount)
        body: dict[str, Json] = {
            "merchant_id": merchant.merchant_id,
            "order_no": order_no,
            "amount": plain(amount),
            "currency": currency,
            "user_id": user_id,
            "user_name": client.name,
            "email": client.email,
            "phone": f"{client.country_code}{client.phone}",
            "nationality": client.country.upper(),
            "language": client.language,
            "device": "pc",
        }
        petition = self._petitions.ask_deposit(payment)
        heard = await self._send(f"{merchant.url}/pay/url", merchant, body, fields)
        return {"order_no": order_no, "request": petition.id, **heard}

    async def call_back(self, fields: Fields) -> object:
        merchant, url = self._merchant(), loopback(fields.text("url")).rstrip("/")
        petition = self._payment(fields.text("order_no"))
        payment = _of(petition)
        body: dict[str, Json] = {
            "merchant_id": merchant.merchant_id,
            "order_no": payment.order_no,
            "amount": plain(payment.amount),
            "currency": payment.place.currency,
            "time": to_millis(self._tenant.now()),
            "status": fields.whole("status", default=SUCCEEDED),
            "transaction_id": payment.transaction_id,
            "user_id": petition.user_id,
        }
        return await self._send(f"{url}/pay/callback", merchant, body, fields)

    async def ask_rate(self, fields: Fields) -> object:
        query = {name: fields.text(name) for name in ("source_currency", "target_currency")}
        url, key = loopback(fields.text("url")), fields.text("key")
        timeout_seconds = self._tenant.world.settings.webhook_timeout_s
        return (await call("GET", url, [("key", key)], None, timeout_seconds, query)).as_json()

    async def _send(self, url: str, merchant: Merchant, body: dict[str, Json], fields: Fields) -> dict[str, object]:
        flaw = fields.optional_text("flaw")
        if flaw not in _FLAWS:
            raise invalid()
        if flaw != "no_sign":
            body["sign"] = signature.psp(merchant.token + ("?" if flaw == "sign" else ""), body)
        headers = [("Content-Type", "application/json")]
        if flaw != "no_token":
            headers.append((TOKEN_HEADER, merchant.token + ("?" if flaw == "token" else "")))
        timeout_seconds = self._tenant.world.settings.webhook_timeout_s
        return (await call("POST", url, headers, _ENCODER.encode(body), timeout_seconds)).as_json()

    async def _endpoint(self, request: Request) -> Response:
        raw = await request.body()
        try:
            self._take(request.headers.get(TOKEN_HEADER, ""), raw)
        except RefusedError as error:
            return reply(Answer(error.as_json(), error.status))
        return Response(status_code=204)

    def _take(self, token: str, raw: bytes) -> None:
        """What the merchant says became of a payment; a second word on the same one is refused."""
        merchant = self._merchant()
        if not signature.same(token.encode(), merchant.token.encode()):
            raise RefusedError("psp_token_invalid")
        body = _parsed(raw)
        sign = body.text("sign").encode()
        matches = [signature.same(sign, good.encode()) for good in _signs(merchant, body.values)]
        if not any(matches):
            raise RefusedError("psp_token_invalid")
        if body.text("merchant_id") != merchant.merchant_id:
            raise RefusedError("deposit_method_not_found")
        body.whole("time", most=10**15)
        petition = self._payment(body.text("order_no"))
        payment = _of(petition)
        status, reference = body.whole("status"), body.optional_text("transaction_id") or ""
        if petition.status is not Status.PENDING:
            raise RefusedError("payment_status_not_pending")
        self._check(payment, body, status, reference)
        payment.transaction_id = reference or payment.transaction_id
        if status == SUCCEEDED:
            self._petitions.approve(petition.id, ADMIN)
        elif status == FAILED:
            self._petitions.reject(petition.id, ADMIN, "the payment failed")

    def _check(self, payment: Payment, body: Fields, status: int, reference: str) -> None:
        if status not in (FAILED, SUCCEEDED, PROCESSING):
            raise RefusedError("payment_status_not_allowed")
        if body.text("currency") != payment.place.currency:
            raise RefusedError("payment_currency_not_allowed")
        if body.number("amount") != payment.amount:
            raise RefusedError("payment_amount_not_allowed")
        others = (other for other in self._payments() if _of(other) is not payment)
        if reference and any(_of(other).transaction_id == reference for other in others):
            raise RefusedError("payment_request_exists")

    def _merchant(self) -> Merchant:
        if self._tenant.world.merchant is None:
            raise RefusedError("psp_setting_not_found")
        return self._tenant.world.merchant

    def _payments(self) -> list[Petition]:
        return [item for item in self._tenant.world.petitions.values() if item.kind is Kind.DEPOSIT]

    def _payment(self, order_no: str) -> Petition:
        found = next((item for item in self._payments() if _of(item).order_no == order_no), None)
        if found is None:
            raise RefusedError("payment_not_found")
        return found


def _of(petition: Petition) -> Payment:
    if petition.payment is None:
        raise RefusedError("payment_not_found")
    return petition.payment


def _parsed(raw: bytes) -> Fields:
    try:
        body = strictjson.loads(raw)
    except ValueError:
        raise invalid() from None
    if not isinstance(body, Mapping) or not writable(body):
        raise invalid()
    return Fields(body)


def _signs(merchant: Merchant, body: Mapping[str, Json]) -> set[str]:
    """Over numbers as JavaScript writes them, and over numbers as they came."""
    literal = {name: str(value) if isinstance(value, Decimal) else value for name, value in body.items()}
    return {signature.psp(merchant.token, body), signature.psp(merchant.token, literal)}
