"""Proof of who asks: by the application's word, an officer's check, or a one-time code that the application delivers.

A code has eight digits and is kept as an HMAC. It is compared in constant time, may be tried five times and holds for
an hour. Tries are counted by one UPDATE that is committed before the comparison, so that neither a race nor an error
gives one for free.
"""

import hmac
import secrets
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from compliance.actions import subjects
from compliance.actions.request_moves import Kind, move, noted, remember
from compliance.contracts import Actor
from compliance.errors import CodeRefused, RequestRefused
from compliance.models import SubjectRequest
from compliance.request_states import State
from compliance.rights import Right
from compliance.selectors_requests import locked

DIGITS = 8
TRIES = 5
HOLDS_FOR = timedelta(hours=1)
MOST_CODES = 5
WAIT_FOR_NEXT = timedelta(minutes=1)

_COUNT_A_TRY = """
UPDATE compliance_subjectrequest SET code_attempts = code_attempts + 1
WHERE id = %s AND code_hash IS NOT NULL AND code_attempts < %s AND code_expires_at > now()
RETURNING code_hash, code_attempts
"""


def vouch(*, request: SubjectRequest, by: Actor, reason: str = "") -> SubjectRequest:
    """Says that it is the person who asks: an application for somebody who is signed in to it, or an officer.

    Raises:
        IllegalMove: the request is not acknowledged yet, or beyond that already.
    """
    method = "asserted" if by.kind == "key" else "officer"
    proof = {"identity": method, "identity_verified_at": timezone.now(), "code_hash": None}
    return _proven(request, proof, by=by, reason=reason)


@transaction.atomic
def make_code(*, request: SubjectRequest, by: Actor, reason: str = "") -> str:
    """A new code for the application to deliver over a channel of its own; shown once. The one before is void.

    Raises:
        RequestRefused: five were made already, or the last one a moment ago.
        IllegalMove: identity is not what the request waits for.
    """
    row, now = locked(request), timezone.now()
    if row.codes_made >= MOST_CODES:
        raise RequestRefused("Five codes were made for this request. Check the person's identity in another way.")
    if row.code_made_at and now < row.code_made_at + WAIT_FOR_NEXT:
        raise RequestRefused("The last code is less than a minute old. Wait for it to arrive, or try again then.")
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    fresh = {
        "code_hash": _hash(row, code),
        "code_expires_at": now + HOLDS_FOR,
        "code_attempts": 0,
        "codes_made": row.codes_made + 1,
        "code_made_at": now,
    }
    if row.state == State.IDENTITY_PENDING:
        for name, value in fresh.items():
            setattr(row, name, value)
        row.save(update_fields=tuple(fresh))
    else:
        row = move(request=row, to=State.IDENTITY_PENDING, by=by, reason=reason, changes=fresh)
    remember(request=row, kind=Kind.CODE_MADE, by=by, details={"number": row.codes_made})
    noted(request=row, verb="code_made", by=by, reason=reason)
    return code


def verify(*, request: SubjectRequest, code: str, by: Actor) -> SubjectRequest:
    """Takes the code that the person received.

    Raises:
        CodeRefused: it is wrong, older than an hour, or was tried five times.
    """
    found = _count_a_try(request)
    if found is None:
        raise CodeRefused("No code can be tried now: it is too old, or was tried too often. Ask for a new one.")
    kept, tries = found
    if not hmac.compare_digest(kept, _hash(request, code)):
        _refused(request, TRIES - tries, by)
        raise CodeRefused(f"The code is wrong; {TRIES - tries} tries are left.", param="code")
    proof = {"identity": "code", "identity_verified_at": timezone.now(), "code_hash": None}
    return _proven(request, proof, by=by)


@transaction.atomic
def _proven(request: SubjectRequest, proof: dict[str, Any], *, by: Actor, reason: str = "") -> SubjectRequest:
    """Who objects is restricted from here on, while it is looked into whether the objection holds (GDPR, 18(1)(d))."""
    row = move(request=request, to=State.IDENTITY_VERIFIED, by=by, reason=reason, changes=proof)
    if row.right == Right.OBJECTION:
        subjects.restrict(subject=row.subject, by=by, reason=f"objection, subject request {row.pk}")
    return row


def _count_a_try(request: SubjectRequest) -> tuple[bytes, int] | None:
    """The kept hash and how many tries there were with this one; None where no try is left."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_A_TRY, [request.pk, TRIES])
        row = cursor.fetchone()
    return (bytes(row[0]), row[1]) if row else None


@transaction.atomic
def _refused(request: SubjectRequest, left: int, by: Actor) -> None:
    remember(request=request, kind=Kind.CODE_REFUSED, by=by, details={"tries_left": left})
    noted(request=request, verb="code_refused", by=by)


def _hash(request: SubjectRequest, code: str) -> bytes:
    """Bound to the request, so that a hash cannot be carried to another one."""
    return salted_hmac("subject request code", f"{request.public_id} {code}", algorithm="sha256").digest()
