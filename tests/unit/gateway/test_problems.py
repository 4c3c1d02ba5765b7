"""Refusals on the wire."""

import json
from typing import Any

import pytest

from gateway import errors
from gateway.errors import (
    BudgetExceeded,
    ConsentRequired,
    ContentRefused,
    ContentUnchecked,
    EndUserBlocked,
    InvalidKey,
    InvalidRequest,
    ModelNotFound,
    NotAllowed,
    NotFound,
    RateLimited,
    Refusal,
    TooLarge,
    TooSlow,
    Unavailable,
    UpstreamCut,
    UpstreamFailed,
    UpstreamRejected,
    UpstreamTimeout,
    WrongMethod,
)
from gateway.guards.base import Direction
from gateway.http.problems import event_of, problem_of, status_of

NO = {"x-should-retry": "false"}
SOON = {"Retry-After": "1", "retry-after-ms": "1000"}

CASES: list[tuple[Exception, int, str, str, dict[str, str]]] = [
    (InvalidKey(), 401, "invalid_request_error", "invalid_api_key", NO),
    (NotAllowed("m"), 403, "permission_denied", "permission_denied", NO),
    (ConsentRequired("m"), 403, "permission_denied", "consent_required", NO),
    (EndUserBlocked(), 403, "permission_denied", "end_user_blocked", NO),
    (NotFound("m"), 404, "invalid_request_error", "unknown_url", NO),
    (
        WrongMethod("m", allowed=("GET", "POST")),
        405,
        "invalid_request_error",
        "method_not_allowed",
        {**NO, "Allow": "GET, POST"},
    ),
    (ModelNotFound("x"), 404, "invalid_request_error", "model_not_found", NO),
    (InvalidRequest("m", param="n"), 400, "invalid_request_error", "invalid_request_error", NO),
    (ContentRefused("secrets", Direction.PROMPT), 400, "invalid_request_error", "content_policy_violation", NO),
    (ContentUnchecked("secrets", Direction.PROMPT), 400, "content_not_checked", "content_policy_violation", NO),
    (TooLarge("m"), 413, "invalid_request_error", "request_too_large", NO),
    (TooSlow("m"), 408, "request_timeout", "request_timeout", {}),
    (
        RateLimited("m", wait_ms=1500),
        429,
        "rate_limit_exceeded",
        "rate_limit_exceeded",
        {"Retry-After": "2", "retry-after-ms": "1500"},
    ),
    (RateLimited("m", wait_ms=60_001), 429, "rate_limit_exceeded", "rate_limit_exceeded", NO),
    (RateLimited("m", wait_ms=None), 429, "rate_limit_exceeded", "rate_limit_exceeded", NO),
    (BudgetExceeded("m", resets_at=None), 429, "budget_exceeded", "insufficient_quota", NO),
    (
        BudgetExceeded("m", resets_at="2026-12-01T00:00:00Z"),
        429,
        "budget_exceeded",
        "insufficient_quota",
        {**NO, "x-portcullis-budget-reset": "2026-12-01T00:00:00Z"},
    ),
    (Unavailable("m"), 503, "service_unavailable", "service_unavailable", SOON),
    (UpstreamFailed("m"), 502, "upstream_error", "upstream_error", {}),
    (
        UpstreamFailed("m", busy=True, retry_after_s=2.5),
        503,
        "upstream_error",
        "upstream_error",
        {"Retry-After": "3", "retry-after-ms": "2500"},
    ),
    (
        UpstreamFailed("m", retry_after_s=86_400),
        502,
        "upstream_error",
        "upstream_error",
        {"Retry-After": "60", "retry-after-ms": "60000"},
    ),
    (UpstreamCut("m"), 502, "upstream_error", "upstream_error", {}),
    (UpstreamTimeout("m"), 504, "upstream_timeout", "upstream_timeout", NO),
    (
        UpstreamRejected("m", param="n", upstream_code=None),
        400,
        "invalid_request_error",
        "invalid_request_error",
        NO,
    ),
    (ZeroDivisionError("secret"), 500, "internal_error", "internal_error", NO),
]


@pytest.mark.parametrize(("error", "status", "kind", "code", "headers"), CASES, ids=lambda value: type(value).__name__)
def test_what_each_refusal_becomes(
    error: Exception, status: int, kind: str, code: str, headers: dict[str, str]
) -> None:
    problem = problem_of(error)
    content: dict[str, Any] = json.loads(problem.body)["error"]
    assert (problem.status, status_of(error), content["type"], content["code"]) == (status, status, kind, code)
    assert problem.headers == headers
    assert set(content) == {"message", "type", "param", "code"}


def test_every_refusal_is_in_the_table() -> None:
    tested = {type(error) for error, *_ in CASES}
    assert {kind for kind in vars(errors).values() if isinstance(kind, type)} - {Refusal} <= tested


def test_the_field_is_named_and_the_upstreams_own_code_stays() -> None:
    error = UpstreamRejected("too long", param="messages", upstream_code="context_length_exceeded")
    content = json.loads(problem_of(error).body)["error"]
    assert (content["message"], content["param"], content["code"]) == (
        "too long",
        "messages",
        "context_length_exceeded",
    )


def test_of_a_fault_nothing_is_told() -> None:
    assert b"secret" not in problem_of(ZeroDivisionError("secret")).body
    assert b"secret" not in event_of(ZeroDivisionError("secret"))


def test_a_stream_ends_with_an_event_that_holds_the_same_error() -> None:
    error = UpstreamCut("gone")
    event = event_of(error)
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    assert json.loads(event[6:]) == json.loads(problem_of(error).body)


@pytest.mark.parametrize("wait_ms", [0, 1, 999, 1000, 1001, 59_999, 60_000])
def test_who_waits_as_told_is_not_too_early(wait_ms: int) -> None:
    headers = problem_of(RateLimited("m", wait_ms=wait_ms)).headers
    assert headers["retry-after-ms"] == str(wait_ms)
    assert wait_ms <= int(headers["Retry-After"]) * 1000 < wait_ms + 1000
