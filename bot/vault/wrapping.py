"""How a data key is wrapped, and by what (SAFETY 4.2, 4.6). Touches no table.

A data key is 32 random bytes. In mode `kek` it is wrapped by a key that grows from the master key; in mode `passphrase`
by one that needs its owner's passphrase, too. No data key is held as bytes beyond the function that makes or unwraps
it: what travels is its cipher, which shows nothing when it is printed.
"""

import os
from dataclasses import dataclass, replace
from enum import StrEnum

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bot.vault.envelope import KEY_ID_BYTES, NONCE_BYTES, cipher, key_id_of, seal, unseal, with_lengths
from bot.vault.keys import KEY_BYTES, KeyTree


class Mode(StrEnum):
    """What a data key is wrapped by."""

    KEK = "kek"
    PASSPHRASE = "passphrase"  # noqa: S105  # a word of the table, and no password


@dataclass(frozen=True, slots=True)
class DataKey:
    """One data key, open."""

    id: bytes
    cipher: AESGCM


@dataclass(frozen=True, slots=True)
class Wrapped:
    """One data key as it lies in its row."""

    id: bytes
    person_id: int
    kek_id: int
    mode: Mode
    wrapped: bytes
    kdf: str | None = None
    """How the passphrase was stretched."""


class Wrapping:
    """Wraps and unwraps the data keys of one install."""

    def __init__(self, keys: KeyTree, install_id: str) -> None:
        self._keys = keys
        self._install_id = install_id

    def kek(self, kek_id: int) -> AESGCM:
        """What wraps data keys of that generation."""
        return cipher(self._keys.kek(kek_id))

    def learn(self, kek_id: int, seed: bytes) -> None:
        """A generation has begun."""
        self._keys.learn({kek_id: seed})

    def user_key(self, person_id: int, kek_id: int, stretched: bytes) -> AESGCM:
        """The same for a key that needs a passphrase, too."""
        return cipher(self._keys.user_key(person_id, kek_id, stretched))

    def new(
        self, person_id: int, kek_id: int, by: AESGCM, mode: Mode = Mode.KEK, kdf: str | None = None
    ) -> tuple[DataKey, Wrapped]:
        """A fresh data key, open and wrapped."""
        key, key_id = os.urandom(KEY_BYTES), os.urandom(KEY_ID_BYTES)
        row = Wrapped(key_id, person_id, kek_id, mode, b"", kdf)
        return DataKey(key_id, cipher(key)), replace(row, wrapped=self._wrap(row, by, key))

    def open(self, row: Wrapped, by: AESGCM) -> DataKey:
        """`ValueError` when it is damaged, or `by` is not what wrapped it."""
        return DataKey(row.id, cipher(self._unwrap(row, by)))

    def renew(self, row: Wrapped, by: AESGCM, kek_id: int, by_then: AESGCM) -> Wrapped:
        """The same data key under another generation. `ValueError` as above."""
        renewed = replace(row, kek_id=kek_id)
        return replace(renewed, wrapped=self._wrap(renewed, by_then, self._unwrap(row, by)))

    def _wrap(self, row: Wrapped, by: AESGCM, key: bytes) -> bytes:
        return seal(by, _name_of(row.kek_id), os.urandom(NONCE_BYTES), key, self._belonging(row))

    def _unwrap(self, row: Wrapped, by: AESGCM) -> bytes:
        if key_id_of(row.wrapped) != _name_of(row.kek_id):
            raise ValueError("wrapped by another key than it says")
        return unseal(by, row.wrapped, self._belonging(row))

    def _belonging(self, row: Wrapped) -> bytes:
        return with_lengths(
            "countersign/dek", self._install_id, str(row.person_id), row.id.hex(), str(row.kek_id), row.mode
        )


def _name_of(kek_id: int) -> bytes:
    return kek_id.to_bytes(KEY_ID_BYTES, "big")
