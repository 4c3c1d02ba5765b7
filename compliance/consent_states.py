"""Which state of a consent may follow which (states of ISO/IEC TS 27560). Pure."""

from typing import Final

from compliance.errors import IllegalTransition

REQUESTED, GIVEN, REFUSED, REAFFIRMED = "requested", "given", "refused", "reaffirmed"
WITHDRAWN, EXPIRED, TERMINATED, INVALIDATED = "withdrawn", "expired", "terminated", "invalidated"
STATES: Final = (REQUESTED, GIVEN, REFUSED, REAFFIRMED, WITHDRAWN, EXPIRED, TERMINATED, INVALIDATED)

NOTHING: Final = ""
"""Before anything was recorded."""

_ENDS = {TERMINATED, INVALIDATED}
FOLLOWS: Final[dict[str, frozenset[str]]] = {
    NOTHING: frozenset({REQUESTED, GIVEN, REFUSED}),
    REQUESTED: frozenset({REQUESTED, GIVEN, REFUSED, EXPIRED, *_ENDS}),
    GIVEN: frozenset({REAFFIRMED, REFUSED, WITHDRAWN, EXPIRED, *_ENDS}),
    REFUSED: frozenset({REQUESTED, GIVEN, REFUSED, *_ENDS}),
    REAFFIRMED: frozenset({REAFFIRMED, REFUSED, WITHDRAWN, EXPIRED, *_ENDS}),
    WITHDRAWN: frozenset({REQUESTED, GIVEN, REFUSED, *_ENDS}),
    EXPIRED: frozenset({REQUESTED, GIVEN, REFUSED, REAFFIRMED, WITHDRAWN, *_ENDS}),
    TERMINATED: frozenset({REQUESTED, GIVEN, REFUSED}),
    INVALIDATED: frozenset({REQUESTED, GIVEN, REFUSED}),
}
"""State → the states that may follow it. Refusing and asking again are recorded where the notice is another one."""

ALLOWING: Final = frozenset({GIVEN, REAFFIRMED})
"""Only these allow anything; `compliance/sql/consent.sql` says under what conditions."""

WITHDRAWABLE: Final = frozenset(state for state, following in FOLLOWS.items() if WITHDRAWN in following)

OPT_OUT_SIGNAL: Final = "opt_out_signal"
EVENT_TYPES: Final = {
    REQUESTED: "request",
    GIVEN: "explicit",
    REFUSED: "refusal",
    REAFFIRMED: "reaffirmation",
    WITHDRAWN: "withdrawal",
    EXPIRED: "expiry",
    TERMINATED: "termination",
    INVALIDATED: "invalidation",
}
"""State → the type of the event that led to it (ISO/IEC TS 27560, event_type). Nothing but what a person said counts as
consent, so that it is always explicit; a refusal that their browser's signal said is an OPT_OUT_SIGNAL."""

_INSTEAD = {
    (GIVEN, GIVEN): "It is given already. To renew it, or for a new version of the notice, send reaffirmed.",
    (REAFFIRMED, GIVEN): "It is given already. To renew it, or for a new version of the notice, send reaffirmed.",
}


def require(before: str, after: str) -> None:
    """Refuses `after` where it cannot follow `before` (NOTHING for the first one).

    Raises:
        IllegalTransition: with what may be sent instead.
    """
    if after in FOLLOWS[before]:
        return
    allowed = ", ".join(state for state in STATES if state in FOLLOWS[before])
    instead = _INSTEAD.get((before, after), f"From there it can become: {allowed}.")
    where = f"This consent is {before}" if before else "Nothing has been recorded for this purpose yet"
    raise IllegalTransition(f"{where}, so it cannot become {after}. {instead}")
