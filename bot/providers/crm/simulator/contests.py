"""Leader board and prop trading: statistics/get-tradingCompetition-leaderboard, propTrading upgrade and fail.

A competitor's percentage is what trading brought over what was put in, over all the client's accounts, as it is now. A
prop trader moves up one step at a time and only without open positions.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from bot.clock import to_millis
from bot.providers.crm.simulator.fields import ID_LENGTH, Fields, RefusedError, invalid
from bot.providers.crm.simulator.gate import Answer, Call, Duty
from bot.providers.crm.simulator.notation import ZERO, plain
from bot.providers.crm.simulator.settings import Settings
from bot.providers.crm.simulator.standing import BALANCE, CENT, floating_profit
from bot.providers.crm.simulator.world import Challenger, Competition, Tenant

_PLATFORMS = ("mt4", "mt5", "fortex")


class Contests:
    """What the API shows and does about competitions and prop trading."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def duties(self) -> Sequence[Duty]:
        return (
            Duty("GET", "/tradingCompetition/leaderboard", self.leader_board),
            Duty("POST", "/propTrading/users/upgrade", self.upgrade, _is_newer),
            Duty("POST", "/propTrading/users/failed", self.fail, _is_newer),
        )

    def leader_board(self, call: Call) -> Answer:
        wanted, limit = call.query.text("competition_id"), call.query.whole("limit", most=500)
        competition = next((item for item in self._tenant.world.competitions if item.id == wanted), None)
        if competition is None:
            raise RefusedError("competition_not_exists")
        scores = sorted(((self._percent(user), user) for user in competition.user_ids), reverse=True)
        competitors = [self._competitor(competition, user, percent) for percent, user in scores[:limit]]
        return Answer({"competitors": competitors, "last_update_time": to_millis(self._tenant.now())})

    def upgrade(self, call: Call) -> Answer:
        challenger = self._challenger(call.body)
        if challenger.step >= challenger.last_step:
            raise RefusedError("prop_trading_user_is_last_step")
        account = self._tenant.world.account(challenger.connection_id, challenger.login)
        if account and any(trade.close_time is None for trade in self._tenant.world.trades_of(account)):
            raise RefusedError("prop_user_has_positions")
        challenger.step += 1
        return Answer({})

    def fail(self, call: Call) -> Answer:
        may_retry = call.body.boolean("allow_retry")
        reason = call.body.optional_text("reason", most=500) or ""
        for name in ("notify", "pop_up"):
            call.body.flag(name)
        challenger = self._challenger(call.body)
        challenger.status, challenger.may_retry, challenger.reason = "failed", may_retry, reason
        return Answer({})

    def _challenger(self, body: Fields) -> Challenger:
        """Named by the request that let them in, or by the account; never by both. Only while the challenge runs."""
        by_request, by_account = body.has("init_request_id"), body.has("connection_id")
        if by_request == by_account:
            raise invalid()
        key = self._by_request(body) if by_request else self._by_account(body)
        found = [item for item in self._tenant.world.challengers if key in (_request_key(item), _account_key(item))]
        if not found:
            raise RefusedError("prop_trading_user_not_exsits")  # spelt so by the vendor
        if found[-1].status != "ongoing":
            raise RefusedError("prop_trading_user_status_not_ongoing")
        return found[-1]

    def _by_request(self, body: Fields) -> tuple[str, ...]:
        return body.text("init_request_id", length=ID_LENGTH), body.text("user_id", length=ID_LENGTH)

    def _by_account(self, body: Fields) -> tuple[str, ...]:
        trading_id = body.values.get("trading_id")
        if body.text("platform") not in _PLATFORMS or not isinstance(trading_id, int | str) or trading_id == "":
            raise invalid()
        return body.text("platform"), body.text("connection_id"), str(trading_id)

    def _competitor(self, competition: Competition, user_id: str, percent: Decimal) -> dict[str, object]:
        client = self._tenant.world.clients[user_id]
        return {
            "user_id": user_id,
            "user_name": client.name,
            "country": client.country,
            "profit_percent": plain(percent),
            "suspend": user_id in competition.suspended_ids,
        }

    def _percent(self, user_id: str) -> Decimal:
        world = self._tenant.world
        put_in = won = ZERO
        for account in world.accounts:
            if account.user_id != user_id:
                continue
            rate = world.usd_rates[account.currency]
            for trade in world.trades_of(account):
                if trade.cmd == BALANCE:
                    put_in += max(trade.profit, ZERO) * rate
                elif trade.close_time is None:
                    won += (floating_profit(world, account, trade) + trade.swaps) * rate
                else:
                    won += (trade.profit + trade.swaps + trade.commission) * rate
        return (won / put_in * 100).quantize(CENT, ROUND_HALF_EVEN) if put_in else ZERO


def _is_newer(settings: Settings) -> bool:
    return settings.generation == "B"


def _request_key(challenger: Challenger) -> tuple[str, ...]:
    return challenger.init_request_id, challenger.user_id


def _account_key(challenger: Challenger) -> tuple[str, ...]:
    return challenger.platform, challenger.connection_id, str(challenger.login)
