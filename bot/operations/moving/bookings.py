"""Money into and out of a client's wallet or trading account, as the CRM books it."""

from bot.approvals.policy.model import Act as Named
from bot.operations.moving.matters import Aspects, Parameters, money_in, where
from bot.providers.acts import Act, ActKind

_WAYS = {"deposit": "into", "withdrawal": "out of"}


class BookingMatter:
    """Fits `bot.operations.moving.matters.Matter`.

    Parameters beside the common ones: `account` (a client's id, or `<server>/<login>`), `operation` (wallet, mt4, mt5),
    `direction` (deposit, withdrawal), `amount`, `currency`, `client`, `note`.
    """

    def aspects(self, parameters: Parameters) -> Aspects:
        named = Named.WALLET_CHANGE
        if parameters["operation"] != "wallet":
            named = Named.MT_DEPOSIT if parameters["direction"] == "deposit" else Named.MT_WITHDRAWAL
        return Aspects(named, parameters["account"], "", money_in(parameters))

    def act(self, request_id: str, parameters: Parameters) -> Act:
        words = {key: parameters[key] for key in ("operation", "direction")}
        target = parameters.get("target", parameters["account"])
        return Act(request_id, ActKind.TRANSFER, parameters["account"], money_in(parameters), target, words)

    def lines(self, parameters: Parameters) -> tuple[str, ...]:
        what = "the wallet" if parameters["operation"] == "wallet" else f"the {parameters['operation'].upper()} account"
        note = (f"Note for us: {parameters['note']}",) if parameters.get("note") else ()
        return (
            f"Book {money_in(parameters)} {_WAYS[parameters['direction']]} {what} {parameters['account']}",
            f"of {parameters['client']} ({where(parameters)})",
            *note,
        )

    def masked(self, parameters: Parameters) -> tuple[str, ...]:
        return (f"A booking in {where(parameters)}.",)
