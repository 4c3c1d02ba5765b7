from compliance.models.audit import AuditEvent

__all__ = ["AuditEvent"]
