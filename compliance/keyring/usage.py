"""Counts what each version of a key is needed for."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.db.models import BinaryField, Count, F, Func, Q, QuerySet, Value

from compliance import sealed
from compliance.errors import KeyVersionInUse
from compliance.keyring import signers
from compliance.keyring.models import RetiredRoot, SigningKey, SubjectKey, TenantKey
from compliance.keyring.roots import root_keys
from compliance.keyring.store import answering, place_of_tenant_key
from compliance.sealed import Column

KEYS = (
    Column(
        model=TenantKey,
        name="wrapped",
        version="root_version",
        context=lambda row: place_of_tenant_key(row.tenant_id, row.version),
        title="tenants' keys",
    ),
    Column(
        model=SigningKey,
        name="wrapped",
        version="root_version",
        context=lambda row: signers.place_of(bytes(row.public)),
        title="signing keys",
    ),
)


def of_root_keys() -> dict[int, dict[str, int]]:
    """Version of the root key → what needs it (`Column.title`) → how many values. Reads all sealed columns.

    Raises:
        KeyStoreUnavailable: the keys database does not answer.
    """
    needed: dict[int, dict[str, int]] = {}
    for column in sealed.columns():
        with answering():
            rows = list(by_version(column).values("sealed_under").annotate(count=Count("pk")).order_by())
        for row in rows:
            needed.setdefault(int.from_bytes(row["sealed_under"], "big"), {})[column.title] = row["count"]
    return needed


def require_unused_root(version: int) -> None:
    """Whether a version of the root key could be retired now.

    Raises:
        KeyVersionInUse: something needs it, or it is the current one.
        KeyStoreUnavailable: the keys database does not answer.
    """
    if version == root_keys().current_version:
        raise KeyVersionInUse(f"Root key {version} is the current one. Add a newer one to ROOT_KEYS first.")
    if needed := of_root_keys().get(version):
        raise KeyVersionInUse(
            f"Root key {version} is still needed by {listed(needed)}. Run manage.py rotate_keys --root first."
        )


def is_root_retired(version: int) -> bool:
    """Whether two people have agreed to it.

    Raises:
        KeyStoreUnavailable: the keys database does not answer.
    """
    with answering():
        return RetiredRoot.objects.filter(version=version).exists()


def listed(counts: Mapping[str, int]) -> str:
    """What needs a key, in words."""
    return ", ".join(f"{count:,} {title}" for title, count in sorted(counts.items()))


def by_version(column: Column) -> QuerySet[Any]:
    """The rows that have a sealed value, with `sealed_under`: the two bytes that tell the version."""
    version = Func(F(column.name), Value(2), Value(2), function="substring", output_field=BinaryField())
    rows: QuerySet[Any] = column.model._default_manager.filter(~Q(**{column.name: None}))
    versioned: QuerySet[Any] = rows.annotate(sealed_under=version)
    return versioned


def of_tenant_keys(tenant_ids: list[int]) -> Mapping[tuple[int, int], int]:
    """How many people's keys each version of those tenants' keys wraps, by tenant and version.

    Raises:
        KeyStoreUnavailable: the keys database does not answer.
    """
    alive = SubjectKey.objects.filter(tenant_id__in=tenant_ids, wrapped__isnull=False)
    with answering():
        rows = list(alive.values("tenant_id", "tenant_key_version").annotate(count=Count("pk")).order_by())
    return Counter({(row["tenant_id"], row["tenant_key_version"]): row["count"] for row in rows})
