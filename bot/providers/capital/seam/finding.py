"""What became of a deal whose answer was lost: found among positions, orders and activity (M40).

Ours is what was not there before it, of the same account, market, direction and size, and came within two minutes
of it. One such thing is taken for ours; of several, or of one that is only like it, a person is told. That it was not
executed is said when, two minutes later, it is in none of the three: they are lists that are told whole, activity, the
slowest of them, is said to be up to a minute late, and nothing is sent that was prepared long before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from bot.clock import Clock
from bot.errors import NotFoundError
from bot.providers.acts import ActKind, Evidence, Outcome, Prepared
from bot.providers.capital.client.deals import Deals
from bot.providers.capital.client.history import History
from bot.providers.capital.seam.composing import after, till_of
from bot.providers.capital.seam.terms import NONE, Terms, order_type
from bot.providers.capital.seam.verdicts import SLACK
from bot.providers.capital.seam.wired import Before
from bot.providers.capital.wire.history import Activity
from bot.providers.capital.wire.orders import OrderRow

ABSENT_AFTER = timedelta(minutes=2)
CAME_WITHIN = timedelta(minutes=2)
_GONE = {
    "SL": "was closed by its stop",
    "TP": "was closed by its limit",
    "CLOSE_OUT": "was closed by the provider, for want of margin",
    "DEALER": "was closed by the provider",
    "SYSTEM": "was closed by the provider",
}
_ENDED = {"EXECUTED": "was filled", "EXPIRED": "had expired"}
_REFUSED = {"REJECTED", "MODIFY_REJECT", "CANCEL_REJECT"}


@dataclass(frozen=True, slots=True)
class Search:
    """One look for one deal."""

    prepared: Prepared
    terms: Terms
    before: Before
    claimed: frozenset[str]
    """Deals that are known to be another act's."""
    now: datetime

    @property
    def account(self) -> str:
        return self.prepared.act.account

    @property
    def is_old(self) -> bool:
        """Whether it would be seen by now. Of what was taken, and got a reference, its confirmation must speak."""
        return not is_reference(self.prepared.answered) and self.now - self.prepared.prepared_at >= ABSENT_AFTER

    def is_in_time(self, at: datetime | None) -> bool:
        return at is None or self.before.moment - SLACK <= at <= self.before.moment + CAME_WITHIN

    def is_new(self, deal_id: str) -> bool:
        return deal_id not in self.before.deals and deal_id not in self.claimed

    def done(self, deal: str, said: str) -> Evidence:
        return Evidence(Outcome.SUCCEEDED, deal, said, self.now)

    def refused(self) -> Evidence:
        """By what activity says, which may be of another's deal: a proof once ours would be seen."""
        said = "rejected, as the account's activity says"
        return Evidence(Outcome.FAILED if self.is_old else Outcome.UNKNOWN, self.prepared.reference, said, self.now)

    def not_by_us(self, said: str) -> Evidence:
        return Evidence(Outcome.ALREADY_DECIDED, self.prepared.reference, said, self.now)

    def open(self, said: str, alike: Iterable[str] = ()) -> Evidence:
        return Evidence(Outcome.UNKNOWN, self.prepared.reference, said, self.now, alike=tuple(sorted(set(alike))))

    def absent(self, where: str) -> Evidence:
        """Not there: a proof once it is old enough."""
        seconds = (self.now - self.prepared.prepared_at) // timedelta(seconds=1)
        said = f"{where}, {seconds} s later"
        return Evidence(Outcome.NOT_SENT if self.is_old else Outcome.UNKNOWN, self.prepared.reference, said, self.now)


def is_reference(text: str) -> bool:
    """Whether it is what a deal is given when it is taken."""
    return text.startswith(("o_", "p_"))


class Finding:
    """Looks, and changes nothing."""

    def __init__(self, deals: Deals, history: History, clock: Clock) -> None:
        self._deals = deals
        self._history = history
        self._clock = clock

    async def look(self, prepared: Prepared, terms: Terms, before: Before, claimed: frozenset[str]) -> Evidence:
        search = Search(prepared, terms, before, claimed, self._clock.now())
        match terms.kind, terms.what:
            case ActKind.ORDER, "market":
                return await self._opened(search)
            case ActKind.ORDER, _:
                return await self._placed(search)
            case ActKind.CLOSE, _:
                return await self._closed(search)
            case _, "position":
                return await self._amended(search)
            case _, "order":
                return await self._order_changed(search)
            case _:
                return await self._withdrawn(search)

    async def _activity(self, search: Search, deal_id: str | None = None) -> list[Activity]:
        since = search.before.moment - SLACK
        until = None if search.now - since < timedelta(hours=1) else since + timedelta(hours=1)
        rows = await self._history.activities(since, until, account=search.account, deal_id=deal_id)
        return [row for row in rows if deal_id is None or row.deal_id == deal_id]

    async def _opened(self, search: Search) -> Evidence:
        """A market order: a position that was not there."""
        terms = search.terms
        rows = [one for one in await self._deals.positions(search.account) if one.market.epic == terms.epic]
        same = [one for one in rows if one.position.direction == terms.side]
        came = [one for one in same if search.is_new(one.position.deal_id) and search.is_in_time(one.opened_at)]
        exact = {one.position.deal_id for one in came if one.position.size == terms.size}
        alike = {one.position.deal_id for one in came} - exact
        refused = []
        for row in await self._activity(search):
            if row.epic != terms.epic or not search.is_in_time(row.at) or row.told.direction not in (None, terms.side):
                continue
            if row.type not in ("POSITION", "WORKING_ORDER") or row.deal_id is None or row.deal_id in search.claimed:
                continue
            if row.status in _REFUSED:
                refused.append(row)
            elif row.type == "POSITION" and search.is_new(row.deal_id) and _size(row) == terms.size:
                exact.add(row.deal_id)
            elif row.type == "POSITION" and (search.is_new(row.deal_id) or row.deal_id in search.before.against):
                alike.add(row.deal_id)  # of another size, or one that ours may have consumed
        if len(exact) == 1 and not alike - exact:
            (deal,) = exact
            return search.done(deal, f"found as {deal}")
        if exact or alike:
            return search.open("there are deals like it, and nothing tells which is ours", exact | alike)
        if len({row.deal_id for row in refused}) == 1 and all(_size(row) in (None, terms.size) for row in refused):
            return search.refused()
        return search.absent("neither among positions nor in activity")

    async def _placed(self, search: Search) -> Evidence:
        """An order that waits, or did: it may have been filled, or taken back, since."""
        terms = search.terms
        exact = {
            one.working_order_data.deal_id
            for one in await self._deals.orders(search.account)
            if _is_as_ordered(one, terms)
            and search.is_new(one.working_order_data.deal_id)
            and search.is_in_time(one.created_at)
        }
        alike, refused = set[str](), set[str]()
        for row in await self._activity(search):
            if row.epic != terms.epic or row.type != "WORKING_ORDER" or row.deal_id is None:
                continue
            if not search.is_new(row.deal_id) or row.told.direction not in (None, terms.side):
                continue
            is_ours = (_size(row), row.told.level) == (terms.size, terms.level)
            if row.status in _REFUSED and is_ours:
                refused.add(row.deal_id)
            elif is_ours and search.is_in_time(row.at):
                exact.add(row.deal_id)
            elif _size(row) is None and search.is_in_time(row.at):
                alike.add(row.deal_id)
        exact -= refused
        if len(exact) == 1:
            (deal,) = exact
            return search.done(deal, f"found as {deal}")
        if exact or alike:
            return search.open("there are orders like it, and nothing tells which is ours", exact | alike)
        if refused:
            return search.refused()
        return search.absent("neither among orders nor in activity")

    async def _closed(self, search: Search) -> Evidence:
        target = search.terms.target
        try:
            await self._deals.position(target, search.account)
        except NotFoundError:
            return self._by_whom(search, await self._activity(search, target))
        return search.absent("the position is still open")

    @staticmethod
    def _by_whom(search: Search, rows: list[Activity]) -> Evidence:
        for row in reversed(rows):
            if row.type != "POSITION" or row.status in _REFUSED:
                continue
            if row.source in _GONE:
                return search.not_by_us(_GONE[row.source])
            return search.done(search.terms.target, "closed, as the account's activity says")
        return search.open("the position is not open any more; what closed it is not told yet")

    async def _amended(self, search: Search) -> Evidence:
        terms, before = search.terms, search.before
        rows = [one for one in await self._activity(search, terms.target) if one.type == "EDIT_STOP_AND_LIMIT"]
        try:
            deal = (await self._deals.position(terms.target, search.account)).position
        except NotFoundError:
            if rows and rows[-1].status not in _REFUSED:
                return search.done(terms.target, "changed, and closed since")
            return search.absent("the position is closed, and was not changed before")
        stop, limit = after(terms.stop, before.stop), after(terms.limit, before.limit)
        now_stop, now_limit = _number(deal.stop_level), _number(deal.profit_level)
        if (terms.stop is None or now_stop == stop) and (terms.limit is None or now_limit == limit):
            return search.done(terms.target, "its stop and limit are as wanted")
        return self._still(search, rows, is_as_before=(now_stop, now_limit) == (before.stop, before.limit))

    async def _order_changed(self, search: Search) -> Evidence:
        terms, before = search.terms, search.before
        rows = [one for one in await self._activity(search, terms.target) if one.type == "WORKING_ORDER"]
        edits = [one for one in rows if one.status in ("MODIFIED", "MODIFY_REJECT")]
        try:
            row = await self._deals.order(terms.target, search.account)
        except NotFoundError:
            if any(one.status == "MODIFIED" for one in rows):
                return search.done(terms.target, "changed, and gone since")
            return search.absent("the order is gone, and was not changed before")
        order = row.working_order_data
        now = (Decimal(order.order_level), order.stop, order.limit, till_of(row))
        till = {"": before.till, NONE: ""}.get(terms.till, terms.till)
        wanted = (
            (terms.level, now[0], terms.level),
            (terms.stop, now[1], after(terms.stop, before.stop)),
            (terms.limit, now[2], after(terms.limit, before.limit)),
            (terms.till or None, now[3], till),
        )
        if all(said is None or is_there == to_be for said, is_there, to_be in wanted):
            return search.done(terms.target, "the order is as wanted")
        was = (before.level, before.stop, before.limit, before.till)
        return self._still(search, edits, is_as_before=now == was)

    @staticmethod
    def _still(search: Search, edits: list[Activity], *, is_as_before: bool) -> Evidence:
        """It is not as wanted."""
        if is_as_before and edits and all(one.status in _REFUSED for one in edits):
            return search.refused()
        if is_as_before and not edits:
            return search.absent("it is as it was")
        return search.open("it was changed, but is not as wanted")

    async def _withdrawn(self, search: Search) -> Evidence:
        target = search.terms.target
        try:
            await self._deals.order(target, search.account)
        except NotFoundError:
            pass
        else:
            return search.absent("the order still waits")
        for row in reversed(await self._activity(search, target)):
            if row.type == "WORKING_ORDER" and row.status in _ENDED:
                return search.not_by_us(_ENDED[row.status])
            if row.type == "WORKING_ORDER" and row.status == "CANCELLED":
                return search.done(target, "taken back, as the account's activity says")
        if any(one.position.working_order_id == target for one in await self._deals.positions(search.account)):
            return search.not_by_us("was filled")
        return search.open("the order does not wait any more; what ended it is not told yet")


def _is_as_ordered(row: OrderRow, terms: Terms) -> bool:
    order = row.working_order_data
    told = (order.epic, order.direction, order.order_size, order.order_level, order.order_type)
    return told == (terms.epic, terms.side, terms.size, terms.level, order_type(terms))


def _size(row: Activity) -> Decimal | None:
    return None if row.told.size is None else abs(Decimal(row.told.size))


def _number(number: Decimal | None) -> Decimal | None:
    return None if number is None else Decimal(number)
