"""What falls due by the clock is asked for, written and queued. Each slot once: the schedules see to that."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.access.model import Person, Right
from bot.errors import CountersignError, StoreError
from bot.messages.notice import File, Lane, Notice
from bot.operations.schedules.model import End, Kind, Run
from bot.operations.sheets import Sheet
from bot.providers.records import Balance, Position
from handlers import failures
from handlers.context import Desk
from handlers.pages import paged
from handlers.render import Taste, charts
from handlers.render import balances as balances_of
from handlers.render import digests as render
from handlers.render import positions as positions_of

_log = logging.getLogger(__name__)
LOOK_SECONDS = 20.0
_SIDE_BY_SIDE = 4
_STILL_THE_DAY_BEFORE = timedelta(hours=3)
PNG, CSV = "image/png", "text/csv"


class Digests:
    """Carries out what the schedules say has come."""

    def __init__(self, desk: Desk) -> None:
        self._services = desk.services
        self._places = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._left: list[Run] = []
        """Slots whose end the database refused to take: they are ours, and nobody else gets them."""

    async def run(self) -> None:
        """Look now and then, for ever."""
        while True:
            await self.look()
            await self._services.clock.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Whatever has come, now. A database that refuses is asked again the next time."""
        try:
            runs = [*self._left, *await self._services.schedules.due()]
        except StoreError as error:
            _log.warning("schedules put off", extra={"error": type(error).__name__})
            return
        self._left = []
        await asyncio.gather(*(self._once(run) for run in runs))

    async def _once(self, run: Run) -> None:
        try:
            await self._carry_out(run)
        except StoreError as error:
            _log.warning("digest put off", extra={"schedule": run.schedule.id, "error": type(error).__name__})
            self._left.append(run)

    async def _carry_out(self, run: Run) -> None:
        schedules, person = self._services.schedules, self._who(run)
        if person is None:
            await schedules.end(run, End.MISSED, trouble="nobody there")
            return
        try:
            async with self._places:
                notices = await self._written(run, person)
        except StoreError:
            raise
        except CountersignError as error:
            sentence = failures.sentence(error)
            told = [self._notice(run, person, 0, lines=(sentence,)), *await self._to_group(run, person, render.FAILED)]
            await schedules.end(run, End.FAILED, told, type(error).__name__)
        except Exception as slip:  # noqa: BLE001  # a slip of ours ends this slot, and no other
            _log.exception("digest not written", extra={"schedule": run.schedule.id})
            self._services.pulse.incidents += 1
            lines = ("It could not be written, by a fault of mine; the next one comes as planned.",)
            told = [self._notice(run, person, 0, lines=lines), *await self._to_group(run, person, render.FAILED)]
            await schedules.end(run, End.FAILED, told, type(slip).__name__)
        else:
            notices += await self._to_group(run, person, render.arrived(person.name))
            await schedules.end(run, End.DONE, notices)

    def _who(self, run: Run) -> Person | None:
        """Its person, if they are still at the desk."""
        people = self._services.access.roster.people
        return next((one for one in people if one.id == run.schedule.person_id), None)

    async def _written(self, run: Run, person: Person) -> list[Notice]:
        word, services = run.schedule.connection, self._services
        taste = Taste(ZoneInfo(run.schedule.zone), services.config.desk.locale)
        match run.schedule.kind:
            case Kind.BALANCES:
                held = await services.balances.balances(person, word)
                return await self._with_picture(run, person, balances_of.balances(held, taste), held, taste)
            case Kind.POSITIONS:
                open_ = await services.balances.positions(person, word)
                return await self._with_picture(run, person, positions_of.positions(open_, taste), open_, taste)
            case Kind.STATEMENT:
                first, last = _days(run)
                since = datetime.combine(first, time(), taste.zone).astimezone(UTC)
                came = render.until_day(await services.statements.statement(person, word, since=since), last, taste)
                name = f"statement-{last}.csv"
                file = File(name, CSV, render.csv_of(came).encode())
                return [self._notice(run, person, 0, lines=render.counted(came, first, last), file=file)]

    async def _with_picture(
        self, run: Run, person: Person, blocks: list[str], sheet: Sheet[Balance] | Sheet[Position], taste: Taste
    ) -> list[Notice]:
        pages = paged(blocks)
        notices = [self._notice(run, person, number, markup=page) for number, page in enumerate(pages)]
        panels = render.ranks_of(sheet)
        if panels and charts.can_draw():
            title = f"{run.schedule.kind.value.capitalize()}, {run.slot:%Y-%m-%d}"
            png = await asyncio.to_thread(charts.ranks, title, taste.date_time(sheet.asked_at), panels)
            notices.append(self._notice(run, person, len(pages), file=File("digest.png", PNG, png)))
        return notices

    async def _to_group(self, run: Run, person: Person, line: str) -> list[Notice]:
        """What its group hears: that it came, and who has it. What is in it is nobody's there but who may read it."""
        one, services = run.schedule, self._services
        group = await services.schedules.group_of(one, services.access.roster.groups)
        if group is None or not person.may(Right.ALERT):
            return []
        late = render.lateness(run, services.clock.now())
        return [
            Notice(
                Lane.PRICES,
                group,
                render.title(run, is_public=True),
                (*((late,) if late else ()), line),
                f"schedule/{one.id}/{run.slot.isoformat()}/group",
                next_step=render.ASK[one.kind],
                thread=one.thread if group == one.group else None,
                protected=True,  # it stands alone, and is none of many on a card
            )
        ]

    def _notice(
        self,
        run: Run,
        person: Person,
        number: int,
        *,
        lines: Sequence[str] = (),
        markup: str = "",
        file: File | None = None,
    ) -> Notice:
        """To the account that asked for it, while it is theirs. Its name is the slot's: twice it is told once."""
        chats = person.telegram_ids
        chat = run.schedule.telegram_id if run.schedule.telegram_id in chats else min(chats)
        late = render.lateness(run, self._services.clock.now())
        return Notice(
            Lane.PRICES,
            chat,
            render.title(run),
            (*((late,) if late and not number else ()), *lines),
            f"schedule/{run.schedule.id}/{run.slot.isoformat()}/{number}",
            markup=markup,
            file=file,
            protected=True,
        )


def _days(run: Run) -> tuple[date, date]:
    """Those a statement is of: the slot's own, and those it stands for. In the first hours it is the day before that
    is over."""
    first, last = ((slot - _STILL_THE_DAY_BEFORE).date() for slot in (run.first or run.slot, run.slot))
    return first, last
