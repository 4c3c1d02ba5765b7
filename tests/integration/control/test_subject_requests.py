"""Requests of people: how they move, until when they are due, and that nothing gets past the table of states."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, InternalError, ProgrammingError, connection, transaction
from django.utils import timezone

from compliance import request_clock, sealing
from compliance.actions import identity, regimes, request_moves, requests
from compliance.actions.requests import Asked
from compliance.errors import IllegalMove, RequestRefused, SubjectErased
from compliance.models import AuditEvent, ContentPolicy, Regime, SubjectRequest, SubjectRequestEvent
from compliance.request_states import NEXT, State, is_legal
from compliance.rights import Right
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_content_policy, a_request, a_subject

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def states_of(request: SubjectRequest) -> list[str]:
    return [event.after for event in request.events.filter(kind="moved")]


def test_it_works() -> None:
    request = a_request(state="queued")
    assert states_of(request) == [
        *("received", "acknowledged", "identity_verified", "in_review", "approved", "queued"),
    ]
    assert request.identity == "officer"
    assert request.acknowledged_at
    assert request.decided_by == "system tests"
    actions = AuditEvent.objects.filter(target_kind="subjectrequest", target_id=str(request.pk)).order_by("id")
    assert [event.action for event in actions] == [f"subjectrequest.{state}" for state in states_of(request)]


def test_it_is_due_by_the_tenants_regime_and_days() -> None:
    acme = a_tenant(time_zone="America/Los_Angeles")
    a_content_policy(acme, regime="ccpa")
    late = datetime(2026, 1, 15, 7, 30, tzinfo=UTC)  # still the 14th there
    request = a_request(a_subject(acme), received_at=late)
    assert (str(request.acknowledge_by), str(request.due_on)) == ("2026-01-28", "2026-02-28")
    assert request.due_at == datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert "CCPA gives 45 days" in request.because[1]


def test_a_request_may_name_another_regime_than_the_tenants() -> None:
    received = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert str(a_request(received_at=received).due_on) == "2026-07-01"
    assert str(a_request(received_at=received, regime="ccpa").due_on) == "2026-07-16"
    with pytest.raises(RequestRefused, match="no regime"):
        a_request(regime="hammurabi")


def own_regime(**fields: Any) -> Regime:
    values = {"slug": "own", "name": "Own", "answer_count": 10, "answer_unit": "business_days", "weekend": [5, 6]}
    return regimes.add(
        regime=Regime(tenant=fields.pop("tenant", None) or a_tenant(), **(values | fields)), by=THE_SYSTEM
    )


def test_a_tenants_own_regime_holds_and_requests_keep_its_terms() -> None:
    regime = own_regime(holidays=["2026-12-25"])
    ContentPolicy.objects.filter(tenant=regime.tenant).delete()
    a_content_policy(regime.tenant, regime="own")
    ada = a_subject(regime.tenant)
    request = a_request(ada, received_at=datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert str(request.due_on) == "2026-12-04"
    regime.answer_count = 2
    regimes.change(regime=regime, by=THE_SYSTEM)
    request.refresh_from_db()
    assert str(request_clock.deadlines_of(request).due_on) == "2026-12-04"
    assert str(a_request(ada, received_at=datetime(2026, 11, 20, 12, tzinfo=UTC)).due_on) == "2026-11-24"


@pytest.mark.parametrize(
    "wrong",
    [{"slug": "gdpr"}, {"weekend": [0, 1, 2, 3, 4, 5, 6]}, {"weekend": [9]}, {"answer_count": 0}],
    ids=["built in", "no working day", "no such day", "no time"],
)
def test_a_regime_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        own_regime(**wrong)


def test_only_the_moves_of_the_table_are_taken() -> None:
    request = a_request()
    for state in State:
        if not is_legal(State.RECEIVED, state):
            with pytest.raises(IllegalMove):
                request_moves.move(request=request, to=state, by=THE_SYSTEM)
    request.refresh_from_db()
    assert request.state == "received"
    assert states_of(request) == ["received"]


def is_taken(request: SubjectRequest, before: State, after: State, first: SubjectRequest) -> bool:
    """Whether the database takes the move, everything else about the row being as it must."""
    change = {
        "state_before": before,
        "state": after,
        "decision_reason": "as the test says",
        "closed_at": timezone.now() if not NEXT[after] else None,
        "duplicate_of": first if after == State.DUPLICATE else None,
    }
    try:
        with transaction.atomic():
            return SubjectRequest.objects.filter(pk=request.pk).update(**change) == 1
    except IntegrityError as error:
        if "request_moves_as_the_table_says" not in str(error):
            raise
        return False


def test_the_database_itself_knows_the_table() -> None:
    request = a_request(state="queued")
    first = a_request(request.subject)
    pairs = list(itertools.product(State, State))
    assert [pair for pair in pairs if is_taken(request, *pair, first)] == [pair for pair in pairs if is_legal(*pair)]


REFUSED = {"state_before": "in_review", "state": "refused"}


@pytest.mark.parametrize(
    ("state", "change", "rule"),
    [
        ("acknowledged", {"state_before": "identity_verified", "state": "in_review"}, "identity_is_settled_first"),
        ("in_review", {"state_before": "in_review", "state": "approved"}, "is_decided_first"),
        (
            "in_review",
            {"state_before": "in_review", "state": "refused", "closed_at": timezone.now()},
            "refused_has_reason",
        ),
        ("received", {"state_before": "received", "state": "withdrawn"}, "closed_has_time"),
        ("received", {"code_attempts": 6}, "code_tried_five_times"),
        ("received", {"extended_at": timezone.now()}, "extended_has_reason"),
    ],
    ids=["identity", "decision", "reason", "time", "tries", "extension"],
)
def test_the_database_holds_what_must_come_first(state: str, change: dict[str, Any], rule: str) -> None:
    request = a_request(state=state)
    with pytest.raises(IntegrityError, match=f"request_{rule}"), transaction.atomic():
        SubjectRequest.objects.filter(pk=request.pk).update(**change)


def test_the_history_only_grows() -> None:
    event = a_request().events.get()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else TRUNCATE is refused for another reason
    for statement in (
        f"UPDATE compliance_subjectrequestevent SET reason = 'x' WHERE id = {event.pk}",
        f"DELETE FROM compliance_subjectrequestevent WHERE id = {event.pk}",
        "TRUNCATE compliance_subjectrequestevent",
    ):
        with (
            pytest.raises((ProgrammingError, InternalError), match="only grows"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_the_history_of_a_request_closed_two_years_ago_may_go() -> None:
    request = requests.withdraw(request=a_request(), by=THE_SYSTEM)
    SubjectRequest.objects.filter(pk=request.pk).update(closed_at=timezone.now() - timedelta(days=800))
    assert SubjectRequestEvent.objects.filter(request=request).delete()[0] == 2


# --- extension ---------------------------------------------------------------------------------------------------


def test_an_extension_gives_the_further_time_once() -> None:
    request = a_request(state="in_review", received_at=timezone.now() - timedelta(days=3))
    first = request.due_on
    longer = requests.extend(request=request, by=THE_SYSTEM, reason="many conversations")
    assert longer.state == "extended"
    assert longer.due_on > first
    assert longer.due_on == request_clock.deadlines_of(longer).due_on
    event = longer.events.get(kind="extended")
    assert event.details == {"from": first.isoformat(), "until": longer.due_on.isoformat()}
    again = requests.review(request=longer, by=THE_SYSTEM)
    with pytest.raises(RequestRefused, match="extended already"):
        requests.extend(request=again, by=THE_SYSTEM, reason="more")


def test_an_extension_after_the_first_deadline_is_refused() -> None:
    late = a_request(state="in_review", received_at=timezone.now() - timedelta(days=60))
    with pytest.raises(RequestRefused, match="was due"):
        requests.extend(request=late, by=THE_SYSTEM, reason="we forgot")


def test_an_extension_needs_a_reason_and_a_regime_that_knows_it() -> None:
    request = a_request(state="in_review")
    with pytest.raises(ValidationError):
        requests.extend(request=request, by=THE_SYSTEM, reason=" ")
    opt_out = a_request(right="opt_out", state="in_review", regime="ccpa")
    with pytest.raises(RequestRefused, match="no more time"):
        requests.extend(request=opt_out, by=THE_SYSTEM, reason="many")


# --- the clock ---------------------------------------------------------------------------------------------------


def paused(regime: str, *, days: int) -> tuple[SubjectRequest, SubjectRequest]:
    """A request before and after it waited so long for a clarification."""
    before = a_request(state="identity_verified", regime=regime)
    asked = requests.ask_back(request=before, by=THE_SYSTEM, reason="Which account?")
    if asked.paused_since:
        SubjectRequest.objects.filter(pk=asked.pk).update(paused_since=timezone.now() - timedelta(days=days))
    return before, requests.review(request=asked, by=THE_SYSTEM)


def test_the_clock_stands_still_where_the_regime_says_so() -> None:
    before, after = paused("uk_gdpr", days=40)
    assert after.paused_days == 40
    assert after.due_on == request_clock.deadlines_of(after).due_on >= before.due_on + timedelta(days=38)
    assert [event.kind for event in after.events.filter(kind__in=("paused", "resumed"))] == ["paused", "resumed"]


def test_the_clock_runs_on_where_it_does_not() -> None:
    before, after = paused("gdpr", days=40)
    assert (after.paused_days, after.due_on) == (0, before.due_on)


# --- what is received --------------------------------------------------------------------------------------------


def test_a_persons_words_are_kept_under_their_own_key_only() -> None:
    words = "I live in Canary Lane 7"
    request = a_request(details=words)
    assert words.encode() not in bytes(request.details or b"")
    key = sealing.key_of(request.subject)
    opened = sealing.opened(
        request.details or b"",
        subject=request.subject,
        key=key,
        record_type=sealing.DETAILS,
        record_id=str(request.public_id),
    )
    assert opened == words
    assert not [event for event in AuditEvent.objects.filter(tenant_id=request.tenant_id) if words in str(event.after)]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"right": "rectification"}, RequestRefused),
        ({"right": "withdrawal", "purpose": "no-such-purpose"}, RequestRefused),
        ({"right": "access", "purpose": "training"}, RequestRefused),
        ({"received_at": timezone.now() + timedelta(days=1)}, ValidationError),
        ({"details": "x" * (requests.LONGEST + 1)}, ValidationError),
    ],
    ids=["no correction", "no such purpose", "a purpose too many", "future", "too long"],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        a_request(**fields)


def test_of_an_erased_person_only_erasure_can_be_asked() -> None:
    ada = a_subject()
    type(ada).objects.filter(pk=ada.pk).update(state="erased", external_id=None)
    ada.refresh_from_db()
    with pytest.raises(SubjectErased):
        a_request(ada)
    assert requests.receive(subject=ada, asked=Asked(right=Right.ERASURE), by=THE_SYSTEM).pk


# --- beside the way ----------------------------------------------------------------------------------------------


def test_nobody_looks_into_a_request_whose_identity_is_not_proved() -> None:
    request = a_request(state="acknowledged")
    asked = requests.ask_back(request=request, by=THE_SYSTEM, reason="Who are you?")
    with pytest.raises(RequestRefused, match="who asks"):
        requests.review(request=asked, by=THE_SYSTEM)
    proved = identity.vouch(request=asked, by=THE_SYSTEM)
    assert requests.review(request=proved, by=THE_SYSTEM).state == "in_review"


def test_a_right_without_proof_needs_none() -> None:
    request = a_request(right="withdrawal", state="identity_verified")
    assert request.identity == "not_needed"


def test_what_is_on_hold_goes_on_where_it_stood() -> None:
    undecided = requests.hold(request=a_request(state="in_review"), by=THE_SYSTEM, reason="ill")
    assert requests.resume(request=undecided, by=THE_SYSTEM).state == "in_review"
    decided = requests.hold(request=a_request(state="queued"), by=THE_SYSTEM, reason="ill")
    assert requests.resume(request=decided, by=THE_SYSTEM).state == "queued"


def test_a_refusal_and_a_part_need_reasons() -> None:
    request = a_request(state="in_review")
    for action in (requests.refuse, requests.approve_partially):
        with pytest.raises(ValidationError):
            action(request=request, by=THE_SYSTEM, reason="")
    assert requests.refuse(request=request, by=THE_SYSTEM, reason="manifestly unfounded").closed_at


def test_a_duplicate_names_a_request_of_the_same_person_for_the_same() -> None:
    first = a_request()
    second = a_request(first.subject)
    for other in (second, a_request(first.subject, "erasure"), a_request()):
        with pytest.raises(RequestRefused):
            requests.mark_duplicate(request=second, of=other, by=THE_SYSTEM)
    closed = requests.mark_duplicate(request=second, of=first, by=THE_SYSTEM)
    assert (closed.state, closed.duplicate_of) == ("duplicate", first)
    assert closed.closed_at
