"""The clock of one request: its deadlines under the terms it was received under, and when they stand still."""

from compliance import regimes
from compliance.deadlines import Deadlines, compute
from compliance.models import SubjectRequest
from compliance.request_states import State
from compliance.rights import Right


def deadlines_of(row: SubjectRequest) -> Deadlines:
    """The deadlines of a request, as they are with what has happened to it so far."""
    return compute(
        regime=regimes.from_json(row.terms),
        right=Right(row.right),
        received_at=row.received_at,
        zone=row.zone,
        extended=row.extended_at is not None,
        paused_days=row.paused_days,
    )


def set_deadlines(row: SubjectRequest) -> None:
    """Puts what `deadlines_of` finds into the row, unsaved."""
    found = deadlines_of(row)
    row.acknowledge_by, row.due_on, row.due_at = found.acknowledge_by, found.due_on, found.due_at
    row.because = list(found.because)


def stops_clock(row: SubjectRequest, state: State) -> bool:
    """Whether the regime lets the clock stand still in that state."""
    match state:
        case State.IDENTITY_PENDING:
            return bool(row.terms["pauses_for_identity"])
        case State.CLARIFICATION_REQUESTED:
            return bool(row.terms["pauses_for_clarification"])
        case _:
            return False
