"""What is reserved is never above a limit, whatever happens at once and in whichever order (SAFETY F28, M80; goal G06).

A history is asked for by two people, through two connections, in two currencies, over days on which the clocks change;
what is asked for side by side is queued side by side. The expectation is added up by hand from the rows: whole cents,
a list of states, and Zurich's offset in 2026 as the newspaper has it.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bot.approvals.machine import TABLE, Event
from bot.approvals.model import Decision, Request, State
from bot.approvals.service import Wish
from bot.errors import CountersignError, PolicyRefusedError
from bot.store import Database
from tests.support.clock import HandClock
from tests.support.guarded import ANNA, ARNO, OLGA, OSCAR, Guarded

POLICY = """
zone = "Europe/Zurich"

[[rules]]
name = "one signs"
tier = "quorum"
needs = ["role/approver"]
life = "6h"

[[limits]]
name = "at once"
currency = "USD"
amount = "60"
per = "person"
window = "transaction"

[[limits]]
name = "person"
currency = "USD"
amount = "100"
per = "person"
window = "24h"

[[limits]]
name = "connection"
currency = "USD"
amount = "110.50"
per = "connection"
window = "day"

[[limits]]
name = "desk"
currency = "USD"
amount = "150"
per = "desk"
window = "24h"

[[limits]]
name = "euros"
currency = "EUR"
amount = "80"
per = "desk"
window = "day"
"""
COUNTING = {"pending", "approved", "held", "sending", "acked", "unknown", "succeeded"}
RELEASING = {"denied", "expired", "cancelled", "failed"}
SPRING, AUTUMN = datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)
STARTS = (
    datetime(2026, 3, 28, 22, 30, tzinfo=UTC),  # half an hour before the day with 23 hours
    datetime(2026, 3, 29, 21, 45, tzinfo=UTC),  # a quarter of an hour before its end
    datetime(2026, 10, 24, 21, 30, tzinfo=UTC),  # before the one with 25
    datetime(2026, 10, 25, 22, 30, tzinfo=UTC),
    datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
)
PASSING = (0.001, 60, 1800, 5400, 21_600, 43_200, 82_799.999, 82_800, 86_399.999, 86_400, 86_400.001, 90_000)
PEOPLE, LABELS = (OLGA, OSCAR), ("main", "second")


def day_in_zurich(moment: datetime) -> date:
    """By hand: one hour ahead in winter, two in summer."""
    return (moment + timedelta(hours=2 if SPRING <= moment < AUTUMN else 1)).date()


@dataclass(frozen=True)
class Row:
    """One request as its rows tell it."""

    id: str
    state: str
    counts: int
    person: int
    connection: str
    cents: int
    currency: str
    at: datetime


def sums(rows: list[Row], now: datetime) -> dict[str, int]:
    """By limit and owner: the cents that lie in its window at `now`."""
    found: dict[str, int] = {}
    for row in rows:
        recent, today = now - row.at < timedelta(hours=24), day_in_zurich(row.at) == day_in_zurich(now)
        windows = {
            f"person {row.person}": row.currency == "USD" and recent,
            f"connection {row.connection}": row.currency == "USD" and today,
            "desk": row.currency == "USD" and recent,
            "euros": row.currency == "EUR" and today,
        }
        for name, is_in in windows.items():
            found[name] = found.get(name, 0) + (row.cents if is_in else 0)
    return found


MOST = {"person": 10_000, "connection": 11_050, "desk": 15_000, "euros": 8_000}
AT_ONCE = 6_000


def _cents(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


@dataclass(frozen=True)
class Ask:
    """What somebody wants."""

    person: int
    connection: int
    cents: int
    currency: str


ASKS = st.builds(
    Ask,
    st.sampled_from(PEOPLE),
    st.integers(0, 1),
    st.one_of(st.sampled_from((4_000, 5_000, 5_050, 6_000, 6_001, 3_000, 1)), st.integers(1, 6_500)),
    st.sampled_from(("USD", "USD", "USD", "EUR")),
)


class Histories(RuleBasedStateMachine):
    """One desk's days."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.template.parent))
        shutil.copy(self.template, self.folder / "desk.sqlite")
        self.runner = asyncio.Runner()
        self.clock = HandClock()
        self.desk: Guarded = self.runner.run(self._opened())
        self.asked = 0
        self.moved: dict[str, bool] = {}

    async def _opened(self) -> Guarded:
        desk = Guarded(await Database.open(self.folder / "desk.sqlite"), self.clock)
        await desk.access.refresh()
        return desk

    def teardown(self) -> None:
        self.runner.run(self.desk.database.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    # what happens

    @initialize(start=st.sampled_from(STARTS))
    def a_day_begins(self, start: datetime) -> None:
        self.clock.moment = start

    @rule(wishes=st.lists(ASKS, min_size=1, max_size=6))
    def ask_side_by_side(self, wishes: list[Ask]) -> None:
        """What is refused would have been too much, with what was let in before or beside it."""
        outcomes = self.runner.run(self._gathered([partial(self._ask, one) for one in wishes]))
        kept = sums(self._reserved(), self.clock.now())
        for one, outcome in zip(wishes, outcomes, strict=True):
            if isinstance(outcome, PolicyRefusedError):
                assert self._too_much(one, kept), f"{one} was refused although there is room: {outcome}"

    @rule(
        wishes=st.lists(ASKS, max_size=3),
        changes=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=4),
    )
    def ask_while_others_go_on(self, wishes: list[Ask], changes: list[tuple[int, int]]) -> None:
        """Requests are signed, denied, sent, lost and settled in the same moment as new ones come."""
        live = [row for row in self.rows() if any(state.value == row.state for state, _ in TABLE)]
        acts: list[Callable[[], Any]] = [partial(self._ask, one) for one in wishes]
        for which, what in changes:
            if live:
                acts.insert(what % (len(acts) + 1), partial(self._go_on, live[which % len(live)], what))
        self.runner.run(self._gathered(acts))

    @rule(seconds=st.sampled_from(PASSING), looked=st.booleans())
    def time_passes(self, seconds: float, looked: bool) -> None:
        self.runner.run(self.clock.move(seconds))
        if looked:
            self.runner.run(self.desk.approvals.expire())

    # what holds

    @invariant()
    def nothing_is_above_its_limit(self) -> None:
        reserved = self._reserved()
        for name, cents in sums(reserved, self.clock.now()).items():
            assert cents <= MOST[name.partition(" ")[0]], (name, cents, reserved)
        for row in reserved:
            assert row.currency != "USD" or row.cents <= AT_ONCE

    @invariant()
    def what_is_stored_is_what_is_added_up(self) -> None:
        """UNKNOWN keeps its share; what had no effect has none; what was settled by hand as two people said."""
        for row in self.rows():
            if row.state == "settled_by_hand":
                assert row.counts == int(self.moved[row.id])
            else:
                assert row.counts == (1 if row.state in COUNTING else 0), row
                assert (row.state in COUNTING) != (row.state in RELEASING)

    # hands

    def rows(self) -> list[Row]:
        found = self.runner.run(
            self.desk.rows(
                "SELECT requests.id, state, counts, cases.person_id, connection, cases.amount, cases.currency,"
                " cases.at, requests.amount, requests.currency, asked_by, asked_at"
                " FROM requests JOIN cases ON cases.request_id = requests.id"
            )
        )
        for row in found:
            assert (row[5], row[6], row[3], row[7]) == row[8:12], "a case says something else than its request"
        return [
            Row(
                row[0],
                row[1],
                row[2],
                row[3],
                row[4],
                _cents(row[5]),
                row[6],
                datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=row[7]),
            )
            for row in found
        ]

    def _reserved(self) -> list[Row]:
        return [row for row in self.rows() if row.state in COUNTING or self.moved.get(row.id)]

    def _too_much(self, one: Ask, kept: dict[str, int]) -> bool:
        if one.currency == "EUR":
            return kept.get("euros", 0) + one.cents > MOST["euros"]
        person = self.desk.person(one.person).id
        return one.cents > AT_ONCE or any(
            kept.get(name, 0) + one.cents > MOST[name.partition(" ")[0]]
            for name in (f"person {person}", f"connection cryptocapital/{LABELS[one.connection]}", "desk")
        )

    async def _gathered(self, acts: list[Callable[[], Any]]) -> list[Any]:
        found = await asyncio.gather(*(act() for act in acts), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException) and not isinstance(one, CountersignError):
                raise one
        return found

    async def _ask(self, one: Ask) -> Request:
        self.asked += 1
        wish = self.desk.wish(
            f"{one.cents // 100}.{one.cents % 100:02}",
            one.currency,
            connection=one.connection + 1,
            label=LABELS[one.connection],
            source=f"{self.asked:010}",  # so that none is like another
        )
        return await self.desk.asked(wish, one.person)

    async def _go_on(self, row: Row, what: int) -> None:
        """Something that can happen to it where it stands."""
        request = await self.desk.approvals.find(row.id)
        who = (ANNA, ARNO)[what % 2]
        if request.state is State.PENDING:
            if what % 5 == 0:
                await self.desk.says(who, Decision.DENY, request)
            elif what % 5 == 1:
                asker = next(one for one in self.desk.access.roster.people if one.id == request.asked_by)
                await self.desk.approvals.withdraw(asker, request.id, telegram_id=OLGA)
            else:
                await self.desk.approves(who, request)
            return
        events = [event for state, event in TABLE if state is request.state and event is not Event.HOLD_BEGUN]
        if events:
            event = events[what % len(events)]
            moved = event is not Event.SETTLED or what % 3 != 0
            await self.desk.happens(request, event, moved_money=moved)
            if event is Event.SETTLED:
                self.moved[request.id] = moved


LIMITED = """
zone = "Europe/Zurich"

[[rules]]
name = "one signs"
tier = "quorum"
needs = ["role/approver"]
life = "6h"

[[limits]]
name = "the limit"
currency = "USD"
amount = "100"
per = "{per}"
window = "{window}"
"""


@pytest.fixture
async def limited(database: Database, clock: HandClock) -> Callable[[str, str], Awaitable[Guarded]]:
    async def opened(per: str, window: str) -> Guarded:
        desk = Guarded(database, clock)
        await desk.furnish(LIMITED.format(per=per, window=window), LABELS)
        return desk

    return opened


Limited = Callable[[str, str], Awaitable[Guarded]]


def _wish(desk: Guarded, amount: str, source: int = 1, currency: str = "USD", connection: int = 1) -> Wish:
    return desk.wish(amount, currency, connection=connection, label=LABELS[connection - 1], source=f"{source:010}")


async def test_of_twenty_at_once_one_fits(limited: Limited) -> None:
    """F28: limit 100, twenty of 60 in the same moment."""
    desk = await limited("desk", "24h")
    outcomes = await asyncio.gather(
        *(desk.asked(_wish(desk, "60.00", number), PEOPLE[number % 2]) for number in range(20)), return_exceptions=True
    )
    assert [type(one) for one in outcomes].count(Request) == 1
    assert [str(one) for one in outcomes if not isinstance(one, Request)] == [
        "the limit the limit is 100.00 USD in 24 hours for the desk; 60.00 USD of it is used"
    ] * 19
    assert await desk.rows("SELECT count(*), sum(counts) FROM requests") == [(1, 1)]
    assert await desk.rows("SELECT count(*) FROM cases") == [(1,)]


@pytest.mark.parametrize(
    ("events", "is_free"),
    [
        ((), False),
        ((Event.QUORUM_MET,), False),
        ((Event.QUORUM_MET, Event.SEND_BEGUN), False),
        ((Event.QUORUM_MET, Event.SEND_BEGUN, Event.PROVEN_NOT_SENT), False),
        ((Event.QUORUM_MET, Event.SEND_BEGUN, Event.ACKNOWLEDGED), False),
        ((Event.QUORUM_MET, Event.SEND_BEGUN, Event.OUTCOME_LOST), False),
        ((Event.QUORUM_MET, Event.SEND_BEGUN, Event.DONE), False),
        ((Event.QUORUM_MET, Event.SEND_BEGUN, Event.REFUSED), True),
        ((Event.QUORUM_MET, Event.SEND_BEGUN, Event.OUTCOME_LOST, Event.REFUSED), True),
        ((Event.DENIED,), True),
        ((Event.EXPIRED,), True),
        ((Event.WITHDRAWN,), True),
        ((Event.QUORUM_MET, Event.EXPIRED), True),
        ((Event.QUORUM_MET, Event.HOLD_BEGUN), False),
        ((Event.QUORUM_MET, Event.HOLD_BEGUN, Event.WITHDRAWN), True),
    ],
    ids=lambda value: "-".join(value) or "asked" if isinstance(value, tuple) else "free" if value else "kept",
)
async def test_what_may_have_had_an_effect_keeps_its_share(
    limited: Limited, events: tuple[Event, ...], is_free: bool
) -> None:
    """F28, M80."""
    desk = await limited("desk", "24h")
    request = await desk.asked(_wish(desk, "60.00", 1))
    for event in events:
        await desk.happens(request, event)
    if is_free:
        await desk.asked(_wish(desk, "100.00", 2))
    else:
        with pytest.raises(PolicyRefusedError, match=r"60\.00 USD of it is used"):
            await desk.asked(_wish(desk, "40.01", 2))
        await desk.asked(_wish(desk, "40.00", 3))


@pytest.mark.parametrize(("moved_money", "left"), [(True, "40.00"), (False, "100.00")])
async def test_what_two_settle_by_hand_counts_as_they_said(limited: Limited, moved_money: bool, left: str) -> None:
    desk = await limited("desk", "24h")
    request = await desk.asked(_wish(desk, "60.00", 1))
    for event in (Event.QUORUM_MET, Event.SEND_BEGUN, Event.OUTCOME_LOST):
        await desk.happens(request, event)
    await desk.happens(request, Event.SETTLED, moved_money=moved_money)
    with pytest.raises(PolicyRefusedError):
        await desk.asked(_wish(desk, f"{left[:-2]}01", 2))
    await desk.asked(_wish(desk, left, 3))


@pytest.mark.parametrize(
    ("per", "others"), [("person", (True, False)), ("connection", (False, True)), ("desk", (False, False))]
)
async def test_whose_amounts_are_added_up(limited: Limited, per: str, others: tuple[bool, bool]) -> None:
    """F28: after 100 by Olga through the first connection, may Oscar go on there, and may Olga through the second?"""
    desk = await limited(per, "24h")
    await desk.asked(_wish(desk, "100.00", 1))
    may = []
    for number, (who, connection) in enumerate(((OSCAR, 1), (OLGA, 2)), 2):
        try:
            await desk.asked(_wish(desk, "0.01", number, connection=connection), who)
        except PolicyRefusedError:
            may.append(False)
        else:
            may.append(True)
    assert tuple(may) == others


async def test_another_currency_has_its_own_room(limited: Limited) -> None:
    """F28: a limit speaks of its own currency only."""
    desk = await limited("desk", "24h")
    await desk.asked(_wish(desk, "100.00", 1))
    await desk.asked(_wish(desk, "5000.00", 2, "EUR"))
    with pytest.raises(PolicyRefusedError):
        await desk.asked(_wish(desk, "0.01", 3))


@pytest.mark.parametrize(
    ("window", "begins", "later", "is_free"),
    [
        ("24h", "2026-03-02 09:00", 86_399.999, False),
        ("24h", "2026-03-02 09:00", 86_400, True),
        ("24h", "2026-03-02 09:00", 86_400.001, True),
        ("24h", "2026-03-28 23:30", 82_800, False),  # the day with 23 hours is over, 24 hours are not
        ("24h", "2026-10-24 22:30", 86_400, True),
        ("day", "2026-03-02 22:59", 59.999, False),  # 23:59 in Zurich
        ("day", "2026-03-02 22:59", 60, True),
        ("day", "2026-03-28 23:30", 81_000 - 0.001, False),  # 00:30 of the day with 23 hours, until 22:00 in UTC
        ("day", "2026-03-28 23:30", 81_000, True),
        ("day", "2026-10-24 22:30", 88_200 - 0.001, False),  # 00:30 of the day with 25 hours, until 23:00 in UTC
        ("day", "2026-10-24 22:30", 88_200, True),
    ],
)
async def test_a_window_ends_to_the_millisecond(
    limited: Limited, clock: HandClock, window: str, begins: str, later: float, is_free: bool
) -> None:
    """F28: the window's edges, on the days with 23 and with 25 hours, too."""
    desk = await limited("desk", window)
    clock.moment = datetime.fromisoformat(begins).replace(tzinfo=UTC)
    paid = await desk.asked(_wish(desk, "100.00", 1))
    for event in (Event.QUORUM_MET, Event.SEND_BEGUN, Event.DONE):
        await desk.happens(paid, event)
    await clock.move(later)
    if is_free:
        await desk.asked(_wish(desk, "100.00", 2))
    else:
        with pytest.raises(PolicyRefusedError):
            await desk.asked(_wish(desk, "0.01", 2))


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A furnished desk's database, to be copied."""
    path = tmp_path / "template.sqlite"

    async def furnish() -> None:
        desk = Guarded(await Database.open(path), HandClock(datetime(2026, 1, 1, tzinfo=UTC)))
        await desk.furnish(POLICY, LABELS)
        await desk.database.close()

    asyncio.run(furnish())
    Histories.template = path
    return path


def _examined(count: int, steps: int) -> None:
    unhurried = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=count, stateful_step_count=steps, deadline=None, suppress_health_check=unhurried, database=None
        ),
    )


def test_parallel_histories_never_reserve_more_than_a_limit(template: Path) -> None:
    """F28, G06: a few of them, in every run."""
    _examined(80, 10)


@pytest.mark.faults
@pytest.mark.timeout(3000)
def test_ten_thousand_parallel_histories_never_reserve_more_than_a_limit(template: Path) -> None:
    """F28, G06."""
    _examined(10_000, 10)
