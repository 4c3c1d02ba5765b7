"""Streams that deliver the audit log: add one, try it, pause and resume it, and see how far it is."""

from collections.abc import Collection, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextareaWidget

from compliance.actions import siem_streams
from compliance.admin.base import GovernedAdmin, Step, Verbs, perform
from compliance.admin.forms import GovernedForm
from compliance.admin.theme import button, column
from compliance.models import SiemProgress, SiemStream
from compliance.siem import lag

COLOURS = {"Delivers": "success", "Fails": "danger", "Paused": "warning", "Has not begun": "info"}
BY_SYSLOG, BY_HTTPS = "transport != 'https'", "transport == 'https'"
ENCRYPTED = "transport != 'syslog_tcp'"
KEPT = "Kept encrypted and never shown again. Empty: it stays as it is."


class StreamForm(GovernedForm):
    """With the two secrets, which are taken and never given back."""

    new_token = forms.CharField(
        label="Token",
        required=False,
        max_length=4096,
        help_text=f"Of HTTPS, sent as Authorization: Bearer. {KEPT}",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    new_private_key = forms.CharField(
        label="Private key of our certificate",
        required=False,
        max_length=16_384,
        help_text=f"PEM, without a password. {KEPT}",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "autocomplete": "off"}),
    )

    class Meta:
        model = SiemStream
        fields = (
            *("name", "transport", "host", "port", "url", "format", "scope", "tenant", "from_start"),
            *("ca", "certificate"),
        )
        widgets = {name: UnfoldAdminTextareaWidget(attrs={"rows": 4}) for name in ("ca", "certificate")}


@admin.register(SiemStream)
class SiemStreamAdmin(GovernedAdmin):
    verbs = Verbs(noun="stream", create=siem_streams.add, change=siem_streams.change, remove=siem_streams.remove)
    steps = {
        "test": Step(
            action=siem_streams.send_test,
            title="Send a test to {}?",
            text="One event that is in no log is sent now. This page tells whether it arrived.",
            verb="Send a test",
            done="The test arrived at {}.",
        ),
        "pause": Step(
            action=siem_streams.pause,
            title="Pause {}?",
            text="Nothing more is delivered until somebody resumes it. Then it goes on where it stopped.",
            verb="Pause",
            done="{} is paused.",
        ),
        "resume": Step(
            action=siem_streams.resume,
            title="Resume {}?",
            text="What has come meanwhile is delivered within seconds.",
            verb="Resume",
            done="{} delivers again.",
        ),
        "skip": Step(
            action=siem_streams.skip_event,
            title="Skip the event that holds up {}?",
            text="This stream's receiver never gets that one event; it stays in the audit log, which also says that it "
            "was skipped, and why. What comes behind it is delivered within seconds.",
            verb="Skip this event",
            done="{} goes on behind the event.",
        ),
    }
    actions_detail = ("test", "skip", "pause", "resume")
    form = StreamForm
    empty_hint = "Add a receiver, such as a SIEM: the audit log is delivered there as it happens."
    list_display = ("named", "delivers", "state_label", "waiting", "last", "problem")
    list_filter = (("state", ChoicesDropdownFilter), ("tenant", RelatedDropdownFilter))
    list_select_related = ("tenant", "progress")
    search_fields = ("name", "host", "url")
    search_help_text = "Name, host or URL"
    autocomplete_fields = ("tenant",)
    conditional_fields = {
        **dict.fromkeys(("host", "port"), BY_SYSLOG),
        **dict.fromkeys(("url", "new_token"), BY_HTTPS),
        **dict.fromkeys(("ca", "certificate", "new_private_key"), ENCRYPTED),
        "tenant": "scope == 'tenant'",
    }
    readonly_fields = ("state_label", "waiting", "behind", "last", "total", "problem", "secrets_kept")
    add_fieldsets = (
        (None, {"fields": ("name", "scope", "tenant", "from_start", "format")}),
        ("Where to", {"fields": ("transport", "host", "port", "url", "new_token")}),
        ("Certificates", {"fields": ("ca", "certificate", "new_private_key")}),
    )
    fieldsets = (
        ("State", {"fields": ("state_label", "waiting", "behind", "last", "total", "problem", "secrets_kept")}),
        (None, {"fields": ("name", "scope", "tenant", "format")}),
        ("Where to", {"fields": ("transport", "host", "port", "url", "new_token")}),
        ("Certificates", {"fields": ("ca", "certificate", "new_private_key")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: SiemStream | None = None) -> Any:
        return self.fieldsets if obj else self.add_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: SiemStream | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def prepare(self, rows: Sequence[SiemStream]) -> None:
        counts = lag.waiting(rows)
        for row in rows:
            row.counted = counts[row.pk]  # type: ignore[attr-defined]

    # --- writes --------------------------------------------------------------------------------------------------

    def create_row(self, request: HttpRequest, row: SiemStream, form: Any) -> None:
        perform(self.verbs.create, self.verbs.noun, row, request, **_secrets(form))

    def change_row(self, request: HttpRequest, row: SiemStream, form: Any) -> None:
        perform(self.verbs.change, self.verbs.noun, row, request, **_secrets(form))

    # --- buttons -------------------------------------------------------------------------------------------------

    def offers(self, row: SiemStream) -> Collection[str]:
        if row.state != SiemStream.State.ACTIVE:
            return ("test", "resume")
        return ("test", "pause") if _progress(row).stuck_index is None else ("test", "skip", "pause")

    @button("Send a test", icon="send", permissions=["change"])
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("test", request, object_id)

    @button("Skip this event", icon="skip_next", permissions=["change"])
    def skip(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("skip", request, object_id)

    @button("Pause", icon="pause_circle", permissions=["change"])
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("pause", request, object_id)

    @button("Resume", icon="play_circle", permissions=["change"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("resume", request, object_id)

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Stream", header=True, ordering="name")
    def named(self, stream: SiemStream) -> tuple[str, str]:
        where = stream.url if stream.transport == SiemStream.Transport.HTTPS else f"{stream.host}:{stream.port}"
        return stream.name, f"{stream.get_transport_display()}: {where}"

    @column("What")
    def delivers(self, stream: SiemStream) -> str:
        return stream.tenant.name if stream.tenant else stream.get_scope_display()

    @column("State", label=COLOURS)
    def state_label(self, stream: SiemStream) -> str:
        progress = _progress(stream)
        if stream.state == SiemStream.State.PAUSED:
            return "Paused"
        if progress.failing_since:
            return "Fails"
        return "Delivers" if progress.delivered_at else "Has not begun"

    @column("Events waiting")
    def waiting(self, stream: SiemStream) -> str:
        if not hasattr(stream, "counted"):
            self.prepare([stream])
        return f"{stream.counted:,}"  # type: ignore[attr-defined]

    @column("The oldest of them (UTC)")
    def behind(self, stream: SiemStream) -> str:
        moment = lag.oldest(stream)
        if moment is None:
            return "none waits"
        minutes = int((timezone.now() - moment).total_seconds()) // 60
        return f"{moment:%Y-%m-%d %H:%M:%S}, {minutes:,} {'minute' if minutes == 1 else 'minutes'} ago"

    @column("Last delivery (UTC)")
    def last(self, stream: SiemStream) -> str:
        moment = _progress(stream).delivered_at
        return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "none yet"

    @column("Events delivered")
    def total(self, stream: SiemStream) -> str:
        return f"{_progress(stream).delivered:,}"

    @column("Problem")
    def problem(self, stream: SiemStream) -> str:
        progress = _progress(stream)
        if not progress.failing_since:
            return "–"
        again = f"; tried again at {progress.next_at:%H:%M:%S}" if progress.next_at else ""
        where = "" if progress.stuck_index is None else f" (place {progress.stuck_index:,} of its log)"
        return f"{progress.error}{where}, since {progress.failing_since:%Y-%m-%d %H:%M} UTC{again}"

    @column("Secrets kept")
    def secrets_kept(self, stream: SiemStream) -> str:
        kept = [name for name, value in (("token", stream.token), ("private key", stream.private_key)) if value]
        return " and ".join(kept) or "none"


def _secrets(form: Any) -> dict[str, str]:
    return {"token": form.cleaned_data["new_token"], "private_key": form.cleaned_data["new_private_key"]}


def _progress(stream: SiemStream) -> SiemProgress:
    return stream.progress
