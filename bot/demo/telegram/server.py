"""The parts of the simulated server, as its methods and its control side reach them."""

from dataclasses import dataclass

from bot.demo.telegram.flood import Flood
from bot.demo.telegram.queries import Queries
from bot.demo.telegram.updates import Updates
from bot.demo.telegram.webhook import Webhook
from bot.demo.telegram.world import World


@dataclass(frozen=True, slots=True)
class Server:
    """What one call may touch."""

    world: World
    updates: Updates
    webhook: Webhook
    flood: Flood
    queries: Queries
