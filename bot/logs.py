"""Logs: structlog through the standard library, one event a line, nothing secret in any of them.

Redaction happens in the *formatter*, after everything has become text (message, arguments, traceback): a filter on a
logger misses its children, and a filter on the message misses the traceback. Two nets: every living `Secret` is taken
out word for word, and whatever looks like a token, a key or a password is masked by shape. Control characters are
escaped, so that nobody can forge a line.
"""

import contextlib
import logging
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, TextIO

import structlog

from bot.secret import MASK, conceal

_NAMES = r"x-cap-api-key|cst|authorization|api[_-]?key|passw(?:or)?d|secret|token|signature|private[_-]?key|identifier"
_SHAPES = (
    re.compile(r"(?<!\d)\d{3,20}(?::|%3[Aa])[A-Za-z0-9_-]{30,}"),  # Telegram bot token, also behind `bot` in a URL
    re.compile(r"(?<=://)[^/\s@]+(?=@)"),  # a login in an address
    re.compile(r"\bcsk1-[a-z2-7]{20,}", re.IGNORECASE),  # master key text
    re.compile(r"\ba1-[A-Za-z0-9]{20,}"),  # Deriv session token
    re.compile(  # a name and its value: password=…, "token": "…", the same inside JSON, (b'CST', b'…'), ?token=…
        rf"(?i)(?:{_NAMES})(?:[\\\"']{{0,4}}\s?[:=]\s?|[\"']\s?,\s?(?=b?[\"']))"
        r"(?:b?\\{0,3}\"([^\"\\]+)|b?\\{0,3}'([^'\\]+)|(?:(?:bearer|basic|token)\s)?([^\s\"',;&})\\]{4,}))"
    ),
)
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
"""Whatever could end a line, hide or turn text round, drive a terminal, or not be written at all."""
_NOISY = ("httpx", "httpcore", "telegram", "apscheduler", "websockets", "uvicorn")


def redact(line: str) -> str:
    """One finished log line, fit to be kept."""
    line = conceal(line)
    for shape in _SHAPES:
        line = shape.sub(_mask, line)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line)  # an escape that JSON knows too


def configure(level: str = "INFO", *, as_json: bool = False, stream: TextIO | None = None) -> None:
    """Send everything, ours and the libraries', through one redacting formatter to `stream` (stderr)."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = structlog.processors.JSONRenderer(ensure_ascii=False) if as_json else _plain
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(
        _Redacting(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                last,
            ],
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)
    sys.excepthook = _last_words
    threading.excepthook = lambda gone: _last_words(gone.exc_type, gone.exc_value, gone.exc_traceback)


def _last_words(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    """What nobody caught leaves through the log too; the interpreter itself would print it unredacted."""
    if error is None or issubclass(kind, (KeyboardInterrupt, SystemExit)):
        return
    logging.getLogger("countersign").critical("uncaught", exc_info=(kind, error, traceback))


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name logging calls
        """A line that cannot be made: say so. The original prints the raw message and arguments."""
        kind = getattr(sys.exc_info()[0], "__name__", "unknown")
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"log line lost: {kind} at {record.pathname}:{record.lineno}\n")


class _Redacting(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def _plain(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    """`time level logger: event key=value …`, a traceback on the same line with its breaks escaped."""
    fields: Mapping[str, Any] = {
        key: value for key, value in event.items() if key not in ("timestamp", "level", "logger", "event")
    }
    head = f"{event.get('timestamp')} {event.get('level', '')!s:7} {event.get('logger')}: {event.get('event')}"
    text = " ".join([head, *(f"{key}={value}" for key, value in fields.items())])
    return conceal(text).replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")


def _mask(found: re.Match[str]) -> str:
    if found.lastindex is None:
        return MASK
    start, end = found.span(found.lastindex)
    return f"{found.string[found.start() : start]}{MASK}{found.string[end : found.end()]}"
