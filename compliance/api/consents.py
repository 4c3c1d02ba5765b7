"""What people decide, told by the applications that asked them."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from compliance import selectors
from compliance.actions import consents, subjects
from compliance.actions.consents import Decision
from compliance.api import params, rates, shapes
from compliance.api.access import ApplicationView, caller_of
from compliance.api.problems import InvalidParameter
from compliance.models import ConsentRecord, Subject

TAG = "consents"


class Consents(ApplicationView):
    """Decisions of people."""

    scope = "consents"

    @extend_schema(
        **shapes.described(
            "recordConsent",
            TAG,
            shapes.RecordedOut,
            status=201,
            repeats=True,
            request=shapes.ConsentIn,
            parameters=[shapes.GPC],
            refusals={**shapes.NONSENSE, **shapes.REFUSED},
            description="Records what a person decided about one purpose. It holds from this answer on, everywhere. "
            "The same once more gives the first record, with 200.",
        )
    )
    def post(self, request: Request) -> Response:
        sent = shapes.ConsentIn(data=request.data)
        sent.is_valid(raise_exception=True)
        caller = caller_of(request)
        values = dict(sent.validated_data)
        external_id = values.pop("subject")
        rates.require_room_for(external_id, request=request, caller=caller)
        subject = subjects.enrol(tenant_id=caller.tenant_id, external_id=external_id, by=caller.actor)
        decision = Decision(**values, gpc=request.headers.get("Sec-GPC") == "1")
        done = consents.decide(subject=subject, decision=decision, by=caller.actor)
        record = done.record
        body = {
            "consent": shapes.consent(record),
            "allows": selectors.allows(subject=subject, purpose=record.purpose),
            "receipt": record.receipt,
        }
        return Response(body, status=201 if done.is_new else 200, headers=_told_of_gpc(record))

    @extend_schema(
        **shapes.described(
            "listConsents",
            TAG,
            shapes.ConsentPage,
            refusals=shapes.NONSENSE,
            parameters=[
                shapes.parameter("subject", "The person, as your requests name them."),
                shapes.parameter("surrogate", "The person, as they are called here: keeps your id out of addresses."),
                shapes.parameter("purpose", "Of one purpose only."),
                shapes.parameter("before", "The `next` of the page before."),
                shapes.parameter("limit", f"1 to {params.MOST}.", int, default=params.DEFAULT),
            ],
            description="Everything that was recorded of one person, the newest first.",
        )
    )
    def get(self, request: Request) -> Response:
        params.known_only(request, ("subject", "surrogate", "purpose", "before", "limit"))
        subject = _asked_for(request)
        records = (
            selectors.history(subject=subject, purpose=params.text(request, "purpose", most=50)) if subject else ()
        )
        page = _page(records, before=params.uuid(request, "before"), limit=params.limit(request)) if subject else []
        more = page.pop() if len(page) > params.limit(request) else None
        last = page[-1].receipt_id if more else None
        return Response({"consents": [shapes.consent(record) for record in page], "next": last})


class Withdraw(ApplicationView):
    """The way back. Its rate is not limited: who has spent it on anything else must be able to take consent back."""

    scope = "consents"
    throttle_classes = []

    @extend_schema(
        **shapes.described(
            "withdrawConsent",
            TAG,
            shapes.WithdrawnOut,
            request=shapes.WithdrawIn,
            refusals=shapes.NONSENSE,
            description="Takes consent back. The very next write stores nothing. Calling it again changes nothing.",
        )
    )
    def post(self, request: Request) -> Response:
        sent = shapes.WithdrawIn(data=request.data)
        sent.is_valid(raise_exception=True)
        caller, values = caller_of(request), sent.validated_data
        subject = subjects.find(tenant_id=caller.tenant_id, external_id=values["subject"])
        done = (
            consents.withdraw(subject=subject, purpose=values["purpose"], by=caller.actor)
            if subject
            else consents.Withdrawal(None, is_new=False)
        )
        consent = shapes.consent(done.record) if done.record else None
        receipt = done.record.receipt if done.record else None
        return Response({"outcome": done.outcome, "consent": consent, "receipt": receipt})


class Receipt(ApplicationView):
    """The evidence that a person keeps."""

    scope = "consents"

    @extend_schema(
        **shapes.described(
            "readConsentReceipt",
            TAG,
            shapes.ReceiptOut,
            refusals={**shapes.NOT_FOUND, **shapes.NOT_NOW},
            description="The signed receipt of one record.",
        )
    )
    def get(self, request: Request, receipt_id: UUID) -> Response:
        caller = caller_of(request)
        record = ConsentRecord.objects.filter(tenant_id=caller.tenant_id, receipt_id=receipt_id).first()
        if record is None:
            raise NotFound("There is no such receipt.")
        return Response(record.receipt or consents.sign_receipt(record=record))


def _asked_for(request: Request) -> Subject | None:
    """The person whom the parameters name, by either name."""
    external_id = params.text(request, "subject", most=subjects.LONGEST)
    surrogate = params.text(request, "surrogate", most=27)
    if bool(external_id) == bool(surrogate):
        raise InvalidParameter("subject", "Send either subject or surrogate, to say whose consents you want.")
    tenant_id = caller_of(request).tenant_id
    if surrogate:
        return Subject.objects.filter(tenant_id=tenant_id, surrogate=surrogate).first()
    return subjects.find(tenant_id=tenant_id, external_id=external_id)


def _page(records: Any, *, before: UUID | None, limit: int) -> list[ConsentRecord]:
    """One more than `limit`, if there are so many."""
    if before is not None:
        last = records.filter(receipt_id=before).first()
        if last is None:
            raise InvalidParameter("before", "There is no such page; send the `next` of the page before.")
        records = records.filter(pk__lt=last.pk)
    return list(records[: limit + 1])


def _told_of_gpc(record: ConsentRecord) -> dict[str, str]:
    """That the browser's opt-out was honoured must be shown (California, since 1 January 2026)."""
    return {shapes.GPC_HEADER: "honoured"} if record.opted_out_by_gpc else {}
