"""Logs: one JSON object per line on standard output, from structlog and from the standard library alike.

Only the fields named in `ALLOWED` are kept, so content and secrets cannot reach a line by accident.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

ALLOWED = frozenset(
    {
        *("event", "level", "logger", "timestamp", "request_id", "method", "path", "peer", "port"),
        *("tenant", "tenant_id", "key_id", "application_id", "model", "deployment", "scope", "attempt"),
        *("status", "outcome", "code", "latency_ms", "overhead_ms", "first_token_ms"),
        *("input_tokens", "output_tokens", "cost_nano", "estimated", "requests"),
        *("kind", "name", "database", "application_name", "role", "state", "transactions", "statement"),
        *("count", "seconds", "task", "alias", "error", "exception"),
    }
)


def rendered(_logger: WrappedLogger, level: str, event: EventDict) -> bytes:
    """The line of an event. One step instead of structlog's usual five, as there is a line for each request."""
    if info := event.pop("exc_info", None):
        error = info if isinstance(info, BaseException) else (info if isinstance(info, tuple) else sys.exc_info())[1]
        if error is not None:
            event["exception"] = describe(error)
    line = {field: value for field, value in event.items() if field in ALLOWED}
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


class _JsonFormatter(logging.Formatter):
    """Gives records of the standard library the same shape."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {"event": record.getMessage(), "logger": record.name, "level": record.levelname.lower()}
        event["timestamp"] = self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")
        if record.exc_info and record.exc_info[1] is not None:
            event["exception"] = describe(record.exc_info[1])
        return orjson.dumps(event).decode()


def configure(config: dict[str, Any]) -> None:
    """Sets up both logging systems; called by Django with `settings.LOGGING`."""
    level = logging.getLevelNamesMapping()[config["level"]]
    structlog.configure(
        processors=[rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter())
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
