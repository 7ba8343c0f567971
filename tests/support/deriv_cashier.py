"""A Deriv of one desk, small enough to be told exactly what to get wrong: where money leaves, and what it says of it.

CR900001 (USD, a payment agent) is the login's account; CR900002 (BTC) is of the same person; CR900010 is a client. What
was really done is in `ledger`.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve

from bot.clock import SystemClock
from bot.money import Currency, Money
from bot.providers.acts import Act, ActKind
from bot.providers.base import Login, Surroundings
from bot.providers.deriv import SPEC
from bot.providers.deriv.client import Deriv, Settings
from bot.providers.records import Environment
from bot.secret import Secret

ACCOUNT, SIBLING, CLIENT, AGENT = "CR900001", "CR900002", "CR900010", "CR900073"
NAME, AGENT_NAME, ADDRESS = "Mr Client Two", "Corner Exchange", "owner@example.org"
APP = 4711
MAILED = "k3n7q2xw"
USD = Currency("USD")
Answer = dict[str, Any]


_WRITER = msgspec.json.Encoder(decimal_format="number")


class Hasty(SystemClock):
    """The machine's time; what rests for a few seconds has rested already."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._ahead)

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    async def sleep(self, seconds: float) -> None:
        if seconds > 15:
            await super().sleep(seconds)
            return
        self._ahead += seconds
        await asyncio.sleep(0)


@dataclass
class Cashier:
    """The other side, and what it is to get wrong."""

    scopes: list[str] = field(default_factory=lambda: ["read", "trade", "payments"])
    ledger: list[Answer] = field(default_factory=list)
    heard: list[Answer] = field(default_factory=list)
    """Every frame, as it was sent."""
    raw: list[str] = field(default_factory=list)
    name: str = NAME
    lost: set[str] = field(default_factory=set)
    """Calls that are carried out, and whose answer never comes: the connection breaks."""
    ignored: set[str] = field(default_factory=set)
    """Calls that are not carried out either."""
    instead: dict[str, Callable[[Answer], Answer | str]] = field(default_factory=dict)
    """What is answered instead, by call; nothing is carried out."""
    cut: int | None = None
    """A payment's answer ends after so many bytes of its frame, and the connection with it."""
    dry_runs_count: bool = False
    """A dry run is carried out like any other."""
    app_id: int | None = APP
    connections: int = 0
    url: str = ""

    async def talk(self, socket: ServerConnection) -> None:
        self.connections += 1
        async for raw in socket:
            asked = json.loads(raw, parse_float=Decimal)
            self.heard.append(asked)
            self.raw.append(str(raw))
            call = next(key for key in asked if key in CALLS)
            is_harmless = "dry_run" in asked or (call == "transfer_between_accounts" and "account_to" not in asked)
            rehearsed = f"dry {call}" if is_harmless else call
            if rehearsed in self.ignored:
                socket.transport.abort()
                return
            if rehearsed in self.instead:
                said = self.instead[rehearsed](asked)
            else:
                said = {"msg_type": call, **CALLS[call](self, asked)}
            if rehearsed in self.lost:
                socket.transport.abort()
                return
            text = said if isinstance(said, str) else _WRITER.encode({"req_id": asked["req_id"], **said}).decode()
            if self.cut is not None and rehearsed == "paymentagent_transfer":
                socket.transport.write(_framed(text)[: self.cut])
                socket.transport.close()
                return
            await socket.send(text)

    def count(self, call: str, *, dry: bool = False) -> int:
        """How often it was asked for in earnest, or as a dry run."""
        return sum(call in one and ("dry_run" in one) == dry for one in self.heard)

    def book(self, action: str, amount: Decimal, **more: Any) -> int:
        number = 540_000_001 + len(self.ledger)
        now = int(datetime.now(UTC).timestamp())
        row = {"transaction_id": number, "transaction_time": now, "action_type": action, "amount": amount}
        self.ledger.append(
            {"app_id": self.app_id, "contract_id": None, "longcode": "", "shortcode": None, **row, **more}
        )
        return number

    # -- the calls

    def _authorize(self, asked: Answer) -> Answer:
        accounts = [
            {"loginid": ACCOUNT, "currency": "USD", "is_virtual": 0},
            {"loginid": SIBLING, "currency": "BTC", "is_virtual": 0},
        ]
        said = {"loginid": ACCOUNT, "currency": "USD", "is_virtual": 0, "account_list": accounts}
        return {"authorize": {**said, "scopes": self.scopes, "email": ADDRESS}}

    def _statement(self, asked: Answer) -> Answer:
        since, first, limit = asked.get("date_from", 0), asked.get("offset", 0), asked.get("limit", 100)
        rows = [row for row in reversed(self.ledger) if row["transaction_time"] >= since][first : first + limit]
        return {"statement": {"count": len(rows), "transactions": rows}}

    def _balance(self, asked: Answer) -> Answer:
        held = Decimal("1250.50") + sum((row["amount"] for row in self.ledger), Decimal(0))
        number = asked.get("loginid", ACCOUNT)
        currency = "BTC" if number == SIBLING else "USD"
        return {"balance": {"balance": held, "currency": currency, "loginid": number}}

    def _settings(self, asked: Answer) -> Answer:
        return {"get_settings": {"country_code": "id", "email": ADDRESS}}

    def _agents(self, asked: Answer) -> Answer:
        one = {"paymentagent_loginid": AGENT, "name": AGENT_NAME, "min_withdrawal": "10", "max_withdrawal": "2000"}
        return {"paymentagent_list": {"list": [one]}}

    def _mail(self, asked: Answer) -> Answer:
        return {"verify_email": 1}

    def _pay(self, asked: Answer) -> Answer:
        named = {"client_to_full_name": self.name, "client_to_loginid": asked["transfer_to"]}
        if asked.get("dry_run") and not self.dry_runs_count:
            return {"paymentagent_transfer": 2, **named}
        number = self.book("withdrawal", -asked["amount"], longcode=f"Payment agent transfer. {asked['description']}")
        return {"paymentagent_transfer": 1, "transaction_id": number, **named}

    def _withdraw(self, asked: Answer) -> Answer:
        if asked["verification_code"] != MAILED:
            return {"error": {"code": "InvalidToken", "message": "Your token has expired or is invalid."}}
        if asked.get("dry_run"):
            return {"paymentagent_withdraw": 2, "paymentagent_name": AGENT_NAME}
        number = self.book("withdrawal", -asked["amount"], longcode=asked["description"])
        return {"paymentagent_withdraw": 1, "transaction_id": number, "paymentagent_name": AGENT_NAME}

    def _between(self, asked: Answer) -> Answer:
        if "account_to" not in asked:
            accounts = [{"loginid": ACCOUNT, "currency": "USD", "balance": "1250.50"}]
            accounts += [{"loginid": SIBLING, "currency": "BTC", "balance": "0.10000000"}]
            return {"transfer_between_accounts": 0, "accounts": accounts}
        sides = {"from": {"loginid": asked["account_from"]}, "to": {"loginid": asked["account_to"]}}
        number = self.book("transfer", -asked["amount"], **sides)
        said = {"client_to_full_name": "Ms Client One", "client_to_loginid": asked["account_to"]}
        return {"transfer_between_accounts": 1, "transaction_id": number, **said}

    def _buy(self, asked: Answer) -> Answer:
        contract = 270_000_001 + len(self.ledger)
        terms = asked.get("parameters", {"contract_type": "CALL", "symbol": "R_100"})
        short = f"{terms['contract_type']}_{terms['symbol']}_19.54_1760000000_4760000300_S0P_0"
        number = self.book("buy", -asked["price"], contract_id=contract, shortcode=short)
        return {"buy": {"buy_price": asked["price"], "contract_id": contract, "transaction_id": number}}

    def _sell(self, asked: Answer) -> Answer:
        short = "CALL_R_100_19.54_1760000000_4760000300_S0P_0"
        number = self.book("sell", Decimal("11.60"), contract_id=asked["sell"], shortcode=short)
        return {"sell": {"sold_for": Decimal("11.60"), "contract_id": asked["sell"], "transaction_id": number}}


def _framed(text: str) -> bytes:
    """As a WebSocket writes it: one whole text frame of 126 bytes or more."""
    return b"\x81\x7e" + len(text).to_bytes(2, "big") + text.encode()


CALLS: dict[str, Callable[[Cashier, Answer], Answer]] = {
    "authorize": Cashier._authorize,
    "statement": Cashier._statement,
    "balance": Cashier._balance,
    "get_settings": Cashier._settings,
    "paymentagent_list": Cashier._agents,
    "verify_email": Cashier._mail,
    "paymentagent_transfer": Cashier._pay,
    "paymentagent_withdraw": Cashier._withdraw,
    "transfer_between_accounts": Cashier._between,
    "buy": Cashier._buy,
    "sell": Cashier._sell,
}


def refusing(call: str, code: str, **beside: Any) -> Callable[[Answer], Answer]:
    return lambda asked: {"msg_type": call, "error": {"code": code, "message": "A text."}, **beside}


def saying(call: str, **said: Any) -> Callable[[Answer], Answer]:
    return lambda asked: {"msg_type": call, **said}


def payment(amount: str = "10.00", target: str = CLIENT, way: str = "agent", **words: str) -> Act:
    """To the client, as their payment agent, under the name that Deriv has for them."""
    named = {"agent": {"payee": NAME}, "payout": {"payee": AGENT_NAME}, "own": {}}[way]
    told = {"way": way, **named, **words}
    return Act("abcdefghjk", ActKind.TRANSFER, ACCOUNT, Money.parse(amount, USD), target, told)


@asynccontextmanager
async def a_cashier(
    answer_seconds: float = 5.0, *, tokens: str = "token-of-the-test", **told: Any
) -> AsyncIterator[tuple[Cashier, Deriv]]:
    """The other side, and a login there."""
    cashier = Cashier(**told)
    quiet = logging.Logger("cashier", logging.CRITICAL)  # what the other side logs is not ours
    async with serve(cashier.talk, "127.0.0.1", 0, logger=quiet) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        login: Login = {"app_id": Secret(str(APP)), "token": Secret(tokens)}

        @asynccontextmanager
        async def lend() -> AsyncIterator[Login]:
            yield login

        settings = Settings(url=f"ws://127.0.0.1:{port}", answer_seconds=answer_seconds)
        deriv = SPEC.build(lend, Surroundings(Environment.LIVE, settings, Hasty()))
        assert isinstance(deriv, Deriv)
        try:
            yield cashier, deriv
        finally:
            await deriv.close()
            await asyncio.sleep(0)
