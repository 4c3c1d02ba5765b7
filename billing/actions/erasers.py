"""What an erasure deletes in this app's tables. Registered in `billing/privacy.py`."""

from django.db import connections, transaction

from billing import of_person
from billing.actions import budgets
from billing.models import Alert, Budget
from compliance.contracts import Actor
from compliance.registry import Person

LEDGER = "ledger"


def delete_meters(*, person: Person, by: Actor) -> int:
    """Deletes the meters that count one person apart. Those of requests on their way stay until these are through.

    A request of the same person that runs on may make one anew, under a surrogate that by then is nobody's; it goes
    when its period is over, as all of them do.
    """
    with connections[LEDGER].cursor() as cursor:
        cursor.execute("SELECT forget_meters_of(%s, %s)", [person.tenant_id, person.surrogate])
        return int(cursor.fetchone()[0])


@transaction.atomic
def remove_budgets(*, person: Person, by: Actor) -> int:
    """Removes the budgets of that one person, and the alerts about them."""
    found = list(Budget.objects.filter(tenant_id=person.tenant_id, end_user=person.surrogate))
    Alert.objects.filter(tenant_id=person.tenant_id, facts__budget_id__in=[each.pk for each in found]).delete()
    for budget in found:
        budgets.remove(budget=budget, by=by, reason="the person was erased")
    return len(found)


@transaction.atomic
def delete_alerts(*, person: Person, by: Actor) -> int:
    """Deletes the alerts about that one person's limits, and with them what was to be sent of them."""
    return int(of_person.alerts(person).delete()[0])
