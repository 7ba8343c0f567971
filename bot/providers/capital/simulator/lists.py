"""A user's watchlists."""

from bot.network.strictjson import Json
from bot.providers.capital.simulator import listings
from bot.providers.capital.simulator.calls import Call, Refused, Reply, text
from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.research import known
from bot.providers.capital.simulator.sessions import Access, Authenticated
from bot.providers.capital.simulator.state import Watchlist
from bot.providers.capital.simulator.world import World

_LONGEST_NAME = 20


class Lists:
    """Section Watchlists. The broker's own list may be read and nothing else."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[tuple[str, str, Authenticated]]:
        return [
            ("GET", "/watchlists", self.all),
            ("POST", "/watchlists", self.create),
            ("GET", "/watchlists/{list_id}", self.one),
            ("PUT", "/watchlists/{list_id}", self.add),
            ("DELETE", "/watchlists/{list_id}", self.drop),
            ("DELETE", "/watchlists/{list_id}/{epic}", self.take_out),
        ]

    def all(self, _: Call, access: Access) -> Reply:
        rows = (row for row in self.world.state.watchlists.values() if row.owner == access.user.identifier)
        return Reply({"watchlists": [listings.watchlist(row) for row in rows]})

    def create(self, call: Call, access: Access) -> Reply:
        name, epics = call.body.get("name"), _named(call.body.get("epics"))
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            raise Refused(400, "error.size.createwatchlistrequest.name")
        lists = self.world.state.watchlists
        number = self.world.state.next_watchlist
        self.world.state.next_watchlist += 1
        dealt = [epic for epic in dict.fromkeys(epics) if epic in INSTRUMENTS]
        lists[str(number)] = Watchlist(str(number), access.user.identifier, name, dealt)
        complete = all(epic in INSTRUMENTS for epic in epics)
        status = "SUCCESS" if complete else "SUCCESS_NOT_ALL_INSTRUMENTS_ADDED"
        return Reply({"watchlistId": str(number), "status": status})

    def one(self, call: Call, access: Access) -> Reply:
        row = self._row(call, access, "error.invalid.watchlist")
        return Reply({"markets": [listings.market(self.world, epic) for epic in row.epics]})

    def add(self, call: Call, access: Access) -> Reply:
        epic = known(text(call.body, "epic"))
        row = self._own(call, access)
        if epic not in row.epics:
            row.epics.append(epic)
        return Reply({"status": "SUCCESS"})

    def drop(self, call: Call, access: Access) -> Reply:
        del self.world.state.watchlists[self._own(call, access).id]
        return Reply({"status": "SUCCESS"})

    def take_out(self, call: Call, access: Access) -> Reply:
        row, epic = self._own(call, access, "error.not-found.epic"), call.path["epic"]
        if epic not in row.epics:
            raise Refused(404, "error.not-found.epic")
        row.epics.remove(epic)
        return Reply({"status": "SUCCESS"})

    def _row(self, call: Call, access: Access, code: str) -> Watchlist:
        row = self.world.state.watchlists.get(call.path["list_id"])
        if row is None or row.owner != access.user.identifier:
            raise Refused(404, code)
        return row

    def _own(self, call: Call, access: Access, code: str = "error.not-found.watchlist") -> Watchlist:
        row = self._row(call, access, code)
        if not row.editable:
            raise Refused(400, "error.not-editable.watchlist")
        return row


def _named(epics: Json) -> list[str]:
    if epics is None:
        return []
    if not isinstance(epics, list) or not all(isinstance(epic, str) for epic in epics):
        raise Refused(400, "error.invalid.epics")
    return [str(epic) for epic in epics]
