"""Plays the Binary.com / Deriv WebSocket API v3 at `/websockets/v3`.

Written from the official JSON schemas (config/v3 of the vendor's public documentation repository, June 2026) and the
call reference's sections on transport, envelope, tokens and scopes, streaming and uncertain points.

It plays: ping, time, website_status, forget, forget_all, authorize (one token, several, `MULTI`), logout, balance (own,
all, another login id; streamed), portfolio, statement, the transaction stream, active_symbols, ticks (once or
streamed), buy described by `parameters` (rise/fall at the money), sell; contracts end by themselves on the clock it is
given. Shape, login, scope and rate are examined in the service's order.

The login page of the redirect flow (`/oauth2/authorize`) is in `login.py`.

It leaves out for now: proposal, proposal_open_contract and all other calls (`UnrecognisedRequest`); `subscribe` on buy,
which would start such a stream (refused as a property it does not know); other contract types, barriers and tick
durations; translated texts; permessage-deflate; p2p_config in website_status; the once-a-second limit on new
connections.

Where the documents are silent it takes the lenient choice they recommend, and these of its own:

* no token named for a `loginid`, or an account that is not the client's: `PermissionDenied`
* after `MULTI`, a call without `loginid`: `AuthorizationRequired`; the reply to `MULTI` describes the first token
* `authorize` refused: the connection keeps the login it had
* a token that expires while in use: its account streams end with `InvalidToken`, and so do later calls
* a frame that is not JSON: `BadRequest`, the connection stays
* a contract that expires is settled by the service three seconds later

The desk's client has a dollar account (CR900001), a bitcoin account (CR900002) and a demo account (VRTC900001);
CR900777 belongs to somebody else. The ledger begins after that opening.
"""

from bot.clock import Clock, SystemClock
from bot.loopback.server import Simulator
from bot.providers.deriv.simulator.service import DerivSimulator


def make(seed: int = 7, clock: Clock | None = None) -> Simulator:
    """The service, furnished for a newcomer; equal seeds and times give equal worlds."""
    return DerivSimulator(seed, clock or SystemClock())
