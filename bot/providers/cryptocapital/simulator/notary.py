"""Makes signed results, well or as badly as the script of misbehaviours says."""

from collections.abc import Mapping
from typing import Any

from bot.providers.cryptocapital.simulator.bank import Account, Movement
from bot.providers.cryptocapital.simulator.misbehaviour import (
    Misbehaviour,
    Mode,
    Script,
    on_its_way,
    sent_fields,
    signature,
    signed_text,
)
from bot.providers.cryptocapital.simulator.results import Result, account_params, transfer_params
from bot.providers.cryptocapital.simulator.signatures import KeyPair

_SIGNED_BY_OTHERS = frozenset({Mode.OTHER_KEY, Mode.BORROWED_KEY})


class Notary:
    """Signs for the bank. Its nonce is its own: the millisecond clock, always increasing."""

    def __init__(self, server: KeyPair, outsider: KeyPair) -> None:
        self.server = server
        self.outsider = outsider
        self.nonce = 0
        self.script = Script()

    def account(self, rcpt: str, account: Account, now_ms: int) -> Result:
        return self.result("account", rcpt, account_params(account), now_ms)

    def transfer(self, rcpt: str, movement: Movement, now_ms: int) -> Result:
        return self.result("transfer", rcpt, transfer_params(movement), now_ms)

    def error(self, rcpt: str, nonce_text: str, reason: str, now_ms: int) -> Result:
        return self.result("error", rcpt, {"nonce": nonce_text, "msg": reason}, now_ms)

    def result(
        self,
        kind: str,
        rcpt: str,
        params: Mapping[str, str],
        now_ms: int,
        spoiled: Misbehaviour | None = None,
    ) -> Result:
        """Any result over any parameters. Without `spoiled` the script decides how it goes wrong."""
        self.nonce = max(self.nonce + 1, now_ms)
        spoiled = spoiled or self.script.next(kind, rcpt, params)
        mode = spoiled.mode if spoiled else None
        signer = self.outsider if mode in _SIGNED_BY_OTHERS else self.server
        key = (self.outsider if mode is Mode.OTHER_KEY else self.server).public_text
        named = self.outsider.public_text if mode is Mode.WRONG_RCPT else rcpt
        signed = signature(mode, signer, signed_text(mode, kind, key, str(self.nonce), named, params))
        nonce, sent = sent_fields(spoiled, kind, self.nonce, params)
        body: dict[str, Any] = {"key": key, "nonce": nonce, "rcpt": named, "params": sent}
        if signed is not None:
            body["signed"] = signed
        return on_its_way(Result(kind, rcpt, body), spoiled)

    def dump(self) -> dict[str, Any]:
        return {"nonce": self.nonce, "waiting": [one.as_json() for one in self.script.waiting]}

    def load(self, state: Mapping[str, Any]) -> None:
        self.nonce = int(state["nonce"])
        self.script.waiting.extend(Misbehaviour.of(one) for one in state["waiting"])
