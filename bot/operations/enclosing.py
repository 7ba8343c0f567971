"""Remarks and files that people add to a request. Whoever signs it sees them on their card.

What kind of file it is, its content says and not its name: nothing else than a few harmless kinds is kept.
"""

import csv
import hashlib
import io
import re

from bot.access.model import Person, Right
from bot.access.service import people_in
from bot.approvals import enclosures, records
from bot.approvals.enclosures import Enclosure, Remark
from bot.approvals.model import Request
from bot.approvals.service import Approvals
from bot.clock import Clock
from bot.errors import ConflictError, InputError, NotAllowedError, NotFoundError
from bot.logs import redact
from bot.ports import Deed, Recorder
from bot.store import Database, Tables

MOST_BYTES = 2 << 20
MOST_FILES = 10
MOST_BYTES_IN_ALL = 512 << 20
"""All files of all requests: the database holds them."""
REMARK_LENGTH = 500
NAME_LENGTH = 80
_ENDINGS = {
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "text/plain": ".txt",
    "text/csv": ".csv",
}
_UNFIT = re.compile(r"[^\w .()+,-]")
_EXAMPLE = "/attach abcdefghij, then a PDF"


class Enclosing:
    """The verbs."""

    def __init__(self, database: Database, approvals: Approvals, audit: Recorder, clock: Clock) -> None:
        self._database = database
        self._approvals = approvals
        self._audit = audit
        self._clock = clock

    async def open(self, by: Person, request_id: str) -> Request:
        """The request, if this person may add to it.

        Raises:
            NotFoundError, NotAllowedError: It is not there, or not theirs to add to.
            ConflictError: It has as many files as it may.
        """

        def look(tables: Tables) -> Request:
            request = _request(tables, by, request_id)
            _check_room(tables, request, 0)
            return request

        return await self._database.read(look)

    async def note(self, by: Person, request_id: str, text: str, *, telegram_id: int) -> Request:
        """Keep a remark. As `open`, and `InputError` for one that is empty or too long."""
        said = redact(" ".join(text.split()))
        if not 0 < len(said) <= REMARK_LENGTH:
            raise InputError(
                f"a note has 1 to {REMARK_LENGTH} characters, and this one has {len(said)}",
                "/note abcdefghij The invoice is attached",
            )

        def change(tables: Tables) -> Request:
            request = _request(tables, by, request_id)
            enclosures.add_remark(tables, request.id, Remark(by.id, self._clock.now(), said))
            self._note(tables, "request.remarked", request, by, telegram_id, {"text": said})
            self._approvals.redrawing(tables, request)
            return request

        return await self._database.write(change)

    async def attach(self, by: Person, request_id: str, name: str, content: bytes, *, telegram_id: int) -> Enclosure:
        """Keep a file.

        Raises:
            InputError: Too large, empty, or of no kind that is kept.
            NotFoundError, NotAllowedError, ConflictError: As `open`.
        """
        media_type = media_type_of(content)
        now = self._clock.now()
        digest = hashlib.sha256(content).hexdigest()
        file = Enclosure(0, by.id, now, _name(name, media_type), media_type, digest, len(content))

        def change(tables: Tables) -> Enclosure:
            request = _request(tables, by, request_id)
            _check_room(tables, request, len(content))
            if any(one.sha256 == digest for one in enclosures.files_of(tables, request.id)):
                raise ConflictError("this very file is attached already")
            enclosures.add_file(tables, request.id, file, content)
            details: dict[str, str | int] = {"name": file.name, "sha256": digest, "bytes": len(content)}
            self._note(tables, "request.file_attached", request, by, telegram_id, details)
            self._approvals.redrawing(tables, request)
            return file

        return await self._database.write(change)

    def _note(
        self,
        tables: Tables,
        action: str,
        request: Request,
        by: Person,
        telegram_id: int,
        details: dict[str, str | int],
    ) -> None:
        self._audit.record(tables, Deed(action, f"request/{request.id}", by.id, telegram_id, details))


def media_type_of(content: bytes) -> str:
    """What a file is, by its content. `InputError` for nothing that is kept."""
    if len(content) > MOST_BYTES:
        raise InputError(f"a file has at most {MOST_BYTES >> 20} MiB", _EXAMPLE)
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    if not text.strip() or any(character < " " and character not in "\t\r\n" for character in text):
        raise InputError("only PDF, PNG, JPEG, plain text and CSV files are kept", _EXAMPLE)
    return "text/csv" if _is_table(text) else "text/plain"


def _is_table(text: str) -> bool:
    """Whether every line has the same number of cells, and more than one."""
    for delimiter in ",;\t":
        try:
            widths = {len(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row}
        except csv.Error:
            continue
        if len(widths) == 1 and widths != {1} and text.strip().count("\n"):
            return True
    return False


def _name(name: str, media_type: str) -> str:
    """Letters, digits and a few marks, and the ending that its content calls for."""
    stem = _UNFIT.sub("_", name.rpartition("/")[2].rpartition("\\")[2])
    ending = _ENDINGS[media_type]
    stem = (stem.rpartition(".")[0] or stem).strip(" .")[: NAME_LENGTH - len(ending)]
    return f"{stem or 'file'}{ending}"


def _request(tables: Tables, by: Person, request_id: str) -> Request:
    """`NotAllowedError` unless they asked for it, or decide on such things. The person as of this transaction."""
    request = records.read(tables, request_id)
    person = next((one for one in people_in(tables) if one.id == by.id), None)
    if person is None:
        raise NotFoundError("request", request_id)
    if request.asked_by != person.id and not person.may(Right.DECIDE):
        raise NotAllowedError("add to a request of somebody else")
    return request


def _check_room(tables: Tables, request: Request, more: int) -> None:
    if len(enclosures.files_of(tables, request.id)) >= MOST_FILES:
        raise ConflictError(f"request {request.id} has {MOST_FILES} files, and no more are kept")
    if enclosures.kept_bytes(tables) + more > MOST_BYTES_IN_ALL:
        raise ConflictError("this desk keeps no more files: an admin has to look after its disk first")
