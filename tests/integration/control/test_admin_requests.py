"""The queue in the admin, a request's page, and its buttons."""

import io
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.models import User
from compliance.actions import holds, identity, request_steps, subjects
from compliance.contracts import Actor
from compliance.models import AuditEvent, Regime, Subject, SubjectRequest, Transcript
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_consent, a_content_policy, a_request, a_subject, a_transcript
from tests.factories.control import an_admin
from tests.factories.retention import a_hold

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

LIST = "/admin/compliance/subjectrequest/"


@pytest.fixture
def officer(client: Client, settings: LazySettings, tmp_path: Path) -> Client:
    settings.EXPORTS_DIR = tmp_path / "exports"
    client.force_login(an_admin())
    return client


def page_of(client: Client, request: SubjectRequest) -> str:
    answer = client.get(f"{LIST}{request.pk}/change/")
    assert answer.status_code == 200
    return str(answer.content.decode())


def press(client: Client, request: SubjectRequest, button: str, reason: str = "as the test says") -> None:
    answer = client.post(f"{LIST}{request.pk}/{button}/", {"reason": reason})
    assert answer.status_code == 302
    request.refresh_from_db()


def test_it_works(officer: Client) -> None:
    request = a_request()
    for button in ("acknowledge", "vouch", "review", "approve"):
        press(officer, request, button)
    assert request.state == "queued"
    assert [event.by.split()[0] for event in request.events.all()][1:] == ["user"] * 5


def test_the_page_of_a_request_says_how_its_date_was_found(officer: Client) -> None:
    request = a_request(state="queued")
    page = page_of(officer, request)
    assert "Queued" in page
    assert request.because[1] in page


def test_the_queue_begins_with_what_is_overdue_and_shows_what_is_open(officer: Client) -> None:
    acme = a_tenant()
    ada = a_subject(acme)
    late = a_request(ada, "erasure", received_at=timezone.now() - timedelta(days=60))
    fresh = a_request(ada)
    closed = a_request(ada, "objection")
    press(officer, closed, "withdraw")
    page = officer.get(f"{LIST}?tenant__id__exact={acme.pk}").content.decode()
    assert page.index(f"Erasure request {late.pk}") < page.index(f"Access request {fresh.pk}")
    assert f"Objection request {closed.pk}" not in page
    assert "pcl-over" in page
    assert f"Objection request {closed.pk}" in officer.get(f"{LIST}?open=closed").content.decode()
    assert f"Objection request {closed.pk}" in officer.get(f"{LIST}?open=all").content.decode()


def test_only_the_ways_of_the_table_are_offered(officer: Client) -> None:
    request = a_request()
    page = page_of(officer, request)
    for there in ("acknowledge", "withdraw"):
        assert f"/{request.pk}/{there}" in page
    for not_there in ("review", "approve", "refuse", "extend", "hold", "resume", "retry", "vouch", "duplicate"):
        assert f"/{request.pk}/{not_there}" not in page
    press(officer, request, "approve")
    assert request.state == "received"
    assert "cannot become approved" in page_of(officer, request)


def test_a_request_by_letter_is_filed(officer: Client) -> None:
    acme = a_tenant(time_zone="Europe/Berlin")
    ada = a_subject(acme, "ada@example.com")
    form = {
        "tenant": acme.pk,
        "person": "ada@example.com",
        "right": "access",
        "purpose": "",
        "words": "canary-words",
        "regime": "",
        "received_at_0": "2026-03-05",
        "received_at_1": "09:00:00",
    }
    answer = officer.post(f"{LIST}add/", form, follow=True)
    assert answer.status_code == 200
    row = SubjectRequest.objects.get(subject=ada)
    assert str(row.due_on) == "2026-04-06", answer.content.decode()[:2000]
    assert row.received_by.startswith("user ")
    assert "canary-words" not in page_of(officer, row)
    nobody = officer.post(f"{LIST}add/", {**form, "person": "nobody"})
    assert "nobody who is known by this" in nobody.content.decode()


def test_their_words_are_shown_for_a_reason_and_on_record(officer: Client) -> None:
    request = a_request(details="canary-words")
    assert "canary-words" not in officer.get(f"{LIST}{request.pk}/read/").content.decode()
    assert "canary-words" not in officer.post(f"{LIST}{request.pk}/read/", {"reason": ""}).content.decode()
    answer = officer.post(f"{LIST}{request.pk}/read/", {"reason": "to review it"})
    assert "canary-words" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    event = AuditEvent.objects.get(action="subjectrequest.details_read", target_id=str(request.pk))
    assert event.reason == "to review it"


def test_an_export_is_downloaded_for_a_reason(officer: Client) -> None:
    request = a_request(state="queued")
    request_steps.execute(request=request, by=THE_SYSTEM)
    assert "Download" in page_of(officer, request)
    assert officer.get(f"{LIST}{request.pk}/take_export/").status_code == 200
    answer = officer.post(f"{LIST}{request.pk}/take_export/", {"reason": "sent by post"})
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:  # type: ignore[attr-defined]
        assert "index.html" in archive.namelist()
    assert request.events.get(kind="downloaded").reason == "sent by post"


# --- who may take an export ------------------------------------------------------------------------------------------

HANDLES, READS, READS_ALL = "change_subjectrequest", "read_transcript", "read_restricted_transcript"
REASON = {"reason": "sent by registered post"}


def signed_in(client: Client, *rights: str) -> User:
    person = an_admin(is_superuser=False)
    person.user_permissions.set(Permission.objects.filter(codename__in=("view_subjectrequest", *rights)))
    client.force_login(person)
    return person


def taken(client: Client, request: SubjectRequest) -> str:
    """What whoever is signed in gets who presses for the file: the file, a refusal, or no such button."""
    answer = client.post(f"{LIST}{request.pk}/take_export/", REASON)
    if answer.status_code == 200:
        return "file" if b"".join(answer.streaming_content).startswith(b"PK") else "other"  # type: ignore[attr-defined]
    page = client.get(f"{LIST}{request.pk}/change/").content.decode()
    assert (f"/{request.pk}/take_export" in page) == (answer.status_code == 302)
    return page if answer.status_code == 302 else "forbidden"


def downloads(request: SubjectRequest) -> list[str]:
    rows = AuditEvent.objects.filter(action="subjectrequest.downloaded", target_id=str(request.pk)).order_by("pk")
    return list(rows.values_list("outcome", flat=True))


@pytest.fixture
def ada(settings: LazySettings, tmp_path: Path) -> Subject:
    """Somebody of whom a conversation is stored."""
    settings.EXPORTS_DIR = tmp_path / "exports"
    ada = a_subject()
    a_content_policy(ada.tenant)
    a_consent(ada)
    a_transcript(ada)
    return ada


def fulfilled(subject: Subject) -> SubjectRequest:
    request: SubjectRequest = a_request(subject, state="queued")
    return request_steps.execute(request=request, by=THE_SYSTEM)


@pytest.mark.parametrize(
    ("rights", "gets"),
    [((HANDLES,), "forbidden"), ((READS,), "forbidden"), ((READS_ALL,), "forbidden"), ((HANDLES, READS), "file")],
    ids=["handles requests", "reads", "reads all", "handles requests and reads"],
)
def test_who_takes_an_export_may_read_conversations(
    rights: tuple[str, ...], gets: str, client: Client, ada: Subject
) -> None:
    request = fulfilled(ada)
    signed_in(client, *rights)
    assert taken(client, request) == gets
    assert downloads(request) == (["success"] if gets == "file" else [])


@pytest.mark.parametrize("closed", ["restricted", "held", "held since a moment"])
def test_only_the_legal_role_takes_the_export_of_who_is_restricted_or_held(
    closed: str, client: Client, ada: Subject
) -> None:
    request = fulfilled(ada)
    if closed == "restricted":
        subjects.restrict(subject=ada, by=THE_SYSTEM)
    else:
        a_hold(ada.tenant, scope="query", model="gpt", environment="dev")
    if closed == "held":
        holds.settle(by=THE_SYSTEM)
        assert Transcript.objects.get().held
    signed_in(client, HANDLES, READS)
    assert "Only the legal role may take it" in taken(client, request)
    signed_in(client, HANDLES, READS_ALL)
    assert taken(client, request) == "file"
    assert downloads(request) == ["refused", "success"]


def test_nobody_takes_an_export_on_the_strength_of_their_own_word(client: Client, ada: Subject) -> None:
    request = a_request(ada, state="acknowledged")
    voucher = signed_in(client, HANDLES, READS, READS_ALL)
    for button in ("vouch", "review", "approve"):
        press(client, request, button)
    request = request_steps.execute(request=request, by=THE_SYSTEM)
    assert "You said yourself that it is the person who asks" in taken(client, request)
    signed_in(client, HANDLES, READS)
    assert taken(client, request) == "file"
    assert downloads(request) == ["refused", "success"]
    assert AuditEvent.objects.get(outcome="refused").actor_id == str(voucher.pk)


def test_who_handled_what_an_application_vouched_for_may_take_the_export(client: Client, ada: Subject) -> None:
    request = a_request(ada, state="acknowledged")
    request = identity.vouch(request=request, by=Actor(kind="key", id="1"))
    signed_in(client, HANDLES, READS)
    for button in ("review", "approve"):
        press(client, request, button)
    request_steps.execute(request=request, by=THE_SYSTEM)
    assert taken(client, request) == "file"


def test_an_export_is_not_taken_without_a_reason_that_says_something(client: Client, ada: Subject) -> None:
    request = fulfilled(ada)
    signed_in(client, HANDLES, READS)
    for reason in ("", "because"):
        assert client.post(f"{LIST}{request.pk}/take_export/", {"reason": reason}).status_code in (200, 302)
    assert downloads(request) == []


# --- looking ---------------------------------------------------------------------------------------------------------


def test_who_may_only_look_gets_no_button_and_no_content(client: Client) -> None:
    viewer = an_admin(is_superuser=False)
    viewer.user_permissions.add(Permission.objects.get(codename="view_subjectrequest"))
    client.force_login(viewer)
    request = a_request(details="canary-words")
    assert f"/{request.pk}/acknowledge" not in page_of(client, request)
    for button in ("acknowledge", "read", "take_export"):
        assert client.post(f"{LIST}{request.pk}/{button}/", {"reason": "curious"}).status_code == 403
    request.refresh_from_db()
    assert request.state == "received"


def test_a_second_request_for_the_same_can_be_closed_as_a_duplicate(officer: Client) -> None:
    first = a_request()
    second = a_request(first.subject)
    assert f"/{first.pk}/duplicate" not in page_of(officer, first)
    press(officer, second, "duplicate")
    assert (second.state, second.duplicate_of) == ("duplicate", first)


def test_a_tenants_regime_is_added(officer: Client) -> None:
    acme = a_tenant()
    form = {
        "tenant": acme.pk,
        "name": "Berlin",
        "slug": "berlin",
        "answer_count": 1,
        "answer_unit": "months",
        "extension_count": 2,
        "acknowledge_count": "",
        "acknowledge_unit": "business_days",
        "opt_out_count": "",
        "weekend": ["5", "6"],
        "holidays": "2026-12-25\n2026-12-26",
        "moves": "on",
    }
    answer = officer.post("/admin/compliance/regime/add/", form, follow=True)
    regime = Regime.objects.get(tenant=acme)
    assert [day.isoformat() for day in regime.holidays] == ["2026-12-25", "2026-12-26"], answer.content.decode()[:500]
    assert regime.weekend == [5, 6]
    assert officer.get(f"/admin/compliance/regime/{regime.pk}/change/").status_code == 200
    refused = officer.post("/admin/compliance/regime/add/", {**form, "slug": "own", "holidays": "Christmas"})
    assert "Write each day as 2026-12-25." in refused.content.decode()
