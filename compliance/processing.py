"""Records of processing (GDPR, article 30), made of the register of stores and of what is configured now."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings

from compliance.models import RetentionPolicy
from compliance.registry import Class, Data, Store, stores
from compliance.retention import rules
from compliance.retention_rules import in_words

RecipientsOf = Callable[[], Sequence[str]]
"""Who gets what people write: the providers in use."""

PEOPLE = {
    Data.SURROGATE: "end users of the tenants' applications (by a random surrogate)",
    Data.SUBJECT: "end users of the tenants' applications",
    Data.CONTENT: "end users of the tenants' applications",
    Data.STAFF: "people who administer Portcullis",
}
CATEGORIES = {
    Data.SURROGATE: "surrogates",
    Data.SUBJECT: "identity and decisions",
    Data.CONTENT: "what people wrote and were answered",
    Data.STAFF: "names, addresses and actions of staff",
    Data.SECRET: "secrets",
}
BASES = {
    Class.CONTENT: "Consent (article 6(1)(a))",
    Class.METADATA: "Performance of the contract, and legitimate interests in a service that works (6(1)(b) and (f))",
    Class.USAGE: "Performance of the contract, and the duty to keep books (6(1)(b) and (c))",
    Class.AUDIT: "Legal obligation to demonstrate compliance (6(1)(c), 5(2))",
    Class.CONSENT: "Legal obligation to demonstrate consent (6(1)(c), 7(1))",
    Class.REQUESTS: "Legal obligation to answer requests, and to show it (6(1)(c), 12 to 22, 5(2))",
    Class.EXPORTS: "Legal obligation to answer requests (6(1)(c), 15 and 20)",
    Class.BACKUPS: "Legal obligation to be able to restore (6(1)(c), 32(1)(c))",
    Class.POLICY: "Legitimate interests in governing the use of language models (6(1)(f))",
}

AFTER = {Class.CONSENT: " after it ended", Class.REQUESTS: " after it was closed"}
"""From when it is counted, where it is not from when it was written."""

_recipients: list[RecipientsOf] = []


def use(recipients_of: RecipientsOf) -> None:
    """Says who tells the recipients; called once, when the apps are ready."""
    _recipients[:] = [recipients_of]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One entry of the records."""

    name: str
    title: str
    purpose: str
    legal_basis: str
    people: tuple[str, ...]
    data: tuple[str, ...]
    recipients: tuple[str, ...]
    retention: str
    erasure: str
    security: str


def activities(tenant_id: int | None = None) -> list[Activity]:
    """What is processed about people, as it is configured now: for one tenant, or by default."""
    return [_activity(store, tenant_id) for store in stores() if store.is_personal]


def measures() -> list[str]:
    """The technical measures in force (article 32), in words."""
    return [
        "End users are known by random surrogates everywhere but in one table, whose names are encrypted.",
        "Content is encrypted with AES-256-GCM under a key for each person (record → person → tenant → root).",
        f"Root keys: {'AWS KMS' if settings.ROOT_KEY_PROVIDER == 'kms' else 'held outside of every database'}.",
        f"HTTPS: {'required' if settings.HTTPS_ONLY else 'left to what stands in front'}.",
        "Audit log: append-only, held by the database.",
        f"Ledger of erasures: {len(settings.ERASURE_LEDGER)} file(s) outside the databases.",
        f"Backups are kept {settings.BACKUP_DAYS} days, one a week {settings.BACKUP_WEEKS} weeks, and those of keys"
        f" {settings.KEYS_BACKUP_DAYS} days, all of them encrypted.",
    ]


def document(tenant_id: int | None = None) -> dict[str, Any]:
    """The whole record as JSON values."""
    return {
        "tenant": tenant_id,
        "measures": measures(),
        "activities": [asdict(activity) for activity in activities(tenant_id)],
    }


def markdown(tenant_id: int | None = None) -> str:
    """The whole record as text."""
    head = ["# Records of processing (GDPR, article 30)", "", "## Measures", "", *(f"* {m}" for m in measures()), ""]
    return "\n".join([*head, *(line for each in activities(tenant_id) for line in _lines(each))])


def _lines(activity: Activity) -> list[str]:
    return [
        f"## {activity.title}",
        "",
        f"* Purpose: {activity.purpose}",
        f"* Legal basis: {activity.legal_basis}",
        f"* People: {'; '.join(activity.people)}",
        f"* Data: {'; '.join(activity.data)}",
        f"* Recipients: {'; '.join(activity.recipients) or 'none'}",
        f"* Kept: {activity.retention}",
        f"* On erasure: {activity.erasure}",
        f"* Security: {activity.security}",
        "",
    ]


def _activity(store: Store, tenant_id: int | None) -> Activity:
    kinds = [kind for kind in Data if kind in store.columns.values()]
    leaves = store.name == "providers"
    return Activity(
        name=store.name,
        title=store.title,
        purpose=store.why,
        legal_basis=BASES[store.keeps],
        people=tuple(dict.fromkeys(PEOPLE[kind] for kind in kinds if kind in PEOPLE)),
        data=tuple(CATEGORIES[kind] for kind in kinds if kind in CATEGORIES),
        recipients=tuple(_recipients[0]()) if leaves and _recipients else (),
        retention=_retention(store, tenant_id),
        erasure=_erasure(store),
        security=_security(store, kinds),
    )


def _retention(store: Store, tenant_id: int | None) -> str:
    if store.until:
        return store.until
    if store.keeps == Class.USAGE:
        return f"{settings.USAGE_MONTHS_KEPT} months" if settings.USAGE_MONTHS_KEPT else "for ever"
    if store.keeps.value not in RetentionPolicy.DataClass.values:
        return "while it is in force"
    days = rules(store.keeps).of(tenant_id or 0).days
    return f"{in_words(days)}{AFTER.get(store.keeps, '')}"


def _erasure(store: Store) -> str:
    if store.erase:
        return "deleted" + (f". {store.withheld}" if store.withheld else "")
    if store.withheld:
        return store.withheld
    return store.severed or "not about end users"


def _security(store: Store, kinds: Sequence[Data]) -> str:
    if Data.CONTENT in kinds and not store.name.startswith(("memory.", "providers")):
        return "encrypted under the person's own key"
    if Data.SECRET in kinds:
        return "secrets encrypted under the root key, or kept as keyed hashes"
    return "access by role; every change in the audit log"
