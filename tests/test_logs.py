"""The log: one event a line, and no secret in any of them, whichever way it came."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog

from bot import logs
from bot.logs import redact
from bot.secret import Secret

TOKEN = "123456789:AAcanaryTokenThatMustNotBeSeen-0123456"
KEY = "csk1-canaryabcdefghijklmnopqrstuvwxyz234567canaryabcdefgh22"
PASSWORD = "canary pass\"word\\'with\nall"
CST = "canaryCST0123456789abcdef"

Log = Callable[..., io.StringIO]


@pytest.fixture
def log() -> Iterator[Log]:
    """Starts the log into a text; afterwards everything is as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    levels = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "telegram", "websockets")}

    def start(level: str = "DEBUG", *, as_json: bool = False) -> io.StringIO:
        stream = io.StringIO()
        logs.configure(level, as_json=as_json, stream=stream)
        return stream

    yield start
    logging.captureWarnings(False)
    root.handlers[:], root.level, sys.excepthook, threading.excepthook = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def canaries() -> list[Secret]:
    return [Secret(text) for text in (TOKEN, KEY, PASSWORD, CST)]


def _fail(password: str) -> None:
    raise ValueError(f"cannot log in with {password} at https://h/bot{TOKEN}/getMe")


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("text", [TOKEN, KEY, PASSWORD, CST])
def test_no_way_into_the_log_lets_a_living_secret_through(
    log: Log, canaries: list[Secret], text: str, as_json: bool
) -> None:
    stream = log("DEBUG", as_json=as_json)
    ours = logging.getLogger("countersign.some.child")

    ours.debug("in the message: " + text)
    ours.info("in the arguments: %s and %r", text, {"login": [text]})
    ours.info("in a mapping: %(login)s", {"login": text})
    ours.warning("in the extras", extra={"url": f"https://h/bot{text}/x", "body": {"p": text}, "raw": text.encode()})
    try:
        _fail(text)
    except ValueError:
        ours.exception("in the traceback")
        logging.getLogger("countersign").error("with the stack", exc_info=True, stack_info=True)
    structlog.get_logger("other").info("through structlog", login=text, nested={"a": (text,)})
    logging.getLogger(f"named.{text}").info("in the name")
    logging.getLogger("telegram.ext.ExtBot").warning("in a library: %s", f"https://api.telegram.org/bot{text}/getMe")

    out = stream.getvalue()
    assert "canary" not in out
    assert out.count("\n") == 9
    assert "in the traceback" in out


def test_a_secret_object_is_a_mask_in_every_place(log: Log, canaries: list[Secret]) -> None:
    stream = log(as_json=True)
    logging.getLogger("x").info("%s %r", canaries[0], canaries, extra={"secret_one": canaries[1], "many": canaries})
    structlog.get_logger("x").info("event", one=canaries[2])
    assert "canary" not in stream.getvalue()
    assert stream.getvalue().count("‹secret›") >= 4


async def test_what_httpx_logs_about_an_address_is_not_seen_at_any_level(log: Log) -> None:
    stream = log("DEBUG")

    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        await client.get(f"https://api.telegram.org/bot{TOKEN}/getMe")
    assert stream.getvalue() == ""
    logging.getLogger("httpx").setLevel(logging.DEBUG)  # somebody opens it again
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        await client.get(f"https://api.telegram.org/bot{TOKEN}/getMe")
    assert "getMe" in stream.getvalue()
    assert "canary" not in stream.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        f"GET https://api.telegram.org/bot{TOKEN}/getMe",
        f"GET https://api.telegram.org/bot{TOKEN.replace(':', '%3A')}/getMe",
        f"token {TOKEN}.",
        f"the key {KEY} is wrong",
        f"THE KEY {KEY.upper()}",
        "session a1-canary0123456789abcdefghi",
        "CST: canary-0123", "cst=canary-0123", "X-SECURITY-TOKEN: canary-0123",
        "x-cap-api-key=canary0123", "Authorization: Bearer canary.abc.def", "authorization: Basic canary==",
        "{'password': 'canary'}", '{"password": "canary one two"}', '{"password":"canary"}', "password=canary&x=1",
        '{\\"password\\": \\"canary\\"}', '{\\\\"api_key\\\\": \\\\"canary1\\\\"}', "{'api_key': b'canary12'}",
        "[(b'CST', b'canary12'), (b'X-SECURITY-TOKEN', b'canary34')]", "('Authorization', 'Bearer canary12')",
        "https://h/x?token=canary12&y=1", "https://h/x?y=1&access_token=canary12", "https://desk:canary12@h/x",
        "private_key: canary12", "privateKey=canary12", "signature=canary12", "secret: canary12", "apiKey = canary12",
        "identifier=canary@example.org",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_masked_though_nobody_holds_it(line: str) -> None:
    assert "canary" not in redact(line).lower()
    assert "‹secret›" in redact(line)


@pytest.mark.parametrize(
    "line",
    [
        "12:30:45 listening on 127.0.0.1:8765",
        "telegram.token_file: found nothing, expected a text",
        "the token was refused, ask BotFather for another",
        "fingerprint 8d1f03aa",
        "connection capital/main linked",
        "https://api-capital.backend-capital.com/api/v1/session",
        "2026-03-02T09:00:00.123456Z info x: update update_id=123456789",
    ],
)
def test_what_is_innocent_stays_as_it_is(line: str) -> None:
    assert redact(line) == line


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "x\n2026-01-01T00:00:00Z critical countersign: forged",
        "x\r\nforged", "x\rforged", "x\x0bforged", "x\x0cforged", "x\x1cforged", "x\x85forged", "x\u2028forged",
        "x\u2029forged", "\x1b[2J\x1b[31mred", "x\x00y", "x\u202eforged", "x\u2066forged", "x\u200bforged",
        "x\ufeffforged", "x\ud800forged", "x\tforged",
    ],
)  # fmt: skip
def test_nobody_can_forge_a_line_or_drive_the_terminal(log: Log, text: str, as_json: bool) -> None:
    """F34."""
    stream = log(as_json=as_json)
    logging.getLogger("x").info("said %s", text, extra={"narrative": text})
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("x").exception("failed")

    out = stream.getvalue()
    lines = out.removesuffix("\n").split("\n")
    assert len(lines) == len(out.splitlines()) == 2
    assert all(character == "\n" or character.isprintable() for character in out)
    if as_json:
        assert json.loads(lines[0])["event"].startswith("said ")
        assert json.loads(lines[1])["exception"].startswith("Traceback")


def test_a_json_line_is_one_object_with_time_level_logger_and_fields(log: Log) -> None:
    stream = log("INFO", as_json=True)
    logging.getLogger("countersign.x").warning("notice undeliverable", extra={"outbox": 7, "error": "Forbidden"})

    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "notice undeliverable",
        "level": "warning",
        "logger": "countersign.x",
        "outbox": 7,
        "error": "Forbidden",
    }


def test_a_plain_line_says_the_same(log: Log) -> None:
    stream = log("INFO")
    logging.getLogger("countersign.x").warning("notice undeliverable", extra={"outbox": 7})
    time, rest = stream.getvalue().split(" ", 1)
    assert time.endswith("Z")
    assert rest == "warning countersign.x: notice undeliverable outbox=7\n"


def test_a_line_below_the_level_is_not_written(log: Log) -> None:
    stream = log("WARNING")
    logging.getLogger("x").info("hello")
    assert stream.getvalue() == ""


def test_a_line_that_cannot_be_made_says_so_and_not_what_was_in_it(
    log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = log()
    logging.getLogger("x").info("%d updates", "canary-not-a-number")

    class Sick:
        def __str__(self) -> str:
            raise RuntimeError("canary-sick")

    logging.getLogger("x").info("%s", Sick())
    told = stream.getvalue() + "".join(capsys.readouterr())
    assert "canary" not in told
    assert told.count("log line lost") == 2
    assert "test_logs.py" in told


def test_what_nobody_caught_leaves_redacted_too(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    stream = log()
    try:
        _fail("x")
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    thread = threading.Thread(target=_fail, args=("y",))
    thread.start()
    thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning(f"odd: {TOKEN}", UserWarning, "here.py", 1)

    assert stream.getvalue().count("uncaught") == 2
    assert stream.getvalue().count("odd: ") == 1
    assert "canary" not in stream.getvalue() + "".join(capsys.readouterr())


def test_the_log_stays_quick_on_a_long_and_nasty_line() -> None:
    for nasty in ('token="' * 20_000, "a" * 200_000, "://" * 50_000, "\\" * 100_000, "1" * 100_000 + ":"):
        taken: Any = redact(nasty)
        assert len(taken) > 0
