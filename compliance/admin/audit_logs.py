"""The audit log's trees, their checkpoints, and the keys that sign those: all that a verifier elsewhere needs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import F
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from compliance.admin.base import ReadOnlyAdmin
from compliance.admin.filters import ReferenceFilter, RelationFilter
from compliance.admin.links import link, list_url
from compliance.admin.names import Names
from compliance.admin.paginator import LimitedPaginator
from compliance.admin.theme import column
from compliance.errors import KeyStoreUnavailable
from compliance.evidence import notes
from compliance.keyring import signers
from compliance.keyring.models import SigningKey
from compliance.keyring.signers import Span
from compliance.models import AuditCheckpoint, AuditLog

MOST_LOGS = 200


class TenantFilter(ReferenceFilter):
    title, parameter_name, kind = "tenant", "tenant_id", "tenant"


@admin.register(AuditLog)
class AuditLogAdmin(ReadOnlyAdmin):
    empty_hint = "A log is begun within a minute of the first event, by the task that signs checkpoints."
    list_display = ("name", "tenant", "events", "removed", "signed")
    list_display_links = ("name",)
    list_filter = (TenantFilter,)
    search_fields = ("origin",)
    search_help_text = "Name of a log"
    ordering = (F("tenant_id").asc(nulls_first=True),)
    fieldsets = (
        (None, {"fields": ("name", "tenant", "events", "removed", "signed")}),
        (
            "Verifier keys",
            {"fields": ("keys",), "description": "Hand these out: with one of them, anybody verifies its checkpoints."},
        ),
        ("Last checkpoint", {"fields": ("note",)}),
    )
    readonly_fields = ("name", "tenant", "events", "removed", "signed", "keys", "note")

    def prepare(self, rows: Sequence[AuditLog]) -> None:
        names = Names(("tenant", str(row.tenant_id)) for row in rows if row.tenant_id)
        for row in rows:
            row.names = names  # type: ignore[attr-defined]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            self.prepare([row])
        return row

    def title_of(self, row: AuditLog) -> str:
        """In the audit log."""
        return f"log {row.origin.partition('/')[2].partition('/')[2] or row.origin}"

    @column("Log", ordering="origin")
    def name(self, row: AuditLog) -> str:
        return row.origin

    @column("Of", ordering="tenant_id")
    def tenant(self, row: AuditLog) -> SafeString | str:
        names: Names = row.names  # type: ignore[attr-defined]
        return names.of("tenant", row.tenant_id).link if row.tenant_id else "The platform"

    @column("Events", ordering="size")
    def events(self, row: AuditLog) -> str:
        return f"{row.size:,}"

    @column("Removed when due", ordering="pruned_to")
    def removed(self, row: AuditLog) -> str | None:
        return f"the first {row.pruned_to:,}; their hashes stay" if row.pruned_to else None

    @column("Checkpoints")
    def signed(self, row: AuditLog) -> SafeString:
        return link(list_url("compliance_auditcheckpoint", log__id__exact=row.pk), "All of this log")

    @column("Keys")
    def keys(self, row: AuditLog) -> SafeString | str:
        try:
            spans = signers.spans()
        except KeyStoreUnavailable:
            return "Unknown: the keys database does not answer."
        shown = [(_between(span), notes.verifier_key(row.origin, span.public)) for span in spans]
        return _rendered("compliance/verifier_keys.html", keys=shown)

    @column("Note")
    def note(self, row: AuditLog) -> SafeString | None:
        last = row.checkpoints.filter(size=row.size).first()
        return _note(last) if last else None


@admin.register(AuditCheckpoint)
class AuditCheckpointAdmin(ReadOnlyAdmin):
    empty_hint = "A checkpoint is signed each minute in which there is something new: is a worker running?"
    list_display = ("signed", "log_name", "events", "delivered")
    list_display_links = ("signed",)
    list_filter = (("log", RelationFilter),)
    list_select_related = ("log",)
    paginator = LimitedPaginator
    fieldsets = (
        (None, {"fields": ("log_name", "events", "signed", "delivered")}),
        (
            "Note",
            {"fields": ("note_text",), "description": "Select it with a click, and keep it where nobody here can."},
        ),
    )
    readonly_fields = ("log_name", "events", "signed", "delivered", "note_text")

    @column("Signed (UTC)", ordering="id")
    def signed(self, row: AuditCheckpoint) -> str:
        return f"{row.signed_at:%Y-%m-%d %H:%M:%S}"

    @column("Log", ordering="log")
    def log_name(self, row: AuditCheckpoint) -> str:
        return row.log.origin

    @column("Events")
    def events(self, row: AuditCheckpoint) -> str:
        return f"{row.size:,}"

    @column("All sinks have it since")
    def delivered(self, row: AuditCheckpoint) -> str:
        return f"{row.delivered_at:%Y-%m-%d %H:%M:%S}" if row.delivered_at else "not yet"

    @column("Text")
    def note_text(self, row: AuditCheckpoint) -> SafeString:
        return _note(row)


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    empty_hint = "The first key is made with the first signature. For the next: manage.py rotate_signing_key"
    list_display = ("short", "state", "since", "until", "root")
    list_display_links = ("short",)
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": ("key", "state", "since", "until", "root")}),
        (
            "Verifier keys",
            {"fields": ("logs",), "description": "Of each log, as tools of transparency logs take them."},
        ),
    )
    readonly_fields = ("key", "state", "since", "until", "root", "logs")

    def title_of(self, row: SigningKey) -> str:
        """In the audit log."""
        return f"signing key {bytes(row.public).hex()[:12]}…"

    # There are no rights to tables of the keys database: those are rows of the main one.
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("compliance.view_auditlog"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def prepare(self, rows: Sequence[SigningKey]) -> None:
        spans = {span.public: span for span in signers.spans()} if rows else {}
        for row in rows:
            row.span = spans[bytes(row.public)]  # type: ignore[attr-defined]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            self.prepare([row])
        return row

    @column("Public key")
    def short(self, row: SigningKey) -> str:
        return bytes(row.public).hex()[:16] + "…"

    @column("Public key (Ed25519)")
    def key(self, row: SigningKey) -> str:
        return bytes(row.public).hex()

    @column("State", label={"Signs": "success", "Verifies": "info"})
    def state(self, row: SigningKey) -> str:
        return "Verifies" if _span(row).until else "Signs"

    @column("Signed from (UTC)", ordering="id")
    def since(self, row: SigningKey) -> str:
        return _minute(_span(row).since)

    @column("Until")
    def until(self, row: SigningKey) -> str:
        last = _span(row).until
        return _minute(last) if last else "now"

    @column("Root key", ordering="root_version")
    def root(self, row: SigningKey) -> str:
        return f"version {row.root_version}"

    @column("Keys")
    def logs(self, row: SigningKey) -> SafeString:
        origins = list(AuditLog.objects.order_by("tenant_id").values_list("origin", flat=True)[: MOST_LOGS + 1])
        shown = [(origin, notes.verifier_key(origin, bytes(row.public))) for origin in origins[:MOST_LOGS]]
        return _rendered("compliance/verifier_keys.html", keys=shown, more=len(origins) > MOST_LOGS)


def _span(row: SigningKey) -> Span:
    span: Span = row.span  # type: ignore[attr-defined]
    return span


def _between(span: Span) -> str:
    return f"from {_minute(span.since)} UTC to " + (f"{_minute(span.until)} UTC" if span.until else "now")


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _note(row: AuditCheckpoint) -> SafeString:
    return _rendered("compliance/note.html", note=row.note)


def _rendered(template: str, **context: Any) -> SafeString:
    return mark_safe(render_to_string(template, context))  # noqa: S308 - an escaping template
