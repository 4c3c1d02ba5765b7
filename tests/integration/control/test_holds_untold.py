"""What a person is given of their data tells them nothing of what a legal hold is about."""

from typing import Any

import pytest
from django.conf import LazySettings

from compliance.actions import request_steps
from compliance.exports import contents
from compliance.models import Erasure
from compliance.registry import Person
from compliance.rights import Right
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_request
from tests.factories.retention import a_hold
from tests.integration.control.test_erasure import somebody

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture(autouse=True)
def _own_folder(settings: LazySettings, tmp_path: Any) -> None:
    settings.EXPORTS_DIR = tmp_path / "exports"


def exported(person: Person) -> dict[str, bytes]:
    return {store.name: b"".join(contents.records(store, person)) for store in contents.stores_for(Right.ACCESS)}


def test_that_there_is_one_is_told_and_nothing_more() -> None:
    ada = somebody()
    a_hold(ada.tenant, scope="subject", surrogate=ada.surrogate, title="Embezzlement", matter="4711/26", reason="fraud")
    request = a_request(ada, "erasure", state="queued")
    request_steps.run_due(by=THE_SYSTEM)
    assert "Embezzlement" in Erasure.objects.get(surrogate=ada.surrogate).problem, "officers see it"
    told = exported(Person(ada.tenant_id, ada.surrogate))
    assert told["compliance.legalhold"] == b'{"kept":"Some of your data is kept under a legal duty."}\n'
    assert told["compliance.erasure"]
    assert request.steps.exists()
    for words in (b"Embezzlement", b"4711/26", b"fraud"):
        assert [name for name, text in told.items() if words in text] == []


def test_where_there_is_none_nothing_is_said() -> None:
    ada = somebody()
    a_hold(ada.tenant, scope="subject", surrogate=somebody(ada.tenant, "bob").surrogate)
    assert exported(Person(ada.tenant_id, ada.surrogate))["compliance.legalhold"] == b""
