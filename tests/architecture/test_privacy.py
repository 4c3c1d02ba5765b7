"""Every column of every table is classified, and what is about people can be exported and is erased."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connections, models

from compliance import registry
from compliance.purgers import purgers
from compliance.registry import Class, Data, Store, classified

ABOUT_PEOPLE = {Data.SURROGATE, Data.SUBJECT, Data.CONTENT}

# Their rows name people indirectly, through what an export of the person holds already.
EXPORTED_ELSEWHERE = {
    "billing.alertdelivery",  # to whom of the staff an alert went
    "compliance.approval",
    "compliance.auditevent",
    "compliance.auditexport",  # copies of compliance.auditevent
    "files.audit_exports",  # copies of compliance.auditevent
    "ledger.hold",  # becomes a usage record within minutes
    "ledger.outboxentry",  # within seconds
    "keys.erasureentry",  # of who is erased, so of nobody who could ask
    "keys.subjectkey",  # opens what is exported
    "files.erasures",  # as keys.erasureentry
    "files.exports",  # copies of what is exported
    "files.logs",  # surrogates of requests that are exported
    "files.tenant_exports",  # copies of what was exported
    "memory.requests",  # for seconds; what stays of it is exported
    "files.backups",  # copies of everything else
    "tables.usage_rejected",  # becomes a usage record as soon as somebody has mended it
    "providers",  # do not answer for us: their contracts say who asks them
}

CONTENT_ELSEWHERE = {
    "files.tenant_exports",  # the tenant's own copy, for days
    "memory.requests",  # for seconds
    "providers",  # not here
}

# Their class's policy is not the one that their purger goes by.
GO_WITH_SOMETHING = {
    "compliance.rectification",  # content that goes with the request to correct it
    "compliance.subjectexport",  # the row goes with the request; the file, earlier, as the policy for exports says
}

# What Django keeps of its own, about nobody.
OF_NOBODY = {"django_migrations"}


def tables() -> Iterator[Any]:
    for model in apps.get_models(include_auto_created=True):
        yield pytest.param(model, id=model._meta.label_lower)


@pytest.mark.parametrize("model", list(tables()))
def test_each_column_of_each_model_is_classified_once(model: type[models.Model]) -> None:
    stores = {store.name: store for store in registry.stores()}
    assert model._meta.label_lower in stores, f"register {model._meta.label} in {model._meta.app_config}'s privacy.py"
    columns = {field.attname for field in model._meta.concrete_fields if field.column}
    assert set(stores[model._meta.label_lower].columns) == columns


def test_nothing_is_registered_that_is_not_there() -> None:
    labels = {model._meta.label_lower for model in apps.get_models(include_auto_created=True)}
    places = {"files.", "memory.", "providers", "tables."}
    strays = [store.name for store in registry.stores() if store.name not in labels]
    assert [name for name in strays if not any(name.startswith(place) for place in places)] == []


EACH = [pytest.param(store, id=store.name) for store in registry.stores()]


@pytest.mark.parametrize("store", EACH)
def test_a_store_of_people_is_served(store: Store) -> None:
    assert store.why, "say why it is kept"
    if not ABOUT_PEOPLE & set(store.columns.values()):
        return
    assert store.export or store.name in EXPORTED_ELSEWHERE
    assert store.erase or store.withheld or store.severed, "say what becomes of it when somebody is erased"
    if store.erase:
        assert store.remains, "what is erased has to be verified"


@pytest.mark.parametrize("store", EACH)
def test_content_is_never_withheld_here(store: Store) -> None:
    if Data.CONTENT in store.columns.values() and store.name not in CONTENT_ELSEWHERE:
        assert store.erase


@pytest.mark.parametrize("store", EACH)
def test_what_is_personal_goes_when_its_time_is_over_or_says_until_when_it_is_kept(store: Store) -> None:
    if not store.is_personal or store.keeps == Class.POLICY:
        return
    assert bool(store.purger) != bool(store.until), "name the purger, or say in words until when it is kept"
    if store.purger:
        [purger] = [each for each in purgers() if each.name == store.purger]
        assert purger.steps or purger.note
        assert purger.keeps == store.keeps or store.name in GO_WITH_SOMETHING


@pytest.mark.django_db(databases=["default", "ledger", "keys"])
@pytest.mark.parametrize("alias", ["default", "ledger", "keys"])
def test_each_table_is_registered(alias: str) -> None:
    """Also those that no model describes."""
    models_of = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT relname, array_agg(attname::text) FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
            " WHERE relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped"
            " AND relnamespace = current_schema()::regnamespace GROUP BY relname"
        )
        found = {f"tables.{name}": set(columns) for name, columns in cursor if name not in models_of.keys() | OF_NOBODY}
    registered = {store.name: set(store.columns) for store in registry.stores()}
    assert {name: registered.get(name) for name in found} == found


def test_a_column_is_classified_once_only() -> None:
    with pytest.raises(ValueError, match="twice: name"):
        classified(nothing="id name", subject="name")


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="registered twice"):
        registry.register(Store(name="compliance.subject", title="again", keeps=Class.POLICY))
