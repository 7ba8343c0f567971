"""Telegram's side of the conversation: a Bot API server that nobody outside this machine can see.

It keeps chats, an update queue with true offset semantics, callback queries, command menus and files, and lets a person
be played through `/_sim` (see `controls.py`). It answers and refuses in the Bot API's own words.

    api         the paths, and the record of what the bot asked      methods     the methods by name
    messages    what is sent, changed and deleted                    server      the parts a method may touch
    parameters  the four ways to pack a call                         formatting  HTML into text and entities
    updates     the queue and long polling                           webhook     the other way to deliver
    world       people, chats, messages, files                       controls    the side of the people
    miniapp     what a client opens for a Mini App's button
    markup, menus, files, queries, flood, stream                     one duty each

Left out for now: MarkdownV2, inline messages, topics, business chats, ephemeral and rich messages, and fetching files
from web addresses. Source: the Telegram Bot API's public reference; sections are named in each file.
"""

from bot.clock import Clock, SystemClock
from bot.demo.telegram.simulator import TelegramSimulator


def make(seed: int = 7, clock: Clock | None = None) -> TelegramSimulator:
    """A fresh Telegram with one bot; token, bot id and first update id follow from the seed."""
    return TelegramSimulator(seed, clock or SystemClock())
