"""What names one person in this app's tables, beside the columns that hold a surrogate."""

from django.db.models import Q, QuerySet

from billing.charging import SEPARATE
from billing.ledger.models import Hold, Meter, OutboxEntry
from billing.models import Alert
from compliance.registry import Person


def meters(person: Person) -> QuerySet[Meter]:
    """The meters that count the person apart."""
    return Meter.objects.filter(tenant_id=person.tenant_id, name__endswith=SEPARATE + person.surrogate)


def alerts(person: Person) -> QuerySet[Alert]:
    """The alerts about limits of that person alone."""
    rows = Alert.objects.filter(tenant_id=person.tenant_id)
    return rows.filter(Q(subject__endswith=SEPARATE + person.surrogate) | Q(label__contains=person.surrogate))


def holds(person: Person) -> QuerySet[Hold]:
    """Requests of the person that are on their way."""
    return Hold.objects.filter(tenant_id=person.tenant_id, context__end_user=person.surrogate)


def outbox(person: Person) -> QuerySet[OutboxEntry]:
    """The person's usage records on their way to the main database."""
    return OutboxEntry.objects.filter(record__tenant_id=person.tenant_id, record__end_user=person.surrogate)
