"""Capital.com's side of the wire: a small broker with users, sessions, accounts, quotes and dealing.

It plays what the Capital.com Public API reference describes, every REST call of it: both ways to log in, tokens that
die ten minutes after their last use, account switching, preferences, play money, both histories, market orders filled
at once (BUY at `offer`, SELL at `bid`), netting first in first out or hedging, stops and take-profits that fire when
the price gets there, orders that wait for their price, navigation, past prices, sentiment, watchlists, refusals with
their error codes, and the request limits. Every number a read shows is computed from the accounts, quotes and positions
at that moment; what a deal did shows in the histories, and a price that was dealt shows in the bars of `/prices`.

Streaming tells quotes and bars on `/connect`, as `streaming.py` describes; 40 epics a socket.

Left out: opening hours in the present (a market is closed when the control side says so; the invented past keeps to its
hours) and the broker's own close-out on too little margin.

Where the documents are silent:
    * a position's `upl` is in the instrument's currency, which is its `currency`; accounts convert at EURUSD/GBPUSD mid
    * an opposite order that shrinks a row keeps the row's dealId, level and stops
    * distances of a changed position count from its entry, those of a trailing stop from the price of now
    * a limit order whose level the price has reached already is filled at once; what protects a filled order keeps its
      distances from the fill; an order that lacks the margin when its price comes is rejected and gone
    * after `PUT /session` the old account token still names the old account; the CST stays
    * a missing mandatory field is 400 `error.null.<field>`, a body that is not a JSON object 400 `error.invalid.body`,
      a body of another media type 415 `error.invalid.contentType`, an unknown path 404 `error.not-found.path`
    * `POST` and `DELETE /session` answer as text/plain, as in the reference's samples
    * quotes and bars count together against the 40 epics; a change of account cuts the sockets of its session, a dead
      session leaves them open and silent
    * the broker's own watchlist cannot be changed: 400 `error.not-editable.watchlist`
    * ids and tokens follow from the seed, and so do the past and the walk of prices; the RSA key does not, it is new in
      every process

Its own controls below `/_sim` are described in `controls.py`.
"""

from bot.clock import Clock, SystemClock
from bot.loopback.simulator import Simulator
from bot.providers.capital.simulator.broker import Broker
from bot.providers.capital.simulator.world import World


def make(seed: int = 7, clock: Clock | None = None) -> Simulator:
    """A broker in its opening state: one user, a USD and a EUR account, five open positions."""
    return Broker(World(seed, clock or SystemClock()))
