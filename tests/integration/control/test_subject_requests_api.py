"""Requests over the API: filed, proved, followed and fetched by applications; and the short way to an erasure."""

import io
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import LazySettings
from django.test import Client

from accounts.models import Tenant
from compliance import selectors
from compliance.actions import erasure, keys, request_steps, requests
from compliance.actions.subjects import LONGEST
from compliance.errors import KeyStoreUnavailable
from compliance.keyring import store
from compliance.models import Erasure, Subject, SubjectRequest
from compliance.registry import Person
from tests.factories import THE_SYSTEM, a_key, a_tenant
from tests.factories.compliance import a_consent, a_request, a_subject

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

PATH = "/api/subject-requests/"


class App:
    """An application of a tenant, with a key that may file requests."""

    def __init__(self, tenant: Tenant | None = None, scopes: tuple[str, ...] = ("subjects",)) -> None:
        self.tenant = tenant or a_tenant()
        self.text = a_key(tenant=self.tenant, scopes=list(scopes))[1]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        call = getattr(Client(), method)
        sent = {"data": body, "content_type": "application/json"} if body is not None else {}
        return call(path, headers={"Authorization": f"Bearer {self.text}", **headers}, **sent)

    def file(self, subject: str, right: str = "access", **more: Any) -> Any:
        return self.call("post", PATH, {"subject": subject, "right": right, **more})

    def erase(self, subject: str) -> Any:
        return self.call("delete", f"/api/subjects/{quote(subject, safe='')}")


@pytest.fixture
def acme() -> App:
    return App()


@pytest.fixture(autouse=True)
def _own_folder(settings: LazySettings, tmp_path: Path) -> None:
    settings.EXPORTS_DIR = tmp_path / "exports"


def test_it_works(acme: App) -> None:
    ada = a_subject(acme.tenant, "ada")
    answer = acme.file("ada", details="everything, please")
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["state"], body["identity"], body["code"]) == ("identity_verified", "asserted", None)
    assert body["surrogate"] == ada.surrogate
    row = SubjectRequest.objects.get(public_id=body["id"])
    assert body["due_on"] == row.due_on.isoformat()
    assert row.received_by.startswith("key ")
    detail = acme.call("get", f"{PATH}{body['id']}").json()
    assert [event["state"] for event in detail["history"]] == ["received", "acknowledged", "identity_verified"]
    assert detail["because"] == row.because
    assert "everything, please" not in str(detail)


def test_the_same_again_is_the_same_request(acme: App) -> None:
    a_subject(acme.tenant, "ada")
    first, again = acme.file("ada"), acme.file("ada")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = acme.file("ada", "portability")
    assert other.json()["id"] != first.json()["id"]


def test_two_corrections_are_two_requests(acme: App) -> None:
    a_subject(acme.tenant, "ada")
    ids = {acme.file("ada", "rectification", details=f"correction {n}").json()["id"] for n in range(2)}
    assert len(ids) == 2


def test_identity_by_code(acme: App) -> None:
    a_subject(acme.tenant, "ada")
    body = acme.file("ada", identity="code").json()
    assert body["state"] == "identity_pending"
    path = f"{PATH}{body['id']}/verify"
    wrong = acme.call("post", path, {"code": f"{(int(body['code']) + 1) % 10**8:08}"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (409, "invalid_code")
    right = acme.call("post", path, {"code": body["code"]})
    assert (right.status_code, right.json()["state"], right.json()["identity"]) == (200, "identity_verified", "code")
    assert acme.call("get", f"{PATH}{body['id']}").json().get("code") is None


def test_another_code_comes_not_at_once(acme: App) -> None:
    a_subject(acme.tenant, "ada")
    body = acme.file("ada", identity="code").json()
    assert acme.call("post", f"{PATH}{body['id']}/code", {}).status_code == 409
    SubjectRequest.objects.filter(public_id=body["id"]).update(code_made_at=None)
    answer = acme.call("post", f"{PATH}{body['id']}/code", {})
    assert answer.status_code == 201
    assert answer.json()["code"] != body["code"]


@pytest.mark.parametrize("right", ["withdrawal", "opt_out", "limit"])
def test_what_needs_no_review_is_done_when_it_is_answered(acme: App, right: str) -> None:
    ada = a_subject(acme.tenant, "ada")
    a_consent(ada, "training")
    body = acme.file("ada", right).json()
    assert (body["state"], body["identity"]) == ("fulfilled", "not_needed")
    assert not selectors.allows(subject=ada, purpose="training")


def test_an_export_is_fetched_as_a_zip(acme: App) -> None:
    a_subject(acme.tenant, "ada")
    body = acme.file("ada").json()
    row = SubjectRequest.objects.get(public_id=body["id"])
    path = f"{PATH}{body['id']}/export"
    assert acme.call("get", path).status_code == 409
    requests.approve(request=requests.review(request=row, by=THE_SYSTEM), by=THE_SYSTEM)
    request_steps.execute(request=row, by=THE_SYSTEM)
    answer = acme.call("get", path, Accept="application/zip")
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (200, "application/zip", "no-store")
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert "manifest.json" in archive.namelist()
    row.refresh_from_db()
    assert row.export.downloads == 1
    assert acme.call("get", f"{PATH}{body['id']}").json()["export"]["sha256"] == row.export.zip_sha256


# --- who may, and about whom -------------------------------------------------------------------------------------


def test_somebody_never_seen_is_not_found_and_not_enrolled(acme: App) -> None:
    for answer in (acme.file("nobody"), acme.erase("nobody")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert not Subject.objects.filter(tenant=acme.tenant).exists()


def test_another_tenants_person_or_request_is_not_found(acme: App) -> None:
    ada = a_subject(acme.tenant, "ada")
    a_request(ada)
    body = acme.file("ada").json()
    rival = App(a_tenant("umbrella"))
    assert rival.file("ada").status_code == 404
    assert rival.erase("ada").status_code == 404
    for path in ("", "/export"):
        assert rival.call("get", f"{PATH}{body['id']}{path}").status_code == 404
    assert rival.call("post", f"{PATH}{body['id']}/verify", {"code": "12345678"}).status_code == 404
    assert rival.call("get", PATH).json()["requests"] == []
    ada.refresh_from_db()
    assert ada.state == "active"


def test_the_scope_is_needed(acme: App) -> None:
    a_subject(acme.tenant, "ada")
    chat = App(acme.tenant, scopes=("chat", "consents"))
    assert chat.file("ada").status_code == 403
    assert chat.erase("ada").status_code == 403
    assert Client().delete("/api/subjects/ada").status_code == 401


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"right": "access"}, "subject"),
        ({"subject": "", "right": "access"}, "subject"),
        ({"subject": "x" * (LONGEST + 1), "right": "access"}, "subject"),
        ({"subject": "ada", "right": "immortality"}, "right"),
        ({"subject": "ada", "right": "access", "colour": "red"}, "colour"),
        ({"subject": "ada", "right": "access", "identity": "guess"}, "identity"),
    ],
    ids=["no subject", "empty", "too long", "no such right", "no such field", "no such proof"],
)
def test_nonsense_is_named(acme: App, body: dict[str, str], param: str) -> None:
    a_subject(acme.tenant, "ada")
    answer = acme.call("post", PATH, body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_pages_of_requests(acme: App) -> None:
    ada, bob = a_subject(acme.tenant, "ada"), a_subject(acme.tenant, "bob")
    mine = [str(a_request(ada, right).public_id) for right in ("access", "erasure", "objection")]
    other = str(a_request(bob).public_id)
    first = acme.call("get", f"{PATH}?limit=2").json()
    second = acme.call("get", f"{PATH}?limit=2&before={first['next']}").json()
    assert [row["id"] for row in first["requests"] + second["requests"]] == [other, *reversed(mine)]
    assert second["next"] is None
    assert {row["id"] for row in acme.call("get", f"{PATH}?subject=ada").json()["requests"]} == set(mine)
    assert acme.call("get", f"{PATH}?open=false").json()["requests"] == []
    assert acme.call("get", f"{PATH}?open=maybe").status_code == 400


# --- the short way to an erasure ---------------------------------------------------------------------------------


def key_of(subject: Subject) -> Any:
    return store.subject_keys(subject.tenant_id, [subject.surrogate]).get(subject.surrogate)


def test_with_the_answer_the_person_is_fenced_and_their_key_destroyed(acme: App) -> None:
    ada = a_subject(acme.tenant, "ada")
    assert key_of(ada)
    answer = acme.erase("ada")
    assert answer.status_code == 202
    assert answer.json()["state"] == "queued"
    ada.refresh_from_db()
    assert (ada.state, ada.lookup, key_of(ada)) == ("erased", None, None)
    request_steps.run_due(by=THE_SYSTEM)
    detail = acme.call("get", f"{PATH}{answer.json()['id']}").json()
    assert detail["state"] == "fulfilled"
    assert detail["certificate"]["kind"]


def test_asked_again_it_is_the_same_request_before_and_after_the_end(acme: App) -> None:
    a_subject(acme.tenant, "ada")
    first = acme.erase("ada").json()["id"]
    assert acme.erase("ada").json()["id"] == first
    request_steps.run_due(by=THE_SYSTEM)
    again = acme.erase("ada")
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (202, first, "fulfilled")
    assert SubjectRequest.objects.filter(tenant=acme.tenant).count() == 1


def test_a_request_that_waits_for_review_is_the_one_that_is_approved(acme: App) -> None:
    for name, proof in (("ada", "code"), ("bob", "asserted")):
        a_subject(acme.tenant, name)
        filed = acme.file(name, "erasure", identity=proof).json()
        erased = acme.erase(name).json()
        assert (erased["id"], erased["state"]) == (filed["id"], "queued")
        assert acme.file(name, "erasure").json()["id"] == filed["id"]


def test_an_erased_person_has_nothing_to_ask_for(acme: App) -> None:
    a_subject(acme.tenant, "ada")
    acme.erase("ada")
    answer = acme.file("ada")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "subject_erased")


@pytest.mark.parametrize(
    "name",
    [
        "a/b//c",
        "ada@example.com",
        "naïve ünïcode 漢字 🦉",
        "50%",
        "a?b#c&d=e",
        "..",
        "tab\tand\nline",
        "x" * LONGEST,
        " ",
        "+",
    ],
    ids=["slashes", "mail", "unicode", "percent", "query", "dots", "control", "longest", "blank", "plus"],
)
def test_an_external_id_may_be_anything(acme: App, name: str) -> None:
    if not name.strip():
        assert acme.erase(name).status_code == 400
        return
    ada = a_subject(acme.tenant, name)
    bob = a_subject(acme.tenant, "bob")
    assert acme.erase(name).status_code == 202
    for person, state in ((ada, "erased"), (bob, "active")):
        person.refresh_from_db()
        assert person.state == state


def test_what_no_external_id_can_be_is_refused(acme: App) -> None:
    for name in ("x" * (LONGEST + 1), "nul\0"):
        assert acme.erase(name).status_code == 400


def test_a_key_store_that_is_down_leaves_the_fence_and_the_rest_for_later(
    acme: App,
) -> None:
    ada = a_subject(acme.tenant, "ada")

    def down(**_: Any) -> None:
        raise KeyStoreUnavailable("The keys database does not answer.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "destroy_subject_keys", down)
        assert acme.erase("ada").status_code == 202
    ada.refresh_from_db()
    assert ada.state == "erased"
    assert key_of(ada)
    request_steps.run_due(by=THE_SYSTEM)
    assert key_of(ada) is None
    assert Erasure.objects.get(surrogate=ada.surrogate).state == "complete"


def test_begin_is_not_undone_by_what_follows(acme: App) -> None:
    ada = a_subject(acme.tenant, "ada")
    request = a_request(ada, "erasure", state="queued")
    erasure.begin(person=Person(ada.tenant_id, ada.surrogate), request_id=request.pk, by=THE_SYSTEM)
    assert acme.erase("ada").json()["id"] == str(request.public_id)
