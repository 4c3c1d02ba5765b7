"""How often one address may do what invites guessing or flooding."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django_ratelimit.core import get_usage

View = TypeVar("View", bound=Callable[..., HttpResponse])


def limited(*, group: str, rate: str, what: str) -> Callable[[View], View]:
    """Refuses a page's POSTs from an address beyond `rate`, with 429 and the time to wait; `what` is for the reader."""

    def decorate(view: View) -> View:
        @wraps(view)
        def inner(owner: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            usage = get_usage(request, group=group, key="ip", rate=rate, method="POST", increment=True)
            if usage and usage["should_limit"]:
                return _too_many(request, wait_s=max(usage["time_left"], 1), what=what)
            return view(owner, request, *args, **kwargs)

        return inner  # type: ignore[return-value]

    return decorate


def _too_many(request: HttpRequest, *, wait_s: int, what: str) -> HttpResponse:
    signed_in = request.user.is_authenticated
    context = {
        **admin.site.each_context(request),
        "title": "Too many attempts",
        "what": what,
        "wait_s": wait_s,
        "layout": "admin/base_site.html" if signed_in else "unfold/layouts/unauthenticated.html",
    }
    response = TemplateResponse(request, "admin/too_many.html", context, status=429)
    response["Retry-After"] = str(wait_s)
    return response
