"""Reads the parameters of a Bot API call, however the client packed them.

A call may carry them in the query, as `application/x-www-form-urlencoded`, as `multipart/form-data` (the only one with
files) or as a JSON object. In all but the last a structured value is JSON text inside a text field.
Source: Telegram Bot API, section "Making requests".
"""

from email.parser import HeaderParser
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from bot.demo.telegram.model import Obj, Upload, bad

_FALSE = {"", "0", "false", "no", "none", "null"}


class Parameters:
    """The values of one call; text, JSON text and JSON values are read alike."""

    __slots__ = ("files", "values")

    def __init__(self, values: Obj, files: dict[str, Upload] | None = None) -> None:
        self.values = values
        self.files = files or {}

    def text(self, name: str) -> str:
        """Empty when absent."""
        value = self.values.get(name)
        if value is None:
            return ""
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()

    def integer(self, name: str, default: int = 0) -> int:
        """The default when absent or not a whole number, as the Bot API does."""
        value = self.values.get(name)
        if isinstance(value, int):
            return int(value)
        try:
            return int(value) if isinstance(value, str) else default
        except ValueError:
            return default

    def flag(self, name: str) -> bool:
        value = self.values.get(name)
        return value.strip().lower() not in _FALSE if isinstance(value, str) else bool(value)

    def structure(self, name: str) -> Any:
        """A list or an object, or None when absent.

        Raises:
            ApiError: The text is not JSON.
        """
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError) as error:
            raise bad(f"can't parse {name} JSON object") from error

    def without_files(self) -> "Parameters":
        """The same with name and size in place of each file, to be remembered cheaply."""
        if not self.files:
            return self
        named = {name: {"file_name": each.name, "size": len(each.content)} for name, each in self.files.items()}
        return Parameters({**self.values, **named})

    def shown(self) -> Obj:
        """For people to read: JSON text decoded."""
        return {
            name: _decoded(value) if isinstance(value, str) and value[:1] in ("{", "[") else value
            for name, value in self.values.items()
        }


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def read(query: bytes, content_type: str, body: bytes) -> Parameters:
    """The parameters of one request.

    Raises:
        ApiError: The body is not what its content type says.
    """
    values: Obj = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {}
    if not body:
        return Parameters(values)
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        values.update(_json_object(body))
    elif kind == "multipart/form-data":
        fields, files = _multipart(body, content_type)
        values.update(fields)
        return Parameters(values, files)
    else:
        values.update(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return Parameters(values)


def _json_object(body: bytes) -> Obj:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise bad("can't parse JSON object") from error
    if not isinstance(value, dict):
        raise bad("expected an Object")
    return value


def _multipart(body: bytes, content_type: str) -> tuple[Obj, dict[str, Upload]]:
    boundary = HeaderParser().parsestr(f"Content-Type: {content_type}\n\n").get_boundary()
    if not boundary:
        raise bad("can't parse multipart boundary")
    fields: Obj = {}
    files: dict[str, Upload] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = HeaderParser().parsestr(head.decode("utf-8", "replace"))
        name = str(headers.get_param("name", "", header="content-disposition"))
        file_name = headers.get_filename()
        if file_name is None:
            fields[name] = content.decode("utf-8", "replace")
        else:
            files[name] = Upload(file_name, headers.get_content_type(), content)
    return fields, files
