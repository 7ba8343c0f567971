"""The master key and what grows from it (SAFETY 4.1, 4.2).

Text form: `csk1-` and base 32 (lower case, no padding) of the 32 key bytes and 4 bytes of their SHA-256, so that a typo
is told apart from a wrong key. Everything else is derived with HKDF-SHA256 over the install's salt; nothing is ever
encrypted with the master key itself.

Each generation of the wrapping key grows from the master key and from a seed of its own that is a row: once that row is
gone, nobody makes this key again, with whatever master key. (The first one of an install from before there were seeds
has an empty one.) A master key may take another one's place: then the tree knows both until nothing is wrapped by the
earlier one any more, and the keys of the audit log's past days are kept, sealed.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn, final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.errors import KeyTextError

PREFIX = "csk1-"
KEY_BYTES = 32
_CHECK_BYTES = 4


@final
class MasterKey:
    """32 random bytes that never show."""

    __slots__ = ("__key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise KeyTextError("a master key has 32 bytes")
        if len(set(key)) < 8:
            raise KeyTextError("the key is not random: too few different bytes")
        self.__key = key

    @classmethod
    def new(cls) -> "MasterKey":
        """A fresh key from the operating system."""
        return cls(os.urandom(KEY_BYTES))

    @classmethod
    def from_text(cls, text: str) -> "MasterKey":
        """From the text form.

        Raises:
            KeyTextError: Not a key, or a typo in it; a whole key is never called a typo.
        """
        text = text.strip()
        if not text.lower().startswith(PREFIX):
            raise KeyTextError(f"a master key begins with {PREFIX}")
        body = text[len(PREFIX) :].upper()
        try:
            raw = base64.b32decode(body + "=" * (-len(body) % 8))
        except ValueError:
            raise KeyTextError("the key's text has a character that does not belong there") from None
        if len(raw) != KEY_BYTES + _CHECK_BYTES:
            raise KeyTextError("the key's text is too short or too long")
        key, check = raw[:KEY_BYTES], raw[KEY_BYTES:]
        if not hmac.compare_digest(check, _checksum(key)):
            raise KeyTextError("the key's text has a typo: its checksum does not fit")
        return cls(key)

    def to_text(self) -> str:
        """The text form, for the key file and for paper."""
        return PREFIX + base64.b32encode(self.__key + _checksum(self.__key)).decode().rstrip("=").lower()

    def derive(self, salt: bytes, info: str) -> bytes:
        """32 bytes for one purpose."""
        return HKDF(SHA256(), 32, salt, f"countersign/v1/{info}".encode()).derive(self.__key)

    def __repr__(self) -> str:
        return "MasterKey(‹secret›)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a MasterKey is not pickled")


def _checksum(key: bytes) -> bytes:
    return hashlib.sha256(b"countersign/key" + key).digest()[:_CHECK_BYTES]


@dataclass(frozen=True, slots=True)
class Earlier:
    """The master key before this one."""

    master: MasterKey
    before: int
    """The first generation that grows from this one."""


@final
class KeyTree:
    """The keys of one install, derived once at start."""

    __slots__ = (
        "__audits",
        "__backup",
        "__blind",
        "__callback",
        "__days",
        "__earlier",
        "__inboxes",
        "__keeper",
        "__keks",
        "__master",
        "__salt",
        "__seeds",
        "check_value",
        "fingerprint",
    )

    def __init__(self, master: MasterKey, install_id: str, salt: bytes) -> None:
        self.__master = master
        self.__salt = salt
        self.__keks: dict[int, bytes] = {}
        self.__seeds: dict[int, bytes] = {}
        self.__earlier: Earlier | None = None
        self.__days: dict[int, bytes] = {}
        self.__keeper = master.derive(salt, "keeper")
        self.__callback = master.derive(salt, "callback")
        self.__blind = master.derive(salt, "blind")
        self.__backup = master.derive(salt, "backup")
        self.__audits: dict[int, hmac.HMAC] = {}
        self.__inboxes: dict[int, bytes] = {}
        self.check_value = hmac.digest(master.derive(salt, "kcv"), install_id.encode(), "sha256")[:16]
        self.fingerprint = fingerprint_of(self.check_value)

    def learn(
        self, seeds: Mapping[int, bytes], earlier: Earlier | None = None, days: Mapping[int, bytes] | None = None
    ) -> None:
        """What the tables say: the seeds of the generations there are, and what is left of an earlier master key."""
        self.__seeds.update(seeds)
        self.__keks = {}
        self.__earlier = earlier or self.__earlier
        self.__days.update(days or {})

    def forget(self, kek_ids: Iterable[int]) -> None:
        """These generations are dropped, and the earlier master key when none is left that grows from it."""
        for kek_id in kek_ids:
            self.__seeds.pop(kek_id, None)
        self.__keks = {}
        if self.__earlier is not None and all(kek_id >= self.__earlier.before for kek_id in self.__seeds):
            self.__earlier = None

    def kek(self, kek_id: int) -> bytes:
        """The key that wraps data keys of generation `kek_id`. `ValueError` when that was dropped."""
        if kek_id < min(self.__seeds, default=0):
            raise ValueError("a generation that was dropped")
        if kek_id not in self.__keks:
            earlier = self.__earlier
            master = earlier.master if earlier is not None and kek_id < earlier.before else self.__master
            self.__keks[kek_id] = master.derive(self.__salt + self.__seeds.get(kek_id, b""), f"kek/{kek_id}")
        return self.__keks[kek_id]

    def inbox(self, generation: int) -> bytes:
        """The key that seals updates while they wait; a generation is a month, `yyyymm`."""
        if generation not in self.__inboxes:
            self.__inboxes[generation] = self.__master.derive(self.__salt, f"inbox/{generation}")
        return self.__inboxes[generation]

    def button_code(self, message: bytes) -> bytes:
        """16 bytes that only this install can make (M14)."""
        return hmac.digest(self.__callback, message, "sha256")[:16]

    def audit_code(self, hashed: bytes, generation: int) -> bytes:
        """The MAC of one audit row; a generation is the UTC day it was written on, `yyyymmdd`."""
        if generation not in self.__audits:
            self.__audits[generation] = hmac.new(self.audit_key(generation), digestmod="sha256")
        code = self.__audits[generation].copy()  # the key's own part of it is reckoned once a day, not for each row
        code.update(hashed)
        return code.digest()

    def audit_key(self, generation: int) -> bytes:
        """The key of one day of the audit log; of a day under an earlier master key, the one that counted then."""
        return self.__days.get(generation) or self.__master.derive(self.__salt, f"audit/{generation}")

    def blind(self, text: str) -> str:
        """What `text` is looked up by where it must not stand itself: 32 hexadecimal digits, the same every time."""
        return hmac.digest(self.__blind, text.encode(), "sha256")[:16].hex()

    @property
    def backup(self) -> bytes:
        """The key that backups are sealed with."""
        return self.__backup

    @property
    def keeper(self) -> bytes:
        """The key that seals what is left of an earlier master key."""
        return self.__keeper

    @property
    def master(self) -> MasterKey:
        """What all of it grows from."""
        return self.__master

    def user_key(self, person_id: int, kek_id: int, stretched: bytes) -> bytes:
        """What wraps a data key under a passphrase (SAFETY 4.6): it takes the master key and the passphrase, both."""
        info = f"countersign/v1/user/{person_id}".encode()
        return HKDF(SHA256(), KEY_BYTES, self.__salt, info).derive(self.kek(kek_id) + stretched)

    def __repr__(self) -> str:
        return f"KeyTree({self.fingerprint})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a KeyTree is not pickled")


def fingerprint_of(check_value: bytes) -> str:
    """Four bytes of the check value in hex: says which key without saying what it is."""
    return check_value[:4].hex()
