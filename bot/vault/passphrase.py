"""A passphrase becomes a key (SAFETY 4.6): slow and hungry for memory on purpose.

How it was done is a fact of the row it was done for, so that it can be done again after the recommendation has
changed. What a row may ask for is bounded both ways: a tampered one can neither ask for a weak key nor for all memory
of the machine.
"""

import os
import unicodedata
from typing import Annotated, Final, Literal

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bot.errors import PassphraseError
from bot.secret import Secret
from bot.vault.keys import KEY_BYTES

SHORTEST: Final = 12
LONGEST: Final = 256
"""Characters of a passphrase."""
_SALT_BYTES = 16
_SCRYPT_BYTES = 1 << 30
_Salt = Annotated[bytes, msgspec.Meta(min_length=_SALT_BYTES, max_length=64)]


class Argon(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="algorithm", tag="argon2id"):
    """Argon2id (RFC 9106). The floor is OWASP's: 19 MiB, two passes, one lane."""

    salt: _Salt
    memory_kib: Annotated[int, msgspec.Meta(ge=19 * 1024, le=1024 * 1024)] = 64 * 1024
    passes: Annotated[int, msgspec.Meta(ge=2, le=10)] = 3
    lanes: Annotated[int, msgspec.Meta(ge=1, le=4)] = 1

    def stretch(self, passphrase: Secret) -> bytes:
        function = Argon2id(
            salt=self.salt, length=KEY_BYTES, iterations=self.passes, lanes=self.lanes, memory_cost=self.memory_kib
        )
        return function.derive(passphrase.reveal().encode())


class Scrypted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="algorithm", tag="scrypt"):
    """scrypt (RFC 7914), where OpenSSL is too old for Argon2id."""

    salt: _Salt
    cost: Literal[131072, 262144, 524288, 1048576] = 131072
    block: Annotated[int, msgspec.Meta(ge=8, le=16)] = 8
    lanes: Annotated[int, msgspec.Meta(ge=1, le=4)] = 1

    def __post_init__(self) -> None:
        if 128 * self.cost * self.block > _SCRYPT_BYTES:
            raise ValueError("more memory than any row may ask for")

    def stretch(self, passphrase: Secret) -> bytes:
        function = Scrypt(salt=self.salt, length=KEY_BYTES, n=self.cost, r=self.block, p=self.lanes)
        return function.derive(passphrase.reveal().encode())


Stretching = Argon | Scrypted
"""How a passphrase is made into key material."""


def new_stretching() -> Stretching:
    """The best this machine can do, with a salt of its own."""
    salt = os.urandom(_SALT_BYTES)
    return Argon(salt) if _has_argon() else Scrypted(salt)


def _has_argon() -> bool:
    try:
        Argon2id(salt=bytes(_SALT_BYTES), length=KEY_BYTES, iterations=2, lanes=1, memory_cost=64)
    except UnsupportedAlgorithm:
        return False
    return True


def as_column(stretching: Stretching) -> str:
    return msgspec.json.encode(stretching).decode()


def from_column(text: str | None) -> Stretching:
    """What a row says. `ValueError` when it says nothing, nonsense, or asks for too little or too much."""
    try:
        stretching: Stretching = msgspec.json.decode(text or "", type=Stretching)
    except (msgspec.MsgspecError, RecursionError):
        raise ValueError("not a way to stretch a passphrase") from None
    return stretching


def normal(passphrase: Secret) -> Secret:
    """The form that counts, whatever keyboard it was typed on: NFKC, no blanks around it.

    Raises:
        PassphraseError: Too short, or too long. Nothing else is asked of it.
    """
    text = unicodedata.normalize("NFKC", passphrase.reveal()).strip()
    if len(text) < SHORTEST:
        raise PassphraseError(f"a passphrase has at least {SHORTEST} characters; several words are easy to remember")
    if len(text) > LONGEST:
        raise PassphraseError(f"a passphrase has at most {LONGEST} characters")
    return Secret(text)


def stretch(stretching: Stretching, passphrase: Secret) -> bytes:
    """32 bytes; takes its time, so never in the event loop. `passphrase` is in its normal form."""
    return stretching.stretch(passphrase)
