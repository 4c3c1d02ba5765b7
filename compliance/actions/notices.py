"""What can be done with notices: draft, change, publish; a published one is fixed, and a new version follows it."""

import hashlib

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from compliance import rows, selectors
from compliance.contracts import Actor
from compliance.errors import ActionRefused
from compliance.models import ConsentNotice


@transaction.atomic
def draft(*, notice: ConsentNotice, by: Actor) -> ConsentNotice:
    """Adds a draft. Without a version it becomes the next one of its purpose.

    Raises:
        ValidationError: nobody declared the purpose, or this version has a text in this language already.
    """
    if not selectors.purposes_of(notice.tenant_id).filter(slug=notice.purpose).exists():
        raise ValidationError({"purpose": f"The tenant has no purpose {notice.purpose}; add it first."})
    notice.version = notice.version or selectors.newest_version(notice.tenant_id, notice.purpose) + 1
    notice.status, notice.published_at = ConsentNotice.Status.DRAFT, None
    return rows.create(_hashed(notice), by=by)


@transaction.atomic
def change(*, notice: ConsentNotice, by: Actor) -> ConsentNotice:
    """Changes a draft.

    Raises:
        ActionRefused: it is published.
    """
    _require_draft(ConsentNotice.objects.select_for_update().get(pk=notice.pk))
    return rows.change(_hashed(notice), by=by)


@transaction.atomic
def publish(*, notice: ConsentNotice, by: Actor, reason: str = "") -> ConsentNotice:
    """Publishes a draft, for good. If it changed the terms, consent to earlier versions ends to allow anything now.

    Raises:
        ActionRefused: it is published already, a newer version is, or its other languages say otherwise about whether
            the terms changed.
    """
    versions = ConsentNotice.objects.select_for_update().filter(tenant_id=notice.tenant_id, purpose=notice.purpose)
    notice = {each.pk: each for each in versions.order_by("pk")}[notice.pk]  # all: two are published in turn
    _require_draft(notice)
    _require_newest(notice)
    notice.status, notice.published_at = ConsentNotice.Status.PUBLISHED, timezone.now()
    return rows.change(notice, by=by, verb="published", reason=reason)


@transaction.atomic
def remove(*, notice: ConsentNotice, by: Actor, reason: str = "") -> None:
    """Deletes a draft.

    Raises:
        ActionRefused: it is published, and people may have seen it.
    """
    _require_draft(ConsentNotice.objects.select_for_update().get(pk=notice.pk))
    rows.delete(notice, by=by, reason=reason)


def _hashed(notice: ConsentNotice) -> ConsentNotice:
    """Line ends as one character, as browsers send two; and the hash of the text."""
    notice.text = notice.text.replace("\r\n", "\n")
    notice.text_sha256 = hashlib.sha256(notice.text.encode()).hexdigest()
    return notice


def _require_draft(notice: ConsentNotice) -> None:
    if notice.status != ConsentNotice.Status.DRAFT:
        raise ActionRefused(f"{notice} is published and stays as people saw it; make a new version instead.")


def _require_newest(notice: ConsentNotice) -> None:
    newest = selectors.newest_version(notice.tenant_id, notice.purpose)
    if notice.version < newest:
        raise ActionRefused(
            f"Version {newest} of {notice.purpose} is published; give this one the number {newest + 1}."
        )
    others = selectors.published(notice.tenant_id, notice.purpose).filter(version=notice.version)
    if others.exclude(material_change=notice.material_change).exists():
        raise ActionRefused(
            f"Version {notice.version} is published in another language, and says otherwise about a material change. "
            "Whether the terms changed is the same in all languages."
        )
