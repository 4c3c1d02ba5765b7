"""Whom to write to: about the requests of a tenant's people, about its keys, and about the platform."""

from django.db.models import Q

from accounts.models import Membership, User
from accounts.roles import OFFICERS


def addresses_of(tenant_id: int) -> list[str]:
    """The mail addresses of the tenant's compliance officers; of its owners where it has none."""
    for role in (Membership.Role.OFFICER, Membership.Role.OWNER):
        if found := _members(tenant_id, role):
            return found
    return []


def owners_of(tenant_id: int) -> list[str]:
    """The mail addresses of the tenant's owners."""
    return _members(tenant_id, Membership.Role.OWNER)


def of_platform() -> list[str]:
    """The mail addresses of superusers, and of those in the group of compliance officers."""
    people = User.objects.filter(Q(is_superuser=True) | Q(groups__name=OFFICERS), is_active=True)
    return sorted(set(people.exclude(email="").values_list("email", flat=True)))


def _members(tenant_id: int, role: Membership.Role) -> list[str]:
    people = Membership.objects.filter(tenant_id=tenant_id, role=role, user__is_active=True)
    return list(people.exclude(user__email="").values_list("user__email", flat=True))
