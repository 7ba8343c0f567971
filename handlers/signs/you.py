"""What everybody has."""

from bot.access.model import Right
from handlers.corridor import behind
from handlers.doors import Door, TapDoor

TITLE = "You"
DOORS = (
    Door("factor", "Your second factor", "/factor", Right.TALK, behind("factor:factor"), only_in_private=True),
    Door("quiet", "Hours in which your phone stays silent", "/quiet 22:00-07:00", Right.TALK, behind("quiet:quiet")),
    Door("whoami", "Who you are here and what you may do", "/whoami", Right.TALK, behind("start:whoami")),
    Door("help", "Everything you can ask", "/help", Right.TALK, behind("start:help_")),
    Door("cancel", "Stop what you have begun", "/cancel", Right.TALK, behind("start:cancel")),
    Door("start", "Say hello", "/start", Right.ENTER, behind("start:start"), hidden=True),
    Door(
        "join", "Use an invitation", "/join code", Right.ENTER, behind("start:join"), only_in_private=True, hidden=True
    ),
)
TAPS = (TapDoor("factor", Right.TALK, behind("factor:chosen")),)
