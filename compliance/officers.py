"""Who is told of a tenant's subject requests and erasures, and the telling.

Whoever knows the people registers how to find them.
"""

from collections.abc import Callable, Collection

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from compliance.models import Erasure, SubjectRequest

AddressesOf = Callable[[int], Collection[str]]
"""From a tenant to the mail addresses of its compliance officers, or of its owners where it has none."""

_addresses_of: list[AddressesOf] = []
log = structlog.get_logger(__name__)


def use(addresses_of: AddressesOf) -> None:
    """Says who finds addresses; called once, when the apps are ready."""
    _addresses_of[:] = [addresses_of]


def addresses(tenant_id: int) -> list[str]:
    """Whom to write to about a tenant's requests and erasures."""
    return sorted(set(_addresses_of[0](tenant_id))) if _addresses_of else []


def tell_of_deadline(request: SubjectRequest, days_left: int) -> bool:
    """Writes that a request is due soon, or overdue; returns whether there was somebody to write to.

    Raises:
        OSError: the mail server does not take it.
    """
    return _tell(request, _when(days_left).capitalize(), days_left=days_left)


def tell_of_receipt(request: SubjectRequest, days_left: int) -> bool:
    """The same of the confirmation that a request has arrived."""
    return _tell(request, f"Confirm receipt, {_when(days_left)}", days_left=days_left)


def tell_of_failure(request: SubjectRequest, why: str) -> bool:
    """Writes that a request could not be carried out. A mail that cannot be sent is logged: the queue shows it all the
    same."""
    try:
        return _tell(request, "Failed", why=why)
    except OSError as error:
        log.error("mail about a failed subject request not sent", request=request.pk, error=str(error))
        return False


def tell_of_erasure(erasure: Erasure) -> bool:
    """Writes that an erasure does not come to an end; returns whether there was somebody to write to.

    Raises:
        OSError: the mail server does not take it.
    """
    to = addresses(erasure.tenant_id)
    if not to:
        log.error("nobody to tell about an erasure", erasure=str(erasure.pk), tenant=erasure.tenant_id)
        return False
    path = reverse("admin:compliance_erasure_change", args=(erasure.pk,))
    page = f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else ""
    about = {"erasure": erasure, "tenant": erasure.tenant, "page": page}
    text = render_to_string("compliance/erasure_mail.txt", about)
    send_mail(f"Erasure not complete: {erasure.tenant.name}", text, None, to)
    return True


def _tell(request: SubjectRequest, what: str, **about: object) -> bool:
    to = addresses(request.tenant_id)
    if not to:
        log.error("nobody to tell about a subject request", request=request.pk, tenant=request.tenant_id, what=what)
        return False
    text = render_to_string(
        "compliance/requests_mail.txt",
        {"request": request, "tenant": request.tenant, "what": what, "page": _page(request), **about},
    )
    subject = f"{what}: {request.get_right_display().lower()} request {request.pk} of {request.tenant.name}"
    send_mail(subject, text, None, to)
    return True


def _page(request: SubjectRequest) -> str:
    if not settings.PUBLIC_URL:
        return ""
    return f"{settings.PUBLIC_URL}{reverse('admin:compliance_subjectrequest_change', args=(request.pk,))}"


def _when(days_left: int) -> str:
    if days_left < 0:
        return "overdue"
    return "due today" if days_left == 0 else f"due in {days_left} day{'s' if days_left > 1 else ''}"
