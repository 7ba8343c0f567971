"""Keys and signatures on secp256k1, the bank's side.

SHA-256 once over the UTF-8 text, ECDSA, DER, base64 of the raw bytes. Neither side forces a low S: the documented
library leaves it to chance, so about half of all signatures have a high one, in both directions.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

from coincurve import PrivateKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_CURVE = ec.SECP256K1()
_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_POINT_BYTES = 65
_BITCOIN_MAGIC = b"\x18Bitcoin Signed Message:\n"
_UNCOMPRESSED_HEAD = 27


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and the text its public half has on the wire (base64 of the uncompressed point)."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    public_text: str

    @classmethod
    def derived(cls, seed: int, owner: str) -> "KeyPair":
        """The pair that belongs to `owner` in the world made from `seed`."""
        digest = hashlib.sha256(f"countersign cryptocapital {seed} {owner}".encode()).digest()
        private = ec.derive_private_key(int.from_bytes(digest) % (_ORDER - 1) + 1, _CURVE)
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return cls(private, base64.b64encode(point).decode())

    def private_text(self) -> str:
        """Base64 of the 32 bytes, big-endian."""
        return base64.b64encode(self.private.private_numbers().private_value.to_bytes(32)).decode()

    def sign(self, text: str) -> str:
        """Same text, same signature, so that a run can be repeated; S falls high or low as it will."""
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        return base64.b64encode(self.private.sign(text.encode(), algorithm)).decode()


@lru_cache(maxsize=1024)
def read_public_key(text: str) -> ec.EllipticCurvePublicKey:
    """The point a `key` text stands for. `ValueError` unless it is canonical base64 of 65 bytes on the curve."""
    raw = _unbase64(text)
    if len(raw) != _POINT_BYTES:  # 33 would be a compressed one; the library itself knows no other 65 than 04 ‖ X ‖ Y
        raise ValueError("key is not an uncompressed point")
    return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, raw)


def verify(key: str, text: str, signature: str) -> bool:
    """Whether `signature` is strict DER over `text` by `key`. High and low S are both good."""
    try:
        raw = _unbase64(signature)
        read_public_key(key).verify(raw, text.encode(), ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


def corrupted(signature: str) -> str:
    """A well-formed signature that no longer fits its text."""
    r, s = decode_dss_signature(_unbase64(signature))
    return _base64(encode_dss_signature(r, s ^ 1))


def of_height(signature: str, *, high: bool) -> str:
    """The same signature with s in the upper or the lower half."""
    r, s = decode_dss_signature(_unbase64(signature))
    return _base64(encode_dss_signature(r, s if (s > _ORDER // 2) is high else _ORDER - s))


def trailed(signature: str) -> str:
    """With a byte after the end of the DER."""
    return _base64(_unbase64(signature) + b"\x00")


def raw(signature: str) -> str:
    """r and s, 32 bytes each."""
    r, s = decode_dss_signature(_unbase64(signature))
    return _base64(r.to_bytes(32) + s.to_bytes(32))


def compact(pair: KeyPair, text: str, *, bitcoin: bool) -> str:
    """65 bytes: a head that names the recoverable point (27 and above: uncompressed key), then r and s.

    Over SHA-256 once, or with `bitcoin` over a Bitcoin signed message: magic, length, text, SHA-256 twice.
    """
    message = text.encode()
    if bitcoin:
        message = hashlib.sha256(_BITCOIN_MAGIC + _varint(len(message)) + message).digest()
    secret = pair.private.private_numbers().private_value.to_bytes(32)
    recoverable = PrivateKey(secret).sign_recoverable(message)  # hashes once itself
    return _base64(bytes([_UNCOMPRESSED_HEAD + recoverable[64]]) + recoverable[:64])


def _varint(number: int) -> bytes:
    if number < 0xFD:
        return bytes([number])
    return b"\xfd" + number.to_bytes(2, "little") if number < 1 << 16 else b"\xfe" + number.to_bytes(4, "little")


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _unbase64(text: str) -> bytes:
    """Standard alphabet with padding, one spelling per value; `ValueError` otherwise."""
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("not canonical base64")
    return raw
