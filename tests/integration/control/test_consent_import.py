"""Consents that were collected elsewhere: line by line, and nothing half imported unless asked."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from accounts.models import Tenant
from compliance import consent_import, selectors
from compliance.actions import consent_imports
from compliance.models import AuditEvent, ConsentRecord, JobRun, Subject
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_consent, a_notice, a_subject

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

STORE = "store_conversations"
HEADER = "subject,purpose,state,at,notice_version,language,expires_at,collection_method,jurisdiction"


@pytest.fixture
def acme() -> Tenant:
    tenant = a_tenant()
    a_notice(tenant)
    return tenant


def run(tenant: Tenant, *rows: str, header: str = HEADER, partly: bool = False) -> consent_imports.Imported:
    text = "\n".join([header, *rows]) + "\n"
    return consent_imports.run(tenant_id=tenant.pk, text=text, partly=partly, by=THE_SYSTEM)


def test_it_works(acme: Tenant) -> None:
    done = run(
        acme,
        f"ada,{STORE},requested,2026-01-31T12:00:00Z,1,en,,letter,EU",
        f'"o\'hara, ""bob""",{STORE},refused,,,,,,',
        "",
        f"ada,{STORE},given,2026-02-01 09:30,,,2099-01-01T00:00:00+01:00,,",
    )
    assert (done.recorded, done.refused) == (3, ())
    ada = selectors.find(tenant_id=acme.pk, external_id="ada")
    assert ada is not None
    given, requested = selectors.history(subject=ada)
    assert (given.state, f"{given.event_at:%Y-%m-%d %H:%M}", given.live) == ("given", "2026-02-01 09:30", True)
    assert (requested.collection_method, requested.jurisdiction) == ("letter", "EU")
    assert selectors.find(tenant_id=acme.pk, external_id='o\'hara, "bob"') is not None
    assert JobRun.objects.get(kind="import_consents", tenant_id=acme.pk).result == {"recorded": 3, "refused": 0}


BAD = {
    f",{STORE},given,,,,,,": "subject",
    f"{'x' * 129},{STORE},given,,,,,,": "subject",
    "ada,,given,,,,,,": "purpose",
    "ada,unheard_of,given,,,,,,": "no purpose",
    f"ada,{STORE},perhaps,,,,,,": "state is one of",
    f"ada,{STORE},withdrawn,,,,,,": "state is one of",
    f"ada,{STORE},given,yesterday,,,,,": "at is a date",
    f"ada,{STORE},given,2999-01-01T00:00:00Z,,,,,": "future",
    f"ada,{STORE},given,,x,,,,": "notice_version is a number",
    f"ada,{STORE},given,,{'9' * 5000},,,,": "notice_version is a number",
    f"ada,{STORE},given,,7,,,,": "not published",
    f"ada,{STORE},given,,,fr,,,": "not published in",
    f"ada,{STORE},given,,,,2001-01-01T00:00:00Z,,": "past",
    f"ada,{STORE},given,,,,,{'x' * 101},": "collection_method",
    f"ada,{STORE},given": "values",
    f"ada,{STORE},reaffirmed,,,,,,": "cannot become",
}


@pytest.mark.parametrize("row", BAD, ids=lambda row: row[:40])
def test_a_bad_line_is_named_and_nothing_of_the_file_is_recorded(acme: Tenant, row: str) -> None:
    done = run(acme, f"bob,{STORE},given,,,,,,", row, f"eve,{STORE},given,,,,,,")
    ((number, reason),) = [(refusal.number, refusal.reason) for refusal in done.refused]
    assert (done.recorded, number) == (0, 3)
    assert BAD[row] in reason
    assert "ada" not in reason
    assert not ConsentRecord.objects.filter(tenant=acme).exists()
    assert not Subject.objects.filter(tenant=acme).exists()
    assert not AuditEvent.objects.filter(tenant_id=acme.pk, action__startswith="consent.").exists()


def test_the_good_lines_are_recorded_when_somebody_wants_that(acme: Tenant) -> None:
    done = run(acme, *BAD, f"bob,{STORE},given,,,,,,", partly=True)
    assert (done.recorded, len(done.refused)) == (1, len(BAD))
    assert [refusal.number for refusal in done.refused] == list(range(2, 2 + len(BAD)))
    assert Subject.objects.get(tenant=acme).consents.get().state == "given"


def test_the_same_file_again_changes_nothing(acme: Tenant) -> None:
    rows = [f"p{n},{STORE},given,,,,,," for n in range(3)]
    assert run(acme, *rows).recorded == 3
    again = run(acme, *rows, partly=True)
    assert (again.recorded, {refusal.number for refusal in again.refused}) == (0, {2, 3, 4})


def test_lines_of_one_person_are_checked_one_after_the_other(acme: Tenant) -> None:
    lines = [f"ada,{STORE},given,,,,,,", f"ada,{STORE},reaffirmed,,,,,,", "ada,training,given,,,,,,"]
    assert run(acme, *lines[:2], lines[0]).refused[0].number == 4
    assert not Subject.objects.filter(tenant=acme).exists()
    a_notice(acme, "training")
    assert run(acme, *lines).recorded == 3


def test_a_file_is_recorded_in_slices_and_what_is_decided_meanwhile_wins(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consent_imports, "SLICE", 2)
    text = "\n".join([HEADER, *(f"p{n},{STORE},given,2026-01-01T00:00:00Z,,,,," for n in range(5))])

    def meanwhile(done: int, total: int) -> None:
        if done == 2 and Subject.objects.filter(tenant=acme).exists():
            a_consent(a_subject(acme, "p3"), state="refused")

    by = THE_SYSTEM
    done = consent_imports.run(tenant_id=acme.pk, text=text, partly=False, by=by, told=meanwhile)
    assert (done.recorded, [refusal.number for refusal in done.refused]) == (4, [5])
    p3 = selectors.find(tenant_id=acme.pk, external_id="p3")
    assert p3 is not None
    assert not selectors.allows(subject=p3, purpose=STORE)


def test_a_line_that_is_older_than_what_is_on_record_is_named(acme: Tenant) -> None:
    run(acme, f"ada,{STORE},given,2026-01-01T00:00:00Z,,,,,", f"ada,{STORE},refused,2026-02-01T00:00:00Z,,,,,")
    done = run(acme, f"ada,{STORE},given,2026-01-15T00:00:00Z,,,,,", f"bob,{STORE},given,,,,,,", partly=True)
    assert (done.recorded, [refusal.number for refusal in done.refused]) == (1, [2])
    assert "older than what is on record" in done.refused[0].reason
    ada = selectors.find(tenant_id=acme.pk, external_id="ada")
    assert ada is not None
    assert not selectors.allows(subject=ada, purpose=STORE)


def test_a_file_with_times_can_be_imported_again(acme: Tenant) -> None:
    rows = [f"p{n},{STORE},given,2026-01-0{n}T00:00:00Z,,,,," for n in range(1, 4)]
    run(acme, *rows)
    assert run(acme, *rows).refused == ()
    assert ConsentRecord.objects.filter(tenant=acme).count() == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "missing"),
        ("subject,purpose\n", "state is missing"),
        ("subject,purpose,state,mood\n", "Use these columns"),
        ("subject,purpose,state,state\n", "Use these columns"),
        (HEADER, "no lines"),
        (f'{HEADER}\n"ada', "no CSV"),
    ],
)
def test_a_file_that_makes_no_sense_says_what_to_change(acme: Tenant, text: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        consent_imports.run(tenant_id=acme.pk, text=text, partly=True, by=THE_SYSTEM)


def test_a_file_that_is_too_long_is_refused(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent_import, "MOST_LINES", 2)
    with pytest.raises(ValidationError, match="more than 2 lines"):
        run(acme, *[f"p{n},{STORE},given,,,,,," for n in range(3)])


def command(*arguments: Any, **options: Any) -> tuple[str, str]:
    out, errors = io.StringIO(), io.StringIO()
    call_command("import_consents", *map(str, arguments), stdout=out, stderr=errors, **options)
    return out.getvalue(), errors.getvalue()


def test_the_command_shows_how_far_it_is_and_what_it_refused(acme: Tenant, tmp_path: Path) -> None:
    file = tmp_path / "consents.csv"
    file.write_text(f"\ufeffsubject,purpose,state\nada,{STORE},given\nbob,{STORE},perhaps\n", encoding="utf-8")
    with pytest.raises(CommandError, match="nothing was recorded"):
        command(acme.slug, file)
    out, errors = command(acme.slug, file, partly=True)
    assert "2 of 2 lines" in out
    assert "1 decisions were recorded, 1 lines refused" in out
    assert errors.startswith("line 3: state is one of")


@pytest.mark.parametrize("missing", ["tenant", "file"])
def test_the_command_says_what_is_not_there(acme: Tenant, tmp_path: Path, missing: str) -> None:
    file = tmp_path / "consents.csv"
    if missing == "tenant":
        file.write_text(HEADER)
    with pytest.raises(CommandError, match="There is no tenant" if missing == "tenant" else "cannot be read"):
        command("nobody" if missing == "tenant" else acme.slug, file)
