"""Being told."""

from bot.access.model import Right
from handlers.corridor import behind
from handlers.doors import Door, TapDoor
from handlers.pages import Audience

TITLE = "Alerts"
DOORS = (
    Door(
        "alert",
        "Be told when a price, a balance … is so",
        "/alert GOLD > 2400",
        Right.READ,
        behind("alerts:alert"),
        Audience.PRIVATE,
    ),
    Door(
        "alerts", "Your alerts: change, pause, remove", "/alerts", Right.READ, behind("alerts:alerts"), Audience.PRIVATE
    ),
)
TAPS = (
    TapDoor("alert", Right.READ, behind("alerts:came")),
    TapDoor("alert/list", Right.READ, behind("alerts:listed")),
    TapDoor("alert/one", Right.READ, behind("alert_card:tapped")),
    TapDoor("alert/set", Right.READ, behind("alert_setting:tapped")),
    TapDoor("alert/steps", Right.READ, behind("alert_steps:tapped")),
)
