"""A session goes on for whoever holds its key, and for nobody who reads the table."""

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from config.sessions import SessionStore
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture
def signed_in(client: Client) -> Client:
    client.force_login(an_admin())
    return client


def answer_with(session_key: str) -> int:
    browser = Client()
    browser.cookies["sessionid"] = session_key
    return browser.get("/admin/accounts/tenant/").status_code


def test_it_works(signed_in: Client) -> None:
    assert answer_with(signed_in.cookies["sessionid"].value) == 200


def test_what_the_table_holds_opens_nothing(signed_in: Client) -> None:
    row = Session.objects.get()
    assert row.session_key != signed_in.cookies["sessionid"].value
    assert answer_with(row.session_key) == 302


def test_signing_out_ends_it(signed_in: Client) -> None:
    key = signed_in.cookies["sessionid"].value
    signed_in.post("/admin/logout/")
    assert answer_with(key) == 302
    assert not Session.objects.exists()


def test_a_store_behaves_as_djangos_own() -> None:
    store = SessionStore()
    store["a"] = 1
    store.save()
    key = store.session_key
    assert key is not None
    assert store.exists(key)
    again = SessionStore(key)
    assert again["a"] == 1
    again["a"] = 2
    again.save()
    assert SessionStore(key)["a"] == 2
    again.cycle_key()
    assert again.session_key != key
    assert not store.exists(key)
    assert SessionStore(again.session_key)["a"] == 2
    again.flush()
    assert not Session.objects.exists()
    assert SessionStore("unknown").load() == {}
