"""Versions of a provider's credential: nothing comes into use untested, and the one before stays at hand."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from compliance import announcing
from compliance.announcing import Announcement
from compliance.errors import ActionRefused, DecryptionFailed
from compliance.models import AuditEvent
from gateway import compile, credentials
from gateway.actions import credentials as actions
from gateway.credential_sources import trial
from gateway.models import Provider, ProviderCredential
from tests.factories import THE_SYSTEM, a_model, a_provider
from tests.factories.upstreams import Listing, answering

pytestmark = pytest.mark.django_db

OLD, NEW, WRONG = "sk-the-old-one-aaaa", "sk-the-new-one-zzzz", "sk-a-wrong-one-xxxx"


@pytest.fixture
def upstream() -> Iterator[Listing]:
    with answering({OLD: 200, NEW: 200}) as listing:
        yield listing


@pytest.fixture
def provider(upstream: Listing) -> Provider:
    return a_provider(upstream.url, credential=OLD)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Announcement]]:
    """What is open, as the alert log would have it."""
    kept = list(announcing._channels)
    open_ones: list[Announcement] = []

    def tell(each: Announcement) -> bool:
        is_new = each.subject not in [other.subject for other in open_ones]
        open_ones.extend([each] * is_new)
        return is_new

    def close(kind: str, tenant_id: int | None, subject: str) -> int:
        over = [each for each in open_ones if (each.kind, each.subject) == (kind, subject)]
        for each in over:
            open_ones.remove(each)
        return len(over)

    announcing.use(tell, close)
    yield open_ones
    announcing._channels[:] = kept


def states(provider: Provider) -> dict[int, str]:
    return dict(provider.credentials.order_by("version").values_list("version", "state"))


def version(provider: Provider, number: int) -> ProviderCredential:
    return provider.credentials.get(version=number)


def test_what_the_provider_accepts_is_used(provider: Provider, upstream: Listing) -> None:
    row = actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    assert (row.version, row.state, row.outcome) == (2, "current", "good")
    assert credentials.credential_of(provider) == NEW
    assert upstream.asked == [NEW]
    assert upstream.paths == ["/v1/models"]
    assert states(provider) == {1: "retired", 2: "current"}


@pytest.mark.parametrize("status", [401, 403])
def test_what_the_provider_refuses_is_not_used(
    provider: Provider, upstream: Listing, told: list[Announcement], status: int
) -> None:
    upstream.otherwise = status
    row = actions.replace(provider=provider, credential=WRONG, by=THE_SYSTEM)
    assert (row.state, row.outcome, row.answered) == ("refused", "bad", f"status {status}")
    assert credentials.credential_of(provider) == OLD
    assert [each.kind for each in told] == ["credential_rotation_failed"]
    assert WRONG not in str(told)


@pytest.mark.parametrize("status", [404, 429, 500, 302])
def test_without_a_clear_answer_it_waits(provider: Provider, upstream: Listing, status: int) -> None:
    upstream.statuses[NEW] = status
    row = actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    assert (row.state, row.outcome) == ("pending", "unknown")
    assert credentials.credential_of(provider) == OLD
    upstream.statuses[NEW] = 200
    assert actions.look_at_all(by=THE_SYSTEM) == 1
    assert credentials.credential_of(provider) == NEW


def test_an_unreachable_provider_is_no_clear_answer() -> None:
    provider = a_provider("http://127.0.0.1:9/v1", credential=OLD)
    assert actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM).outcome == "unknown"


def test_people_are_told_of_what_waits_in_vain(provider: Provider, upstream: Listing, told: list[Announcement]) -> None:
    upstream.statuses[NEW] = 500
    row = actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    for _ in range(actions.TOLD_AFTER - 2):
        actions.try_out(credential=row, by=THE_SYSTEM)
    assert told == []
    actions.try_out(credential=row, by=THE_SYSTEM)
    assert len(told) == 1
    actions.use_anyway(credential=row, by=THE_SYSTEM, reason="it lists no models")
    assert told == []


def test_it_can_be_used_anyway(provider: Provider, upstream: Listing) -> None:
    upstream.statuses[NEW] = 404
    row = actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    actions.use_anyway(credential=row, by=THE_SYSTEM, reason="it lists no models")
    assert credentials.credential_of(provider) == NEW
    event = AuditEvent.objects.get(action="providercredential.used_untested")
    assert event.reason == "it lists no models"


def test_the_one_before_can_be_used_again(provider: Provider) -> None:
    actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    actions.roll_back(credential=version(provider, 1), by=THE_SYSTEM, reason="refusals")
    assert states(provider) == {1: "current", 2: "retired"}
    assert credentials.credential_of(provider) == OLD


def test_old_ones_are_destroyed(provider: Provider, settings: Any) -> None:
    actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    assert actions.destroy_old(by=THE_SYSTEM) == 0
    long_ago = timezone.now() - timedelta(days=settings.CREDENTIAL_KEEP_DAYS, seconds=1)
    provider.credentials.filter(version=1).update(ended_at=long_ago)
    assert actions.destroy_old(by=THE_SYSTEM) == 1
    gone = version(provider, 1)
    assert gone.sealed is None
    with pytest.raises(DecryptionFailed):
        credentials.opened(gone)
    with pytest.raises(ActionRefused, match="destroyed"):
        actions.roll_back(credential=gone, by=THE_SYSTEM, reason="too late")
    assert credentials.credential_of(provider) == NEW


def test_a_newer_proposal_takes_the_place_of_one_that_waits(provider: Provider, upstream: Listing) -> None:
    upstream.statuses[WRONG] = 500
    actions.replace(provider=provider, credential=WRONG, by=THE_SYSTEM)
    actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    assert states(provider) == {1: "retired", 2: "refused", 3: "current"}


def test_what_was_decided_meanwhile_holds(provider: Provider, upstream: Listing, monkeypatch: Any) -> None:
    upstream.statuses[NEW] = 500
    row = actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    upstream.statuses[NEW] = 200
    ask = trial.ask

    def and_somebody_gives_it_up(**asked: Any) -> Any:
        actions.dismiss(credential=row, by=THE_SYSTEM, reason="a mistake")
        return ask(**asked)

    monkeypatch.setattr(trial, "ask", and_somebody_gives_it_up)
    assert actions.try_out(credential=row, by=THE_SYSTEM).state == "refused"
    assert credentials.credential_of(provider) == OLD


@pytest.mark.parametrize("state", ["current", "pending"])
def test_the_database_holds_one_of_each(provider: Provider, upstream: Listing, state: str) -> None:
    upstream.statuses[NEW] = 500
    actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    with pytest.raises(IntegrityError), transaction.atomic():
        provider.credentials.create(version=9, state=state, sealed=b"x")


def test_what_waits_or_is_retired_makes_no_gateway_forget_its_policy(provider: Provider, upstream: Listing) -> None:
    upstream.statuses[NEW] = 500
    before = compile.revisions_of([0])
    row = actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    assert compile.revisions_of([0]) == before
    with connection.cursor() as cursor:
        cursor.execute("UPDATE gateway_providercredential SET tests = 9 WHERE id = %s", [row.pk])
    assert compile.revisions_of([0]) == before
    actions.use_anyway(credential=row, by=THE_SYSTEM, reason="now")
    assert compile.revisions_of([0]) != before


def test_routes_carry_the_version_in_use(provider: Provider) -> None:
    name = a_model(provider).name
    actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    assert compile.route_table().value.models[name].routes[0].credential == NEW


def test_no_event_holds_a_secret(provider: Provider) -> None:
    actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    actions.roll_back(credential=version(provider, 1), by=THE_SYSTEM, reason="back")
    told = str(list(AuditEvent.objects.values_list("before", "after")))
    assert OLD[:-4] not in told
    assert NEW[:-4] not in told


@pytest.mark.parametrize("text", ["", "two\nlines", "é" * 20, "x" * 2001], ids=["empty", "lines", "letters", "long"])
def test_what_no_header_can_carry_is_refused(provider: Provider, text: str) -> None:
    with pytest.raises(ActionRefused):
        actions.replace(provider=provider, credential=text, by=THE_SYSTEM)
    assert states(provider) == {1: "current"}
