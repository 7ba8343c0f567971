"""Deriv's WebSocket API v3 as values: what is sent, and what a reply says. Pure.

    grammar     how one is asked, how strictly a frame is read, what a refusal means
    reasons     what a refusal means to people
    logins  balances  books  contracts  markets  proposals  service  profile  opening  agents      one file a matter

Source: Deriv WebSocket API v3 schemas. Where the documents are silent or disagree: README.md.
"""

from bot.providers.deriv.wire.grammar import NAME as NAME
from bot.providers.deriv.wire.grammar import Body as Body
from bot.providers.deriv.wire.grammar import Call as Call
from bot.providers.deriv.wire.grammar import Request as Request
from bot.providers.deriv.wire.grammar import refusal as refusal
from bot.providers.deriv.wire.logins import Session as Session
