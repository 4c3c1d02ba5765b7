"""What is done with requests without a valid key: they are counted for the audit log."""

from collections.abc import Mapping

from compliance.actions import tallies
from compliance.actions.tallies import Occurrence
from compliance.contracts import Actor, Target

PLACE = "/v1"


def put_on_record(*, counts: Mapping[tuple[str, str], int], by: Actor) -> None:
    """Counts requests that were refused, by network and reason code."""
    occurrences = [
        Occurrence(
            action="request.refused",
            by=by,
            target=Target("network", network),
            outcome="refused",
            reason=code,
            place=PLACE,
            count=count,
        )
        for (network, code), count in counts.items()
    ]
    tallies.count(occurrences=occurrences)
