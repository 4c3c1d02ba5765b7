"""What alerts look like as e-mail: one mail says all that there is to say to one address."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from billing import alert_words
from billing.models import Alert
from billing.models.alerts import ANNOUNCED

Mail = EmailMultiAlternatives


def compose(address: str, alerts: Sequence[Alert], *, connection: Any) -> Mail:
    """The mail that tells `address` of `alerts`, as text and as HTML."""
    context = {"entries": [_entry(alert) for alert in alerts], "log": _page("admin:billing_alert_changelist")}
    mail = EmailMultiAlternatives(
        subject=_subject(alerts),
        body=render_to_string("billing/alert_mail.txt", context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[address],
        connection=connection,
        headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: no out-of-office replies, please
    )
    mail.attach_alternative(render_to_string("billing/alert_mail.html", context), "text/html")
    return mail


def _subject(alerts: Sequence[Alert]) -> str:
    """A header of one line, whatever tenants and budgets are called."""
    tenants = {str(alert.tenant) if alert.tenant else "Portcullis" for alert in alerts}
    whose = tenants.pop() if len(tenants) == 1 else f"{len(tenants)} tenants"
    what = alert_words.headline(alerts[0]) if len(alerts) == 1 else f"{len(alerts)} alerts"
    return " ".join(f"{whose}: {what}".split())[:200]


def _entry(alert: Alert) -> dict[str, Any]:
    return {
        "tenant": str(alert.tenant) if alert.tenant else "",
        "headline": alert_words.headline(alert),
        "kind": alert.get_kind_display(),
        "rule": alert.rule.name if alert.rule else "",
        "at": f"{alert.created_at:%Y-%m-%d %H:%M} UTC",
        "values": alert_words.values(alert) if alert.kind in ANNOUNCED else (),
        "claim": alert_words.claim_url(alert),
        "page": _page("admin:billing_alert_change", alert.pk),
    }


def _page(name: str, *args: Any) -> str:
    """The address of a page of the admin; nothing where the installation was not told its own."""
    return settings.PUBLIC_URL + reverse(name, args=args) if settings.PUBLIC_URL else ""
