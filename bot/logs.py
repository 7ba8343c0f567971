"""Logs: structlog through the standard library, one event a line, nothing secret in any of them.

Redaction happens in the *formatter*, after everything has become text (message, arguments, traceback): a filter on a
logger misses its children, and a filter on the message misses the traceback. Two nets: every living `Secret` is taken
out word for word, and whatever looks like a token, a key or a password is masked by shape. Control characters are
escaped, so that nobody can forge a line.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from bot.secret import MASK, conceal

_SHAPES = (
    re.compile(r"\b\d{6,12}:[A-Za-z0-9_-]{30,}"),  # Telegram bot token
    re.compile(r"\bcsk1-[a-z2-7]{20,}", re.IGNORECASE),  # master key text
    re.compile(r"\ba1-[A-Za-z0-9]{20,}"),  # Deriv session token
    re.compile(
        r"(?i)(?<=[\"'\s{,(])(?:x-security-token|x-cap-api-key|cst|authorization|api[_-]?key|password|secret|token"
        r"|signature|private_key|identifier)[\"']?\s*[:=]\s*[\"']?([^\s\"',;})]{4,})"
    ),
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_NOISY = ("httpx", "httpcore", "telegram", "aiohttp", "apscheduler", "websockets", "uvicorn")


def redact(line: str) -> str:
    """One finished log line, fit to be kept."""
    line = conceal(line)
    for shape in _SHAPES:
        line = shape.sub(_mask, line)
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", line)


def configure(level: str = "INFO", *, as_json: bool = False, stream: TextIO | None = None) -> None:
    """Send everything, ours and the libraries', through one redacting formatter to `stream` (stderr)."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = structlog.processors.JSONRenderer(ensure_ascii=False) if as_json else _plain
    handler = logging.StreamHandler(stream or sys.stderr)
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
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _mask(found: re.Match[str]) -> str:
    if found.lastindex:
        return found[0].replace(found[1], MASK)
    return MASK
