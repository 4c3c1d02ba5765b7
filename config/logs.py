"""Logs: one JSON object per line on standard output, from structlog and from the standard library alike.

Only the fields named in `ALLOWED` are kept, so content and secrets cannot reach a line by accident.
"""

import asyncio
import atexit
import logging
import re
import sys
import threading
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

ALLOWED = frozenset(
    {
        *("event", "level", "logger", "timestamp", "request_id", "method", "path", "peer", "port"),
        *("tenant", "tenant_id", "key_id", "application_id", "model", "deployment", "scope", "attempt"),
        *("status", "outcome", "code", "latency_ms", "overhead_ms", "first_token_ms"),
        *("input_tokens", "output_tokens", "cost_nano", "estimated", "requests", "guards"),
        *("kind", "name", "database", "application_name", "role", "state", "transactions", "statement"),
        *("count", "seconds", "task", "alias", "error", "exception"),
    }
)


# Where applications name a person in an address, or an address opens something: paths that are refused are logged,
# however they are written.
_TELLING = re.compile(r"(/+api/+subjects/+|/+claim/+).*", re.DOTALL | re.IGNORECASE)
_ENCODED_AT_MOST = 5


def _without_names(text: str) -> str:
    if "%" in text:
        plain = _decoded(text)
        text = plain if _TELLING.search(plain) else text
    return _TELLING.sub(r"\1…", text)


def _decoded(text: str) -> str:
    """Without percent-encoding, also where that was encoded once more."""
    for _ in range(_ENCODED_AT_MOST):
        text = unquote(text)
    return text


def rendered(_logger: WrappedLogger, level: str, event: EventDict) -> bytes:
    """The line of an event. One step instead of structlog's usual five, as there is a line for each request."""
    if info := event.pop("exc_info", None):
        error = info if isinstance(info, BaseException) else (info if isinstance(info, tuple) else sys.exc_info())[1]
        if error is not None:
            event["exception"] = describe(error)
    line = {field: value for field, value in event.items() if field in ALLOWED}
    if "path" in line:
        line["path"] = _without_names(line["path"])
    line["level"] = level
    line["timestamp"] = datetime.now(UTC)
    return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z)


def describe(error: BaseException) -> str:
    """`TypeName at file:line < file:line …`, innermost first; without its message and local values, which may quote a
    request."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rsplit('/', 3)[-1]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' < '.join(reversed(frames[-8:]))}"


class Together:
    """A file for structlog. What is logged in one turn of an event loop is written at its end, at one go: requests that
    were settled together end together. All else is written at once.

    A process that is killed loses what its last turn logged.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._lines: list[bytes] = []
        self._loop: asyncio.AbstractEventLoop | None = None  # the one that will write

    def write(self, line: bytes) -> None:
        with self._lock:
            self._lines.append(line)

    def flush(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.write_out()
            return
        if self._loop is not loop:
            self._loop = loop
            loop.call_soon(self.write_out)

    def write_out(self) -> None:
        """Writes what waits."""
        self._loop = None
        with self._lock:
            lines, self._lines = self._lines, []
            if lines:
                self._file.write(b"".join(lines))
                self._file.flush()


class _JsonFormatter(logging.Formatter):
    """Gives records of the standard library the same shape."""

    def format(self, record: logging.LogRecord) -> str:
        text = _without_names(record.getMessage())
        event: dict[str, Any] = {"event": text, "logger": record.name, "level": record.levelname.lower()}
        event["timestamp"] = self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")
        if record.exc_info and record.exc_info[1] is not None:
            event["exception"] = describe(record.exc_info[1])
        return orjson.dumps(event).decode()


def configure(config: dict[str, Any]) -> None:
    """Sets up both logging systems; called by Django with `settings.LOGGING`."""
    level = logging.getLevelNamesMapping()[config["level"]]
    lines = Together(sys.stdout.buffer)
    atexit.register(lines.write_out)
    structlog.configure(
        processors=[rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(cast(BinaryIO, lines)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter())
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
