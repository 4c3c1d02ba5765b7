"""The page that tells what each version of the pepper is needed for."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from accounts import peppers
from compliance.admin.links import list_url


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The page. Anybody who may see keys may see it."""
    if not request.user.has_perm("accounts.view_apikey"):
        raise PermissionDenied
    rows = [
        {"needed": each, "url": list_url("accounts_apikey", pepper_version__exact=each.version)}
        for each in peppers.usage()
    ]
    context = {**admin.site.each_context(request), "title": "Peppers", "rows": rows}
    return TemplateResponse(request, "accounts/peppers.html", context)
