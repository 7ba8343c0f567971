"""A plan, drawn for whoever is about to ask for it."""

from collections.abc import Sequence

from bot.access.model import Person
from bot.approvals.model import Kind, Proof, Seat, circles_of, hash_of
from bot.approvals.prompting import strictest_because
from bot.approvals.wording import words_of
from bot.operations.moving.plans import Plan
from handlers.render.text import Taste, bold, literal, span

_LINE = 300
_NAMES = 6
_THEY_SHOW = {
    Proof.CODE: "Each of them shows a code of their second factor.",
    Proof.NUMBER: "Each of them picks the number that only your screen shows.",
}


def plan(wanted: Plan, taste: Taste, number: int | None, asker: int) -> str:
    """Everything there is to know before asking.

    Args:
        number: What to pick, where nobody else signs.
        asker: Our id of whoever is about to ask: they are part of what is hashed.
    """
    first, *others = wanted.lines
    spec = wanted.connection.spec
    head = f"{bold(spec.title)} · {wanted.connection.environment.upper()}"
    blocks = [
        "\n".join([head, f"<b>{literal(first, _LINE)}</b>", *(literal(line, _LINE) for line in others)]),
        "\n".join(_facts(wanted, taste)),
        _marks(wanted, asker),
        "\n".join(_terms(wanted, number)),
    ]
    return "\n\n".join(block for block in blocks if block)


def _facts(wanted: Plan, taste: Taste) -> list[str]:
    facts = []
    account = wanted.wish.parameters.get("account", "")
    if wanted.held is not None and wanted.held_at is not None:
        facts.append(f"{literal(account)} holds {taste.money(wanted.held)}, as of {taste.time(wanted.held_at)}.")
    elif wanted.wish.kind is Kind.TRANSFER:
        facts.append(f"What {literal(account)} holds could not be read just now.")
    if wanted.wish.kind is Kind.TRANSFER:
        facts.append(f"{literal(wanted.connection.spec.title)} does not tell its fee beforehand.")
    return facts


def _marks(wanted: Plan, asker: int) -> str:
    """What a request for exactly this will be known by, to be compared with what its signers see."""
    hashed = hash_of(wanted.wish.kind, asker, wanted.wish.parameters)
    same = " Whoever signs must see the same." if wanted.rule.seats else ""
    return f"Marked {words_of(hashed)} · {hashed[:8]}.{same}"


def _terms(wanted: Plan, number: int | None) -> list[str]:
    rule = wanted.rule
    name = f" (rule “{literal(rule.name)}”)" if rule.name else ""
    if not rule.seats:
        when = f"{span(rule.hold.total_seconds())} after you say so, and can be called off" if rule.hold else ""
        said = [f"Nobody else signs{name}: it is sent {when or 'as soon as you say so'}."]
        if rule.proof is Proof.CODE:
            said.append("You show a code of your second factor.")
        if number is not None:
            said.append(f"To send it, pick this number: {bold(str(number))}.")
        return said
    said = [f"Must sign{name}:", *(f"• {_seat(seat, wanted.signers)}" for seat in rule.seats)]
    said += strictest_because(rule, wanted.judged.case.amount)
    said += [_THEY_SHOW[rule.proof]] if rule.proof in _THEY_SHOW else []
    said.append(f"They have {span(rule.life.total_seconds())} for it.")
    if rule.hold:
        said.append(f"Then it waits {span(rule.hold.total_seconds())}, and can be called off.")
    return said


def _seat(seat: Seat, signers: Sequence[Person]) -> str:
    could = [one.name for one in signers if seat.circle in circles_of(one)]
    more = f" and {len(could) - _NAMES} more" if len(could) > _NAMES else ""
    named = (" or " if seat.count == 1 else ", ").join(could[:_NAMES])
    return f"{literal(seat_in_words(seat))}: {literal(named, _LINE)}{more}"


def seat_in_words(seat: Seat) -> str:
    """`2 of role/approver` → "2 approvers"; `1 of group/finance` → "1 of the group finance"."""
    kind, _, name = seat.circle.partition("/")
    if kind == "group":
        return f"{seat.count} of the group {name}"
    return f"{seat.count} {name}{'s' if seat.count > 1 else ''}"
