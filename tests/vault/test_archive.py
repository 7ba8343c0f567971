"""The form of a backup is final: frozen vectors, and every change to a file refused.

The vectors were reckoned apart from this program: AES block by block, GHASH and the key derivation written out by hand.
"""

import hashlib
import itertools
from collections.abc import Iterator

import msgspec
import pytest

from bot.errors import BackupUnreadableError
from bot.vault.archive import Header, opened, read_header, sealed

KEY = bytes(range(64, 96))
LINE = (
    '{{"format":"countersign backup 1","made_at":"2026-03-02T09:00:00.000Z","key":"ab12cd34",'
    '"install":"abcdefghijkmnpqr",'
    '"install_salt":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f","size":{size},'
    '"salt":"6465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80818283"}}\n'
)
CHUNK = 65_536
FRAME = 65_552
DAMAGED = "it is damaged or was cut short"


def header(size: int) -> Header:
    return msgspec.json.decode(LINE.format(size=size), type=Header)


def cut(text: bytes, size: int) -> Iterator[bytes]:
    return (text[start : start + size] for start in range(0, len(text), size))


def backup(text: bytes, *, says: int | None = None) -> bytes:
    return b"".join(sealed(KEY, header(len(text) if says is None else says), cut(text, CHUNK)))


def read(file: bytes, key: bytes = KEY) -> bytes:
    line, end, rest = file.partition(b"\n")
    return b"".join(opened(key, line + end, cut(rest, FRAME)))


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        (b"", "e661b080c8a2b8858082cd8ee8431b0b"),
        (b"the whole desk", "8ed614480a2d05bb3b8f36400e43f0e4d9596448869784f514fb74eeb320"),
    ],
)
def test_a_backup_is_written_and_read_as_frozen(text: bytes, frames: str) -> None:
    frozen = LINE.format(size=len(text)).encode() + bytes.fromhex(frames)
    assert backup(text) == frozen
    assert read(frozen) == text


def test_a_backup_of_two_frames_is_written_as_frozen() -> None:
    file = backup(b"x" * CHUNK + b"y")
    assert len(file) == 65_855
    assert file[-17:].hex() == "4cc58d3844377794869df2d23183264bc3"
    assert hashlib.sha256(file).hexdigest() == "62e16521f2f997c3b805d99d1c458422c7e63492856c520b4e1004643fca6d7f"


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_whatever_its_length_it_comes_back(size: int) -> None:
    text = bytes(range(256)) * (size // 256) + b"z" * (size % 256)
    assert read(backup(text)) == text


def test_every_flipped_bit_is_refused() -> None:
    whole = backup(b"the whole desk")
    for position, bit in itertools.product(range(len(whole)), range(8)):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << bit
        with pytest.raises(BackupUnreadableError):
            read(bytes(flipped))


def test_wherever_it_was_cut_short_it_is_refused() -> None:
    whole = backup(b"a" * CHUNK + b"b" * CHUNK + b"c" * 40)
    start = whole.index(b"\n") + 1
    ends = [0, 1, start - 1, start, start + 15, start + 16, start + FRAME - 1, start + FRAME, start + FRAME + 1]
    for end in (*ends, start + 2 * FRAME, len(whole) - 40, len(whole) - 1):
        with pytest.raises(BackupUnreadableError):
            read(whole[:end])


def test_frames_in_another_order_twice_or_left_out_are_refused() -> None:
    whole = backup(b"a" * CHUNK + b"b" * CHUNK + b"c" * CHUNK)
    line, _, rest = whole.partition(b"\n")
    first, second, third = cut(rest, FRAME)
    orders = ([second, first, third], [first, first, third], [first, third], [second, third], [first, second])
    for frames in (*orders, [first, second, third, third], [first, third, second]):
        with pytest.raises(BackupUnreadableError, match=DAMAGED):
            read(line + b"\n" + b"".join(frames))


def test_frames_of_another_backup_are_refused() -> None:
    ours = backup(b"a" * CHUNK + b"b")
    other = b"".join(
        sealed(KEY, msgspec.structs.replace(header(CHUNK + 1), salt="77" * 32), cut(b"a" * CHUNK + b"b", CHUNK))
    )
    start = ours.index(b"\n") + 1
    with pytest.raises(BackupUnreadableError, match=DAMAGED):
        read(ours[: start + FRAME] + other[start + FRAME :])
    with pytest.raises(BackupUnreadableError, match=DAMAGED):
        read(other[:start] + ours[start:])


def test_another_key_opens_nothing() -> None:
    with pytest.raises(BackupUnreadableError, match=DAMAGED):
        read(backup(b"the whole desk"), key=bytes(range(65, 97)))


def test_a_length_that_is_not_so_is_refused() -> None:
    with pytest.raises(BackupUnreadableError, match=DAMAGED):
        read(backup(b"the whole desk", says=13))


def test_chunks_of_another_size_are_not_sealed() -> None:
    for chunks in ([b"a", b"b"], [b"a" * (CHUNK + 1)]):
        with pytest.raises(ValueError, match="every chunk but the last"):
            list(sealed(KEY, header(2), chunks))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "no backup"),
        (b"SQLite format 3\x00", "no backup"),
        (b"[" * 1000, "no backup"),
        (b"{}\n", "no backup"),
        (LINE.format(size=1).replace('"salt":"64', '"salt":"zz').encode(), "no backup"),
        (LINE.format(size=1).replace('"salt":"64', '"salt":"').encode(), "header is damaged"),
        (LINE.format(size=-1).encode(), "header is damaged"),
        (LINE.format(size=1).replace("backup 1", "backup 2").encode(), "another version"),
    ],
)
def test_what_is_no_header_is_told_apart(line: bytes, why: str) -> None:
    with pytest.raises(BackupUnreadableError, match=why):
        read_header(line)
