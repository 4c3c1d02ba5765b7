"""Tells the audit log who signs in and out: Django says so by signals, whichever door it is."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from accounts.actions import sign_ins
from accounts.models import User
from compliance.requests import nobody_at, user_at


def listen() -> None:
    """Begins to; called once, when the apps are ready."""
    user_logged_in.connect(_signed_in, dispatch_uid="accounts.sign_ins")
    user_logged_out.connect(_signed_out, dispatch_uid="accounts.sign_ins")
    user_login_failed.connect(_failed, dispatch_uid="accounts.sign_ins")


def _signed_in(request: HttpRequest | None, user: User, **_: Any) -> None:
    sign_ins.signed_in(user=user, by=user_at(request, user=user))


def _signed_out(request: HttpRequest | None, user: User | None, **_: Any) -> None:
    if user is not None:  # a session that had ended already
        sign_ins.signed_out(user=user, by=user_at(request, user=user))


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    sign_ins.failed(username=str(credentials.get("username") or ""), by=nobody_at(request))
