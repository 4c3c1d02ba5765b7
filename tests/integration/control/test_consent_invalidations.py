"""All consents end at once where nobody can say which of them still hold."""

import io
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from accounts.models import Tenant
from compliance import selectors
from compliance.actions import consent_invalidations, consents, withdrawn_content
from compliance.models import AuditEvent, ConsentRecord, JobRun, Subject, Transcript
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_consent, a_content_policy, a_subject, a_transcript

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

STORE = "store_conversations"
WHY = "restored from the backup of 1 March"


def allowed(subject: Subject, purpose: str = STORE) -> bool:
    return selectors.allows(subject=subject, purpose=purpose)


def somebody(tenant: Tenant) -> Subject:
    person = a_subject(tenant)
    a_consent(person)
    return person


def run(tenant: Tenant | None, **options: Any) -> int:
    pk = tenant.pk if tenant else None
    return consent_invalidations.invalidate(tenant_id=pk, reason=WHY, by=THE_SYSTEM, **options)


def test_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent_invalidations, "SLICE", 2)
    acme, umbrella = a_tenant(), a_tenant("umbrella")
    people, other = [somebody(acme) for _ in range(5)], somebody(umbrella)
    a_consent(people[0], "training")
    a_consent(people[1], state="refused")
    seen: list[tuple[int, int]] = []
    assert run(acme, told=lambda done, total: seen.append((done, total))) == 5
    assert seen == [(n, 5) for n in range(1, 6)]
    assert not any(allowed(person) for person in people)
    assert not allowed(people[0], "training")
    assert allowed(other)
    assert AuditEvent.objects.filter(tenant_id=acme.pk, action="consent.invalidated", reason=WHY).count() == 5
    assert JobRun.objects.get(kind="invalidate_consents").tenant_id == acme.pk
    a_consent(people[0])
    assert allowed(people[0])
    assert run(None) == 2


@pytest.mark.parametrize(("keep", "left"), [(False, 0), (True, 1)])
def test_what_was_stored_goes_unless_it_is_to_be_kept(keep: bool, left: int) -> None:
    acme = a_tenant()
    a_content_policy(acme)
    ada = somebody(acme)
    a_transcript(ada)
    run(acme, keep_content=keep)
    withdrawn_content.erase_missed(by=THE_SYSTEM)
    assert Transcript.objects.filter(surrogate=ada.surrogate).count() == left
    assert not allowed(ada)


def test_what_people_decide_while_it_runs_holds() -> None:
    acme = a_tenant()
    ada, bob, eve = [somebody(acme) for _ in range(3)]

    def meanwhile(done: int, total: int) -> None:
        if not allowed(ada):
            a_consent(ada)
            consents.withdraw(subject=bob, purpose=STORE, by=THE_SYSTEM)

    assert run(acme, told=meanwhile) == 2
    assert (allowed(ada), allowed(bob), allowed(eve)) == (True, False, False)
    assert ConsentRecord.objects.get(subject=bob, live=True).state == "withdrawn"


def test_a_run_that_was_cut_off_goes_on_and_spares_what_was_given_since() -> None:
    acme = a_tenant()
    ada, bob = [somebody(acme) for _ in range(2)]

    class Killed(BaseException):
        pass

    def kill(done: int, total: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        run(acme, told=kill)
    JobRun.objects.update(state="running", process="gone", finished_at=None, seen_at="2026-01-01T00:00:00Z")
    a_consent(ada)
    assert run(acme) == 2
    assert (allowed(ada), allowed(bob)) == (True, False)


def test_it_wants_a_reason() -> None:
    with pytest.raises(ValidationError, match="Say why"):
        consent_invalidations.invalidate(tenant_id=None, reason=" ", by=THE_SYSTEM)


def command(*arguments: str) -> tuple[str, str]:
    out, errors = io.StringIO(), io.StringIO()
    call_command("invalidate_consents", *arguments, stdout=out, stderr=errors)
    return out.getvalue(), errors.getvalue()


def test_the_command_shows_how_far_it_is() -> None:
    acme = a_tenant()
    somebody(acme)
    out, errors = command("--tenant", acme.slug, "--reason", WHY)
    assert "1 of 1 consents" in errors
    assert out.startswith("1 consents were ended.")
    assert command("--all", "--reason", WHY)[0].startswith("0 consents")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--reason", WHY),
        ("--all",),
        ("--all", "--tenant", "x", "--reason", WHY),
        ("--tenant", "nobody", "--reason", WHY),
        ("--all", "--reason", " "),
    ],
    ids=str,
)
def test_the_command_says_what_is_missing(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        command(*arguments)
