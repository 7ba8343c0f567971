"""A secret cannot be seen by accident, and a line that holds one is cleaned."""

import copy
import dataclasses
import gc
import json
import logging
import pickle
import sys
import threading
import traceback
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest

from bot.secret import MASK, Secret, conceal

TEXT = "canary-5Tr0ng&P4ss"


@pytest.fixture
def secret() -> Secret:
    return Secret(TEXT)


def test_it_is_revealed_only_when_asked(secret: Secret) -> None:
    assert secret.reveal() == TEXT


def test_no_way_of_writing_it_down_shows_it(secret: Secret) -> None:
    written = [
        repr(secret), str(secret), f"{secret}", f"{secret!r}", f"{secret!s}", f"{secret!a}", f"{secret:>30}",
        format(secret, "s"), "%s %r" % (secret, secret), "{} {!r}".format(secret, secret), repr([secret]),  # noqa: UP031, UP032
        repr({"a": secret}), repr((secret,)), f"{[secret]}", str({secret}), ascii(secret),
    ]  # fmt: skip
    assert all("canary" not in text and "5Tr0ng" not in text for text in written)
    assert str(secret) == MASK


@dataclasses.dataclass(frozen=True, slots=True)
class Holder:
    name: str
    secret: Secret


def test_a_record_that_holds_it_does_not_show_it(secret: Secret) -> None:
    holder = Holder("main", secret)
    assert "canary" not in repr(holder)
    assert "canary" not in repr(dataclasses.asdict(holder))
    assert "canary" not in repr(dataclasses.replace(holder, name="other"))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled_alone_or_inside_something(secret: Secret, protocol: int) -> None:
    for value in (secret, [secret], Holder("main", secret)):
        with pytest.raises(TypeError) as caught:
            pickle.dumps(value, protocol)
        assert "canary" not in str(caught.value)


def test_a_copy_is_itself(secret: Secret) -> None:
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"a": [secret]})["a"][0] is secret


@pytest.mark.parametrize("encode", [json.dumps, msgspec.json.encode, msgspec.msgpack.encode, msgspec.to_builtins])
def test_no_encoder_takes_it(secret: Secret, encode: Any) -> None:
    for value in (secret, {"password": secret}):
        with pytest.raises(TypeError) as caught:
            encode(value)
        assert "canary" not in str(caught.value)


def test_it_has_no_attributes_to_look_through(secret: Secret) -> None:
    with pytest.raises(TypeError):
        vars(secret)
    assert "canary" not in repr(dir(secret))
    with pytest.raises(TypeError):
        iter(secret)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        len(secret)  # type: ignore[arg-type]


def test_a_traceback_with_all_its_locals_does_not_show_it(secret: Secret) -> None:
    def fail(password: Secret) -> None:
        _kept = {"login": password, "again": [password]}
        raise RuntimeError(f"no luck with {password}")

    try:
        fail(secret)
    except RuntimeError:
        kind, error, trace = sys.exc_info()
    assert kind is not None
    text = "".join(traceback.TracebackException(kind, error, trace, capture_locals=True).format())  # type: ignore[arg-type]
    assert "no luck with" in text
    assert "_kept" in text
    assert text.count("canary") == text.count('TEXT = "canary')


def test_equality_is_by_text_and_never_with_a_plain_text(secret: Secret) -> None:
    assert secret == Secret(TEXT)
    assert secret != Secret("canary-other")
    assert secret != TEXT
    assert len({secret, Secret(TEXT), Secret("canary-other")}) == 2
    assert secret
    assert not Secret("")


@pytest.mark.parametrize(
    "text", [TEXT, "pa\"ss\\wo'rd", "pässwörd", "tab\there", "line\nbreak", "50% off/now", "日本語の秘密"]
)
@pytest.mark.parametrize(
    "written",
    [
        lambda text: text,
        repr,
        ascii,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: json.dumps(repr({"p": text}), ensure_ascii=False),
        lambda text: json.dumps(json.dumps({"p": text})),
        lambda text: quote(text, safe=""),
        lambda text: f"https://h/{quote(text)}?x=1",
        lambda text: repr({"p": [text]}),
    ],
)
def test_a_line_is_cleaned_however_the_secret_was_written_into_it(written: Any, text: str) -> None:
    kept = Secret(text)
    line = f"before {written(text)} after"
    cleaned = conceal(line)
    assert MASK in cleaned
    assert text not in cleaned
    assert text[:5] not in cleaned.replace("before", "").replace("after", "")
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")
    assert kept


def test_a_secret_within_a_longer_one_leaves_no_rest() -> None:
    short, long = Secret("canary"), Secret("canary-and-more")
    assert conceal("x canary-and-more y canary z") == f"x {MASK} y {MASK} z"
    assert short != long


def test_what_is_too_short_to_search_for_stays() -> None:
    code = Secret("12345")
    assert conceal("at 12345 seconds") == "at 12345 seconds"
    assert code


def test_a_secret_that_is_gone_is_forgotten() -> None:
    gone = Secret("canary-forgotten")
    assert conceal("canary-forgotten") == MASK
    del gone
    gc.collect()
    assert conceal("canary-forgotten") == "canary-forgotten"


def test_lines_are_cleaned_while_other_threads_make_secrets() -> None:
    kept, stop, failed = Secret(TEXT), threading.Event(), []

    def make() -> None:
        while not stop.is_set():
            [Secret(f"canary-{number}") for number in range(50)]

    makers = [threading.Thread(target=make) for _ in range(2)]
    pace = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns as often as they can
    for maker in makers:
        maker.start()
    try:
        for _ in range(300):
            if TEXT in conceal(f"a {TEXT} b"):
                failed.append(1)
    finally:
        sys.setswitchinterval(pace)
        stop.set()
        for maker in makers:
            maker.join()
    assert not failed
    assert kept


def test_a_form_in_an_address_is_cleaned_too(secret: Secret) -> None:
    spaced = Secret("canary with & blanks")
    line = f"POST /login?{urlencode({'password': secret.reveal(), 'other': spaced.reveal()})}"
    assert conceal(line) == f"POST /login?password={MASK}&other={MASK}"


def test_logging_its_value_by_mistake_shows_the_mask(secret: Secret, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("x").warning("login %s %r", secret, {"p": secret})
    assert "canary" not in caplog.text
