"""Logs: one JSON object per line on standard output, from structlog and from the standard library alike.

The last processor keeps only the fields named in `ALLOWED`, so content and secrets cannot reach a line by accident.
"""

import logging
import sys
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


def only_allowed(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Drops every field that is not on the list."""
    return {field: value for field, value in event.items() if field in ALLOWED}


def _add_exception(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Puts where an exception was raised, and its type, but not its message: that may quote a request."""
    if info := event.pop("exc_info", None):
        error = info if isinstance(info, BaseException) else (info if isinstance(info, tuple) else sys.exc_info())[1]
        if error is not None:
            event["exception"] = describe(error)
    return event


def describe(error: BaseException) -> str:
    """`TypeName at file:line < file:line …`, innermost first; without the message and without local values."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rsplit('/', 3)[-1]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' < '.join(reversed(frames[-8:]))}"


SHARED: list[structlog.typing.Processor] = [
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _add_exception,
    only_allowed,
]


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
        processors=[*SHARED, structlog.processors.JSONRenderer(serializer=_dumps)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter())
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)


def _dumps(event: EventDict, **_options: Any) -> bytes:
    return orjson.dumps(event, default=str)
