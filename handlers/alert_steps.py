"""A rule by buttons: each press says the next words of the sentence, and what no button can say is typed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.alerts.model import Measure, Occasion
from bot.alerts.sentences import begun, parse, says_test
from bot.errors import InputError
from bot.messages.cards import Card, Draft
from handlers import alert_setting, completing, pages
from handlers.buttons import keyboard
from handlers.context import DeskContext
from handlers.render import literal

KIND: Final = "alert/steps"
TYPED: Final = "alert"
_STOP: Final = 0
_STOPPED = "Stopped; no alert was set."
KINDS: Final = (
    ("Price", "price"),
    ("Balance", "balance"),
    ("Free margin", "free margin"),
    ("Margin level", "margin level"),
    ("Profit or loss", "profit"),
    ("Distance to stop", "stop distance"),
    ("Position opened", "position opened"),
    ("Position closed", "position closed"),
    ("Order filled", "order filled"),
    ("Stopped out", "position stopped"),
    ("Distance to liquidation", "liquidation distance"),
    ("Distance to full margin", "margin distance"),
    ("Money in", "transfer in"),
    ("Money out", "transfer out"),
    ("Transfer failed", "transfer failed"),
    ("Withdrawal new", "withdrawal new"),
    ("Withdrawal waits", "withdrawal waiting"),
    ("Request waits", "request waiting"),
    ("Request expires", "request expiring"),
    ("Provider down", "provider down"),
    ("Stream down", "stream down"),
    ("Disk low", "disk low"),
    ("Clock off", "clock off"),
    ("Key old", "key old"),
)
POSITION: Final = "position"
"""The first word where it is about what is open, and not yet what about it."""
_OF_POSITIONS: Final = tuple(
    (label, words)
    for label, words in KINDS
    if words.startswith("position") or words in ("profit", "stop distance", "liquidation distance")
)
_TESTS: Final = (("Above", "above"), ("Below", "below"), ("Crosses", "crosses"), ("Changes", "changes"))
_OF_PRICES: Final = (*_TESTS[:3], ("Moves by %", "moves"))


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be said next: by one of these buttons, each a label and its words, or, without any, by typing."""

    text: str
    answers: tuple[tuple[str, str], ...] = ()


def offer(*said: str) -> tuple[str, str]:
    """A button below an answer: an alert that begins with these words."""
    return completing.offer("Alert…", "/alert", *said)


async def begin(context: DeskContext, said: Sequence[str]) -> None:
    """Go on from these words: ask for the next ones, or show what was understood."""
    if said and said[0] == POSITION and begun(said)[0] is None:
        question: Question | None = Question("What is to be watched of it?", _OF_POSITIONS)
        said = said[1:]
    else:
        question = await _question(context, said)
    if question is None:
        await alert_setting.propose(context, said)
        return
    services = context.services

    async def say(chat_id: int) -> None:
        body = {"said": list(said), "answers": [words for _, words in question.answers]}
        card = await services.cards.make(KIND, context.person.id, chat_id, body)
        buttons = [(label, place) for place, (label, _) in enumerate(question.answers, 1)]
        rows = [buttons[start : start + 2] for start in range(0, len(buttons), 2)]
        keys = keyboard(card, [*rows, [("Cancel", _STOP)]], services.signer)
        await context.say(question.text, chat_id=chat_id, keyboard=keys)

    if not question.answers:
        await services.linking.cancel(context.person)  # one thing is asked at a time
        await services.cards.save(Draft(context.person.id, TYPED, {"said": list(said)}))
    await pages.privately(context, say)


async def _question(context: DeskContext, said: Sequence[str]) -> Question | None:
    """None when everything has been said."""
    if not said:
        return Question("What is to be watched? Or in one line: /alert GOLD &gt; 2400", KINDS)
    what, names = begun(said)
    if says_test(said[-1]):
        if said[-1] == "moves":
            return Question("By how many percent, and within which time? For example: 3% in 1h")
        return Question(_which_number(what))
    if isinstance(what, Occasion):
        return None if names or what.of_desk else await _connection(context, what)
    if what in (None, Measure.PRICE):
        if not names:
            return Question("Which market? Its name or symbol, for example: GOLD")
        return Question(f"{literal(' '.join(names))}: when is it to come?", _OF_PRICES)
    if not names:
        return await _connection(context, what) or Question("When is it to come?", _TESTS)
    return Question("When is it to come?", _TESTS)


async def _connection(context: DeskContext, what: Measure | Occasion | None) -> Question | None:
    """None when there is nothing to choose."""
    able = await context.services.alerting.could_tell(context.person, what)
    names = tuple((one.name, one.name) for one in able)
    return Question("Of which connection?", names) if len(names) > 1 else None


def _which_number(what: Measure | Occasion | None) -> str:
    match what:
        case Measure.PRICE | None:
            return "Which price? For example: 2400"
        case Measure() if what.is_percent:
            return "How many percent? For example: 150%"
        case _:
            return "Which amount? For example: 10000 USD"


async def tapped(context: DeskContext, card: Card, choice: int, message_id: int) -> str | None:
    """The next words were said by a button."""
    if not await context.services.cards.advance(card):
        return None  # a second tap: the first one was taken
    await context.without_buttons(message_id)
    if choice == _STOP or choice > len(card.body["answers"]):
        draft = await context.services.cards.draft(context.person.id)
        if draft is not None and draft.kind == TYPED:
            await context.services.cards.drop(context.person.id)
        return _STOPPED
    await begin(context, [*card.body["said"], *str(card.body["answers"][choice - 1]).split()])
    return None


async def typed(context: DeskContext, draft: Draft, text: str, message_id: int) -> None:
    """The next words were typed; they may be the whole rest of the sentence."""
    said = [*map(str, draft.body["said"]), *text.split()]
    try:
        parse(said)
    except InputError:
        if any(map(says_test, said[1:-1])) or any(sign in text for sign in "<>="):
            raise  # a number was due, and something was said
        await begin(context, said)
        return
    await context.services.cards.drop(context.person.id)
    await alert_setting.propose(context, said)
