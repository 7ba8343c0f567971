"""What keeps the desk whole: the freeze, the log's checks and anchors, the backups."""

from functools import cached_property
from typing import TYPE_CHECKING

from bot.wiring.ground import Ground

if TYPE_CHECKING:
    from bot.operations.anchoring import Anchoring
    from bot.operations.auditing import Auditing
    from bot.operations.disk import Disk
    from bot.operations.freezing import Freezing
    from bot.operations.nightly import Nightly
    from bot.operations.turned_away import TurnedAway


class SafetyRooms(Ground):
    @cached_property
    def freezing(self) -> "Freezing":
        from bot.operations.freezing import Freezing

        return Freezing(self.database, self.audit, self.outbox, self.clock)

    @cached_property
    def disk(self) -> "Disk":
        from bot.operations.disk import Disk

        return Disk(self.database, self.audit, self.outbox)

    @cached_property
    def auditing(self) -> "Auditing":
        from bot.operations.auditing import Auditing

        return Auditing(
            self.database,
            self.audit,
            self.clock,
            zone=self.zone,
            alarm=self.freezing.alarm,
        )

    @cached_property
    def anchoring(self) -> "Anchoring":
        from bot.operations.anchoring import Anchoring

        return Anchoring(
            self.database,
            self.audit,
            self.access,
            self.outbox,
            self.clock,
            zone=self.zone,
            config=self.config.audit,
            alarm=self.freezing.alarm,
        )

    @cached_property
    def nightly(self) -> "Nightly | None":
        """None where the configuration wants no backups."""
        if self.config.backup is None:
            return None
        from bot.operations.backups import Backups
        from bot.operations.nightly import Nightly

        backups = Backups(self.database, self.keys, self.vault, self.audit, self.clock, via="clock")
        zone = self.config.desk.time_zone
        return Nightly(self.database, backups, self.outbox, self.clock, zone=zone, config=self.config.backup)

    @cached_property
    def turned_away(self) -> "TurnedAway":
        from bot.operations.turned_away import TurnedAway

        return TurnedAway(self.database, self.audit, self.clock)
