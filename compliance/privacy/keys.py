"""What opens the rest."""

from compliance.keyring.models import DeadKey, RetiredRoot, SigningKey, SubjectKey, TenantKey
from compliance.registry import Class, Person
from compliance.registry import classified as of
from compliance.stores import table


def _keys_left(person: Person) -> int:
    rows = SubjectKey.objects.filter(tenant_id=person.tenant_id, surrogate=person.surrogate)
    return rows.filter(wrapped__isnull=False).count()


KEYS = (
    table(
        TenantKey,
        "Tenants' keys",
        Class.POLICY,
        of(nothing="id tenant_id version root_version fingerprint created_at retired_at destroyed_at", opens="wrapped"),
        why="Wrap people's keys.",
    ),
    table(
        SubjectKey,
        "People's keys",
        Class.POLICY,
        of(
            nothing="id tenant_id tenant_key_version fingerprint created_at destroyed_at",
            surrogate="surrogate",
            opens="wrapped",
        ),
        why="Each opens one person's content; without it nothing does.",
        remains=_keys_left,
        withheld="What is left of a destroyed key: its number and fingerprint, so that it never comes back (GDPR, 32).",
    ),
    table(DeadKey, "Destroyed keys", Class.POLICY, of(nothing="fingerprint destroyed_at"), why="Never come back."),
    table(
        RetiredRoot,
        "Retired root keys",
        Class.POLICY,
        of(nothing="version retired_at", staff=""),
        why="Which root keys nothing may use any more.",
    ),
    table(
        SigningKey,
        "Signing keys",
        Class.POLICY,
        of(nothing="id root_version public created_at", opens="wrapped"),
        why="Sign receipts, certificates, reports and exports.",
    ),
)
