"""Who acts, when a person sends a request to the control plane."""

from django.http import HttpRequest

from compliance.contracts import Actor


def actor_of(request: HttpRequest) -> Actor:
    """The person who is signed in, from where and with what."""
    return Actor(
        kind="user",
        id=str(request.user.pk),
        ip=request.META.get("REMOTE_ADDR") or None,
        user_agent=request.headers.get("User-Agent", ""),
        request_id=request.META.get("REQUEST_ID", ""),
    )
