"""A code of the second factor authorises one thing, once; wrong ones are counted whatever happens."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bot import logs
from bot.access.model import Person
from bot.approvals.model import Decision, Request, State
from bot.approvals.service import Seen
from bot.errors import (
    ClockDoubtedError,
    CodeUsedError,
    CodeWrongError,
    ConflictError,
    CountersignError,
    FactorLockedError,
    FactorMissingError,
    FactorUnreadableError,
    NotAllowedError,
    StepUpError,
)
from bot.operations.enrolling import Enrolment
from bot.operations.factor_reset import wish_to_reset
from bot.secret import Secret
from bot.store import Tables
from bot.vault.totp import code_of, seed_from, step_of
from bot.wiring import House
from tests.support.desk import opened, write_desk
from tests.support.factors import confirmed_by_another
from tests.support.jumping import JumpingClock

ADAM, BEA, CARL, OLGA = 1001, 1002, 1003, 2001
Open = Callable[[], AbstractAsyncContextManager[House]]


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def reopened(tmp_path: Path, clock: JumpingClock) -> Open:
    """The same desk, opened: three admins and an operator."""
    config = write_desk(tmp_path, admins=[ADAM, BEA, CARL], members=[(OLGA, "Olga", ["operator"])])
    return lambda: opened(config, clock)


@pytest.fixture
async def rooms(reopened: Open) -> AsyncIterator[House]:
    async with reopened() as found:
        yield found


class Device:
    """What a person holds: it has read the picture, and shows the digits of the moment."""

    def __init__(self, enrolment: Enrolment, clock: JumpingClock) -> None:
        query = parse_qs(urlsplit(enrolment.uri.reveal()).query)
        self.text = query["secret"][0]
        self._clock = clock

    def shows(self, steps: int = 0) -> Secret:
        step = step_of(self._clock.now()) + steps
        return Secret(code_of(seed_from(self.text), step))

    def wrong(self) -> Secret:
        """Six digits that count neither now nor a step ago nor soon."""
        near = {self.shows(steps).reveal() for steps in range(-2, 3)}
        return Secret(next(each for each in (f"{number:06}" for number in range(9)) if each not in near))


def person(rooms: House, telegram_id: int = OLGA) -> Person:
    found = rooms.access.roster.person(telegram_id)
    assert found is not None
    return found


async def enrolled(rooms: House, clock: JumpingClock, who: int = OLGA) -> Device:
    """With the code of the step before used up by it."""
    device = Device(await rooms.enrolling.begin(person(rooms, who)), clock)
    await rooms.enrolling.confirm(person(rooms, who), device.shows(-1), telegram_id=who)
    await confirmed_by_another(rooms, person(rooms, who).id)
    return device


async def shown(rooms: House, code: Secret, who: int = OLGA) -> None:
    await rooms.factors.authorised(person(rooms, who).id, code, lambda _: None, purpose="a test")


async def refused(rooms: House, code: Secret, who: int = OLGA) -> StepUpError:
    with pytest.raises(StepUpError) as caught:
        await shown(rooms, code, who)
    return caught.value


async def told(rooms: House, chat: int) -> list[str]:
    rows = await rooms.database.read(
        lambda tables: tables.conn.execute("SELECT body FROM outbox WHERE chat_id = ? ORDER BY id", (chat,)).fetchall()
    )
    return [json.loads(body)["title"] for (body,) in rows]


async def deeds(rooms: House, action: str) -> list[dict[str, Any]]:
    rows = await rooms.database.read(
        lambda tables: tables.conn.execute("SELECT details FROM audit WHERE action = ? ORDER BY seq", (action,))
    )
    return [json.loads(details) for (details,) in rows]


# a code counts once


async def test_a_code_is_good_once(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)
    code = device.shows()
    await shown(rooms, code)
    assert isinstance(await refused(rooms, code), CodeUsedError)
    await clock.move(30)
    assert isinstance(await refused(rooms, code), CodeUsedError)
    await shown(rooms, device.shows())
    shown_twice = await deeds(rooms, "factor.shown")
    assert [each["for"] for each in shown_twice] == ["a test", "a test"]
    assert shown_twice[1]["totp_step"] == int(clock.now().timestamp()) // 30
    assert shown_twice[0]["totp_step"] == shown_twice[1]["totp_step"] - 1


async def test_the_code_of_the_step_before_counts_once_and_the_next_one_does_not_count_yet(
    rooms: House, clock: JumpingClock
) -> None:
    device = await enrolled(rooms, clock)
    assert isinstance(await refused(rooms, device.shows(+1)), CodeWrongError)
    await clock.move(60)
    await shown(rooms, device.shows(-1))
    assert isinstance(await refused(rooms, device.shows(-1)), CodeUsedError)
    await shown(rooms, device.shows())
    assert isinstance(await refused(rooms, device.shows(-2)), CodeWrongError)


async def test_after_a_later_code_an_earlier_one_is_dead(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)
    await clock.move(60)
    await shown(rooms, device.shows())
    assert isinstance(await refused(rooms, device.shows(-1)), CodeUsedError)


async def test_the_code_that_confirmed_it_authorises_nothing(rooms: House, clock: JumpingClock) -> None:
    device = Device(await rooms.enrolling.begin(person(rooms)), clock)
    code = device.shows()
    await rooms.enrolling.confirm(person(rooms), code, telegram_id=OLGA)
    await confirmed_by_another(rooms, person(rooms).id)
    assert isinstance(await refused(rooms, code), CodeUsedError)


async def test_of_two_acts_with_one_code_one_happens(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)

    def act(name: str) -> Callable[[Tables], str]:
        def change(tables: Tables) -> str:
            tables.conn.execute("INSERT INTO meta VALUES (?, 'done')", (name,))
            return name

        return change

    acts = [
        rooms.factors.authorised(person(rooms).id, device.shows(), act(f"act {number}"), purpose=f"act {number}")
        for number in range(10)
    ]
    results = await asyncio.gather(*acts, return_exceptions=True)
    done = [each for each in results if isinstance(each, str)]
    assert len(done) == 1
    assert [type(each) for each in results if not isinstance(each, str)] == [CodeUsedError] * 9
    written = await rooms.database.read(
        lambda tables: tables.conn.execute("SELECT key FROM meta WHERE key LIKE 'act %'").fetchall()
    )
    assert written == [(done[0],)]
    assert [each["for"] for each in await deeds(rooms, "factor.shown")] == done


async def test_an_act_that_fails_leaves_the_code_unused(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)

    def fails(tables: Tables) -> None:
        raise ConflictError("somebody was quicker")

    with pytest.raises(ConflictError):
        await rooms.factors.authorised(person(rooms).id, device.shows(), fails, purpose="fail")
    await shown(rooms, device.shows())


async def test_somebody_elses_code_is_wrong(rooms: House, clock: JumpingClock) -> None:
    hers, his = await enrolled(rooms, clock), await enrolled(rooms, clock, ADAM)
    assert isinstance(await refused(rooms, his.shows()), CodeWrongError)
    await shown(rooms, hers.shows())


# wrong codes


async def test_five_wrong_codes_lock_it_for_fifteen_minutes(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)
    left = []
    for _ in range(4):
        error = await refused(rooms, device.wrong())
        assert isinstance(error, CodeWrongError)
        left.append(error.tries_left)
        await clock.move(200)
    assert left == [4, 3, 2, 1]
    error = await refused(rooms, device.wrong())
    assert isinstance(error, FactorLockedError)
    assert error.minutes == 15

    await clock.move(14 * 60)
    error = await refused(rooms, device.shows())  # a good one
    assert isinstance(error, FactorLockedError)
    assert error.minutes == 1

    await clock.move(60)
    await shown(rooms, device.shows())


async def test_the_person_and_the_admins_hear_of_a_lock(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)
    for _ in range(5):
        await refused(rooms, device.wrong())
    assert (await told(rooms, OLGA))[-1] == "Your second factor is locked"
    for admin in (ADAM, BEA, CARL):
        assert (await told(rooms, admin))[-1] == "The second factor of Olga is locked"
    assert len(await deeds(rooms, "factor.failed")) == 4
    assert len(await deeds(rooms, "factor.locked")) == 1


async def test_the_count_and_the_lock_survive_a_restart(reopened: Open, clock: JumpingClock) -> None:
    async with reopened() as rooms:
        device = await enrolled(rooms, clock)
        for _ in range(4):
            await refused(rooms, device.wrong())
    async with reopened() as rooms:
        assert isinstance(await refused(rooms, device.wrong()), FactorLockedError)
    async with reopened() as rooms:
        assert isinstance(await refused(rooms, device.shows()), FactorLockedError)
        standing = await rooms.factors.standing(person(rooms).id)
        assert standing.locked_until == clock.now() + timedelta(minutes=15)


async def test_wrong_codes_count_for_a_quarter_of_an_hour_each(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)
    for _ in range(9):
        assert isinstance(await refused(rooms, device.wrong()), CodeWrongError)
        await clock.move(226)  # the fifth comes when the first is 904 seconds old


async def test_a_good_code_ends_the_count(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)
    for _ in range(3):
        for _ in range(4):
            assert isinstance(await refused(rooms, device.wrong()), CodeWrongError)
        await shown(rooms, device.shows())
        await clock.move(30)


async def test_a_used_code_given_again_is_not_a_wrong_one(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)
    await shown(rooms, device.shows())
    for _ in range(10):
        assert isinstance(await refused(rooms, device.shows()), CodeUsedError)


async def test_guesses_side_by_side_are_all_counted(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)
    guesses = [shown(rooms, device.wrong()) for _ in range(50)]
    results = await asyncio.gather(*guesses, return_exceptions=True)
    kinds = [type(each) for each in results]
    assert kinds.count(CodeWrongError) == 4
    assert kinds.count(FactorLockedError) == 46


async def test_whoever_goes_on_by_themselves_keeps_the_count_too(rooms: House, clock: JumpingClock) -> None:
    """As another room's change does it: it runs the check first, and returns what that says."""
    device = await enrolled(rooms, clock)
    for _ in range(5):
        checking = rooms.factors.checking(person(rooms).id, device.wrong(), purpose="pay")
        assert await rooms.database.write(checking) is not None
    assert isinstance(await refused(rooms, device.shows()), FactorLockedError)


# who has none


async def test_without_a_factor_no_code_is_good(rooms: House, clock: JumpingClock) -> None:
    assert isinstance(await refused(rooms, Secret("123456")), FactorMissingError)
    device = Device(await rooms.enrolling.begin(person(rooms)), clock)
    assert isinstance(await refused(rooms, device.shows()), FactorMissingError)  # it is not confirmed


async def test_a_suspended_person_authorises_nothing(rooms: House, clock: JumpingClock) -> None:
    device, olga = await enrolled(rooms, clock), person(rooms)
    await rooms.database.write(
        lambda tables: tables.conn.execute("UPDATE persons SET state = 'suspended' WHERE id = ?", (olga.id,))
    )
    with pytest.raises(FactorMissingError):
        await rooms.factors.authorised(olga.id, device.shows(), lambda _: None, purpose="a test")


async def test_a_damaged_seed_is_said_and_can_be_reset(rooms: House, clock: JumpingClock) -> None:
    device, olga = await enrolled(rooms, clock), person(rooms)
    await rooms.database.write(
        lambda tables: tables.conn.execute(
            "UPDATE sealed SET record = zeroblob(length(record)) WHERE subject = ?", (f"factor/{olga.id}",)
        )
    )
    assert isinstance(await refused(rooms, device.shows()), FactorUnreadableError)
    request = await rooms.approvals.ask(olga, wish_to_reset(olga), telegram_id=OLGA)
    await signed(rooms, request, ADAM, BEA)
    await enrolled(rooms, clock)


# setting up


async def test_the_key_is_shown_in_groups_and_says_what_the_picture_says(rooms: House, clock: JumpingClock) -> None:
    enrolment = await rooms.enrolling.begin(person(rooms))
    groups = enrolment.key.reveal().split(" ")
    assert [len(group) for group in groups] == [4] * 8
    assert "".join(groups) == Device(enrolment, clock).text
    assert enrolment.until == clock.now() + timedelta(minutes=10)
    assert "Olga" not in repr(enrolment)
    assert groups[0] not in repr(enrolment)


async def test_a_wrong_first_code_leaves_it_open(rooms: House, clock: JumpingClock) -> None:
    device = Device(await rooms.enrolling.begin(person(rooms)), clock)
    for _ in range(6):
        with pytest.raises(CodeWrongError) as caught:
            await rooms.enrolling.confirm(person(rooms), device.wrong(), telegram_id=OLGA)
        assert caught.value.tries_left is None
    await rooms.enrolling.confirm(person(rooms), device.shows(), telegram_id=OLGA)
    await confirmed_by_another(rooms, person(rooms).id)
    assert (await rooms.factors.standing(person(rooms).id)).active_since == clock.now()


async def test_after_ten_minutes_it_is_void(rooms: House, clock: JumpingClock) -> None:
    device = Device(await rooms.enrolling.begin(person(rooms)), clock)
    await clock.move(600)
    with pytest.raises(ConflictError, match="nothing is being set up any more"):
        await rooms.enrolling.confirm(person(rooms), device.shows(), telegram_id=OLGA)
    assert await rooms.enrolling.void() == 1
    assert await rooms.database.read(lambda tables: tables["sealed"].count) == 0
    assert await rooms.enrolling.void() == 0


async def test_an_earlier_picture_is_void_when_a_new_one_is_shown(rooms: House, clock: JumpingClock) -> None:
    first = Device(await rooms.enrolling.begin(person(rooms)), clock)
    second = Device(await rooms.enrolling.begin(person(rooms)), clock)
    with pytest.raises(CodeWrongError):
        await rooms.enrolling.confirm(person(rooms), first.shows(), telegram_id=OLGA)
    await rooms.enrolling.confirm(person(rooms), second.shows(), telegram_id=OLGA)


async def test_a_second_one_needs_a_code_of_the_first(rooms: House, clock: JumpingClock) -> None:
    old = await enrolled(rooms, clock)
    with pytest.raises(ConflictError, match="you have a second factor"):
        await rooms.enrolling.begin(person(rooms))
    with pytest.raises(CodeWrongError):
        await rooms.enrolling.begin_anew(person(rooms), old.wrong(), telegram_id=OLGA)
    new = Device(await rooms.enrolling.begin_anew(person(rooms), old.shows(), telegram_id=OLGA), clock)
    await clock.move(30)
    await shown(rooms, old.shows())  # until the new one has been shown

    await rooms.enrolling.confirm(person(rooms), new.shows(), telegram_id=OLGA)
    await clock.move(30)
    assert isinstance(await refused(rooms, old.shows()), CodeWrongError)
    await shown(rooms, new.shows())
    assert (await told(rooms, OLGA))[-1] == "Your second factor was replaced"


async def test_a_replacement_that_is_not_finished_changes_nothing(rooms: House, clock: JumpingClock) -> None:
    old = await enrolled(rooms, clock)
    await rooms.enrolling.begin_anew(person(rooms), old.shows(), telegram_id=OLGA)
    assert await rooms.enrolling.give_up(person(rooms))
    assert not await rooms.enrolling.give_up(person(rooms))
    await clock.move(30)
    await shown(rooms, old.shows())


async def test_it_is_taken_away_with_a_code_and_the_admins_hear_of_it(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)
    with pytest.raises(CodeWrongError):
        await rooms.enrolling.remove(person(rooms), device.wrong(), telegram_id=OLGA)
    await rooms.enrolling.remove(person(rooms), device.shows(), telegram_id=OLGA)
    assert not (await rooms.factors.standing(person(rooms).id)).is_active
    assert await rooms.database.read(lambda tables: tables["sealed"].count) == 0
    assert (await told(rooms, BEA))[-1] == "Olga has removed their second factor"
    await clock.move(30)
    assert isinstance(await refused(rooms, device.shows()), FactorMissingError)


# a reset


async def signed(rooms: House, request: Request, *admins: int) -> Request:
    for admin in admins:
        request = await rooms.approvals.decide(
            person(rooms, admin), request.id, Decision.APPROVE, Seen(request.hash), telegram_id=admin
        )
    return request


async def asked(rooms: House, by: int, about: int) -> Request:
    return await rooms.approvals.ask(person(rooms, by), wish_to_reset(person(rooms, about)), telegram_id=by)


async def test_two_admins_take_a_lost_factor_away(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)
    request = await asked(rooms, OLGA, OLGA)
    one = await signed(rooms, request, ADAM)
    assert one.state is State.PENDING
    await shown(rooms, device.shows())
    two = await signed(rooms, request, CARL)
    assert two.state is State.SUCCEEDED
    assert two.outcome == "the second factor of Olga was taken away"
    assert "Your second factor was reset" in await told(rooms, OLGA)
    assert await deeds(rooms, "factor.reset") == [{"request": request.id}]
    assert await rooms.database.read(lambda tables: tables["sealed"].count) == 0
    await enrolled(rooms, clock)


async def test_the_admin_who_asks_does_not_count(rooms: House, clock: JumpingClock) -> None:
    await enrolled(rooms, clock)
    request = await asked(rooms, ADAM, OLGA)
    with pytest.raises(NotAllowedError):
        await signed(rooms, request, ADAM)
    await signed(rooms, request, BEA)
    assert (await rooms.factors.standing(person(rooms).id)).is_active
    await signed(rooms, request, CARL)
    assert not (await rooms.factors.standing(person(rooms).id)).is_active


async def test_nor_does_the_admin_whose_factor_it_is(reopened: Open, clock: JumpingClock) -> None:
    async with reopened() as rooms:
        await enrolled(rooms, clock, ADAM)
        with pytest.raises(ConflictError, match="nobody else could sign this"):
            await asked(rooms, BEA, ADAM)  # leaves one
        request = await asked(rooms, ADAM, ADAM)
        with pytest.raises(NotAllowedError):
            await signed(rooms, request, ADAM)
    async with reopened() as rooms:  # who is barred is part of the row
        await signed(rooms, request, BEA, CARL)
        assert not (await rooms.factors.standing(person(rooms, ADAM).id)).is_active


async def test_a_desk_with_too_few_admins_says_so(tmp_path: Path, clock: JumpingClock) -> None:
    config = write_desk(tmp_path / "small", admins=[ADAM], members=[(OLGA, "Olga", ["operator"])])
    async with opened(config, clock) as rooms:
        await enrolled(rooms, clock)
        with pytest.raises(ConflictError, match="nobody else could sign this: another admin"):
            await asked(rooms, OLGA, OLGA)


@pytest.mark.parametrize(
    ("by", "error"), [(OLGA, "reset somebody else's second factor"), (ADAM, "Admin 2 has no second factor")]
)
async def test_what_cannot_be_asked_for(rooms: House, by: int, error: str) -> None:
    with pytest.raises(CountersignError, match=error):
        await asked(rooms, by, BEA)


async def test_a_reset_is_asked_for_once(rooms: House, clock: JumpingClock) -> None:
    await enrolled(rooms, clock)
    request = await asked(rooms, OLGA, OLGA)
    with pytest.raises(ConflictError, match=f"asked for already: request {request.id}"):
        await asked(rooms, ADAM, OLGA)


async def test_a_factor_that_was_removed_meanwhile_is_not_reset(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)
    request = await asked(rooms, OLGA, OLGA)
    await signed(rooms, request, ADAM)
    await rooms.enrolling.remove(person(rooms), device.shows(), telegram_id=OLGA)
    ended = await signed(rooms, request, BEA)
    assert ended.state is State.FAILED
    assert ended.outcome == "Olga has no second factor any more"


# the clock


async def test_while_the_clock_is_doubted_no_code_counts(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)
    clock.put(61)
    assert isinstance(await refused(rooms, device.shows()), ClockDoubtedError)
    assert isinstance(await refused(rooms, device.wrong()), ClockDoubtedError)
    doubt = await rooms.timekeeping.doubt()
    assert doubt is not None
    await rooms.timekeeping.acknowledge(person(rooms, ADAM), doubt.id, telegram_id=ADAM)
    await shown(rooms, device.shows())


async def test_a_clock_put_back_revives_no_code(rooms: House, clock: JumpingClock) -> None:
    device = await enrolled(rooms, clock)
    code = device.shows()
    await shown(rooms, code)
    await clock.move(50)
    clock.put(-50)
    assert isinstance(await refused(rooms, code), CodeUsedError)


# nothing of it shows


def everything_in(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, down to DEBUG."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("DEBUG", stream=stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:] = kept
    root.setLevel(level)


async def test_the_seed_is_nowhere_in_the_files_or_the_log(
    rooms: House, clock: JumpingClock, tmp_path: Path, log: io.StringIO
) -> None:
    enrolment = await rooms.enrolling.begin(person(rooms))
    device, key = Device(enrolment, clock), enrolment.key.reveal()
    logging.getLogger("test").warning("showing %s and %s", enrolment.uri.reveal(), key)
    await rooms.enrolling.confirm(person(rooms), device.shows(), telegram_id=OLGA)
    await confirmed_by_another(rooms, person(rooms).id)
    await clock.move(30)
    await shown(rooms, device.shows())
    await refused(rooms, device.wrong())
    seed = seed_from(device.text)
    files = everything_in(tmp_path)
    assert b"factor.shown" in files
    for form in (device.text.encode(), key.encode(), seed, seed.hex().encode()):
        assert form not in files
    assert "showing ‹secret› and ‹secret›" in log.getvalue()
    assert device.text not in log.getvalue()


async def _wrong_five_times(rooms: House, device: Device) -> None:
    for _ in range(5):
        await refused(rooms, device.wrong())


async def test_a_second_lock_within_a_day_freezes_the_desk_and_a_good_code_between_them_does_not(
    rooms: House, clock: JumpingClock
) -> None:
    device = await enrolled(rooms, clock)
    await _wrong_five_times(rooms, device)
    await clock.move(16 * 60)
    await shown(rooms, device.shows())
    await _wrong_five_times(rooms, device)
    assert await rooms.money.thawing.freezes() == []

    await clock.move(23 * 3600)
    await _wrong_five_times(rooms, device)
    (freeze,) = await rooms.money.thawing.freezes()
    assert (freeze.scope, freeze.by) == ("desk", "this program")
    assert freeze.reason.startswith("wrong codes have locked Olga's second factor twice in a day, at ")
    assert "Frozen: the desk" in await told(rooms, OLGA)
