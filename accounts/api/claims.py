"""The page behind a link to a new secret. Opening it shows what it is about; a button, or a POST, reveals it once.

Whoever has the link may use it: that is what it is for, so there is no sign-in, and no token against forged requests
would add anything (who could forge one has the link). Nothing but a POST uses it up: programs that look into mails for
a preview send GET and HEAD.
"""

from typing import Any

from csp.constants import NONE, SELF
from csp.decorators import csp_replace
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from django_ratelimit.core import get_usage

from accounts import claims
from accounts.actions import rotations
from accounts.errors import LinkOver
from accounts.models import ApiKey, SecretClaim
from compliance.contracts import Actor
from compliance.errors import DecryptionFailed, KeyStoreUnavailable

RATE = "30/m"
"""Requests of one address: a token cannot be guessed, so this only spares the database."""

STRICT = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF],
    "font-src": [NONE],
    "connect-src": [NONE],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@csp_replace(STRICT)  # type: ignore[arg-type]  # typed for views without arguments from the path
def page(request: HttpRequest, token: str) -> HttpResponse:
    """Shows what the link is about; with POST, the secret. As JSON, for programs that ask for it."""
    usage = get_usage(request, group="claim", key="ip", rate=RATE, increment=True)
    if usage and usage["should_limit"]:
        return _too_many(request, wait_s=max(usage["time_left"], 1))
    return _guarded(_reveal(request, token) if request.method == "POST" else _look(request, token))


def _look(request: HttpRequest, token: str) -> HttpResponse:
    claim = claims.found(token)
    if claim is None or not claims.is_open(claim):
        return _over(request, claim)
    if _wants_json(request):
        return JsonResponse({**_about(claim.key), "ends_at": claim.expires_at.isoformat()})
    return render(request, "accounts/claim.html", {"key": claim.key, "claim": claim})


def _reveal(request: HttpRequest, token: str) -> HttpResponse:
    try:
        key, secret = rotations.claim(token=token, by=_whoever(request))
    except LinkOver:
        return _over(request, claims.found(token))
    except (DecryptionFailed, KeyStoreUnavailable):
        return render(request, "accounts/claim.html", {"is_locked": True}, status=503)
    if _wants_json(request):
        return JsonResponse({**_about(key), "api_key": secret})
    return render(request, "accounts/claim.html", {"key": key, "secret": secret})


def _over(request: HttpRequest, claim: SecretClaim | None) -> HttpResponse:
    """One answer for links that never were and those that are over; who has a link that was used, or to a key that is
    suspended, is told so."""
    if claim is not None and claims.is_suspended(claim):
        return _suspended(request)
    used_at = claim.closed_at if claim is not None and claim.state == SecretClaim.State.CLAIMED else None
    if _wants_json(request):
        used = {"used_at": used_at.isoformat()} if used_at else {}
        return JsonResponse({"error": {"code": "link_over", "message": "This link does not work.", **used}}, status=410)
    return render(request, "accounts/claim.html", {"used_at": used_at}, status=410)


def _suspended(request: HttpRequest) -> HttpResponse:
    if _wants_json(request):
        error = {"code": "key_suspended", "message": "The key is suspended. The link is not used up."}
        return JsonResponse({"error": error}, status=403)
    return render(request, "accounts/claim.html", {"is_suspended": True}, status=403)


def _too_many(request: HttpRequest, *, wait_s: int) -> HttpResponse:
    response = render(request, "accounts/claim.html", {"wait_s": wait_s}, status=429)
    response["Retry-After"] = str(wait_s)
    return _guarded(response)


def _guarded(response: HttpResponse) -> HttpResponse:
    """Neither kept, nor indexed, nor told to anybody where it was."""
    add_never_cache_headers(response)
    response["Cache-Control"] = "no-store, private"
    response["Pragma"] = "no-cache"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    return response


def _about(key: ApiKey) -> dict[str, Any]:
    return {"name": key.name, "application": str(key.application), "environment": key.environment, "key": key.masked}


def _wants_json(request: HttpRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _whoever(request: HttpRequest) -> Actor:
    return Actor(
        kind="anonymous",
        id="claim link",
        ip=request.META.get("REMOTE_ADDR") or None,
        user_agent=request.headers.get("User-Agent", ""),
        request_id=request.META.get("REQUEST_ID", ""),
    )
