"""What the page of a key shows of its secrets and its use, and the buttons of its rotation."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from accounts import claims, key_uses
from accounts.actions import rotations
from accounts.models import ApiKey, RetiringSecret
from compliance.admin.base import Step
from compliance.admin.theme import button, column

UsageOf = Callable[[ApiKey], Mapping[str, Any] | None]

STEPS = {
    "rotate": Step(
        action=rotations.rotate,
        title="Rotate {} now?",
        text="It gets a new secret and stays the same key, with its budgets and limits. The old secret goes on working "
        "for the overlap, and until somebody has claimed the new one. Those who are told of rotations get a link that "
        "shows the new secret once; you find it on the key's page, too.",
        verb="Rotate now",
        done="{} has a new secret. The link to it is on this page.",
    ),
    "renew_link": Step(
        action=rotations.renew_link,
        title="Make a new link for {}?",
        text="The link that nobody has used yet ends, and so does the secret behind it. A new one takes their place, "
        "and is sent to those who are told of rotations. The old secret goes on working.",
        verb="Make a new link",
        done="There is a new link to the secret of {}.",
    ),
    "end_overlap": Step(
        action=rotations.end_overlap,
        title="Refuse the old secret of {} from now on?",
        text="Requests with the old secret are refused at once. Do this when everything uses the new one, or when the "
        "old one has leaked.",
        verb="Refuse the old secret",
        done="Only the current secret of {} works.",
        grave=True,
    ),
}


class KeyLife:
    """Part of the admin of keys: secrets, rotation and usage."""

    usage_of: ClassVar[UsageOf] = staticmethod(lambda key: None)
    """A chart and sums of the last 30 days; billing, which keeps usage, sets it."""

    def secret_offers(self, key: ApiKey) -> Collection[str]:
        """Which buttons of rotation make sense now."""
        overlaps = RetiringSecret.objects.filter(key=key, ended_at=None).exists()
        first = "renew_link" if claims.waiting_for(key) is not None else "rotate"
        return (first, "end_overlap") if overlaps else (first,)

    def means(self, step: str, row: ApiKey) -> str:
        """Warns where nobody has the new secret yet, and tells who still uses the old one."""
        if step != "end_overlap":
            return ""
        if claims.waiting_for(row) is not None:
            return "Nobody has claimed the new secret yet: until somebody does, the application is refused."
        old = RetiringSecret.objects.filter(key=row, ended_at=None).values_list("public_id", flat=True)
        used = key_uses.of_secrets(list(old)).values()
        known = f"It was last used on {_time(max(used))} UTC" if used else "It was not used since it is kept count of"
        return f"{known}; what was used within the last 10 seconds may not be counted yet."

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        key = super().get_object(request, object_id, from_field)  # type: ignore[misc]
        if key is not None:
            key.seen_at = request.build_absolute_uri("/").rstrip("/")
        return key

    @button("Rotate now", icon="autorenew", permissions=["change"])
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("rotate", request, object_id)  # type: ignore[attr-defined,no-any-return]

    @button("New link", icon="link", permissions=["change"])
    def renew_link(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("renew_link", request, object_id)  # type: ignore[attr-defined,no-any-return]

    @button("Close the overlap", icon="key_off", permissions=["change"])
    def end_overlap(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("end_overlap", request, object_id)  # type: ignore[attr-defined,no-any-return]

    @column("Rotation (UTC)", ordering="rotation_due_at")
    def rotation(self, key: ApiKey) -> str:
        if key.status == ApiKey.Status.REVOKED:
            return "–"
        return f"Due {key.rotation_due_at:%Y-%m-%d %H:%M}" if key.rotation_due_at else "Not planned"

    @column("Secrets")
    def secrets(self, key: ApiKey) -> SafeString:
        old = list(RetiringSecret.objects.filter(key=key).select_related("key")[:5])
        waiting = claims.waiting_for(key)
        needed = waiting.replaces_id if waiting is not None else None
        used = key_uses.of_secrets([key.public_id, *(each.public_id for each in old)])
        rows = [
            (key.masked, _time(key.secret_since), "Current", _used(used.get(key.public_id))),
            *(
                (each.masked, "", _until(each, is_needed=each.pk == needed), _used(used.get(each.public_id)))
                for each in old
            ),
        ]
        return _rendered("accounts/key_secrets.html", rows=rows)

    @column("Link to the new secret")
    def claim_link(self, key: ApiKey) -> SafeString | str:
        waiting = claims.waiting_for(key)
        if waiting is None:
            return "None: every secret was claimed."
        url = claims.url_of(waiting.pk)
        if url.startswith("/"):  # the installation was not told its address: it is the one that this page has
            url = getattr(key, "seen_at", "") + url
        return _rendered(
            "accounts/key_claim.html",
            url=url,
            ends=_time(waiting.expires_at),
            is_suspended=not url and claims.is_suspended(waiting),
        )

    @column("Last 30 days")
    def usage(self, key: ApiKey) -> SafeString | str:
        usage = type(self).usage_of(key)
        if usage is None:
            return "No requests in the last 30 days."
        return _rendered("accounts/key_usage.html", **usage)


def _until(old: RetiringSecret, *, is_needed: bool) -> str:
    if old.ended_at is not None:
        return f"Ended {_time(old.ended_at)}"
    until = "" if old.ends_at <= timezone.now() else f" {_time(old.ends_at)}"
    if is_needed:
        return (
            f"Works until{until}, and until the new one is claimed" if until else "Works until the new one is claimed"
        )
    return f"Works until{until}" if until else "Ended"


def _used(at: datetime | None) -> str:
    return _time(at) if at else "Never"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _rendered(template: str, **context: Any) -> SafeString:
    return mark_safe(render_to_string(template, context))  # noqa: S308 - an escaping template
