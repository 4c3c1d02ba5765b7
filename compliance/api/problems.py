"""What refusals of the control plane's API become on the wire: the same error object as on the data plane."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from compliance.api import refused
from compliance.errors import ActionRefused, KeyStoreUnavailable, UnknownPurpose

_CODES: tuple[tuple[type[exceptions.APIException], str], ...] = (
    (exceptions.NotAuthenticated, "not_signed_in"),
    (exceptions.PermissionDenied, "permission_denied"),
    (exceptions.MethodNotAllowed, "method_not_allowed"),
    (exceptions.NotFound, "not_found"),
    (exceptions.Throttled, "rate_limit_exceeded"),
)
_TYPES = {403: "permission_denied", 429: "rate_limit_exceeded", 503: "unavailable"}


class InvalidParameter(exceptions.APIException):
    """A parameter makes no sense; `param` names it, the message says what to send."""

    status_code = 400

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


def answer(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """The answer for `error`, put on record; None for what is no refusal, which Django then answers with 500."""
    response = _answer_to(error, context)
    if response is not None and (request := context.get("request")) is not None:
        refused.count(request, code=response.data["error"]["code"])
    return response


def _answer_to(error: Exception, context: Mapping[str, Any]) -> Response | None:
    match error:
        case ActionRefused():
            status = 400 if isinstance(error, UnknownPurpose) else 409
            return _answer(status, str(error), getattr(error, "code", "conflict"), getattr(error, "param", None))
        case KeyStoreUnavailable():
            return _answer(503, "The key store does not answer. Nothing was changed; retry in a moment.", "unavailable")
        case ValidationError():
            return _answer(400, *_first_of_fields(error))
    response = exception_handler(error, dict(context))
    if response is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        message, code, param = _first(error.detail)
    else:
        message, code, param = str(getattr(error, "detail", error)), _code_of(error), getattr(error, "param", None)
    response.data = _body(response.status_code, message, code, param)
    return response


def _code_of(error: Exception) -> str:
    own = str(getattr(error, "default_code", ""))
    if own in ("invalid_api_key", "rate_limit_exceeded", "audit_log_altered"):
        return own
    return next((code for kind, code in _CODES if isinstance(error, kind)), "invalid_request_error")


def _first_of_fields(error: ValidationError) -> tuple[str, str, str | None]:
    """What is wrong with the first field that an action refused."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages), "invalid_request_error", None
    name, errors = next(iter(error.error_dict.items()))
    param = None if name == NON_FIELD_ERRORS else name
    return " ".join(message for each in errors for message in each.messages), "invalid_request_error", param


def _first(detail: Any, param: str | None = None) -> tuple[str, str, str | None]:
    """What is wrong with the first field that makes no sense."""
    if isinstance(detail, Mapping):
        name, inner = next(iter(detail.items()))
        return _first(inner, None if name == "non_field_errors" else f"{param}.{name}" if param else str(name))
    if isinstance(detail, list):
        return _first(detail[0], param) if detail else ("This makes no sense.", "invalid_request_error", param)
    return str(detail), "invalid_request_error", param


def _answer(status: int, message: str, code: str, param: str | None = None) -> Response:
    return Response(_body(status, message, code, param), status=status)


def _body(status: int, message: str, code: str, param: str | None) -> dict[str, Any]:
    type_ = _TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": type_, "param": param or None, "code": code}}
