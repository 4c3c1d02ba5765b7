"""`/api/consents/` and `/api/notices/`: what applications tell and are told."""

import base64
import hashlib
import io
import json
import logging
import uuid
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from accounts.models import Tenant
from compliance import selectors, signing
from compliance.models import AuditEvent, ConsentRecord, Subject
from tests.factories import a_key, a_tenant
from tests.factories.compliance import a_consent, a_notice, a_subject

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

ADA = "ada@example.com"
STORE = "store_conversations"


class Application:
    """One of acme's, with a key."""

    def __init__(self, tenant: Tenant, *scopes: str) -> None:
        self.tenant = tenant
        key, text = a_key(tenant=tenant, scopes=list(scopes or ("consents",)))
        self.key = key
        self.client = Client(headers={"Authorization": f"Bearer {text}"})

    def post(self, path: str, body: Any, *, status: int, **headers: str) -> Any:
        answer = self.client.post(path, body, content_type="application/json", headers=headers)
        return checked(answer, "post", path, status)

    def get(self, path: str, *, status: int = 200, template: str = "", **params: Any) -> Any:
        return checked(self.client.get(path, params), "get", template or path, status)

    def record(self, *, status: int = 201, gpc: bool = False, **fields: Any) -> Any:
        body = {"subject": ADA, "purpose": STORE, "state": "given", **fields}
        return self.post("/api/consents/", body, status=status, **({"Sec-GPC": "1"} if gpc else {}))


def checked(answer: Any, method: str, path: str, status: int) -> Any:
    """The body, which is as the schema has it."""
    assert answer.status_code == status, answer.content
    generator: Any = SchemaGenerator
    schema = generator(urlconf="config.api_urls").get_schema(request=None, public=True)
    documented = schema["paths"][path][method]["responses"][str(status)]["content"]["application/json"]["schema"]
    whole = {**documented, "components": schema["components"]}
    jsonschema_rs.validator_for(whole).validate(answer.json())
    body = answer.json()
    return body["error"] if status >= 400 else body


@pytest.fixture
def acme() -> Application:
    """An application of a tenant with a notice."""
    tenant = a_tenant("acme")
    a_notice(tenant)
    return Application(tenant)


def ada(tenant: Tenant) -> Subject:
    found = selectors.find(tenant_id=tenant.pk, external_id=ADA)
    assert found is not None
    return found


def test_it_works(acme: Application) -> None:
    body = acme.record(collection_method="sign-up", expires_at=(timezone.now() + timedelta(days=1)).isoformat())
    consent = body["consent"]
    assert (consent["state"], consent["live"], consent["notice"]["version"]) == ("given", True, 1)
    assert (consent["collection_method"], consent["jurisdiction"]) == ("sign-up", "EU")
    assert body["allows"]
    assert selectors.allows(subject=ada(acme.tenant), purpose=STORE)
    assert signing.verify(body["receipt"], public=signing.public_keys())
    event = AuditEvent.objects.get(action="consent.given", tenant_id=acme.tenant.pk)
    assert (event.actor_kind, event.actor_id) == ("key", str(acme.key.pk))
    again = acme.get(f"/api/consents/{consent['receipt_id']}/receipt", template="/api/consents/{receipt_id}/receipt")
    assert again == body["receipt"]


def test_a_receipt_that_waits_for_the_signing_key_is_signed_when_it_is_asked_for(acme: Application) -> None:
    receipt_id = acme.record()["consent"]["receipt_id"]
    row = ConsentRecord.objects.get(receipt_id=receipt_id)
    unsigned = {field.attname: getattr(row, field.attname) for field in ConsentRecord._meta.concrete_fields}
    row.delete()
    ConsentRecord.objects.bulk_create([ConsentRecord(**{**unsigned, "receipt": None})])
    receipt = acme.get(f"/api/consents/{receipt_id}/receipt", template="/api/consents/{receipt_id}/receipt")
    assert signing.verify(receipt, public=signing.public_keys())
    assert ConsentRecord.objects.get(receipt_id=receipt_id).receipt == receipt


def test_a_receipt_verifies_with_nothing_but_the_public_keys(acme: Application) -> None:
    receipt = acme.record()["receipt"]
    told = Application(acme.tenant, "chat").get("/api/signing-keys/")["keys"]
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(told[0]["key"]))
    assert (told[0]["key"], told[0]["algorithm"]) == (receipt["key"], "Ed25519")
    rest = {name: value for name, value in receipt.items() if name != "signature"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    public.verify(base64.b64decode(receipt["signature"]), text)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(receipt["signature"]), text + b" ")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer pcl_nonsense"}], ids=["none", "wrong"])
def test_the_public_keys_are_told_to_applications_only(headers: dict[str, str]) -> None:
    answer = Client(headers=headers).get("/api/signing-keys/")
    assert answer.status_code == 401


def test_withdrawing_takes_one_call_and_says_what_it_found(acme: Application) -> None:
    wanted = {"subject": ADA, "purpose": STORE}
    assert acme.post("/api/consents/withdraw", wanted, status=200) == {
        "outcome": "never_given",
        "consent": None,
        "receipt": None,
    }
    acme.record()
    done = acme.post("/api/consents/withdraw", wanted, status=200)
    assert (done["outcome"], done["consent"]["state"]) == ("withdrawn", "withdrawn")
    assert signing.verify(done["receipt"], public=signing.public_keys())
    assert not selectors.allows(subject=ada(acme.tenant), purpose=STORE)
    again = acme.post("/api/consents/withdraw", wanted, status=200)
    assert (again["outcome"], again["consent"]) == ("already_withdrawn", done["consent"])


def test_a_browsers_opt_out_is_honoured_and_shown(acme: Application) -> None:
    a_notice(acme.tenant, "training")
    body = {"subject": ADA, "purpose": "training", "state": "given"}
    answer = acme.client.post("/api/consents/", body, content_type="application/json", headers={"Sec-GPC": "1"})
    assert answer.status_code == 201
    assert answer["X-Portcullis-GPC"] == "honoured"
    consent = answer.json()["consent"]
    assert (consent["state"], consent["opted_out_by_gpc"], answer.json()["allows"]) == ("refused", True, False)


@pytest.mark.parametrize("sent", ["0", "true", ""])
def test_only_a_one_opts_out(acme: Application, sent: str) -> None:
    a_notice(acme.tenant, "training")
    body = {"subject": ADA, "purpose": "training", "state": "given"}
    answer = acme.client.post("/api/consents/", body, content_type="application/json", headers={"Sec-GPC": sent})
    assert answer.json()["consent"]["state"] == "given"
    assert "X-Portcullis-GPC" not in answer.headers


def test_a_purpose_that_a_browser_does_not_opt_out_of_is_left_alone(acme: Application) -> None:
    assert acme.record(gpc=True)["consent"]["opted_out_by_gpc"] is False


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"state": "withdrawn"}, "state"),
        ({"purpose": ""}, "purpose"),
        ({"purpose": "unheard_of"}, "purpose"),
        ({"subject": ""}, "subject"),
        ({"subject": " "}, "subject"),
        ({"subject": "x" * 129}, "subject"),
        ({"subject": 7, "state": None}, "state"),
        ({"notice_version": 0}, "notice_version"),
        ({"notice_version": 2**70}, "notice_version"),
        ({"language": "../de"}, "language"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"expire_at": "2031-01-01T00:00:00Z"}, "expire_at"),
        ({"jurisdiction": "x" * 51}, "jurisdiction"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_by_its_name(acme: Application, fields: dict[str, Any], param: str) -> None:
    error = acme.record(status=400, **fields)
    assert error["param"] == param
    assert error["message"]
    assert not ConsentRecord.objects.filter(tenant=acme.tenant).exists()


@pytest.mark.parametrize("body", ["{", "[]", "7", '"x"', "null", ""])
def test_a_body_that_is_no_object_is_refused(acme: Application, body: str) -> None:
    acme.post("/api/consents/", body, status=400)
    acme.post("/api/consents/withdraw", body, status=400)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"state": "reaffirmed"}, "illegal_transition"),
        ({"notice_version": 9}, "notice_not_published"),
        ({"language": "fr"}, "notice_not_published"),
        ({"purpose": "analytics"}, "notice_not_published"),
        ({"notice_version": 1}, "notice_superseded"),
    ],
    ids=str,
)
def test_what_cannot_be_recorded_says_what_to_send_instead(
    acme: Application, fields: dict[str, Any], code: str
) -> None:
    a_notice(acme.tenant)
    error = acme.record(status=409, **fields)
    assert error["code"] == code
    assert error["param"]


def test_who_was_erased_is_not_recorded(acme: Application) -> None:
    Subject.objects.filter(pk=a_subject(acme.tenant, ADA).pk).update(state="erased", external_id=None)
    assert acme.record(status=409)["code"] == "subject_erased"


def test_the_history_of_one_person_comes_in_pages(acme: Application) -> None:
    person = a_subject(acme.tenant, ADA)
    for state in ("requested", "given", "reaffirmed", "reaffirmed"):
        a_consent(person, state=state)
    a_consent(a_subject(acme.tenant, "bob"))
    a_notice(acme.tenant, "training")
    a_consent(person, "training")
    first = acme.get("/api/consents/", subject=ADA, purpose=STORE, limit=3)
    assert [each["state"] for each in first["consents"]] == ["reaffirmed", "reaffirmed", "given"]
    rest = acme.get("/api/consents/", surrogate=person.surrogate, purpose=STORE, limit=3, before=first["next"])
    assert ([each["state"] for each in rest["consents"]], rest["next"]) == (["requested"], None)
    assert len(acme.get("/api/consents/", subject=ADA)["consents"]) == 5
    assert acme.get("/api/consents/", subject="nobody")["consents"] == []


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({}, "subject"),
        ({"subject": "a", "surrogate": "b"}, "subject"),
        ({"subject": "x" * 129}, "subject"),
        ({"subject": "a", "limit": "0"}, "limit"),
        ({"subject": "a", "limit": "101"}, "limit"),
        ({"subject": "a", "limit": "٣"}, "limit"),
        ({"subject": ["a", "b"]}, "subject"),
        ({"subject": "a", "user": "b"}, "user"),
    ],
    ids=str,
)
def test_a_list_of_nobody_in_particular_is_refused(acme: Application, params: dict[str, Any], param: str) -> None:
    assert acme.get("/api/consents/", status=400, **params)["param"] == param


def test_a_page_that_there_is_not_is_refused(acme: Application) -> None:
    acme.record()
    for before in ("x", str(uuid.uuid4())):
        assert acme.get("/api/consents/", status=400, subject=ADA, before=before)["param"] == "before"


def test_nothing_of_another_tenant_can_be_reached(acme: Application) -> None:
    consent = acme.record()["consent"]
    umbrella = Application(a_tenant("umbrella"), "consents", "subjects")
    assert umbrella.get("/api/consents/", subject=ADA)["consents"] == []
    assert umbrella.get("/api/consents/", surrogate=consent["surrogate"])["consents"] == []
    template = "/api/consents/{receipt_id}/receipt"
    umbrella.get(f"/api/consents/{consent['receipt_id']}/receipt", template=template, status=404)
    sha256 = consent["notice"]["sha256"]
    umbrella.get(f"/api/notices/{sha256}", template="/api/notices/{sha256}", status=404)
    assert umbrella.get("/api/notices/", purpose=STORE)["notices"] == []
    assert umbrella.get("/api/subjects/")["subjects"] == []


# --- what arrives late, what is sent again, and too much ----------------------------------------------------------


def test_a_decision_that_is_sent_again_after_a_withdrawal_revives_nothing(acme: Application) -> None:
    at = (timezone.now() - timedelta(minutes=1)).isoformat()
    acme.record(at=at)
    acme.post("/api/consents/withdraw", {"subject": ADA, "purpose": STORE}, status=200)
    error = acme.record(status=409, at=at)
    assert (error["code"], error["param"]) == ("older_than_recorded", "at")
    assert "anew" in error["message"]
    assert not selectors.allows(subject=ada(acme.tenant), purpose=STORE)


def test_the_same_decision_again_gives_the_first_record(acme: Application) -> None:
    first = acme.record(state="refused")
    assert acme.record(state="refused", status=200) == first
    at = timezone.now().isoformat()
    given = acme.record(at=at)
    assert acme.record(at=at, status=200) == given
    assert ConsentRecord.objects.filter(tenant=acme.tenant).count() == 2


def test_an_application_names_so_many_new_people_a_minute(acme: Application, settings: LazySettings) -> None:
    settings.NEW_SUBJECTS_PER_MINUTE = 2
    cache.clear()
    for person in ("p1", "p2"):
        acme.record(subject=person)
    body = {"subject": "p3", "purpose": STORE, "state": "given"}
    answer = acme.client.post("/api/consents/", body, content_type="application/json")
    assert checked(answer, "post", "/api/consents/", 429)["code"] == "rate_limit_exceeded"
    assert int(answer["Retry-After"]) >= 1
    assert selectors.find(tenant_id=acme.tenant.pk, external_id="p3") is None
    acme.record(subject="p1", state="reaffirmed")
    umbrella = Application(a_tenant("umbrella"))
    a_notice(umbrella.tenant)
    umbrella.record(subject="p3")


# --- notices -----------------------------------------------------------------------------------------------------


def test_people_are_shown_the_newest_notice_in_their_language(acme: Application) -> None:
    a_notice(acme.tenant, text="Second.")
    a_notice(acme.tenant, version=2, language="de", text="Zweite.")
    a_notice(acme.tenant, version=3, is_published=False)
    every = acme.get("/api/notices/", purpose=STORE)["notices"]
    assert [(each["version"], each["language"]) for each in every] == [(2, "de"), (2, "en")]
    (german,) = acme.get("/api/notices/", purpose=STORE, language="de-CH")["notices"]
    assert german["text"] == "Zweite."
    assert german["sha256"] == hashlib.sha256(b"Zweite.").hexdigest()
    assert acme.get("/api/notices/", purpose=STORE, language="fr")["notices"] == []


def test_a_notice_is_shown_as_it_was_by_its_hash(acme: Application) -> None:
    sha256 = acme.record()["consent"]["notice"]["sha256"]
    a_notice(acme.tenant)
    notice = acme.get(f"/api/notices/{sha256}", template="/api/notices/{sha256}")
    assert hashlib.sha256(notice["text"].encode()).hexdigest() == sha256
    assert notice["version"] == 1


def test_a_draft_is_nobodys_business(acme: Application) -> None:
    draft = a_notice(acme.tenant, is_published=False)
    acme.get(f"/api/notices/{draft.text_sha256}", template="/api/notices/{sha256}", status=404)


def test_which_purpose_must_be_said(acme: Application) -> None:
    assert acme.get("/api/notices/", status=400)["param"] == "purpose"


# --- people ------------------------------------------------------------------------------------------------------


def test_people_are_listed_by_surrogates(acme: Application) -> None:
    people = [a_subject(acme.tenant) for _ in range(3)]
    application = Application(acme.tenant, "subjects")
    first = application.get("/api/subjects/", limit=2)
    rest = application.get("/api/subjects/", limit=2, before=first["next"])
    listed = [each["surrogate"] for each in first["subjects"] + rest["subjects"]]
    assert listed == [person.surrogate for person in reversed(people)]
    assert rest["next"] is None
    acme.get("/api/subjects/", status=403)


def test_one_of_them_is_found_by_the_id_that_the_application_knows(acme: Application) -> None:
    person = a_subject(acme.tenant, ADA)
    a_subject(acme.tenant)
    application = Application(acme.tenant, "subjects")
    (found,) = application.get("/api/subjects/", subject=ADA)["subjects"]
    assert found["surrogate"] == person.surrogate
    assert application.get("/api/subjects/", subject="nobody")["subjects"] == []
    assert application.get("/api/subjects/", state="erased")["subjects"] == []
    assert application.get("/api/subjects/", status=400, state="gone")["param"] == "state"


# --- what others see ---------------------------------------------------------------------------------------------


def test_no_log_and_no_event_names_a_person(acme: Application) -> None:
    lines = io.StringIO()
    root = logging.getLogger()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(root.handlers[0].formatter)
    root.addHandler(handler)
    try:
        acme.record(purpose="unheard_of", status=400)
        acme.record()
        acme.get("/api/consents/", subject=ADA)
        acme.get("/api/consents/", subject=ADA, limit=0, status=400)
        acme.client.delete(f"/api/subjects/{ADA}")
        acme.client.delete(f"/api/subjects/{ADA}/more?of={ADA}")
    finally:
        root.removeHandler(handler)
    assert "/api/" in lines.getvalue()
    assert ADA not in lines.getvalue()
    assert ADA not in str(list(AuditEvent.objects.filter(tenant_id=acme.tenant.pk).values()))


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_another_method_is_refused_in_the_same_form(acme: Application, method: str) -> None:
    answer = getattr(acme.client, method)("/api/consents/")
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"
