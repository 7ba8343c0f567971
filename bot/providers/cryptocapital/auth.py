"""How Crypto Capital is convinced, and how it convinces us: secp256k1 signatures over SHA-256, in both directions.

Ours: DER in base64, deterministic and low-S. Theirs, by the documentation: the same form by one known key, which is
pinned. The vendor's library of those days does not force low S, so high S is as good as low S and is normalised
before libsecp256k1, which would refuse it.

No genuine server signature of this API version is public. A `tolerant` reader therefore also takes, and names, the
forms that older versions used: a Bitcoin signed message, a recoverable signature, and plain r‖s.

Source: Crypto Capital End-User API v2.3, sections "Keys" and "Signature".
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

import coincurve
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from bot.providers.base import MadeKey, PublicKey
from bot.providers.cryptocapital import wire
from bot.providers.records import Power
from bot.secret import Secret

POWERS = frozenset({Power.READ, Power.PAY_OUT})
"""The key that signs a question signs a transfer, too."""

_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_BITCOIN_MAGIC = b"\x18Bitcoin Signed Message:\n"


class Signer:
    """Our private key, for the block in which it is lent. Keep nothing of it but `public_key`."""

    __slots__ = ("_key", "public_key")

    def __init__(self, private_key: str) -> None:
        """From base64 of 32 bytes; `ValueError`, without the text, for anything else."""
        self._key = coincurve.PrivateKey(_bytes(private_key, 32))
        self.public_key = _text(self._key.public_key.format(compressed=False))
        """Base64 of the 65-byte point, as every operation carries it."""

    def sign(self, text: str) -> str:
        """Base64 of the DER signature. The same text always gives the same signature."""
        return _text(self._key.sign(text.encode()))


def make_key() -> MadeKey:
    """A key pair from the system's randomness; its private half is in the field, and nowhere else."""
    key = coincurve.PrivateKey()
    public_key = _text(key.public_key.format(compressed=False))
    return MadeKey({"private_key": Secret(_text(key.secret))}, PublicKey(public_key, fingerprint(public_key)), POWERS)


class Form(StrEnum):
    """In which form a server signature was found good."""

    DER = "DER"
    BITCOIN = "Bitcoin signed message"
    RECOVERABLE = "recoverable"
    PLAIN = "plain r and s"


class PinnedKey:
    """A public key one has decided to believe."""

    __slots__ = ("_key", "text")

    def __init__(self, text: str) -> None:
        """From base64 of an uncompressed point (65 bytes); `ValueError` for anything else, compressed ones included."""
        raw = _bytes(text, 65)
        if _text(raw) != text:
            raise ValueError("not the usual spelling of this key")  # it is compared, and signed, letter for letter
        if raw[0] != 4:
            raise ValueError("not an uncompressed key")
        self._key = coincurve.PublicKey(raw)
        self.text = text

    def verify(self, signature: str, text: str) -> bool:
        """Whether `signature` is DER in base64 over `text` by this key."""
        return self.form(signature, (text,)) is Form.DER

    def form(self, signature: str, texts: Sequence[str], *, tolerant: bool = False) -> Form | None:
        """In which form `signature` is good, or None.

        Args:
            texts: The documented text first; only a tolerant reader looks at the others.
            tolerant: Take the forms of older versions as well.
        """
        try:
            raw = base64.b64decode(signature, validate=True)
        except ValueError:
            return None
        for text in texts if tolerant else texts[:1]:
            form = self._form_over(raw, text.encode(), tolerant)
            if form is not None:
                return form
        return None

    def _form_over(self, raw: bytes, message: bytes, tolerant: bool) -> Form | None:
        digest = hashlib.sha256(message).digest()
        numbers = _from_der(raw)
        if numbers is not None:
            return Form.DER if self._good(numbers, digest) else None
        if not tolerant:
            return None
        if len(raw) == 64:
            plain = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
            return Form.PLAIN if self._good(plain, digest) else None
        if self._recovered(raw, _bitcoin_digest(message)):
            return Form.BITCOIN
        return Form.RECOVERABLE if self._recovered(raw, digest) else None

    def _good(self, numbers: tuple[int, int], digest: bytes) -> bool:
        r, s = numbers
        if not (0 < r < _ORDER and 0 < s < _ORDER):
            return False
        normalised = encode_dss_signature(r, min(s, _ORDER - s))
        return self._key.verify(normalised, digest, hasher=None)

    def _recovered(self, raw: bytes, digest: bytes) -> bool:
        """Whether 65 bytes, a header from 0x1b to 0x22 and r‖s, lead back to this key."""
        if len(raw) != 65 or not 0x1B <= raw[0] <= 0x22:
            return False
        identity = (raw[0] - 0x1B) & 3
        try:
            found = coincurve.PublicKey.from_signature_and_message(raw[1:] + bytes([identity]), digest, hasher=None)
        except ValueError:
            return False
        return found == self._key


class Doubt(StrEnum):
    """Why a message is not acted upon."""

    UNREADABLE = "not in the documented form"
    GRAMMAR = "a field is out of its grammar"
    KEY = "another server key"
    ADDRESSEE = "addressed to another key"
    SIGNATURE = "the signature does not fit"
    REPEATED = "not newer than one already seen"
    UNFAMILIAR = "of an unknown type"
    NAMELESS = "a refusal that names no question"

    @property
    def is_forgery(self) -> bool:
        """Whether somebody seems to speak for the bank who is not."""
        return self in (Doubt.GRAMMAR, Doubt.KEY, Doubt.ADDRESSEE, Doubt.SIGNATURE)


class Trust:
    """Which signed messages are believed: in order of cost, so that garbage is cheap.

    Grammar, then the pinned key's name, then the addressee, then the signature. An account's state must besides be
    newer than the last one believed, so that a message recorded earlier cannot answer a question asked now.
    """

    def __init__(self, server: PinnedKey, *, tolerant: bool = False) -> None:
        self._server = server
        self._tolerant = tolerant
        self._newest: dict[str, int] = {}
        self.forms: Counter[Form] = Counter()
        """In which forms signatures were good; other than DER only for a tolerant reader."""

    def doubt(self, message: wire.Signed, own_key: str) -> Doubt | None:
        """Why this message is not to be believed, or None."""
        try:
            wire.check_grammar(message)
        except ValueError:
            return Doubt.GRAMMAR
        if message.key != self._server.text:
            return Doubt.KEY
        if message.rcpt != own_key:
            return Doubt.ADDRESSEE
        form = self._server.form(message.signed, wire.signed_texts(message), tolerant=self._tolerant)
        if form is None:
            return Doubt.SIGNATURE
        self.forms[form] += 1
        return self._staleness(message) if isinstance(message, wire.AccountMessage) else None

    def _staleness(self, message: wire.AccountMessage) -> Doubt | None:
        number = message.params.account_number
        if message.nonce <= self._newest.get(number, 0):
            return Doubt.REPEATED
        self._newest[number] = message.nonce
        return None


def fingerprint(public_key: str) -> str:
    """Something short to compare by eye: the first eight bytes of the key's SHA-256, in groups of four figures."""
    figures = hashlib.sha256(base64.b64decode(public_key)).hexdigest()[:16]
    return " ".join(figures[start : start + 4] for start in range(0, 16, 4))


def _from_der(raw: bytes) -> tuple[int, int] | None:
    try:
        return decode_dss_signature(raw)
    except ValueError:
        return None


def _bitcoin_digest(message: bytes) -> bytes:
    length = len(message)
    if length < 0xFD:
        size = bytes([length])
    elif length <= 0xFFFF:
        size = b"\xfd" + length.to_bytes(2, "little")
    else:
        size = b"\xfe" + length.to_bytes(4, "little")
    return hashlib.sha256(hashlib.sha256(_BITCOIN_MAGIC + size + message).digest()).digest()


def _bytes(text: str, length: int) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("not base64") from None
    if len(raw) != length:
        raise ValueError(f"not {length} bytes")
    return raw


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
