"""Capital.com's side of the wire: a small broker with users, sessions, accounts, quotes and dealing.

It plays what the Capital.com Public API reference describes in its sections Session, Accounts, Positions, Confirms,
Markets and General (time, ping): both ways to log in, tokens that die ten minutes after their last use, account
switching, market orders filled at once (BUY at `offer`, SELL at `bid`), netting first in first out, stops and
take-profits that fire when the price gets there, the refusals with their error codes, and the request limits.
Every number a read shows is computed from the accounts, quotes and positions at that moment.

Left out for now: working orders, history, top-up, changing preferences or a position's stops, hedging mode, market
navigation, prices, sentiment, watchlists, streaming (its address is announced), opening hours (a market is closed when
the control side says so) and the broker's own close-out on too little margin.

Where the documents are silent:
    * a position's `upl` is in the instrument's currency, which is its `currency`; accounts convert at EURUSD/GBPUSD mid
    * an opposite order that shrinks a row keeps the row's dealId, level and stops
    * after `PUT /session` the old account token still names the old account; the CST stays
    * a missing mandatory field is 400 `error.null.<field>`, a body that is not a JSON object 400 `error.invalid.body`,
      a body of another media type 415 `error.invalid.contentType`, an unknown path 404 `error.not-found.path`
    * `POST` and `DELETE /session` answer as text/plain, as in the reference's samples
    * ids and tokens follow from the seed; the RSA key does not, it is new in every process

Its own controls below `/_sim` are described in `controls.py`.
"""

from bot.clock import Clock, SystemClock
from bot.loopback.server import Simulator
from bot.providers.capital.simulator.broker import Broker
from bot.providers.capital.simulator.world import World


def make(seed: int = 7, clock: Clock | None = None) -> Simulator:
    """A broker in its opening state: one user, a USD and a EUR account, five open positions."""
    return Broker(World(seed, clock or SystemClock()))
