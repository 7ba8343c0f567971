"""Everything the Deriv adapter can ask fits the vendor's own schemas, and its samples fit them as replies.

Reads the official schemas beside the project (`COUNTERSIGN_SHARED`); without them it says so and skips. Their patterns
are Perl's: those that Python does not read are translated, and listed here.
"""

import importlib
import inspect
import json
import os
import pkgutil
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import deriv_described
import jsonschema
import pytest

from bot.errors import RefusedError, ReplyError
from bot.money import Currency, Money
from bot.providers.acts import Act, ActKind
from bot.providers.deriv import signup, wire
from bot.providers.deriv.client import payments
from bot.providers.deriv.wire import (
    Body,
    Call,
    Request,
    agents,
    balances,
    books,
    contracts,
    grammar,
    logins,
    markets,
    opening,
    profile,
    proposals,
    reasons,
    service,
)
from bot.providers.records import Account, Environment
from bot.secret import Secret

SHARED = Path(os.environ.get("COUNTERSIGN_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SCHEMAS = SHARED / "protocols" / "data" / "deriv"
SAMPLES = sorted((Path(wire.__file__).parent.parent / "samples").glob("*.json"))
USD = Currency("USD")
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"Deriv's schemas are not at {SCHEMAS}")

REQUESTS: dict[str, list[Request]] = {
    "logins.build_authorize": [
        logins.build_authorize("abcDEF123456789"),
        logins.build_authorize("a1-abcdefghijklmnopqrstuvwxyz012", ["x" * 128]),
    ],
    "logins.build_logout": [logins.build_logout()],
    "balances.build_balance": [
        balances.build_balance(),
        balances.build_balance("all").streamed(),
        balances.build_balance().of("CR900002"),
    ],
    "contracts.build_portfolio": [contracts.build_portfolio(), contracts.build_portfolio().of("CR900002")],
    "contracts.build_open_contract": [
        contracts.build_open_contract(270000001).streamed(),
        contracts.build_open_contract().streamed(),
    ],
    "contracts.build_sell_expired": [contracts.build_sell_expired()],
    "markets.build_active_symbols": [markets.build_active_symbols(), markets.build_active_symbols("full")],
    "markets.build_contracts_for": [
        markets.build_contracts_for("R_100"),
        markets.build_contracts_for("frxEURUSD", "EUR", "svg"),
    ],
    "markets.build_ticks": [
        markets.build_ticks("R_100"),
        markets.build_ticks(["R_100", "1HZ100V"]).streamed(),
    ],
    "markets.build_ticks_history": [
        markets.build_ticks_history("R_100", NOON, NOON, 5000),
        markets.build_ticks_history("R_100", None, None, 1),
    ],
    "markets.build_candles": [
        markets.build_candles("R_100", 86400, NOON, None, 5000),
        markets.build_candles("R_100", 60, None, None, 1).streamed(),
    ],
    "books.build_statement": [
        books.build_statement(),
        books.build_statement(NOON, NOON, action=books.Action.ESCROW, limit=10, offset=20).of("CR900002"),
    ],
    "books.build_profit_table": [
        books.build_profit_table(),
        books.build_profit_table(NOON, NOON, limit=5, offset=5),
    ],
    "books.build_transaction": [books.build_transaction()],
    "service.build_ping": [service.build_ping()],
    "service.build_time": [service.build_time()],
    "service.build_website_status": [service.build_website_status()],
    "service.build_forget": [service.build_forget("0f3c0f7e-5f0e-4d0a-9f6b-3a1f2c4d5e60")],
    "service.build_forget_all": [service.build_forget_all(*service.Stream)],
}

REQUESTS |= {
    "proposals.build_proposal": [
        proposals.build_proposal(proposals.Terms("CALL", "R_100", USD, Decimal("10.50"), lasts=5)),
        proposals.build_proposal(
            proposals.Terms(
                "EXPIRYRANGE",
                "frxEURUSD",
                USD,
                Decimal("1E+2"),
                proposals.Basis.PAYOUT,
                expires_at=NOON,
                starts_at=NOON,
                barrier="+0.0012",
                barrier2="-0.0012",
            )
        ).streamed(),
        proposals.build_proposal(
            proposals.Terms(
                "MULTUP",
                "R_100",
                USD,
                Decimal(10),
                multiplier=Decimal(100),
                growth_rate=Decimal("0.01"),
                selected_tick=3,
                stop_loss=Decimal("5"),
                take_profit=Decimal("7.5"),
            )
        ),
        *(
            proposals.build_proposal(proposals.Terms(kind, "R_100", USD, Decimal(1)))
            for kind in sorted(proposals.CONTRACT_TYPES)
        ),
    ],
    "profile.build_get_settings": [profile.build_get_settings()],
    "profile.build_get_limits": [profile.build_get_limits().of("CR900002")],
    "profile.build_api_token": [
        profile.build_api_token(),
        profile.build_api_token(new="our bot", scopes=list(profile.Scope), this_address_only=True),
        profile.build_api_token(delete=Secret("abcDEF123456789")),
    ],
    "profile.build_app_register": [
        profile.build_app_register("Our app", []),
        profile.build_app_register(
            "Our app",
            list(profile.Scope),
            redirect_uri="https://desk.example.org/oauth/deriv",
            verification_uri="https://desk.example.org/verify",
        ),
    ],
    "opening.build_verify_email": [
        *(opening.build_verify_email("client1@example.org", purpose) for purpose in opening.Purpose),
        opening.build_verify_email(
            "client1@example.org", opening.Purpose.PAYMENT_AGENT, {"pa_loginid": "CR900073", "pa_currency": "USD"}
        ),
    ],
    "opening.build_residence_list": [opening.build_residence_list()],
    "opening.build_states_list": [opening.build_states_list("id")],
    "opening.build_landing_company": [opening.build_landing_company("id")],
    "opening.build_landing_company_details": [opening.build_landing_company_details("svg")],
    "opening.build_new_account_virtual": [
        opening.build_new_account_virtual(),
        opening.build_new_account_virtual(
            opening.NewUser(Secret("uoJvVuQ6"), Secret("Abcdefg1"), "id"), affiliate_token="some_affiliate-1"
        ),
    ],
    "opening.build_new_account_real": [
        opening.build_new_account_real({}, Currency("BTC")),
        opening.build_new_account_real(
            {
                "first_name": "Zoë",
                "last_name": "O'Ñeill-Østby",
                "date_of_birth": "1980-01-31",
                "residence": "id",
                "address_line_1": "Straße 12, 3° @home",
                "address_city": "Łódź",
                "address_state": "JB",
                "phone": "81234567",
                "tnc_acceptance": 1,
            },
            USD,
            affiliate_token="some_affiliate-1",
        ),
    ],
    "opening.build_topup_virtual": [opening.build_topup_virtual()],
    "agents.build_paymentagent_list": [
        agents.build_paymentagent_list("id"),
        agents.build_paymentagent_list("id", "USD"),
    ],
    "agents.build_paymentagent_details": [agents.build_paymentagent_details()],
    "agents.build_cashier": [
        agents.build_cashier(agents.Counter.DEPOSIT),
        agents.build_cashier(agents.Counter.WITHDRAW, Secret("uoJvVuQ6")),
    ],
    "agents.build_crypto_deposit": [agents.build_crypto_deposit()],
}

NOTE = {"narrative": "Invoice 4711, O'Brien - March"}


def _act(kind: ActKind, target: str, amount: str | None, **parameters: str) -> Act:
    money = None if amount is None else Money(Decimal(amount), USD)
    return Act("abcdefghjk", kind, "CR900001", money, target, parameters)


def _money_requests() -> Iterator[Request]:
    """What leaves through the seam, as it is prepared, and as it is rehearsed."""
    reference = payments.reference_of("abcdefghjk")
    credit = _act(ActKind.TRANSFER, "CR900010", "100.00", way="agent", **NOTE)
    payout = _act(ActKind.TRANSFER, "CR900073", "100.05", way="payout", **NOTE)
    by_code = payments.with_code(payments.request_of(payout, reference), "uoJvVuQ6")
    for request in (payments.request_of(credit, reference), by_code):
        yield from (request, payments.dry(request))
    yield payments.request_of(_act(ActKind.TRANSFER, "CR900004", "0.01", way="own"), reference)
    yield payments.request_of(_act(ActKind.CLOSE, "270000001", None, least="11.60"), "")
    terms = {"contract_type": "CALL", "symbol": "R_100", "duration": "5m", "barrier": "+0.5", "price": "10.50"}
    order = _act(ActKind.ORDER, "R_100", "10.00", **terms)
    yield payments.request_of(order, "")
    bound = _act(ActKind.ORDER, "R_100", "10.00", proposal="042922fe-5664-49e4-83bf-b3bbe98f31db", **terms)
    yield payments.request_of(bound, "", by_proposal=True)
    expiring = {"contract_type": "MULTUP", "symbol": "R_100", "expiry": "1760000300", "multiplier": "100"}
    yield payments.request_of(_act(ActKind.ORDER, "R_100", "10.00", **expiring), "")


REQUESTS["payments.request_of"] = list(_money_requests())

_LETTER = r"[^\W\d_]"
TRANSLATED = {
    r"^\p{L}[\p{L}\s'.-]{0,99}$": rf"^{_LETTER}(?:{_LETTER}|[\s'.-]){{0,99}}$",
    r"^[\p{L}\p{Nd}'.,:;()\x{b0}@#/-][\p{L}\p{Nd}\s'’.,:;()\x{b0}@#/-]{0,69}$": (
        rf"^(?:{_LETTER}|[\d'.,:;()°@#/-])(?:{_LETTER}|[\d\s'’.,:;()°@#/-]){{0,69}}$"
    ),
    r"^[\p{L}\p{Nd}\s'’.,:;()\x{b0}@#/-]{0,70}$": rf"^(?:{_LETTER}|[\d\s'’.,:;()°@#/-]){{0,70}}$",
    r"^[\p{L}\p{Nd}\s'.,-]{0,100}$": rf"^(?:{_LETTER}|[\d\s'.,-]){{0,100}}$",
    r"^(?!.*\s{2,})[\p{L}\s'.-]{1,50}$": rf"^(?!.*\s{{2,}})(?:{_LETTER}|[\s'.-]){{1,50}}$",
}
"""Perl's patterns among those of our calls that Python reads otherwise or not at all, and what they are here."""


def builders() -> Iterator[str]:
    for found in pkgutil.iter_modules(wire.__path__):
        module = importlib.import_module(f"{wire.__name__}.{found.name}")
        for name, made in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("build_") and made.__module__ == module.__name__:
                yield f"{found.name}.{name}"


def validate(call: str, side: str, message: Any) -> None:
    schema = _translated(_schema(call, side))
    jsonschema.Draft4Validator(schema).validate(message)


def _schema(call: str, side: str) -> Any:
    if call in deriv_described.ASKED and not (SCHEMAS / call).is_dir():
        return deriv_described.shape_of(call, side)
    return json.loads((SCHEMAS / call / f"{side}.json").read_text(encoding="utf-8"))


def _translated(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: TRANSLATED.get(inner, inner) if key == "pattern" and isinstance(inner, str) else _translated(inner)
            for key, inner in schema.items()
        }
    return [_translated(inner) for inner in schema] if isinstance(schema, list) else schema


def test_no_builder_is_missing_here() -> None:
    assert {*builders(), "payments.request_of"} == set(REQUESTS)


def test_no_call_is_missing_here() -> None:
    assert {made.call for cases in REQUESTS.values() for made in cases} == set(Call)


@pytest.mark.parametrize(
    "request_", [made for cases in REQUESTS.values() for made in cases], ids=lambda made: made.call.value
)
def test_a_request_fits_its_schema(request_: Request) -> None:
    sent = json.loads(request_.frame(2**31, {"ours": "7"}))
    validate(request_.call.value, "send", sent)


def test_every_pattern_of_our_calls_can_be_read() -> None:
    """A new one that only Perl reads must be translated before it counts as checked."""
    for call in {made.call.value for cases in REQUESTS.values() for made in cases}:
        for pattern in _patterns(_translated(_schema(call, "send"))):
            re.compile(pattern)


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for inner in schema:
            yield from _patterns(inner)


def _examples() -> Iterator[tuple[str, Any]]:
    """The replies the call reference shows, each with the call it belongs to."""
    text = (SHARED / "protocols" / "deriv.md").read_text(encoding="utf-8")
    for call, section in re.findall(r"^### `(\w+)`\n(.*?)(?=^##)", text, re.DOTALL | re.MULTILINE):
        for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL):
            yield call, json.loads(block, parse_float=Decimal)


OWN = Account("CR900001", "Real", USD, Environment.LIVE)
READERS: dict[str, Callable[[Body], object]] = {
    "ping": lambda body: body["ping"],
    "time": service.parse_time,
    "website_status": service.parse_website_status,
    "forget": service.parse_forget,
    "forget_all": service.parse_forget_all,
    "logout": lambda body: logins.parse_logout(body) or True,
    "authorize": lambda body: logins.parse_authorize(body, NOON),
    "get_settings": profile.parse_get_settings,
    "get_limits": lambda body: profile.parse_get_limits(body, USD),
    "api_token": profile.parse_api_token,
    "app_register": profile.parse_app_register,
    "verify_email": opening.parse_verify_email,
    "residence_list": opening.parse_residence_list,
    "states_list": opening.parse_states_list,
    "landing_company": opening.parse_landing_company,
    "landing_company_details": opening.parse_landing_company_details,
    "new_account_virtual": opening.parse_new_account_virtual,
    "new_account_real": opening.parse_new_account_real,
    "topup_virtual": opening.parse_topup_virtual,
    "balance": lambda body: balances.parse_balance(body, OWN, NOON).items,
    "portfolio": lambda body: contracts.parse_portfolio(body, OWN.id, NOON),
    "statement": lambda body: books.parse_statement(body, OWN.id, USD),
    "profit_table": lambda body: books.parse_profit_table(body, OWN.id, USD),
    "transaction": lambda body: books.parse_transaction(body, OWN.id),
    "sell_expired": contracts.parse_sell_expired,
    "active_symbols": markets.parse_active_symbols,
    "contracts_for": markets.parse_contracts_for,
    "ticks": markets.parse_tick,
    "ticks_history": lambda body: markets.parse_history(body, "R_100"),
    "proposal": lambda body: proposals.parse_proposal(body, USD),
    "buy": lambda body: payments.parse_done(body, _act(ActKind.ORDER, "R_100", "10", contract_type="CALL")),
    "sell": lambda body: payments.parse_done(body, _act(ActKind.CLOSE, "270000001", None)),
    "proposal_open_contract": lambda body: contracts.parse_open_contract(body, OWN.id, NOON),
    "paymentagent_list": agents.parse_paymentagent_list,
    "paymentagent_details": agents.parse_paymentagent_details,
    "paymentagent_transfer": lambda body: payments.parse_done(
        body, _act(ActKind.TRANSFER, "CR900010", "100", way="agent", payee="Mr Client Two")
    ),
    "paymentagent_withdraw": lambda body: payments.parse_done(
        body, _act(ActKind.TRANSFER, "CR900073", "100", way="payout", payee="Agent One")
    ),
    "transfer_between_accounts": lambda body: payments.parse_done(
        body, _act(ActKind.TRANSFER, "CR900004", "100", way="own")
    ),
    "cashier": agents.parse_cashier,
}


def test_every_reply_the_call_reference_shows_is_read() -> None:
    examples = list(_examples())
    assert {call for call, _ in examples} == set(READERS) == {call.value for call in Call}
    for call, said in examples:
        frame = json.dumps({**said, "req_id": 1}, default=lambda number: float(number))
        body = grammar.parse_frame(frame).said
        assert not isinstance(body, ReplyError)
        assert READERS[call](body), call


SHAPE_OF_A_CALL = {
    *("InputValidationFailed", "UnrecognisedRequest", "BadRequest", "SanityCheckFailed", "ResponseTooLarge"),
    *("Deprecated", "AlreadySubscribed", "InvalidStartEnd", "InvalidGranularity", "InvalidStyle", "NoSymbolProvided"),
}
"""A slip of ours, which an admin is to hear of."""
CATCH_ALL = {
    *("ProposalArrayFailure", "CashierForwardError", "TransferBetweenAccountsError", "PaymentAgentWithdrawError"),
    "PaymentAgentTransferError",
}
"""They say that it was refused, and not why."""
WITHOUT_A_DOOR = {"APITokenError", "TooManyTokens", "TokenDeleted", "AppRegister", "AppUpdate", "AppGet"}


def test_every_refusal_the_error_page_names_has_words_and_a_next_step() -> None:
    """Those about details of a form are told by /openaccount, which asks for them again."""
    text = (SHARED / "protocols" / "deriv.md").read_text(encoding="utf-8")
    section = text.split("### 2.3 Error object")[1].split("## 3. Authentication")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = {code for cell in cells for code in re.findall(r"`([A-Z]\w+)", cell)}
    asked = set(re.findall(r"ASK_[A-Z]+(?:_[A-Z]+)*", text))
    assert len(named) > 100
    assert len(asked) > 7
    told = (*reasons.REASONS, *SHAPE_OF_A_CALL, *CATCH_ALL, *WITHOUT_A_DOOR)
    kinds = {code for code in named if type(grammar.refusal(Call.SELL, _refused(code))) is not RefusedError}
    asked_again = {code for code in named if signup.refusal_of(RefusedError("deriv", code)).trouble.name != "OTHER"}
    assert (named | asked) - kinds - asked_again - set(told) == set()


def _refused(code: str) -> Body:
    return {"msg_type": "sell", "error": {"code": code, "message": ""}}


def test_a_request_that_does_not_fit_is_noticed() -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate("balance", "send", {**json.loads(balances.build_balance().frame(1)), "surprise": 1})


@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_a_sample_fits_its_schema(path: Path) -> None:
    reply = json.loads(path.read_text(encoding="utf-8"))
    validate(reply["msg_type"], "receive", reply)
    validate(reply["msg_type"], "send", _asked(reply["echo_req"]))


def _asked(echo: dict[str, Any]) -> dict[str, Any]:
    """What was sent, as far as the echo tells: the masked token is one no longer."""
    return {key: "masked" if value == "<not shown>" else value for key, value in echo.items()}
