"""Streams in the admin: secrets go in and never come out, and a page tells how deliveries go."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from compliance.models import AuditEvent, SiemProgress, SiemStream
from compliance.siem import secrets
from tests.factories import a_tenant
from tests.factories.control import an_admin
from tests.factories.siem import a_stream, events, place
from tests.factories.syslog import collecting

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

LIST = "/admin/compliance/siemstream/"


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(an_admin())
    return client


def page(stream: SiemStream, step: str = "") -> str:
    return f"{LIST}{stream.pk}/{step or 'change/'}"


def form(**fields: Any) -> dict[str, Any]:
    values = {"name": "Acme's SIEM", "scope": "all", "format": "ocsf", "transport": "https", "port": "6514"}
    return {**values, "url": "https://siem.example/in", "new_token": "s3cret", **fields}


def test_one_is_added_with_a_token_that_no_page_shows(browser: Client) -> None:
    response = browser.post(f"{LIST}add/", form(), follow=True)
    assert response.status_code == 200
    stream = SiemStream.objects.get(name="Acme's SIEM")
    assert secrets.destination_of(stream).token == "s3cret"
    text = browser.get(page(stream)).content.decode()
    assert "s3cret" not in text
    assert "token" in text
    assert bytes(stream.token or b"").hex() not in text


def test_an_empty_token_keeps_the_one_there_is(browser: Client) -> None:
    browser.post(f"{LIST}add/", form())
    stream = SiemStream.objects.get(name="Acme's SIEM")
    browser.post(page(stream), form(name="Renamed", new_token=""))
    stream.refresh_from_db()
    assert stream.name == "Renamed"
    assert secrets.destination_of(stream).token == "s3cret"


def test_another_address_asks_for_the_token_again(browser: Client) -> None:
    browser.post(f"{LIST}add/", form())
    stream = SiemStream.objects.get(name="Acme's SIEM")
    response = browser.post(page(stream), form(url="https://elsewhere.example/", new_token=""))
    assert "Enter the token again" in response.content.decode()
    stream.refresh_from_db()
    assert stream.url == "https://siem.example/in"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": "http://siem.example/"}, "Only https is allowed"),
        ({"url": ""}, "Give a URL for HTTPS"),
        ({"transport": "syslog_tcp", "host": "siem.example", "new_token": ""}, "SIEM_INSIDE=true"),
        ({"transport": "syslog_tls", "host": "siem.example"}, "Tokens are for HTTPS only"),
        ({"scope": "tenant"}, "Choose a tenant"),
        ({"ca": "-----nothing-----"}, "CA file cannot be read"),
    ],
    ids=["http", "no URL", "not encrypted", "token for syslog", "no tenant", "no certificate"],
)
def test_what_makes_no_sense_is_said_in_words(fields: dict[str, str], words: str, browser: Client) -> None:
    response = browser.post(f"{LIST}add/", form(**fields))
    assert words in response.content.decode()
    assert not SiemStream.objects.exists()


def test_the_page_tells_how_far_it_is(browser: Client) -> None:
    acme = a_tenant()
    stream = a_stream(transport="syslog_tls", host="siem.example", scope="tenant", tenant=acme)
    place(*events(acme, 1200))
    text = browser.get(page(stream)).content.decode()
    assert "Has not begun" in text
    assert "1,200" in text
    SiemProgress.objects.filter(stream=stream).update(
        failing_since=timezone.now() - timedelta(hours=1), error="nothing listens there: the connection was refused"
    )
    for address in (page(stream), LIST):
        text = browser.get(address).content.decode()
        assert "Fails" in text
        assert "nothing listens there" in text


def test_a_test_is_sent_and_its_end_told(browser: Client, settings: Any) -> None:
    settings.SIEM_INSIDE = True
    with collecting() as collector:
        stream = a_stream(collector.port)
        response = browser.post(page(stream, "test/"), {"reason": ""}, follow=True)
        assert "The test arrived" in response.content.decode()
        assert len(collector.messages) == 1
    response = browser.post(page(stream, "test/"), {"reason": ""}, follow=True)
    assert "did not arrive" in response.content.decode()


def test_pause_and_resume(browser: Client) -> None:
    stream = a_stream(transport="syslog_tls", host="siem.example")
    browser.post(page(stream, "pause/"), {"reason": "maintenance"})
    stream.refresh_from_db()
    assert stream.state == "paused"
    browser.post(page(stream, "resume/"), {"reason": ""})
    told = AuditEvent.objects.filter(target_kind="siemstream", target_id=str(stream.pk)).order_by("pk")
    assert [each.action for each in told] == ["siemstream.created", "siemstream.paused", "siemstream.resumed"]
