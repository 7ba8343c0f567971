"""Records become Telegram HTML here, escaped once, at the last step: one file for each kind of answer."""

from handlers.render.balances import balances
from handlers.render.positions import positions
from handlers.render.status import status
from handlers.render.text import Taste, bold, literal, table, visible

__all__ = ["Taste", "balances", "bold", "literal", "positions", "status", "table", "visible"]
