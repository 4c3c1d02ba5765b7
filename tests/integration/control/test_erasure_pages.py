"""What people see of erasures: the list, the certificate, the records of processing, and the commands."""

import json
import re
import subprocess
import sys
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from accounts.models import User
from compliance import processing, registry, signing
from compliance.models import Approval, AuditEvent, Erasure, ErasureStep, LegalHold, RetentionPolicy, Subject
from config.env import BASE_DIR
from tests.factories import a_provider, a_tenant
from tests.integration.control.test_erasure import erased, somebody
from tests.integration.control.test_offboarding import a_closed_tenant

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture
def officer(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("olga", password="irrelevant"))
    return client


def page(client: Client, erasure: Erasure) -> str:
    answer = client.get(reverse("admin:compliance_erasure_change", args=(erasure.pk,)))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_list_and_the_certificate_can_be_read_at_a_glance(officer: Client) -> None:
    done = erased(somebody())
    assert done.surrogate in officer.get(reverse("admin:compliance_erasure_changelist")).content.decode()
    shown = page(officer, done)
    assert "Out of every backup by" in shown
    assert "Conversations: 1 erased, 0 left" in shown
    assert "Download certificate" in shown


def test_an_erasure_leads_to_its_tenant_and_person_and_they_to_it(officer: Client) -> None:
    done = erased(somebody())
    shown = page(officer, done)
    person = Subject.objects.get(surrogate=done.surrogate)
    for of in (person, done.tenant):
        url = reverse(f"admin:{of._meta.label_lower.replace('.', '_')}_change", args=(of.pk,))
        assert f'href="{url}"' in shown
    answer = officer.get(reverse("admin:compliance_subject_change", args=(person.pk,)))
    assert f"/admin/compliance/erasure/{done.pk}/change/" in answer.content.decode()


def test_the_times_of_a_certificate_are_written_like_all_others(officer: Client) -> None:
    done = erased(somebody())
    shown = page(officer, done)
    assert f"{done.fenced_at:%Y-%m-%d %H:%M:%S} UTC" in shown
    assert done.certificate is not None
    assert done.certificate["payload"]["fenced_at"] not in shown


def test_the_certificate_is_downloaded_as_it_was_signed(officer: Client) -> None:
    done = erased(somebody())
    answer = officer.get(reverse("admin:compliance_erasure_certificate_file", args=(done.pk,)))
    assert answer["Content-Disposition"].startswith("attachment")
    assert signing.verify(json.loads(answer.content), public=signing.public_keys())


def test_one_that_waits_says_why_and_offers_no_certificate(officer: Client) -> None:
    ada = somebody()
    hold = LegalHold.objects.create(
        tenant=ada.tenant, title="Case <1>", reason="court", scope="subject", surrogate=ada.surrogate, state="active"
    )
    shown = page(officer, erased(ada))
    url = reverse("admin:compliance_legalhold_change", args=(hold.pk,))
    assert f'legal hold <a href="{url}" class="pcl-link">Case &lt;1&gt;</a>.' in shown
    assert "Comes with the last step." in shown


def test_going_on_by_hand_is_on_record(officer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    done = erased(somebody())
    done.steps.filter(name="verify").update(state=ErasureStep.State.FAILED, done_at=None)
    Erasure.objects.filter(pk=done.pk).update(state=Erasure.State.INCOMPLETE)
    officer.post(reverse("admin:compliance_erasure_retry", args=(done.pk,)), {"reason": "now"})
    assert AuditEvent.objects.filter(action="erasure.retried", reason="now").exists()


def test_nobody_without_the_right_sees_them(client: Client) -> None:
    done = erased(somebody())
    client.force_login(User.objects.create_user("guest", password="irrelevant", is_staff=True))
    for name, args in (
        ("admin:compliance_erasure_changelist", ()),
        ("admin:compliance_erasure_certificate_file", (done.pk,)),
        ("records-of-processing", ()),
    ):
        assert client.get(reverse(name, args=args)).status_code == 403


def test_a_closed_tenants_page_asks_for_off_boarding(officer: Client) -> None:
    tenant = a_closed_tenant()
    url = reverse("admin:accounts_tenant_off_board", args=(tenant.pk,))
    for slug in ("", "another"):
        refused = officer.post(url, {"reason": "contract ended", "slug": slug})
        assert refused.status_code == 200
        assert not Approval.objects.filter(action="tenant.offboarded").exists()
    asked = officer.post(url, {"reason": "contract ended", "slug": tenant.slug})
    assert asked.status_code == 302
    approval = Approval.objects.get(action="tenant.offboarded")
    assert approval.target_id == str(tenant.pk)
    shown = officer.get(reverse("admin:compliance_approval_change", args=(approval.pk,))).content.decode()
    assert f"Off-board {tenant.name}" in shown


# --- records of processing -------------------------------------------------------------------------------------------


def test_the_records_name_every_store_of_people_with_basis_and_retention(officer: Client) -> None:
    shown = officer.get(reverse("records-of-processing")).content.decode()
    for store in registry.stores():
        assert (escape(store.title) in shown) or not store.is_personal
    assert "Consent (article 6(1)(a))" in shown


def test_they_follow_the_configuration() -> None:
    a_provider("https://api.example.com")
    RetentionPolicy.objects.filter(tenant=None, data_class="content").update(days=17)
    found = {each.name: each for each in processing.activities()}
    assert found["compliance.transcript"].retention == "17 days"
    assert any("https://api.example.com" in each for each in found["providers"].recipients)


def test_they_follow_a_tenants_own_retention() -> None:
    tenant = a_tenant()
    RetentionPolicy.objects.create(tenant=tenant, data_class="content", days=3, reason="short")
    found = {each.name: each for each in processing.activities(tenant.pk)}
    assert found["compliance.transcript"].retention == "3 days"


@pytest.mark.parametrize("form", ["json", "md"])
def test_they_can_be_downloaded(officer: Client, form: str) -> None:
    answer = officer.get(reverse("records-of-processing"), {"as": form})
    assert answer["Content-Disposition"].endswith(f'.{form}"')
    assert "Conversations" in answer.content.decode()


def test_the_command_prints_them() -> None:
    text, data = StringIO(), StringIO()
    call_command("records_of_processing", stdout=text)
    call_command("records_of_processing", "--json", stdout=data)
    assert "## Conversations" in text.getvalue()
    assert {each["name"] for each in json.loads(data.getvalue())["activities"]} >= {"compliance.transcript"}


# --- verify_certificate -------------------------------------------------------------------------------------------


def verified(path: Path, *options: Any) -> str:
    out = StringIO()
    call_command("verify_certificate", str(path), *options, stdout=out)
    return out.getvalue()


def test_a_genuine_certificate_verifies_also_without_our_keys(tmp_path: Path) -> None:
    done, path = erased(somebody()), tmp_path / "certificate.json"
    path.write_text(json.dumps(done.certificate))
    assert "1 key destroyed" in verified(path)
    assert "Valid" in verified(path, "--key", (done.certificate or {})["key"])


def test_a_saved_answer_of_the_api_verifies_by_the_certificate_in_it(tmp_path: Path) -> None:
    done, path = erased(somebody()), tmp_path / "answer.json"
    path.write_text(json.dumps({"state": "fulfilled", "certificate": done.certificate}))
    assert "Valid: erasure_certificate" in verified(path)
    assert f"/tenant/{done.tenant_id} at index " in verified(path)
    path.write_text(json.dumps({"certificate": {**(done.certificate or {}), "kind": "other"}}))
    with pytest.raises(CommandError, match="NOT VALID"):
        verified(path)


@pytest.mark.parametrize("text", ["{}", "[]", "1", '{"certificate": null}', '{"payload": 1}'])
def test_another_file_is_no_certificate(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(CommandError, match="is not a certificate"):
        verified(path)


def test_a_changed_certificate_does_not(tmp_path: Path) -> None:
    done, path = erased(somebody()), tmp_path / "certificate.json"
    path.write_text(json.dumps(done.certificate).replace(done.surrogate, "eu_" + "a" * 24))
    with pytest.raises(CommandError, match="NOT VALID"):
        verified(path)


def test_a_file_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        verified(tmp_path / "missing.json")


def test_the_documented_steps_verify_a_certificate_with_cryptography_alone(tmp_path: Path) -> None:
    done = erased(somebody())
    (tmp_path / "certificate.json").write_text(json.dumps(done.certificate))
    [code] = re.findall(r"```python\n(import base64.*?)```", (BASE_DIR / "docs" / "operations.md").read_text(), re.S)
    environment = {"PATH": "", "PYTHONPATH": ""}
    run = partial(
        subprocess.run, [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run().returncode == 0, run().stderr
    (tmp_path / "certificate.json").write_text(json.dumps({**(done.certificate or {}), "kind": "other"}))
    assert "InvalidSignature" in run().stderr
