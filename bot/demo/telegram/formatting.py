"""Text with formatting, as the Bot API reads it: HTML in, plain text and entities out.

Offsets and lengths of entities count UTF-16 code units. Only the tags of section "HTML style" exist; of the named
character references only `&lt; &gt; &amp; &quot;`, and any numeric one. Offsets in complaints count UTF-8 bytes.
Sources: Telegram Bot API, sections "Formatting options", "HTML style", "MessageEntity".
"""

import re
from dataclasses import dataclass, field
from typing import Any

from bot.demo.telegram.model import ApiError, Obj, bad

MAX_TEXT = 4096
MAX_CAPTION = 1024

_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
    "tg-time": "date_time",
}
ENTITY_TYPES = frozenset(_TAGS.values()) | {
    "mention",
    "hashtag",
    "cashtag",
    "bot_command",
    "url",
    "email",
    "phone_number",
    "expandable_blockquote",
    "text_mention",
}
_REFERENCES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_SPECIAL = re.compile(r"[<&]")
_REFERENCE = re.compile(r"&(?:#(?P<number>\d{1,7})|#x(?P<hex>[0-9a-fA-F]{1,6})|(?P<name>lt|gt|amp|quot));?")
_ATTRIBUTE = re.compile(
    r"""\s+(?P<name>[^\s=<>/"'`]+)(?:=(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[\w.-]+)))?"""
)
_DETECTED = re.compile(
    r"(?P<url>\bhttps?://[^\s<>\"]+[^\s<>\".,;:!?)])"
    r"|(?P<email>\b[\w.+-]+@[\w-]+\.[a-zA-Z]{2,}\b)"
    r"|(?P<bot_command>(?<![\w/@<>])/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?(?![\w/]))"
    r"|(?P<mention>(?<!\w)@\w{4,32}\b)"
)
_LINK = re.compile(r"(?:https?|tg|ton|mailto|tel):\S+$", re.IGNORECASE)
_OPAQUE = {"pre", "code", "text_link", "text_mention"}


def units(text: str) -> int:
    """The length in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


@dataclass(slots=True)
class _Open:
    """A start tag whose end has not come yet."""

    tag: str
    offset: int
    attributes: dict[str, str]
    at: int
    first_part: int
    language: str = ""


@dataclass(slots=True)
class _Reader:
    """One pass over the markup."""

    markup: str
    parts: list[str] = field(default_factory=list)
    length: int = 0
    open: list[_Open] = field(default_factory=list)
    entities: list[Obj] = field(default_factory=list)

    def read(self) -> tuple[str, list[Obj]]:
        position = 0
        while hit := _SPECIAL.search(self.markup, position):
            self._text(self.markup[position : hit.start()])
            position = self._reference(hit.start()) if hit[0] == "&" else self._tag(hit.start())
        self._text(self.markup[position:])
        if self.open:
            raise _unparsed(f'Can\'t find end tag corresponding to start tag "{self.open[-1].tag}"')
        return "".join(self.parts), self.entities

    def _text(self, text: str) -> None:
        if text:
            self.parts.append(text)
            self.length += units(text)

    def _reference(self, start: int) -> int:
        hit = _REFERENCE.match(self.markup, start)
        character = _character(hit) if hit else ""
        self._text(character or "&")
        return hit.end() if hit and character else start + 1

    def _tag(self, start: int) -> int:
        return self._end_tag(start) if self.markup.startswith("</", start) else self._start_tag(start)

    def _start_tag(self, start: int) -> int:
        stop = start + 1
        while stop < len(self.markup) and self.markup[stop] not in " \t\r\n>":
            stop += 1
        tag = self.markup[start + 1 : stop].lower()
        if stop == len(self.markup):
            raise _unparsed(f"Unclosed start tag at byte offset {self._byte(start)}")
        if tag not in _TAGS:
            raise _unparsed(f'Unsupported start tag "{tag}" at byte offset {self._byte(start)}')
        attributes, stop = self._attributes(start, stop)
        if tag == "span" and attributes.get("class") != "tg-spoiler":
            raise _unparsed(f'Tag "span" must have class "tg-spoiler" at byte offset {self._byte(start)}')
        self.open.append(_Open(tag, self.length, attributes, start, len(self.parts)))
        return stop

    def _attributes(self, start: int, position: int) -> tuple[dict[str, str], int]:
        attributes: dict[str, str] = {}
        while hit := _ATTRIBUTE.match(self.markup, position):
            value = hit["double"] or hit["single"] or hit["bare"] or ""
            attributes[hit["name"].lower()] = _REFERENCE.sub(lambda each: _character(each) or each[0], value)
            position = hit.end()
        while position < len(self.markup) and self.markup[position].isspace():
            position += 1
        if position == len(self.markup):
            raise _unparsed(f"Unclosed start tag at byte offset {self._byte(start)}")
        if self.markup[position] != ">":
            raise _unparsed(f"Unexpected character in the start tag at byte offset {self._byte(position)}")
        return attributes, position + 1

    def _end_tag(self, start: int) -> int:
        stop = self.markup.find(">", start)
        tag = self.markup[start + 2 : stop].strip().lower()
        if stop < 0:
            raise _unparsed(f"Unclosed end tag at byte offset {self._byte(start)}")
        if not self.open:
            raise _unparsed(f"Unexpected end tag at byte offset {self._byte(start)}")
        begun = self.open.pop()
        if tag and tag != begun.tag:
            raise _unparsed(
                f'Unmatched end tag at byte offset {self._byte(start)}, expected "</{begun.tag}>", found "</{tag}>"'
            )
        if self.length > begun.offset:
            self._close(begun)
        return stop + 1

    def _close(self, begun: _Open) -> None:
        entity: Obj = {"offset": begun.offset, "length": self.length - begun.offset, "type": _TAGS[begun.tag]}
        match begun.tag:
            case "code" if self.open and self.open[-1].tag == "pre":
                self.open[-1].language = begun.attributes.get("class", "").removeprefix("language-")
                return
            case "pre" if begun.language:
                entity["language"] = begun.language
            case "blockquote" if "expandable" in begun.attributes:
                entity["type"] = "expandable_blockquote"
            case "a":
                url = _link(begun.attributes.get("href") or "".join(self.parts[begun.first_part :]))
                if not url:
                    return
                entity["url"] = url
            case "tg-emoji":
                entity["custom_emoji_id"] = begun.attributes.get("emoji-id", "")
            case "tg-time":
                self._time(begun, entity)
        self.entities.append(entity)

    def _time(self, begun: _Open, entity: Obj) -> None:
        unix = begun.attributes.get("unix", "")
        if not unix.isdecimal():
            raise _unparsed(f'Tag "tg-time" must have attribute "unix" at byte offset {self._byte(begun.at)}')
        entity["unix_time"] = int(unix)
        if begun.attributes.get("format"):
            entity["date_time_format"] = begun.attributes["format"]

    def _byte(self, position: int) -> int:
        return len(self.markup[:position].encode())


def _unparsed(what: str) -> ApiError:
    return bad(f"can't parse entities: {what}")


def _character(hit: re.Match[str]) -> str:
    if hit["name"]:
        return _REFERENCES[hit["name"]]
    code = int(hit["number"]) if hit["number"] else int(hit["hex"], 16)
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def _link(url: str) -> str:
    """The address as the server keeps it; empty when it is none, and then the text stays without a link."""
    url = url.strip()
    if _LINK.match(url):
        return url
    return f"http://{url}" if re.match(r"[\w-]+(\.[\w-]+)+([/?#:]\S*)?$", url) else ""


def parse_html(markup: str) -> tuple[str, list[Obj]]:
    """Plain text and its entities.

    Raises:
        ApiError: 400 with the place and kind of the first mistake.
    """
    if "<" not in markup and "&" not in markup:
        return markup, []
    return _Reader(markup).read()


def detect(text: str) -> list[Obj]:
    """The entities Telegram finds by itself: commands, addresses, mentions."""
    if "/" not in text and "@" not in text:
        return []
    return [
        {"offset": units(text[: hit.start()]), "length": units(hit[0]), "type": hit.lastgroup}
        for hit in _DETECTED.finditer(text)
    ]


def finish(text: str, entities: list[Obj]) -> tuple[str, list[Obj]]:
    """Trim as the server does, add what it finds by itself, and put the entities in order."""
    text, entities = _trimmed(text, entities)
    taken = [(e["offset"], e["offset"] + e["length"]) for e in entities if e["type"] in _OPAQUE]
    for found in detect(text):
        if all(found["offset"] >= stop or found["offset"] + found["length"] <= start for start, stop in taken):
            entities.append(found)
    entities.sort(key=lambda each: (each["offset"], -each["length"]))
    return text, entities


def _trimmed(text: str, entities: list[Obj]) -> tuple[str, list[Obj]]:
    """Without white space at either end; at the start it stays where an entity covers it."""
    text = text.rstrip()
    lead = units(text) - units(text.lstrip())
    lead = min([lead, *(each["offset"] for each in entities)])
    text, length = text[lead:], units(text) - lead  # white space is one unit a character
    kept = []
    for each in entities:
        start = max(each["offset"] - lead, 0)
        stop = min(each["offset"] - lead + each["length"], length)
        if stop > start:
            kept.append({**each, "offset": start, "length": stop - start})
    return text, kept


def given_entities(raw: Any, text: str) -> list[Obj]:
    """The `entities` parameter, checked against the text.

    Raises:
        ApiError: Not a list of entities, an unknown type, or a place outside the text.
    """
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise _unparsed("expected an Array of MessageEntity")
    length = units(text)
    for each in raw:
        if not isinstance(each, dict) or each.get("type") not in ENTITY_TYPES:
            raise _unparsed("Unsupported MessageEntity type")
        offset, size = each.get("offset"), each.get("length")
        if not isinstance(offset, int) or not isinstance(size, int) or offset < 0 or size <= 0:
            raise _unparsed("MessageEntity has a wrong offset or length")
        if offset + size > length:
            raise _unparsed(f"MessageEntity ends beyond the text of {length} units")
    return [dict(each) for each in raw]
