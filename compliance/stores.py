"""Makes the store of one table: what is exported of it, and what an erasure leaves of it, follows from its columns."""

import datetime
import ipaddress
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q

from compliance.contracts import Actor
from compliance.models import Subject
from compliance.registry import Class, Data, Person, Store

Rows = models.QuerySet[Any]
Opened = Callable[[Sequence[Any]], Sequence[dict[str, Any]]]
CHUNK = 200
"""Rows in memory at once; a conversation may be long."""
EXPORTED = frozenset({Data.NOTHING, Data.SURROGATE, Data.SUBJECT, Data.CONTENT})
"""What a person gets of their rows: neither secrets nor who of the staff did something."""


ERASER = Actor(kind="system", id="erasure")
"""Who deletes for an erasure: whoever asked for it stands in the erasure itself."""


def eraser(action: Callable[..., int]) -> Callable[[Person], int]:
    """An action as the eraser of a store."""
    return lambda person: action(person=person, by=ERASER)


def tenants_eraser(action: Callable[..., int]) -> Callable[[int], int]:
    """The same for a whole tenant."""
    return lambda tenant_id: action(tenant_id=tenant_id, by=ERASER)


def table(
    model: type[models.Model],
    title: str,
    keeps: Class,
    columns: Mapping[str, Data],
    *,
    person: str = "",
    tenant: str = "",
    why: str = "",
    withheld: str = "",
    severed: str = "",
    purger: str = "",
    until: str = "",
    erase: Callable[[Person], int] | None = None,
    sweep: Callable[[Person], int] | None = None,
    remains: Callable[[Person], int] | None = None,
    opened: Opened | None = None,
    erase_tenant: Callable[[int], int] | None = None,
) -> Store:
    """The store of a model.

    Args:
        person: the column, or path of columns, that holds the surrogate; empty where none does.
        tenant: the same of the tenant's number.
        opened: of some rows, for each what is encrypted in it, as further fields beside the plain columns.
        remains: unless given, rows of a person count as long as the mapping still knows who that is.
    """

    def of(who: Person) -> Rows:
        return model._default_manager.filter(**{person: who.surrogate}, **({tenant: who.tenant_id} if tenant else {}))

    def export(who: Person) -> Iterator[dict[str, Any]]:
        return exported(of(who).order_by("pk"), columns, opened=opened)

    def export_tenant(tenant_id: int) -> Iterator[dict[str, Any]]:
        rows = model._default_manager.filter(**{tenant: tenant_id}).order_by()
        return exported(rows, columns, opened=opened, with_staff=True)

    def still_named(who: Person) -> int:
        return of(who).count() if is_named(who) else 0

    return Store(
        name=model._meta.label_lower,
        title=title,
        keeps=keeps,
        columns=columns,
        why=why,
        withheld=withheld,
        severed=severed,
        purger=purger,
        until=until,
        export=export if person else None,
        erase=erase,
        sweep=sweep,
        remains=remains or (still_named if person else None),
        export_tenant=export_tenant if tenant else None,
        erase_tenant=erase_tenant,
    )


def is_named(who: Person) -> bool:
    """Whether the mapping table still joins the surrogate to somebody."""
    row = Subject.objects.filter(tenant_id=who.tenant_id, surrogate=who.surrogate)
    return row.filter(Q(lookup__isnull=False) | Q(external_id__isnull=False)).exists()


def exported(
    rows: Rows, columns: Mapping[str, Data], *, opened: Opened | None = None, with_staff: bool = False
) -> Iterator[dict[str, Any]]:
    """Rows as JSON values, a bounded number of them in memory; what is encrypted comes from `opened` or not at all."""
    kinds = EXPORTED | {Data.STAFF} if with_staff else EXPORTED
    names = [name for name, data in columns.items() if data in kinds]
    each = rows.iterator(chunk_size=CHUNK)
    while some := list(itertools.islice(each, CHUNK)):
        further = opened(some) if opened else [{}] * len(some)
        for row, more in zip(some, further, strict=True):
            yield {name: plain(getattr(row, name)) for name in names} | more


def plain(value: Any) -> Any:
    """A column's value as JSON has it; raw bytes, which are encrypted, are left out."""
    match value:
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case Decimal() | UUID() | ipaddress.IPv4Network() | ipaddress.IPv6Network():
            return str(value)
        case bytes() | memoryview():
            return None
        case list() | tuple() | set():
            return [plain(item) for item in value]
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case _:
            return value
