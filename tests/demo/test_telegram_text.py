"""HTML into text and entities, as the Bot API reads it."""

from typing import Any

import pytest

from bot.demo.telegram.formatting import finish, parse_html
from bot.demo.telegram.model import ApiError
from tests.demo.conftest import OLGA, Telegram

_PLACE = {"type", "offset", "length"}


def _short(entities: list[Any]) -> list[Any]:
    """Each entity as (type, offset, length, further values in the order of their names)."""
    return [
        (each["type"], each["offset"], each["length"], *(each[key] for key in sorted(each) if key not in _PLACE))
        for each in entities
    ]


@pytest.mark.parametrize(
    ("markup", "text", "entities"),
    [
        ("plain", "plain", []),
        ("<b>bold</b> and <i>italic</i>", "bold and italic", [("bold", 0, 4), ("italic", 9, 6)]),
        ("<strong>a</strong><em>b</em><ins>c</ins><del>d</del>", "abcd", [
            ("bold", 0, 1), ("italic", 1, 1), ("underline", 2, 1), ("strikethrough", 3, 1),
        ]),
        ("<u>u</u><s>s</s><strike>t</strike>", "ust", [
            ("underline", 0, 1), ("strikethrough", 1, 1), ("strikethrough", 2, 1),
        ]),
        ("<b>a<i>b</i></b>", "ab", [("bold", 0, 2), ("italic", 1, 1)]),
        ("<B>case</B>", "case", [("bold", 0, 4)]),
        ("<code>x &lt; y</code>", "x < y", [("code", 0, 5)]),
        ("<pre>a  b\nc</pre>", "a  b\nc", [("pre", 0, 6)]),
        ('<pre><code class="language-python">x=1</code></pre>', "x=1", [("pre", 0, 3, "python")]),
        ('<a href="https://example.org/?a=1&amp;b=2">here</a>', "here", [
            ("text_link", 0, 4, "https://example.org/?a=1&b=2"),
        ]),
        ('<a href="javascript:alert(1)">here</a>', "here", []),
        ("<tg-spoiler>s</tg-spoiler><span class='tg-spoiler'>t</span>", "st", [("spoiler", 0, 1), ("spoiler", 1, 1)]),
        ("<blockquote>q</blockquote>", "q", [("blockquote", 0, 1)]),
        ("<blockquote expandable>q</blockquote>", "q", [("expandable_blockquote", 0, 1)]),
        ('<tg-time unix="1700000000" format="r">soon</tg-time>', "soon", [("date_time", 0, 4, "r", 1700000000)]),
        ("&lt;b&gt;&amp;&quot;&#39;&#x1F4B6;&nbsp;&", "<b>&\"'💶&nbsp;&", []),
        ("💶 <b>5 €</b>", "💶 5 €", [("bold", 3, 3)]),
        ("  <b>x</b>  \n", "x", [("bold", 0, 1)]),
        ("<b>x </b> ", "x", [("bold", 0, 1)]),
        ("<pre>  x</pre>", "  x", [("pre", 0, 3)]),
        ("<b></b>x", "x", []),
        ("try /balance main", "try /balance main", [("bot_command", 4, 8)]),
        ("<code>/balance</code>", "/balance", [("code", 0, 8)]),
        ("USD/EUR 1/2 https://a.example/b.", "USD/EUR 1/2 https://a.example/b.", [("url", 12, 19)]),
        ("é @olga_k", "é @olga_k", [("mention", 2, 7)]),
    ],
)  # fmt: skip
def test_html_becomes_text_and_entities(markup: str, text: str, entities: list[Any]) -> None:
    found, places = finish(*parse_html(markup))
    assert (found, _short(places)) == (text, entities)


@pytest.mark.parametrize(
    ("markup", "complaint"),
    [
        ("<x>a</x>", 'Unsupported start tag "x" at byte offset 0'),
        ("é<x>a</x>", 'Unsupported start tag "x" at byte offset 2'),
        ("1 <3", "Unclosed start tag at byte offset 2"),
        ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
        ("a</b>", "Unexpected end tag at byte offset 1"),
        ("<b>a</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b>a</b", "Unclosed end tag at byte offset 4"),
        ("<span class=x>a</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<script>alert(1)</script>", 'Unsupported start tag "script" at byte offset 0'),
    ],
)
def test_broken_html_is_refused_with_its_place(markup: str, complaint: str) -> None:
    with pytest.raises(ApiError) as refusal:
        parse_html(markup)
    assert refusal.value.code == 400
    assert refusal.value.description == f"Bad Request: can't parse entities: {complaint}"


async def test_a_message_with_broken_html_is_not_sent(telegram: Telegram) -> None:
    refused = await telegram.refused("sendMessage", chat_id=OLGA, text="<b>a", parse_mode="HTML")
    assert refused[0] == 400
    assert await telegram.chat(OLGA) == []


async def test_entities_may_be_given_instead(telegram: Telegram) -> None:
    bold = {"type": "bold", "offset": 0, "length": 2}
    message = await telegram.got("sendMessage", chat_id=OLGA, text="<b>", entities=[bold])
    assert message["text"] == "<b>"
    assert message["entities"] == [bold]


@pytest.mark.parametrize(
    "entity",
    [
        {"type": "loud", "offset": 0, "length": 1},
        {"type": "bold", "offset": 0, "length": 9},
        {"type": "bold", "offset": -1, "length": 1},
        {"type": "bold", "offset": "0", "length": 1},
        "bold",
    ],
)
async def test_entities_outside_the_text_are_refused(telegram: Telegram, entity: Any) -> None:
    assert (await telegram.refused("sendMessage", chat_id=OLGA, text="four", entities=[entity]))[0] == 400


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x" * 4097, "Bad Request: message is too long"),
        ("💶" * 2049, "Bad Request: message is too long"),
        ("", "Bad Request: message text is empty"),
        ("  \n ", "Bad Request: text must be non-empty"),
    ],
)
async def test_text_has_1_to_4096_units(telegram: Telegram, text: str, why: str) -> None:
    assert await telegram.refused("sendMessage", chat_id=OLGA, text=text) == (400, why)


async def test_the_limit_counts_text_and_not_markup(telegram: Telegram) -> None:
    text = "<b>" + "x" * 4096 + "</b>"
    message = await telegram.got("sendMessage", chat_id=OLGA, text=text, parse_mode="HTML")
    assert _short(message["entities"]) == [("bold", 0, 4096)]
    assert len(message["text"]) == 4096


async def test_markdown_is_refused_instead_of_half_understood(telegram: Telegram) -> None:
    refused = await telegram.refused("sendMessage", chat_id=OLGA, text="*x*", parse_mode="MarkdownV2")
    assert refused == (400, "Bad Request: unsupported parse_mode")
