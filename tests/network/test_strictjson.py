"""JSON read without mercy: exact numbers or an error."""

import json
import time
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.network.strictjson import loads


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", Decimal("0.1")),
        ("1.10", Decimal("1.10")),
        ("1e2", Decimal("1e2")),
        ("-0.0000000000000000001", Decimal("-1e-19")),
        ("123456789012345.123456789012345678", Decimal("123456789012345.123456789012345678")),
        ("12345678901234567890", 12345678901234567890),
        ("-12345678901234567890", -12345678901234567890),
        ("-0", 0),
    ],
)
def test_a_number_is_kept_to_the_digit(text: str, value: Decimal | int) -> None:
    read: Any = loads(f'{{"amount": {text}}}')
    assert read == {"amount": value}
    assert type(read["amount"]) is type(value)
    assert str(read["amount"]) == str(value)


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "-NaN", "Infinity", "-Infinity", '{"a": NaN}', "[1, Infinity]", "1e400", "1e-400", "1e61",
        "1E+99999999999",
        "123456789012345678901",
        "-123456789012345678901", "9" * 5000, "0." + "1" * 5000, "1." + "0" * 100 + "e-3",
        '{"a":1,"a":1}', '{"a":1,"b":{"c":1,"c":2}}', '{"a":1,"\\u0061":2}', '[{"":0,"":1}]',
        "", " ", "{", "[1", '{"a":1', "[1]]", "[1] x", "{}{}",
        "'a'", "{a:1}", "[1,]", '{"a":1,}', "01", "+1", ".5", "1.",
        "0x10", "1_000", "nan", "True", "// x\n1", '"\x01"', '"\n"', "\ufeff[]", "<html></html>",
        '"\\ud800"', '{"\\udfff":1}',
        '["\\uD83D"]', '["ok", {"deep": "\\udc00"}]',
    ],
)  # fmt: skip
def test_what_could_be_read_two_ways_or_not_at_all_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # which of its kinds does not matter: all are a refusal
        loads(text)
    with pytest.raises(ValueError):  # noqa: PT011  # same
        loads(text.encode())


@st.composite
def _objects(draw: st.DrawFn, depth: int = 3) -> str:
    """Few keys, so that some are there twice; blanks and colons wherever they may stand."""
    inner = st.sampled_from(['":"', '": "', "1", "2.50", "9" * 20, "9" * 21, "null"])
    values = inner | _objects(depth - 1) if depth else inner
    pairs = draw(st.lists(st.tuples(st.sampled_from(["a", "b", ":", ""]), values), max_size=4))
    written = [f'"{key}"{draw(st.sampled_from([":", " :", ": "]))}{value}' for key, value in pairs]
    text = "{" + ",".join(written) + "}"
    return f"[{text}]" if draw(st.booleans()) and depth < 3 else text


@given(_objects())
@settings(max_examples=150, deadline=None)
def test_an_object_is_read_when_no_key_is_there_twice_and_no_number_is_too_long(text: str) -> None:
    is_sound = "9" * 21 not in text

    def gathered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal is_sound
        is_sound = is_sound and len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    meant = json.loads(text, parse_float=Decimal, object_pairs_hook=gathered)
    if is_sound:
        assert repr(loads(text)) == repr(meant)
    else:
        with pytest.raises(ValueError, match=r"duplicate key|out of bounds"):
            loads(text)


def test_an_emoji_of_two_halves_is_a_text() -> None:
    assert loads('"\\ud83d\\ude00"') == "😀"


def test_text_that_is_not_utf_8_is_refused() -> None:
    for raw in (b'"\xff"', b'"\xed\xa0\x80"', '"ä"'.encode("latin-1"), "[]".encode("utf-16")):
        with pytest.raises(ValueError):  # noqa: PT011  # as above
            loads(raw)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 32 + "]" * 32,
        '{"a":' * 32 + "1" + "}" * 32,
        '["' + "[" * 500 + '"]',
        '["\\"' + "[" * 40 + '", "' + "\\\\" * 40 + '"]',
    ],
)
def test_depth_up_to_32_is_read_and_brackets_in_texts_do_not_count(text: str) -> None:
    assert loads(text) == json.loads(text)


@pytest.mark.parametrize("text", ["[" * 33 + "]" * 33, '{"a":' * 33 + "1" + "}" * 33, '[{"a":' * 17 + "1" + "}]" * 17])
def test_depth_of_33_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        loads(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000, "[[]," * 100_000])
def test_f06_great_depth_is_a_refusal_and_not_a_crash(text: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        loads(text)


def test_f06_a_text_of_very_many_parts_is_refused() -> None:
    most = "[" + "[1]," * 49_999 + "1]"
    assert len(loads(most)) == 50_000  # type: ignore[arg-type]
    for text in ("[" + "{}," * 349_000 + "{}]", "[" + "[[[]]]," * 149_000 + "1]", "[" + "1," * 500_000 + "1]"):
        with pytest.raises(ValueError, match="more parts than allowed"):
            loads(text)


def test_f06_a_mebibyte_is_read_and_one_byte_more_is_not() -> None:
    whole = b'"' + b"x" * ((1 << 20) - 2) + b'"'
    assert len(str(loads(whole))) == (1 << 20) - 2
    with pytest.raises(ValueError, match="larger than allowed"):
        loads(whole + b" ")
    with pytest.raises(ValueError, match="larger than allowed"):
        loads(b"[1, 2]", max_bytes=5)
    with pytest.raises(ValueError, match="larger than allowed"):
        loads("ääää", max_bytes=7)


@pytest.mark.parametrize(
    "text",
    ["[" + "[]," * 340_000 + "[]]", "[" + '"",' * 340_000 + '""]', "9" * 1_000_000, "[" * 1_000_000, '"\\' * 500_000],
)
def test_the_worst_mebibyte_takes_no_longer_than_a_breath(text: str) -> None:
    started = time.process_time()
    tracemalloc.start()
    try:
        loads(text)
    except ValueError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 64 << 20
    assert time.process_time() - started < 2.0  # a tenth of it without the tracing, on the slowest machine seen


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20) + 1, 10**20 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@given(_VALUES)
@settings(max_examples=150, deadline=None)
def test_what_a_writer_writes_is_read_as_it_was(value: object) -> None:
    assert loads(json.dumps(value)) == value
    assert loads(json.dumps(value, ensure_ascii=False)) == value


@given(st.text(alphabet='[]{}",:\\ 1aeE.-ud8', max_size=40))
@settings(max_examples=400, deadline=None)
def test_whatever_comes_it_is_a_value_or_a_value_error(text: str) -> None:
    try:
        loads(text)
    except ValueError:
        return
    json.loads(text)
