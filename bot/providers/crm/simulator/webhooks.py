"""The CRM calls us: deliveries of events to the registered addresses (webhooks introduction and security).

Each delivery keeps the exact bytes and signature it was sent with, so that a replay is one. Nothing is repeated by
itself unless `webhook_retries` says so; duplicates and a changed order are played on request. To one address one
delivery goes at a time, in the order of its queue.
"""

import asyncio
import ssl
from functools import cache

import httpx
import msgspec

from bot.providers.crm.simulator import signature
from bot.providers.crm.simulator.fields import RefusedError
from bot.providers.crm.simulator.settings import Webhook
from bot.providers.crm.simulator.withdrawals import event_data
from bot.providers.crm.simulator.world import Delivery, Tenant, Withdrawal, stamp

GROUP = "crm.webhooks.groups.requests.withdrawal"
_ENCODER = msgspec.json.Encoder(decimal_format="number")


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class Webhooks:
    """Sends events in the background and remembers what became of each."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._turns: dict[str, asyncio.Lock] = {}
        self._running: set[asyncio.Task[None]] = set()

    def announce(self, event: str, request: Withdrawal) -> None:
        """Tell everyone who subscribed to `event`."""
        settings = self._tenant.world.settings
        for hook in settings.webhooks:
            if hook.wants(event):
                for _ in range(settings.webhook_copies):
                    self._queue(self._delivery(hook, event, request))

    def replay(self, delivery_id: str) -> Delivery:
        """Send the bytes and the signature of an earlier delivery again."""
        known = {delivery.id: delivery for delivery in self._tenant.world.deliveries}
        if delivery_id not in known:
            raise RefusedError("delivery_not_found")
        again = msgspec.structs.replace(
            known[delivery_id],
            id=self._new_id(),
            at=self._tenant.now(),
            state="waiting",
            attempts=0,
            status=None,
            replay_of=delivery_id,
        )
        self._tenant.world.deliveries.append(again)
        self._start(again)
        return again

    def release(self) -> None:
        """Send what is held back."""
        for delivery in self._tenant.world.deliveries:
            if delivery.state == "held":
                self._start(delivery)

    def _queue(self, delivery: Delivery) -> None:
        """Start a delivery; when reordering, hold every other one until its successor has been queued."""
        deliveries = self._tenant.world.deliveries
        held = [other for other in deliveries if other.state == "held" and other.url == delivery.url]
        deliveries.append(delivery)
        if self._tenant.world.settings.webhook_reorder and not held:
            delivery.state = "held"
            return
        for ready in (delivery, *held):
            self._start(ready)

    def _delivery(self, hook: Webhook, event: str, request: Withdrawal) -> Delivery:
        payload = {
            "source": {"service": "requests", "group": GROUP, "event": event},
            "target": {"name": hook.name},
            "version": "1.0.0",
            "data": event_data(self._tenant.world, request),
        }
        body = _ENCODER.encode(payload)
        return Delivery(
            id=self._new_id(),
            name=hook.name,
            url=hook.url,
            event=event,
            request_id=request.id,
            body=body.decode(),
            signature=self._signature(hook, body),
            at=self._tenant.now(),
        )

    def _signature(self, hook: Webhook, body: bytes) -> str:
        """Empty without a secret: then the header is left out."""
        if not hook.secret:
            return ""
        prefixed = self._tenant.world.settings.webhook_prefix if hook.prefix is None else hook.prefix
        return (signature.PREFIX if prefixed else "") + signature.sign(hook.secret, body)

    def _new_id(self) -> str:
        return f"D{self._tenant.world.count('delivery'):06}"

    def _start(self, delivery: Delivery) -> None:
        delivery.state = "waiting"
        task = asyncio.get_running_loop().create_task(self._send(delivery))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _send(self, delivery: Delivery) -> None:
        settings = self._tenant.world.settings
        async with self._turns.setdefault(delivery.url, asyncio.Lock()):
            for _ in range(1 + settings.webhook_retries):
                delivery.attempts += 1
                delivery.status = await _post(delivery, settings.webhook_timeout_s)
                if delivery.status is not None and 200 <= delivery.status < 300:
                    delivery.state = "delivered"
                    return
            delivery.state = "failed"


async def _post(delivery: Delivery, timeout_seconds: float) -> int | None:
    """The status answered in time, or none."""
    headers = {"Content-Type": "application/json"}
    if delivery.signature:
        headers["X-Crm-Signature"] = delivery.signature
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            httpx.AsyncClient(verify=_tls(), trust_env=False, timeout=timeout_seconds) as client,
        ):
            answer = await client.post(delivery.url, content=delivery.body.encode(), headers=headers)
            return answer.status_code
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL):
        return None


def shown(delivery: Delivery) -> dict[str, object]:
    """A delivery as the control side lists it."""
    return {
        "id": delivery.id,
        "name": delivery.name,
        "url": delivery.url,
        "event": delivery.event,
        "request": delivery.request_id,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "status": delivery.status,
        "at": stamp(delivery.at),
        "signature": delivery.signature,
        "body": delivery.body,
        "replay_of": delivery.replay_of,
    }
