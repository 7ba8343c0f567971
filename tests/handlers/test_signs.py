"""What is written at the doors is true: behind each there is what it names."""

import importlib
from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction
from operator import attrgetter
from typing import Any

from handlers import conversation, rooms


def _signed() -> Iterator[tuple[str, Callable[..., Any]]]:
    for door in rooms.DOORS_IN_ORDER:
        yield f"/{door.command}", door.open
    for tap in rooms.TAPS:
        yield f"a button of {tap.kind}", tap.act
    for answer in conversation.ANSWERS:
        for way in (answer.answer, answer.takes, answer.stop):
            if way is not None:
                yield f"an answer to {answer.kind}", way


def test_behind_every_door_there_is_what_its_sign_names() -> None:
    for what, way in _signed():
        module, _, name = way.__qualname__.partition(":")
        assert iscoroutinefunction(attrgetter(name)(importlib.import_module(f"handlers.{module}"))), what


def test_what_is_asked_for_in_a_chat_has_a_door_that_takes_the_answer() -> None:
    """The kinds of cards and drafts stand in the rooms, too: the same words, or nobody would hear the answer."""
    taken = {tap.kind for tap in rooms.TAPS} | {answer.kind for answer in conversation.ANSWERS}
    for module in {way.__qualname__.partition(":")[0] for _, way in _signed()}:
        room = vars(importlib.import_module(f"handlers.{module}"))
        kinds = {room[name] for name in ("KIND", "CARD", "WITH_CODE") if isinstance(room.get(name), str)}
        assert kinds <= taken, module
