"""Positions, working orders and the broker's word about them, as the API asks for them."""

from datetime import datetime

from bot.clock import to_millis
from bot.providers.capital.simulator import replies
from bot.providers.capital.simulator.calls import Call, Refused, Reply
from bot.providers.capital.simulator.dealing import Dealing
from bot.providers.capital.simulator.limits import Limits
from bot.providers.capital.simulator.orders import parse_order
from bot.providers.capital.simulator.sessions import Access, Authenticated
from bot.providers.capital.simulator.waiting import Waiting
from bot.providers.capital.simulator.world import World


class Trading:
    """Sections Positions, Working orders and Confirms."""

    def __init__(self, world: World, limits: Limits, dealing: Dealing, waiting: Waiting) -> None:
        self.world = world
        self.limits = limits
        self.dealing = dealing
        self.waiting = waiting

    def routes(self) -> list[tuple[str, str, Authenticated]]:
        return [
            ("GET", "/positions", self.positions),
            ("POST", "/positions", self.open_position),
            ("GET", "/positions/{deal_id}", self.position),
            ("PUT", "/positions/{deal_id}", self.change_position),
            ("DELETE", "/positions/{deal_id}", self.close_position),
            ("GET", "/workingorders", self.orders),
            ("POST", "/workingorders", self.place_order),
            ("PUT", "/workingorders/{deal_id}", self.change_order),
            ("DELETE", "/workingorders/{deal_id}", self.cancel_order),
            ("GET", "/confirms/{reference}", self.confirmation),
        ]

    def positions(self, _: Call, access: Access) -> Reply:
        rows = [row for row in self.world.held(access.account) if self._listed(row.created)]
        return Reply({"positions": [replies.position(self.world, row) for row in rows]})

    def _listed(self, created: datetime) -> bool:
        return self._age_ms(created) >= self.world.state.options.listing_delay_ms

    def _age_ms(self, created: datetime) -> int:
        return self.world.now_ms() - to_millis(created)

    def position(self, call: Call, access: Access) -> Reply:
        row = self.dealing.row(access.account, call.path["deal_id"])
        if self._age_ms(row.created) < self.world.state.options.position_delay_ms:
            raise Refused(404, "error.not-found.dealId")
        return Reply(replies.position(self.world, row))

    def open_position(self, call: Call, access: Access) -> Reply:
        self.limits.order(access.user.identifier)
        order = parse_order(self.world, access.account, call.body)
        return Reply({"dealReference": self.dealing.place(access.account, order)})

    def change_position(self, call: Call, access: Access) -> Reply:
        return Reply({"dealReference": self.dealing.amend(access.account, call.path["deal_id"], call.body)})

    def close_position(self, call: Call, access: Access) -> Reply:
        return Reply({"dealReference": self.dealing.close(access.account, call.path["deal_id"])})

    def orders(self, _: Call, access: Access) -> Reply:
        rows = [row for row in self.waiting.held(access.account) if self._listed(row.created)]
        return Reply({"workingOrders": [replies.working_order(self.world, row) for row in rows]})

    def place_order(self, call: Call, access: Access) -> Reply:
        self.limits.order(access.user.identifier)
        return Reply({"dealReference": self.waiting.place(access.account, call.body)})

    def change_order(self, call: Call, access: Access) -> Reply:
        return Reply({"dealReference": self.waiting.change(access.account, call.path["deal_id"], call.body)})

    def cancel_order(self, call: Call, access: Access) -> Reply:
        return Reply({"dealReference": self.waiting.cancel(access.account, call.path["deal_id"])})

    def confirmation(self, call: Call, _: Access) -> Reply:
        return Reply(replies.confirmation(self.dealing.confirmation(call.path["reference"])))
