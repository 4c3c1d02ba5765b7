"""What can be done with the streams that deliver the audit log."""

from datetime import UTC
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from compliance import announcing, audit, outside, rows, sealed
from compliance.contracts import Actor
from compliance.errors import ActionRefused, ComplianceError
from compliance.evidence.formats.rows import Row
from compliance.models import AuditLeaf, AuditLog, SiemCursor, SiemProgress, SiemStream
from compliance.siem import reading, secrets, transports

ADDRESS = ("transport", "host", "port", "url")


@transaction.atomic
def add(*, stream: SiemStream, by: Actor, token: str = "", private_key: str = "") -> SiemStream:
    """Adds a stream. What it delivers begins now, or with the first event that there is.

    Raises:
        ValidationError: the name is taken, it leads where nothing may be sent, or a certificate cannot be read.
    """
    _check(stream, token=token, private_key=private_key)
    rows.create(stream, by=by)
    SiemProgress.objects.create(stream=stream)
    _begin(stream)
    return _sealed(stream, by=by, token=token, private_key=private_key)


@transaction.atomic
def change(*, stream: SiemStream, by: Actor, token: str = "", private_key: str = "") -> SiemStream:
    """Changes a stream. Empty secrets stay as they are; but a token goes to no address that it was not given for.

    Raises:
        ValidationError: as with `add`.
    """
    stored = SiemStream.objects.select_for_update().get(pk=stream.pk)
    moved = any(getattr(stored, name) != getattr(stream, name) for name in ADDRESS)
    if moved and stored.token and not token and stream.transport == SiemStream.Transport.HTTPS:
        raise ValidationError({"new_token": "Enter the token again: the one that is kept is for another address."})
    _check(stream, token=token, private_key=private_key)
    if not stream.certificate:
        stream.private_key = None
    if stream.transport != SiemStream.Transport.HTTPS:
        stream.token = None
    rows.change(stream, by=by)
    _begin(stream)
    _at_once(stream)
    return _sealed(stream, by=by, token=token, private_key=private_key)


@transaction.atomic
def remove(*, stream: SiemStream, by: Actor, reason: str = "") -> None:
    """Ends a stream, with its secrets. One that is added later does not know how far this one was."""
    rows.delete(stream, by=by, reason=reason)


def pause(*, stream: SiemStream, by: Actor, reason: str = "") -> SiemStream:
    """Delivers nothing more until it is resumed; then it goes on where it stopped."""
    return _set_state(stream, SiemStream.State.PAUSED, by=by, verb="paused", reason=reason)


def resume(*, stream: SiemStream, by: Actor, reason: str = "") -> SiemStream:
    """Delivers again, at once, what has come meanwhile."""
    return _set_state(stream, SiemStream.State.ACTIVE, by=by, verb="resumed", reason=reason)


@transaction.atomic
def skip_event(*, stream: SiemStream, by: Actor, reason: str = "") -> SiemStream:
    """Passes by the one event that a stream cannot deliver, and goes on behind it at once. The event stays in its log.

    Raises:
        ActionRefused: no event holds it up.
    """
    row = SiemProgress.objects.select_for_update().get(stream=stream)
    if row.stuck_log_id is None or row.stuck_index is None:
        raise ActionRefused("No single event holds this stream up. Its page says what does.")
    of, index, problem = AuditLog.objects.get(pk=row.stuck_log_id), row.stuck_index, row.error
    SiemCursor.objects.update_or_create(stream=stream, log=of, defaults={"position": index + 1})
    row.failures, row.failing_since, row.error, row.next_at = 0, None, "", None
    row.stuck_log_id = row.stuck_index = None
    row.process, row.leased_until = "", None  # who delivers right now finds it changed, and stops
    row.save(force_update=True)
    leaf = AuditLeaf.objects.filter(log=of, index=index).first()
    skipped = {"log": of.origin, "index": index, "event": leaf.event_id if leaf else None, "problem": problem}
    audit.record(
        by=by,
        action="siemstream.event_skipped",
        target=audit.target_of(stream),
        tenant_id=stream.tenant_id,
        after=skipped,
        reason=reason,
    )
    announcing.is_over(kind="siem_failing", tenant_id=None, subject=f"siemstream {stream.pk}")
    return stream


def send_test(*, stream: SiemStream, by: Actor, reason: str = "") -> None:
    """Sends one event that is in no log, outside of transactions, as it may take half a minute.

    Raises:
        ActionRefused: it did not arrive; the text says why.
    """
    problem = ""
    try:
        to = secrets.destination_of(stream)
        transports.send([reading.rendered(_test(stream, by), stream)], to, inside=settings.SIEM_INSIDE)
    except (transports.NotDelivered, ComplianceError) as error:
        problem = str(error)
    with transaction.atomic():
        audit.record(
            by=by,
            action="siemstream.tested",
            target=audit.target_of(stream),
            tenant_id=stream.tenant_id,
            outcome="failure" if problem else "success",
            after={"problem": problem} if problem else None,
            reason=reason,
        )
    if problem:
        raise ActionRefused(f"The test did not arrive: {problem}.")


def _test(stream: SiemStream, by: Actor) -> Row:
    fields = {
        "id": f"test-{uuid4().hex}",
        "occurred_at": timezone.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "action": "siemstream.test",
        "actor_kind": by.kind,
        "actor_id": by.id,
        "outcome": "success",
        "target_kind": "siemstream",
        "target_id": str(stream.pk),
        "reason": f"A test of the stream {stream.name}: this event is in no log.",
        "after.name": stream.name,
    }
    return Row(fields=fields, origin="test")


def _check(stream: SiemStream, *, token: str, private_key: str) -> None:
    if stream.certificate and not private_key and not stream.private_key:
        raise ValidationError({"new_private_key": "Add the private key of the certificate."})
    if token and stream.transport != SiemStream.Transport.HTTPS:
        raise ValidationError({"new_token": "Tokens are for HTTPS only; syslog knows us by our certificate."})
    own = stream.certificate if private_key else ""  # a key that is kept was looked at when it came
    to = transports.Destination(
        kind=stream.transport, url=stream.url, ca=stream.ca, certificate=own, private_key=private_key
    )
    try:
        transports.check(to, inside=settings.SIEM_INSIDE)
    except outside.TargetRefused as error:
        field = "url" if stream.transport == SiemStream.Transport.HTTPS else "transport"
        raise ValidationError({field: f"{error} {transports.WAY_ON}"}) from error
    except ValueError as error:
        raise ValidationError({"certificate" if own else "ca": str(error)}) from error


def _sealed(stream: SiemStream, *, by: Actor, token: str, private_key: str) -> SiemStream:
    for name, value in (("token", token), ("private_key", private_key)):
        if value:
            setattr(stream, name, sealed.seal(value.encode(), context=secrets.place_of(stream.pk, name)))
            rows.change(stream, by=by, verb=f"{name}_set", fields=(name,))
    return stream


def _begin(stream: SiemStream) -> None:
    """Of logs that are new to it, skips what is there, unless that is wanted. Logs that begin later are whole."""
    if stream.from_start:
        return
    known = reading.positions(stream)
    new = [each for each in reading.logs_of(stream) if each.pk not in known]
    SiemCursor.objects.bulk_create(SiemCursor(stream=stream, log=each, position=each.size) for each in new)


def _at_once(stream: SiemStream) -> None:
    SiemProgress.objects.filter(stream=stream).update(next_at=None)


@transaction.atomic
def _set_state(stream: SiemStream, state: str, *, by: Actor, verb: str, reason: str) -> SiemStream:
    stream = SiemStream.objects.select_for_update().get(pk=stream.pk)
    stream.state = state
    _at_once(stream)
    if state == SiemStream.State.PAUSED:  # it does not fail while it does nothing
        SiemProgress.objects.filter(stream=stream).update(
            failures=0, failing_since=None, error="", stuck_log_id=None, stuck_index=None
        )
    return rows.change(stream, by=by, verb=verb, reason=reason)
