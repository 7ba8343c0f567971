"""The CRM calls us: deliveries of events to the registered addresses (webhooks introduction and security).

Each delivery keeps the exact bytes and signature it was sent with, so that a replay is one. Nothing is repeated by
itself unless `webhook_retries` says so; duplicates, a changed order and flaws are played on request. To one address one
delivery goes at a time, in the order of its queue.
"""

import asyncio

import msgspec

from bot.providers.crm.simulator import flaws, signature
from bot.providers.crm.simulator.events import Announcement
from bot.providers.crm.simulator.fields import RefusedError
from bot.providers.crm.simulator.flaws import Flaw
from bot.providers.crm.simulator.notation import stamp
from bot.providers.crm.simulator.outgoing import Heard, call
from bot.providers.crm.simulator.settings import Settings, Webhook
from bot.providers.crm.simulator.world import Delivery, Tenant

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Webhooks:
    """Sends events in the background and remembers what became of each."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._turns: dict[str, asyncio.Lock] = {}
        self._running: set[asyncio.Task[None]] = set()

    def announce(self, announcement: Announcement) -> None:
        """Tell everyone who subscribed to the event."""
        self.tell(announcement, Flaw.NONE)

    def tell(self, announcement: Announcement, flaw: Flaw) -> list[Delivery]:
        """The same, spoilt by `flaw`; the deliveries that began."""
        settings = self._tenant.world.settings
        begun = [
            self._delivery(hook, announcement, flaw)
            for hook in settings.webhooks
            if hook.wants(announcement.event)
            for _ in range(settings.webhook_copies)
        ]
        for delivery in begun:
            self._queue(delivery)
        return begun

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
        if not self._tenant.world.settings.webhook_reorder:
            deliveries.append(delivery)
            self._start(delivery)
            return
        held = [other for other in deliveries if other.state == "held" and other.url == delivery.url]
        deliveries.append(delivery)
        if not held:
            delivery.state = "held"
            return
        for ready in (delivery, *held):
            self._start(ready)

    def _delivery(self, hook: Webhook, announcement: Announcement, flaw: Flaw) -> Delivery:
        body = _ENCODER.encode(announcement.payload(hook.name))
        signed = flaws.padded(body) if flaw is Flaw.BIG else body
        return Delivery(
            id=self._new_id(),
            name=hook.name,
            url=hook.url,
            event=announcement.event,
            request_id=announcement.subject,
            body=body.decode(),
            signatures=flaws.headers(flaw, hook.secret, header(self._tenant.world.settings, hook, signed), signed),
            flaw=flaw,
            at=self._tenant.now(),
        )

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
                heard = await _post(delivery, settings.webhook_timeout_s)
                delivery.status = heard.status
                if heard.is_success:
                    delivery.state = "delivered"
                    return
            delivery.state = "failed"


async def _post(delivery: Delivery, timeout_seconds: float) -> Heard:
    headers = [("Content-Type", "application/json")]
    headers += [("X-Crm-Signature", signature_) for signature_ in delivery.signatures]
    body, content = delivery.body.encode(), None
    match delivery.flaw:
        case Flaw.BIG:
            body = flaws.padded(body)
        case Flaw.SLOW | Flaw.ENDLESS:
            content = flaws.stream(delivery.flaw, body)
        case _:
            pass
    return await call("POST", delivery.url, headers, content or body, timeout_seconds)


def header(settings: Settings, hook: Webhook, body: bytes) -> str:
    """The signature this webhook sends with `body`; empty without a secret: then the header is left out."""
    if not hook.secret:
        return ""
    prefixed = settings.webhook_prefix if hook.prefix is None else hook.prefix
    return (signature.PREFIX if prefixed else "") + signature.sign(hook.secret, body)


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
        "signature": delivery.signatures[0] if delivery.signatures else "",
        "signatures": delivery.signatures,
        "flaw": delivery.flaw.value,
        "body": delivery.body,
        "replay_of": delivery.replay_of,
    }
