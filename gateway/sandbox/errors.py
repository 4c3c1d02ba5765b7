"""Errors in OpenAI's shape, `{"error": {message, type, param, code}}`, and the refusals the sandbox gives."""

import re

import msgspec

INVALID = "invalid_request_error"

# What OpenAI sends with each status: type, code, message. Others are told apart by their hundred only.
_BY_STATUS: dict[int, tuple[str, str | None, str]] = {
    401: (INVALID, "invalid_api_key", "Incorrect API key provided."),
    403: (INVALID, "unsupported_country_region_territory", "Country, region, or territory not supported."),
    404: (INVALID, "model_not_found", "The model does not exist or you do not have access to it."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    500: ("server_error", None, "The server had an error while processing your request."),
    503: ("server_error", None, "The engine is currently overloaded, please try again later."),
}


class ApiError(Exception):
    """An error that the client is told about."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = INVALID,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        self.body = msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


def for_status(status: int, *, retry_after_s: int | None = None) -> ApiError:
    """Return the error OpenAI would answer with `status`."""
    fallback = (
        INVALID if status < 500 else "server_error",
        None,
        f"The sandbox was asked for status {status}.",
    )
    kind, code, message = _BY_STATUS.get(status, fallback)
    return ApiError(status, message, kind=kind, code=code, retry_after_s=retry_after_s)


def model_not_found(model: str) -> ApiError:
    message = f"The model `{model}` does not exist or you do not have access to it."
    return ApiError(404, message, code="model_not_found")


def invalid_body(error: msgspec.DecodeError) -> ApiError:
    """Return the 400 for a body that msgspec refused, with the refused field as its `param`."""
    if not isinstance(error, msgspec.ValidationError):
        return ApiError(400, f"We could not parse the JSON body of your request: {error}")
    return ApiError(400, str(error), param=_refused_field(str(error)))


def _refused_field(message: str) -> str | None:
    """Read the field from msgspec's text: a path, and apart from it an unknown or missing name."""
    path = re.search(r"at `\$\.?([^`]*)`$", message)
    field = re.search(r"(?:unknown|required) field `([^`]*)`", message)
    named = [match.group(1) for match in (path, field) if match]
    return ".".join(named) or None
