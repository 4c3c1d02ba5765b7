"""The page with the records of processing, and its two files."""

import json

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from compliance import processing

FORMS = {"json": "application/json", "md": "text/markdown; charset=utf-8"}


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The records as they are now; with `?as=json` or `?as=md` as a file."""
    if not request.user.has_perm("compliance.view_erasure"):
        raise PermissionDenied
    form = request.GET.get("as", "")
    if form in FORMS:
        return _file(form)
    context = {
        **admin.site.each_context(request),
        "title": "Records of processing",
        "activities": processing.activities(),
        "measures": processing.measures(),
    }
    return TemplateResponse(request, "compliance/processing.html", context)


def _file(form: str) -> HttpResponse:
    text = json.dumps(processing.document(), indent=2, ensure_ascii=False) if form == "json" else processing.markdown()
    name = f"records-of-processing.{form}"
    headers = {"Content-Type": FORMS[form], "Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, headers=headers)
