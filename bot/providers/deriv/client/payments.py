"""The calls that move money, in JSON: what is asked, and what an answer says. Pure.

Amounts are written as JSON numbers digit for digit as they were approved, never by way of a float (M32). `1` says that
it was done, and is believed with a `transaction_id` only; `2` that a dry run passed; anything else says nothing (M30).

Source: Deriv WebSocket API v3, calls `paymentagent_transfer`, `paymentagent_withdraw`, `transfer_between_accounts`,
`buy`, `sell`; page of error codes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from bot.errors import InputError, ReplyError
from bot.network.strictjson import Json
from bot.providers.acts import Act, ActKind, PayWay
from bot.providers.deriv.wire.grammar import NAME, Body, Call, Request, Value, ask

REFERENCE = re.compile(r"CS-[A-Z0-9]{10}", re.ASCII)
_MARK = re.compile(r"(?<![A-Za-z0-9-])CS-[A-Z0-9]{10}(?![A-Za-z0-9-])", re.ASCII)
_DESCRIPTION = re.compile(r"[0-9A-Za-z .,'-]{0,250}", re.ASCII)
_LOGIN = re.compile(r"[A-Za-z]+[0-9]+", re.ASCII)
_CONTRACT = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_LASTS = re.compile(r"([1-9][0-9]{0,7})([dmsht])", re.ASCII)
_BARRIER = re.compile(r"(?=.{1,20}$)[+-]?[0-9]+\.?[0-9]*", re.ASCII)
_TYPE = re.compile(r"[A-Z]{2,20}", re.ASCII)
_SYMBOL = re.compile(r"\w{2,30}", re.ASCII)
_PROPOSAL = re.compile(r"[\w-]{32,128}", re.ASCII)
_BASIS = re.compile("stake|payout")
_MOMENT = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
_PRICE = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,8})?", re.ASCII)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
CODE = "<code>"
"""Stands for the code from the mail in what is stored: it is good for one payment, and nobody is to read it there."""

BEFORE_ANY_EFFECT = frozenset(
    {
        *("InputValidationFailed", "UnrecognisedRequest", "BadRequest", "SanityCheckFailed", "Deprecated"),
        *("PermissionDenied", "InvalidToken", "DisabledClient", "AccountDisabled", "SelfExclusion", "InvalidAppID"),
        *("RateLimit", "RateLimitExceeded", "CurrencyRequired", "InvalidCurrency", "NotDefaultCurrency"),
        *(
            "ContractBuyValidationError",
            "ContractValidationError",
            "OfferingsValidationError",
            "BarrierValidationError",
        ),
        *("OfferingsValidationFailure", "ContractCreationFailure", "GetProposalFailure", "BarrierValidationError"),
        *(
            "PriceMoved",
            "InvalidContractProposal",
            "InvalidtoBuy",
            "InvalidPrice",
            "InvalidAmount",
            "TooManyDecimalPlaces",
        ),
        *(
            "InsufficientBalance",
            "InvalidSymbol",
            "MarketIsClosed",
            "NoOpenPosition",
            "ContractNotFound",
            "ContractIsSold",
        ),
        *("InvalidSellContractProposal", "InvalidOfferings", "ClientUnwelcome", "PleaseAuthenticate"),
        *("FinancialAssessmentRequired", "NoMFProfessionalClient", "OpenPositionLimitExceeded"),
        *("DailyLossLimitExceeded", "CompanyWideLimitExceeded", "VirtualAccount", "VirtualNotAllowed"),
        *("InvalidAccount", "CashierLocked", "WithdrawalLocked", "NoWithdrawalOrTradingStatus", "PaymentsSuspended"),
        *("TransferInvalidAmount", "AmountNotAllowed", "MaximumTransfers", "MaximumAmountTransfers"),
        *("DifferentFiatCurrencies", "TransferCurrencyMismatch", "CurrencyShouldMatch", "RealToVirtualNotAllowed"),
        *("AccountTypesMismatch", "IncompatibleLandingCompanies", "InvalidLoginidFrom", "InvalidLoginidTo"),
        *("IncompatibleClientLoginidClientFrom", "TransferSuspended", "CurrencySuspended", "ExchangeRatesUnavailable"),
        *("ClosedMarket", "TransferToOtherPA", "TransferToNonPaSibling", "SameAccountNotAllowed", "NotAuthorized"),
        *("PlatformTransferOauthTokenRequired", "ClientsAreTheSame", "PASameAccountWithdrawal"),
        *("ClientCurrencyMismatch", "ClientCurrencyMismatchWithdraw", "PACurrencyMismatch"),
        *("PACurrencyMismatchWithdraw", "ClientDisabledAccount", "ClientCashierLocked", "ClientDocumentsExpired"),
        *("ClientRequirementsMissing", "UnwelcomeStatus", "PADisabledAccountWithdraw", "PACashierLockedWithdraw"),
        *("PADocumentsExpiredWithdraw", "PAUnwelcomeStatusWithdraw", "PAWithdrawalDifferentBrokers"),
        *("ClientInsufficientBalance", "AmountExceedsBalance", "PACommisionWithdrawalLimit"),
        *("PADepositsWithdrawalLimit", "PADepositsWithdrawalZero", "WithdrawalLimitReached", "WrongLoginID"),
        *("NotAuthenticated", "ValueOutOfRange"),
    }
)
"""Documented refusals that say that nothing happened. The catch-all codes of the calls (`PaymentAgentTransferError` and
the like) are not among them, nor is any failure of the service's own."""
LOGGED_OUT = frozenset({"AuthorizationRequired", "BadSession"})
"""The call was not looked at, because the connection speaks for nobody any more."""


# -- what is asked ------------------------------------------------------------------------------------------------


def reference_of(request_id: str) -> str:
    """What the description of a payment begins with, so that its effect can be recognised (M31)."""
    reference = f"CS-{request_id.upper()}"
    if not REFERENCE.fullmatch(reference):
        raise InputError("a request's id has ten letters and digits", "abcdefghjk")
    return reference


def mark_in(text: str) -> str:
    """The reference in a description, empty for none. The first one counts: what follows it are somebody's words."""
    found = _MARK.search(text)
    return found[0] if found is not None else ""


def request_of(act: Act, reference: str, *, by_proposal: bool = False) -> Request:
    """What carries out an act. `reference` is empty where nothing is to happen.

    Args:
        by_proposal: Buy what was priced, by the id of its price; else by its terms.
    Raises:
        InputError: It cannot be said to Deriv.
    """
    match act.kind:
        case ActKind.TRANSFER:
            return _payment(act, reference)
        case ActKind.ORDER:
            return _purchase(act, by_proposal=by_proposal)
        case ActKind.CLOSE:
            contract = _fitting(_CONTRACT, act.target, "a contract's number has digits only", "270000001")
            return ask(Call.SELL, int(contract), price=_price(act.parameters.get("least", "0")))
        case _:
            raise InputError("Deriv makes payments, buys contracts and sells them, and nothing else", "")


def way_of(act: Act) -> PayWay:
    """By which of its calls money is to leave. `InputError` for none of them."""
    found = act.parameters.get("way", "")
    if found not in (PayWay.OWN, PayWay.AGENT, PayWay.PAYOUT):
        raise InputError("Deriv has to be told by which way the money leaves", PayWay.OWN.value)
    return PayWay(found)


def _payment(act: Act, reference: str) -> Request:
    amount = act.amount
    if amount is None or amount.amount <= 0 or not amount.is_exact:
        raise InputError("a payment is of an amount above nought, in whole units of its currency", "250.00 USD")
    target = _fitting(_LOGIN, act.target, "an account is letters, then digits", "CR90000012")
    if target == act.account:
        raise InputError("money goes between two different accounts", "CR90000012")
    figures: dict[str, Value] = {"amount": Decimal(amount.text()), "currency": amount.currency.code}
    note = act.parameters.get("narrative", "")
    match way_of(act):
        case PayWay.AGENT:
            said = _description(reference, note)
            return ask(Call.PAYMENTAGENT_TRANSFER, transfer_to=target, **figures, description=said)
        case PayWay.PAYOUT:
            said = _description(reference, note)
            more = {"description": said, "verification_code": CODE}
            return ask(Call.PAYMENTAGENT_WITHDRAW, paymentagent_loginid=target, **figures, **more)
        case _:
            if note:
                raise InputError("Deriv takes no note along between your own accounts", "")
            return ask(Call.TRANSFER_BETWEEN_ACCOUNTS, account_from=act.account, account_to=target, **figures)


def _description(reference: str, note: str) -> str:
    said = f"{reference} {note}".strip()
    why = "Deriv takes letters A to Z, digits, blanks and . , ' - in a note"
    return _fitting(_DESCRIPTION, said, why, "Invoice 4711, March")


def dry(request: Request) -> Request:
    """The same, to be looked at and not done."""
    first, *others = request.fields.items()
    return replace(request, fields=dict([first, ("dry_run", 1), *others]))


def with_code(request: Request, code: str) -> Request:
    """The same with the code from the mail in its place."""
    if not re.fullmatch(r"\w{8,128}", code, re.ASCII):
        raise InputError("a code is eight letters and digits, or more", "")
    return replace(request, fields={**request.fields, "verification_code": code})


def _purchase(act: Act, *, by_proposal: bool) -> Request:
    """By the id of a price while that holds, else by its terms. Either way at most the price that was approved."""
    said, amount = act.parameters, act.amount
    if amount is None or amount.amount <= 0:
        raise InputError("a contract is bought for an amount above nought", "10.00 USD")
    price = _price(said.get("price", amount.text()))
    if by_proposal and _PROPOSAL.fullmatch(said.get("proposal", "")):
        return ask(Call.BUY, said["proposal"], price=price)
    terms: dict[str, Value] = {
        "amount": Decimal(amount.text()),
        "basis": _fitting(_BASIS, said.get("basis", "stake"), "stake or payout", "stake"),
        "contract_type": _fitting(_TYPE, said.get("contract_type", ""), "Deriv sells no such contract", "CALL"),
        "currency": amount.currency.code,
        "symbol": _fitting(_SYMBOL, said.get("symbol", act.target), "Deriv knows no such market", "R_100"),
    }
    for key in ("barrier", "barrier2"):
        if key in said:
            why = "a barrier is a number, with + or - where it is relative"
            terms[key] = _fitting(_BARRIER, said[key], why, "+0.5")
    if "duration" in said:
        lasts = _LASTS.fullmatch(said["duration"])
        if lasts is None:
            raise InputError("a contract lasts a number of days, hours, minutes, seconds or ticks", "5m")
        terms |= {"duration": int(lasts[1]), "duration_unit": lasts[2]}
    if "expiry" in said:
        terms["date_expiry"] = int(_fitting(_MOMENT, said["expiry"], "it ends at a moment, in seconds", "1760000300"))
    if "multiplier" in said:
        terms["multiplier"] = _price(said["multiplier"])
    return ask(Call.BUY, "1", price=price, parameters=terms)


def _price(text: str) -> Decimal:
    return Decimal(_fitting(_PRICE, text, "a price is plain digits with at most one point", "10.00"))


def _fitting(pattern: re.Pattern[str], text: str, otherwise: str, example: str) -> str:
    if not pattern.fullmatch(text):
        raise InputError(otherwise, example)
    return text


# -- what is answered ---------------------------------------------------------------------------------------------


def refusal_in(body: Body) -> str | None:
    """The code of a refusal; None where there is none.

    Raises:
        ReplyError: One that cannot be read; or a refusal and a payload together, of which one is wrong (F18).
    """
    if "error" not in body:
        return None
    error = body["error"]
    code = error.get("code") if isinstance(error, Mapping) else None
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise ReplyError(NAME, "error without a readable code")
    kind = body.get("msg_type")
    if (isinstance(kind, str) and kind in body and kind != "error") or "transaction_id" in body:
        raise ReplyError(NAME, f"{code}, and a result beside it")
    return code


@dataclass(frozen=True, slots=True)
class Done:
    """What an answer says was done."""

    transaction: str
    said: str
    """In a few words, for those who asked."""
    differing: tuple[str, ...] = ()
    """What is not as it was approved (M07)."""


def parse_done(body: Body, act: Act) -> Done:
    """What was done, by the answer to exactly this call.

    Raises:
        ReplyError: It does not say that it was done.
    """
    call = request_of(act, "").call
    if body.get("msg_type") != call:
        raise ReplyError(NAME, f"answer to another call than {call}")
    if act.kind is ActKind.ORDER:
        return _bought(_object(body, "buy"), act)
    if act.kind is ActKind.CLOSE:
        return _sold(_object(body, "sell"), act)
    _check_is(body.get(call), 1, call)
    told = {"payee": body.get("client_to_full_name"), "target": body.get("client_to_loginid")}
    if way_of(act) is PayWay.PAYOUT:
        told = {"payee": body.get("paymentagent_name")}
    if way_of(act) is PayWay.OWN:
        told.pop("payee")
    wanted = {"payee": act.parameters.get("payee"), "target": act.target}
    differing = tuple(what for what, name in told.items() if name is not None and _one_line(name) != wanted[what])
    transaction = _transaction(body)
    return Done(transaction, f"as transaction {transaction}", differing)


def _bought(said: Mapping[str, Json], act: Act) -> Done:
    paid, contract, transaction = _decimal(said, "buy_price"), _whole(said, "contract_id"), _transaction(said)
    most = Decimal(act.parameters.get("price", act.amount.text() if act.amount else "0"))
    currency = act.amount.currency if act.amount is not None else ""
    bought = f"contract {contract}, bought for {paid} {currency}, transaction {transaction}"
    return Done(transaction, bought, ("price",) if paid > most else ())


def _sold(said: Mapping[str, Json], act: Act) -> Done:
    got, transaction = _decimal(said, "sold_for"), _transaction(said)
    differing = [
        *(["contract"] if str(_whole(said, "contract_id")) != act.target else []),
        *(["price"] if got < Decimal(act.parameters.get("least", "0")) else []),
    ]
    return Done(transaction, f"contract {act.target}, sold for {got}, transaction {transaction}", tuple(differing))


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came of a dry run: the payee's name, and whether the service did what it was only to look at."""

    name: str
    done: bool


def parse_rehearsal(body: Body, act: Act) -> Rehearsed:
    """A dry run's answer. `ReplyError` when it says neither."""
    is_payout = way_of(act) is PayWay.PAYOUT
    call = Call.PAYMENTAGENT_WITHDRAW if is_payout else Call.PAYMENTAGENT_TRANSFER
    named = "paymentagent_name" if is_payout else "client_to_full_name"
    if body.get("msg_type") != call:
        raise ReplyError(NAME, f"answer to another call than {call}")
    name, target = body.get(named), body.get("client_to_loginid", act.target)
    value = body.get(call)
    if type(value) is int and value == 1:
        return Rehearsed("", done=True)
    _check_is(value, 2, call)
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > 200:
        raise ReplyError(NAME, f"{call} does not name the payee")
    if target != act.target:
        raise ReplyError(NAME, f"{call} is about another payee")
    return Rehearsed(_one_line(name), done=False)


def _one_line(name: Json) -> str:
    return " ".join(name.split()) if isinstance(name, str) else ""


def parse_own(body: Body) -> list[tuple[str, str]]:
    """The accounts between which money can go, as number and currency; the one it comes from is among them."""
    if body.get("msg_type") != "transfer_between_accounts":
        raise ReplyError(NAME, "answer to another call than transfer_between_accounts")
    _check_is(body.get("transfer_between_accounts"), 0, "transfer_between_accounts")
    listed = body.get("accounts")
    if not isinstance(listed, list):
        raise ReplyError(NAME, "no list of accounts")
    open_ones = [one for one in listed if isinstance(one, Mapping) and one.get("transfers") != "none"]
    found = [(one.get("loginid"), one.get("currency", "")) for one in open_ones]
    return [(number, code) for number, code in found if isinstance(number, str) and isinstance(code, str)]


def _check_is(value: Json, wanted: int, call: str) -> None:
    if type(value) is not int or value != wanted:  # `True` is no 1, nor is 1.0
        raise ReplyError(NAME, f"{call} answered something else than {wanted}")


def _object(body: Body, call: str) -> Mapping[str, Json]:
    said = body.get(call)
    if not isinstance(said, Mapping):
        raise ReplyError(NAME, f"{call} not as documented")
    return said


def _whole(said: Mapping[str, Json], key: str) -> int:
    value = said.get(key)
    if type(value) is not int or value <= 0:
        raise ReplyError(NAME, f"no readable {key}")
    return value


def _transaction(said: Mapping[str, Json]) -> str:
    return str(_whole(said, "transaction_id"))


def _decimal(said: Mapping[str, Json], key: str) -> Decimal:
    value = said.get(key)
    if type(value) is int or isinstance(value, Decimal):
        return Decimal(value)
    raise ReplyError(NAME, f"no readable {key}")
