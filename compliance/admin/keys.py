"""Tenants' keys and what they wrap, and which versions of the root key are in use. Keys themselves are never shown."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.safestring import SafeString

from compliance import signing
from compliance.admin.base import ReadOnlyAdmin
from compliance.admin.filters import ReferenceFilter, ValueFilter
from compliance.admin.names import Names
from compliance.admin.root_keys import MAY_ASK, ask_page, asked_for
from compliance.admin.theme import column
from compliance.errors import KeyStoreUnavailable
from compliance.keyring import usage
from compliance.keyring.models import RetiredRoot, TenantKey
from compliance.keyring.roots import root_keys

COLOURS = {"In use": "success", "Being left": "info", "Retired": "warning", "Destroyed": "danger"}


class TenantFilter(ReferenceFilter):
    title, parameter_name, kind = "tenant", "tenant_id", "tenant"


class StateFilter(ValueFilter):
    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        return [("alive", "In use or being left"), ("retired", "Retired"), ("destroyed", "Destroyed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "alive":
                return queryset.filter(destroyed_at=None, retired_at=None)
            case "retired":
                return queryset.filter(destroyed_at=None, retired_at__isnull=False)
            case "destroyed":
                return queryset.filter(destroyed_at__isnull=False)
            case _:
                return queryset


@admin.register(TenantKey)
class TenantKeyAdmin(ReadOnlyAdmin):
    empty_hint = "A tenant's key is made with the first of its people that anything is stored of."
    list_display = ("tenant", "version_number", "state", "wraps", "root", "made")
    list_display_links = ("version_number",)
    list_filter = (TenantFilter, StateFilter)
    list_before_template = "compliance/root_keys.html"
    ordering = ("tenant_id", "-version")
    fieldsets = (
        (None, {"fields": ("tenant", "version_number", "state", "wraps", "root")}),
        ("Times (UTC)", {"fields": ("made", "retired", "destroyed")}),
        ("Fingerprint", {"fields": ("mark",), "description": "Recognises the key, and tells nothing about it."}),
    )
    readonly_fields = (
        *("tenant", "version_number", "state", "wraps", "root"),
        *("made", "retired", "destroyed", "mark"),
    )

    # There are no rights to tables of the keys database: those are rows of the main one.
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("compliance.view_jobrun"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def prepare(self, rows: Sequence[TenantKey]) -> None:
        names = Names(("tenant", str(key.tenant_id)) for key in rows)
        counts, newest = usage.of_tenant_keys([key.tenant_id for key in rows]), _newest(rows)
        for key in rows:
            key.names, key.wrapped_keys = names, counts[key.tenant_id, key.version]  # type: ignore[attr-defined]
            key.is_newest = newest[key.tenant_id] == key.version  # type: ignore[attr-defined]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        key = super().get_object(request, object_id, from_field)
        if key is not None:
            self.prepare([key])
        return key

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(ask_page)
        return [path("retire-root/<int:version>/", view, name="keys_rootkey_retire"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {
            "roots": _roots(),
            "public_keys": _public_keys(),
            "may_ask": request.user.has_perm(MAY_ASK),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    @column("Tenant", ordering="tenant_id")
    def tenant(self, key: TenantKey) -> SafeString:
        names: Names = key.names  # type: ignore[attr-defined]
        return names.of("tenant", key.tenant_id).link

    @column("Version", ordering="version")
    def version_number(self, key: TenantKey) -> int:
        return key.version

    @column("State", label=COLOURS)
    def state(self, key: TenantKey) -> str:
        if key.destroyed_at is not None:
            return "Destroyed"
        if key.retired_at is not None:
            return "Retired"
        return "In use" if key.is_newest else "Being left"  # type: ignore[attr-defined]

    @column("Wraps")
    def wraps(self, key: TenantKey) -> str:
        count: int = key.wrapped_keys  # type: ignore[attr-defined]
        gone = ", gone with it" if count and key.destroyed_at else ""
        return f"{count:,} people's key{'' if count == 1 else 's'}{gone}"

    @column("Root key", ordering="root_version")
    def root(self, key: TenantKey) -> str:
        return f"version {key.root_version}"

    @column("Made (UTC)", ordering="created_at")
    def made(self, key: TenantKey) -> str:
        return f"{key.created_at:%Y-%m-%d %H:%M}"

    @column("Retired")
    def retired(self, key: TenantKey) -> str | None:
        return f"{key.retired_at:%Y-%m-%d %H:%M}" if key.retired_at else None

    @column("Destroyed")
    def destroyed(self, key: TenantKey) -> str | None:
        return f"{key.destroyed_at:%Y-%m-%d %H:%M}" if key.destroyed_at else None

    @column("SHA-256, with a prefix")
    def mark(self, key: TenantKey) -> str:
        return bytes(key.fingerprint).hex()


def _newest(rows: Sequence[TenantKey]) -> dict[int, int]:
    """The newest version of each tenant's key that may wrap something."""
    alive = TenantKey.objects.filter(tenant_id__in={key.tenant_id for key in rows}, retired_at=None, destroyed_at=None)
    newest = dict.fromkeys((key.tenant_id for key in rows), 0)
    return {**newest, **dict(alive.order_by("version").values_list("tenant_id", "version"))}


def _roots() -> list[dict[str, Any]]:
    """The versions of the root key that are known or needed: what needs each, and what it is."""
    try:
        needed = usage.of_root_keys()
        retired = set(RetiredRoot.objects.values_list("version", flat=True))
    except KeyStoreUnavailable:
        return []
    keys, asked = root_keys(), asked_for()
    versions = sorted({*keys.versions, *needed, *retired}, reverse=True)
    return [
        {
            "version": version,
            "needed": [f"{title}: {count:,}" for title, count in sorted(needed.get(version, {}).items())],
            "asked": str(version) in asked,
            "state": _state_of(version, current=keys.current_version, retired=version in retired),
            "missing": version in needed and version not in keys.versions,
        }
        for version in versions
    ]


def _public_keys() -> list[str]:
    """What signatures of this installation verify by, the newest first, in hex."""
    try:
        return [key.hex() for key in signing.public_keys()]
    except KeyStoreUnavailable:
        return []


def _state_of(version: int, *, current: int, retired: bool) -> str:
    if retired:
        return "Retired"
    return "Current" if version == current else "Older"
