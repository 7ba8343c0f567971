"""Where pages go: a mail server, and a server that takes webhooks, both on real sockets."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Postbox:
    """What has come in."""

    port: int = 0
    mails: list[str] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    posts: list[Any] = field(default_factory=list)
    refusing: bool = False


async def _smtp(box: Postbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As much of RFC 5321 and RFC 4954 as it takes to be sent a mail."""

    async def say(line: str) -> None:
        writer.write(line.encode() + b"\r\n")
        await writer.drain()

    await say("220 here")
    while line := (await reader.readline()).decode().strip():
        word, _, rest = line.partition(" ")
        match word.upper():
            case "EHLO":
                await say("250-here\r\n250 AUTH PLAIN")
            case "AUTH":
                _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                box.logins.append((user, password))
                await say("235 welcome")
            case "MAIL" if box.refusing:
                await say("451 later")
            case "DATA":
                await say("354 go on")
                box.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                await say("250 taken")
            case "QUIT":
                await say("221 bye")
                break
            case _:
                await say("250 fine")
    writer.close()


async def _http(box: Postbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].split()[0])
    body = await reader.readexactly(length)
    if box.refusing:
        writer.write(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    else:
        box.posts.append(json.loads(body))
        writer.write(b"HTTP/1.1 204 Taken\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


@asynccontextmanager
async def postbox(kind: str) -> AsyncIterator[Postbox]:
    """`smtp` or `http`, for the length of the block."""
    box = Postbox()
    serve = {"smtp": _smtp, "http": _http}[kind]
    server = await asyncio.start_server(lambda reader, writer: serve(box, reader, writer), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    async with server:
        yield box
