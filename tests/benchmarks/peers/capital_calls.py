"""Asks Capital.com's simulator through capitalcom-python, as its README shows; prints how many calls a second.

Arguments: the simulator's address, how many rounds of four calls, and from when on prices are asked for. The
environment holds the login and names the simulator's certificate, which is added to those that requests trusts anyway:
the package reads them all for every call, as it does at the real place.
"""

import os
import sys
import time
from pathlib import Path

import certifi
from capitalcom.client import CapitalComConstants, Client

ORIGIN, ROUNDS, SINCE = sys.argv[1], int(sys.argv[2]), sys.argv[3]

bundle = Path(os.environ["REQUESTS_CA_BUNDLE"])
bundle.write_text(Path(certifi.where()).read_text() + Path(os.environ["CA_FILE"]).read_text())

for name, value in list(vars(CapitalComConstants).items()):
    if isinstance(value, str) and "backend-capital.com" in value:
        setattr(CapitalComConstants, name, ORIGIN + "/api/v1/" + value.partition("/api/v1/")[2])

client = Client(os.environ["IDENTIFIER"], os.environ["PASSWORD"], os.environ["API_KEY"])


def once() -> int:
    """How many things the four calls told of."""
    accounts, positions = client.all_accounts(), client.all_positions()
    market, prices = client.single_market("GOLD"), client.historical_price("BTCUSD", max=1000, fr=SINCE)
    told = accounts["accounts"], positions["positions"], [market["snapshot"]["bid"]], prices["prices"]
    return sum(map(len, told))


if not once():
    sys.exit("nothing was told")
begun = time.perf_counter()
for _ in range(ROUNDS):
    once()
print(4 * ROUNDS / (time.perf_counter() - begun))
