"""No admin saves by itself. The site takes none that does, and none overrides the places where rows are written."""

import inspect

import pytest
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured

from accounts.models import Tenant
from compliance.admin.base import GovernedAdmin, GovernedInline, ReadOnlyAdmin, Verbs

ADMINS = sorted(admin.site._registry.values(), key=str)
every_admin = pytest.mark.parametrize("page", ADMINS, ids=str)
WRITES = ("save_model", "save_related", "save_formset", "delete_model", "delete_queryset", "save_form")


def test_there_are_some() -> None:
    assert len(ADMINS) > 10


@every_admin
def test_every_admin_is_governed_or_read_only(page: admin.ModelAdmin[object]) -> None:  # type: ignore[type-var]
    assert isinstance(page, (GovernedAdmin, ReadOnlyAdmin))


@every_admin
def test_rows_are_written_in_the_base_class_only(page: admin.ModelAdmin[object]) -> None:  # type: ignore[type-var]
    base = GovernedAdmin if isinstance(page, GovernedAdmin) else ReadOnlyAdmin
    for name in WRITES:
        assert getattr(type(page), name) is getattr(base, name), name


@every_admin
def test_no_admin_calls_save_or_delete(page: admin.ModelAdmin[object]) -> None:  # type: ignore[type-var]
    source = inspect.getsource(type(page))
    for call in (".save(", ".delete(", ".update(", ".create(", "bulk_"):
        assert call not in source


@every_admin
def test_rows_inside_other_pages_are_governed(page: admin.ModelAdmin[object]) -> None:  # type: ignore[type-var]
    assert all(issubclass(inline, GovernedInline) and isinstance(inline.verbs, Verbs) for inline in page.inlines)


def test_an_admin_without_actions_is_refused() -> None:
    class Careless(GovernedAdmin):
        pass

    with pytest.raises(ImproperlyConfigured, match="names no verbs"):
        Careless(Tenant, admin.site)


def test_an_admin_of_another_kind_is_left_out() -> None:
    class Foreign(admin.ModelAdmin[Tenant]):
        pass

    admin.site.unregister(Tenant)
    try:
        admin.site.register(Tenant, Foreign)
        assert not admin.site.is_registered(Tenant)
    finally:
        from accounts.admin.tenants import TenantAdmin

        admin.site.register(Tenant, TenantAdmin)
