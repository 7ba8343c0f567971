"""Requests, drawn: everything about one, and the list of those there were."""

from bot.approvals.model import Decision, Proof, Request, Seat, State, Vote
from bot.approvals.prompting import ended_as, marks, state_in_words, upper, why_strictest
from bot.operations.dossiers import PAGE, Dossier, Found
from bot.operations.moving.records import Sending, Sighting
from handlers.render.plans import seat_in_words
from handlers.render.text import Taste, bold, literal

_LINE = 400
_SIGHTINGS = 5
_REMARKS = 10
_LEFT = "somebody who left"
_PROOFS = {Proof.CODE: " with a code", Proof.NUMBER: " with the number"}
_UNKNOWN = (
    "It was sent, and nobody knows yet what became of it. The provider is asked again and again, and you are told. "
    "Do not send it again, by whatever way."
)


def request(about: Dossier, lines: tuple[str, ...], taste: Taste) -> list[str]:
    """One block for each thing there is to know."""
    one = about.request
    asked = (*lines, *why_strictest(one), *marks(one))
    state = literal(upper(ended_as(one) if one.outcome else state_in_words(one.state)), _LINE)
    blocks = [
        "\n".join([bold(f"Request {one.id}"), *(literal(line, _LINE) for line in asked)]),
        "\n".join([f"{bold(state)}.", *_when(about, taste)]),
        "\n".join([*_votes(about, taste), *_waits(about)]),
        _UNKNOWN if one.state is State.UNKNOWN else "",
        "\n".join(_sent(each, taste) for each in about.sendings),
        "\n".join(_seen(each, taste) for each in about.sightings[-_SIGHTINGS:]),
        "\n".join(
            f"{literal(about.names.get(each.person_id, _LEFT))}, {taste.date_time(each.at)}: {literal(each.text, 500)}"
            for each in about.remarks[-_REMARKS:]
        ),
    ]
    return [block for block in blocks if block]


def _when(about: Dossier, taste: Taste) -> list[str]:
    one = about.request
    said = [f"Asked for by {literal(about.names.get(one.asked_by, _LEFT))}, {taste.date_time(one.asked_at)}."]
    if one.state is State.PENDING:
        said.append(f"Open until {taste.date_time(one.expires_at)}.")
    if one.state is State.HELD and one.held_until is not None:
        said.append(f"It waits until {taste.date_time(one.held_until)}, and can be called off.")
    if one.rule.name:
        said.append(f"Rule: {literal(one.rule.name)}.")
    return said


def _votes(about: Dossier, taste: Taste) -> list[str]:
    return [_vote(each, about.names.get(each.person_id, _LEFT), taste) for each in about.request.votes]


def _vote(vote: Vote, name: str, taste: Taste) -> str:
    mark, done = ("✓", "approved") if vote.decision is Decision.APPROVE else ("✗", "denied")
    return f"{mark} {literal(name)} {done}{_PROOFS.get(vote.proof, '')}, {taste.date_time(vote.at)}."


def _waits(about: Dossier) -> list[str]:
    one = about.request
    if one.state is not State.PENDING:
        return []
    needed = " and ".join(seat_in_words(Seat(seat.circle, seat.count)) for seat in one.rule.seats)
    could = ", ".join(each.name for each in about.could_sign) or "nobody"
    return [f"Needed: {literal(needed, _LINE)}. Could still sign: {literal(could, _LINE)}."]


def _sent(each: Sending, taste: Taste) -> str:
    which = "" if each.attempt == 1 else ", the second time"
    came = f": {each.outcome.value}" if each.outcome is not None else ""
    code = f" ({literal(each.detail or each.code, 200)})" if each.detail or each.code else ""
    return f"Sent {taste.date_time(each.begun_at)}{which} as {literal(each.reference, 100)}{came}{code}."


def _seen(each: Sighting, taste: Taste) -> str:
    more = f" Alike: {literal(', '.join(each.alike), 200)}." if each.alike else ""
    more += f" Differing: {literal(', '.join(each.differing), 200)}." if each.differing else ""
    return f"Looked {taste.date_time(each.at)}: {literal(each.detail or each.outcome.value, 200)}.{more}"


def history(found: Found, said: dict[str, tuple[str, ...]], taste: Taste, *, is_all: bool = False) -> str:
    """One page of the list. `said`: the lines of each request; `is_all`: nothing was looked for."""
    if not found.there_are:
        none_fits = "No request fits. /history shows all that concern you."
        return "There has been no request yet that concerns you." if is_all else none_fits
    last = found.first + len(found.rows)
    head = f"{bold('Requests')} {found.first + 1}–{last} of {found.there_are}, newest first"
    return "\n\n".join([head, *(_row(one, said[one.id], found.names, taste) for one in found.rows)])


def _row(one: Request, lines: tuple[str, ...], names: dict[int, str], taste: Taste) -> str:
    asker = literal(names.get(one.asked_by, _LEFT))
    return "\n".join(
        [
            f"<code>{one.id}</code> · {taste.date_time(one.asked_at)} · {asker}",
            *(literal(line, 200) for line in lines[:3]),
            f"<i>{literal(upper(ended_as(one)), 200)}</i>",
        ]
    )


def has_more(found: Found) -> bool:
    """Whether older ones follow."""
    return found.first + PAGE < found.there_are
