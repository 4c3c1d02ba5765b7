"""Whom people mean who name an end user: by the application's own identifier, or by the surrogate that usage shows."""

from accounts.models import Tenant
from accounts.pseudonyms import is_pseudonym
from compliance.models import Subject
from compliance.selectors import find


class UnknownEndUser(LookupError):
    """There is nobody of that name; the text says to a person what to do."""


def surrogate_of(named: str, *, tenant: Tenant) -> str:
    """The surrogate of the end user whom `named` means. What has the form of a surrogate is taken for one.

    Raises:
        UnknownEndUser: no request has named that person yet.
    """
    if is_pseudonym(named):
        return named
    subject = find(tenant_id=tenant.pk, external_id=named)
    if subject is None:
        raise UnknownEndUser(f"Nobody of that name is known at {tenant} yet: no request has named them.")
    return subject.surrogate


def require(surrogate: str, *, tenant: Tenant) -> None:
    """Refuses a surrogate that is nobody's.

    Raises:
        UnknownEndUser: the tenant has no such end user.
    """
    if not Subject.objects.filter(tenant=tenant, surrogate=surrogate).exists():
        raise UnknownEndUser(
            f"{tenant} has no end user {surrogate}. Copy it from usage, or name the person as the application does."
        )
