"""What is about to be closed or taken back, as buttons and as a list."""

from collections.abc import Sequence

from bot.operations.moving.plans import Plan
from bot.providers.records import Direction, Order, Position
from handlers.render.plans import seat_in_words
from handlers.render.text import Taste, bold, literal, visible

_LINE = 300
_CHOOSING = {"close": "Close which one?", "cancelorder": "Take back which one?", "change": "Change which one?"}
CHANGING = (
    "Send what is to be other: <code>stop 4000</code>, <code>limit 4200</code> or <code>none</code> behind either to "
    "take it away; for an order also <code>at 4050</code> and <code>till 2026-12-01</code>. (/cancel stops.)"
)
_SIDES = {Direction.LONG: "long", Direction.SHORT: "short", None: ""}
_ORDERED = {Direction.LONG: "buy", Direction.SHORT: "sell", None: ""}


def button(item: Position | Order, taste: Taste) -> str:
    """`Gold · long 5 · +221.50 USD`, or `Gold · sell 1 · 4,300`."""
    size = taste.number(item.size) if item.size is not None else ""
    sides = _ORDERED if isinstance(item, Order) else _SIDES
    side = f"{sides[item.direction]} {size}".strip()
    last = taste.number(item.level) if isinstance(item, Order) else taste.signed(item.profit) if item.profit else ""
    return " · ".join(part for part in (visible(item.name or item.symbol, 24), side, last) if part)


def choosing(command: str, found: int, shown: int) -> str:
    what = _CHOOSING[command]
    left = f"\n{found - shown} more are not shown; name one: <code>/{command} …</code>" if found > shown else ""
    return what + left


def left_out(found: Sequence[tuple[str, str]]) -> str:
    """What was not asked for, and why; each why is a sentence of ours, as plain text."""
    return "\n".join([bold("Left out:"), *(f"• {literal(what, 80)}: {literal(why, _LINE)}" for what, why in found)])


def together(plans: Sequence[Plan]) -> str:
    """Several, each in the words that its signers will see, and what all of them take."""
    lines = [bold(f"{len(plans)} requests, each by itself:")]
    for plan in plans:
        first, *others = plan.lines
        lines.append(f"• {literal(first, _LINE)}" + "".join(f"\n   {literal(line, _LINE)}" for line in others))
    rules = {plan.rule.name: plan.rule for plan in plans}
    for name, rule in rules.items():
        called = f" (rule “{literal(name)}”)" if name else ""
        needs = ", ".join(seat_in_words(seat) for seat in rule.seats)
        lines.append(f"Must sign each{called}: {literal(needs)}." if needs else f"Nobody else signs{called}.")
    return "\n".join(lines)
