"""What refusals become on the wire: status, OpenAI's error object, and headers that make its SDK retry, or not.

The SDK retries 408, 409, 429 and 5xx by itself; `x-should-retry` overrules that, and it sleeps as `Retry-After` says.
So what waiting cannot cure says `false`, and no wait above a minute is ever sent.
"""

import math
from dataclasses import dataclass, field

import msgspec

from gateway import errors

LONGEST_WAIT_MS = 60_000
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Problem:
    """An error answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


_STATUS: dict[type[BaseException], int] = {
    errors.InvalidKey: 401,
    errors.NotAllowed: 403,
    errors.ConsentRequired: 403,
    errors.EndUserBlocked: 403,
    errors.NotFound: 404,
    errors.WrongMethod: 405,
    errors.ModelNotFound: 404,
    errors.InvalidRequest: 400,
    errors.ContentRefused: 400,
    errors.ContentUnchecked: 400,
    errors.TooLarge: 413,
    errors.TooSlow: 408,
    errors.RateLimited: 429,
    errors.BudgetExceeded: 429,
    errors.Unavailable: 503,
    errors.UpstreamFailed: 502,
    errors.UpstreamRejected: 400,
    errors.UpstreamTimeout: 504,
    errors.UpstreamCut: 502,
}
_TYPE: dict[type[BaseException], str] = {
    errors.InvalidKey: "invalid_request_error",
    errors.ConsentRequired: "permission_denied",
    errors.EndUserBlocked: "permission_denied",
    errors.NotFound: "invalid_request_error",
    errors.WrongMethod: "invalid_request_error",
    errors.ModelNotFound: "invalid_request_error",
    errors.ContentRefused: "invalid_request_error",
    errors.ContentUnchecked: "content_not_checked",
    errors.TooLarge: "invalid_request_error",
    errors.UpstreamRejected: "invalid_request_error",
    errors.BudgetExceeded: "budget_exceeded",
}
_RETRIED = (errors.Unavailable, errors.UpstreamFailed, errors.TooSlow)


def status_of(error: BaseException) -> int:
    """The status that `error` is answered with."""
    if isinstance(error, errors.UpstreamFailed) and error.busy:
        return 503
    return _STATUS.get(type(error), 500)


def problem_of(error: BaseException) -> Problem:
    """The answer for `error`. Of one that is no refusal nothing is told."""
    return Problem(status_of(error), _encode({"error": error_object(error)}), _headers(error))


def event_of(error: BaseException) -> bytes:
    """The last event of a stream that ends with `error`; without it, the SDK takes a cut stream for a whole one."""
    return b"data: " + _encode({"error": error_object(error)}) + b"\n\n"


def error_object(error: BaseException) -> dict[str, str | None]:
    if not isinstance(error, errors.Refusal):
        return _object("The gateway failed. The request id tells your administrator more.", "internal_error")
    param: str | None = getattr(error, "param", None)
    code = error.code
    if isinstance(error, errors.UpstreamRejected) and error.upstream_code:
        code = error.upstream_code
    return _object(str(error), code, type_=_TYPE.get(type(error)), param=param)


def _object(message: str, code: str, *, type_: str | None = None, param: str | None = None) -> dict[str, str | None]:
    return {"message": message, "type": type_ or code, "param": param, "code": code}


def _headers(error: BaseException) -> dict[str, str]:
    headers = _retry_headers(error)
    if isinstance(error, errors.WrongMethod):
        headers["Allow"] = ", ".join(error.allowed)
    if isinstance(error, errors.BudgetExceeded) and error.resets_at is not None:
        headers["x-portcullis-budget-reset"] = error.resets_at
    return headers


def _retry_headers(error: BaseException) -> dict[str, str]:
    if isinstance(error, errors.Unavailable):
        return _wait(1_000)
    if isinstance(error, errors.RateLimited):
        return of_rate(error.wait_ms)
    if isinstance(error, errors.UpstreamTimeout | errors.UpstreamRejected) or not isinstance(error, _RETRIED):
        return {"x-should-retry": "false"}
    if isinstance(error, errors.UpstreamFailed) and error.retry_after_s is not None:
        return _wait(min(int(error.retry_after_s * 1000), LONGEST_WAIT_MS))
    return {}


def of_rate(wait_ms: int | None) -> dict[str, str]:
    """When to try again, of a rate that has room again in `wait_ms`."""
    if wait_ms is None or wait_ms > LONGEST_WAIT_MS:
        return {"x-should-retry": "false"}
    return _wait(wait_ms)


def _wait(milliseconds: int) -> dict[str, str]:
    """Whole seconds are rounded up: who waits that long is not too early."""
    return {"Retry-After": str(math.ceil(milliseconds / 1000)), "retry-after-ms": str(milliseconds)}
