"""What may be read about markets: search, details, navigation, past prices, and what the other clients hold."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice

from bot.clock import to_millis
from bot.providers.capital.simulator import listings
from bot.providers.capital.simulator.bars import Bars, Resolution
from bot.providers.capital.simulator.calls import Call, Refused, Reply, moment, whole
from bot.providers.capital.simulator.market import INSTRUMENTS
from bot.providers.capital.simulator.past import MINUTE_MS
from bot.providers.capital.simulator.sessions import Access, Authenticated
from bot.providers.capital.simulator.tape import Bar
from bot.providers.capital.simulator.world import World

MOST_EPICS = 50
MOST_BARS = 1000
USUAL_BARS = 10
MOST_STEPS = 999
MOST_NODES = 500

_ROOT = "hierarchy_v1"
_GROUPS = {
    "commodities": "COMMODITIES",
    "currencies_group": "CURRENCIES",
    "indices_group": "INDICES",
    "crypto_currencies_group": "CRYPTOCURRENCIES",
    "shares_group": "SHARES",
}
"""Leaves that hold all instruments of one kind."""
_LEAVES = {
    "commons.most_traded": ("GOLD", "US100", "EURUSD", "BTCUSD", "OIL_CRUDE"),
    "commons.top_gainers": ("GOLD", "NVDA", "SILVER"),
    "commodities.metals": ("GOLD", "SILVER", "PLATINUM", "PALLADIUM", "COPPER"),
    "commodities.energies": ("OIL_CRUDE", "OIL_BRENT", "NATURALGAS"),
}
_BRANCHES = {
    "": ("commons_group", "commodities_group", *list(_GROUPS)[1:]),
    "commons_group": ("commons.most_traded", "commons.top_gainers"),
    "commodities_group": ("commodities", "commodities.metals", "commodities.energies"),
}
_NAMES = {
    "commons.most_traded": "Most Traded",
    "commons.top_gainers": "Top Risers",
    "commodities": "Commodities",
    "commodities.metals": "Metals",
    "commodities.energies": "Energies",
}


class Research:
    """Sections Markets, Market navigation, Prices and Client sentiment."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[tuple[str, str, Authenticated]]:
        return [
            ("GET", "/markets", self.markets),
            ("GET", "/markets/{epic}", self.market),
            ("GET", "/marketnavigation", self.roots),
            ("GET", "/marketnavigation/{node}", self.node),
            ("GET", "/prices/{epic}", self.prices),
            ("GET", "/clientsentiment", self.sentiments),
            ("GET", "/clientsentiment/{epic}", self.sentiment),
        ]

    def market(self, call: Call, access: Access) -> Reply:
        return Reply(listings.details(self.world, access.account, known(call.path["epic"])))

    def markets(self, call: Call, access: Access) -> Reply:
        """A search term wins over epics, whose answer has another key; unknown epics are left out of it."""
        term, epics = call.query.get("searchTerm"), call.query.get("epics")
        if term == "":
            raise Refused(400, "error.null.searchTerm")
        if term is None and epics is not None:
            return self._details(access, epics)
        return Reply({"markets": self._summaries(epic for epic in INSTRUMENTS if _fits(epic, term or ""))})

    def _details(self, access: Access, epics: str) -> Reply:
        if not epics:
            raise Refused(400, "error.null.epic")
        wanted = epics.split(",")
        if len(wanted) > MOST_EPICS:
            raise Refused(400, "error.invalid.epics")
        found = [epic for epic in wanted if epic in INSTRUMENTS]
        return Reply({"marketDetails": [listings.details(self.world, access.account, epic) for epic in found]})

    def _summaries(self, epics: Iterable[str]) -> list[listings.Body]:
        return [listings.market(self.world, epic) for epic in epics]

    def roots(self, _: Call, __: Access) -> Reply:
        return Reply({"nodes": _nodes("")})

    def node(self, call: Call, _: Access) -> Reply:
        """Branches have nodes, leaves have markets; the limit counts either."""
        limit = whole(call.query.get("limit"), "error.invalid.limit")
        limit = MOST_NODES if limit is None else limit
        if not 0 < limit <= MOST_NODES:
            raise Refused(400, "error.invalid.limit")
        root, _dot, node = call.path["node"].partition(".")
        if root != _ROOT or not (node in _GROUPS or node in _LEAVES or (node and node in _BRANCHES)):
            raise Refused(404, "error.not-found.nodeId")
        if node in _BRANCHES:
            return Reply({"nodes": _nodes(node)[:limit]})
        epics = _LEAVES.get(node) or [epic for epic, one in INSTRUMENTS.items() if one.kind == _GROUPS[node]]
        return Reply({"nodes": [], "markets": self._summaries(epics[:limit])})

    def sentiments(self, call: Call, _: Access) -> Reply:
        named = call.query.get("marketIds")
        if not named:
            raise Refused(400, "error.null.marketIds")
        return Reply({"clientSentiments": [listings.sentiment(known(epic)) for epic in named.split(",")]})

    def sentiment(self, call: Call, _: Access) -> Reply:
        return Reply(listings.sentiment(known(call.path["epic"])))

    def prices(self, call: Call, _: Access) -> Reply:
        epic = known(call.path["epic"])
        resolution = _resolution(call.query.get("resolution"))
        most = whole(call.query.get("max"), "error.invalid.max")
        most = USUAL_BARS if most is None else most
        if not 0 < most <= MOST_BARS:
            raise Refused(400, "error.invalid.max")
        start, end = (_moment(call, name) for name in ("from", "to"))
        now = self.world.now()
        for one in (start, end):
            if one is not None and one > now:
                raise Refused(400, "error.invalid.daterange")
        if start is not None and end is not None:
            if start > end:
                raise Refused(400, "error.invalid.daterange")
            if (end - start).total_seconds() > MOST_STEPS * resolution.minutes * 60:
                raise Refused(400, "error.invalid.max.daterange")
        rows = _bars(self.world.bars, epic, resolution, start, end or now, most)
        if not rows:
            raise Refused(404, "error.prices.not-found")
        bodies = [listings.price(minute, bar) for minute, bar in rows]
        return Reply({"prices": bodies, "instrumentType": INSTRUMENTS[epic].kind})


def known(epic: str) -> str:
    if epic not in INSTRUMENTS:
        raise Refused(404, "error.not-found.epic")
    return epic


def _bars(
    bars: Bars, epic: str, resolution: Resolution, start: datetime | None, end: datetime, most: int
) -> Sequence[tuple[int, Bar]]:
    """From `start` forward, or back from `end` where no start is given; in order of time either way."""
    last = to_millis(end) // MINUTE_MS
    if start is None:
        return list(islice(bars.backward(epic, resolution, last), most))[::-1]
    first = -(-to_millis(start) // MINUTE_MS)
    return list(islice(bars.forward(epic, resolution, first, last), most))


def _resolution(name: str | None) -> Resolution:
    if name is None:
        return Resolution.MINUTE
    if name not in Resolution.__members__:
        raise Refused(400, "error.invalid.resolution")
    return Resolution[name]


def _moment(call: Call, name: str) -> datetime | None:
    found = moment(call.query.get(name))
    if found is None and name in call.query:
        raise Refused(400, f"error.invalid.{name}")
    return found


def _nodes(branch: str) -> list[dict[str, str]]:
    return [{"id": f"{_ROOT}.{node}", "name": _NAMES.get(node, node)} for node in _BRANCHES[branch]]


def _fits(epic: str, term: str) -> bool:
    wanted = term.casefold()
    return wanted in epic.casefold() or wanted in INSTRUMENTS[epic].name.casefold()
