"""What the control strip can make happen, and the log of what did.

Each act is one request to a provider's control side, sent over the wire like any other: a price moves, money arrives, a
client asks for a withdrawal, a provider goes down. The CRM tells nobody when a client asks: its documents know an
announcement only after the first approval node has passed, so the strip offers both steps.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from bot.clock import Clock, to_millis

LOG_KEPT = 200
Obj = dict[str, Any]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider's simulator, as the strip needs it."""

    name: str
    control: str
    """The address of its control side."""
    account: str = ""
    """Where money arrives."""


@dataclass(frozen=True, slots=True)
class Act:
    """One button of the strip."""

    name: str
    provider: str
    label: str
    path: str
    body: Obj
    said: Callable[[Obj], str]
    hint: str = ""
    method: str = "POST"


TITLES = {"capital": "Capital.com", "deriv": "Deriv", "cryptocapital": "Crypto Capital", "crm": "Broctagon CRM"}


def acts_of(providers: Sequence[Provider]) -> list[Act]:
    """The acts of those providers that are there."""
    acts: list[Act] = []
    for provider in providers:
        acts.extend(_ACTS[provider.name](provider))
    return acts


def _capital(_: Provider) -> list[Act]:
    def said(answer: Obj) -> str:
        return f"Gold is quoted at {answer['bid']} / {answer['offer']}. Ask /positions capital to see what it does"

    return [
        Act("gold-up", "capital", "Gold rises 1.5 %", "move", {"epic": "GOLD", "percent": "1.5"}, said),
        Act(
            "gold-down",
            "capital",
            "Gold falls 1.5 %",
            "move",
            {"epic": "GOLD", "percent": "-1.5"},
            said,
            "Take it down and let gold rise and fall: what an alert missed comes late, and says so.",
        ),
    ]


def _deriv(provider: Provider) -> list[Act]:
    def moved(answer: Obj) -> str:
        return f"Volatility 100 stands at {answer['quote']}. Ask /positions deriv to see what it does"

    def paid(answer: Obj) -> str:
        holds = f"which now holds {answer['balance']}"
        return f"250.00 USD arrived on {answer['loginid']}, {holds}. Ask /balance deriv to see it"

    def mailed(answer: Obj) -> str:
        if not answer["mails"]:
            return "Deriv has mailed nothing yet; /openaccount and /payout have it mail a code"
        newest = answer["mails"][-1]
        return f"To {newest['to']}: your code is {newest['code']}"

    return [
        Act("volatility-up", "deriv", "Vol. 100 +2 %", "move", {"symbol": "R_100", "percent": "2"}, moved),
        Act("volatility-down", "deriv", "Vol. 100 −2 %", "move", {"symbol": "R_100", "percent": "-2"}, moved),
        Act(
            "deriv-deposit", "deriv", "250 USD arrive", "deposit", {"loginid": provider.account, "amount": "250"}, paid
        ),
        Act("deriv-mail", "deriv", "Read Deriv's last mail", "mailbox", {}, mailed, method="GET"),
    ]


def _cryptocapital(provider: Provider) -> list[Act]:
    body = {
        "account": provider.account,
        "amount": "12500.00",
        "sender": "9120000777",
        "narrative": "Invoice 4711",
    }

    def said(_: Obj) -> str:
        arrived = f"12,500.00 arrived on account {provider.account}, narrative “Invoice 4711”"
        return f"{arrived}. Ask /balance cryptocapital to see it"

    def ledger(answer: Obj) -> str:
        left = [one for one in answer["entries"] if one["from"] == provider.account and one["kind"] == "transfer"]
        if not left:
            return f"Nothing has left account {provider.account} today"
        newest = left[-1]
        what = f"{newest['amount']} {newest['currency']} to {newest['to']}, “{newest['reference']}”"
        return f"The bank has carried out {len(left)} from account {provider.account}; the last: {what}"

    return [
        Act("money-arrives", "cryptocapital", "12,500 arrive by wire", "deposit", body, said),
        Act("ledger", "cryptocapital", "Read the bank's ledger", "ledger", {}, ledger, method="GET"),
    ]


def _crm(_: Provider) -> list[Act]:
    def asked(answer: Obj) -> str:
        return f"A client asked for a withdrawal, request {answer['id']}; the CRM announces nothing yet"

    def passed(answer: Obj) -> str:
        return f"Node 1 of request {answer['id']} is passed ({answer['status']}); the CRM announces it"

    return [
        Act("client-asks", "crm", "A client asks for a withdrawal", "withdrawal", {}, asked),
        Act(
            "node-passes",
            "crm",
            "Back office passes node 1",
            "approve",
            {},
            passed,
            "The CRM announces a withdrawal only after its first approval node has passed.",
        ),
    ]


_ACTS: Mapping[str, Callable[[Provider], list[Act]]] = {
    "capital": _capital,
    "deriv": _deriv,
    "cryptocapital": _cryptocapital,
    "crm": _crm,
}


@dataclass
class Script:
    """Carries acts out and keeps the log.

    Args:
        tell: Told of each log entry and each change, as an event for the page.
    """

    providers: Sequence[Provider]
    clock: Clock
    client: httpx.AsyncClient
    tell: Callable[[Obj], None]
    entries: deque[Obj] = field(default_factory=lambda: deque(maxlen=LOG_KEPT))
    down: set[str] = field(default_factory=set)
    waiting: list[str] = field(default_factory=list)
    """Withdrawals a client asked for and no node has passed, oldest first."""

    def __post_init__(self) -> None:
        self.acts = {act.name: act for act in acts_of(self.providers)}
        self.controls = {provider.name: provider.control for provider in self.providers}

    def note(self, sentence: str, *, detail: str = "", mood: str = "plain") -> None:
        """Write one line into the log. `mood` is plain, good or bad."""
        entry = {"at_ms": to_millis(self.clock.now()), "sentence": sentence, "detail": detail, "mood": mood}
        self.entries.append(entry)
        self.tell({"type": "log", "entry": entry})

    async def play(self, name: str) -> None:
        """Carry out one act by its name; what came of it is in the log."""
        act = self.acts[name]
        body = dict(act.body)
        if act.name == "node-passes":
            if not self.waiting:
                self.note("No withdrawal waits for its first node: let a client ask first")
                return
            body["id"] = self.waiting[0]
        answer = await self._ask(act.method, act.provider, act.path, body)
        if answer is None:
            return
        if act.name == "client-asks":
            self.waiting.append(str(answer["id"]))
        elif act.name == "node-passes":
            del self.waiting[0]
        self.note(act.said(answer), detail=f"{act.method} {act.path} {msgspec.json.encode(body).decode()}", mood="good")

    async def set_down(self, name: str, down: bool) -> None:
        """A provider goes down or comes back."""
        if await self._ask("POST", name, "down", {"down": down}) is None:
            return
        (self.down.add if down else self.down.discard)(name)
        self.note(f"{TITLES[name]} {'is down' if down else 'is back'}", mood="bad" if down else "good")
        self.tell({"type": "providers", "down": sorted(self.down)})

    async def _ask(self, method: str, provider: str, path: str, body: Obj) -> Obj | None:
        """One request to a control side; None, and a line in the log, when it is not carried out."""
        control = self.controls[provider]
        try:
            answer = await self.client.request(method, f"{control}/{path}", json=body if method == "POST" else None)
            answer.raise_for_status()
            result: Obj = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            log.warning("the strip's request to %s failed: %s", provider, type(error).__name__)
            self.note(f"{TITLES[provider]} did not take part: {type(error).__name__}", mood="bad")
            return None
        return result
