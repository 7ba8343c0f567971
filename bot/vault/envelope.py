"""The form of a sealed record (SAFETY 4.3). Pure; final from the first version, with frozen vectors in the tests.

    0x01 | algorithm 1 B | key id 8 B | nonce 12 B | ciphertext | tag 16 B

Algorithm 1 is AES-256-GCM. The plaintext is `length (4 B, big-endian) | text | zeros` up to a multiple of 64 bytes, so
that lengths of secrets do not show. What a record belongs to is its associated data: every part behind its own length,
because a separator could be read two ways. Changing any part, or any bit, makes the record refuse to open.
"""

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = 1
AES_256_GCM = 1
KEY_ID_BYTES = 8
NONCE_BYTES = 12
BLOCK = 64
_NONCE = 2 + KEY_ID_BYTES
_HEADER = _NONCE + NONCE_BYTES
_SMALLEST = _HEADER + BLOCK + 16


@dataclass(frozen=True, slots=True)
class Belonging:
    """What a sealed field belongs to; all of it is authenticated."""

    install_id: str
    person_id: int
    provider: str
    label: str
    field: str
    environment: str
    record_id: str
    version: int

    def as_data(self) -> bytes:
        return _BELONGING + with_lengths(
            self.install_id,
            str(self.person_id),
            self.provider,
            self.label,
            self.field,
            self.environment,
            self.record_id,
            str(self.version),
        )


def with_lengths(*parts: str) -> bytes:
    """`len32be(part) | part` for each part, UTF-8."""
    return b"".join([len(encoded := part.encode()).to_bytes(4, "big") + encoded for part in parts])


_BELONGING = with_lengths("countersign/cred", str(FORMAT))
_BEGINNING = bytes((FORMAT, AES_256_GCM))


def cipher(key: bytes) -> AESGCM:
    """What seals and unseals with `key`, 32 bytes; unlike them it shows nothing when it is printed."""
    if len(key) != 32:
        raise ValueError("key 32, key id 8, nonce 12 bytes")
    return AESGCM(key)


def seal(key: bytes | AESGCM, key_id: bytes, nonce: bytes, plaintext: bytes, data: bytes) -> bytes:
    """One record. `nonce` is 12 fresh random bytes from the caller, never used twice with `key`."""
    if len(key_id) != KEY_ID_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("key 32, key id 8, nonce 12 bytes")
    length = len(plaintext)
    padded = length.to_bytes(4, "big") + plaintext + bytes(-(length + 4) % BLOCK)
    ready = cipher(key) if isinstance(key, bytes) else key
    return _BEGINNING + key_id + nonce + ready.encrypt(nonce, padded, data)


def key_id_of(record: bytes) -> bytes:
    """Which key a record names. `ValueError` when it is not one of ours."""
    if len(record) < _SMALLEST or not record.startswith(_BEGINNING):
        raise ValueError("not a sealed record of this format")
    return record[2:_NONCE]


def unseal(key: bytes | AESGCM, record: bytes, data: bytes) -> bytes:
    """The plaintext. `ValueError` when the record, the key or what it should belong to is not right."""
    if len(record) < _SMALLEST or not record.startswith(_BEGINNING):
        raise ValueError("not a sealed record of this format")
    ready = cipher(key) if isinstance(key, bytes) else key
    try:
        # The header is not part of the associated data: version and algorithm are checked, the key id picks the key,
        # and a changed nonce fails the tag.
        padded = ready.decrypt(record[_NONCE:_HEADER], record[_HEADER:], data)
    except InvalidTag:
        raise ValueError("does not open") from None
    length = int.from_bytes(padded[:4], "big")
    if length > len(padded) - 4:
        raise ValueError("damaged padding")
    return padded[4 : 4 + length]
