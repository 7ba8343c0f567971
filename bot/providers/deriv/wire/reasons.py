"""Why Deriv said no, and what to do next, in words. Pure.

The set of codes is open: one that is not here is told as it came.

Source: page of error codes; the calls of the reference; see README.md.
"""

_FUNDS = "the account holds less than that; ask for less, or pay in"
_OFFER = "it is not offered like that; try another duration, barrier or amount"
_DIGITS = "the amount has too many decimals; ask with fewer"
_GONE = "there is no such open contract any more; look at what is open"
_CURRENCY = "the account is not in that currency; ask in its own"
_SAME = "payer and payee are the same; name another account"
_AGENT = "that agent cannot pay out just now; choose another one"
_CLIENT = "that client's account cannot be paid to just now; ask them to look at it"
_TOO_MUCH = "it is beyond what may go just now; ask for less, or later"
_CLERKS = "Deriv has locked payments of this account; its owner must ask them why"
_TOGETHER = "nothing may go between these two accounts; choose others"
_LATER = "Deriv does not do that just now; try again later"
_PROVE = "Deriv wants papers from the owner of the account first; they upload them there"
_DEMO = "that is not for a demo account; use a real one"
_DETAILS = "details of the owner are missing or wrong at Deriv; they put them right on its pages"
_DECLARE = "Deriv wants a declaration of the owner first; they make it there, then ask again"
_UNTOLD = "Deriv does not tell that market's prices at once; /quote has the last one"
_JUSTIFY = "Deriv pays out otherwise what was paid in otherwise; its owner gives them a reason there first"
_AGENTS_ONLY = "a payment agent's money may not go there; choose another account"
_BUSY = "asked too often, and not looked at; try again in a minute"

REASONS = {
    "ASK_AUTHENTICATE": _PROVE,
    "ASK_CURRENCY": "the account has no currency yet; its owner chooses one there",
    "ASK_EMAIL_VERIFY": "Deriv wants a code from the mail first; its owner opens the cashier on Deriv's own pages",
    "ASK_FINANCIAL_RISK_APPROVAL": _DECLARE,
    "ASK_FIX_DETAILS": _DETAILS,
    "ASK_SELF_EXCLUSION_MAX_TURNOVER_SET": _DECLARE,
    "ASK_TIN_INFORMATION": "Deriv wants the owner's tax number first; they give it there, then ask again",
    "ASK_TNC_APPROVAL": "Deriv has new terms and conditions; its owner accepts them there, then ask again",
    "ASK_TOTP_VERIFY": "Deriv wants the second factor of its owner; they open the cashier on Deriv's own pages",
    "ASK_UK_FUNDS_PROTECTION": _DECLARE,
    "AccountTypesMismatch": _TOGETHER,
    "AmountExceedsBalance": _FUNDS,
    "AmountNotAllowed": _TOO_MUCH,
    "BarrierValidationError": _OFFER,
    "BelowMinimumAge": "too young for an account there; nothing can be done before the birthday",
    "CashierLocked": _CLERKS,
    "ClientCashierLocked": _CLIENT,
    "ClientCurrencyMismatch": _CURRENCY,
    "ClientCurrencyMismatchWithdraw": _CURRENCY,
    "ClientDisabledAccount": _CLIENT,
    "ClientDocumentsExpired": _CLIENT,
    "ClientInsufficientBalance": _FUNDS,
    "ClientRequirementsMissing": _CLIENT,
    "ClientUnwelcome": "Deriv restricts this account; its owner must ask them why",
    "ClientsAreTheSame": _SAME,
    "ClosedMarket": "currencies are not exchanged while their market is closed; try again when it is open",
    "CompanyWideLimitExceeded": _TOO_MUCH,
    "ContractBuyValidationError": _OFFER,
    "ContractCreationFailure": _OFFER,
    "ContractIsSold": _GONE,
    "ContractNotFound": _GONE,
    "ContractValidationError": _OFFER,
    "CurrencyNotAllowed": "that currency is not for this account; choose another one",
    "CurrencyRequired": "the account has no currency yet; its owner chooses one there",
    "CurrencyShouldMatch": _CURRENCY,
    "CurrencySuspended": _LATER,
    "DailyLossLimitExceeded": "the account has lost as much as it may today; try again tomorrow",
    "DemoTopupBalance": "the demo account still holds enough; it is filled up when little is left",
    "DemoTopupError": "only a demo account is filled up; name one",
    "DemoTopupThrottle": "it is being filled up already; look at the balance in a minute",
    "DifferentFiatCurrencies": "two such currencies are not exchanged; choose an account in the same, or in a coin",
    "DuplicateAccount": "there is such an account already; link it instead",
    "DuplicateCurrency": "there is an account in this currency already; choose another one",
    "ExchangeRatesUnavailable": _LATER,
    "FinancialAssessmentRequired": _PROVE,
    "GetProposalFailure": _OFFER,
    "IncompatibleClientLoginidClientFrom": "money leaves only the account the token is of; link the other one as well",
    "IncompatibleLandingCompanies": _TOGETHER,
    "InsufficientAccountDetails": _DETAILS,
    "InsufficientBalance": _FUNDS,
    "InternalCashierError": _LATER,
    "InvalidAccount": "this account is not one for that; choose another one",
    "InvalidAmount": _DIGITS,
    "InvalidContractProposal": "the price it was bound to is no longer offered; ask for a new one",
    "InvalidCurrency": _CURRENCY,
    "InvalidLoginidFrom": "this login may not move that account's money; link it with a token of its own",
    "InvalidLoginidTo": "nothing may go to that account; choose another one of the same owner",
    "InvalidOfferings": "this contract is not bought back now; it runs to its end",
    "InvalidPrice": _DIGITS,
    "InvalidSellContractProposal": _GONE,
    "InvalidSymbol": "there is no such market; look for it by a part of its name",
    "InvalidtoBuy": _OFFER,
    "JustificationAlreadySubmitted": "Deriv looks at the reason that was given already; wait for its answer",
    "MarketIsClosed": "this market is closed now; try again when it is open",
    "MaximumAmountTransfers": "as much as may go in a day has gone; try again tomorrow",
    "MaximumTransfers": "it was done as often as it may be in a day; try again tomorrow",
    "NewAccountLimitReached": "there are as many accounts as there may be; use one of them",
    "NoAccountCurrency": "the account has no currency yet; its owner chooses one there",
    "NoMFProfessionalClient": "that is for professional clients only; its owner applies for it there",
    "NoOpenPosition": _GONE,
    "NoRealtimeQuotes": _UNTOLD,
    "NoWithdrawalOrTradingStatus": _CLERKS,
    "NotAuthenticated": _PROVE,
    "NotAuthorized": "this account is no approved payment agent; pay from one that is",
    "NotDefaultCurrency": _CURRENCY,
    "OfferingsValidationError": _OFFER,
    "OfferingsValidationFailure": _OFFER,
    "OpenPositionLimitExceeded": "as many contracts are open as may be; sell one first",
    "PACashierLockedWithdraw": _AGENT,
    "PACommisionWithdrawalLimit": _TOO_MUCH,
    "PACurrencyMismatch": _CURRENCY,
    "PACurrencyMismatchWithdraw": _CURRENCY,
    "PADepositsWithdrawalLimit": _JUSTIFY,
    "PADepositsWithdrawalZero": _JUSTIFY,
    "PADisabledAccountWithdraw": _AGENT,
    "PADocumentsExpiredWithdraw": _AGENT,
    "PASameAccountWithdrawal": _SAME,
    "PATransferClientFailure": _CLIENT,
    "PAUnwelcomeStatusWithdraw": _AGENT,
    "PAWithdrawalDifferentBrokers": _AGENT,
    "PaymentsSuspended": _LATER,
    "PermissionDenied": "this token may not, or is of another account; its owner gives one that fits with /replace",
    "PlatformTransferOauthTokenRequired": "that account is of another platform; its owner moves the money at Deriv",
    "PleaseAuthenticate": _PROVE,
    "PriceMoved": "the price has moved past what was allowed; look at it and ask anew",
    "RateLimit": _BUSY,
    "RateLimitExceeded": _BUSY,
    "RealToVirtualNotAllowed": _TOGETHER,
    "RequiredFieldMissing": _DETAILS,
    "SameAccountNotAllowed": _SAME,
    "SellExpiredError": "what had run out was not settled; Deriv does it by itself within minutes, so look again then",
    "SetExistingAccountCurrency": "an account there has no currency yet; its owner chooses one there first",
    "StreamingNotAllowed": _UNTOLD,
    "SystemMaintenanceCrypto": _LATER,
    "TooManyDecimalPlaces": _DIGITS,
    "TransferCurrencyMismatch": _CURRENCY,
    "TransferInvalidAmount": _DIGITS,
    "TransferSuspended": _LATER,
    "TransferToNonPaSibling": _AGENTS_ONLY,
    "TransferToOtherPA": _AGENTS_ONLY,
    "UnknownLandingCompany": "Deriv serves nobody in that country; name another one",
    "UnwelcomeStatus": _CLIENT,
    "ValueOutOfRange": "the amount is less or more than may go at once; /agents tells how much",
    "VirtualAccount": _DEMO,
    "VirtualNotAllowed": _DEMO,
    "WithdrawalLimitReached": _TOO_MUCH,
    "WithdrawalLocked": _CLERKS,
    "WrongLoginID": "there is no such client; look at the account's number again",
}


def in_words(code: str) -> str:
    """A refusal's code, after what it means and what would help, where that is known."""
    return f"{REASONS[code]} ({code})" if code in REASONS else code
