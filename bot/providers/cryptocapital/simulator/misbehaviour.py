"""How signed results go wrong on demand: what is signed, in which form, what is sent of it, and how it travels.

The act behind a spoiled result is carried out all the same, and the books never show anything of this.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from bot.providers.cryptocapital.simulator.results import FIELDS, Result, result_text
from bot.providers.cryptocapital.simulator.signatures import KeyPair, compact, corrupted, of_height, raw, trailed

_EXCHANGED = {
    "transfer": ("sendAccount", "receiveAccount"),
    "account": ("balance", "available"),
    "error": ("nonce", "msg"),
}
_RECUT = {"transfer": "sendAmount", "account": "balance", "error": "nonce"}
_ALTERED = {"transfer": "receiveAmount", "account": "balance", "error": "msg"}
_LATE_SECONDS = 2.0


class Mode(StrEnum):
    """How a signed result can go wrong."""

    UNSIGNED = "unsigned"
    """No `signed` at all."""
    BAD_SIGNATURE = "bad_signature"
    """Well-formed DER that does not verify."""
    OTHER_KEY = "other_key"
    """Consistent in itself: another key signs and stands in `key`."""
    BORROWED_KEY = "borrowed_key"
    """Another key signs, the bank's own stands in `key`."""
    WRONG_RCPT = "wrong_rcpt"
    """Rightly signed, but addressed to somebody else."""
    ALTERED_FIELD = "altered_field"
    """One parameter (`field`; by default a sum, or the error's sentence) has a 9 put before it after signing."""
    RECUT = "recut"
    """The signature fits, but `field` has lost its last character to the parameter after it; `field` may be the
    `nonce` of a transfer's envelope, which lends to its id."""
    FIELD_ORDER = "field_order"
    """Two parameters change places in the signed text: the accounts, the sums of an account, an error's two."""
    RCPT_ORDER = "rcpt_order"
    """rcpt and nonce change places in the signed text."""
    HIGH_S = "high_s"
    """Good, and s is in the upper half."""
    LOW_S = "low_s"
    """Good, and s is in the lower half."""
    TRAILING_BYTE = "trailing_byte"
    """Good DER and one byte more."""
    COMPACT = "compact"
    """65 bytes, recoverable, over the plain SHA-256."""
    BITCOIN = "bitcoin"
    """65 bytes, recoverable, over the text as a Bitcoin signed message."""
    RAW = "raw"
    """64 bytes, r and s."""
    SILENT = "silent"
    """Never sent."""
    LATE = "late"
    """Sent `seconds` later, so that others overtake it."""
    HELD = "held"
    """Sent when `/_sim/release` says so, in order or in reverse."""
    DUPLICATE = "duplicate"
    """Sent twice, the same bytes."""
    BEFORE_ACK = "before_ack"
    """Sent before the `ack` of its operation."""
    ELSEWHERE = "elsewhere"
    """Sent to the key's other connections only, not to the one that asked."""


@dataclass(slots=True)
class Misbehaviour:
    """One mode for the next `times` results it fits; 0 is for ever. What is empty of the aim fits everything."""

    mode: Mode
    times: int = 1
    seconds: float = _LATE_SECONDS
    field: str = ""
    kind: str = ""
    to: str = ""
    narrative: str = ""

    def fits(self, kind: str, rcpt: str, params: Mapping[str, str]) -> bool:
        return (
            self.kind in ("", kind)
            and self.to in ("", rcpt)
            and self.narrative in params.get("narrative", "")
            and (not self.field or self.field in touchable(self.mode, kind))
        )

    def as_json(self) -> dict[str, str | int | float]:
        return {**asdict(self), "mode": self.mode.value}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "Misbehaviour":
        return cls(**{**state, "mode": Mode(state["mode"])})


def touchable(mode: Mode, kind: str) -> tuple[str, ...]:
    """What `field` may name when a result of this type goes wrong in this way."""
    match mode:
        case Mode.ALTERED_FIELD:
            return FIELDS[kind]
        case Mode.RECUT:
            return ("nonce", *FIELDS[kind][:-1]) if kind == "transfer" else FIELDS[kind][:-1]
        case _:
            return ()


class Script:
    """The misbehaviours that wait for their result, the oldest first."""

    def __init__(self) -> None:
        self.waiting: deque[Misbehaviour] = deque()

    def next(self, kind: str, rcpt: str, params: Mapping[str, str]) -> Misbehaviour | None:
        """The oldest that fits this result, used up by it."""
        for one in self.waiting:
            if one.fits(kind, rcpt, params):
                if one.times == 1:
                    self.waiting.remove(one)
                elif one.times > 1:
                    one.times -= 1
                return one
        return None


def signed_text(mode: Mode | None, kind: str, key: str, nonce: str, rcpt: str, params: Mapping[str, str]) -> str:
    """The documented text, or the one a wrong order makes of it."""
    if mode is Mode.FIELD_ORDER:
        one, other = _EXCHANGED[kind]
        params = {**params, one: params[other], other: params[one]}
    return result_text(kind, key, nonce, rcpt, params, rcpt_first=(kind == "transfer") != (mode is Mode.RCPT_ORDER))


def signature(mode: Mode | None, signer: KeyPair, text: str) -> str | None:
    """Over the text, in the form the mode asks for."""
    match mode:
        case Mode.UNSIGNED:
            return None
        case Mode.BAD_SIGNATURE:
            return corrupted(signer.sign(text))
        case Mode.HIGH_S | Mode.LOW_S:
            return of_height(signer.sign(text), high=mode is Mode.HIGH_S)
        case Mode.TRAILING_BYTE:
            return trailed(signer.sign(text))
        case Mode.COMPACT | Mode.BITCOIN:
            return compact(signer, text, bitcoin=mode is Mode.BITCOIN)
        case Mode.RAW:
            return raw(signer.sign(text))
        case _:
            return signer.sign(text)


def sent_fields(
    spoiled: Misbehaviour | None, kind: str, nonce: int, params: Mapping[str, str]
) -> tuple[int, Mapping[str, str]]:
    """The server nonce and the parameters as they are sent, which need not be those that were signed."""
    if spoiled is None:
        return nonce, params
    match spoiled.mode:
        case Mode.ALTERED_FIELD:
            name = spoiled.field or _ALTERED[kind]
            return nonce, {**params, name: f"9{params[name]}"}
        case Mode.RECUT:
            return _recut(spoiled.field or _RECUT[kind], kind, nonce, params)
        case _:
            return nonce, params


def _recut(name: str, kind: str, nonce: int, params: Mapping[str, str]) -> tuple[int, Mapping[str, str]]:
    names = FIELDS[kind]
    if kind == "transfer" and name == "nonce":
        return nonce // 10, {**params, names[0]: f"{nonce % 10}{params[names[0]]}"}
    after = names[names.index(name) + 1]
    return nonce, {**params, name: params[name][:-1], after: params[name][-1:] + params[after]}


def on_its_way(result: Result, spoiled: Misbehaviour | None) -> Result:
    """How it travels."""
    if spoiled is None:
        return result
    match spoiled.mode:
        case Mode.SILENT:
            return replace(result, seconds=None)
        case Mode.LATE:
            return replace(result, seconds=spoiled.seconds)
        case Mode.HELD:
            return replace(result, held=True)
        case Mode.DUPLICATE:
            return replace(result, copies=2)
        case Mode.BEFORE_ACK:
            return replace(result, early=True)
        case Mode.ELSEWHERE:
            return replace(result, elsewhere=True)
        case _:
            return result
