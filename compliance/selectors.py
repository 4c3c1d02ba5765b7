"""What is read of subjects and consents; nothing here writes."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Count, Func, Max, Q, QuerySet
from django.utils import timezone

from compliance.consent_states import ALLOWING
from compliance.lookups import lookup_of
from compliance.models import ConsentNotice, ConsentRecord, ContentPolicy, Purpose, Subject

# --- people ------------------------------------------------------------------------------------------------------


def find(*, tenant_id: int, external_id: str) -> Subject | None:
    """The person whom the tenant's applications call so, if they were ever seen."""
    return Subject.objects.filter(tenant_id=tenant_id, lookup=lookup_of(tenant_id, external_id)).first()


def subjects_of(*, tenant_id: int, state: str = "", before: str = "") -> QuerySet[Subject]:
    """A tenant's people, those enrolled last first; `before`: those that come after this surrogate in that order.

    Without what erasures left behind, which stands for nobody.
    """
    found = Subject.objects.filter(tenant_id=tenant_id, lookup__isnull=False).order_by("-pk")
    if state:
        found = found.filter(state=state)
    if before:
        found = found.filter(pk__lt=Subject.objects.filter(tenant_id=tenant_id, surrogate=before).values("pk"))
    return found


def tenants() -> QuerySet[Any]:
    """All tenants, by name. Their model belongs to the app above; here it is known as what people belong to."""
    model: Any = Subject._meta.get_field("tenant").related_model
    rows: QuerySet[Any] = model._default_manager.order_by("name")
    return rows


def tenant_id_of(*, slug: str) -> int | None:
    """The number of the tenant with that short name."""
    found: int | None = tenants().filter(slug=slug).values_list("pk", flat=True).first()
    return found


# --- purposes and notices ----------------------------------------------------------------------------------------


def purposes_of(tenant_id: int) -> QuerySet[Purpose]:
    """Everybody's purposes and the tenant's own."""
    return Purpose.objects.filter(Q(tenant=None) | Q(tenant_id=tenant_id))


def published(tenant_id: int, purpose: str) -> QuerySet[ConsentNotice]:
    """The published notices of a purpose, the newest first."""
    return ConsentNotice.objects.filter(
        tenant_id=tenant_id, purpose=purpose, status=ConsentNotice.Status.PUBLISHED
    ).order_by("-version", "language")


def newest_version(tenant_id: int, purpose: str) -> int:
    """The newest published version; 0 where there is none."""
    found: int | None = published(tenant_id, purpose).aggregate(Max("version"))["version__max"]
    return found or 0


def must_be_asked(notice: ConsentNotice) -> int:
    """How many people agreed to earlier versions, so that a version that changes the terms has to be put to them."""
    agreed = ConsentRecord.objects.filter(
        tenant_id=notice.tenant_id, purpose=notice.purpose, live=True, state__in=ALLOWING
    ).filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), notice_version__lt=notice.version)
    return agreed.exclude(subject__state=Subject.State.ERASED).count()


def languages_lost(notice: ConsentNotice) -> list[str]:
    """Languages of the published version before that this one has no published notice in."""
    notices = published(notice.tenant_id, notice.purpose)
    before = notices.filter(version__lt=notice.version).aggregate(Max("version"))["version__max"]
    had = notices.filter(version=before).values_list("language", flat=True)
    has = {notice.language, *notices.filter(version=notice.version).values_list("language", flat=True)}
    return sorted(set(had) - has)


def notice_by_hash(*, tenant_id: int, sha256: str) -> ConsentNotice | None:
    """The published notice whose text has this hash; of several with the same text, the newest."""
    return (
        ConsentNotice.objects.filter(tenant_id=tenant_id, text_sha256=sha256, status=ConsentNotice.Status.PUBLISHED)
        .order_by("-published_at", "-id")
        .first()
    )


def notices_to_show(*, tenant_id: int, purpose: str, language: str | None = None) -> list[ConsentNotice]:
    """The newest published version of a notice, in all languages or in one (`de` serves `de-CH` as well)."""
    version = newest_version(tenant_id, purpose)
    notices = list(published(tenant_id, purpose).filter(version=version))
    if language is None:
        return notices
    wanted = (language, language.partition("-")[0])
    return sorted((each for each in notices if each.language in wanted), key=lambda each: -len(each.language))[:1]


# --- consents ----------------------------------------------------------------------------------------------------


def allows(*, subject: Subject, purpose: str) -> bool:
    """Whether the person's consent allows the purpose now. Says nothing of whether they are erased or restricted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT consent_allows(%s, %s, %s)", [subject.tenant_id, subject.pk, purpose])
        return bool(cursor.fetchone()[0])


def allowing() -> QuerySet[ConsentRecord]:
    """The records that allow their purpose now, by the same condition."""
    is_allowed = Func("tenant_id", "subject_id", "purpose", function="consent_allows", output_field=BooleanField())
    return ConsentRecord.objects.filter(is_allowed, live=True, state__in=ALLOWING)


def purposes_allowed(subject_ids: Collection[int]) -> dict[int, int]:
    """How many purposes each of these people allows now; those who allow none are left out."""
    found = allowing().filter(subject__in=subject_ids).order_by()
    return dict(found.values_list("subject").annotate(Count("pk")))


def live(*, subject: Subject, purpose: str) -> ConsentRecord | None:
    """What holds now of one purpose."""
    return ConsentRecord.objects.filter(subject=subject, purpose=purpose, live=True).first()


def history(*, subject: Subject, purpose: str = "") -> QuerySet[ConsentRecord]:
    """Everything that was recorded of a person, the newest first."""
    records = ConsentRecord.objects.filter(subject=subject).select_related("notice", "subject")
    return (records.filter(purpose=purpose) if purpose else records).order_by("-id")


def expired(*, at: datetime) -> QuerySet[ConsentRecord]:
    """Live records whose time is over, though nothing says so yet."""
    return ConsentRecord.objects.filter(live=True, state__in=ALLOWING, expires_at__lte=at)


# --- policy ------------------------------------------------------------------------------------------------------


def content_policies(tenant_ids: Collection[int]) -> dict[int, ContentPolicy]:
    """Policies by tenant; a tenant without one stores nothing."""
    return {policy.tenant_id: policy for policy in ContentPolicy.objects.filter(tenant_id__in=tenant_ids)}
