"""The audit log as people read it: `09:14 Anna unlinked capital/main`; and whether it is whole."""

import re
from collections.abc import Mapping

from bot.approvals.wording import words_of
from bot.audit.anchors import text_of
from bot.audit.model import Flaw, Row, Selection, Verdict, Wrong
from bot.operations.auditing import Page
from bot.operations.turned_away import STRANGER
from handlers.render.text import Taste, bold, literal

_SENTENCE = 110
_DETAILS = 70
_VERBS = {
    "request.asked": "asked for",
    "person.invited": "invited somebody with",
    "audit.exported": "took a file of",
    "request.withdrawn": "withdrew",
    "request.remarked": "wrote a note on",
    "request.file_attached": "attached a file to",
    "request.repeatable": "may ask again for",
    "request.number_missed": "picked a wrong number for",
    "role.granted": "gave a role to",
    "role.taken": "took a role from",
}
"""Where the deed's own word does not read well before its object."""
_DONE_TO_THINGS = frozenset({"person", "request", "connection"})
"""A deed of one of these is something that a person does to it; any other is told with its own noun."""
_THINGS = {"audit": "the audit log", "data_keys": "the data keys", "key": "the key"}
_SAID_ELSEWHERE = frozenset({"via", "for_person", "hash", "shown", "message", "totp_step"})
_MINUTES = frozenset({("quiet.changed", "from"), ("quiet.changed", "until")})
"""Details that are minutes since midnight."""
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
"""What a file of rows shows: evidence that is compared, and what the sentence says already."""


def page(found: Page, taste: Taste) -> str:
    """One message: the days, newest first, and below each what was done."""
    blocks = [_title(found.selection, found.names, taste)]
    day = ""
    for row in found.rows:
        if (here := _day(row, taste)) != day:
            day = here
            blocks.append(f"\n{bold(day)}")
        blocks.append(_line(row, found.names, taste))
    if not found.rows:
        blocks.append("Nothing was recorded that fits.")
    else:
        numbers = sorted({found.rows[-1].seq, found.rows[0].seq})
        blocks.append(f"\nRow{'s' if len(numbers) > 1 else ''} {'–'.join(map(str, numbers))}")
    return "\n".join(blocks)


def _title(selection: Selection, names: Mapping[int, str], taste: Taste) -> str:
    about = []
    if selection.person_id is not None:
        about.append(names.get(selection.person_id, f"person {selection.person_id}"))
    if selection.object is not None:
        about.append(_thing(selection.object, names))
    if selection.since is not None:
        about.append(selection.since.astimezone(taste.zone).strftime("%Y-%m-%d"))
    return " · ".join([bold("Audit log"), *map(literal, about)])


def _day(row: Row, taste: Taste) -> str:
    return row.at.astimezone(taste.zone).strftime("%Y-%m-%d %Z")


def _line(row: Row, names: Mapping[int, str], taste: Taste) -> str:
    when = row.at.astimezone(taste.zone).strftime("%H:%M")
    details = ", ".join([*_words(row), *_details(row)])
    said = f"{when} {literal(sentence(row, names), _SENTENCE)}"
    return f"{said} · <i>{literal(details, _DETAILS)}</i>" if details else said


def _details(row: Row) -> list[str]:
    return [
        f"{name.replace('_', ' ')} {_clock(value) if (row.action, name) in _MINUTES else value}"
        for name, value in row.details.items()
        if name not in _SAID_ELSEWHERE
    ]


def _clock(value: object) -> object:
    """`1320` → `22:00`."""
    return f"{value // 60:02d}:{value % 60:02d}" if isinstance(value, int) else value


def _words(row: Row) -> list[str]:
    """The three words of the request's content that a row is about; they stand first, where no cut reaches them."""
    hashed = row.details.get("hash")
    is_hash = isinstance(hashed, str) and row.object.startswith("request/") and _HASH.fullmatch(hashed)
    return [words_of(str(hashed))] if is_hash else []


def sentence(row: Row, names: Mapping[int, str]) -> str:
    """Who did what, as plain text."""
    noun, _, word = row.action.replace("_", " ").partition(".")
    verb = _VERBS.get(row.action) or (word if noun in _DONE_TO_THINGS else "")
    if row.object == STRANGER:
        return f"a stranger ({row.telegram_id}) was {word}"
    thing, who = _thing(row.object, names), _who(row, names)
    if not who:
        of_a_person = row.object.startswith("person/") and noun != "person"
        return f"{thing}: {noun} {word}" if of_a_person else f"{thing}: {word}"
    own = row.person_id is not None and row.object == f"person/{row.person_id}"
    if row.person_id is None:
        return f"{who}: {verb} {thing}" if verb else f"{who}: {noun} {word} ({thing})"
    if verb:
        return f"{who} {verb}" if own and row.action not in _VERBS else f"{who} {verb} {thing}"
    return f"{who}: {noun} {word}" if own else f"{who}: {noun} {word} ({thing})"


def _who(row: Row, names: Mapping[int, str]) -> str:
    """Whoever did it; empty when it came about by itself."""
    if row.person_id is not None:
        return names.get(row.person_id, f"person {row.person_id}")
    if row.details.get("via") != "terminal":
        return ""
    owner = row.details.get("for_person")
    whose = f", for {names.get(owner, f'person {owner}')}" if isinstance(owner, int) else ""
    return f"at the host's terminal{whose}"


def _thing(object_: str, names: Mapping[int, str]) -> str:
    """`person/3`, `request/abc`, `role/viewer` → words; a connection's name and the like stay."""
    kind, _, which = object_.partition("/")
    if kind == "person" and which.isascii() and which.isdecimal():
        return names.get(int(which[:18]), f"person {which}")
    if kind in ("request", "role", "group"):
        return f"{'the role' if kind == 'role' else kind} {which}"
    return _THINGS.get(object_, object_)


def verdict(found: Verdict, *, anchors_lost: bool = False) -> list[str]:
    """What an examination found, in plain lines for a terminal; the first bad row first.

    `anchors_lost`: the configured anchors ought to be there by now and could not be compared.
    """
    if found.head is None and not found.rows:
        lines = ["The audit log is empty."]
    else:
        head = f", up to {text_of(found.head)}" if found.head else ""
        lines = [f"{found.rows:,} rows{head}."]
    if found.left_behind:
        lines.append(
            f"{len(found.left_behind)} anchor(s) are of rows that a restore took away; the log says when that was."
        )
    if found.vouched:
        upto = f"Rows 1 to {found.vouched:,} were" if found.vouched > 1 else "Row 1 was"
        lines.append(
            f"{upto} written under a master key that was lost: this key cannot make their codes again. "
            f"Row {found.vouched + 1:,}, which says so, has its code and is chained to them."
        )
    if not found.anchors:
        lines.append("No anchor was compared, so rows cut from the end would not show.")
    if found.is_whole and anchors_lost:
        return [*lines, _ANCHORS_LOST]
    if found.is_whole:
        compared = found.anchors - len(found.left_behind)
        return [*lines, f"The audit log is whole{f'; {compared} anchor(s) fit' if compared else ''}."]
    first, *others = found.flaws
    lines.append(f"The audit log is NOT whole. The first bad row is {first.seq}: {_flaw(first)}.")
    lines += [f"Row {flaw.seq}: {_flaw(flaw)}." for flaw in others]
    unsaid = found.flaw_count - len(found.flaws)
    return [*lines, f"And {unsaid} more."] if unsaid else lines


_ANCHORS_LOST = (
    "The rows that are there fit together, but whether some were cut from the end cannot be said: this log is more "
    "than an hour old, and the anchors that belong to it are not there. If the bot has not run since the file was "
    "named in the configuration, start it and ask again. If it has, find out what became of the file, "
    "and compare a copy of it with --anchors, or the last daily head with --anchor."
)
_FLAWS = {
    Wrong.MISPLACED: "it stands where another row belongs",
    Wrong.UNREADABLE: "it cannot be read",
    Wrong.CHANGED: "it is not what was written",
    Wrong.UNLINKED: "it does not continue the row before it",
    Wrong.FORGED: "its code was not made with this install's key of that day",
    Wrong.EPOCH: "the epoch changes here, and neither a restore nor a recovery was recorded",
    Wrong.ANCHORED: "an anchor remembers another row (one from before a restore must say its epoch, as seq:hash:epoch)",
    Wrong.HIDDEN: "there are more rows than can be read in their order",
}


def _flaw(flaw: Flaw) -> str:
    if flaw.wrong is Wrong.MISSING:
        gone = f"row {flaw.last + 1} is" if flaw.seq == flaw.last + 2 else f"rows {flaw.last + 1} to {flaw.seq - 1} are"
        return f"{gone} missing before it"
    if flaw.wrong is Wrong.CUT:
        return f"an anchor remembers it, and the log ends with row {flaw.last}"
    return _FLAWS[flaw.wrong]
