"""How rows are chained, and how a chain is examined. Opens nothing.

    hash = SHA-256 of every field behind its length, then of the hash before
    mac  = HMAC of the hash, with the key of the row's UTC day

A field is the byte 0 when it is NULL, else the byte 1 and its text in UTF-8; its length is four bytes, big-endian. The
fields are seq, at, epoch, person_id, telegram_id, action, object, details. The first row continues 32 zero bytes and
has epoch 1.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from typing import Any, Final

from bot.audit.model import RESTORED, Anchor, Flaw, Head, Verdict, Wrong

FIRST: Final = bytes(32)
Code = Callable[[bytes, int], bytes]
"""A row's hash and its generation → its MAC."""
RawRow = tuple[Any, ...]
"""seq, at, epoch, person_id, telegram_id, action, object, details, prev, hash, mac. Texts may be bytes: in a log that
somebody has had their hands in, they need not be texts."""
_FLAWS_KEPT = 20
_MILLIS_OF_A_DAY = 86_400_000
_EPOCH_BEGAN = date(1970, 1, 1).toordinal()


def hash_of(fields: Iterable[object], prev: bytes) -> bytes:
    """The hash of a row that continues `prev`."""
    parts = []
    for field in fields:
        if field is None:
            parts.append(_NULL)
            continue
        text = field if isinstance(field, bytes) else str(field).encode()
        length = len(text)
        parts.append(_HEADS[length] if length < _READY else (length + 1).to_bytes(4, "big") + b"\x01")
        parts.append(text)
    parts.append(prev)
    return sha256(b"".join(parts)).digest()


_NULL: Final = b"\x00\x00\x00\x01\x00"
_READY: Final = 128
_HEADS: Final = [(length + 1).to_bytes(4, "big") + b"\x01" for length in range(_READY)]
"""What stands before a text of so many bytes; nearly all are that short, and reckoning it anew takes longer."""


def generation_of(at: int) -> int:
    """The UTC day of a row's time as yyyymmdd: which key its MAC is made with."""
    return _as_number(at // _MILLIS_OF_A_DAY)


@lru_cache(maxsize=4096)
def _as_number(day: int) -> int:
    found = date.fromordinal(_EPOCH_BEGAN + day)
    return found.year * 10_000 + found.month * 100 + found.day


@dataclass(frozen=True, slots=True)
class _Doubt:
    """An anchor that does not fit. Whether a restore excuses it shows at the end only."""

    place: int
    """Of its row, in reading order."""
    anchor: Anchor
    epoch: object
    """Of the row that stands there; None when there is none."""
    flaw: Flaw
    """What it is unless it is excused."""

    def is_excused(self, restores: Iterable[int]) -> bool:
        """Whether a restore took the anchor's row away.

        The anchor says its epoch, a later one began with a restore, and whatever stands there is of another epoch:
        within one epoch a number is given out once.
        """
        said = self.anchor.epoch
        return said is not None and said != self.epoch and any(later > said for later in restores)


class Examination:
    """Reads a chain once, from its first row to its last.

    One meddling is one flaw: after a bad row the next is held against what the bad one says of itself.
    """

    def __init__(self, code: Code, anchors: Iterable[Anchor] = ()) -> None:
        self._code = code
        self._anchors: dict[int, list[Anchor]] = {}
        for anchor in set(anchors):
            self._anchors.setdefault(anchor.seq, []).append(anchor)
        self._anchor_count = sum(map(len, self._anchors.values()))
        self._prev: Any = FIRST
        self._last: Any = 0
        self._epoch: Any = 1
        self._rows = 0
        self._restores: list[int] = []
        """The epochs that began with a restore."""
        self._flaws: list[tuple[int, Flaw]] = []
        """Each with the place of its row, in reading order."""
        self._flaw_count = 0
        self._doubts: list[_Doubt] = []

    def take(self, rows: Iterable[RawRow]) -> None:
        """The next rows, in their order."""
        code, anchors = self._code, self._anchors
        for row in rows:
            seq, at, epoch, _, _, action, _, _, prev, hashed, mac = row
            self._rows += 1
            try:
                if seq != self._last + 1:
                    self._note(seq, Wrong.MISSING if seq > self._last else Wrong.MISPLACED)
                elif hashed != hash_of(row[:8], prev):
                    self._note(seq, Wrong.CHANGED)
                elif prev != self._prev:
                    self._note(seq, Wrong.UNLINKED)
                elif mac != code(hashed, generation_of(at)):
                    self._note(seq, Wrong.FORGED)
                elif epoch != self._epoch:
                    self._new_epoch(seq, epoch, action)
                if seq in anchors:
                    self._compare(seq, hashed, epoch)
            except (TypeError, ValueError, OverflowError):
                self._note(seq, Wrong.UNREADABLE)
            self._prev, self._last, self._epoch = hashed, seq, epoch

    def end(self, counted: int | None = None) -> Verdict:
        """The verdict, after the last row.

        Args:
            counted: How many rows there are by another count; more than were taken are rows in hiding.
        """
        last = self._last if isinstance(self._last, int) else 0
        if counted is not None and counted != self._rows:
            self._note(last + 1, Wrong.HIDDEN)
        for seq in sorted(seq for seq in self._anchors if seq > last):
            self._compare(seq, None, None)
        left_behind = tuple(doubt.anchor for doubt in self._doubts if doubt.is_excused(self._restores))
        astray = [(doubt.place, doubt.flaw) for doubt in self._doubts if not doubt.is_excused(self._restores)]
        flaws = sorted([*self._flaws, *astray], key=itemgetter(0))[:_FLAWS_KEPT]
        head = Head(last, bytes(self._prev), self._epoch) if self._rows and isinstance(self._prev, bytes) else None
        return Verdict(
            self._rows,
            head,
            tuple(flaw for _, flaw in flaws),
            self._flaw_count + len(astray),
            self._anchor_count,
            left_behind,
        )

    def _new_epoch(self, seq: int, epoch: int, action: object) -> None:
        said = action if isinstance(action, bytes) else str(action).encode()
        if epoch > self._epoch and said == RESTORED.encode():
            self._restores.append(epoch)
        else:
            self._note(seq, Wrong.EPOCH)

    def _compare(self, seq: int, hashed: bytes | None, epoch: object) -> None:
        """Each anchor of a row, or of one that is not there."""
        wrong, place = (Wrong.CUT, self._rows + 1) if hashed is None else (Wrong.ANCHORED, self._rows)
        for anchor in self._anchors[seq]:
            if anchor.hash != hashed:
                self._doubts.append(_Doubt(place, anchor, epoch, self._flaw(seq, wrong)))

    def _note(self, seq: Any, wrong: Wrong) -> None:
        self._flaw_count += 1
        if len(self._flaws) < _FLAWS_KEPT:
            self._flaws.append((self._rows, self._flaw(seq, wrong)))

    def _flaw(self, seq: Any, wrong: Wrong) -> Flaw:
        number, last = (each if isinstance(each, int) else 0 for each in (seq, self._last))
        return Flaw(number, wrong, last)
