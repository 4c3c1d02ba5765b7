"""Pages of the admin are called on themselves what the sidebar calls them, and briefly."""

import re

import pytest
from django.test import Client

from compliance import signing
from compliance.keyring.models import SigningKey
from config.navigation import GROUPS, sidebar
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

ALIKE = ("Leaked keys", "Scanning keys", "Tenant keys", "Signing keys", "Audit logs", "Alert rules", "SIEM streams")


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(an_admin())
    return client


@pytest.mark.parametrize("title", ALIKE)
def test_a_page_is_called_as_in_the_sidebar(title: str, browser: Client) -> None:
    assert title in {page[0] for pages in GROUPS.values() for page in pages}
    request = browser.get("/admin/").wsgi_request
    (link,) = [page["link"] for group in sidebar(request) for page in group["items"] if page["title"] == title]
    found = re.search(r"<title>(.*?)</title>", browser.get(link).content.decode(), re.DOTALL)
    assert found
    assert f" {title.lower().removesuffix('s')} to " in " ".join(found[1].split()).lower()


def test_a_signing_key_is_not_called_by_64_digits(browser: Client) -> None:
    signing.sign({}, kind="test")
    row = SigningKey.objects.latest("pk")
    public = bytes(row.public).hex()
    page = browser.get(f"/admin/keys/signingkey/{row.pk}/change/").content.decode()
    crumbs = [" ".join(each.split()) for each in re.findall(r">([^<>]*)<", page)]
    assert f"signing key {public[:16]}" in crumbs
    assert not re.search(f"<title>[^<]*{public}", page)
