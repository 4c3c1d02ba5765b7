"""Where the audit log is delivered to."""

from compliance.models import SiemCursor, SiemProgress, SiemStream
from compliance.registry import Class
from compliance.registry import classified as of
from compliance.stores import table

SIEM = (
    table(
        SiemStream,
        "SIEM streams",
        Class.POLICY,
        of(
            nothing="id name transport host port url format scope tenant_id from_start ca certificate state created_at",
            opens="private_key token",
        ),
        tenant="tenant_id",
        why="Where the audit log is delivered to: the receiver keeps surrogates, and staff by their numbers.",
    ),
    table(
        SiemProgress,
        "Progress of SIEM streams",
        Class.POLICY,
        of(
            nothing="stream_id delivered delivered_at failures failing_since error next_at process leased_until "
            "stuck_log_id stuck_index",
        ),
        why="How deliveries go.",
    ),
    table(
        SiemCursor,
        "Places of SIEM streams",
        Class.POLICY,
        of(nothing="id stream_id log_id position"),
        why="How much of each log was delivered.",
    ),
)
