"""What is looked at while nobody asks: streams, alerts, arrivals."""

from functools import cached_property
from typing import TYPE_CHECKING

from bot.wiring.clients import ClientRooms

if TYPE_CHECKING:
    from bot.alerts.service import Alerts
    from bot.operations.alerting import Alerting
    from bot.operations.watch.room import Watch
    from bot.operations.watching_desk import WatchingDesk


class WatchingRooms(ClientRooms):
    @cached_property
    def alerts(self) -> "Alerts":
        from bot.alerts.escalating import ladders
        from bot.alerts.service import Alerts
        from bot.operations.linked import find_one

        return Alerts(
            self.database,
            self.outbox,
            self.cards,
            self.audit,
            self.clock,
            find=find_one,
            groups=lambda: self.access.roster.groups,
            zone=self.zone,
            ladders=ladders(self.config.alerts),
        )

    @cached_property
    def alerting(self) -> "Alerting":
        from bot.operations.alerting import Alerting

        return Alerting(self.connections, self.clock, self.zone)

    @cached_property
    def watching_desk(self) -> "WatchingDesk":
        from bot.operations.watching_desk import WatchingDesk

        return WatchingDesk(self.database, self.alerts, self.connections, self.disk, self.clock)

    @cached_property
    def watch(self) -> "Watch":
        from bot.operations.watch.room import Watch
        from bot.providers.standing import Figures

        patience = self.config.streams
        return Watch(
            self.database,
            self.connections,
            self.access,
            self.outbox,
            self.alerts,
            self.clock,
            zone=self.zone,
            figures=Figures(patience.backoff, patience.backoff_cap, stall_seconds=patience.stall),
            poll_seconds=patience.poll,
            patience_seconds=patience.tell_after,
            requests=lambda: self.client_requests,
        )
