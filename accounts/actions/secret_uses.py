"""Keeps when secrets were last used. A process notes times in memory (`accounts/uses.py`) and brings them here."""

from collections.abc import Mapping

from django.db import connection

# A secret that is neither in force nor retiring any more has no row to be told of.
_KEEP = """
INSERT INTO accounts_secretuse AS kept (public_id, key_id, last_used_at)
SELECT used.public_id, COALESCE(current.id, retiring.key_id), to_timestamp(used.at)
FROM unnest(%s::text[], %s::float8[]) AS used (public_id, at)
LEFT JOIN accounts_apikey current ON current.public_id = used.public_id
LEFT JOIN accounts_retiringsecret retiring ON retiring.public_id = used.public_id
WHERE current.id IS NOT NULL OR retiring.id IS NOT NULL
ORDER BY used.public_id
ON CONFLICT (public_id) DO UPDATE SET last_used_at = GREATEST(kept.last_used_at, excluded.last_used_at)
"""


def note_uses(*, times: Mapping[str, float]) -> int:
    """Keeps the times (public id → epoch seconds) that are later than what is known, in one statement; returns how many
    secrets they were of. Rows are locked in one order, so that processes do not wait in a circle."""
    if not times:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [list(times), list(times.values())])
        return int(cursor.rowcount)
