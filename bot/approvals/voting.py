"""What makes a vote impossible. Pure."""

from collections.abc import Container

from bot.access.model import Person
from bot.approvals.model import Decision, Request, State, hash_of
from bot.approvals.prompting import ended_as
from bot.errors import ConflictError, NotAllowedError


def check_vote(request: Request, person: Person, decision: Decision, seen: str, signers: list[Person]) -> None:
    """Everything that makes a vote impossible; `signers` are those of this transaction."""
    denying = (State.PENDING, State.APPROVED, State.HELD)
    check_unsent(request, denying if decision is Decision.DENY else (State.PENDING,))
    if request.hash != seen or request.hash != hash_of(request.kind, request.asked_by, request.parameters):
        raise ConflictError("this is not what you were shown; ask for it anew")
    if request.asked_by == person.id:
        raise NotAllowedError("decide on what you asked for yourself")
    if all(one.id != person.id for one in signers):
        raise NotAllowedError("decide on this request")
    if request.state is State.PENDING and any(vote.person_id == person.id for vote in request.votes):
        raise ConflictError("your decision on this is recorded already")


def check_unsent(request: Request, states: Container[State]) -> None:
    """`ConflictError` unless it is in one of these states, all of them before it is sent."""
    if request.state in (State.SENDING, State.ACKED):
        raise ConflictError("too late: it is being sent; /freeze stops what comes after it")
    if request.state not in states:
        raise ConflictError(f"this has ended ({ended_as(request)})")
