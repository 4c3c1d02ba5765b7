"""What an export says where a text does not open, so that one damaged row keeps nobody from the rest of their data."""

from collections.abc import Mapping
from typing import Any

import structlog

PROBLEM = "cannot be decrypted"

log = structlog.get_logger(__name__)


def instead_of(name: str, *, table: str, id: object, error: Exception) -> dict[str, Any]:
    """The field `name` of an exported record, without its text. It is logged, so that somebody looks."""
    log.error("a text cannot be decrypted", kind=table, name=str(id), error=type(error).__name__)
    return {name: None, "problem": PROBLEM}


def is_so(record: Mapping[str, Any]) -> bool:
    """Whether an exported record lacks a text that did not open."""
    return record.get("problem") == PROBLEM
