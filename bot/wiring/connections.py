"""Logins at providers: linked, shared, locked, kept up and read."""

from functools import cached_property
from typing import TYPE_CHECKING

from bot.wiring.ground import Ground

if TYPE_CHECKING:
    from bot.operations.balances import Balances
    from bot.operations.connections import Connections
    from bot.operations.credentials import Credentials
    from bot.operations.entry import Entries
    from bot.operations.hygiene import Hygiene
    from bot.operations.linking import Linking
    from bot.operations.locking import Locking
    from bot.operations.logins import Logins
    from bot.operations.markets import MarketDesk
    from bot.operations.registering import Registering
    from bot.operations.reports import Reports
    from bot.operations.sharing import Sharing
    from bot.operations.statements import Statements
    from bot.operations.status import StatusDesk
    from bot.operations.wariness import Wariness


class ConnectionRooms(Ground):
    @cached_property
    def connections(self) -> "Connections":
        from bot.operations.connections import Connections
        from bot.operations.nonces import StoredNonces

        nonces = StoredNonces(self.database)
        return Connections(self.database, self.vault, self.clock, self.config.providers, nonces)

    @cached_property
    def credentials(self) -> "Credentials":
        from bot.operations.credentials import Credentials

        return Credentials(self.database, self.vault, self.audit, self.outbox, self.connections, self.clock)

    @cached_property
    def sharing(self) -> "Sharing":
        from bot.operations.sharing import Sharing

        return Sharing(self.database, self.audit, self.outbox)

    @cached_property
    def hygiene(self) -> "Hygiene":
        from bot.operations.hygiene import Hygiene

        return Hygiene(self.database, self.vault, self.connections, self.outbox, self.clock)

    @cached_property
    def registering(self) -> "Registering":
        from bot.operations.registering import Registering

        return Registering(self.database, self.connections, self.outbox, self.clock)

    @cached_property
    def wariness(self) -> "Wariness":
        from bot.operations.wariness import Wariness

        return Wariness(self.cards, self.clock)

    @cached_property
    def linking(self) -> "Linking":
        from bot.operations.linking import Linking

        has_page = self.config.web is not None
        return Linking(
            self.database,
            self.cards,
            self.vault,
            self.connections,
            self.credentials,
            self.wariness,
            has_page=has_page,
        )

    @cached_property
    def entries(self) -> "Entries":
        from bot.operations.entry import Entries

        return Entries(self.database, self.access, self.linking, self.audit, self.outbox, self.clock)

    @cached_property
    def logins(self) -> "Logins":
        from bot.operations.logins import Logins

        return Logins(
            self.database,
            self.access,
            self.linking,
            self.connections,
            self.credentials,
            self.vault,
            self.audit,
            self.outbox,
            self.clock,
            settings=self.config.providers,
        )

    @cached_property
    def locking(self) -> "Locking":
        from bot.operations.locking import Locking

        return Locking(self.database, self.vault, self.connections, self.cards, self.wariness, self.audit, self.outbox)

    @cached_property
    def balances(self) -> "Balances":
        from bot.operations.balances import Balances

        return Balances(self.connections, self.clock)

    @cached_property
    def markets(self) -> "MarketDesk":
        from bot.operations.markets import MarketDesk

        return MarketDesk(self.connections, self.clock)

    @cached_property
    def reports(self) -> "Reports":
        from bot.operations.reports import Reports

        return Reports(self.connections, self.clock)

    @cached_property
    def statements(self) -> "Statements":
        from bot.operations.statements import Statements

        return Statements(self.connections, self.clock)

    @cached_property
    def status(self) -> "StatusDesk":
        from bot.operations.status import StatusDesk

        return StatusDesk(self.database, self.inbox, self.outbox, self.connections, self.pulse, self.clock)
