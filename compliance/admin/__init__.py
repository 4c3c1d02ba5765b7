from compliance.admin import audit

__all__ = ["audit"]
