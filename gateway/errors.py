"""Why a request is not answered. What each becomes on the wire is in `http/problems.py`.

Refusal
├── InvalidKey                missing, malformed, unknown, suspended, revoked or expired: one answer for all
├── NotAllowed                the key's scope or network
│   ├── ConsentRequired       the person's, to have their requests processed
│   └── EndUserBlocked        by the tenant's reviewers
├── NotFound                  no such path, or no such method on it
│   └── WrongMethod
├── ModelNotFound             unknown, without a price, or not for this key
├── InvalidRequest            the body; names the field
├── ContentRefused            a guard: by what stands in the prompt, or in the answer
│   └── ContentUnchecked      the guard could not look, and nothing may pass it unseen
├── TooLarge                  the body or the prompt
├── TooSlow                   the body did not arrive in time
├── RateLimited               requests, tokens or concurrency
├── BudgetExceeded            a hard budget
├── Unavailable               a part of the gateway is down, draining or full
└── UpstreamFailed            nothing usable came back
    ├── UpstreamRejected      the upstream found fault with the request itself
    ├── UpstreamTimeout       it may have been billed
    └── UpstreamCut           the answer ended early
"""


class Refusal(Exception):
    """The base. Its text is for the client: it says what to do, and never quotes content."""

    code = "internal_error"
    billable = False
    """Whether the upstream may have worked for the request."""


class InvalidKey(Refusal):
    code = "invalid_api_key"

    def __init__(self) -> None:
        super().__init__("Incorrect API key provided. Send a valid key as 'Authorization: Bearer pcl_...'.")


class NotAllowed(Refusal):
    code = "permission_denied"


class ConsentRequired(NotAllowed):
    code = "consent_required"


class EndUserBlocked(NotAllowed):
    code = "end_user_blocked"

    def __init__(self) -> None:
        super().__init__("Requests of this end user are refused. Your administrator has blocked them.")


class NotFound(Refusal):
    code = "unknown_url"


class WrongMethod(NotFound):
    code = "method_not_allowed"

    def __init__(self, message: str, *, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed


class ModelNotFound(Refusal):
    code = "model_not_found"

    def __init__(self, model: str) -> None:
        super().__init__(f"The model '{model[:100]}' does not exist or this key may not use it. See GET /v1/models.")


class InvalidRequest(Refusal):
    code = "invalid_request_error"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class ContentRefused(Refusal):
    """`guard`, `direction`: whose finding it was, and of what. What was found is told to nobody."""

    code = "content_policy_violation"
    says = "The {direction} was refused by the guard '{guard}' of your organisation's policy."

    def __init__(self, guard: str, direction: str) -> None:
        super().__init__(self.says.format(direction=direction, guard=guard))
        self.guard = guard
        self.direction = direction


class ContentUnchecked(ContentRefused):
    """The guard failed. The code is the same, so that who handles refused content handles this; the type is another."""

    says = (
        "The {direction} could not be checked, as the guard '{guard}' failed, and your organisation's policy lets "
        "nothing pass unchecked. That says nothing about what is in it. Tell your administrator."
    )


class TooLarge(Refusal):
    code = "request_too_large"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class TooSlow(Refusal):
    code = "request_timeout"


class RateLimited(Refusal):
    """`wait_ms`: after how long the same request would be admitted; None: never, as it is."""

    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, wait_ms: int | None) -> None:
        super().__init__(message)
        self.wait_ms = wait_ms


class BudgetExceeded(Refusal):
    """`resets_at`: when the budget's next period begins (RFC 3339); None: there is none."""

    code = "insufficient_quota"

    def __init__(self, message: str, *, resets_at: str | None) -> None:
        super().__init__(message)
        self.resets_at = resets_at


class Unavailable(Refusal):
    code = "service_unavailable"


class UpstreamFailed(Refusal):
    """`retry_after_s`: as the upstream said, if it did. `busy`: it will be well again by itself."""

    code = "upstream_error"

    def __init__(self, message: str, *, retry_after_s: float | None = None, busy: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.busy = busy


class UpstreamRejected(UpstreamFailed):
    """The upstream's own 400, 413 or 422, whose words help the client."""

    code = "invalid_request_error"

    def __init__(self, message: str, *, param: str | None, upstream_code: str | None) -> None:
        super().__init__(message)
        self.param = param
        self.upstream_code = upstream_code


class UpstreamTimeout(UpstreamFailed):
    code = "upstream_timeout"
    billable = True


class UpstreamCut(UpstreamFailed):
    billable = True
