"""The CRM's Open API as values: what is sent, and what a reply says. Pure.

    grammar        how one is asked, how strictly a reply is read, what a failure means
    reading        the calls behind balances, positions and the report
    clients  trading  wallets  requests  reports  registration      one file a section of the pages
    hooks          what the CRM tells by itself

Source: CRM Open API. Where its pages are silent or disagree: README.md.
"""

from bot.providers.crm.wire.grammar import NAME as NAME
from bot.providers.crm.wire.grammar import NO_SUCH_PATH as NO_SUCH_PATH
from bot.providers.crm.wire.grammar import Code as Code
from bot.providers.crm.wire.grammar import Id as Id
from bot.providers.crm.wire.grammar import Number as Number
from bot.providers.crm.wire.grammar import Page as Page
from bot.providers.crm.wire.grammar import Reference as Reference
from bot.providers.crm.wire.grammar import Request as Request
from bot.providers.crm.wire.grammar import Window as Window
from bot.providers.crm.wire.grammar import error_of as error_of
from bot.providers.crm.wire.grammar import is_missing as is_missing
from bot.providers.crm.wire.grammar import lacks_call as lacks_call
from bot.providers.crm.wire.grammar import windows as windows
from bot.providers.crm.wire.grammar import windows_between as windows_between
from bot.providers.crm.wire.reading import NO_WALLET as NO_WALLET
from bot.providers.crm.wire.reading import Client as Client
from bot.providers.crm.wire.reading import Mt4Account as Mt4Account
from bot.providers.crm.wire.reading import Person as Person
from bot.providers.crm.wire.reading import Server as Server
from bot.providers.crm.wire.reading import Trade as Trade
from bot.providers.crm.wire.reading import TradingAccount as TradingAccount
from bot.providers.crm.wire.reading import Transaction as Transaction
from bot.providers.crm.wire.reading import build_clients as build_clients
from bot.providers.crm.wire.reading import build_mt4_accounts as build_mt4_accounts
from bot.providers.crm.wire.reading import build_mt4_connections as build_mt4_connections
from bot.providers.crm.wire.reading import build_open_mt4_trades as build_open_mt4_trades
from bot.providers.crm.wire.reading import build_transactions as build_transactions
from bot.providers.crm.wire.reading import build_wallets as build_wallets
from bot.providers.crm.wire.reading import client_account as client_account
from bot.providers.crm.wire.reading import elsewhere as elsewhere
from bot.providers.crm.wire.reading import mt4_account as mt4_account
from bot.providers.crm.wire.reading import mt4_balance as mt4_balance
from bot.providers.crm.wire.reading import mt4_position as mt4_position
from bot.providers.crm.wire.reading import parse_clients as parse_clients
from bot.providers.crm.wire.reading import parse_mt4_accounts as parse_mt4_accounts
from bot.providers.crm.wire.reading import parse_mt4_connections as parse_mt4_connections
from bot.providers.crm.wire.reading import parse_mt4_trades as parse_mt4_trades
from bot.providers.crm.wire.reading import parse_transactions as parse_transactions
from bot.providers.crm.wire.reading import parse_wallets as parse_wallets
from bot.providers.crm.wire.reading import servers_of as servers_of
from bot.providers.crm.wire.reading import wallet_balances as wallet_balances
