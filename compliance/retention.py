"""Which retention rules hold for whom, read from the policies. The rules themselves are in `retention_rules.py`."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import connection, models

from compliance.models import RetentionPolicy
from compliance.registry import Class
from compliance.retention_rules import Rule, Terms, rule


@dataclass(frozen=True, slots=True)
class Floor:
    """For how many days the law requires something at least, and which law. 0: none does."""

    days: int
    basis: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for one class of data: for each tenant with a policy of its own, and for all others."""

    default: Terms
    own: dict[int, Terms]

    def of(self, tenant_id: int) -> Rule:
        return rule(self.default, self.own.get(tenant_id))


def rules(data_class: Class, *, edited: RetentionPolicy | None = None) -> Rules:
    """The rules of a class, as if `edited`, a policy that is not saved, were in force."""
    rows = {row.tenant_id: _terms(row) for row in RetentionPolicy.objects.filter(data_class=data_class.value)}
    if edited is not None and edited.data_class == data_class.value:
        rows[edited.tenant_id] = _terms(edited)
    default = rows.pop(None)
    return Rules(default, {tenant_id: terms for tenant_id, terms in rows.items() if tenant_id is not None})


def rule_of(tenant_id: int, data_class: Class) -> Rule:
    """What holds for a class of one tenant's data."""
    return rules(data_class).of(tenant_id)


def floor_for(tenant_id: int, data_class: Class) -> Floor:
    """For how long the law requires a class of a tenant's data to be kept, also from erasure."""
    rows = RetentionPolicy.objects.filter(
        models.Q(tenant_id=tenant_id) | models.Q(tenant=None), data_class=data_class.value
    )
    highest = max(rows, key=lambda row: row.floor_days, default=None)
    return Floor(highest.floor_days, highest.floor_basis) if highest else Floor(0, "")


def check(policy: RetentionPolicy) -> None:
    """Refuses a policy that cannot be.

    Raises:
        ValidationError: with the fields that it is about.
    """
    if policy.tenant_id is not None and policy.data_class == RetentionPolicy.DataClass.BACKUPS:
        raise ValidationError({"data_class": "A backup holds all tenants' data: change the policy of all tenants."})
    floor = _floor(policy)
    if policy.days is not None and policy.days < floor.days:
        raise ValidationError({"days": f"At least {floor.days} days are required by law ({floor.basis})."})


def take_turn() -> None:
    """Waits for whoever changes a policy or a hold, or removes something; keeps them out until the transaction ends.

    Who has looked at policies and holds under this lock may act on what they say.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('portcullis.retention', 0))")


def versions() -> list[list[int]]:
    """The policies in force: number and version of each. Differs as soon as one is added, changed or removed."""
    return [list(pair) for pair in RetentionPolicy.objects.order_by("pk").values_list("pk", "version")]


def _terms(row: RetentionPolicy) -> Terms:
    return Terms(days=row.days, floor_days=row.floor_days, floor_basis=row.floor_basis, reason=row.reason)


def _floor(policy: RetentionPolicy) -> Floor:
    """The policy's own floor or everybody's, whichever is higher."""
    own = Floor(policy.floor_days or 0, policy.floor_basis)
    if policy.tenant_id is None:
        return own
    others = RetentionPolicy.objects.filter(tenant=None, data_class=policy.data_class).first()
    return max(own, Floor(others.floor_days, others.floor_basis) if others else own, key=lambda floor: floor.days)
