"""Adjustments and reconciliations."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Tenant
from billing.actions import adjustments, reconciliations
from billing.models import Adjustment, Reconciliation
from tests.factories import THE_SYSTEM


def a_credit(tenant: Tenant, *, nano: int = 500_000_000, **fields: Any) -> Adjustment:
    """A credit, of half a dollar."""
    values = {"reason": "Invoice 17", **fields}
    return adjustments.add(adjustment=Adjustment(tenant=tenant, amount_nano=-nano, **values), by=THE_SYSTEM)


def a_reconciliation(export: str = "", *, provider: str = "openai", **fields: Any) -> Reconciliation:
    """What a provider says of the last week, held against what is known here."""
    today = timezone.now().date()
    values = {
        "format": Reconciliation.Format.GENERIC,
        "starts_on": today - timedelta(days=7),
        "ends_on": today,
        "file_name": "usage.csv",
        **fields,
    }
    text = (
        export or f"date,model,requests,input_tokens,cached_tokens,output_tokens,cost\n{today},gpt-a,3,100,10,20,0.5\n"
    )
    row = Reconciliation(provider=provider, **values)
    return reconciliations.run(reconciliation=row, export=text.encode(), by=THE_SYSTEM)
