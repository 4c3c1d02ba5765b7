"""Who may call the control plane's API: people who are signed in to the admin, with the rights that they have there."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from billing.rights import may_read_usage


class StaffSession(SessionAuthentication):
    """The admin's session cookie. Without one the answer is 401, not the 403 of somebody who lacks a right."""

    def authenticate_header(self, request: Request) -> str:
        return 'Session realm="admin"'


class MayReadUsage(BasePermission):
    """Staff who may see usage records in the admin."""

    message = "You may not see usage. Ask an administrator for the right to view usage records."

    def has_permission(self, request: Request, view: Any) -> bool:
        return may_read_usage(request.user)


class StaffSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the session is sent."""

    target_class = "billing.api.access.StaffSession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
