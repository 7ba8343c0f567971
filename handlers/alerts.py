"""/alert: to be told when something is so. /alerts: what one has asked to be told of. And the buttons of what came."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from bot.alerts.book import Entry
from bot.alerts.model import Target
from bot.alerts.telling import ACKNOWLEDGE, ALONE, LESS, MUTE_1H, MUTE_4H, MUTE_HELD, TAKE_BACK
from bot.errors import InputError
from bot.messages.cards import Card
from handlers import alert_card, alert_setting, alert_steps, completing, pages
from handlers.alert_setting import Rows, redraw
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.doors import Words
from handlers.pages import Reply
from handlers.render import alerts as render
from handlers.render import literal

LIST: Final = "alert/list"
EARLIER, LATER = 6, 7
_FIRST = 10
_A_PAGE = 15
_EXAMPLE = "/alerts pause ab3de"


async def alert(context: DeskContext, words: Words) -> None:
    if words and not completing.is_begun(words):
        await alert_setting.propose(context, words)
    else:
        await alert_steps.begin(context, words[:-1])


async def alerts(context: DeskContext, words: Words) -> Reply | None:
    """`[pause | resume | remove] ID`, or all of them; `here ID`, said in a group or a topic of it, has that told, too;
    `ack ID` for one that came."""
    if not words:
        return await _list(context)
    if words[0].lower() in ("ack", "acknowledge") and len(words) == 2:
        telegram_id = context.where.telegram_id
        by = await context.services.alerts.acknowledge(context.person, words[1].lower(), telegram_id=telegram_id)
        return Reply([f"Acknowledged by {literal(by)}."])
    verb, rule_id = (words[0].lower(), words[-1]) if len(words) == 2 else ("show", words[0])
    if len(words) > 2 or verb not in ("show", "pause", "resume", "remove", "here"):
        raise InputError("pause, resume, remove or here, and the alert's id", _EXAMPLE)
    entry = await context.services.alerts.own(context.person, rule_id)
    if verb == "show":
        await alert_card.show(context, entry)
        return None
    if verb == "remove":
        return Reply([await alert_card.remove(context, entry)])
    if verb == "here":
        return await _here(context, entry)
    await alert_card.put(context, entry, replace(entry.rule, is_paused=verb == "pause"))
    return Reply([f"Alert <code>{entry.rule.id}</code> {'is paused' if verb == 'pause' else 'works again'}."])


async def _here(context: DeskContext, entry: Entry) -> Reply:
    """From now on it is told where this was said; in private that is to its owner alone."""
    where = context.where
    target = Target() if where.is_private else Target(chat=where.chat_id, thread=where.thread_id)
    await alert_card.put(context, entry, replace(entry.rule, target=target))
    whom = "you alone" if where.is_private else "that group, too, without what is private"
    return Reply([f"Alert <code>{entry.rule.id}</code> is told to {whom}."])


async def came(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A button below an alert. The alert itself is edited by what is told of it, and its buttons with it."""
    services, rule_id = context.services, str(card.body["rule"])
    telegram_id = context.where.telegram_id
    match choice:
        case _ if choice == ACKNOWLEDGE:
            alert_id = str(card.body["alert"])
            by = await services.alerts.acknowledge(context.person, alert_id, telegram_id=telegram_id)
            if card.body.get(ALONE):
                await context.without_buttons(message_id)
            return None if by == context.person.name else f"{by} has acknowledged it already."
        case _ if choice == TAKE_BACK:
            alert_id = str(card.body["alert"])
            was_seen = await services.alerts.take_back(context.person, alert_id, telegram_id=telegram_id)
            return None if was_seen else "That was taken back already."
        case _ if choice in (MUTE_1H, MUTE_4H):
            hours = 1 if choice == MUTE_1H else 4
            await services.alerts.mute(context.person, rule_id, span=timedelta(hours=hours))
            return f"Muted for {hours} h. What comes meanwhile is counted; /alerts shows it."
        case _ if choice == MUTE_HELD:
            await services.alerts.mute(context.person, rule_id, span=None)
            return "Muted until it is no longer so."
        case _ if choice == LESS:
            return await services.alerts.less(context.person, rule_id, telegram_id=telegram_id)
        case _:
            return "This button belongs to something that no longer exists."


async def _list(context: DeskContext) -> Reply | None:
    services = context.services
    entries = await services.alerts.of(context.person)
    if not entries:
        return Reply(["You have set no alert yet. /alert begins one."])
    text, rows = await _listed(context, entries, 0)

    async def say(chat_id: int) -> None:
        card = await services.cards.make(LIST, context.person.id, chat_id, _page(entries, 0))
        await context.say(text, chat_id=chat_id, keyboard=keyboard(card, rows, services.signer), protected=True)

    await pages.privately(context, say)
    return None


async def _listed(context: DeskContext, entries: list[Entry], first: int) -> tuple[str, Rows]:
    shown, names = entries[first : first + _A_PAGE], await alert_card.names_of(context)
    buttons = [(str(first + place + 1), _FIRST + place) for place in range(len(shown))]
    rows = [buttons[start : start + 5] for start in range(0, len(buttons), 5)]
    turning = [("‹", EARLIER)] if first else []
    if first + _A_PAGE < len(entries):
        turning.append(("›", LATER))
    return render.listing(shown, first + 1, names, context.services.clock.now()), [
        *rows,
        *([turning] if turning else []),
    ]


async def listed(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """A rule was picked, or a page was turned."""
    services = context.services
    first, ids = int(card.body["first"]), list(card.body["ids"])
    if choice >= _FIRST + len(ids):
        return "This button belongs to something that no longer exists."
    if choice >= _FIRST:
        await alert_card.show(context, await services.alerts.own(context.person, str(ids[choice - _FIRST])))
        return None
    entries = await services.alerts.of(context.person)
    first = max(0, first - _A_PAGE) if choice == EARLIER else first + _A_PAGE
    if first < len(entries) and await services.cards.advance(card, _page(entries, first)):
        text, rows = await _listed(context, entries, first)
        await redraw(context, card, text, rows, message_id)
    return None


def _page(entries: list[Entry], first: int) -> dict[str, object]:
    return {"first": first, "ids": [entry.rule.id for entry in entries[first : first + _A_PAGE]]}
