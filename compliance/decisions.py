"""What a decision makes of what is on record, and why it cannot. Reads only: `actions/consents.py` records it."""

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.utils import timezone

from compliance import consent_states, selectors
from compliance.consent_states import NOTHING
from compliance.errors import (
    IllegalTransition,
    NoticeNotPublished,
    NoticeSuperseded,
    OlderThanRecorded,
    SubjectErased,
    UnknownPurpose,
)
from compliance.models import ConsentNotice, ConsentRecord, Purpose, Subject
from compliance.withdrawals import TAKEN_BACK

State = ConsentRecord.State

OFFERED = (State.GIVEN, State.REFUSED, State.REAFFIRMED, State.REQUESTED)
"""What applications may record; the other states come by their own ways."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person decided, as their application tells it.

    Args:
        state: given, refused, reaffirmed, or requested.
        notice_version: of the notice that they saw; None: the newest one.
        language: of the notice; None: English, or whatever there is.
        gpc: their browser sent `Sec-GPC: 1`, which turns consent to a purpose that honours it into a refusal.
        at: when they decided; None: now. What is older than what is on record is refused, so that something that
            arrives late does not undo what came after it.
    """

    purpose: str
    state: str
    notice_version: int | None = None
    language: str | None = None
    expires_at: datetime | None = None
    collection_method: str = ""
    jurisdiction: str = ""
    gpc: bool = False
    at: datetime | None = None


def weigh(
    decision: Decision, *, tenant_id: int, subject: Subject | None, before: ConsentRecord | None
) -> ConsentRecord:
    """The record that holds after the decision: a new one, of nobody yet, or `before` itself where it says the same.

    Args:
        subject: None: somebody who was never seen.
        before: what holds now of the purpose.

    Raises:
        SubjectErased: they were erased, and not enrolled again.
        ConsentRefused: the purpose is unknown, the notice is not published or superseded, the state cannot follow, or
            they have decided otherwise since.
        ValidationError: it would have expired already, or lies in the future.
    """
    if subject is not None and subject.state == Subject.State.ERASED:
        raise SubjectErased(
            "This person was erased, so nothing is recorded about them. An officer can enrol them again."
        )
    row = _decided(decision, require_purpose(tenant_id, decision.purpose), before, tenant_id=tenant_id)
    if before is not None and _is_repeated(row, before, decision):
        return before
    consent_states.require(before.state if before else NOTHING, row.state)
    return row


def require_purpose(tenant_id: int, slug: str) -> Purpose:
    """The purpose of that name.

    Raises:
        UnknownPurpose: nobody declared it.
    """
    purposes = {purpose.slug: purpose for purpose in selectors.purposes_of(tenant_id)}
    if slug not in purposes:
        raise UnknownPurpose(f"There is no purpose {slug[:50]!r}; there are: {', '.join(sorted(purposes))}.")
    return purposes[slug]


def now_after(before: ConsentRecord | None) -> datetime:
    """Now; never before the last record, whose time may come from a clock that is ahead of ours."""
    return max(timezone.now(), before.event_at) if before else timezone.now()


# --- parts -------------------------------------------------------------------------------------------------------


def _decided(decision: Decision, purpose: Purpose, before: ConsentRecord | None, *, tenant_id: int) -> ConsentRecord:
    """The record that a decision makes, not yet of anybody."""
    if decision.state not in OFFERED:
        raise IllegalTransition(f"{decision.state} is not what a person decides; send one of {', '.join(OFFERED)}.")
    opted_out = decision.gpc and purpose.honours_gpc and decision.state != State.REQUESTED
    state = str(State.REFUSED) if opted_out else decision.state
    event_at = _event_time(decision, before)
    if before is not None and decision.at is not None:
        _require_newer(before, state, decision.at)
    notice = _notice(tenant_id, decision, must_hold=state != State.REFUSED)
    return ConsentRecord(
        notice=notice,
        notice_version=notice.version,
        state=state,
        expires_at=None if state == State.REFUSED else _expiry(decision),
        event_at=event_at,
        collection_method=decision.collection_method,
        jurisdiction=decision.jurisdiction or notice.jurisdiction,
        opted_out_by_gpc=opted_out,
    )


def _is_repeated(row: ConsentRecord, before: ConsentRecord, decision: Decision) -> bool:
    """Whether the record before says the same already: asked or refused again, or the same decision sent again."""
    told = ("state", "notice_id", "expires_at", "opted_out_by_gpc")
    is_same = all(getattr(row, name) == getattr(before, name) for name in told)
    return is_same and (row.state in (State.REFUSED, State.REQUESTED) or decision.at == before.event_at)


def _notice(tenant_id: int, decision: Decision, *, must_hold: bool) -> ConsentNotice:
    """The notice that the person saw; `must_hold`: consent to it must still allow something."""
    notices = list(selectors.published(tenant_id, decision.purpose))
    if not notices:
        raise NoticeNotPublished(
            f"No notice about {decision.purpose} is published. Publish one and show it to people before they decide."
        )
    version = decision.notice_version or notices[0].version
    material = max((notice.version for notice in notices if notice.material_change), default=0)
    if must_hold and version < material:
        raise NoticeSuperseded(
            f"Version {material} of the notice about {decision.purpose} changed the terms, so that consent to version "
            f"{version} allows nothing. Show people the newest notice and send notice_version {notices[0].version}."
        )
    of_version = {notice.language: notice for notice in notices if notice.version == version}
    if not of_version:
        raise NoticeNotPublished(
            f"Version {version} of the notice about {decision.purpose} is not published; send notice_version "
            f"{notices[0].version}, or leave it out."
        )
    return _in_language(of_version, decision)


def _in_language(notices: dict[str, ConsentNotice], decision: Decision) -> ConsentNotice:
    """The notice in the language asked for (`de` serves `de-CH` as well); unasked, English or the first there is."""
    wanted = decision.language
    if wanted is None:
        return notices.get("en") or next(iter(notices.values()))
    found = notices.get(wanted) or notices.get(wanted.partition("-")[0])
    if found is None:
        raise NoticeNotPublished(
            f"The notice about {decision.purpose} is not published in {wanted[:35]!r}; there are: "
            f"{', '.join(sorted(notices))}.",
        )
    return found


def _expiry(decision: Decision) -> datetime | None:
    if decision.expires_at is not None and decision.expires_at <= timezone.now():
        raise ValidationError({"expires_at": "This lies in the past; send a later time, or none."})
    return decision.expires_at


def _event_time(decision: Decision, before: ConsentRecord | None) -> datetime:
    if decision.at is None:
        return now_after(before)
    if decision.at > timezone.now():
        raise ValidationError({"at": "This lies in the future; send when the person decided."})
    return decision.at


def _require_newer(before: ConsentRecord, state: str, at: datetime) -> None:
    """Refuses what was decided before what holds now. Of a yes and a no of the same moment the no holds."""
    is_tied = at == before.event_at and state in consent_states.ALLOWING and before.state in TAKEN_BACK
    if at < before.event_at or is_tied:
        raise OlderThanRecorded(
            f"This is older than what is on record: {before.state} at {before.event_at:%Y-%m-%dT%H:%M:%S.%fZ}. "
            "Nothing was changed. Only if the person has decided anew since, send that, with its own time."
        )
