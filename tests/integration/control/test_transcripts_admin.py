"""Who may see that there are conversations, who may read them, and what each reading leaves behind."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from compliance import sealing
from compliance.actions import keys, readings, requests
from compliance.actions.requests import Asked
from compliance.errors import KeyStoreUnavailable
from compliance.keyring import store
from compliance.models import AuditEvent, Rectification, Subject, Transcript
from compliance.rights import Right
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_consent, a_content_policy, a_subject, a_transcript
from tests.factories.control import an_admin
from tests.factories.retention import a_hold

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

WORDS = "the canary sings at noon"
REASON = {"reason": "complaint 4711 of the customer"}
LIST = "/admin/compliance/transcript/"
SEES, READS, READS_ALL = "view_transcript", "read_transcript", "read_restricted_transcript"


@pytest.fixture
def subject() -> Subject:
    tenant = a_tenant()
    a_content_policy(tenant)
    subject = a_subject(tenant)
    a_consent(subject)
    return subject


@pytest.fixture
def transcript(subject: Subject) -> Transcript:
    return a_transcript(subject, WORDS)


def signed_in(client: Client, *rights: str) -> User:
    user = an_admin(is_superuser=False)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    return user


def page(row: Transcript, name: str = "read") -> str:
    return f"{LIST}{row.pk}/{name}/"


def events(row: Transcript) -> list[tuple[str, str]]:
    of = AuditEvent.objects.filter(target_kind="transcript", target_id=str(row.pk)).order_by("id")
    return list(of.values_list("action", "outcome"))


def hold(row: Transcript) -> None:
    """As a legal hold does it."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE transcript SET held = true WHERE id = %s", [row.pk])


def set_state(subject: Subject, state: str) -> None:
    Subject.objects.filter(pk=subject.pk).update(state=state, **({"external_id": None} if state == "erased" else {}))


def test_it_works(client: Client, transcript: Transcript) -> None:
    reader = signed_in(client, SEES, READS)
    asked = client.get(page(transcript))
    assert "Read what was said?" in asked.content.decode()
    answer = client.post(page(transcript), REASON)
    assert answer.status_code == 200
    assert WORDS in answer.content.decode()
    assert answer["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    event = AuditEvent.objects.get(action="transcript.read")
    assert (event.actor_id, event.tenant_id, event.reason) == (str(reader.pk), transcript.tenant_id, REASON["reason"])
    assert event.after == {"surrogate": transcript.surrogate, "held": False}


# --- what is shown without reading -----------------------------------------------------------------------------------


def test_the_list_and_the_page_show_what_surrounds_a_conversation_and_nothing_of_it(
    client: Client, transcript: Transcript
) -> None:
    signed_in(client, SEES)
    for path in (LIST, page(transcript, "change")):
        with CaptureQueriesContext(connection) as captured:
            text = client.get(path).content.decode()
        assert transcript.surrogate in text
        assert WORDS not in text
        assert not any('"sealed"' in query["sql"] for query in captured.captured_queries), path
    assert events(transcript) == []


def test_without_the_right_there_is_no_list(client: Client, transcript: Transcript) -> None:
    signed_in(client, "view_tenant")
    assert client.get(LIST).status_code == 403
    assert client.get(page(transcript, "change")).status_code == 403


@pytest.mark.parametrize("rights", [(SEES,), (READS,), ()], ids=["sees", "reads only", "nothing"])
def test_nobody_reads_without_the_rights_to_see_and_to_read(
    rights: tuple[str, ...], client: Client, transcript: Transcript
) -> None:
    signed_in(client, *rights)
    assert client.get(page(transcript)).status_code == 403
    assert client.post(page(transcript), REASON).status_code == 403
    assert client.post(page(transcript, "download"), REASON).status_code == 403
    assert events(transcript) == []


@pytest.mark.parametrize("term", ["id", "surrogate"])
def test_it_is_found_by_its_number_and_by_its_person(
    term: str, client: Client, subject: Subject, transcript: Transcript
) -> None:
    other = a_subject(subject.tenant)
    a_consent(other)
    a_transcript(other)
    signed_in(client, SEES)
    wanted = {"id": f"req_{transcript.pk}", "surrogate": subject.surrogate}[term]
    found = client.get(LIST, {"q": wanted}).context["cl"].result_list
    assert [row.pk for row in found] == [transcript.pk]


def test_nobody_changes_or_deletes_one(client: Client, transcript: Transcript) -> None:
    client.force_login(an_admin())
    assert client.post(page(transcript, "delete"), {"post": "yes"}).status_code == 403
    assert client.post(page(transcript, "change"), {"model": "other"}).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403


def test_the_list_asks_the_database_no_more_for_fifty_rows_than_for_one(
    client: Client, subject: Subject, transcript: Transcript
) -> None:
    signed_in(client, SEES)
    client.get(LIST)
    with CaptureQueriesContext(connection) as one:
        client.get(LIST)
    for _ in range(10):
        a_transcript(subject)
    with CaptureQueriesContext(connection) as many:
        client.get(LIST)
    assert len(many) == len(one)


# --- the reason ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["", "because", "   a      b   "], ids=["none", "short", "spaces"])
def test_a_reason_must_say_something(reason: str, client: Client, transcript: Transcript) -> None:
    signed_in(client, SEES, READS)
    answer = client.post(page(transcript), {"reason": reason})
    assert WORDS not in answer.content.decode()
    assert events(transcript) == []


def test_looking_at_the_form_is_no_reading(client: Client, transcript: Transcript) -> None:
    signed_in(client, SEES, READS)
    assert WORDS not in client.get(page(transcript)).content.decode()
    assert events(transcript) == []


def test_the_event_is_there_before_anything_is_decrypted(
    transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[tuple[str, str]]] = []
    true = store.subject_keys

    def watched(*args: Any) -> Any:
        seen.append(events(transcript))
        return true(*args)

    monkeypatch.setattr(store, "subject_keys", watched)
    readings.read(transcript=transcript, reason=REASON["reason"], may_read_restricted=False, by=THE_SYSTEM)
    assert seen[0] == [("transcript.read", "success")]


def test_each_reading_is_an_event(client: Client, transcript: Transcript) -> None:
    signed_in(client, SEES, READS)
    client.post(page(transcript), REASON)
    client.post(page(transcript), REASON)
    assert events(transcript) == [("transcript.read", "success")] * 2


def test_without_its_event_nothing_is_read(transcript: Transcript, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_fields: Any) -> None:
        raise RuntimeError("the log is full")

    def never(*_args: Any) -> None:
        raise AssertionError("a key was read")

    monkeypatch.setattr("compliance.audit.record", broken)
    monkeypatch.setattr(store, "subject_keys", never)
    with pytest.raises(RuntimeError, match="the log is full"):
        readings.read(transcript=transcript, reason=REASON["reason"], may_read_restricted=False, by=THE_SYSTEM)


# --- held, restricted, erased ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["held", "restricted"])
def test_only_the_legal_role_reads_what_is_held_or_restricted(
    closed: str, client: Client, subject: Subject, transcript: Transcript
) -> None:
    if closed == "held":
        hold(transcript)
    else:
        set_state(subject, "restricted")
    signed_in(client, SEES, READS)
    text = client.get(page(transcript)).content.decode()
    assert "Only the legal role may read it." in text
    assert "Read what was said?" not in text
    assert WORDS not in client.post(page(transcript), REASON).content.decode()
    assert events(transcript) == [("transcript.read", "refused")]
    signed_in(client, SEES, READS_ALL)
    assert "Read what was said?" in client.get(page(transcript)).content.decode()
    assert WORDS in client.post(page(transcript), REASON).content.decode()
    assert events(transcript)[-1] == ("transcript.read", "success")


def test_a_hold_placed_while_the_form_was_open_counts(client: Client, transcript: Transcript) -> None:
    signed_in(client, SEES, READS)
    client.get(page(transcript))
    hold(transcript)
    assert WORDS not in client.post(page(transcript), REASON).content.decode()


def test_a_hold_closes_from_its_approval_on_not_only_once_rows_are_set_apart(
    client: Client, subject: Subject, transcript: Transcript
) -> None:
    a_hold(subject.tenant, scope="subject", surrogate=subject.surrogate)
    transcript.refresh_from_db()
    assert not transcript.held
    signed_in(client, SEES, READS)
    assert WORDS not in client.post(page(transcript), REASON).content.decode()
    assert events(transcript) == [("transcript.read", "refused")]
    assert AuditEvent.objects.get(action="transcript.read").after["held"] is True
    assert [row.is_held for row in client.get(LIST).context["cl"].result_list] == [True]
    signed_in(client, SEES, READS_ALL)
    assert WORDS in client.post(page(transcript), REASON).content.decode()


def test_a_hold_on_others_closes_nothing(client: Client, subject: Subject, transcript: Transcript) -> None:
    a_hold(subject.tenant, scope="subject", surrogate=a_subject(subject.tenant).surrogate)
    signed_in(client, SEES, READS)
    assert WORDS in client.post(page(transcript), REASON).content.decode()


@pytest.mark.parametrize("rights", [(READS,), (READS_ALL,)], ids=["reader", "legal"])
def test_of_the_erased_nobody_reads_anything(
    rights: tuple[str, ...], client: Client, subject: Subject, transcript: Transcript
) -> None:
    set_state(subject, "erased")
    signed_in(client, SEES, *rights)
    day = f"{timezone.now():%-d %B %Y}"
    words = f"This person was erased on {day}; the content cannot be read by anybody."
    assert words in client.get(page(transcript)).content.decode()
    text = client.post(page(transcript), REASON).content.decode()
    assert words in text
    assert WORDS not in text


def test_a_destroyed_key_opens_nothing(client: Client, subject: Subject, transcript: Transcript) -> None:
    keys.destroy_subject_keys(tenant_id=subject.tenant_id, surrogates=[subject.surrogate], by=THE_SYSTEM)
    client.force_login(an_admin())
    text = client.post(page(transcript), REASON).content.decode()
    assert "The key of this person was destroyed" in text
    assert events(transcript) == [("transcript.read", "success"), ("transcript.read", "failure")]


# --- failures --------------------------------------------------------------------------------------------------------


def test_what_was_altered_is_not_shown_and_that_is_on_record(client: Client, transcript: Transcript) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE transcript SET sealed = set_byte(sealed, 130, 255 - get_byte(sealed, 130))")
    signed_in(client, SEES, READS)
    text = client.post(page(transcript), REASON).content.decode()
    assert "It cannot be decrypted" in text
    assert WORDS not in text
    failed = AuditEvent.objects.filter(outcome="failure").get()
    assert failed.after == {"surrogate": transcript.surrogate, "error": "DecryptionFailed"}


def test_without_the_keys_people_are_told_to_try_again(
    client: Client, transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_args: Any) -> None:
        raise KeyStoreUnavailable("no answer")

    monkeypatch.setattr(store, "subject_keys", unreachable)
    signed_in(client, SEES, READS)
    assert "Try again later" in client.post(page(transcript), REASON).content.decode()
    assert events(transcript)[-1] == ("transcript.read", "failure")


# --- nothing is left behind ------------------------------------------------------------------------------------------


def test_nothing_of_it_is_left_in_any_table(client: Client, transcript: Transcript) -> None:
    client.force_login(an_admin())
    assert WORDS in client.post(page(transcript), REASON).content.decode()
    client.post(page(transcript, "download"), REASON)
    assert not any(WORDS in str(session.get_decoded()) for session in Session.objects.all())
    for alias in ("default", "keys"):
        with connections[alias].cursor() as cursor:
            for table in connections[alias].introspection.table_names(cursor):
                cursor.execute(f'SELECT count(*) FROM "{table}" AS row WHERE row::text LIKE %s', [f"%{WORDS}%"])
                assert cursor.fetchone() == (0,), table


# --- hostile content -------------------------------------------------------------------------------------------------


def test_scripts_are_text(client: Client, subject: Subject) -> None:
    row = a_transcript(subject, '<script>alert(1)</script><img src=x onerror="alert(2)">')
    client.force_login(an_admin())
    text = client.post(page(row), REASON).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<img src=x" not in text


def test_marks_that_turn_text_around_are_shown(client: Client, subject: Subject) -> None:
    row = a_transcript(subject, "pay \u202eeman\u0007")
    client.force_login(an_admin())
    assert "pay ⟨U+202E⟩eman⟨U+0007⟩" in client.post(page(row), REASON).content.decode()


def test_a_megabyte_is_cut_on_the_page_and_whole_in_the_file(client: Client, subject: Subject) -> None:
    row = a_transcript(subject, "long " * 200_000)
    client.force_login(an_admin())
    answer = client.post(page(row), REASON)
    assert len(answer.content) < 150_000
    assert "980000 more characters are not shown" in answer.content.decode().replace(",", "")
    file = client.post(page(row, "download"), REASON)
    assert file["Content-Disposition"] == f'attachment; filename="transcript-{row.pk}.json"'
    assert "no-store" in file["Cache-Control"]
    assert file.json()["request"]["messages"][0]["content"] == "long " * 200_000
    assert events(row) == [("transcript.read", "success"), ("transcript.downloaded", "success")]


def test_only_the_legal_role_takes_files_away(client: Client, transcript: Transcript) -> None:
    signed_in(client, SEES, READS)
    assert "Download all of it" not in client.post(page(transcript), REASON).content.decode()
    assert client.post(page(transcript, "download"), REASON).status_code == 403
    client.force_login(an_admin())
    assert client.get(page(transcript, "download")).status_code == 405
    assert b"Say why" in client.post(page(transcript, "download"), {"reason": "x"}).content


# --- corrections -----------------------------------------------------------------------------------------------------


def test_corrections_are_shown_beside_what_they_correct(
    client: Client, subject: Subject, transcript: Transcript
) -> None:
    correct(subject, "I never lived in Bern.")
    correct(subject, "Not this one.", transcript_id=a_transcript(subject).pk)
    client.force_login(an_admin())
    text = client.post(page(transcript), REASON).content.decode()
    assert "I never lived in Bern." in text
    assert "Not this one." not in text


def correct(subject: Subject, text: str, **about: Any) -> None:
    """As the execution of a rectification files it."""
    asked = Asked(right=Right.RECTIFICATION, details=text)
    request = requests.receive(subject=subject, asked=asked, by=THE_SYSTEM)
    row = Rectification(tenant=subject.tenant, subject=subject, request=request, **about)
    row.statement = sealing.seal(
        text,
        subject=subject,
        key=sealing.key_of(subject),
        record_type=sealing.RECTIFICATION,
        record_id=str(row.pk),
    )
    row.save()
