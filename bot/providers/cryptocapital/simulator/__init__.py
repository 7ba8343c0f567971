"""The other side of Crypto Capital: the bank behind the End-User API v2.3.

What it plays
    auth, ping, account, statement and transfer, each signed by its sender and answered by `ack` or `err`; then the
    signed results, to every connection that sent a good auth for the addressee's key.
    Accounts, transfers, conversion, registration of keys by a transfer of 1.00, and a statement of all of it.
    Both transports on one port: native WebSocket on `/ws`, and Socket.io 4 over Engine.IO 3 under `/socket.io/`, by
    polling, by WebSocket, or from the one to the other. A key may be connected over both at once.

What it leaves out
    The documents name no rate limits, so there are none, and `limits_lifted` changes nothing. JSONP, binary events,
    acknowledgement callbacks, cookies and namespaces other than `/` are not spoken.

From which documents
    Crypto Capital End-User API v2.3, sections Connecting, Authentication, Commands, Responses, Account registration.
    Where they are silent the choice is the lenient one and stands beside the code that makes it.

Its own controls under `/_sim`, beside those of the frame. `to` is a public key, or an account and means its key.
    At the bank
    POST   deposit    {"account", "amount", "sender"?, "narrative"?, "currency"?}   money arrives unasked; `currency` is
                                                                         what a sender from elsewhere pays in
    POST   register   {"account", "key"}                                 the bank's web interface, sending 1.00
    POST   hold       {"account", "amount"}                              what balance has and available lacks
    POST   rate       {"currency", "usd": "1.10" | null}                 worth of one unit; null: no exchange rate
    POST   delay      {"seconds": 0.5 | null}                            how long results take; null: they never come
    POST   nonces     {"to", "nonce"}                                    another client with that key has used it
    GET    nonces     per key the last one and the accepted ones, in the order in which they came
    GET    keys       server key, registration accounts, and per key its accounts and connections
    Between the bank and its clients
    POST   misbehave  {"mode", "times"?, "seconds"?, "field"?, "kind"?, "to"?, "narrative"?}
                                                                         spoils the next signed results, see `Mode`;
                                                                         the last three say which ones
    GET    misbehave  what is still waiting, and how many results are held; DELETE forgets what waits
    POST   release    {"reverse"?}                                       sends the held results
    POST   tell       {"id"}                                             says a booked transfer again, signed anew
    POST   forge      {"to", "kind", "params", "mode"?, "field"?}        signs what never happened
    POST   say        {"to", "msg", "data"}                              any message, signed by nobody
    POST   hangup     {"to"?}                                            the bank ends connections
    POST   socketio   any of `Manner`'s fields                           how Socket.io is spoken; GET tells
    A statement's rows go through `misbehave` like live messages. Resets, cut, late and missing answers and outages are
    the frame's faults: on a WebSocket of either kind by what a frame contains, in polling by path and method.

File by file
    `numerals` JSON and JavaScript's number text · `signatures` keys and ECDSA · `operations` what clients send and the
    text they sign · `results` what the bank signs · `misbehaviour` how that goes wrong · `notary` who signs · `bank`
    accounts and money · `seed` the bank a newcomer finds · `desk` one operation from arrival to answer · `native` the
    WebSocket · `framing` Socket.io's packets · `sessions` who is connected by it · `socketio` its routes · `fields`,
    `controls`, `interference` the list above.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.routing import BaseRoute, WebSocketRoute

from bot.clock import Clock, SystemClock, to_millis
from bot.loopback.simulator import LedgerEntry, Simulator, Switches
from bot.providers.cryptocapital.simulator.bank import Bank, Kind, Movement
from bot.providers.cryptocapital.simulator.controls import Controls
from bot.providers.cryptocapital.simulator.desk import Desk
from bot.providers.cryptocapital.simulator.interference import Interference
from bot.providers.cryptocapital.simulator.native import Native
from bot.providers.cryptocapital.simulator.notary import Notary
from bot.providers.cryptocapital.simulator.seed import DESK_ACCOUNTS, client_pair, furnished, outsider_pair, server_pair
from bot.providers.cryptocapital.simulator.socketio import SocketIo


class CryptoCapital:
    """The whole simulator, as the frame wants it."""

    name = "cryptocapital"

    def __init__(self, seed: int, clock: Clock) -> None:
        self.switches = Switches()
        self.clock = clock
        self.socketio = SocketIo(lambda: self.desk, clock)
        self._furnish(seed, furnished(seed, to_millis(clock.now())))

    def _furnish(self, seed: int, bank: Bank) -> None:
        self.seed = seed
        self.desk = Desk(bank, Notary(server_pair(seed), outsider_pair(seed)), self.clock)

    def routes(self) -> Sequence[BaseRoute]:
        return [WebSocketRoute("/ws", Native(lambda: self.desk).serve), *self.socketio.routes()]

    def controls(self) -> Sequence[BaseRoute]:
        interference = Interference(lambda: self.desk, self.socketio.manner)
        return [*Controls(lambda: self.desk).routes(), *interference.routes()]

    def credentials(self) -> Mapping[str, Any]:
        pair = client_pair(self.seed)
        return {
            "private_key": pair.private_text(),
            "public_key": pair.public_text,
            "accounts": list(DESK_ACCOUNTS),
            "server_public_key": self.desk.notary.server.public_text,
        }

    def ledger(self) -> Sequence[LedgerEntry]:
        """What was carried out since it was furnished; the history it came with is in the statements only."""
        return [_entry(one) for one in self.desk.bank.movements if one.kind is not Kind.HISTORY]

    def dump(self) -> Mapping[str, Any]:
        return {
            "seed": self.seed,
            "bank": self.desk.bank.dump(),
            "desk": self.desk.dump(),
            "socketio": self.socketio.manner.as_json(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up a dumped state, keys included: they follow from the seed it was made with."""
        self._furnish(int(state["seed"]), Bank.loaded(state["bank"]))
        self.desk.load(state["desk"])
        self.socketio.manner.adopt(state["socketio"])


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
