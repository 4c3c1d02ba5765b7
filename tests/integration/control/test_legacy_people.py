"""What the migrations make of installations that knew end users by keyed hashes: nobody becomes somebody else."""

import importlib
from importlib.resources import files

import pytest
from django.apps import apps
from django.db import connection

from accounts import salts
from accounts.models import Tenant
from accounts.pseudonyms import pseudonym
from compliance.actions import subjects
from compliance.external_ids import external_id_of
from compliance.lookups import lookup_of
from compliance.models import Subject
from tests.factories import THE_SYSTEM, a_budget, a_key, a_tenant
from tests.factories.control import a_usage_record

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def migrated() -> None:
    """Runs what `billing/migrations/0008_subjects.py` does."""
    with connection.cursor() as cursor:
        cursor.execute(files("billing").joinpath("sql", "subjects.sql").read_text())


def people_of(tenant: Tenant) -> set[tuple[str, str | None]]:
    return set(Subject.objects.filter(tenant=tenant).values_list("surrogate", "lookup"))


def test_who_has_usage_or_a_budget_is_known_by_the_hash_from_before() -> None:
    key, _ = a_key()
    ada, bob, eve = (lookup_of(key.tenant_id, name) for name in ("ada", "bob", "eve"))
    a_usage_record(key, end_user=ada)
    a_usage_record(key, end_user=ada)
    a_budget(key.tenant, end_user=bob)
    with connection.cursor() as cursor:
        cursor.execute(  # of a month that is gone
            "INSERT INTO billing_usagevalue"
            " VALUES (%s, 'end_user', '', '2020-01-01', 1, %s, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
            [key.tenant_id, eve],
        )
    migrated()
    assert people_of(key.tenant) == {(ada, ada), (bob, bob), (eve, eve)}
    migrated()
    assert len(people_of(key.tenant)) == 3, "it may be run again"


def test_what_is_nobodys_name_becomes_nobody() -> None:
    key, _ = a_key()
    a_usage_record(key, end_user="")
    a_usage_record(key, end_user="(others)")
    a_usage_record(key, end_user=pseudonym("ada", salt=b"x"), tenant_id=10**9)
    migrated()
    assert people_of(key.tenant) == set()


def test_they_are_found_by_their_name_and_it_is_filled_in() -> None:
    key, _ = a_key()
    ada = lookup_of(key.tenant_id, "ada")
    a_usage_record(key, end_user=ada)
    migrated()
    person = subjects.enrol(tenant_id=key.tenant_id, external_id="ada", by=THE_SYSTEM)
    assert person.surrogate == ada
    assert external_id_of(person) == "ada"


def test_salts_are_sealed_and_stay_what_they_are() -> None:
    migration = importlib.import_module("accounts.migrations.0004_sealed_salts")
    tenant = a_tenant()
    lookup = lookup_of(tenant.pk, "ada")
    migration.unseal(apps, None)
    tenant.refresh_from_db()
    assert pseudonym("ada", salt=bytes(tenant.pseudonym_salt)) == lookup, "as it was before"
    migration.seal(apps, None)
    tenant.refresh_from_db()
    assert lookup_of(tenant.pk, "ada") == lookup
    assert salts.unseal(tenant.pseudonym_salt) not in bytes(tenant.pseudonym_salt)
