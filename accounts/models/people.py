"""People who sign in, and what they are to a tenant."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from accounts.models.tenants import Tenant


class User(AbstractUser):
    """A person with a sign-in to the admin."""

    audit_secret_fields = frozenset({"password", "last_login", "email", "first_name", "last_name", "username"})


class Membership(models.Model):
    """What a user is to a tenant."""

    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        OPERATOR = "operator", "Operator"
        OFFICER = "officer", "Compliance officer"
        VIEWER = "viewer", "Viewer"

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role, default=Role.VIEWER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "user"), name="membership_once"),)

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}"
