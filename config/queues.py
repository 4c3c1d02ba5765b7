"""Which tasks wait in which queue: what takes minutes has one of its own, and what comes each second never waits."""

SHORT = "celery"
LONG = "long"

TAKES_LONG = (
    "compliance.tasks.back_up",
    "compliance.tasks.make_audit_exports",
    "compliance.tasks.make_evidence_packs",
    "compliance.tasks.purge",
    "compliance.tasks.redact_late_events",
    "compliance.tasks.restore_drill",
    "compliance.tasks.verify_audit_log",
    "gateway.tasks.compile_dictionaries",
)
