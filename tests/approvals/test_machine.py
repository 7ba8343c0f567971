"""Every state × every event: what happens, by hand."""

import pytest

from bot.approvals.machine import ENDS, Event, after
from bot.approvals.model import State
from bot.errors import ConflictError

LIFE = """
pending   quorum met             approved
pending   denied                 denied
pending   expired                expired
pending   withdrawn              cancelled
approved  hold begun             held
approved  send begun             sending
approved  done                   succeeded
approved  refused                failed
approved  expired                expired
approved  withdrawn              cancelled
approved  denied                 denied
held      send begun             sending
held      withdrawn              cancelled
held      denied                 denied
held      expired                expired
held      refused                failed
sending   proven not sent        approved
sending   acknowledged           acked
sending   done                   succeeded
sending   refused                failed
sending   outcome lost           unknown
acked     done                   succeeded
acked     refused                failed
acked     outcome lost           unknown
unknown   done                   succeeded
unknown   refused                failed
unknown   settled by two people  settled_by_hand
"""
EXPECTED = {(line[:10].strip(), line[10:33].strip()): line[33:].strip() for line in LIFE.strip("\n").splitlines()}


@pytest.mark.parametrize("event", list(Event))
@pytest.mark.parametrize("state", list(State))
def test_each_state_takes_each_event_as_written_here_or_refuses_it(state: State, event: Event) -> None:
    expected = EXPECTED.get((state.value, event.value))
    if expected is None:
        with pytest.raises(ConflictError, match=f"a request that is {state} cannot be {event}"):
            after(state, event)
    else:
        assert after(state, event).value == expected


def test_these_are_the_ends_and_nothing_leads_out_of_them() -> None:
    assert {state.value for state in ENDS} == {
        "succeeded", "failed", "denied", "expired", "cancelled", "settled_by_hand"
    }  # fmt: skip


def test_a_send_whose_outcome_is_not_known_is_never_simply_tried_again() -> None:
    for state in (State.SENDING, State.ACKED, State.UNKNOWN):
        with pytest.raises(ConflictError):
            after(state, Event.SEND_BEGUN)
