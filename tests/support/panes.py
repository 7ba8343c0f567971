"""What the bot said in a chat of the demo's page. News may come between a question and its answer at any time."""

import re

from playwright.sync_api import Locator, expect

ANSWER_MS = 30_000


def from_bot(pane: Locator) -> Locator:
    return pane.locator("[data-testid=message][data-from=bot]")


def newest(pane: Locator) -> int:
    """The number of the bot's last message that is shown; numbers only grow."""
    numbers: list[str] = from_bot(pane).evaluate_all("nodes => nodes.map(node => node.dataset.messageId)")
    return max(map(int, numbers), default=0)


def answered(pane: Locator, since: int, text: str | re.Pattern[str]) -> Locator:
    """Wait for a message of the bot newer than `since` with that in it; whatever becomes of it, it is that message."""
    newer = pane.locator(f"xpath=.//*[@data-testid='message' and @data-from='bot' and @data-message-id > {since}]")
    found = newer.filter(has_text=text).first
    expect(found).to_be_attached(timeout=ANSWER_MS)
    return pane.locator(f"[data-message-id='{found.get_attribute('data-message-id')}']")
