"""Records become Telegram HTML here, escaped once, at the last step: one file for each kind of answer."""

from handlers.render.text import Taste, bold, literal, table, visible

__all__ = ["Taste", "bold", "literal", "table", "visible"]
