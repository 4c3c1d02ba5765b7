"""What people of the demo agreed to, what was stored of them, and what they ask for."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.models import Application, Tenant
from billing.models import UsageRecord
from compliance.actions import consents, content_policies, holds, keys, notices, requests, subjects
from compliance.actions.consents import Decision
from compliance.actions.requests import Asked
from compliance.contracts import Actor
from compliance.envelope import seal_record
from compliance.keyring.store import DataKey
from compliance.models import ConsentNotice, ContentPolicy, LegalHold, Purpose, Subject
from compliance.rights import Right
from compliance.transcripts import place_of
from gateway.demo import tenants

STORE, TRAINING = Purpose.STORE_CONVERSATIONS, "training"
AGREED = timedelta(days=45)
"""So long ago people were asked: before the history begins, and before the oldest conversation."""
STORED = timedelta(days=3)
MOST_STORED = 120
DUE, OVER = 9, timedelta(days=31)
"""So many conversations are so old that the next purge removes them."""

NOTICES = {
    (STORE, "en"): (
        "Your conversations with our support assistant",
        "If you agree, we keep what you write to our assistant and what it answers for 30 days, to look into "
        "complaints. You can withdraw at any time; then it is erased.",
    ),
    (STORE, "de"): (
        "Ihre Gespräche mit unserem Assistenten",
        "Wenn Sie einverstanden sind, bewahren wir 30 Tage lang auf, was Sie unserem Assistenten schreiben und was er "
        "antwortet, um Beschwerden nachzugehen. Sie können jederzeit widerrufen; dann wird es gelöscht.",
    ),
    (TRAINING, "en"): (
        "Better answers",
        "If you agree, we also use your conversations to improve our assistant. You can withdraw at any time.",
    ),
}
CONTROLLER = "Acme Ltd, 1 Harbour Road, Port Town, privacy@acme.example"

GIVEN = tuple(f"user-{number}" for number in range(1, 11))
REFUSED, WITHDRAWN = ("user-13", "user-14"), ("user-15",)
TRAINS = ("user-1", "user-4")

ASKED = (
    ("user-2", Right.ACCESS, timedelta(days=27), "Please send me everything that you keep about me."),
    ("user-6", Right.RECTIFICATION, timedelta(days=9), "My order was number 1042, not 1024."),
    ("user-9", Right.ERASURE, timedelta(days=2), ""),
)
"""Who, what, how long ago, and in which words."""

SAID = (
    ("Where is my order 1042?", "It left our warehouse this morning and should arrive tomorrow."),
    ("How do I return a lamp?", "Print the label from your account and hand the parcel in at any post office."),
    ("The lamp flickers. What can I do?", "Screw the bulb in tightly first. If it still flickers, we will replace it."),
    ("Can I pay by invoice?", "Yes, up to $200, if your address has been confirmed."),
)


def seed(*, by: Actor) -> None:
    """Lets Acme store the conversations of those who agreed, with some of the history, and a queue of requests."""
    acme = Tenant.objects.get(slug=tenants.ACME.slug)
    _tell(acme, by=by)
    policy = ContentPolicy(tenant=acme, store=True, controller=CONTROLLER)
    content_policies.put(policy=policy, by=by)
    people = _decide(acme, by=by)
    _store(acme, people)
    _ask_for_a_hold(acme, people["user-3"], by=by)
    for name, right, ago, words in ASKED:
        asked = Asked(right=right, details=words, received_at=timezone.now() - ago)
        requests.receive(subject=people[name], asked=asked, by=by)


def _tell(acme: Tenant, *, by: Actor) -> None:
    for (purpose, language), (title, text) in NOTICES.items():
        notice = ConsentNotice(
            tenant=acme,
            purpose=purpose,
            version=1,
            language=language,
            title=title,
            text=text,
            controller=CONTROLLER,
            personal_data=["prompts", "answers"],
            storage_location="EU",
            jurisdiction="EU",
            retention="30 days",
            withdrawal_method="In your account, under Privacy",
            rights=["access", "rectification", "erasure", "restriction", "portability", "objection"],
        )
        notices.publish(notice=notices.draft(notice=notice, by=by), by=by)


def _decide(acme: Tenant, *, by: Actor) -> dict[str, Subject]:
    """The people who decided something, by what Acme's applications call them."""
    names = (*GIVEN, *REFUSED, *WITHDRAWN)
    people = {name: subjects.enrol(tenant_id=acme.pk, external_id=name, by=by) for name in names}
    for name, subject in people.items():
        consents.record(subject=subject, decision=_decision(STORE, given=name not in REFUSED), by=by)
        if name in TRAINS:
            consents.record(subject=subject, decision=_decision(TRAINING, given=True), by=by)
        if name in WITHDRAWN:
            consents.withdraw(subject=subject, purpose=STORE, by=by)
    return people


def _decision(purpose: str, *, given: bool) -> Decision:
    return Decision(
        purpose=purpose,
        state="given" if given else "refused",
        at=timezone.now() - AGREED,
        collection_method="banner in the account",
    )


def _store(acme: Tenant, people: dict[str, Subject]) -> None:
    """Sends the latest requests of the history to the INSERT that decides what is stored, as the data plane does."""
    found = {subject.surrogate for subject in people.values()}
    data_keys = keys.make_subject_keys(tenant_id=acme.pk, surrogates=sorted(found))
    batch, contents = [], b""
    history = list(_history(acme))
    given = {people[name].surrogate for name in GIVEN}
    agreed = [record for record in history if record.end_user in given]
    for number, record in enumerate([*history, *map(_older, agreed[:DUE])]):
        if key := data_keys.get(record.end_user):
            entry, sealed = _sealed(record, number, key)
        else:
            entry, sealed = {"reason": "no_consent"}, b""
        batch.append({**_entry(record), **entry, "place": len(contents), "length": len(sealed)})
        contents += sealed
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM store_transcripts(%s::jsonb, %s::bytea)", [json.dumps(batch), contents])


def _history(acme: Tenant) -> Iterator[UsageRecord]:
    support = Application.objects.get(tenant=acme, slug="support")
    rows = UsageRecord.objects.filter(application_id=support.pk, outcome="completed", at__gte=timezone.now() - STORED)
    return rows.exclude(end_user="").order_by("-at")[:MOST_STORED].iterator()


def _older(record: UsageRecord) -> UsageRecord:
    """What the same person could have asked before the history begins."""
    values = {field.attname: getattr(record, field.attname) for field in record._meta.concrete_fields}
    return UsageRecord(**values | {"request_id": uuid.uuid4(), "at": record.at - OVER})


def _ask_for_a_hold(acme: Tenant, person: Subject, *, by: Actor) -> None:
    """A second person has to approve it before it keeps anything."""
    hold = LegalHold(
        tenant=acme,
        title="Complaint about order 1042",
        matter="C-1042",
        reason="The customer went to the ombudsman; what was said may be evidence.",
        scope=LegalHold.Scope.SUBJECT,
        surrogate=person.surrogate,
    )
    holds.request(hold=hold, by=by)


def _entry(record: UsageRecord) -> dict[str, Any]:
    return {
        "request_id": str(record.request_id),
        "tenant_id": record.tenant_id,
        "surrogate": record.end_user,
        "at": record.at.isoformat(),
        "reason": "",
        "application_id": record.application_id,
        "api_key_id": record.api_key_id,
        "environment": record.environment,
        "model": record.model,
        "outcome": record.outcome,
        "streamed": record.streamed,
        "purpose": STORE,
        "gpc": False,
        "redacted": False,
    }


def _sealed(record: UsageRecord, number: int, key: DataKey) -> tuple[dict[str, Any], bytes]:
    plain = json.dumps(_content(record.model, number)).encode()
    place = place_of(
        tenant_id=record.tenant_id, surrogate=record.end_user, request_id=str(record.request_id), purpose=STORE
    )
    sealed = seal_record(plain, key=key.key, key_id=key.id, place=place)
    return {"key_id": str(key.id), "plain_bytes": len(plain)}, sealed


def _content(model: str, number: int) -> dict[str, Any]:
    asked, answered = SAID[number % len(SAID)]
    system = {"role": "system", "content": "You help the customers of a shop for lamps."}
    answer = {"index": 0, "message": {"role": "assistant", "content": answered}, "finish_reason": "stop"}
    return {
        "request": {"model": model, "messages": [system, {"role": "user", "content": asked}]},
        "answer": {"choices": [answer]},
    }
