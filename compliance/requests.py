"""Who acts, when a person sends a request to the control plane."""

from typing import Any

from django.http import HttpRequest

from compliance.contracts import ANONYMOUS, Actor


def actor_of(request: HttpRequest) -> Actor:
    """The person who is signed in, from where and with what."""
    return user_at(request, user=request.user)


def user_at(request: HttpRequest | None, *, user: Any) -> Actor:
    """That person, whether they are signed in, or are about to be, or were."""
    return _at(request, kind="user", id=str(user.pk))


def nobody_at(request: HttpRequest | None) -> Actor:
    """Whoever sends the request, while they have not proved who they are."""
    return _at(request, kind=ANONYMOUS.kind, id=ANONYMOUS.id)


def _at(request: HttpRequest | None, *, kind: Any, id: str) -> Actor:
    if request is None:
        return Actor(kind=kind, id=id)
    return Actor(
        kind=kind,
        id=id,
        ip=request.META.get("REMOTE_ADDR") or None,
        user_agent=request.headers.get("User-Agent", ""),
        request_id=request.META.get("REQUEST_ID", ""),
    )
