from accounts.models.keys import ApiKey
from accounts.models.people import Membership, User
from accounts.models.tenants import Application, Tenant

__all__ = ["ApiKey", "Application", "Membership", "Tenant", "User"]
