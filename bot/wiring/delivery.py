"""What is told: when, to whom, and by which way."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from bot.config import SecondChannelConfig
from bot.wiring.ground import Ground

if TYPE_CHECKING:
    from bot.messages.bursts import Bursts
    from bot.messages.quiet import Quiet
    from bot.messages.second_channel import Way
    from bot.messages.undelivered import Undelivered
    from bot.operations.paging import Paging
    from bot.operations.schedules.service import Schedules


class DeliveryRooms(Ground):
    @cached_property
    def bursts(self) -> "Bursts":
        from bot.messages.bursts import Bursts

        return Bursts(self.database, self.clock)

    @cached_property
    def quiet(self) -> "Quiet":
        from bot.messages.quiet import Quiet

        return Quiet(self.database, self.audit, self.clock)

    @cached_property
    def undelivered(self) -> "Undelivered":
        from bot.messages.undelivered import Undelivered

        return Undelivered(self.database, self.audit, self.clock)

    @cached_property
    def paging(self) -> "Paging":
        from bot.operations.paging import Paging

        second = self.config.second_channel
        ways: Mapping[str, Way] = {}
        if second != SecondChannelConfig():
            from bot.messages.second_channel import ways_of

            ways = ways_of(second)
        return Paging(
            self.database,
            ways,
            self.pulse,
            self.clock,
            desk=self.config.desk.name,
            patience=timedelta(minutes=second.unreachable_minutes),
        )

    @cached_property
    def schedules(self) -> "Schedules":
        from bot.operations.schedules.service import Schedules

        return Schedules(self.database, self.audit, self.outbox, self.clock)
