"""Trading servers, accounts and trades. [N] marks what is inferred. Booking money stands in the seam."""

from datetime import date

from bot.providers.crm import body, wire
from bot.providers.crm.client.line import Line, Listed
from bot.providers.crm.wire import trading
from bot.providers.crm.wire.grammar import windows_between


class Trading:
    """The sections MT4, MT5, cTrader, connections and account types."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def connections(self) -> tuple[wire.Server, ...]:
        """[N] Every trading server of the tenant, of any platform."""
        return trading.parse_servers(await self._line.read(trading.build_connections()))

    async def servers(self, platform: trading.Platform) -> tuple[wire.Server, ...]:
        """[N] The servers of one platform."""
        return trading.parse_servers(await self._line.read(trading.build_servers(platform)))

    async def accounts(
        self, platform: trading.Platform, connection_id: str, user_id: str | None = None
    ) -> Listed[wire.Mt4Account]:
        """Accounts on a server, perhaps of one client. [N] for MT5 and cTrader: read like MT4."""
        return await self._line.listed(
            lambda skip, limit: trading.build_accounts(platform, connection_id, skip, limit, user_id),
            trading.parse_accounts,
            lambda account: account.login,
        )

    async def open_account(
        self, platform: trading.Meta, user_id: str, connection_id: str, group: str, leverage: int, **more: body.Value
    ) -> trading.Opened:
        """A new trading account. Its passwords come back once; they are not for a chat."""
        fields: body.Fields = {"connection_id": connection_id, "group": group, "leverage": leverage}
        request = trading.build_new_account(platform, user_id, {**fields, **more})
        return trading.parse_opened(await self._line.change(request))

    async def trades(
        self,
        kind: str,
        connection_id: str,
        start: date,
        end: date,
        *,
        login: str | None = None,
        user_id: str | None = None,
    ) -> tuple[wire.Trade, ...]:
        """MT4 trades of these days, `open` or `closed`, each once; the limit of three months is hidden."""
        found: dict[str, wire.Trade] = {}
        for window in windows_between(start, end):
            listed = await self._line.listed(
                lambda skip, limit, window=window: trading.build_trades(  # type: ignore[misc]
                    kind, connection_id, window, skip, limit, login, user_id
                ),
                trading.parse_trades,
                lambda trade: trade.order_id,
            )
            found |= {trade.order_id: trade for trade in listed.items}
        return tuple(found.values())

    async def account_types(self) -> tuple[trading.AccountType, ...]:
        """[N] The kinds of trading account there are."""
        return trading.parse_account_types(await self._line.read(trading.build_account_types()))
