"""The other side of Crypto Capital: the bank behind the End-User API v2.3.

What it plays
    Native WebSocket on `/ws`: auth, ping, account, statement and transfer, each signed by its sender and answered by
    `ack` or `err`; then the signed results, to every connection that sent a good auth for the addressee's key.
    Accounts, transfers, conversion, registration of keys by a transfer of 1.00, and a statement of all of it.

What it leaves out for now
    Socket.io. Its connections will be further `Link`s at the same `Desk`; nothing in here answers for it yet.
    The documents name no rate limits, so there are none, and `limits_lifted` changes nothing.

From which documents
    Crypto Capital End-User API v2.3, sections Connecting, Authentication, Commands, Responses, Account registration.
    Where they are silent the choice is the lenient one and stands beside the code that makes it.

Its own controls under `/_sim`, beside those of the frame
    POST   deposit    {"account", "amount", "sender"?, "narrative"?}     money arrives unasked
    POST   misbehave  {"mode", "times"?, "seconds"?}                     spoils the next signed results, see `Mode`
    GET    misbehave  what is still waiting; DELETE forgets it
    POST   delay      {"seconds": 0.5 | null}                            how long results take; null: they never come
    POST   register   {"account", "key"}                                 the bank's web interface, sending 1.00
    POST   hold       {"account", "amount"}                              what balance has and available lacks
    POST   rate       {"currency", "usd": "1.10" | null}                 worth of one unit; null: no exchange rate
    GET    nonces     per key the last one and the accepted ones
    GET    keys       server key, registration accounts, and per key its accounts and connections

File by file
    `numerals` JSON and JavaScript's number text · `signatures` keys and ECDSA · `operations` what clients send and the
    text they sign · `results` what the bank signs and how it misbehaves · `bank` accounts and money · `seed` the bank
    a newcomer finds · `desk` one operation from arrival to answer · `native` the WebSocket · `controls` the list above.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.routing import BaseRoute, WebSocketRoute

from bot.clock import Clock, SystemClock, to_millis
from bot.loopback.server import LedgerEntry, Simulator, Switches
from bot.providers.cryptocapital.simulator.bank import Bank, Kind, Movement
from bot.providers.cryptocapital.simulator.controls import Controls
from bot.providers.cryptocapital.simulator.desk import Desk
from bot.providers.cryptocapital.simulator.native import Native
from bot.providers.cryptocapital.simulator.results import Results
from bot.providers.cryptocapital.simulator.seed import DESK_ACCOUNTS, client_pair, furnished, outsider_pair, server_pair


class CryptoCapital:
    """The whole simulator, as the frame wants it."""

    name = "cryptocapital"

    def __init__(self, seed: int, clock: Clock) -> None:
        self.switches = Switches()
        self.clock = clock
        self._furnish(seed, furnished(seed, to_millis(clock.now())))

    def _furnish(self, seed: int, bank: Bank) -> None:
        self.seed = seed
        self.desk = Desk(bank, Results(server_pair(seed), outsider_pair(seed)), self.clock)

    def routes(self) -> Sequence[BaseRoute]:
        return [WebSocketRoute("/ws", Native(lambda: self.desk).serve)]

    def controls(self) -> Sequence[BaseRoute]:
        return Controls(lambda: self.desk).routes()

    def credentials(self) -> Mapping[str, Any]:
        pair = client_pair(self.seed)
        return {
            "private_key": pair.private_text(),
            "public_key": pair.public_text,
            "accounts": list(DESK_ACCOUNTS),
            "server_public_key": self.desk.results.server.public_text,
        }

    def ledger(self) -> Sequence[LedgerEntry]:
        """What was carried out since it was furnished; the history it came with is in the statements only."""
        return [_entry(one) for one in self.desk.bank.movements if one.kind is not Kind.HISTORY]

    def dump(self) -> Mapping[str, Any]:
        return {"seed": self.seed, "bank": self.desk.bank.dump(), "desk": self.desk.dump()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up a dumped state, keys included: they follow from the seed it was made with."""
        self._furnish(int(state["seed"]), Bank.loaded(state["bank"]))
        self.desk.load(state["desk"])


def make(seed: int = 7, clock: Clock | None = None) -> Simulator:
    """A furnished bank. Everything in it follows from `seed` and the time `clock` shows."""
    return CryptoCapital(seed, clock or SystemClock())


def _entry(one: Movement) -> LedgerEntry:
    return LedgerEntry(
        id=str(one.id),
        kind=one.kind.value,
        source=one.send_account,
        target=one.receive_account,
        amount=f"{one.send_amount:.2f}",
        currency=one.send_currency,
        reference=one.narrative,
        at_ms=one.at_ms,
    )
