"""How often each tenant's policy has changed. Written by triggers only (`sql/policy_revision.sql`)."""

from django.db import models

GLOBAL_SCOPE = 0
"""The scope of what belongs to no tenant: tiers, prices, providers, models, deployments."""


class PolicyRevision(models.Model):
    """A counter per tenant, and one for what all share."""

    scope = models.BigIntegerField(primary_key=True, help_text="A tenant's id, or 0 for what all share.")
    revision = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.scope}: {self.revision}"
