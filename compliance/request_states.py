"""The states of a subject request, as one table: which may follow which. Pure.

The database holds the same table as a check, and the diagram in `docs/subject-requests.md` is drawn from it.
"""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a request stands. The first twelve are the way through; the others lie beside it."""

    RECEIVED = "received"
    ACKNOWLEDGED = "acknowledged"
    IDENTITY_PENDING = "identity_pending"
    IDENTITY_VERIFIED = "identity_verified"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    PARTIALLY_APPROVED = "partially_approved"
    REFUSED = "refused"
    QUEUED = "queued"
    EXECUTING = "executing"
    VERIFYING = "verifying"
    FULFILLED = "fulfilled"
    CLARIFICATION_REQUESTED = "clarification_requested"
    EXTENDED = "extended"
    ON_HOLD = "on_hold"
    DUPLICATE = "duplicate"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ").capitalize()


S = State
_LEFT = (S.DUPLICATE, S.WITHDRAWN)

NEXT: Mapping[State, tuple[State, ...]] = {
    S.RECEIVED: (S.ACKNOWLEDGED, *_LEFT),
    S.ACKNOWLEDGED: (S.IDENTITY_PENDING, S.IDENTITY_VERIFIED, S.CLARIFICATION_REQUESTED, S.EXTENDED, *_LEFT),
    S.IDENTITY_PENDING: (S.IDENTITY_VERIFIED, S.REFUSED, S.CLARIFICATION_REQUESTED, S.EXTENDED, *_LEFT),
    S.IDENTITY_VERIFIED: (S.IN_REVIEW, S.CLARIFICATION_REQUESTED, S.EXTENDED, S.ON_HOLD, *_LEFT),
    S.IN_REVIEW: (
        *(S.APPROVED, S.PARTIALLY_APPROVED, S.REFUSED),
        *(S.CLARIFICATION_REQUESTED, S.EXTENDED, S.ON_HOLD, *_LEFT),
    ),
    S.APPROVED: (S.QUEUED, S.ON_HOLD, S.WITHDRAWN),
    S.PARTIALLY_APPROVED: (S.QUEUED, S.ON_HOLD, S.WITHDRAWN),
    S.QUEUED: (S.EXECUTING, S.ON_HOLD, S.WITHDRAWN),
    S.EXECUTING: (S.VERIFYING, S.FAILED, S.ON_HOLD),
    S.VERIFYING: (S.FULFILLED, S.EXECUTING, S.FAILED),
    S.CLARIFICATION_REQUESTED: (S.IDENTITY_PENDING, S.IDENTITY_VERIFIED, S.IN_REVIEW, S.REFUSED, S.EXTENDED, *_LEFT),
    S.EXTENDED: (S.IDENTITY_PENDING, S.IDENTITY_VERIFIED, S.IN_REVIEW, S.CLARIFICATION_REQUESTED, S.ON_HOLD, *_LEFT),
    S.ON_HOLD: (S.IN_REVIEW, S.QUEUED, *_LEFT),
    S.FAILED: (S.QUEUED, S.ON_HOLD),
    S.REFUSED: (),
    S.FULFILLED: (),
    S.DUPLICATE: (),
    S.WITHDRAWN: (),
}
"""State → those that may follow it."""

FIRST = State.RECEIVED
CLOSED = frozenset(state for state, after in NEXT.items() if not after)
"""Nothing follows these."""

DECIDED = frozenset(
    {S.APPROVED, S.PARTIALLY_APPROVED, S.QUEUED, S.EXECUTING, S.VERIFYING, S.FULFILLED, S.FAILED},
)
"""Only a request of somebody whose identity is settled, and that somebody decided about, gets here."""

IDENTIFIED = DECIDED | {S.IDENTITY_VERIFIED, S.IN_REVIEW}
"""Only a request of somebody whose identity is settled gets here."""


def is_legal(before: State, after: State) -> bool:
    return after in NEXT[before]


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {FIRST}"]
    for before, states in NEXT.items():
        lines += [f"    {before} --> {after}" for after in states] or [f"    {before} --> [*]"]
    return "\n".join(lines)
