"""What goes into an export: which stores, and what their records look like."""

from collections.abc import Iterator

import orjson

from compliance import registry
from compliance.registry import Class, Person, Store
from compliance.rights import Right

PROVIDED = frozenset({Class.CONTENT, Class.CONSENT, Class.REQUESTS})
"""Classes of what a person provided: their conversations, and their decisions. Only these are portable (article 20)."""


def stores_for(right: Right) -> tuple[Store, ...]:
    """The stores whose records an export for that right holds."""
    exporting = [store for store in registry.stores() if store.export is not None]
    if right == Right.PORTABILITY:
        exporting = [store for store in exporting if store.keeps in PROVIDED]
    return tuple(exporting)


def store_named(name: str) -> Store | None:
    return next((store for store in registry.stores() if store.name == name), None)


def records(store: Store, person: Person) -> Iterator[bytes]:
    """A store's records of one person, one line of JSON each."""
    if store.export is None:
        return
    for record in store.export(person):
        yield orjson.dumps(record, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS) + b"\n"
