"""What came and went between two looks at all that is open on a connection."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from bot.alerts.happening import Happening
from bot.alerts.model import Occasion
from bot.providers.records import Direction, Position
from bot.store import Tables
from bot.store.columns import packed

Known = Mapping[str, Mapping[str, Any]]
_SEEN = ""
"""The row that says that somebody has looked before: without one nothing is new."""


def known_positions(tables: Tables, connection: int) -> Known:
    """What was open when somebody looked last; empty when nobody has."""
    rows = tables.conn.execute("SELECT id, body FROM alert_positions WHERE connection_id = ?", (connection,))
    return {number: json.loads(body) for number, body in rows}


def remember(tables: Tables, connection: int, positions: Iterable[Position]) -> None:
    """What is open now."""
    tables.conn.execute("DELETE FROM alert_positions WHERE connection_id = ?", (connection,))
    rows = [(connection, one.id, packed(_body(one))) for one in positions]
    tables.conn.executemany(
        "INSERT OR REPLACE INTO alert_positions VALUES (?, ?, ?)", [(connection, _SEEN, "{}"), *rows]
    )


def differences(connection: int, before: Known, positions: Iterable[Position], at: datetime) -> list[Happening]:
    """Opened and closed since. A stop is taken to have closed what was last seen at it, or beyond."""
    if _SEEN not in before:
        return []
    now = {one.id: one for one in positions}
    found = []
    for one in now.values():
        if one.id not in before:
            said = _said(_body(one))
            key = f"opened/{one.id}"
            found.append(Happening(Occasion.OPENED, key, f"Opened: {said}", at, connection, one.symbol, one.id))
    for number, body in before.items():
        if number in now or number == _SEEN:
            continue
        symbol, said = body["symbol"], _said(body)
        found.append(Happening(Occasion.CLOSED, f"closed/{number}", f"Closed: {said}", at, connection, symbol, number))
        if _was_at_stop(body):
            detail = f"Stopped out, as it seems: {said}"
            found.append(Happening(Occasion.STOPPED, f"stopped/{number}", detail, at, connection, symbol, number))
    return found


def _body(position: Position) -> dict[str, str | None]:
    return {
        "symbol": position.symbol,
        "name": position.name,
        "direction": None if position.direction is None else position.direction.value,
        "size": None if position.size is None else str(position.size),
        "stop": None if position.stop is None else str(position.stop),
        "stop_out": None if position.stop_out is None else str(position.stop_out),
        "now": None if position.now is None else str(position.now),
        "profit": None if position.profit is None else str(position.profit),
    }


def _said(body: Mapping[str, Any]) -> str:
    parts = [body["direction"], body["size"], body["name"] or body["symbol"]]
    profit = f", profit {body['profit']} when last seen" if body["profit"] else ""
    return " ".join(part for part in parts if part) + profit


def _was_at_stop(body: Mapping[str, Any]) -> bool:
    if not body["now"] or not body["direction"]:
        return False
    now, is_long = Decimal(body["now"]), body["direction"] == Direction.LONG.value
    stops = [Decimal(level) for level in (body["stop"], body.get("stop_out")) if level]
    return any(now <= stop if is_long else now >= stop for stop in stops)
