"""What was learnt of a request while the database did not take it, in a file beside it that only grows (R43).

It proves nothing by itself: whoever can write there could say anything. After a crash the provider is asked, as always;
what was spilled is kept with the request's other answers, for people. Every word is masked before it is written.
"""

import json
import logging
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from bot.clock import Clock, from_millis, to_millis
from bot.logs import redact
from bot.operations.moving.records import Asked, keep_answer
from bot.providers.acts import Receipt
from bot.store import Tables

_log = logging.getLogger(__name__)


class Spill:
    """The file; it appears with its first line."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def hold(self, request_id: str, receipt: Receipt, heard: str) -> None:
        """One line, on disk when this returns; a disk that refuses this too is told of in the log."""
        said = (f"{receipt.outcome.value} {receipt.reference} {receipt.code} {receipt.detail}", *heard.splitlines())
        line = {"request": request_id, "at": to_millis(self._clock.now()), "said": [redact(one) for one in said]}
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, f"{json.dumps(line)}\n".encode())
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            _log.warning("evidence is in memory only", extra={"request": request_id, "error": error.strerror})

    def take_in(self, tables: Tables) -> None:
        """At the start, before what was being sent becomes unknown: of that, it goes among the answers."""
        for request_id, when, text in self._lines():
            being_sent = "SELECT 1 FROM requests WHERE id = ? AND state = 'sending'"
            if tables.conn.execute(being_sent, (request_id,)).fetchone() is not None:
                keep_answer(tables, request_id, Asked.SENT, text, when)

    def _lines(self) -> Iterator[tuple[str, datetime, str]]:
        """A line that was cut short, or is not one of ours, is passed over."""
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        for line in text.splitlines():
            try:
                kept = json.loads(line)
                number, said = str(kept["request"]), "\n".join(map(str, kept["said"]))
                f"{number}{said}".encode()  # a row takes no half of a pair
                yield number, from_millis(int(kept["at"])), said
            except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
                _log.warning("a line of spilled evidence cannot be read")
