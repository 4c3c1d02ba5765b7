"""The page for requests that Django refuses before any view sees them."""

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponseBadRequest
from django.template.loader import render_to_string


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBadRequest:
    """Says what to set where the host name is unknown. The name is not echoed: whoever sends it chooses it."""
    context = {"is_unknown_host": isinstance(exception, DisallowedHost)}
    return HttpResponseBadRequest(render_to_string("400.html", context))
