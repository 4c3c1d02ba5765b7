"""The base of the endpoints for applications: who may call them, and how they answer."""

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from compliance.api import problems, rates
from compliance.contracts import Caller


class HasScope(BasePermission):
    """The key has the view's scope."""

    def has_permission(self, request: Request, view: Any) -> bool:
        caller = request.auth
        if isinstance(caller, Caller) and caller.may(view.scope):
            return True
        self.message = f"This key lacks the scope '{view.scope}'. Ask your administrator for one that has it."
        return False


class IsApplication(BasePermission):
    """There is a key, whatever it may do."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, Caller)


class ApplicationView(APIView):
    """Called with an API key; see `accounts/api/`, which the settings name as the default authentication."""

    scope: ClassVar[str]
    permission_classes = [HasScope]
    throttle_classes = [rates.Writes]
    parser_classes = [JSONParser]
    renderer_classes = [JSONRenderer]

    def get_exception_handler(self) -> Any:
        return problems.answer


def caller_of(request: Request) -> Caller:
    """The application that calls."""
    caller: Caller = request.auth  # type: ignore[assignment]
    return caller


class Strict(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a mistyped expiry must not become a consent that never ends."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := data.keys() - self.fields.keys()):
            name = min(unknown, key=str)
            known = ", ".join(self.fields)
            raise serializers.ValidationError({str(name)[:50]: [f"There is no such field; there are: {known}."]})
        return super().to_internal_value(data)
