"""What the fields that search while one types are answered."""

from typing import TYPE_CHECKING, Any

from django.db import models

from compliance.admin import names

if TYPE_CHECKING:
    from django.views.generic.list import BaseListView

    class AutocompleteJsonView(BaseListView[Any]):
        model_admin: Any

else:
    from django.contrib.admin.views.autocomplete import AutocompleteJsonView


class NamedAutocompleteView(AutocompleteJsonView):
    """Names each row as its table's own admin does among others to choose from."""

    def get_queryset(self) -> Any:
        related, rows = self.model_admin.list_select_related, super().get_queryset()
        if not rows.ordered:  # a list's counts make Django forget the table's own order, and pages need one
            rows = rows.order_by(*rows.model._meta.ordering, "pk")
        tenant = self.request.GET.get("tenant", "")
        if tenant.isdecimal() and len(tenant) < 19 and hasattr(rows.model, "tenant_id"):  # for a form of one tenant
            rows = rows.filter(tenant=tenant)
        return rows.select_related(*related) if isinstance(related, tuple | list) and related else rows

    def serialize_result(self, obj: models.Model, to_field_name: str) -> dict[str, str]:
        return {"id": str(getattr(obj, to_field_name)), "text": names.label(obj)}
