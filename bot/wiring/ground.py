"""What every room stands on: the rooms that are open from the start."""

from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from bot.access.service import Access
from bot.audit.service import Audit
from bot.clock import Clock
from bot.config import Config
from bot.messages.cards import Cards
from bot.messages.inbox import Inbox
from bot.messages.outbox import Outbox
from bot.operations.pulse import Pulse
from bot.operations.timekeeping import Timekeeping
from bot.ports import Sealer, Signer
from bot.store import Database
from bot.vault.keys import KeyTree
from bot.vault.service import Vault


@dataclass(frozen=True)
class Ground:
    """What a bot needs to hear of updates is a field, and open.

    The rooms above are furnished, and their files imported, when they are first asked for: a room costs nothing at the
    start, and a new one is one property more, in the group whose rooms it is like. A group names the groups whose
    rooms its own are joined with.
    """

    config: Config
    clock: Clock
    database: Database
    keys: KeyTree
    signer: Signer
    sealer: Sealer
    audit: Audit
    access: Access
    vault: Vault
    inbox: Inbox
    outbox: Outbox
    cards: Cards
    timekeeping: Timekeeping
    pulse: Pulse

    @cached_property
    def zone(self) -> ZoneInfo:
        """The desk's."""
        return ZoneInfo(self.config.desk.time_zone)
