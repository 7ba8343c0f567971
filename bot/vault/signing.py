"""What the other rooms ask of the vault's keys without seeing them: the code on a button, the seal on an update."""

import os

from bot.clock import Clock
from bot.vault.envelope import KEY_ID_BYTES, NONCE_BYTES, key_id_of, seal, unseal, with_lengths
from bot.vault.keys import KeyTree


class ButtonSigner:
    """The vault's button key, bound to this install's epoch: after a restore old buttons are dead."""

    def __init__(self, keys: KeyTree, epoch: int) -> None:
        self._keys = keys
        self._epoch = epoch.to_bytes(8, "big")

    def sign(self, message: bytes) -> bytes:
        return self._keys.button_code(self._epoch + message)


class UpdateSealer:
    """Seals updates while they wait in the inbox, in the form of every sealed record; each month has its own key."""

    def __init__(self, keys: KeyTree, install_id: str, clock: Clock) -> None:
        self._keys = keys
        self._install_id = install_id
        self._clock = clock

    def seal(self, plain: bytes, row: int) -> bytes:
        now = self._clock.now()
        month = now.year * 100 + now.month
        key_id = month.to_bytes(KEY_ID_BYTES, "big")
        return seal(self._keys.inbox(month), key_id, os.urandom(NONCE_BYTES), plain, self._belonging(row))

    def unseal(self, sealed: bytes, row: int) -> bytes:
        month = int.from_bytes(key_id_of(sealed), "big")
        return unseal(self._keys.inbox(month), sealed, self._belonging(row))

    def _belonging(self, row: int) -> bytes:
        return with_lengths("countersign/inbox", self._install_id, str(row))
