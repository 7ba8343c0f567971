"""Capital.com's REST API as values: what is sent, and what a reply says. Pure.

    grammar     what all have in common
    failures    what a refusal means
    session  accounts  positions  orders  history  markets  prices  watchlists      the calls of the pages

Source: Capital.com Public API reference. Where pages disagree: README.md.
"""

from bot.providers.capital.wire.accounts import AccountRow as AccountRow
from bot.providers.capital.wire.accounts import accounts_of as accounts_of
from bot.providers.capital.wire.accounts import balances_of as balances_of
from bot.providers.capital.wire.accounts import build_accounts as build_accounts
from bot.providers.capital.wire.accounts import parse_accounts as parse_accounts
from bot.providers.capital.wire.accounts import restrictions_of as restrictions_of
from bot.providers.capital.wire.failures import NOT_HERE as NOT_HERE
from bot.providers.capital.wire.failures import error_of as error_of
from bot.providers.capital.wire.failures import is_missing as is_missing
from bot.providers.capital.wire.failures import is_session_over as is_session_over
from bot.providers.capital.wire.grammar import NAME as NAME
from bot.providers.capital.wire.grammar import Request as Request
from bot.providers.capital.wire.positions import build_positions as build_positions
from bot.providers.capital.wire.positions import parse_positions as parse_positions
from bot.providers.capital.wire.session import EncryptionKey as EncryptionKey
from bot.providers.capital.wire.session import LoginAccount as LoginAccount
from bot.providers.capital.wire.session import LoginReply as LoginReply
from bot.providers.capital.wire.session import build_encryption_key as build_encryption_key
from bot.providers.capital.wire.session import build_login as build_login
from bot.providers.capital.wire.session import build_logout as build_logout
from bot.providers.capital.wire.session import parse_encryption_key as parse_encryption_key
from bot.providers.capital.wire.session import parse_login as parse_login
