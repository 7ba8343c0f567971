"""The life of a request, as the table it is. Pure.

    PENDING → APPROVED → SENDING → (ACKED) → SUCCEEDED
       ↘ DENIED    ↘ HELD    ↘ FAILED (definitive)
       ↘ CANCELLED           ↘ UNKNOWN → SUCCEEDED | FAILED (by evidence) | SETTLED_BY_HAND (two people)
       ↘ EXPIRED

Approved or held it is still denied or called off, until it is being sent (M11, M71). An end is never left again (M08).
Nothing but proof leads back from SENDING to APPROVED (M03), and that once; a crash in SENDING or ACKED is
UNKNOWN (M04). What is done within this house is carried out in the transaction of the deciding vote and goes from
APPROVED to its end without being sent anywhere.
"""

from collections.abc import Mapping
from enum import StrEnum

from bot.approvals.model import State
from bot.errors import ConflictError


class Event(StrEnum):
    """What can happen to a request."""

    QUORUM_MET = "quorum met"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    HOLD_BEGUN = "hold begun"
    SEND_BEGUN = "send begun"
    PROVEN_NOT_SENT = "proven not sent"
    ACKNOWLEDGED = "acknowledged"
    OUTCOME_LOST = "outcome lost"
    DONE = "done"
    REFUSED = "refused"
    SETTLED = "settled by two people"


_S, _E = State, Event
TABLE: Mapping[tuple[State, Event], State] = {
    (_S.PENDING, _E.QUORUM_MET): _S.APPROVED,
    (_S.PENDING, _E.DENIED): _S.DENIED,
    (_S.PENDING, _E.EXPIRED): _S.EXPIRED,
    (_S.PENDING, _E.WITHDRAWN): _S.CANCELLED,
    (_S.APPROVED, _E.HOLD_BEGUN): _S.HELD,
    (_S.APPROVED, _E.SEND_BEGUN): _S.SENDING,
    (_S.APPROVED, _E.DONE): _S.SUCCEEDED,
    (_S.APPROVED, _E.REFUSED): _S.FAILED,
    (_S.APPROVED, _E.EXPIRED): _S.EXPIRED,
    (_S.APPROVED, _E.WITHDRAWN): _S.CANCELLED,
    (_S.APPROVED, _E.DENIED): _S.DENIED,
    (_S.HELD, _E.SEND_BEGUN): _S.SENDING,
    (_S.HELD, _E.WITHDRAWN): _S.CANCELLED,
    (_S.HELD, _E.DENIED): _S.DENIED,
    (_S.HELD, _E.EXPIRED): _S.EXPIRED,
    (_S.HELD, _E.REFUSED): _S.FAILED,
    (_S.SENDING, _E.PROVEN_NOT_SENT): _S.APPROVED,
    (_S.SENDING, _E.ACKNOWLEDGED): _S.ACKED,
    (_S.SENDING, _E.DONE): _S.SUCCEEDED,
    (_S.SENDING, _E.REFUSED): _S.FAILED,
    (_S.SENDING, _E.OUTCOME_LOST): _S.UNKNOWN,
    (_S.ACKED, _E.DONE): _S.SUCCEEDED,
    (_S.ACKED, _E.REFUSED): _S.FAILED,
    (_S.ACKED, _E.OUTCOME_LOST): _S.UNKNOWN,
    (_S.UNKNOWN, _E.DONE): _S.SUCCEEDED,
    (_S.UNKNOWN, _E.REFUSED): _S.FAILED,
    (_S.UNKNOWN, _E.SETTLED): _S.SETTLED_BY_HAND,
}
ENDS = frozenset(State) - {state for state, _ in TABLE}


def after(state: State, event: Event) -> State:
    """The next state. `ConflictError` when that cannot happen to a request in this one."""
    try:
        return TABLE[state, event]
    except KeyError:
        raise ConflictError(f"a request that is {state} cannot be {event}") from None


def drawn() -> str:
    """The table as text, one line for each state that is not an end. `python -m bot.approvals.machine` prints it."""
    width = max(len(state) for state, _ in TABLE)
    lines = []
    for state in State:
        ways = [f"{event} → {next_}" for (here, event), next_ in TABLE.items() if here is state]
        if ways:
            lines.append(f"{state:<{width}}  {', '.join(ways)}")
    return "\n".join([*lines, f"{'ends':<{width}}  {', '.join(state for state in State if state in ENDS)}"])


if __name__ == "__main__":
    print(drawn())  # noqa: T201  # for whoever writes the README
