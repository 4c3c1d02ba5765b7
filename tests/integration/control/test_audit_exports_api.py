"""Exports of the audit log over the API: asked for, followed and fetched by an application with the scope `audit`."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from accounts.actions import tenants
from accounts.models import Tenant
from compliance import signing
from compliance.actions import audit_exports
from compliance.bundles import files, verify
from compliance.contracts import Actor
from compliance.models import AuditEvent, AuditExport
from tests.factories import a_key, a_tenant

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

PATH = "/api/audit/exports"
TASK = Actor(kind="task", id="make_audit_exports")


class App:
    """An application of a tenant, with a key that may read the audit log."""

    def __init__(self, tenant: Tenant | None = None, scopes: tuple[str, ...] = ("audit",)) -> None:
        self.tenant = tenant or a_tenant()
        self.text = a_key(tenant=self.tenant, scopes=list(scopes))[1]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {"data": body, "content_type": "application/json"} if body is not None else {}
        return getattr(Client(), method)(path, headers={"Authorization": f"Bearer {self.text}", **headers}, **sent)

    def ready(self, **chosen: str) -> dict[str, Any]:
        answer = self.call("post", PATH, chosen)
        assert answer.status_code == 202, answer.content
        assert audit_exports.make_waiting(by=TASK) == 1
        found: dict[str, Any] = self.call("get", answer["Location"]).json()
        return found


@pytest.fixture
def acme() -> App:
    return App()


@pytest.fixture(autouse=True)
def _own_folder(settings: LazySettings, tmp_path: Path) -> None:
    settings.EXPORTS_DIR = tmp_path / "exports"


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_it_works(acme: App) -> None:
    answer = acme.call("post", PATH, {})
    assert answer.status_code == 202
    asked = answer.json()
    assert (asked["state"], asked["progress_percent"], asked["file"]) == ("queued", 0, None)
    audit_exports.make_waiting(by=TASK)
    ready = acme.call("get", answer["Location"]).json()
    assert (ready["state"], ready["progress_percent"], ready["id"]) == ("ready", 100, asked["id"])
    file = acme.call("get", ready["file"])
    whole = content(file)
    assert (file.status_code, len(whole)) == (200, ready["bytes"])
    assert hashlib.sha256(whole).hexdigest() == ready["sha256"]
    assert "verify.py" in zipfile.ZipFile(io.BytesIO(whole)).namelist()


def test_a_download_goes_on_where_it_was_cut_off(acme: App) -> None:
    ready = acme.ready()
    whole = content(acme.call("get", ready["file"]))
    rest = acme.call("get", ready["file"], Range="bytes=1000-")
    assert (rest.status_code, rest["Content-Range"]) == (206, f"bytes 1000-{len(whole) - 1}/{len(whole)}")
    assert content(rest) == whole[1000:]
    assert content(acme.call("get", ready["file"], **{"Range": "bytes=0-9", "If-Range": rest["ETag"]})) == whole[:10]
    assert content(acme.call("get", ready["file"], **{"Range": "bytes=0-9", "If-Range": '"another"'})) == whole
    assert acme.call("get", ready["file"], Range=f"bytes={len(whole)}-").status_code == 416


def test_each_download_is_on_record(acme: App) -> None:
    ready = acme.ready()
    acme.call("get", ready["file"])
    event = AuditEvent.objects.get(action="auditexport.downloaded")
    assert (event.actor_kind, event.tenant_id, event.after["sha256"]) == ("key", acme.tenant.pk, ready["sha256"])


def test_a_part_is_chosen_by_filters(acme: App) -> None:
    ready = acme.ready(action="apikey.", since="2020-01-01T00:00:00Z")
    assert ready["filters"] == {"action": "apikey.", "since": "2020-01-01T00:00:00+00:00"}
    assert 0 < ready["events"] < ready["tree_size"]


def test_from_where_and_why_staff_acted_is_not_in_it_and_it_verifies(acme: App) -> None:
    staff = Actor(kind="user", id="4", ip="198.51.100.77", user_agent="a browser of ours")
    tenants.suspend(tenant=acme.tenant, by=staff, reason="we suspect a fraud")
    tenants.resume(tenant=acme.tenant, by=staff)
    told = "Withheld from the tenant, of what staff did: ip, user_agent, reason"
    for chosen in ({}, {"action": "tenant."}):
        ready = acme.ready(**chosen)
        whole = content(acme.call("get", ready["file"]))
        archive = zipfile.ZipFile(io.BytesIO(whole))
        everything = b"".join(archive.read(name) for name in archive.namelist())
        assert b"tenant.suspended" in everything
        for secret in ("198.51.100.77", "a browser of ours", "we suspect a fraud"):
            assert secret.encode() not in everything
        export = AuditExport.objects.get(public_id=ready["id"])
        report = verify.verify(files.path_of(export.public_id), signing.public_keys(), [], lambda done, total: None)
        assert (report.problems, told in report.facts) == ([], True)


def test_what_officers_ask_for_is_complete(acme: App) -> None:
    staff = Actor(kind="user", id="4", ip="198.51.100.77")
    tenants.suspend(tenant=acme.tenant, by=staff, reason="we suspect a fraud")
    export = audit_exports.request(export=AuditExport(tenant_id=acme.tenant.pk), by=staff)
    audit_exports.make(export=export, by=TASK)
    text = zipfile.ZipFile(files.path_of(export.public_id)).read("events.csv")
    assert b"198.51.100.77" in text
    assert b"we suspect a fraud" in text


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"actoin": "x"}, "actoin"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "until"),
        ({"action": "x" * 101}, "action"),
        ({"tenant_id": 3}, "tenant_id"),
    ],
    ids=["typo", "no time", "no span", "too long", "another tenant"],
)
def test_what_makes_no_sense_is_refused(acme: App, body: dict[str, Any], param: str) -> None:
    answer = acme.call("post", PATH, body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert not AuditExport.objects.exists()


def test_it_takes_the_scope(acme: App) -> None:
    other = App(acme.tenant, scopes=("chat", "subjects"))
    ready = acme.ready()
    assert other.call("post", PATH, {}).status_code == 403
    assert other.call("get", f"{PATH}/{ready['id']}").status_code == 403
    assert other.call("get", ready["file"]).status_code == 403


def test_a_rival_sees_nothing_of_it(acme: App) -> None:
    ready, umbrella = acme.ready(), App()
    assert umbrella.call("get", f"{PATH}/{ready['id']}").status_code == 404
    assert umbrella.call("get", ready["file"]).status_code == 404


def test_what_officers_asked_for_is_not_seen_here(acme: App) -> None:
    export = audit_exports.request(export=AuditExport(tenant_id=acme.tenant.pk), by=Actor(kind="user", id="4"))
    assert acme.call("get", f"{PATH}/{export.public_id}").status_code == 404


def test_there_is_no_file_before_it_is_ready_and_none_after_it_was_deleted(acme: App) -> None:
    asked = acme.call("post", PATH, {}).json()
    assert acme.call("get", f"{PATH}/{asked['id']}/file").status_code == 409
    audit_exports.make_waiting(by=TASK)
    export = AuditExport.objects.get()
    assert audit_exports.delete_due(by=TASK, as_of=export.expires_on) == 1
    assert acme.call("get", f"{PATH}/{asked['id']}/file").status_code == 409
    assert acme.call("get", f"{PATH}/{asked['id']}").json()["state"] == "deleted"


def test_many_at_once_are_refused(acme: App) -> None:
    for _ in range(audit_exports.MOST_AT_ONCE):
        assert acme.call("post", PATH, {}).status_code == 202
    assert acme.call("post", PATH, {}).status_code == 409
