"""The trading server calls: connections, accounts of MT4, MT5 and cTrader, deposits, withdrawals, MT4 trades.

Sources: mt4/get-accounts, deposit, withdraw, get-trades, mt5/withdraw; the connection lists, the MT5 accounts, the MT5
deposit and all of cTrader have no stored page and take the shape of their siblings. Our choices: trades of type `open`
are selected by opening time and `closed` by closing time; an open trade shows the price of now as `close_price` and the
epoch as `close_time`, as MetaTrader does; a currency other than the account's is `invalid_request`; "the same comment"
means the same account, direction and comment.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from bot.providers.crm.simulator.books import Books
from bot.providers.crm.simulator.fields import ID_LENGTH, Fields, RefusedError, invalid
from bot.providers.crm.simulator.gate import Answer, Call, Duty
from bot.providers.crm.simulator.notation import Place, plain, stamp
from bot.providers.crm.simulator.standing import balance_before, floating_profit, standing
from bot.providers.crm.simulator.world import Account, Server, Tenant, Trade

REPEAT_WINDOW = timedelta(minutes=2)
_NEVER_CLOSED = "1970-01-01 00:00:00"


class Trading:
    """What the API shows and does on the trading servers."""

    def __init__(self, tenant: Tenant, books: Books) -> None:
        self._tenant = tenant
        self._books = books

    def duties(self) -> Sequence[Duty]:
        return (
            Duty("GET", "/connections", self.connections),
            *self._platform("mt4"),
            *self._platform("mt5"),
            Duty("GET", "/ctrader/connections", partial(self.servers, "ctrader")),
            Duty("GET", "/ctrader/accounts", partial(self.accounts, "ctrader")),
            Duty("GET", "/mt4/trades", self.trades),
        )

    def _platform(self, platform: str) -> Sequence[Duty]:
        def on(act: Callable[[str, Call], Answer]) -> Callable[[Call], Answer]:
            return partial(act, platform)

        account = f"/{platform}/accounts"
        return (
            Duty("GET", f"/{platform}/connections", on(self.servers)),
            Duty("GET", account, on(self.accounts)),
            Duty("POST", f"{account}/{{login}}/deposit", on(self.deposit)),
            Duty(
                "POST",
                f"{account}/{{login}}/withdrawal",
                on(self.withdraw),
                lambda settings: platform == "mt4" or settings.generation == "B",
            ),
        )

    def connections(self, _: Call) -> Answer:
        servers = self._tenant.world.servers.values()
        return Answer([{"id": server.id, "platform": server.platform, "name": server.name} for server in servers])

    def servers(self, platform: str, _: Call) -> Answer:
        servers = [server for server in self._tenant.world.servers.values() if server.platform == platform]
        return Answer([{"id": server.id, "name": server.name, "groups": server.groups} for server in servers])

    def accounts(self, platform: str, call: Call) -> Answer:
        connection_id = call.query.text("connection_id")
        user_id = call.query.optional_text("user_id", length=ID_LENGTH)
        skip, limit = call.query.page(0, 10)
        server = self._server(platform, connection_id)
        found = [
            account
            for account in self._tenant.world.accounts
            if account.connection_id == server.id and user_id in (None, account.user_id)
        ]
        return Answer({"count": len(found), "records": [self._record(item) for item in found[skip : skip + limit]]})

    def deposit(self, platform: str, call: Call) -> Answer:
        return self._move(platform, call, 1)

    def withdraw(self, platform: str, call: Call) -> Answer:
        return self._move(platform, call, -1)

    def _move(self, platform: str, call: Call, sign: int) -> Answer:
        """Book the amount in, or with `sign` -1 out; 204, or 200 for a repeat, which books nothing."""
        connection_id, comment = call.body.text("connection_id"), call.body.text("comment")
        amount, currency = call.body.amount("amount"), call.body.text("currency")
        _read_options(call.body)
        account = self._account(platform, connection_id, call.path["login"], call.body)
        if currency != account.currency:
            raise invalid()
        place = Place(account.user_id, account.currency, platform, account.connection_id, account.login)
        kind = "deposit" if sign > 0 else "withdrawal"
        seen = f"{place.label}:{kind}:{comment}"
        if self._repeated(seen):
            return Answer({"repeat": True})
        if sign < 0:
            self._books.require(place, amount)
        self._books.book(place, sign * amount, comment)
        source, target = ("open-api", place.label) if sign > 0 else (place.label, "open-api")
        self._books.record(f"{platform}_{kind}", source, target, amount, currency, comment)
        self._tenant.world.comments[seen] = self._tenant.now()
        return Answer(status=204)

    def _repeated(self, seen: str) -> bool:
        """Whether this was booked within the last two minutes; only newer tenants look."""
        world = self._tenant.world
        booked = world.comments.get(seen)
        return world.settings.generation == "B" and booked is not None and self._tenant.now() - booked <= REPEAT_WINDOW

    def trades(self, call: Call) -> Answer:
        query = call.query
        connection_id, kind = query.text("connection_id"), query.text("type")
        start, end = query.months()
        skip, limit = query.page(0, 10)
        user_id = query.optional_text("user_id", length=ID_LENGTH)
        login, order_id = (query.whole(name, default=-1) for name in ("login", "order_id"))
        if kind not in ("open", "closed"):
            raise invalid()
        server = self._server("mt4", connection_id)
        found = [
            (trade, account)
            for account in self._tenant.world.accounts
            if account.connection_id == server.id
            and user_id in (None, account.user_id)
            and login in (-1, account.login)
            for trade in self._tenant.world.trades_of(account)
            if order_id in (-1, trade.order_id) and _within(trade, kind, start, end)
        ]
        found.sort(key=lambda pair: (pair[0].close_time or pair[0].open_time, pair[0].order_id))
        records = [self._trade(trade, account) for trade, account in found[skip : skip + limit]]
        return Answer({"count": len(found), "records": records})

    def _server(self, platform: str, connection_id: str) -> Server:
        server = self._tenant.world.servers.get(connection_id)
        if server is None or server.platform != platform:
            raise RefusedError(f"{platform}_connection_not_found")
        return server

    def _account(self, platform: str, connection_id: str, login: str, body: Fields) -> Account:
        """The account in the path; a `user_id` in the body must be its owner's."""
        server = self._server(platform, connection_id)
        number = int(login) if login.isascii() and login.isdigit() and len(login) < 12 else None
        account = self._tenant.world.account(server.id, number)
        if account is None or body.optional_text("user_id", length=ID_LENGTH) not in (None, account.user_id):
            raise RefusedError(f"{platform}_account_not_found")
        return account

    def _record(self, account: Account) -> dict[str, object]:
        world, now = self._tenant.world, self._tenant.now()
        worth = standing(world, account)
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        owner = world.clients[account.user_id]
        times = [trade.close_time or trade.open_time for trade in world.trades_of(account)]
        return {
            "login": account.login,
            "group": account.group,
            "currency": account.currency,
            "balance": plain(worth.balance),
            "credit": plain(account.credit),
            "available_withdrawal": plain(worth.available),
            "balance_previous_month": plain(balance_before(world, account, today.replace(day=1))),
            "balance_previous_day": plain(balance_before(world, account, today)),
            "leverage": account.leverage,
            "equity": plain(worth.equity),
            "margin_free": plain(worth.margin_free),
            "margin": plain(worth.margin),
            "margin_level": plain(worth.margin_level),
            "created_at": stamp(account.created_at),
            "last_active": stamp(max([account.created_at, *times])),
            "name": owner.name,
            "email": owner.email,
            "comment": account.comment,
            "agent_account": 0,
            "lead_source": "",
            "enable": int(account.enabled),
            "enable_readonly": int(account.readonly),
            "enable_change_password": 1,
            "send_reports": 1,
            "crm_user": {"id": owner.id, "email": owner.email, "name": owner.name},
        }

    def _trade(self, trade: Trade, account: Account) -> dict[str, object]:
        world = self._tenant.world
        owner = world.clients[account.user_id]
        is_open = trade.close_time is None
        return {
            "login": trade.login,
            "order_id": trade.order_id,
            "cmd": trade.cmd,
            "symbol": trade.symbol,
            "volume": plain(trade.volume),
            "swaps": plain(trade.swaps),
            "stop_loss": plain(trade.stop_loss),
            "take_profit": plain(trade.take_profit),
            "open_price": plain(trade.open_price),
            "close_price": plain(world.symbols[trade.symbol].price if is_open else trade.close_price),
            "open_time": stamp(trade.open_time),
            "close_time": stamp(trade.close_time) if trade.close_time else _NEVER_CLOSED,
            "profit": plain(floating_profit(world, account, trade) if is_open else trade.profit),
            "commission": plain(trade.commission),
            "comment": trade.comment,
            "crm_user": {"id": owner.id, "email": owner.email, "name": owner.name},
        }


def _within(trade: Trade, kind: str, start: datetime, end: datetime) -> bool:
    if kind == "open":
        return trade.close_time is None and start <= trade.open_time <= end
    return trade.close_time is not None and start <= trade.close_time <= end


def _read_options(body: Fields) -> None:
    """The optional fields change nothing here, yet a wrong type is refused."""
    body.flag("send_email")
    body.flag("send_pop_up")
    body.optional_text("language")
