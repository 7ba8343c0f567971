"""What belongs to a broker's clients: who they are, what they ask for, what they paid."""

from functools import cached_property
from typing import TYPE_CHECKING

from bot.wiring.deciding import DecidingRooms

if TYPE_CHECKING:
    from bot.operations.bookings import BookingDesk
    from bot.operations.client_requests import ClientRequests
    from bot.operations.clients import ClientDesk
    from bot.operations.leads import Leads
    from bot.operations.payments import Payments
    from bot.operations.report_feed import ReportFeed
    from bot.operations.withdrawals import Withdrawals


class ClientRooms(DecidingRooms):
    @cached_property
    def clients(self) -> "ClientDesk":
        from bot.operations.clients import ClientDesk

        return ClientDesk(self.connections, self.clock)

    @cached_property
    def leads(self) -> "Leads":
        from bot.operations.leads import Leads

        return Leads(self.database, self.connections, self.audit, self.freezing)

    @cached_property
    def booking_desk(self) -> "BookingDesk":
        from bot.operations.bookings import BookingDesk

        return BookingDesk(self.connections, self.clients, self.money.planning, self.clock)

    @cached_property
    def withdrawals(self) -> "Withdrawals":
        from bot.operations.withdrawals import Withdrawals

        return Withdrawals(
            self.database, self.connections, self.access, self.audit, self.outbox, self.cards, self.sealer, self.clock
        )

    @cached_property
    def report_feed(self) -> "ReportFeed":
        from bot.operations.report_feed import ReportFeed
        from bot.providers.crm.settings import Settings

        crm = self.config.providers.get("crm")
        is_on = isinstance(crm, Settings) and crm.requests_from_report
        return ReportFeed(self.connections, self.withdrawals, self.clock, is_on=is_on)

    @cached_property
    def client_requests(self) -> "ClientRequests":
        from bot.operations.client_requests import ClientRequests

        hears = self.config.web is not None and "crm.webhook_secret_file" in self.config.hooks
        return ClientRequests(self.withdrawals, self.report_feed, self.connections, self.clock, hears=hears)

    @cached_property
    def payments(self) -> "Payments":
        from bot.operations.payments import Payments

        return Payments(self.database, self.access, self.audit, self.outbox, self.clock)
