"""What people have put on record of restores: checkpoints that a sink holds of events that were lost, and sinks that
have lost checkpoints. Believed are the platform's events that a signed checkpoint covers, and, for minutes, those that
wait.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from compliance.evidence import inclusion
from compliance.evidence.findings import Finding
from compliance.evidence.pool import fetch
from compliance.evidence.slices import UNREADABLE
from compliance.models import AuditLog

ROLLED_BACK, COPIES_LOST = "auditlog.rolled_back", "auditlog.copies_lost"

_SAID = """
SELECT e.id, e.action, e.after::text, leaf.event_id IS NOT NULL,
    e.id > 0 AND e.occurred_at BETWEEN %s - interval '15 minutes' AND statement_timestamp() + interval '1 minute'
    AND EXISTS (SELECT FROM compliance_auditpending pending WHERE pending.event_id = e.id)
FROM compliance_auditevent e LEFT JOIN compliance_auditleaf leaf ON leaf.event_id = e.id
WHERE e.action = ANY(%s) AND e.tenant_id IS NULL ORDER BY e.id
"""


@dataclass(slots=True)
class Excuses:
    """What the verifier does not miss.

    Args:
        lost: of a log (by origin) the checkpoints, size and root, that are of lost events: these and no others.
        gone: up to which size a sink has lost its checkpoints of a log; by sink and origin.
    """

    lost: dict[str, set[tuple[int, bytes]]] = field(default_factory=dict)
    gone: dict[tuple[str, str], int] = field(default_factory=dict)

    def is_lost(self, origin: str, size: int, root: bytes) -> bool:
        return (size, root) in self.lost.get(origin, ())

    def is_gone(self, sink: str, origin: str, size: int) -> bool:
        return size <= self.gone.get((sink, origin), 0)

    def read(self, *, begun: datetime, publics: Collection[bytes]) -> Iterator[Finding]:
        """Takes what is on record; yields what is no such record, or is not sealed."""
        platform = AuditLog.objects.filter(tenant_id=None).values_list("origin", flat=True).first() or ""
        for event_id, action, text, has_place, is_recent in fetch(_SAID, (begun, [ROLLED_BACK, COPIES_LOST])):
            try:
                if has_place and not _is_sealed(event_id, platform, publics):
                    text = f"Event {event_id} says what a restore has lost, but is not what was sealed."
                    yield Finding(log=platform, index=None, text=text)
                elif has_place or is_recent:
                    self._take(action, json.loads(text))
            except UNREADABLE:
                text = f"Event {event_id} ({action}) does not say what such events say."
                yield Finding(log=platform, index=None, text=text)

    def _take(self, action: str, after: Any) -> None:
        if action == ROLLED_BACK:
            for origin, pairs in after["lost"].items():
                found = {(int(size), bytes.fromhex(root)) for size, root in pairs}
                self.lost.setdefault(str(origin), set()).update(found)
        else:
            for sink, sizes in after["sinks"].items():
                for origin, size in sizes.items():
                    key = str(sink), str(origin)
                    self.gone[key] = max(int(size), self.gone.get(key, 0))


def _is_sealed(event_id: int, platform: str, publics: Collection[bytes]) -> bool:
    try:
        document = inclusion.document_of(event_id)
        return document is not None and inclusion.verify(document, publics=publics).origin == platform
    except UNREADABLE:
        return False
