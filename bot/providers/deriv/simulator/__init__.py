"""Plays the Binary.com / Deriv WebSocket API v3 at `/websockets/v3`.

Written from the official JSON schemas (config/v3 of the vendor's public documentation repository, June 2026) and the
call reference's sections on transport, envelope, tokens and scopes, streaming and uncertain points.

It plays every call of the reference's section 4, with their streams: utility, login (one token, several, `MULTI`),
settings, limits, tokens, apps, account opening with mailed codes, accounting, prices and histories, proposals, buying,
selling, open contracts, payment agents, transfers between own accounts, the cashier. Shape, login, scope and rate are
examined in the service's order. Its controls are in `controls.py`, `markets.py` and `misdeeds.py`; `GET /_sim/` tells
all of them.

The login page of the redirect flow (`/oauth2/authorize`) is in `login.py`.

It leaves out: calls beyond section 4; contract types other than CALL, PUT, CALLE and PUTE; two barriers, forward
starts, multipliers, deal cancellation; wallets and MT5; translated texts; permessage-deflate; p2p_config in
website_status; the once-a-second limit on new connections; the modes "legacy2018" and "always stream".

Where the documents are silent it takes the lenient choice they recommend, and these of its own:

* no token named for a `loginid`, or an account that is not the client's: `PermissionDenied`
* after `MULTI`, a call without `loginid`: `AuthorizationRequired`; the reply to `MULTI` describes the first token
* `authorize` refused: the connection keeps the login it had
* a token that expires while in use: its account streams end with `InvalidToken`, and so do later calls
* a frame that is not JSON: `BadRequest`, the connection stays
* a contract that expires is settled by the service three seconds later; `sell_expired` does it at once
* at the money on a synthetic index a proposal's price never changes: asked to stream, it answers once, without a
  `subscription`
* bought by a proposal's id, a contract costs what it costs at that moment; above `price` it is `PriceMoved`
* `profit_table` goes by the time of purchase, also in `date_from` and `date_to`
* `proposal_open_contract` without a contract answers one message for each open contract, also when not subscribed
* an agent's transfer outside his own smallest and largest amount is `ValueOutOfRange`

The desk's client has a dollar account (CR900001, a payment agent), a bitcoin account (CR900002) and a demo account
(VRTC900001); the others are told in `opening.py`. The ledger begins after that opening.
"""

from bot.clock import Clock, SystemClock
from bot.loopback.simulator import Simulator
from bot.providers.deriv.simulator.service import DerivSimulator


def make(seed: int = 7, clock: Clock | None = None) -> Simulator:
    """The service, furnished for a newcomer; equal seeds and times give equal worlds."""
    return DerivSimulator(seed, clock or SystemClock())
