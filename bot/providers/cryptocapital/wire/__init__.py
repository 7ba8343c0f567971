"""Crypto Capital's messages as values: operations out, replies in, and the texts that are signed. Pure.

    grammar        how each field of a signed text is spelled
    operations     what a client can ask
    messages       what the bank answers
    facts          what an answer says, once it is believed

A text to sign is its fields written one after the other with nothing between them. So that no other set of fields
gives the same text, every field has a grammar, and `check_grammar` comes before any signature is looked at (SAFETY
M22, M23).

Source: Crypto Capital End-User API v2.3, sections "Native WebSocket", "Operations" and "Messages".
"""

from bot.providers.cryptocapital.wire.facts import Holding as Holding
from bot.providers.cryptocapital.wire.facts import Transfer as Transfer
from bot.providers.cryptocapital.wire.facts import parse_holding as parse_holding
from bot.providers.cryptocapital.wire.facts import parse_transfer as parse_transfer
from bot.providers.cryptocapital.wire.grammar import ACCOUNT_NUMBER as ACCOUNT_NUMBER
from bot.providers.cryptocapital.wire.grammar import TRANSACTION_ID as TRANSACTION_ID
from bot.providers.cryptocapital.wire.grammar import OperationError as OperationError
from bot.providers.cryptocapital.wire.grammar import number_text as number_text
from bot.providers.cryptocapital.wire.grammar import reference_in as reference_in
from bot.providers.cryptocapital.wire.grammar import reference_of as reference_of
from bot.providers.cryptocapital.wire.messages import AccountMessage as AccountMessage
from bot.providers.cryptocapital.wire.messages import Acknowledged as Acknowledged
from bot.providers.cryptocapital.wire.messages import Declined as Declined
from bot.providers.cryptocapital.wire.messages import ErrorMessage as ErrorMessage
from bot.providers.cryptocapital.wire.messages import Message as Message
from bot.providers.cryptocapital.wire.messages import Signed as Signed
from bot.providers.cryptocapital.wire.messages import TransferMessage as TransferMessage
from bot.providers.cryptocapital.wire.messages import Unfamiliar as Unfamiliar
from bot.providers.cryptocapital.wire.messages import check_grammar as check_grammar
from bot.providers.cryptocapital.wire.messages import parse_frame as parse_frame
from bot.providers.cryptocapital.wire.messages import parse_message as parse_message
from bot.providers.cryptocapital.wire.messages import readable as readable
from bot.providers.cryptocapital.wire.messages import signed_texts as signed_texts
from bot.providers.cryptocapital.wire.operations import Op as Op
from bot.providers.cryptocapital.wire.operations import account_params as account_params
from bot.providers.cryptocapital.wire.operations import build_operation as build_operation
from bot.providers.cryptocapital.wire.operations import operation_text as operation_text
from bot.providers.cryptocapital.wire.operations import statement_params as statement_params
from bot.providers.cryptocapital.wire.operations import transfer_params as transfer_params
