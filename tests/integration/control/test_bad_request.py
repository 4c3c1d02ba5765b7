"""What a browser sees where Django refuses a request before any view does."""

import pytest
from django.conf import LazySettings
from django.test import Client

from tests.factories.control import an_admin


@pytest.mark.parametrize("path", ["/", "/admin/", "/no/such/page"])
def test_an_unknown_host_is_told_what_to_set(path: str, client: Client) -> None:
    response = client.get(path, headers={"host": "gateway.internal"})
    text = response.content.decode()
    assert (response.status_code, response["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert all(words in text for words in ("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "docs/operations.md"))


def test_the_host_is_not_echoed(client: Client) -> None:
    for host in ("gateway.internal", "<script>alert(1)</script>", "a b"):
        text = client.get("/admin/", headers={"host": host}).content.decode()
        assert "not in <code>ALLOWED_HOSTS</code>" in text
        assert host not in text


def test_the_page_obeys_the_content_security_policy(client: Client) -> None:
    response = client.get("/admin/", headers={"host": "gateway.internal"})
    assert "default-src 'none'" in response["Content-Security-Policy"]
    text = response.content.decode()
    assert not any(word in text for word in ("<script", "src=", "href=", "onload"))


@pytest.mark.django_db
def test_another_bad_request_blames_no_host(client: Client, settings: LazySettings) -> None:
    client.force_login(an_admin())
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 1
    response = client.post("/admin/accounts/tenant/add/", {"a": 1, "b": 2})
    assert response.status_code == 400
    assert "cannot read this request" in response.content.decode()
    assert "ALLOWED_HOSTS" not in response.content.decode()
