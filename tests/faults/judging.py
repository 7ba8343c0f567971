"""What must hold at the end of a run, by three accounts: the provider's ledger, the bot's file, and the chats."""

from pathlib import Path
from typing import Any

from tests.faults import rows
from tests.faults.processes import Side
from tests.faults.rows import Standing
from tests.support.chatting import ANNA, OLGA

SETTLED_SECONDS = 60.0
"""Within so many of the restart everything is known, or as known as it can be."""
EXECUTED = {"succeeded": 1, "failed": 0, "denied": 0, "expired": 0, "cancelled": 0}
"""How often the provider has carried out what has come to such an end."""
_OVER = ("Approved.", "Being sent.")
"""What a card says of a request on its way."""


def wrong_in_books(
    database: Path, now: Standing, executions: int, seconds: float, *, may_stay_unknown: bool
) -> list[str]:
    """Everything the file and the provider's ledger disagree about, and what took too long."""
    wrong = []
    right = EXECUTED | ({"unknown": 0} if may_stay_unknown else {})
    if right.get(now.state) != executions:
        wrong.append(f"{now.state} with {executions} executions")
    if seconds > SETTLED_SECONDS:
        wrong.append(f"settled after {seconds:.0f} s")
    earlier = rows.attempts(database)[:-1]
    if any(outcome != "not sent" for outcome in earlier):
        wrong.append(f"sent again after {earlier}")
    if rows.reserved(database) != rows.recomputed(database):
        wrong.append(f"{rows.reserved(database)} reserved, {rows.recomputed(database)} in fact")
    return wrong


async def wrong_in_chats(chat: Side, database: Path, now: Standing, *, at_end: bool) -> list[str]:
    """A card says that a request is approved only once it was; at the end no card says what is over."""
    was_approved = "request.released" in rows.passed_through(database)
    wrong = []
    for person in (OLGA, ANNA):
        for message in (await chat.told("chat", id=person))["messages"]:
            if now.id is None or now.id not in message.get("text", ""):
                continue
            said = _says(message)
            if said == "approved" and (at_end or not was_approved):
                wrong.append(f"a card says that it is approved, and it is {now.state}")
            if said == "done" and now.state != "succeeded":
                wrong.append(f"a message says that it is done, and it is {now.state}")
    return wrong


def _says(message: dict[str, Any]) -> str:
    """What a card, or the news of an end, makes of its request."""
    title, *lines = message["text"].splitlines()
    if title.endswith(": done") or any(line.startswith("Done") for line in lines):
        return "done"
    is_card = not title.startswith("Request ")
    return "approved" if is_card and any(line in _OVER for line in lines) else ""
