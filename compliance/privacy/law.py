"""What the law wants kept, and the record of what was done."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from compliance.holds import in_force
from compliance.models import (
    Approval,
    JobRun,
    LegalHold,
    PurgeRun,
    RetentionPolicy,
)
from compliance.privacy.common import EVIDENCE, NOT_REMOVED
from compliance.registry import Class, Person
from compliance.registry import classified as of
from compliance.stores import table


def _holds(person: Person) -> Iterator[dict[str, Any]]:
    """That there is one, and nothing of it: what it is about would warn whom it is to be secured from."""
    if in_force(person.tenant_id).filter(surrogate=person.surrogate).exists():
        yield {"kept": "Some of your data is kept under a legal duty."}


LAW = (
    replace(
        table(
            LegalHold,
            "Legal holds",
            Class.AUDIT,
            of(
                nothing="id tenant_id title matter scope api_key_id application_id environment model outcome since"
                " until state requested_at active_at marked_at released_at",
                surrogate="surrogate",
                subject="reason",
                staff="requested_by",
            ),
            person="surrogate",
            tenant="tenant_id",
            why="What must not be deleted, and because of which matter.",
            withheld=EVIDENCE,
            until="kept: a legal hold is never deleted",
        ),
        export=_holds,
    ),
    table(
        RetentionPolicy,
        "Retention policies",
        Class.POLICY,
        of(nothing="id tenant_id data_class days floor_days floor_basis reason version changed_at"),
        tenant="tenant_id",
        why="How long each class of data is kept.",
    ),
    table(
        PurgeRun,
        "Purge reports",
        Class.AUDIT,
        of(
            nothing="id as_of plan_hash plan state removed removed_rows kept_rows report error started_at finished_at",
            staff="started_by",
        ),
        why="What was removed when it was due.",
        until=NOT_REMOVED,
    ),
    table(
        Approval,
        "Approvals",
        Class.AUDIT,
        of(
            nothing="id action target_kind target_id tenant_id state requested_at expires_at decided_at",
            surrogate="details",
            staff="requested_by decided_by reason decision_reason",
        ),
        tenant="tenant_id",
        why="Grave actions, and the two people who wanted each of them.",
        withheld=EVIDENCE,
        until=NOT_REMOVED,
    ),
    table(
        JobRun,
        "Long jobs",
        Class.AUDIT,
        of(
            nothing="id kind key tenant_id state step done total result error process started_at seen_at finished_at",
            staff="started_by",
        ),
        tenant="tenant_id",
        why="How far each long job is.",
        until=NOT_REMOVED,
    ),
)
