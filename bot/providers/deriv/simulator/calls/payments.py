"""Payment agents, transfers between own accounts, the cashier.

Nothing here keeps a request apart from its repetition, as the service does not: the same transfer sent twice moves
money twice, unless `/_sim/repeats` says otherwise.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from bot.providers.deriv.simulator import contracts
from bot.providers.deriv.simulator.connection import Body
from bot.providers.deriv.simulator.geography import COUNTRIES
from bot.providers.deriv.simulator.hub import Play, Request
from bot.providers.deriv.simulator.payloads import payments as shown
from bot.providers.deriv.simulator.rules import Kind, RefusalError, Rule
from bot.providers.deriv.simulator.shapes import (
    AMOUNT,
    COUNTRY,
    CURRENCY,
    LOGIN_ID,
    LOGIN_PATTERN,
    ONE,
    REMARK,
    SWITCH,
    TEXT,
    VERIFICATION_PATTERN,
    call,
)
from bot.providers.deriv.simulator.state import CURRENCIES, Account
from bot.providers.deriv.simulator.tariff import TRANSFERS_A_DAY, fee_percent, transfer_bounds

_REPEAT_SECONDS = 120
_DONE, _WOULD_BE_DONE = 1, 2


def paymentagent_list(request: Request) -> Sequence[Body]:
    """The agents of a country, by currency when one is named."""
    country, currency = request.arguments.text("paymentagent_list").lower(), request.arguments.text("currency")
    agents = request.world.state.agents
    countries = sorted({agent.country for agent in agents.values()})
    rows = [
        shown.agent(loginid, agent)
        for loginid, agent in agents.items()
        if agent.country == country and currency in ("", agent.currency)
    ]
    named = [[code, COUNTRIES[code].name] for code in countries]
    return [{"paymentagent_list": {"available_countries": named, "list": rows}}]


def paymentagent_details(request: Request) -> Sequence[Body]:
    """The account's own profile as an agent; who is none learns only that he may apply."""
    agent = request.world.state.agents.get(request.account.loginid)
    if agent is None:
        return [{"paymentagent_details": {"can_apply": int(not request.account.is_virtual)}}]
    return [{"paymentagent_details": shown.agent_details(agent)}]


def paymentagent_transfer(request: Request) -> Sequence[Body]:
    """An agent credits a client: 2 and the client's name on a dry run, 1 with a transaction id when it is done."""
    asked, giver = request.arguments, request.account
    _real_and_open(giver)
    agent = request.world.state.agents.get(giver.loginid)
    if agent is None:
        raise RefusalError("NotAuthorized", "You are not an authorized payment agent.")
    taker = request.world.state.accounts.get(asked.text("transfer_to").upper())
    if taker is None or taker.is_virtual:
        raise RefusalError("WrongLoginID", "Please provide a valid client login ID.")
    if taker.loginid == giver.loginid:
        raise RefusalError("ClientsAreTheSame", "You cannot transfer to the same account.")
    currency, amount = asked.text("currency"), asked.number("amount")
    if giver.currency != currency:
        raise RefusalError("PACurrencyMismatch", f"The currency {currency} is not the payment agent's.")
    if taker.currency != currency:
        raise RefusalError("ClientCurrencyMismatch", f"{taker.loginid} default currency is not {currency}.")
    if taker.disabled:
        raise RefusalError("ClientDisabledAccount", "You cannot transfer to this account, as it is disabled.")
    if taker.cashier_locked:
        raise RefusalError("ClientCashierLocked", "You cannot transfer to this account, as its cashier is locked.")
    _plausible(amount, currency)
    _within(amount, agent.least, agent.most)
    _affordable(giver, amount)
    _not_again(request, giver, taker, amount)
    person = request.world.state.users[taker.user_id].full_name
    told: dict[str, object] = {"client_to_full_name": person, "client_to_loginid": taker.loginid}
    if asked.integer("dry_run"):
        return [{"paymentagent_transfer": _WOULD_BE_DONE, **told}]
    remark = asked.text("description") or "Payment agent transfer"
    gave = request.world.hand_over("paymentagent_transfer", giver, taker, amount, remark, request.connection.app_id)
    return [{"paymentagent_transfer": _DONE, **told, "transaction_id": gave.transaction_id}]


def paymentagent_withdraw(request: Request) -> Sequence[Body]:
    """A client pays out to an agent, with the mailed code; a dry run leaves the code good."""
    asked, giver = request.arguments, request.account
    _real_and_open(giver)
    address = request.world.state.users[giver.user_id].email
    mail = request.world.code(asked.text("verification_code"), "paymentagent_withdraw", address)
    loginid = asked.text("paymentagent_loginid").upper()
    agent, taker = request.world.state.agents.get(loginid), request.world.state.accounts.get(loginid)
    if agent is None or taker is None:
        raise RefusalError("PaymentAgentWithdrawError", "The payment agent login ID is not valid.")
    if taker.loginid == giver.loginid:
        raise RefusalError("PASameAccountWithdrawal", "You cannot withdraw funds to the same account.")
    currency, amount = asked.text("currency"), asked.number("amount")
    if giver.currency != currency:
        raise RefusalError("ClientCurrencyMismatchWithdraw", f"Your account currency is not {currency}.")
    if taker.currency != currency:
        raise RefusalError("PACurrencyMismatchWithdraw", f"Payment agent default currency is not {currency}.")
    if taker.disabled:
        raise RefusalError("PADisabledAccountWithdraw", "You cannot perform the withdrawal: the agent is disabled.")
    if taker.cashier_locked:
        raise RefusalError("PACashierLockedWithdraw", "You cannot perform the withdrawal: the agent is locked.")
    _plausible(amount, currency)
    _within(amount, agent.least, agent.most)
    _affordable(giver, amount)
    if asked.integer("dry_run"):
        return [{"paymentagent_withdraw": _WOULD_BE_DONE, "paymentagent_name": agent.name}]
    mail.used = True
    remark = asked.text("description") or "Payment agent withdrawal"
    gave = request.world.hand_over("paymentagent_withdraw", giver, taker, amount, remark, request.connection.app_id)
    return [{"paymentagent_withdraw": _DONE, "paymentagent_name": agent.name, "transaction_id": gave.transaction_id}]


def transfer_between_accounts(request: Request) -> Sequence[Body]:
    """Move money between two accounts of one person; with one of them missing, list the accounts."""
    asked, own = request.arguments, request.account
    siblings = {account.loginid: account for account in request.world.accounts_of(own.user_id)}
    if "account_from" not in asked or "account_to" not in asked:
        rows = [shown.transferable(account) for account in siblings.values() if not account.disabled]
        return [{"transfer_between_accounts": 0, "accounts": rows}]
    source, target = _ends(own, siblings, asked.text("account_from"), asked.text("account_to"))
    _real_and_open(source)
    amount = asked.number("amount")
    fee = _transferable(request, source, target, amount)
    gave = request.world.carry(source, target, amount, fee, request.connection.app_id)
    return [
        {
            "transfer_between_accounts": _DONE,
            "accounts": [shown.transferable(source), shown.transferable(target)],
            "client_to_full_name": request.world.state.users[target.user_id].full_name,
            "client_to_loginid": target.loginid,
            "transaction_id": gave.transaction_id,
        }
    ]


def _ends(own: Account, siblings: dict[str, Account], source: str, target: str) -> tuple[Account, Account]:
    if source not in siblings:
        raise RefusalError("InvalidLoginidFrom", "You are not allowed to transfer from this account.")
    if target not in siblings:
        raise RefusalError("InvalidLoginidTo", "You are not allowed to transfer to this account.")
    if source != own.loginid:
        raise RefusalError(
            "IncompatibleClientLoginidClientFrom", "You can only transfer from the current authorized client's account."
        )
    if source == target:
        raise RefusalError("SameAccountNotAllowed", "Account transfers are not available within the same account.")
    if siblings[source].is_virtual != siblings[target].is_virtual:
        raise RefusalError("RealToVirtualNotAllowed", "Transfer between real and virtual accounts is not allowed.")
    return siblings[source], siblings[target]


def _transferable(request: Request, source: Account, target: Account, amount: Decimal) -> Decimal:
    """The fee of a transfer that may be made."""
    currency = request.arguments.text("currency")
    if currency != source.currency:
        raise RefusalError("TransferCurrencyMismatch", "Currency provided is different from account currency.")
    if target.disabled:
        raise RefusalError("TransferBetweenAccountsError", "The account to transfer to is disabled.")
    digits = CURRENCIES[currency].digits
    if amount <= 0 or not contracts.fits(amount, digits):
        raise RefusalError("TransferInvalidAmount", f"Provided amount is not valid; {digits} decimals at most.")
    kinds = {CURRENCIES[account.currency].kind for account in (source, target)}
    if source.currency != target.currency and kinds == {"fiat"}:
        raise RefusalError("DifferentFiatCurrencies", "Account transfers are not available for fiat to fiat.")
    least, most = transfer_bounds(currency)
    if not least <= amount <= most:
        raise RefusalError("AmountNotAllowed", f"The amount must be between {least:f} and {most:f} {currency}.")
    if amount > source.balance:
        raise RefusalError("AmountExceedsBalance", "The maximum amount you may transfer is your balance.")
    if request.world.transfers_today(source) >= TRANSFERS_A_DAY:
        raise RefusalError("MaximumTransfers", f"You can only perform up to {TRANSFERS_A_DAY} transfers a day.")
    step = Decimal(1).scaleb(-digits)
    return (amount * fee_percent(source.currency, target.currency) / 100).quantize(step, ROUND_HALF_UP)


def cashier(request: Request) -> Sequence[Body]:
    """The address of the web cashier, or a coin's address and withdrawal. What is missing first is the error's code."""
    asked, own = request.arguments, request.account
    _real_and_open(own)
    if own.asked_for:
        raise RefusalError(own.asked_for, "Something has to be done first.")
    way, crypto = asked.text("cashier"), asked.text("provider", "doughflow") == "crypto"
    mail = None
    if way == "withdraw":
        if "verification_code" not in asked:
            raise RefusalError("ASK_EMAIL_VERIFY", "Verify your withdraw request.")
        address = request.world.state.users[own.user_id].email
        mail = request.world.code(asked.text("verification_code"), "payment_withdraw", address)
    if not crypto and asked.text("type", "url") == "url":
        if mail is not None:
            mail.used = True
        session = request.world.drawn("cashier", 24)
        return [{"cashier": f"https://cashier.example.org/{way}/{own.loginid}?session={session}"}]
    if not crypto or asked.text("type") != "api" or CURRENCIES[own.currency].kind != "crypto":
        raise RefusalError("InvalidRequest", "Crypto cashier is only available over type api, for crypto accounts.")
    if mail is None:
        return [{"cashier": {"action": "deposit", "deposit": {"address": request.world.drawn("coin", 30)}}}]
    if not asked.text("address"):
        raise RefusalError("CryptoMissingRequiredParameter", "Missing or invalid required parameter.")
    amount = asked.number("amount")
    _plausible(amount, own.currency)
    _affordable(own, amount)
    if asked.integer("dry_run"):
        return [{"cashier": {"action": "withdraw", "withdraw": {"dry_run": 1}}}]
    mail.used = True
    movement = request.world.withdraw(own, amount, "Crypto cashier withdrawal")
    note = "We're reviewing your withdrawal request."
    return [
        {
            "cashier": {
                "action": "withdraw",
                "withdraw": {"id": str(movement.transaction_id), "status_code": "LOCKED", "status_message": note},
            }
        }
    ]


def _real_and_open(account: Account) -> None:
    if account.is_virtual:
        raise RefusalError("VirtualAccount", "This is a virtual-money account. Please switch to a real-money account.")
    if account.cashier_locked:
        raise RefusalError("CashierLocked", "Your account cashier is locked. Please contact us for more information.")


def _plausible(amount: Decimal, currency: str) -> None:
    digits = CURRENCIES[currency].digits
    if amount <= 0 or not contracts.fits(amount, digits):
        raise RefusalError("InvalidAmount", f"Invalid amount. Amount can be up to {digits} decimal places.")


def _within(amount: Decimal, least: Decimal | None, most: Decimal | None) -> None:
    if (least is not None and amount < least) or (most is not None and amount > most):
        raise RefusalError("ValueOutOfRange", f"Invalid amount. Minimum is {least}, maximum is {most}.")


def _affordable(account: Account, amount: Decimal) -> None:
    if amount > account.balance:
        raise RefusalError(
            "ClientInsufficientBalance",
            f"The account has {account.balance:f} {account.currency}, which is less than the amount.",
        )


def _not_again(request: Request, giver: Account, taker: Account, amount: Decimal) -> None:
    """The guard against double clicks that the service is said to have; off unless switched on."""
    if not request.world.state.refuses_repeats or request.arguments.integer("dry_run"):
        return
    for movement in reversed(request.world.state.movements):
        if movement.at <= request.world.now() - _REPEAT_SECONDS:
            return
        if (movement.act, movement.loginid, movement.other, movement.amount) == (
            "paymentagent_transfer",
            giver.loginid,
            taker.loginid,
            -amount,
        ):
            raise RefusalError("PaymentAgentTransferError", "A similar transfer was made within the last two minutes.")


_LOGIN = Rule(Kind.STRING, required=True, pattern=LOGIN_PATTERN)
_SUM = Rule(Kind.NUMBER, required=True)
_MONEY = Rule(Kind.STRING, required=True, pattern=r"[a-zA-Z0-9]{2,20}")
_CODE = Rule(Kind.STRING, pattern=VERIFICATION_PATTERN)
_PAYMENTS = ("payments",)

PLAYS: tuple[Play, ...] = (
    (
        call("paymentagent_list", {"paymentagent_list": COUNTRY, "currency": CURRENCY, **LOGIN_ID}),
        paymentagent_list,
    ),
    (call("paymentagent_details", {"paymentagent_details": ONE, **LOGIN_ID}, scopes=("admin",)), paymentagent_details),
    (
        call(
            "paymentagent_transfer",
            {
                "paymentagent_transfer": ONE,
                "amount": _SUM,
                "currency": _MONEY,
                "description": REMARK,
                "dry_run": SWITCH,
                "transfer_to": _LOGIN,
                **LOGIN_ID,
            },
            scopes=_PAYMENTS,
        ),
        paymentagent_transfer,
    ),
    (
        call(
            "paymentagent_withdraw",
            {
                "paymentagent_withdraw": ONE,
                "amount": _SUM,
                "currency": _MONEY,
                "description": REMARK,
                "dry_run": SWITCH,
                "paymentagent_loginid": _LOGIN,
                "verification_code": Rule(Kind.STRING, required=True, pattern=VERIFICATION_PATTERN),
                **LOGIN_ID,
            },
            scopes=_PAYMENTS,
        ),
        paymentagent_withdraw,
    ),
    (
        call(
            "transfer_between_accounts",
            {
                "transfer_between_accounts": ONE,
                "account_from": Rule(Kind.STRING, pattern=r".*\w+.*"),
                "account_to": Rule(Kind.STRING, pattern=r".*\w+.*"),
                "accounts": Rule(Kind.STRING, one_of=("all", "brief")),
                "amount": AMOUNT,
                "currency": CURRENCY,
                **LOGIN_ID,
            },
            scopes=_PAYMENTS,
        ),
        transfer_between_accounts,
    ),
    (
        call(
            "cashier",
            {
                "cashier": Rule(Kind.STRING, required=True, one_of=("deposit", "withdraw")),
                "address": TEXT,
                "amount": AMOUNT,
                "dry_run": SWITCH,
                "estimated_fee_unique_id": TEXT,
                "provider": Rule(Kind.STRING, one_of=("doughflow", "crypto")),
                "totp": Rule(Kind.STRING, pattern=r"\d{6,8}"),
                "type": Rule(Kind.STRING, one_of=("url", "api")),
                "verification_code": _CODE,
                **LOGIN_ID,
            },
            scopes=_PAYMENTS,
        ),
        cashier,
    ),
)
