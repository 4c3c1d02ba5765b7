"""Where the apps say which of their columns are about people, and who exports and erases them.

Compliance is the lowest layer and may not know who keeps what; so each app has a `privacy.py` that registers its tables
in `AppConfig.ready`. A test demands that each column of each model is classified exactly once.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Data(StrEnum):
    """What a column may say about a person."""

    NOTHING = "nothing"
    SURROGATE = "surrogate"  # points to a subject, by what only the mapping table can resolve
    SUBJECT = "subject"  # about a person whom an application names: identity, contact, decisions
    CONTENT = "content"  # what people wrote, and what was answered
    STAFF = "staff"  # about people who sign in, or who are told about alerts
    SECRET = "secret"  # noqa: S105 - the name of a kind: opens something; about nobody


class Class(StrEnum):
    """Classes of data: each is kept for a time of its own."""

    CONTENT = "content"
    METADATA = "metadata"
    USAGE = "usage"
    AUDIT = "audit"
    CONSENT = "consent"
    REQUESTS = "requests"
    EXPORTS = "exports"
    BACKUPS = "backups"
    POLICY = "policy"  # what administrators set up; kept while it is in force


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a request is about: one subject of one tenant."""

    tenant_id: int
    surrogate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One table, or one other place where something about people may lie.

    Args:
        name: unique: `billing.usagerecord` for a model; other places have a name of their own, as `files.exports`.
        title: for people: what is kept here.
        keeps: the class whose retention holds.
        columns: each column (attname) of the model, classified.
        why: the reason for keeping it, for the records of processing (GDPR, article 30).
        export: everything stored about a person, as JSON-able dicts; None where the store has nothing of subjects.
        erase: deletes or severs it and returns how many rows; idempotent; None where nothing needs to be done.
        sweep: takes a slice of what `erase` would, in a transaction of its own, and returns how many rows; called until
            nothing is left before the person is erased here, and again before all is verified: what evicting other
            stores has left here meanwhile goes, too.
        remains: counts what of the person is still readable after `erase`; 0 when all is gone.
        withheld: why `erase` leaves something, with the legal basis; empty where it leaves nothing.
        severed: how rows cease to point to anybody where neither an eraser nor a reason to withhold them is named.
        purger: which purger removes it when its class's time is over.
        until: in words, until when it is kept where no purger removes it.
        export_tenant: everything of a tenant, as JSON-able dicts, secrets left out; None where nothing is of tenants.
        erase_tenant: deletes or severs what is a tenant's when it leaves, or a slice of it, and returns how many rows;
            called until nothing is left.
    """

    name: str
    title: str
    keeps: Class
    columns: Mapping[str, Data] = field(default_factory=dict)
    why: str = ""
    export: Callable[[Person], Iterator[dict[str, Any]]] | None = None
    erase: Callable[[Person], int] | None = None
    sweep: Callable[[Person], int] | None = None
    remains: Callable[[Person], int] | None = None
    withheld: str = ""
    severed: str = ""
    purger: str = ""
    until: str = ""
    export_tenant: Callable[[int], Iterator[dict[str, Any]]] | None = None
    erase_tenant: Callable[[int], int] | None = None

    @property
    def is_personal(self) -> bool:
        """Whether something in it is about a person, or points to one."""
        return any(data not in (Data.NOTHING, Data.SECRET) for data in self.columns.values())


def classified(
    *, nothing: str = "", surrogate: str = "", subject: str = "", content: str = "", staff: str = "", opens: str = ""
) -> dict[str, Data]:
    """Columns by what they may say about a person, each group written as names with spaces between.

    Raises:
        ValueError: a column is in two groups.
    """
    groups = {
        Data.NOTHING: nothing,
        Data.SURROGATE: surrogate,
        Data.SUBJECT: subject,
        Data.CONTENT: content,
        Data.STAFF: staff,
        Data.SECRET: opens,
    }
    named = [(name, data) for data, names in groups.items() for name in names.split()]
    twice = {name for name, _ in named if [other for other, _ in named].count(name) > 1}
    if twice:
        raise ValueError(f"classified twice: {', '.join(sorted(twice))}")
    return dict(named)


_stores: dict[str, Store] = {}


def register(*stores: Store) -> None:
    """Adds stores. A name can be registered once.

    Raises:
        ValueError: a store of that name is registered already.
    """
    for store in stores:
        if store.name in _stores:
            raise ValueError(f"the store {store.name} is registered twice")
        _stores[store.name] = store


def stores() -> tuple[Store, ...]:
    """All stores, in the order of their names."""
    return tuple(_stores[name] for name in sorted(_stores))
