"""What refusals of the control plane's API become on the wire: the same error object as on the data plane."""

from typing import Any

from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

_CODES: dict[type[exceptions.APIException], str] = {
    exceptions.NotAuthenticated: "not_signed_in",
    exceptions.PermissionDenied: "permission_denied",
    exceptions.MethodNotAllowed: "method_not_allowed",
}


class InvalidParameter(exceptions.APIException):
    """A parameter of the address makes no sense; `param` names it, the message says what to send."""

    status_code = 400

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer for `error`; None for what is no refusal, which Django then answers with 500."""
    response = exception_handler(error, context)
    if response is None:
        return None
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), "invalid_request_error")
    message = str(getattr(error, "detail", error))
    type_ = "permission_denied" if response.status_code == 403 else "invalid_request_error"
    body = {"message": message, "type": type_, "param": getattr(error, "param", None), "code": code}
    response.data = {"error": body}
    return response
