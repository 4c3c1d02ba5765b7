"""Versions of providers' secrets: a new one is tested before requests depend on it, and the old one stays at hand.

No transaction is open while a provider, or a place where secrets are kept, is asked.
"""

from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from compliance import announcing, rows
from compliance.announcing import Announcement
from compliance.contracts import Actor
from compliance.errors import ActionRefused, ComplianceError
from gateway import credential_sources, credentials
from gateway.addresses import address_of
from gateway.credential_sources import SourceUnreadable, trial
from gateway.credential_sources.trial import Verdict
from gateway.models import CredentialSource, Provider, ProviderCredential
from gateway.models.credentials import Origin

FAILED = "credential_rotation_failed"
TOLD_AFTER = 5
"""Looks or tests in a row that lead to nothing before people are told: a provider may be away for a minute."""

State, Outcome = ProviderCredential.State, ProviderCredential.Outcome

log = structlog.get_logger("gateway.credentials")


# --- where it comes from ---------------------------------------------------------------------------------------------


@transaction.atomic
def draw_from(*, provider: Provider, kind: str, reference: str, by: Actor) -> CredentialSource | None:
    """Says where a provider's secret is looked up from now on; kind `typed`: nowhere, it is typed in.

    What is in use stays in use until something else was found there and tested.

    Raises:
        SourceUnreadable: the reference lies outside of what the installation allows.
    """
    stored = CredentialSource.objects.select_for_update().filter(provider=provider).first()
    if kind == Origin.TYPED:
        if stored:
            rows.delete(stored, by=by)
            announcing.is_over(kind=FAILED, tenant_id=None, subject=_subject(provider.pk))
        return None
    credential_sources.check(kind, reference)
    row = stored or CredentialSource(provider=provider)
    row.kind, row.reference = kind, reference
    row.looked_at, row.problem, row.failures = None, "", 0
    return rows.change(row, by=by) if stored else rows.create(row, by=by)


def look(*, provider: Provider, by: Actor) -> ProviderCredential | None:
    """Reads a provider's secret where it is kept; a new one becomes a version, is tested, and used if it is good.

    Returns that version; None when nothing has changed.

    Raises:
        ActionRefused: the provider's secret is typed in, or it has moved meanwhile.
        SourceUnreadable: it cannot be read; what is in use stays.
        DecryptionFailed, KeyStoreUnavailable: versions cannot be compared.
    """
    source = CredentialSource.objects.select_related("provider").filter(provider=provider).first()
    if source is None:
        raise ActionRefused(f"The credential of {provider} is typed in here; there is nowhere to look.")
    try:
        found = credential_sources.read(source.kind, source.reference)
    except SourceUnreadable as error:
        _note_look(source, problem=str(error))
        raise
    _note_look(source)
    proposed = _propose(source.provider, found, origin=source.kind, by=by, only_new=True)
    return try_out(credential=proposed, by=by) if proposed else None


def look_at_all(*, by: Actor) -> int:
    """Looks at every place where secrets are kept, and tests once more what still waits for its test.

    Returns how many versions came into use. One provider's trouble is not that of the others.
    """
    before = set(_in_use())
    for provider in Provider.objects.filter(Q(source__isnull=False) | Q(credentials__state=State.PENDING)).distinct():
        try:
            _attend(provider, by=by)
        except (ActionRefused, ComplianceError) as error:
            log.warning("credential not looked at", provider=provider.slug, error=type(error).__name__)
    return len(set(_in_use()) - before)


def _attend(provider: Provider, *, by: Actor) -> None:
    if CredentialSource.objects.filter(provider=provider).exists():
        look(provider=provider, by=by)
    elif waiting := provider.credentials.filter(state=State.PENDING).first():
        try_out(credential=waiting, by=by)


@transaction.atomic
def _note_look(source: CredentialSource, *, problem: str = "") -> None:
    """Not audited: it changes nothing but what is known of the place."""
    failures = F("failures") + 1 if problem else 0
    rows_of = CredentialSource.objects.filter(pk=source.pk)
    rows_of.update(looked_at=timezone.now(), problem=problem[:300], failures=failures)
    if not problem and source.failures:
        announcing.is_over(kind=FAILED, tenant_id=None, subject=_subject(source.provider_id))
    elif problem and source.failures + 1 >= TOLD_AFTER:
        _announce(source.provider, problem)


# --- new versions ----------------------------------------------------------------------------------------------------


@transaction.atomic
def use_untested(*, provider: Provider, credential: str, by: Actor) -> ProviderCredential:
    """Stores a secret and uses it at once: for a provider that is just being set up, and has none to lose."""
    row = _new_version(provider, credential, origin=Origin.TYPED)
    _retire_current(provider, by=by)
    row.state = State.CURRENT
    return rows.create(row, by=by)


def replace(*, provider: Provider, credential: str, by: Actor, reason: str = "") -> ProviderCredential:
    """Stores a secret that somebody typed in, tests it, and uses it if the provider accepts it. Returns it as it is
    then.

    Raises:
        ActionRefused: the provider's secret is kept elsewhere, and would be replaced again by what is there; or the
            provider has moved meanwhile.
    """
    if source := CredentialSource.objects.filter(provider=provider).first():
        raise ActionRefused(
            f"The credential of {provider} comes from {source}. Change it there, or choose that it is typed in here."
        )
    if not (credential.isascii() and credential.isprintable() and 0 < len(credential) <= credential_sources.MOST_CHARS):
        raise ActionRefused("A credential is one line of letters, digits and signs of ASCII.")
    proposed = _propose(provider, credential, origin=Origin.TYPED, by=by)
    assert proposed is not None
    return try_out(credential=proposed, by=by, reason=reason)


@transaction.atomic
def _propose(
    provider: Provider, credential: str, *, origin: str, by: Actor, only_new: bool = False
) -> ProviderCredential | None:
    """The version that waits for its test with that secret; None where it is nothing new (`only_new`): it is in use, or
    was the last one to come, and was refused or rolled back."""
    row = _new_version(provider, credential, origin=origin)
    known = provider.credentials.filter(Q(version=row.version - 1) | Q(state=State.CURRENT))
    if only_new:
        same = next((each for each in known if credentials.same(each, credential)), None)
        if same is not None:
            return same if same.state == State.PENDING else None
    for waiting in provider.credentials.filter(state=State.PENDING):
        _end(waiting, State.REFUSED, by=by, verb="superseded")
    return rows.create(row, by=by)


def _new_version(provider: Provider, credential: str, *, origin: str) -> ProviderCredential:
    """The next version, not saved, for where `provider` was when the secret was asked for. Locks the provider, so that
    versions come one after another."""
    address = address_of(provider.base_url)
    if address_of(Provider.objects.select_for_update().get(pk=provider.pk).base_url) != address:
        raise ActionRefused(f"The address of {provider} has changed meanwhile. Look at it, and try again.")
    newest = provider.credentials.aggregate(newest=Max("version"))["newest"] or 0
    return ProviderCredential(
        provider=provider,
        version=newest + 1,
        origin=origin,
        sealed=credentials.seal(credential, provider=provider),
        last_four=credentials.last_four(credential),
        address=address,
    )


# --- the test, and the switch ----------------------------------------------------------------------------------------


def try_out(*, credential: ProviderCredential, by: Actor, reason: str = "") -> ProviderCredential:
    """Asks the provider whether it accepts a version that waits. Accepted: it is in use from then on. Refused: it never
    is. No clear answer: it goes on waiting. Returns it as it is then.

    Raises:
        ActionRefused: it does not wait any more, or is meant for another address.
        DecryptionFailed, KeyStoreUnavailable: it cannot be read.
    """
    row = ProviderCredential.objects.select_related("provider").get(pk=credential.pk)
    if row.state != State.PENDING:
        raise ActionRefused(f"{row} does not wait for a test: it is {row.get_state_display().lower()}.")
    _require_meant_for_here(row)
    verdict = trial.ask(base_url=row.provider.base_url, credential=credentials.opened(row))
    return _judge(row, verdict, by=by, reason=reason)


@transaction.atomic
def _judge(row: ProviderCredential, verdict: Verdict, *, by: Actor, reason: str) -> ProviderCredential:
    row = _locked(row)
    if row.state != State.PENDING:  # somebody decided meanwhile
        return row
    row.outcome, row.answered, row.tested_at, row.tests = (
        verdict.outcome,
        verdict.answered,
        timezone.now(),
        row.tests + 1,
    )
    if verdict.outcome == Outcome.GOOD:
        return _switch(row, by=by, verb="switched", reason=reason)
    if verdict.outcome == Outcome.BAD:
        _announce(row.provider, f"The provider refuses version {row.version} ({verdict.answered}).")
        return _end(row, State.REFUSED, by=by, verb="refused", reason=reason)
    if row.tests >= TOLD_AFTER:
        _announce(row.provider, f"Version {row.version} could not be tested: {verdict.answered}.")
    row.save(update_fields=("outcome", "answered", "tested_at", "tests"))  # not audited: nothing was decided
    return row


@transaction.atomic
def use_anyway(*, credential: ProviderCredential, by: Actor, reason: str) -> ProviderCredential:
    """Uses a version whatever its test said: for providers that list no models, or are slow to accept new secrets.

    Raises:
        ActionRefused: it is in use, retired or destroyed, or meant for another address.
    """
    row = _locked(credential)
    if row.state not in (State.PENDING, State.REFUSED) or row.destroyed_at:
        raise ActionRefused(f"{row} cannot be used: it is {_standing(row)}.")
    return _switch(row, by=by, verb="used_untested", reason=reason)


@transaction.atomic
def roll_back(*, credential: ProviderCredential, by: Actor, reason: str) -> ProviderCredential:
    """Uses a retired version again, as long as it is not destroyed.

    Raises:
        ActionRefused: it is not retired, or destroyed, or meant for another address.
    """
    row = _locked(credential)
    if row.state != State.RETIRED or row.destroyed_at:
        raise ActionRefused(f"{row} cannot be used again: it is {_standing(row)}.")
    return _switch(row, by=by, verb="rolled_back", reason=reason)


@transaction.atomic
def dismiss(*, credential: ProviderCredential, by: Actor, reason: str) -> ProviderCredential:
    """Gives up a version that waits for its test.

    Raises:
        ActionRefused: it does not wait.
    """
    row = _locked(credential)
    if row.state != State.PENDING:
        raise ActionRefused(f"{row} does not wait for a test: it is {_standing(row)}.")
    announcing.is_over(kind=FAILED, tenant_id=None, subject=_subject(row.provider_id))
    return _end(row, State.REFUSED, by=by, verb="dismissed", reason=reason)


def _switch(row: ProviderCredential, *, by: Actor, verb: str, reason: str) -> ProviderCredential:
    """The two change places in one transaction: gateways see one or the other, and requests under way keep theirs."""
    _require_meant_for_here(row)
    _retire_current(row.provider, by=by, reason=reason)
    row.state, row.ended_at = State.CURRENT, None
    announcing.is_over(kind=FAILED, tenant_id=None, subject=_subject(row.provider_id))
    return rows.change(row, by=by, verb=verb, reason=reason)


def _retire_current(provider: Provider, *, by: Actor, reason: str = "") -> None:
    for current in ProviderCredential.objects.select_for_update().filter(provider=provider, state=State.CURRENT):
        _end(current, State.RETIRED, by=by, verb="retired", reason=reason)


@transaction.atomic
def withdraw(*, provider: Provider, by: Actor, reason: str) -> None:
    """Retires what a provider is called with, gives up what waits, and forgets where the secret comes from: it has
    moved. Whoever may change an address must not get the secret with it. Moved back, a version can be used again.
    """
    _retire_current(provider, by=by, reason=reason)
    for waiting in provider.credentials.filter(state=State.PENDING):
        _end(waiting, State.REFUSED, by=by, verb="dismissed", reason=reason)
    draw_from(provider=provider, kind=Origin.TYPED, reference="", by=by)
    announcing.is_over(kind=FAILED, tenant_id=None, subject=_subject(provider.pk))


def _end(
    row: ProviderCredential, state: ProviderCredential.State, *, by: Actor, verb: str, reason: str = ""
) -> ProviderCredential:
    row.state, row.ended_at = state, timezone.now()
    return rows.change(row, by=by, verb=verb, reason=reason)


def _locked(row: ProviderCredential) -> ProviderCredential:
    """The version as it is now; of a provider only one switches at a time."""
    Provider.objects.select_for_update().get(pk=row.provider_id)
    return ProviderCredential.objects.select_for_update(of=("self",)).select_related("provider").get(pk=row.pk)


def _require_meant_for_here(row: ProviderCredential) -> None:
    if not credentials.is_meant_for(row, row.provider):
        raise ActionRefused(
            f"{row} was stored for {row.address}, and the provider is elsewhere now. Type in a new one."
        )


def _standing(row: ProviderCredential) -> str:
    return "destroyed" if row.destroyed_at else row.get_state_display().lower()


# --- the end of old ones ---------------------------------------------------------------------------------------------


def destroy_old(*, by: Actor) -> int:
    """Destroys secrets that were retired or refused CREDENTIAL_KEEP_DAYS ago; returns how many.

    The newest version of a provider whose secret is kept elsewhere stays, whatever became of it: it tells that what
    lies there is nothing new.
    """
    before = timezone.now() - timedelta(days=settings.CREDENTIAL_KEEP_DAYS)
    due = ProviderCredential.objects.filter(ended_at__lte=before, destroyed_at=None).select_related("provider")
    return sum(_destroy(row, by=by) for row in due if not _tells_what_is_known(row))


def _tells_what_is_known(row: ProviderCredential) -> bool:
    newer = ProviderCredential.objects.filter(provider=row.provider_id, version__gt=row.version)
    return CredentialSource.objects.filter(provider=row.provider_id).exists() and not newer.exists()


@transaction.atomic
def _destroy(row: ProviderCredential, *, by: Actor) -> bool:
    row = _locked(row)
    if row.destroyed_at or row.state not in (State.RETIRED, State.REFUSED):
        return False
    row.sealed, row.destroyed_at = None, timezone.now()
    rows.change(row, by=by, verb="destroyed")
    return True


# --- telling ---------------------------------------------------------------------------------------------------------


def _announce(provider: Provider, why: str) -> None:
    announcing.announce(
        Announcement(
            kind=FAILED,
            tenant_id=None,
            subject=_subject(provider.pk),
            label=f"The credential of {provider} could not be renewed. {why} The one before stays in use.",
            facts={"provider": provider.slug, "why": why},
        )
    )


def _subject(provider_id: int) -> str:
    return f"provider {provider_id}"


def _in_use() -> list[int]:
    return list(ProviderCredential.objects.filter(state=State.CURRENT).values_list("pk", flat=True))
