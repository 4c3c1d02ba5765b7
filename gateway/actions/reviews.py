"""What reviewers do with exchanges that guards have flagged: confirm, dismiss, note, and block who sent them."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from accounts.actions import keys
from accounts.models import ApiKey
from compliance import audit, rows
from compliance.actions import subjects
from compliance.contracts import Actor
from compliance.errors import ActionRefused
from gateway import selectors
from gateway.models import GuardCount, ReviewItem

State = ReviewItem.State
NOTE_MOST = 500


def confirm(*, item: ReviewItem, by: Actor, reason: str = "") -> ReviewItem:
    """Says that the guards were right.

    Raises:
        ActionRefused: somebody has said so already.
    """
    return _decide(item, State.CONFIRMED, "confirmed", by=by, reason=reason)


def dismiss(*, item: ReviewItem, by: Actor, reason: str = "") -> ReviewItem:
    """Says that there was nothing in it.

    Raises:
        ActionRefused: somebody has said so already.
    """
    return _decide(item, State.DISMISSED, "dismissed", by=by, reason=reason)


def reopen(*, item: ReviewItem, by: Actor, reason: str = "") -> ReviewItem:
    """Puts it up for review again. Who was blocked stays blocked.

    Raises:
        ActionRefused: it is open.
    """
    return _decide(item, State.OPEN, "reopened", by=by, reason=reason)


@transaction.atomic
def note(*, item: ReviewItem, by: Actor, reason: str) -> ReviewItem:
    """Writes something down about it, for those who look at it next. It stays in the audit log, too.

    Raises:
        ValidationError: nothing, or too much, was written.
    """
    text = reason.strip()
    if not text or len(text) > NOTE_MOST:
        raise ValidationError(f"Write 1 to {NOTE_MOST:,} characters.")
    item = _locked(item)
    item.notes = [*item.notes, {"by": _name_of(by), "at": timezone.now().isoformat(), "text": text}]
    item.save(update_fields=("notes",))
    audit.record(by=by, action="reviewitem.noted", target=audit.target_of(item), tenant_id=item.tenant_id, reason=text)
    return item


@transaction.atomic
def block_key(*, item: ReviewItem, by: Actor, reason: str) -> ReviewItem:
    """Confirms it, and suspends the key that was used. It can be resumed on the key's own page.

    Raises:
        ValidationError: no reason.
        ActionRefused: the key is gone.
        KeyNotActive: it was revoked.
    """
    _require_reason(reason)
    item = _locked(item)
    key = ApiKey.objects.filter(pk=item.api_key_id).first()
    if key is None:
        raise ActionRefused("The key is gone, so there is nothing to block.")
    keys.suspend(key=key, by=by, reason=reason)
    return _blocked(item, "key_blocked_at", "key_blocked", by=by, reason=reason)


@transaction.atomic
def block_subject(*, item: ReviewItem, by: Actor, reason: str) -> ReviewItem:
    """Confirms it, and has the requests of the person refused who was named in it; ended on the person's own page.

    Raises:
        ValidationError: no reason.
        ActionRefused: the request named nobody, or the person is erased since.
    """
    item = _locked(item)
    person = selectors.person_of(item)
    if person is None:
        raise ActionRefused("The request named nobody, or who it was is not known any more.")
    subjects.block(subject=person, by=by, reason=reason)
    return _blocked(item, "person_blocked_at", "person_blocked", by=by, reason=reason)


@transaction.atomic
def delete_of_tenant(*, tenant_id: int, by: Actor) -> int:
    """Deletes what of a tenant that leaves was put up for review, and how often its guards found something."""
    counts, _ = GuardCount.objects.filter(tenant_id=tenant_id).delete()
    items, _ = ReviewItem.objects.filter(tenant_id=tenant_id).delete()
    return counts + items


# --- writing ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def _decide(item: ReviewItem, state: ReviewItem.State, verb: str, *, by: Actor, reason: str) -> ReviewItem:
    item = _locked(item)
    if item.state == state:
        raise ActionRefused(f"It is {item.get_state_display().lower()} already{_by_whom(item)}.")
    _put(item, state, by=by)
    return rows.change(item, by=by, verb=verb, reason=reason, fields=_DECIDED)


def _blocked(item: ReviewItem, column: str, verb: str, *, by: Actor, reason: str) -> ReviewItem:
    setattr(item, column, timezone.now())
    _put(item, State.CONFIRMED, by=by)
    return rows.change(item, by=by, verb=verb, reason=reason, fields=(*_DECIDED, column))


def _put(item: ReviewItem, state: ReviewItem.State, *, by: Actor) -> None:
    is_open = state == State.OPEN
    item.state = state
    item.decided_by, item.decided_at = ("", None) if is_open else (_name_of(by), timezone.now())


_DECIDED = ("state", "decided_by", "decided_at")


def _locked(item: ReviewItem) -> ReviewItem:
    return ReviewItem.objects.select_for_update().get(pk=item.pk)


def _name_of(by: Actor) -> str:
    return f"{by.kind} {by.id}"[:120]


def _by_whom(item: ReviewItem) -> str:
    return f", since {item.decided_at:%Y-%m-%d %H:%M} UTC" if item.decided_at else ""


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise ValidationError("Say why; the reason stays in the audit log.")
