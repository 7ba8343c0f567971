"""What the bank signs, and how its results misbehave on demand.

Signed results are objects {key, nonce, rcpt, params, signed}; every parameter is text. The signed text is the type,
then key, nonce and rcpt, then the parameters in their order. In a transfer alone rcpt is documented before nonce.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from bot.providers.cryptocapital.simulator.bank import Account, Movement
from bot.providers.cryptocapital.simulator.signatures import KeyPair, corrupted

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "transfer": (
        "id",
        "date",
        "sendAccount",
        "receiveAccount",
        "sendCurrency",
        "receiveCurrency",
        "sendAmount",
        "receiveAmount",
        "narrative",
    ),
    "account": ("accountNumber", "name", "currency", "balance", "available"),
    "error": ("nonce", "msg"),
}
_LATE_SECONDS = 2.0


class Mode(StrEnum):
    """How a signed result can go wrong. The act behind it is carried out all the same."""

    UNSIGNED = "unsigned"
    """No `signed` at all."""
    BAD_SIGNATURE = "bad_signature"
    """Well-formed DER that does not verify."""
    OTHER_KEY = "other_key"
    """Consistent in itself: another key signs and stands in `key`."""
    WRONG_RCPT = "wrong_rcpt"
    """Rightly signed, but addressed to somebody else."""
    ALTERED_FIELD = "altered_field"
    """A sum (or the error's sentence) changed after signing."""
    SILENT = "silent"
    """Never sent."""
    LATE = "late"
    """Sent `seconds` later, so that others overtake it."""
    DUPLICATE = "duplicate"
    """Sent twice, the same bytes."""
    BEFORE_ACK = "before_ack"
    """Sent before the `ack` of its operation."""
    RCPT_ORDER = "rcpt_order"
    """rcpt and nonce change places in the signed text."""


@dataclass(frozen=True, slots=True)
class Result:
    """One signed message on its way to the connections of `rcpt`. `seconds` is extra waiting, `None` for ever."""

    kind: str
    rcpt: str
    body: Mapping[str, Any]
    seconds: float | None = 0.0
    copies: int = 1
    early: bool = False


@dataclass(slots=True)
class Misbehaviour:
    """One mode for the next `times` results; 0 is for ever."""

    mode: Mode
    times: int = 1
    seconds: float = _LATE_SECONDS

    def as_json(self) -> dict[str, str | int | float]:
        return {"mode": self.mode.value, "times": self.times, "seconds": self.seconds}


class Results:
    """Makes signed results. Its nonce is its own: the millisecond clock, always increasing."""

    def __init__(self, server: KeyPair, outsider: KeyPair) -> None:
        self.server = server
        self.outsider = outsider
        self.nonce = 0
        self.waiting: deque[Misbehaviour] = deque()

    def account(self, rcpt: str, account: Account, now_ms: int) -> Result:
        return self._result("account", rcpt, account_params(account), now_ms)

    def transfer(self, rcpt: str, movement: Movement, now_ms: int) -> Result:
        return self._result("transfer", rcpt, transfer_params(movement), now_ms)

    def error(self, rcpt: str, nonce_text: str, reason: str, now_ms: int) -> Result:
        return self._result("error", rcpt, {"nonce": nonce_text, "msg": reason}, now_ms)

    def dump(self) -> dict[str, Any]:
        return {"nonce": self.nonce, "waiting": [one.as_json() for one in self.waiting]}

    def load(self, state: Mapping[str, Any]) -> None:
        self.nonce = int(state["nonce"])
        self.waiting = deque(
            Misbehaviour(Mode(one["mode"]), int(one["times"]), float(one["seconds"])) for one in state["waiting"]
        )

    def _result(self, kind: str, rcpt: str, params: Mapping[str, str], now_ms: int) -> Result:
        self.nonce = max(self.nonce + 1, now_ms)
        spoiled = self._next()
        mode = spoiled.mode if spoiled else None
        signer = self.outsider if mode is Mode.OTHER_KEY else self.server
        named = self.outsider.public_text if mode is Mode.WRONG_RCPT else rcpt
        rcpt_first = (kind == "transfer") != (mode is Mode.RCPT_ORDER)
        text = result_text(kind, signer.public_text, str(self.nonce), named, params, rcpt_first=rcpt_first)
        body: dict[str, Any] = {
            "key": signer.public_text,
            "nonce": self.nonce,
            "rcpt": named,
            "params": _altered(kind, params) if mode is Mode.ALTERED_FIELD else params,
            "signed": signer.sign(text),
        }
        if mode is Mode.UNSIGNED:
            del body["signed"]
        elif mode is Mode.BAD_SIGNATURE:
            body["signed"] = corrupted(body["signed"])
        result = Result(kind, rcpt, body)
        return _on_its_way(result, spoiled) if spoiled else result

    def _next(self) -> Misbehaviour | None:
        if not self.waiting:
            return None
        first = self.waiting[0]
        if first.times == 1:
            self.waiting.popleft()
        elif first.times > 1:
            first.times -= 1
        return first


def result_text(
    kind: str, key: str, nonce: str, rcpt: str, params: Mapping[str, str], *, rcpt_first: bool | None = None
) -> str:
    """The text a result's signature covers; `rcpt_first` departs from the documented order of its type."""
    first = kind == "transfer" if rcpt_first is None else rcpt_first
    envelope = f"{rcpt}{nonce}" if first else f"{nonce}{rcpt}"
    return f"{kind.upper()}{key}{envelope}" + "".join(params.get(name, "") for name in _FIELDS[kind])


def account_params(account: Account) -> dict[str, str]:
    return {
        "accountNumber": account.number,
        "name": account.name,
        "currency": account.currency,
        "balance": f"{account.balance:.2f}",
        "available": f"{account.available:.2f}",
    }


def transfer_params(movement: Movement) -> dict[str, str]:
    """`date` is the UTC day on which it was booked."""
    return {
        "id": str(movement.id),
        "date": movement.date,
        "sendAccount": movement.send_account,
        "receiveAccount": movement.receive_account,
        "sendCurrency": movement.send_currency,
        "receiveCurrency": movement.receive_currency,
        "sendAmount": f"{movement.send_amount:.2f}",
        "receiveAmount": f"{movement.receive_amount:.2f}",
        "narrative": movement.narrative,
    }


def _altered(kind: str, params: Mapping[str, str]) -> dict[str, str]:
    name = {"transfer": "receiveAmount", "account": "balance", "error": "msg"}[kind]
    return {**params, name: f"9{params[name]}"}


def _on_its_way(result: Result, spoiled: Misbehaviour) -> Result:
    match spoiled.mode:
        case Mode.SILENT:
            return replace(result, seconds=None)
        case Mode.LATE:
            return replace(result, seconds=spoiled.seconds)
        case Mode.DUPLICATE:
            return replace(result, copies=2)
        case Mode.BEFORE_ACK:
            return replace(result, early=True)
        case _:
            return result
