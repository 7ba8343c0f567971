"""The form of a backup file. Pure; final from the first version, with frozen vectors in the tests.

    header line | frame 0 | frame 1 | … | last frame

The header is one line of JSON that anybody may read: whose desk it is, which master key opens it, when it was made. Its
`salt` gives every file a key of its own (HKDF-SHA256 from the key tree's backup key), so a frame's nonce can be its
number: `zeros 3 B | number 8 B, big-endian | 1 when it is the last, else 0`. A frame is AES-256-GCM over `CHUNK` bytes
of the text (the last one has what is left, perhaps nothing); its associated data is the header line. So a changed
header, a flipped bit, frames in another order, a missing one or a missing end each refuse to open.
"""

from collections.abc import Iterable, Iterator
from itertools import count

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.errors import BackupUnreadableError

FORMAT = "countersign backup 1"
CHUNK = 1 << 16
"""Bytes of the text in every frame but the last."""
FRAME = CHUNK + 16
"""Bytes of every frame but the last: the text and its tag."""
LONGEST_HEADER = 1024
SALT_BYTES = 32


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup says of itself."""

    format: str
    made_at: str
    """Aware UTC, as `2026-11-21T08:30:00.000Z`."""
    key: str
    """The master key's fingerprint."""
    install: str
    install_salt: str
    """64 hexadecimal digits. With `install` and the master key it makes the key tree."""
    size: int
    """Bytes of the text."""
    salt: str
    """64 hexadecimal digits, new for every file."""

    def as_line(self) -> bytes:
        """The first line of the file, its end included."""
        return msgspec.json.encode(self) + b"\n"


def read_header(line: bytes) -> Header:
    """The header from the first line of a file.

    Raises:
        BackupUnreadableError: It is no backup, or one of another version.
    """
    try:
        header = msgspec.json.decode(line, type=Header)
        salts = [bytes.fromhex(header.salt), bytes.fromhex(header.install_salt)]
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise BackupUnreadableError("this is no backup of a desk") from None
    if header.format != FORMAT:
        raise BackupUnreadableError("it was made by another version of this program")
    if header.size < 0 or any(len(salt) != SALT_BYTES for salt in salts):
        raise BackupUnreadableError("its header is damaged")
    return header


def sealed(key: bytes, header: Header, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The whole file, piece by piece. `chunks`: the text, `CHUNK` bytes in each but the last."""
    line = header.as_line()
    yield line
    cipher = _cipher(key, header)
    for number, chunk, last in _numbered(chunks):
        if len(chunk) != CHUNK and not (last and len(chunk) < CHUNK):
            raise ValueError(f"every chunk but the last has {CHUNK} bytes")
        yield cipher.encrypt(_nonce(number, last=last), chunk, line)


def opened(key: bytes, line: bytes, frames: Iterable[bytes]) -> Iterator[bytes]:
    """The text, piece by piece; only what came before an error is whole, and the end alone says that all of it is.

    Args:
        line: The header line, byte for byte.
        frames: What follows it, `FRAME` bytes in each piece but the last.
    Raises:
        BackupUnreadableError: Damaged or cut short, or the key is another one.
    """
    header = read_header(line)
    cipher = _cipher(key, header)
    size = 0
    for number, frame, last in _numbered(frames):
        try:
            chunk = cipher.decrypt(_nonce(number, last=last), frame, line)
        except InvalidTag:
            raise BackupUnreadableError("it is damaged or was cut short") from None
        size += len(chunk)
        yield chunk
    if size != header.size:
        raise BackupUnreadableError("it is damaged or was cut short")


def _cipher(key: bytes, header: Header) -> AESGCM:
    salt = bytes.fromhex(header.salt)
    return AESGCM(HKDF(SHA256(), 32, salt, b"countersign/v1/backup-file").derive(key))


def _nonce(number: int, *, last: bool) -> bytes:
    return bytes(3) + number.to_bytes(8, "big") + bytes([last])


def _numbered(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Each piece with its number and whether it is the last. None at all are one empty piece."""
    ahead = iter(pieces)
    piece = next(ahead, b"")
    for number in count():
        following = next(ahead, None)
        yield number, piece, following is None
        if following is None:
            return
        piece = following
