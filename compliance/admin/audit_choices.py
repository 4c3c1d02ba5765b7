"""What the audit log can be narrowed to, in its list and in the form of an export."""

from django.contrib import admin

from compliance.models import AuditEvent

RECENT = 5000


def actions() -> list[tuple[str, str]]:
    """The actions among the newest events; a scan of the whole log would take minutes."""
    recent = AuditEvent.objects.order_by("-id").values_list("action", flat=True)[:RECENT]
    return [(action, action) for action in sorted(set(recent))]


def objects() -> list[tuple[str, str]]:
    """The kinds of objects that have a page, by name."""
    models = {str(model._meta.model_name): str(model._meta.verbose_name) for model in admin.site._registry}
    return sorted(models.items(), key=lambda choice: choice[1])
