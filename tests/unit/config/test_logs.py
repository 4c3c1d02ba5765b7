"""No line of the log names a person, or opens anything, however the address was written."""

import logging
from typing import Any

import orjson
import pytest

from config import logs

PATHS = (
    "/api/subjects/ada@example.com",
    "//api/subjects/ada@example.com",
    "/api//subjects///ada@example.com",
    "/api/%73ubjects/ada@example.com",
    "/%61pi%2Fsubjects%2Fada@example.com",
    "/api/%2573ubjects/ada@example.com",
    "/API/Subjects/ada@example.com",
    "/api/subjects/x\nada@example.com",
    "/claim/ada-may-open-this",
    "//claim/%61da-may-open-this",
)


def of_library(path: str) -> Any:
    record = logging.LogRecord("django.request", logging.WARNING, __file__, 1, "Not Found: %s", (path,), None)
    return orjson.loads(logs._JsonFormatter().format(record))["event"]


def of_ours(path: str) -> Any:
    return orjson.loads(logs.rendered(None, "info", {"event": "refused", "path": path}))["path"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("line", [of_library, of_ours])
def test_who_an_address_names_is_left_out(line: Any, path: str) -> None:
    assert "ada" not in line(path)
    assert "…" in line(path)


@pytest.mark.parametrize("path", ["/api/consents/", "/v1/models/gpt%2F4", "/api/subject-requests/100%"])
def test_any_other_address_stays_as_it_was(path: str) -> None:
    assert of_ours(path) == path
    assert of_library(path).endswith(path)
