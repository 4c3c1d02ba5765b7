from accounts.admin import applications, keys, people, tenants

__all__ = ["applications", "keys", "people", "tenants"]
